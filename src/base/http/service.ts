/** A service as the HTTP server sees it: its operations, dialect and policies. */
import type { Dialect } from './faults.ts'
import type { Microversions } from './microversion.ts'
import type { AnyOperation } from './operation.ts'
import type { Policies, Scope } from './policy/index.ts'

export type Service<Deps = unknown> = {
  /** `compute`, `identity` …: in metrics, logs and request-id headers. */
  readonly name: string
  readonly dialect: Dialect
  readonly operations: readonly AnyOperation<Deps>[]
  readonly deps: Deps
  readonly policies?: Policies
  /** Tokens of which scopes may pass its policies; all when absent. */
  readonly scopes?: readonly Scope[]
  /** The rule that says who is an administrator here; `context_is_admin` when absent. */
  readonly adminRule?: string
  readonly microversions?: Microversions
  /**
   * The version in which a service without microversions answers its operations: it reads and sends no version headers, and
   * its bodies may have keys that nothing knows.
   */
  readonly frozenAt?: string
  /** `false`: its answers carry no request id. */
  readonly tellsRequestId?: boolean
  /** Its root is at a slash: whoever asks for it without one is sent on. */
  readonly rootHasSlash?: boolean
  /** `false`: a path with a slash at its end is another one, which is not there. */
  readonly toleratesSlash?: boolean
  /** Paths may begin with the caller's project id, as compute's older form has it. */
  readonly projectInPath?: boolean
  /** `false`: HEAD is the other form of GET only where nobody needs a token. */
  readonly answersHead?: boolean
  /** Bytes; 112 KiB when absent, OpenStack's own limit. */
  readonly bodyLimit?: number
  /** Bodies of another media type than JSON are refused with 415. */
  readonly jsonOnly?: boolean
}

/** Where a service answers: `/compute/v2.1`, or empty for the root. */
export type Mount = { readonly prefix: string; readonly service: Service }

// biome-ignore lint/suspicious/noExplicitAny: a mount does not care what a service's handlers are given
export const mount = (prefix: string, service: Service<any>): Mount => ({ prefix, service })
