/**
 * Multi-step work as a value: named steps, each with the way back.
 *
 * The laws (proved by `sagaLaws` in test/support): every `run` and `undo` may be repeated; an undo may find no output of
 * its own step, because the step was cut off before it could say; undoing what is undone is harmless.
 */

export type StepContext<Input, Outputs> = {
  readonly sagaId: number
  readonly key: string
  readonly input: Input
  /** The outputs of the steps that came before. */
  readonly outputs: Outputs
  /** 1 for the first try. */
  readonly attempt: number
  /** Outputs that this step had in earlier attempts, oldest first. */
  readonly earlier: readonly unknown[]
  readonly requestId: string | null
  /** Fires when this saga is superseded, or at shutdown. */
  readonly signal: AbortSignal
}

export type CommitContext<Input, Outputs> = StepContext<Input, Outputs> & {
  /** Another took this saga's place meanwhile; only a step that is {@link Step.oneWay} is committed then. */
  readonly isSuperseded: boolean
}

export type UndoContext<Input, Outputs, Output> = Omit<StepContext<Input, Outputs>, 'signal' | 'earlier'> & {
  readonly output: Output | undefined
}

export type Step<Input, Deps, Outputs, Output> = {
  /** Does the step; what it returns is kept as JSON. */
  run(context: StepContext<Input, Outputs>, deps: Deps): Promise<Output> | Output
  /** Runs in the transaction that logs the step as finished: a state change and its log row stand or fall together. */
  commit?(context: CommitContext<Input, Outputs>, output: Output, deps: Deps): void
  /** What it has done has no way back, and is recorded whoever took the saga's place; other steps turn back then. */
  readonly oneWay?: true
  undo?(context: UndoContext<Input, Partial<Outputs>, Output>, deps: Deps): Promise<void> | void
}

export type EndContext<Input> = {
  readonly sagaId: number
  readonly key: string
  readonly input: Input
  readonly attempt: number
  readonly requestId: string | null
  /** Another took this saga's place, and has what it worked on: this one lets it alone. */
  readonly isSuperseded: boolean
}

/** Thrown by a step: undo back to step `from`, that one included, and go on from there as the next attempt. */
export class RetryFrom extends Error {
  readonly from: string
  constructor(from: string, message: string, options?: { cause?: unknown }) {
    super(message, options)
    this.name = 'RetryFrom'
    this.from = from
  }
}

// biome-ignore lint/suspicious/noExplicitAny: steps of all types stand in one list
export type AnyStep = { name: string } & Step<any, any, any, any>

type Ends<Input, Deps> = {
  /** In the transaction that marks the saga done. */
  done?(context: EndContext<Input>, outputs: Record<string, unknown>, deps: Deps): void
  /** In the transaction that marks the saga undone; `error` is what made it turn back. */
  undone?(context: EndContext<Input>, error: Error, deps: Deps): void
  /** Tries allowed before {@link RetryFrom} counts as failure. */
  maxAttempts?(deps: Deps): number
}

export class SagaDefinition<Input, Deps, Outputs = Record<never, never>> {
  readonly name: string
  readonly steps: readonly AnyStep[]
  readonly ends: Ends<Input, Deps>

  constructor(name: string, steps: readonly AnyStep[] = [], ends: Ends<Input, Deps> = {}) {
    this.name = name
    this.steps = steps
    this.ends = ends
  }

  step<const Name extends string, Output>(
    name: Name,
    step: Step<Input, Deps, Outputs, Output>,
  ): SagaDefinition<Input, Deps, Outputs & { readonly [K in Name]: Output }> {
    return new SagaDefinition(this.name, [...this.steps, { name, ...step }], this.ends)
  }

  /** What else happens in the transaction of the end. */
  end(ends: Ends<Input, Deps>): SagaDefinition<Input, Deps, Outputs> {
    return new SagaDefinition(this.name, this.steps, ends)
  }
}

/** Begins a definition; the name carries a version (`build-server/1`), so that an upgrade finishes what the older one began. */
export const saga = <Input, Deps>(name: string): SagaDefinition<Input, Deps> => new SagaDefinition(name)
