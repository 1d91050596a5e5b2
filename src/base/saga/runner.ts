/**
 * Starts sagas, one after the other where they share a key, takes up the unfinished ones at start-up and purges those
 * that ended. How one saga runs is in `drive.ts`.
 */
import { type Timer, timeText } from '../clock.ts'
import { Drive, type Registered, type RunnerOptions, type SagaOutcome, Shutdown, Superseded } from './drive.ts'
import type { SagaDefinition } from './saga.ts'
import { type SagaRow, SagaStore } from './store.ts'

export type StartOptions = {
  key: string
  requestId?: string | null
}

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
  readonly #lanes = new Map<string, { tail: Promise<SagaOutcome>; work: Map<SagaRow, AbortController> }>()
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
  start<Input>(definition: { name: string }, input: Input, { key, requestId = null }: StartOptions): Promise<SagaOutcome> {
    const { db } = this.#options
    const first = this.#definition(definition.name).definition.steps[0]
    const row = db.transaction(() => {
      const inserted = this.#store.insert({ name: definition.name, key, input, requestId })
      if (first) this.#store.append(inserted.id, 1, first.name, 'started')
      return inserted
    })
    return new Promise((resolve) => {
      db.afterCommit(() => {
        if (first) this.#options.afterLog?.({ saga: row.name, step: first.name, event: 'started', attempt: 1 })
        resolve(this.#enqueue(row))
      })
    })
  }

  /**
   * Takes what the unfinished sagas of a key work on out of their hands, in the caller's transaction: when that has committed they are
   * aborted, and undo themselves. What is started on the key afterwards runs after them.
   * @throws {CloudError} `unavailable` when that cannot be written.
   */
  supersede(key: string): void {
    this.#store.supersede(key)
    this.#options.db.afterCommit(() => {
      for (const [row, controller] of this.#lanes.get(key)?.work ?? []) {
        row.isSuperseded = true
        controller.abort(new Superseded('superseded'))
      }
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

  /** The keys of which a saga is unfinished in this process. */
  busyKeys(): string[] {
    return [...this.#lanes.keys()]
  }

  /** The requests that unfinished sagas of this process work on. */
  busyRequests(): string[] {
    return [...this.#lanes.values()].flatMap(({ work }) => [...work.keys()].flatMap(({ requestId }) => requestId ?? []))
  }

  /** Resolves when no saga of this key runs or waits. */
  async idle(key: string): Promise<void> {
    for (let lane = this.#lanes.get(key); lane; lane = this.#lanes.get(key)) await lane.tail
  }

  /** Resolves when no saga runs or waits. */
  async settled(): Promise<void> {
    while (this.#running.size > 0) await Promise.allSettled([...this.#running])
  }

  /** Lets no further step or undo begin and waits for those that run, at most `graceMs`; the sagas go on at the next start. */
  async stop(graceMs = 10_000): Promise<void> {
    this.#stopping = true
    this.#purging?.cancel()
    for (const { work } of this.#lanes.values()) for (const controller of work.values()) controller.abort(new Shutdown('shutting down'))
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
    const wasSuperseded = row.isSuperseded
    if (wasSuperseded) controller.abort(new Superseded('superseded'))
    const lane = this.#lanes.get(row.key) ?? { tail: Promise.resolve<SagaOutcome>({ id: 0, state: 'done' }), work: new Map() }
    this.#lanes.set(row.key, lane)
    lane.work.set(row, controller)
    const work = lane.tail.then(() => this.#drive(row, controller.signal, wasSuperseded))
    lane.tail = work
    this.#running.add(work)
    this.#inHand.add(row.id)
    void work.finally(() => {
      this.#inHand.delete(row.id)
      lane.work.delete(row)
      this.#running.delete(work)
      if (lane.tail === work) this.#lanes.delete(row.key)
    })
    return work
  }

  async #drive(row: SagaRow, signal: AbortSignal, wasSuperseded: boolean): Promise<SagaOutcome> {
    const { log, metrics } = this.#options
    const outcome = await new Drive(
      row,
      signal,
      this.#definition(row.name),
      this.#store,
      this.#options,
      () => this.#stopping,
      wasSuperseded,
    )
      .run()
      .catch((error: unknown): SagaOutcome => {
        log.error({ saga: row.name, key: row.key, err: error }, 'saga runner failed; the saga goes on at the next start')
        return { id: row.id, state: 'stopped', error: error instanceof Error ? error : new Error(String(error)) }
      })
    metrics?.sagas.inc({ saga: row.name, outcome: outcome.state })
    return outcome
  }
}
