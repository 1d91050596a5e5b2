/** From what a handler returned to the answer's bytes. */
import type { RequestContext } from './context.ts'
import { JsonPieces } from './json-pieces.ts'
import { type AnyOperation, ByteStream, Reply } from './operation.ts'
import type { Service } from './service.ts'
import { requestIdHeaders, type Trace } from './trace.ts'

/** Hands the pieces to the socket as they are; the answer says that this was done. */
export type SendPieces = (status: number, headers: Readonly<Record<string, string>>, body: JsonPieces) => Response

/** Below this an answer in one piece is the quicker one. */
const smallBytes = 16_384

/** What a handler returned, with its status and headers. A {@link Reply} may bring its own. */
export function respond(
  service: Service,
  method: string,
  operation: AnyOperation,
  result: unknown,
  status: number,
  context: RequestContext,
  trace: Trace,
  send?: SendPieces,
): Response {
  const reply = result instanceof Reply ? result : new Reply({ body: operation.view ? operation.view(result, context) : result })
  const headers: Record<string, string> = { ...requestIdHeaders(service, trace.requestId), ...trace.versionHeaders, ...reply.headers }
  const code = reply.status ?? status
  const { body } = reply
  if (code === 204 || code === 304) return new Response(null, { status: code, headers })
  if (body === undefined) {
    // Else Node would send nothing in chunks.
    if (method !== 'HEAD') headers['content-length'] = '0'
    return new Response(null, { status: code, headers })
  }
  if (body instanceof ByteStream) {
    if (body.length !== null) headers['content-length'] = String(body.length)
    headers['content-type'] ??= 'application/octet-stream'
    return new Response(method === 'HEAD' ? null : ReadableStream.from(body.source), { status: code, headers })
  }
  const isBytes = typeof body === 'string' || body instanceof Uint8Array
  if (!isBytes) headers['content-type'] ??= 'application/json'
  if (body instanceof JsonPieces && send && method !== 'HEAD' && body.length > smallBytes) return send(code, headers, body)
  const payload = isBytes ? (body as string) : body instanceof JsonPieces ? String(body) : JSON.stringify(body)
  return new Response(method === 'HEAD' ? null : payload, { status: code, headers })
}
