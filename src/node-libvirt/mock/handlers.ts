/** How handlers of the mock daemon's calls look. */

import type { ProcedureName, Procedures } from '../procedures.ts'
import type { Procedure } from '../protocol.ts'
import type { MockState } from './state.ts'

type Args<N extends ProcedureName> = Procedures[N] extends Procedure<infer A, infer _R> ? A : never
type Result<N extends ProcedureName> = Procedures[N] extends Procedure<infer _A, infer R> ? R : never

/** The daemon's end of a stream. */
export type ServerStream = {
  send: (data: Uint8Array) => void
  /** Says that no more comes. */
  end: () => void
  fail: (error: Error) => void
  onData: (listener: (data: Buffer) => void) => void
  /** The client has sent all; what is thrown here is what the client hears. */
  onFinish: (listener: () => void) => void
}

export type CallContext = {
  state: MockState
  /** Opens the call's stream, once the answer is out. */
  stream: (run: (stream: ServerStream) => void) => void
  /** Starts sending events of a kind to this client. */
  registerEvent: (event: number) => number
  deregisterEvent: (callback: number) => void
}

export type Handlers = { [N in ProcedureName]?: (args: Args<N>, context: CallContext) => Result<N> | Promise<Result<N>> }
export type AnyHandler = (args: unknown, context: CallContext) => unknown
