/**
 * What the commands work on: the data directory's database, also while a cloud runs on it. They write in short transactions, and let
 * others write between two of them.
 */
import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { type Clock, systemClock } from '../../base/clock.ts'
import type { Config } from '../../base/config/index.ts'
import { Database } from '../../base/db/index.ts'
import { loadSettings, type SettingsFlags } from '../settings.ts'
import { CommandFailed, type Shell } from '../shell.ts'

/** nova-manage's own options, which stand before or after the command. */
export type ManageFlags = SettingsFlags & { configFile?: string[]; configDir?: string[] }

export type Scope = Disposable & { db: Database; clock: Clock; config: Config; file: string }

const confFiles = (folder: string): string[] =>
  readdirSync(folder)
    .filter((name) => name.endsWith('.conf'))
    .sort()
    .map((name) => join(folder, name))

/** @throws {ConfigError} for files that cannot be used. */
export function settingsOf(flags: ManageFlags, shell: Shell): { config: Config; dataDir: string; files: string[]; file: string } {
  const given = [...(flags.config ?? []), ...(flags.configFile ?? []), ...(flags.configDir ?? []).flatMap(confFiles)]
  const { config, dataDir, files } = loadSettings({ ...flags, ...(given.length === 0 ? {} : { config: given }) }, shell)
  return { config, dataDir, files, file: join(dataDir, 'minicloud.db') }
}

/** @throws {CommandFailed} when there is no database; {@link CloudError} when its schema is not this program's. */
export function openScope(flags: ManageFlags, shell: Shell): Scope {
  const { config, file } = settingsOf(flags, shell)
  if (!existsSync(file)) throw new CommandFailed(`there is no database ${file}: minicloud manage db sync makes one`)
  const db = new Database({ file, beside: true })
  return { db, clock: systemClock(), config, file, [Symbol.dispose]: () => db[Symbol.dispose]() }
}

/** A positive whole number, or null. */
export const countIn = (text: string): number | null => (/^\s*\d{1,15}\s*$/.test(text) && Number(text) > 0 ? Number(text) : null)

/** Others wait for the database no longer than this work took. */
export const letOthersWrite = (tookMs: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, Math.max(2, tookMs)))
