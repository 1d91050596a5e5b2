/** Who asks, in which version, from where: what every handler is given. */
import { unauthenticated } from '../errors.ts'
import { type Version, version } from './microversion.ts'

/** The bearer of a valid token, as identity tells it. */
export type Principal = {
  readonly userId: string
  readonly userName: string
  readonly userDomainId: string
  readonly projectId: string | null
  readonly projectName: string | null
  readonly projectDomainId: string | null
  readonly domainId: string | null
  readonly systemScope: boolean
  /** Names of all roles in this scope, implied ones included. */
  readonly roles: readonly string[]
  readonly isAdmin: boolean
  /** The token as it was sent; never logged. */
  readonly token: string
  readonly auditId: string
}

export type RequestContext = {
  /** `req-` and a uuid; sent back, logged, and kept with what the request began. */
  readonly requestId: string
  readonly globalRequestId: string | null
  readonly principal: Principal | null
  readonly version: Version
  /** `http://host:port` as the client wrote it. */
  readonly origin: string
  /** Origin and mount of this service, without trailing slash: `http://host:port/compute/v2.1`. */
  readonly baseUrl: string
  /** `/<project id>` when the request's path had one (compute's old form), else empty. */
  readonly projectPrefix: string
  readonly remoteAddress: string | null
}

/** The principal of an operation that needs a token. */
export function principalOf(context: RequestContext): Principal {
  if (!context.principal) throw unauthenticated('The request you have made requires authentication.')
  return context.principal
}

/** Whether the request's version is at least this one. Windows in operations, bodies and views come first; this is for the rest. */
export const atLeast = (context: RequestContext, since: string): boolean => context.version >= version(since)
