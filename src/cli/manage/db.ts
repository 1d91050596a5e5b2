/** `manage db` and `manage api_db`: Nova's two databases, which are one file here. */
import { existsSync, mkdirSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import Sqlite from 'better-sqlite3'
import { timeText } from '../../base/clock.ts'
import { Database, migrations, schemaVersion } from '../../base/db/index.ts'
import { CloudError } from '../../base/errors.ts'
import { CommandFailed, out, outJson, type Shell } from '../shell.ts'
import { archive, type Counts, purge } from './archive.ts'
import { countIn, type ManageFlags, openScope, type Scope, settingsOf } from './scope.ts'
import { pairs, table } from './table.ts'

/** Where Nova's own limit of rows at once is. */
const mostRows = 0x7fff_ffff

/**
 * Brings the database to this program's schema, making it if there is none. Beside a running cloud there is nothing to do: it did so.
 * @throws {CommandFailed} for another version than the newest; {@link CloudError} when the file is newer, or the disk fails.
 */
export function syncDatabase(flags: ManageFlags, shell: Shell, version?: string): number {
  const newest = migrations().at(-1)?.version ?? 0
  if (version !== undefined && version !== String(newest))
    throw new CommandFailed(`the schema goes forward only, to version ${newest}: there is no way to ${version}`)
  const { dataDir, file } = settingsOf(flags, shell)
  mkdirSync(dataDir, { recursive: true, mode: 0o700 })
  try {
    new Database({ file })[Symbol.dispose]()
  } catch (error) {
    if (!(error instanceof CloudError && error.kind === 'conflict' && existsSync(file))) throw error
    new Database({ file, beside: true })[Symbol.dispose]()
  }
  return 0
}

/** The number of the last migration applied; also while the cloud runs. @throws {CommandFailed} when there is no database. */
export function printDatabaseVersion(flags: ManageFlags & { json?: boolean }, shell: Shell): number {
  const { file } = settingsOf(flags, shell)
  if (!existsSync(file)) throw new CommandFailed(`there is no database ${file}: minicloud manage db sync makes one`)
  const sqlite = new Sqlite(file, { readonly: true })
  try {
    const version = schemaVersion(sqlite)
    if (flags.json) outJson({ version })
    else out(String(version))
  } finally {
    sqlite.close()
  }
  return 0
}

/** As the database writes times; null for what is no date. A day alone begins at midnight, UTC. */
export function dateIn(text: string): string | null {
  const given = text.trim()
  const hasZone = /(Z|UTC|GMT|[+-]\d\d:?\d\d)$/i.test(given)
  const ms = /^\d{4}-\d\d-\d\d$/.test(given) || hasZone ? Date.parse(given) : Date.parse(`${given} UTC`)
  return Number.isNaN(ms) ? null : timeText(ms)
}

type ArchiveFlags = ManageFlags & {
  max_rows?: string
  before?: string
  verbose?: boolean
  untilComplete?: boolean
  purge?: boolean
  allCells?: boolean
  taskLog?: boolean
  sleep?: string
}

/** @returns nova-manage's exit code: 0 nothing to archive, 1 rows were archived, 2 and 4 for bad values. */
export async function archiveDeletedRows(flags: ArchiveFlags, shell: Shell): Promise<number> {
  const maxRows = countIn(flags.max_rows ?? '1000')
  if (maxRows === null) return failed('Must supply a positive value for max_rows', 2)
  if (maxRows > mostRows) return failed(`max rows must be <= ${mostRows}`, 2)
  const before = flags.before === undefined ? null : dateIn(flags.before)
  if (flags.before !== undefined && before === null) return failed(`Invalid value for --before: ${flags.before}`, 4)
  const pause = Number(flags.sleep ?? 0)
  if (!(pause >= 0 && pause <= 86_400)) return failed(`--sleep takes seconds, not ${flags.sleep}`, 2)

  using scope = openScope(flags, shell)
  const counts: Counts = new Map()
  const options = { maxRows, before, taskLog: flags.taskLog ?? false }
  const shows = flags.verbose && flags.untilComplete
  if (shows) process.stdout.write('Archiving..')
  while ((await archive(scope.db, options, counts)) > 0 && flags.untilComplete) {
    if (shows) process.stdout.write('.')
    if (pause > 0) await sleep(pause * 1000)
  }
  if (shows) out('.complete')
  if (flags.verbose) reportArchived(counts, flags.allCells ?? false)
  if (counts.size === 0) return 0
  if (flags.purge) {
    if (flags.verbose) out('Rows were archived, running purge...')
    await purgeIn(scope, null, flags)
  }
  return 1
}

/** All rows of servers are in the one cell; what is of the API database says so itself. */
function reportArchived(counts: Counts, allCells: boolean): void {
  if (counts.size === 0) {
    out('Nothing was archived.')
    return
  }
  const named = [...counts].map(([name, rows]) => [allCells && !name.includes('.') ? `cell1.${name}` : name, rows] as const)
  out(
    pairs(
      'Table',
      'Number of Rows Archived',
      named.sort(([a], [b]) => (a < b ? -1 : 1)),
    ),
  )
}

type PurgeFlags = ManageFlags & { all?: boolean; before?: string; verbose?: boolean; allCells?: boolean }

/** @returns 0 purged, 1 arguments missing, 2 bad date, 3 nothing was there. */
export async function purgeShadows(flags: PurgeFlags, shell: Shell): Promise<number> {
  if (flags.before === undefined && !flags.all) return failed('Either --before or --all is required', 1)
  const before = flags.before === undefined ? null : dateIn(flags.before)
  if (flags.before !== undefined && before === null) return failed(`Invalid value for --before: ${flags.before}`, 2)
  using scope = openScope(flags, shell)
  return (await purgeIn(scope, before, flags)) > 0 ? 0 : 3
}

const purgeIn = (scope: Scope, before: string | null, { verbose, allCells }: PurgeFlags): Promise<number> =>
  purge(scope.db, before, (line) => {
    if (verbose) out(`${allCells ? 'Cell cell1' : 'DB'}: ${line}`)
  })

/** Data follows the schema at once here, so nothing is ever left to do. @returns 0; 127 for a bad count. */
export function migrateData(flags: ManageFlags & { maxCount?: string }, shell: Shell): number {
  if (flags.maxCount !== undefined && countIn(flags.maxCount) === null) return failed('Must supply a positive value for max_number', 127)
  using _scope = openScope(flags, shell)
  if (flags.maxCount === undefined) out('Running batches of 50 until complete')
  out(table(['Migration', 'Total Needed', 'Completed'], []))
  return 0
}

/** Says why, and with which exit code. */
export function failed(line: string, code: number): number {
  out(line)
  return code
}
