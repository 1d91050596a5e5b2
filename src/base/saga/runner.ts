/**
 * Drives sagas and writes their log. What a row says has happened has happened; what it does not say may have.
 *
 * A step's end and the next step's start share a transaction, so a saga of n steps costs n + 2 commits. At start-up
 * `resume()` takes up all unfinished ones: a step that started and never finished runs again.
 */
import { type Clock, type Timer, timeText } from '../clock.ts'
import type { Database } from '../db/index.ts'
import { messageOf } from '../errors.ts'
import type { Log } from '../log.ts'
import type { Metrics } from '../metrics.ts'
import { type AnyStep, RetryFrom, type SagaDefinition } from './saga.ts'
import { type SagaRow, SagaStore } from './store.ts'

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

export type StartOptions = {
  key: string
  requestId?: string | null
  /** Aborts the unfinished sagas of the same key, which then undo themselves, and runs after them. */
  supersedes?: boolean
}

// biome-ignore lint/suspicious/noExplicitAny: definitions of all types stand in one register
type Registered = { definition: SagaDefinition<any, any, any>; deps: unknown }

/** Why a saga was told to stop: another took its place, or the process ends (then it goes on after the next start). */
class Superseded extends Error {}
class Shutdown extends Error {}

const undoTries = 3
const weekMs = 7 * 86_400_000
/** Sagas deleted in one transaction: some ten milliseconds of the event loop. */
const purgeBatch = 200
const purgeEveryMs = 3_600_000
/** While there is more to purge than one batch takes. */
const purgeAgainMs = 1000

export class SagaRunner {
  readonly #options: RunnerOptions
  readonly #store: SagaStore
  readonly #definitions = new Map<string, Registered>()
  /** The last saga of each key: the next one waits for it. */
  readonly #lanes = new Map<string, { tail: Promise<SagaOutcome>; abort: Set<AbortController> }>()
  readonly #running = new Set<Promise<SagaOutcome>>()
  /** Ids of the sagas that this process has in hand. */
  readonly #inHand = new Set<number>()
  #stopping = false
  #purging: Timer | undefined

  constructor(options: RunnerOptions) {
    this.#options = options
    this.#store = new SagaStore(options.db, options.clock)
  }

  /** Makes a definition known, with what its steps are given. @throws {Error} when it has no steps, or two of one name. */
  register<Input, Deps, Outputs>(definition: SagaDefinition<Input, Deps, Outputs>, deps: Deps): void {
    const names = new Set(definition.steps.map((step) => step.name))
    if (names.size === 0 || names.size < definition.steps.length) throw new Error(`${definition.name} has no steps, or two of one name`)
    this.#definitions.set(definition.name, { definition, deps })
  }

  /**
   * Writes the saga's row, in the caller's transaction if there is one, and sets it going once that has committed.
   * The answer resolves when the saga ends and never rejects; after a rollback nothing starts and it stays open.
   * @throws {CloudError} `unavailable` when the row cannot be written; {Error} when no such saga is registered.
   */
  start<Input>(
    definition: { name: string },
    input: Input,
    { key, requestId = null, supersedes = false }: StartOptions,
  ): Promise<SagaOutcome> {
    const { db } = this.#options
    const first = this.#definition(definition.name).definition.steps[0]
    const row = db.transaction(() => {
      const inserted = this.#store.insert({ name: definition.name, key, input, requestId })
      if (first) this.#store.append(inserted.id, 1, first.name, 'started')
      return inserted
    })
    return new Promise((resolve) => {
      db.afterCommit(() => {
        if (supersedes) for (const controller of this.#lanes.get(key)?.abort ?? []) controller.abort(new Superseded('superseded'))
        if (first) this.#options.afterLog?.({ saga: row.name, step: first.name, event: 'started', attempt: 1 })
        resolve(this.#enqueue(row))
      })
    })
  }

  /** Takes up every unfinished saga that is not in hand, and begins to purge; the answer tells how many were taken up. */
  resume(): number {
    const rows = this.#store.unfinished().filter((row) => !this.#inHand.has(row.id))
    const known = rows.filter((row) => this.#definitions.has(row.name))
    for (const row of known) void this.#enqueue(row)
    for (const { id, name, key } of rows.filter((row) => !known.includes(row)))
      this.#options.log.error({ saga: name, key, id }, 'no saga of this name is known: it stays unfinished')
    if (this.#purging === undefined) this.#purgeAfter(0)
    return known.length
  }

  /**
   * Deletes a bounded batch of the sagas that ended more than `olderThanMs` ago, with their log; tells how many.
   * Unfinished and stuck ones stay.
   * @throws {CloudError} `unavailable` when the database cannot be written.
   */
  purge(olderThanMs: number): number {
    return this.#store.deleteEnded(timeText(this.#options.clock.now() - olderThanMs), purgeBatch)
  }

  #purgeAfter(delayMs: number): void {
    const { clock, log, keepMs = weekMs } = this.#options
    this.#purging = clock.after(delayMs, () => {
      if (this.#stopping) return
      let purged = 0
      try {
        purged = this.purge(keepMs)
      } catch (error) {
        log.warn({ err: error }, 'ended sagas could not be purged')
      }
      this.#purgeAfter(purged === purgeBatch ? purgeAgainMs : purgeEveryMs)
    })
  }

  /** Whether a saga of this key is unfinished in this process. */
  busy(key: string): boolean {
    return this.#lanes.has(key)
  }

  /** Resolves when no saga runs or waits. */
  async settled(): Promise<void> {
    while (this.#running.size > 0) await Promise.allSettled([...this.#running])
  }

  /** Lets no further step or undo begin and waits for those that run, at most `graceMs`; the sagas go on at the next start. */
  async stop(graceMs = 10_000): Promise<void> {
    this.#stopping = true
    this.#purging?.cancel()
    for (const { abort } of this.#lanes.values()) for (const controller of abort) controller.abort(new Shutdown('shutting down'))
    const enough = new AbortController()
    await Promise.race([this.settled(), this.#options.clock.sleep(graceMs, enough.signal).catch(() => undefined)])
    enough.abort()
  }

  #definition(name: string): Registered {
    const found = this.#definitions.get(name)
    if (!found) throw new Error(`no saga ${name} is registered`)
    return found
  }

  #enqueue(row: SagaRow): Promise<SagaOutcome> {
    const controller = new AbortController()
    const lane = this.#lanes.get(row.key) ?? { tail: Promise.resolve<SagaOutcome>({ id: 0, state: 'done' }), abort: new Set() }
    this.#lanes.set(row.key, lane)
    lane.abort.add(controller)
    const work = lane.tail.then(() => this.#drive(row, controller.signal))
    lane.tail = work
    this.#running.add(work)
    this.#inHand.add(row.id)
    void work.finally(() => {
      this.#inHand.delete(row.id)
      lane.abort.delete(controller)
      this.#running.delete(work)
      if (lane.tail === work) this.#lanes.delete(row.key)
    })
    return work
  }

  async #drive(row: SagaRow, signal: AbortSignal): Promise<SagaOutcome> {
    const { log, metrics } = this.#options
    const outcome = await new Drive(row, signal, this.#definition(row.name), this.#store, this.#options, () => this.#stopping)
      .run()
      .catch((error: unknown): SagaOutcome => {
        log.error({ saga: row.name, key: row.key, err: error }, 'saga runner failed; the saga goes on at the next start')
        return { id: row.id, state: 'stopped', error: error instanceof Error ? error : new Error(String(error)) }
      })
    metrics?.sagas.inc({ saga: row.name, outcome: outcome.state })
    return outcome
  }
}

/** One saga on its way: forward until a step fails, then back. */
class Drive {
  readonly #row: SagaRow
  readonly #signal: AbortSignal
  readonly #steps: readonly AnyStep[]
  readonly #registered: Registered
  readonly #store: SagaStore
  readonly #options: RunnerOptions
  readonly #stopping: () => boolean
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
  ) {
    this.#row = row
    this.#signal = signal
    this.#registered = registered
    this.#steps = registered.definition.steps
    this.#store = store
    this.#options = options
    this.#stopping = stopping
    this.#attempt = row.attempt
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
      if (this.#stopping()) return { id: this.#row.id, state: 'stopped' }
      try {
        if (this.#signal.aborted) throw this.#signal.reason
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
    db.transaction(() => {
      step.commit?.(context as never, output, this.#registered.deps)
      this.#store.append(this.#row.id, this.#attempt, step.name, 'finished', output)
      if (next) this.#store.append(this.#row.id, this.#attempt, next.name, 'started')
      else {
        this.#store.setState(this.#row.id, 'done')
        this.#registered.definition.ends.done?.(this.#end(), { ...this.#outputs, [step.name]: output }, this.#registered.deps)
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
      if (this.#stopping()) return { id: this.#row.id, state: 'stopped' }
      const failure = await this.#undo(step)
      if (failure) return this.#stopping() ? { id: this.#row.id, state: 'stopped' } : this.#stuck(step, failure)
    }
    if (retryFrom !== null) return await this.#again(retryFrom, lowest)
    const { db } = this.#options
    db.transaction(() => {
      this.#store.setState(this.#row.id, 'undone', error.message)
      this.#registered.definition.ends.undone?.(this.#end(), error, this.#registered.deps)
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

  #tell(step: string, event: string): void {
    this.#options.afterLog?.({ saga: this.#row.name, step, event, attempt: this.#attempt })
  }
}
