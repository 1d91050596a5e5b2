/**
 * Drives one saga and writes its log. What a row says has happened has happened; what it does not say may have.
 *
 * A step's end and the next step's start share a transaction, so a saga of n steps costs n + 2 commits. A step that
 * started and never finished runs again after a restart.
 */
import type { Clock } from '../clock.ts'
import type { Database } from '../db/index.ts'
import { messageOf } from '../errors.ts'
import type { Log } from '../log.ts'
import type { Metrics } from '../metrics.ts'
import { turn } from '../turn.ts'
import { type AnyStep, RetryFrom, type SagaDefinition } from './saga.ts'
import type { SagaRow, SagaStore } from './store.ts'

export type SagaOutcome = { id: number; state: 'done' | 'undone' | 'stuck' | 'stopped'; error?: Error }

export type RunnerOptions = {
  db: Database
  clock: Clock
  log: Log
  metrics?: Metrics
  /** How long ended sagas are kept; a week when absent. */
  keepMs?: number
  /** Called after each log row is durable: where tests, and `[debug] crash_at`, cut the process off. */
  afterLog?: (entry: { saga: string; step: string; event: string; attempt: number }) => void
}

// biome-ignore lint/suspicious/noExplicitAny: definitions of all types stand in one register
export type Registered = { definition: SagaDefinition<any, any, any>; deps: unknown }

/** Why a saga was told to stop: another took its place, or the process ends (then it goes on after the next start). */
export class Superseded extends Error {}
export class Shutdown extends Error {}

const undoTries = 3

/** One saga on its way: forward until a step fails, then back. */
export class Drive {
  readonly #row: SagaRow
  readonly #signal: AbortSignal
  readonly #steps: readonly AnyStep[]
  readonly #registered: Registered
  readonly #store: SagaStore
  readonly #options: RunnerOptions
  readonly #stopping: () => boolean
  /** It was superseded in an earlier life of the process, which nobody knows how far the step that was under way had come in. */
  readonly #mayHaveBegun: boolean
  #attempt: number
  #outputs: Record<string, unknown> = {}
  #earlier: Record<string, unknown[]> = {}

  constructor(
    row: SagaRow,
    signal: AbortSignal,
    registered: Registered,
    store: SagaStore,
    options: RunnerOptions,
    stopping: () => boolean,
    mayHaveBegun: boolean,
  ) {
    this.#row = row
    this.#signal = signal
    this.#registered = registered
    this.#steps = registered.definition.steps
    this.#store = store
    this.#options = options
    this.#stopping = stopping
    this.#attempt = row.attempt
    this.#mayHaveBegun = mayHaveBegun
  }

  async run(): Promise<SagaOutcome> {
    const past = this.#store.history(this.#row.id, this.#attempt)
    this.#outputs = past.outputs
    this.#earlier = past.earlier
    if (this.#row.state === 'undoing' || this.#row.state === 'stuck') {
      const error = new Error(past.failure ?? this.#row.error ?? 'interrupted')
      return await this.#turnBack(error, past.retryFrom)
    }
    return await this.#forward()
  }

  async #forward(): Promise<SagaOutcome> {
    for (const [i, step] of this.#steps.entries()) {
      if (step.name in this.#outputs) continue
      await turn()
      if (this.#stopping()) return { id: this.#row.id, state: 'stopped' }
      try {
        if (this.#signal.aborted && !(step.oneWay && this.#mayHaveBegun)) throw this.#signal.reason
        const context = this.#context(step)
        const output = (await step.run(context, this.#registered.deps)) ?? null
        this.#finish(step, output, context, this.#steps[i + 1])
      } catch (error) {
        if (this.#signal.reason instanceof Shutdown) return { id: this.#row.id, state: 'stopped' }
        return await this.#failed(step, error instanceof Error ? error : new Error(String(error)))
      }
    }
    return { id: this.#row.id, state: 'done' }
  }

  /** The step's output, its own state change and what follows (the next step's start or the saga's end) in one commit. */
  #finish(step: AnyStep, output: unknown, context: object, next: AnyStep | undefined): void {
    const { db } = this.#options
    const { isSuperseded } = this.#row
    if (isSuperseded && !step.oneWay) throw new Superseded('superseded')
    db.transaction(() => {
      step.commit?.({ ...context, isSuperseded } as never, output, this.#registered.deps)
      this.#store.append(this.#row.id, this.#attempt, step.name, 'finished', output)
      if (next) this.#store.append(this.#row.id, this.#attempt, next.name, 'started')
      else {
        this.#store.setState(this.#row.id, 'done')
        this.#registered.definition.ends.done?.(this.#ended(), { ...this.#outputs, [step.name]: output }, this.#registered.deps)
      }
    })
    this.#outputs[step.name] = output
    this.#tell(step.name, 'finished')
    if (next) this.#tell(next.name, 'started')
  }

  async #failed(step: AnyStep, error: Error): Promise<SagaOutcome> {
    const { db, log } = this.#options
    const { ends } = this.#registered.definition
    const mayRetry = error instanceof RetryFrom && !this.#signal.aborted && this.#attempt < (ends.maxAttempts?.(this.#registered.deps) ?? 1)
    const retryFrom = mayRetry ? error.from : null
    log.warn(
      { saga: this.#row.name, key: this.#row.key, step: step.name, attempt: this.#attempt, retryFrom, err: error },
      'saga step failed',
    )
    db.transaction(() => {
      this.#store.append(this.#row.id, this.#attempt, step.name, 'failed', { message: error.message, retryFrom })
      this.#store.setState(this.#row.id, 'undoing', error.message)
    })
    this.#tell(step.name, 'failed')
    return await this.#turnBack(error, retryFrom)
  }

  async #turnBack(error: Error, retryFrom: string | null): Promise<SagaOutcome> {
    const lowest =
      retryFrom === null
        ? 0
        : Math.max(
            0,
            this.#steps.findIndex((step) => step.name === retryFrom),
          )
    const { started, undone } = this.#store.history(this.#row.id, this.#attempt)
    for (let i = this.#steps.length - 1; i >= lowest; i -= 1) {
      const step = this.#steps[i]!
      if (!started.has(step.name) || undone.has(step.name)) continue
      await turn()
      if (this.#stopping()) return { id: this.#row.id, state: 'stopped' }
      const failure = await this.#undo(step)
      if (failure) return this.#stopping() ? { id: this.#row.id, state: 'stopped' } : this.#stuck(step, failure)
    }
    if (retryFrom !== null) return await this.#again(retryFrom, lowest)
    const { db } = this.#options
    db.transaction(() => {
      this.#store.setState(this.#row.id, 'undone', error.message)
      this.#registered.definition.ends.undone?.(this.#ended(), error, this.#registered.deps)
    })
    return { id: this.#row.id, state: 'undone', error }
  }

  async #undo(step: AnyStep): Promise<Error | null> {
    const { clock, log } = this.#options
    for (let attempt = 1; ; attempt += 1) {
      try {
        const { signal: _signal, earlier: _earlier, ...rest } = this.#context(step)
        await step.undo?.({ ...rest, output: this.#outputs[step.name] }, this.#registered.deps)
        this.#store.append(this.#row.id, this.#attempt, step.name, 'undone')
        this.#tell(step.name, 'undone')
        return null
      } catch (error) {
        log.error({ saga: this.#row.name, key: this.#row.key, step: step.name, err: error }, `undo failed: ${messageOf(error)}`)
        if (attempt >= undoTries) return error instanceof Error ? error : new Error(String(error))
        await clock.sleep(100 * 2 ** attempt)
      }
    }
  }

  #stuck(step: AnyStep, error: Error): SagaOutcome {
    this.#options.db.transaction(() => {
      this.#store.append(this.#row.id, this.#attempt, step.name, 'undo-failed', { message: error.message })
      this.#store.setState(this.#row.id, 'stuck', `undo of ${step.name}: ${error.message}`)
    })
    return { id: this.#row.id, state: 'stuck', error }
  }

  /** The next attempt keeps the outputs of the steps before `from`. */
  async #again(from: string, lowest: number): Promise<SagaOutcome> {
    const kept = this.#steps.slice(0, lowest).map((step) => step.name)
    const before = this.#outputs
    this.#attempt += 1
    this.#options.db.transaction(() => {
      this.#store.beginAttempt(this.#row.id, this.#attempt)
      for (const name of kept) {
        this.#store.append(this.#row.id, this.#attempt, name, 'started')
        this.#store.append(this.#row.id, this.#attempt, name, 'finished', before[name])
      }
      this.#store.append(this.#row.id, this.#attempt, from, 'started')
    })
    this.#tell(from, 'started')
    const past = this.#store.history(this.#row.id, this.#attempt)
    this.#outputs = past.outputs
    this.#earlier = past.earlier
    return await this.#forward()
  }

  #context(step: AnyStep) {
    return { ...this.#end(), outputs: this.#outputs, earlier: this.#earlier[step.name] ?? [], signal: this.#signal }
  }

  #end() {
    return { sagaId: this.#row.id, key: this.#row.key, input: this.#row.input, attempt: this.#attempt, requestId: this.#row.requestId }
  }

  #ended() {
    return { ...this.#end(), isSuperseded: this.#row.isSuperseded }
  }

  #tell(step: string, event: string): void {
    this.#options.afterLog?.({ saga: this.#row.name, step, event, attempt: this.#attempt })
  }
}
