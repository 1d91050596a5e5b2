/**
 * Numbered, forward-only migrations, each in one transaction. `PRAGMA user_version` holds the number of the last one
 * applied; a file with a higher number than the newest known comes from a newer minicloud and is refused.
 */
import type BetterSqlite3 from 'better-sqlite3'
import { listAssets, readAsset } from '../assets.ts'
import { CloudError } from '../errors.ts'

export type Migration = { version: number; name: string; sql: string }

/** `migrations/0001_initial.sql` and so on, in order. */
export function migrations(): Migration[] {
  return listAssets('migrations/')
    .filter((name) => name.endsWith('.sql'))
    .map((name) => ({ version: Number.parseInt(name.slice('migrations/'.length), 10), name, sql: readAsset(name).toString('utf8') }))
}

/** The number of the last migration applied; 0 for an empty file. */
export const schemaVersion = (sqlite: BetterSqlite3.Database): number => sqlite.pragma('user_version', { simple: true }) as number

/**
 * Brings the file to the newest version, one transaction a step: what fails leaves the version before it.
 * @throws {CloudError} `invalid` when the file is newer than this program; SQLite's error when a step fails.
 */
export function migrate(sqlite: BetterSqlite3.Database, known: readonly Migration[] = migrations()): void {
  const current = schemaVersion(sqlite)
  const newest = known.at(-1)?.version ?? 0
  if (current > newest) {
    throw new CloudError(
      'invalid',
      `The database has schema version ${current}, this minicloud knows up to ${newest}: start a newer minicloud.`,
    )
  }
  for (const { version, sql } of known.filter((migration) => migration.version > current)) {
    sqlite.transaction(() => {
      sqlite.exec(sql)
      sqlite.pragma(`user_version = ${version}`)
    })()
  }
}

/** @throws {CloudError} `conflict` when the file's schema is not this program's. */
export function requireNewest(sqlite: BetterSqlite3.Database): void {
  const newest = migrations().at(-1)?.version ?? 0
  const current = schemaVersion(sqlite)
  if (current !== newest)
    throw new CloudError('conflict', `The database has schema version ${current}, this minicloud needs ${newest}: minicloud manage db sync`)
}
