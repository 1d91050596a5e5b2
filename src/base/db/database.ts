/**
 * The one SQLite file. better-sqlite3 is synchronous: a transaction never awaits, and statements are prepared once.
 *
 * `synchronous = FULL` where a real hypervisor is driven: what was acknowledged survives a power cut. `NORMAL` in a
 * sandbox. A second process that opens the same file is refused, for as long as the first one lives.
 *
 * @see https://www.sqlite.org/wal.html
 */
import { chmodSync, closeSync, openSync } from 'node:fs'
import type BetterSqlite3 from 'better-sqlite3'
import Sqlite from 'better-sqlite3'
import { LRUCache } from 'lru-cache'
import { CloudError, messageOf, unavailable } from '../errors.ts'
import { migrate, requireNewest } from './migrate.ts'
import { plannedOnce } from './plan-once.ts'
import { explainTrouble } from './trouble.ts'

export type Statement = BetterSqlite3.Statement<unknown[], unknown>

/** What SQL asks of a value by `answers(n, value)`; see {@link Database.answering}. */
export type Question = (value: string | number | null) => boolean

export type DatabaseOptions = {
  /** A path, or `:memory:`. */
  file: string
  synchronous?: 'FULL' | 'NORMAL' | 'OFF'
  /** For a moment beside the process that has the file: neither locks nor migrates, and waits for its turn to write. */
  beside?: boolean
  /** The native addon's path, when it does not lie where better-sqlite3 looks (the single executable). */
  nativeBinding?: string
}

const statementsKept = 1000

export class Database implements Disposable {
  readonly sqlite: BetterSqlite3.Database
  readonly #lock: BetterSqlite3.Database | undefined
  /** The SQL of a list varies with what is asked for. A statement that falls out lives on for whoever still holds it. */
  readonly #statements = new LRUCache<string, Statement>({ max: statementsKept })
  #afterCommit: (() => void)[] = []
  #questions: readonly Question[] = []
  readonly #watchers: ((value: string | number | null) => void)[] = []

  /**
   * Opens, locks and migrates; `beside` another process it only opens.
   * @throws {CloudError} `conflict` when another process has the file open, or, beside one, when its schema is not this program's; `unavailable` when the disk fails,
   * `invalid` when the file comes from a newer minicloud.
   */
  constructor({ file, synchronous = 'FULL', nativeBinding, beside = false }: DatabaseOptions) {
    const options = nativeBinding === undefined ? {} : { nativeBinding }
    const isFile = file !== ':memory:'
    if (isFile && !beside) this.#lock = lockFile(`${file}.lock`, options)
    try {
      if (isFile) keepPrivate(file)
      this.sqlite = new Sqlite(file, { ...options, timeout: beside ? patienceMs : busyTimeoutMs })
    } catch (error) {
      this.#lock?.close()
      throw explainTrouble(error)
    }
    try {
      // Before the first table only; later it changes nothing.
      this.sqlite.pragma('auto_vacuum = INCREMENTAL')
      this.sqlite.pragma('journal_mode = WAL')
      this.sqlite.pragma(`synchronous = ${synchronous}`)
      this.sqlite.pragma('foreign_keys = ON')
      this.sqlite.pragma('cache_size = -16000')
      this.sqlite.function('answers', (n: number, value: string | number | null) => Number(this.#questions[n]?.(value) ?? false))
      this.sqlite.function('row_written', (n: number, value: string | number | null) => void this.#watchers[n]?.(value))
      if (beside) requireNewest(this.sqlite)
      else migrate(this.sqlite)
    } catch (error) {
      this.sqlite.close()
      this.#lock?.close()
      throw explainTrouble(error)
    }
  }

  /** The prepared statement of this SQL, made once and planned once: for all values alike. */
  prepare<Row = unknown>(sql: string): BetterSqlite3.Statement<unknown[], Row> {
    let statement = this.#statements.get(sql)
    if (!statement) {
      statement = this.sqlite.prepare(plannedOnce(sql))
      this.#statements.set(sql, statement)
    }
    return statement as BetterSqlite3.Statement<unknown[], Row>
  }

  /**
   * Runs a query whose conditions `answers(n, value)` are the n-th question's. The database asks row by row, so that a query with a
   * limit ends as soon as it is full. @throws what a question throws.
   */
  answering<T>(questions: readonly Question[], query: () => T): T {
    this.#questions = questions
    try {
      return query()
    } finally {
      this.#questions = []
    }
  }

  /**
   * Calls whenever this connection writes a row of `table`, by whatever statement, with the value of its `column`. It is called in the
   * middle of the statement, whose transaction may yet be rolled back, and must not use the database.
   * @throws {Error} when there is no such table or column.
   */
  onWrite(table: string, column: string, call: (value: string | number | null) => void): void {
    const n = this.#watchers.push(call) - 1
    for (const [event, row] of [
      ['INSERT', 'NEW'],
      ['UPDATE', 'OLD'],
      ['DELETE', 'OLD'],
    ])
      this.sqlite.exec(
        `CREATE TEMP TRIGGER row_written_${n}_${event} AFTER ${event} ON main.${table} BEGIN SELECT row_written(${n}, ${row}.${column}); END`,
      )
  }

  /** A number that is another one after another connection, of this process or not, has written anything. */
  get othersWrote(): number {
    return this.prepare<{ data_version: number }>('PRAGMA data_version').get()?.data_version ?? 0
  }

  get inTransaction(): boolean {
    return this.sqlite.inTransaction
  }

  /**
   * Runs `work` in one transaction; inside another it joins that one, and a failure that the outer work catches undoes nothing.
   * @throws whatever `work` throws, after rolling back; SQLite's own trouble as {@link CloudError} `unavailable`.
   */
  transaction<T>(work: () => T): T {
    if (this.sqlite.inTransaction) return work()
    let result: T
    try {
      this.prepare('BEGIN IMMEDIATE').run()
      result = work()
      this.prepare('COMMIT').run()
    } catch (error) {
      this.#afterCommit = []
      if (this.sqlite.inTransaction) this.prepare('ROLLBACK').run()
      throw explainTrouble(error)
    }
    this.#callAfterCommit()
    return result
  }

  /**
   * Calls once the running transaction has committed, never if it rolls back; at once outside of one. One call that
   * throws keeps none of the others from running; `transaction` throws the first such error after all have run.
   */
  afterCommit(call: () => void): void {
    if (this.sqlite.inTransaction) this.#afterCommit.push(call)
    else call()
  }

  #callAfterCommit(): void {
    const calls = this.#afterCommit
    if (calls.length === 0) return
    this.#afterCommit = []
    const errors: unknown[] = []
    for (const call of calls) {
      try {
        call()
      } catch (error) {
        errors.push(error)
      }
    }
    if (errors.length > 0) throw errors[0]
  }

  [Symbol.dispose](): void {
    this.#statements.clear()
    this.sqlite.close()
    this.#lock?.close()
  }
}

/**
 * The file is its owner's alone, also where the directory is not; SQLite gives its WAL the same mode.
 * @throws {CloudError} `unavailable` when the file can be neither made nor opened.
 */
function keepPrivate(file: string): void {
  try {
    closeSync(openSync(file, 'a', 0o600))
    chmodSync(file, 0o600)
  } catch (error) {
    throw unavailable(`The database ${file} cannot be opened: ${messageOf(error)}`, { cause: error })
  }
}

/** How long a write waits for another connection, such as a person's `sqlite3`; the event loop stands still meanwhile. */
const busyTimeoutMs = 250
/** The same for a command of the operator, which holds up nobody. */
const patienceMs = 10_000

/** A SQLite file held in an exclusive transaction: the kernel lets go of it however the process ends. */
function lockFile(file: string, options: BetterSqlite3.Options): BetterSqlite3.Database {
  keepPrivate(file)
  const lock = new Sqlite(file, { ...options, timeout: 0 })
  try {
    lock.pragma('journal_mode = DELETE')
    lock.exec('BEGIN EXCLUSIVE')
    return lock
  } catch (error) {
    lock.close()
    if (!(error instanceof Sqlite.SqliteError && error.code.startsWith('SQLITE_BUSY'))) throw explainTrouble(error)
    throw new CloudError('conflict', `Another minicloud is using this data directory (${file} is locked).`, { cause: error })
  }
}
