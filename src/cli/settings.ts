/** From flags, environment and files to the configuration and the data directory. */
import { existsSync } from 'node:fs'
import { homedir } from 'node:os'
import { join, resolve } from 'node:path'
import { type Config, loadConfig } from '../base/config/index.ts'
import { processConfig, sections } from '../config.ts'
import type { Shell } from './shell.ts'

export type SettingsFlags = { config?: string[]; dataDir?: string; host?: string; port?: string; driver?: string; networkDriver?: string }
export type Settings = { config: Config; dataDir: string; files: string[] }

/**
 * Without `--config`, `minicloud.conf` in the data directory is read if it is there; it may not move that directory.
 * @throws {ConfigError}
 */
export function loadSettings(flags: SettingsFlags, { env }: Pick<Shell, 'env'>): Settings {
  const given = {
    'minicloud.data_dir': flags.dataDir,
    'minicloud.host': flags.host,
    'minicloud.port': flags.port,
    'minicloud.driver': flags.driver,
    'minicloud.network_driver': flags.networkDriver,
  }
  const files = flags.config ?? []
  const config = loadConfig(sections, { files, env, flags: given })
  const dataDir = resolve(config.get(processConfig).dataDir || defaultDataDir(env))
  const own = join(dataDir, 'minicloud.conf')
  if (files.length > 0 || !existsSync(own)) return { config, dataDir, files }
  return { config: loadConfig(sections, { files: [own], env, flags: { ...given, 'minicloud.data_dir': dataDir } }), dataDir, files: [own] }
}

function defaultDataDir(env: Shell['env']): string {
  if (process.getuid?.() === 0) return '/var/lib/minicloud'
  return join(env.XDG_DATA_HOME || join(homedir(), '.local', 'share'), 'minicloud')
}
