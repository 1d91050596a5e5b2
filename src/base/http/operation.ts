/**
 * An operation of an API is a value. Router, policy test, API reference and coverage test are computed from the table of
 * them; see docs/adding-an-operation.md.
 */
import type { RequestContext } from './context.ts'
import type { Target } from './policy/index.ts'
import type { Parser } from './schema.ts'

export type Method = 'GET' | 'HEAD' | 'POST' | 'PUT' | 'PATCH' | 'DELETE'

export type Incoming<Body = unknown, Query = unknown> = {
  readonly context: RequestContext
  /** From the path: `{server_id}`. */
  readonly params: Readonly<Record<string, string>>
  readonly body: Body
  readonly query: Query
  /** The query as it stands, for filters that take any name. */
  readonly search: URLSearchParams
  /** Path below the service's mount, for links to this very page. */
  readonly path: string
  /** A request header by lower-case name. */
  readonly header: (name: string) => string | undefined
  /** The body as it comes, for operations with `stream: true`; read at most once. */
  readonly stream: () => AsyncIterable<Uint8Array>
  /** The body's length as the client declares it. */
  readonly contentLength: number | null
  /** Asks a further policy, about the operation's target unless the handler found another. @throws {CloudError} `forbidden`. */
  readonly enforce: (policy: string, target?: Target) => void
  readonly allows: (policy: string, target?: Target) => boolean
}

/** An answer that is not just the operation's status and a JSON body. */
export class Reply {
  readonly status: number | undefined
  readonly headers: Record<string, string>
  /** JSON, also as a {@link JsonPieces}, unless it is text, bytes or a stream of bytes. */
  readonly body: unknown
  constructor({ status, headers = {}, body }: { status?: number; headers?: Record<string, string>; body?: unknown }) {
    this.status = status
    this.headers = headers
    this.body = body
  }
}

/** A body that is sent as bytes come; `length` in bytes when known. */
export class ByteStream {
  readonly source: AsyncIterable<Uint8Array>
  readonly length: number | null
  constructor(source: AsyncIterable<Uint8Array>, length: number | null = null) {
    this.source = source
    this.length = length
  }
}

export type Operation<Deps, Body = undefined, Query = undefined, Out = unknown> = {
  readonly method: Method
  /** Below the service's mount; parameters in braces: `/servers/{server_id}`. */
  readonly path: string
  /** The body's single key, for `POST …/action`. */
  readonly action?: string
  /** First and last microversion that answers, inclusive. */
  readonly since?: string
  readonly until?: string
  /** The status of success, or by the version from which it holds: `{ '2.1': 200, '2.2': 201 }`. */
  readonly status: number | Readonly<Record<string, number>>
  /** Statuses of failure besides those possible everywhere (401, 406, 413, 415). */
  readonly errors?: readonly number[]
  /** `null`: any valid token. */
  readonly policy?: string | null
  /** Whose thing it is; by default the caller's project's. */
  readonly target?: (request: Incoming, deps: Deps) => Target
  /** `none`: answers without a token. */
  readonly auth?: 'required' | 'none'
  readonly body?: Parser<Body>
  readonly query?: Parser<Query>
  /** The handler reads the body itself. */
  readonly stream?: boolean
  /** Bytes; the service's limit when absent. */
  readonly bodyLimit?: number
  view?(thing: Out, context: RequestContext): unknown
  readonly handle: (request: Incoming<Body, Query>, deps: Deps) => Out | Reply | Promise<Out | Reply>
}

// biome-ignore lint/suspicious/noExplicitAny: operations of all types stand in one table
export type AnyOperation<Deps = any> = Operation<Deps, any, any, any>

/** Checks the types of an operation and gives it back. */
export const operation = <Deps, Body = undefined, Query = undefined, Out = unknown>(value: Operation<Deps, Body, Query, Out>) => value
