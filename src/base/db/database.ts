/**
 * The one SQLite file. better-sqlite3 is synchronous: a transaction never awaits, and statements are prepared once.
 *
 * `synchronous = FULL` where a real hypervisor is driven: what was acknowledged survives a power cut. `NORMAL` in a
 * sandbox. A second process that opens the same file is refused, for as long as the first one lives.
 *
 * @see https://www.sqlite.org/wal.html
 */
import { chmodSync, closeSync, existsSync, openSync } from 'node:fs'
import type BetterSqlite3 from 'better-sqlite3'
import Sqlite from 'better-sqlite3'
import { type BetterSQLite3Database, drizzle } from 'drizzle-orm/better-sqlite3'
import { CloudError, messageOf, unavailable } from '../errors.ts'
import { migrate } from './migrate.ts'

export type Statement = BetterSqlite3.Statement<unknown[], unknown>

export type DatabaseOptions = {
  /** A path, or `:memory:`. */
  file: string
  synchronous?: 'FULL' | 'NORMAL' | 'OFF'
  /** The native addon's path, when it does not lie where better-sqlite3 looks (the single executable). */
  nativeBinding?: string
}

/** SQLite's result codes that mean the machine, not the request, is at fault. */
const remedies: Record<string, string> = {
  SQLITE_FULL: 'The disk that holds the database is full.',
  SQLITE_BUSY: 'The database is locked by another program; try again.',
  SQLITE_READONLY: 'The database cannot be written.',
  SQLITE_IOERR: 'The disk that holds the database reports an error.',
}

/** Turns SQLite's own trouble into 503; anything else passes as it is. */
function explain(error: unknown): unknown {
  const code = error instanceof Sqlite.SqliteError ? Object.keys(remedies).find((name) => error.code.startsWith(name)) : undefined
  return code === undefined ? error : unavailable(remedies[code] ?? messageOf(error), { cause: error })
}

export class Database implements Disposable {
  readonly sqlite: BetterSqlite3.Database
  /** Drizzle over the same connection, for queries that need no tuning. */
  readonly orm: BetterSQLite3Database
  readonly #lock: BetterSqlite3.Database | undefined
  readonly #statements = new Map<string, Statement>()
  #afterCommit: (() => void)[] = []

  /**
   * Opens, locks and migrates.
   * @throws {CloudError} `conflict` when another process has the file open, `unavailable` when the disk fails,
   * `invalid` when the file comes from a newer minicloud.
   */
  constructor({ file, synchronous = 'FULL', nativeBinding }: DatabaseOptions) {
    const options = nativeBinding === undefined ? {} : { nativeBinding }
    const isFile = file !== ':memory:'
    if (isFile) this.#lock = lockFile(`${file}.lock`, options)
    try {
      const isNew = !isFile || !existsSync(file)
      if (isFile) keepPrivate(file)
      this.sqlite = new Sqlite(file, { ...options, timeout: 250 })
      if (isNew) this.sqlite.pragma('auto_vacuum = INCREMENTAL')
      this.sqlite.pragma('journal_mode = WAL')
      this.sqlite.pragma(`synchronous = ${synchronous}`)
      this.sqlite.pragma('foreign_keys = ON')
      this.sqlite.pragma('cache_size = -16000')
      this.orm = drizzle(this.sqlite)
      migrate(this.sqlite)
    } catch (error) {
      this.#lock?.close()
      throw explain(error)
    }
  }

  /** The prepared statement of this SQL, made once. */
  prepare<Row = unknown>(sql: string): BetterSqlite3.Statement<unknown[], Row> {
    let statement = this.#statements.get(sql)
    if (!statement) {
      statement = this.sqlite.prepare(sql)
      this.#statements.set(sql, statement)
    }
    return statement as BetterSqlite3.Statement<unknown[], Row>
  }

  /**
   * Runs `work` in one transaction; inside another it joins that one.
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
      throw explain(error)
    }
    const calls = this.#afterCommit
    this.#afterCommit = []
    for (const call of calls) call()
    return result
  }

  /** Calls once the running transaction has committed, never if it rolls back; at once outside of one. */
  afterCommit(call: () => void): void {
    if (this.sqlite.inTransaction) this.#afterCommit.push(call)
    else call()
  }

  [Symbol.dispose](): void {
    this.#statements.clear()
    this.sqlite.close()
    this.#lock?.close()
  }
}

/** The file is its owner's alone, also where the directory is not; SQLite gives its WAL the same mode. */
function keepPrivate(file: string): void {
  closeSync(openSync(file, 'a', 0o600))
  chmodSync(file, 0o600)
}

/** A SQLite file held in an exclusive transaction: the kernel lets go of it however the process ends. */
function lockFile(file: string, options: BetterSqlite3.Options): BetterSqlite3.Database {
  const lock = new Sqlite(file, { ...options, timeout: 0 })
  try {
    lock.pragma('journal_mode = DELETE')
    lock.exec('BEGIN EXCLUSIVE')
    return lock
  } catch (error) {
    lock.close()
    throw new CloudError('conflict', `Another minicloud is using this data directory (${file} is locked).`, { cause: error })
  }
}
