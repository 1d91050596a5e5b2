/** Rows of the saga log: written by appending, read to find out how far a saga came. */
import type { Clock } from '../clock.ts'
import type { Database } from '../db/index.ts'

export type SagaState = 'running' | 'undoing' | 'done' | 'undone' | 'stuck'
export type SagaEvent = 'started' | 'finished' | 'failed' | 'undone' | 'undo-failed'
export type SagaRow = {
  id: number
  name: string
  key: string
  state: SagaState
  attempt: number
  input: unknown
  error: string | null
  requestId: string | null
  isSuperseded: boolean
}

/** How far one attempt came. */
export type SagaHistory = {
  outputs: Record<string, unknown>
  /** Outputs by step of the attempts before, oldest first. */
  earlier: Record<string, unknown[]>
  started: Set<string>
  undone: Set<string>
  /** Where the attempt's failure asked to go on from, if it did. */
  retryFrom: string | null
  /** What made the attempt turn back, if it did. */
  failure: string | null
}

type LogRow = { attempt: number; step: string; event: SagaEvent; output: string | null }

export class SagaStore {
  readonly #db: Database
  readonly #clock: Clock

  constructor(db: Database, clock: Clock) {
    this.#db = db
    this.#clock = clock
  }

  insert({ name, key, input, requestId }: { name: string; key: string; input: unknown; requestId: string | null }): SagaRow {
    const text = JSON.stringify(input ?? null)
    const { lastInsertRowid } = this.#db
      .prepare(
        `INSERT INTO minicloud_sagas (created_at, name, key, state, attempt, input, request_id) VALUES (?, ?, ?, 'running', 1, ?, ?)`,
      )
      .run(this.#clock.text(), name, key, text, requestId)
    const id = Number(lastInsertRowid)
    return { id, name, key, state: 'running', attempt: 1, input: JSON.parse(text), error: null, requestId, isSuperseded: false }
  }

  append(sagaId: number, attempt: number, step: string, event: SagaEvent, output?: unknown): void {
    this.#db
      .prepare('INSERT INTO minicloud_saga_log (saga_id, attempt, step, event, output, created_at) VALUES (?, ?, ?, ?, ?, ?)')
      .run(sagaId, attempt, step, event, output === undefined ? null : JSON.stringify(output), this.#clock.text())
  }

  setState(sagaId: number, state: SagaState, error?: string): void {
    this.#db
      .prepare('UPDATE minicloud_sagas SET state = ?, error = coalesce(?, error), updated_at = ? WHERE id = ?')
      .run(state, error ?? null, this.#clock.text(), sagaId)
  }

  beginAttempt(sagaId: number, attempt: number): void {
    this.#db
      .prepare(`UPDATE minicloud_sagas SET state = 'running', attempt = ?, updated_at = ? WHERE id = ?`)
      .run(attempt, this.#clock.text(), sagaId)
  }

  /** Another takes the place of all that is unfinished on the key, be it in hand or stuck. */
  supersede(key: string): void {
    this.#db
      .prepare(`UPDATE minicloud_sagas SET superseded = 1 WHERE key = ? AND state IN ('running', 'undoing', 'stuck') AND superseded = 0`)
      .run(key)
  }

  /** What is to go on. A stuck saga whose place was taken is not: what it would undo may be another's by now. */
  unfinished(): SagaRow[] {
    return this.#db
      .prepare<Omit<SagaRow, 'input' | 'isSuperseded'> & { input: string; superseded: number }>(
        `SELECT id, name, key, state, attempt, input, error, request_id AS requestId, superseded FROM minicloud_sagas
         WHERE state IN ('running', 'undoing') OR (state = 'stuck' AND superseded = 0) ORDER BY id`,
      )
      .all()
      .map(({ superseded, ...row }) => ({ ...row, input: JSON.parse(row.input) as unknown, isSuperseded: superseded === 1 }))
  }

  /** Deletes at most `limit` sagas that ended before `text`, the oldest of each state first, with their log; tells how many. */
  deleteEnded(before: string, limit: number): number {
    const remove = this.#db.prepare(
      `DELETE FROM minicloud_sagas WHERE id IN (
        SELECT id FROM minicloud_sagas WHERE state = ? AND updated_at < ? ORDER BY updated_at LIMIT ?)`,
    )
    return this.#db.transaction(() => {
      const done = remove.run('done', before, limit).changes
      return done + (done < limit ? remove.run('undone', before, limit - done).changes : 0)
    })
  }

  history(sagaId: number, attempt: number): SagaHistory {
    const rows = this.#db
      .prepare<LogRow>('SELECT attempt, step, event, output FROM minicloud_saga_log WHERE saga_id = ? ORDER BY id')
      .all(sagaId)
    const found: SagaHistory = { outputs: {}, earlier: {}, started: new Set(), undone: new Set(), retryFrom: null, failure: null }
    for (const row of rows) {
      const output: unknown = row.output === null ? null : JSON.parse(row.output)
      if (row.event === 'finished' && row.attempt < attempt) {
        found.earlier[row.step] ??= []
        found.earlier[row.step]?.push(output)
      }
      if (row.attempt !== attempt) continue
      if (row.event === 'started') found.started.add(row.step)
      if (row.event === 'finished') found.outputs[row.step] = output
      if (row.event === 'undone') found.undone.add(row.step)
      if (row.event === 'failed') {
        const { message, retryFrom } = output as { message: string; retryFrom: string | null }
        found.retryFrom = retryFrom
        found.failure = message
      }
    }
    return found
  }
}
