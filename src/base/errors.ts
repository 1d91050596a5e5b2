/**
 * The one error that the nouns throw. It names a *kind*, never an HTTP status: the edge (`base/http`) knows what a kind
 * looks like on the wire of each service.
 *
 * `message` is written for the client; what only the operator may see goes into `cause`, which is logged and never sent.
 */
export type ErrorKind =
  | 'invalid'
  | 'unauthenticated'
  | 'forbidden'
  | 'over-quota'
  | 'not-found'
  | 'conflict'
  | 'gone'
  | 'too-large'
  | 'unsupported-media'
  | 'not-acceptable'
  | 'method-not-allowed'
  | 'not-implemented'
  | 'unavailable'

export type ErrorOptions = {
  /** The class name that Network v2.0 clients switch on (`NeutronError.type`), such as `IpAddressInUse`. */
  type?: string
  /** Placement's machine-readable code, such as `placement.concurrent_update`. */
  code?: string
  cause?: unknown
}

export class CloudError extends Error {
  readonly kind: ErrorKind
  readonly type: string | undefined
  readonly code: string | undefined

  constructor(kind: ErrorKind, message: string, options: ErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause })
    this.name = 'CloudError'
    this.kind = kind
    this.type = options.type
    this.code = options.code
  }
}

export const invalid = (message: string, options?: ErrorOptions) => new CloudError('invalid', message, options)
export const unauthenticated = (message: string, options?: ErrorOptions) => new CloudError('unauthenticated', message, options)
export const forbidden = (message: string, options?: ErrorOptions) => new CloudError('forbidden', message, options)
export const overQuota = (message: string, options?: ErrorOptions) => new CloudError('over-quota', message, options)
export const notFound = (message: string, options?: ErrorOptions) => new CloudError('not-found', message, options)
export const conflict = (message: string, options?: ErrorOptions) => new CloudError('conflict', message, options)
export const notImplemented = (message: string, options?: ErrorOptions) => new CloudError('not-implemented', message, options)
export const unavailable = (message: string, options?: ErrorOptions) => new CloudError('unavailable', message, options)

/** The text of anything thrown, for logs and for an error's own sentence. */
export const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error))
