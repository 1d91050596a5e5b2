/** `minicloud manage`: nova-manage's commands, where they mean something here. */
import { existsSync, mkdirSync } from 'node:fs'
import { join } from 'node:path'
import Sqlite from 'better-sqlite3'
import { Database, schemaVersion } from '../base/db/index.ts'
import { loadSettings, type SettingsFlags } from './settings.ts'
import { CommandFailed, out, outJson, type Shell } from './shell.ts'

type Flags = SettingsFlags & { json?: boolean }

const databaseIn = (flags: Flags, shell: Shell): string => join(loadSettings(flags, shell).dataDir, 'minicloud.db')

/** Brings the database to this program's schema, making it if there is none. @throws {CloudError} when it is newer, or in use. */
export function syncDatabase(flags: Flags, shell: Shell): void {
  const { dataDir } = loadSettings(flags, shell)
  mkdirSync(dataDir, { recursive: true, mode: 0o700 })
  new Database({ file: join(dataDir, 'minicloud.db') })[Symbol.dispose]()
}

/** The number of the last migration applied; also while the cloud runs. @throws {CommandFailed} when there is no database. */
export function printDatabaseVersion(flags: Flags, shell: Shell): void {
  const file = databaseIn(flags, shell)
  if (!existsSync(file)) throw new CommandFailed(`there is no database ${file}: minicloud manage db sync makes one`)
  const sqlite = new Sqlite(file, { readonly: true })
  try {
    const version = schemaVersion(sqlite)
    if (flags.json) outJson({ version })
    else out(String(version))
  } finally {
    sqlite.close()
  }
}
