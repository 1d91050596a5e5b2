/** From what was thrown to the fault that the client reads. */
import { explainTrouble } from '../db/trouble.ts'
import { CloudError, messageOf } from '../errors.ts'
import type { Log } from '../log.ts'
import { type Fault, statusOf, titleOf } from './faults.ts'
import type { Service } from './service.ts'
import { requestIdHeaders, type Trace } from './trace.ts'

const everywhere = new Set([401, 406, 413, 415, 503])
const unexpected = 'Unexpected API Error. Please report this, with the request id, to whoever runs this cloud.'

export class UnknownRoute extends CloudError {
  constructor() {
    super('not-found', 'The resource could not be found.')
  }
}

export class WrongMethod extends CloudError {
  readonly allowed: string[]
  constructor(allowed: string[]) {
    super('method-not-allowed', 'The method is not allowed for this resource.')
    this.allowed = allowed
  }
}

/** The fault of what was thrown, in the service's dialect; what nobody expected is logged and told as 500. */
export function refuse(
  service: Service,
  thrown: unknown,
  trace: Trace,
  { origin, isHead, log, strict }: { origin: string; isHead: boolean; log: Log; strict: boolean | undefined },
): Response {
  const { dialect } = service
  const error = explainTrouble(thrown)
  const headers: Record<string, string> = { ...requestIdHeaders(service, trace.requestId), ...trace.versionHeaders }
  if (error instanceof UnknownRoute && dialect.unknownRoute) {
    return new Response(isHead ? null : dialect.unknownRoute.body, {
      status: 404,
      headers: { ...headers, 'content-type': dialect.unknownRoute.contentType },
    })
  }
  let status = error instanceof CloudError ? statusOf(error, dialect) : 500
  const operation = trace.entry?.operation
  const isListed = !operation || everywhere.has(status) || operation.errors?.includes(status)
  if (status === 500)
    log.error({ request_id: trace.requestId, operation: trace.operationId, err: error }, `unexpected error: ${messageOf(error)}`)
  else if (!isListed) {
    log.error({ request_id: trace.requestId, operation: trace.operationId, status, err: error }, 'the operation does not list this status')
    if (strict) status = 500
  } else if (error instanceof CloudError && error.cause !== undefined)
    log.warn({ request_id: trace.requestId, operation: trace.operationId, status, err: error }, error.message)
  const fault: Fault = {
    status,
    title: titleOf(status),
    message: status === 500 ? unexpected : messageOf(error),
    type: error instanceof CloudError ? error.type : undefined,
    code: error instanceof CloudError ? error.code : undefined,
    requestId: trace.requestId,
  }
  if (status === 401) headers['www-authenticate'] = `Keystone uri="${origin}/identity"`
  if (error instanceof WrongMethod) headers.allow = error.allowed.join(', ')
  const body = dialect.render(fault)
  const isText = typeof body === 'string'
  headers['content-type'] = isText ? 'text/html; charset=UTF-8' : 'application/json; charset=UTF-8'
  return new Response(isHead ? null : isText ? body : JSON.stringify(body), { status, headers })
}
