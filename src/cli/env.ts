/** `minicloud env`: what a shell needs for the `openstack` command to find this cloud. */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { loadSettings, type SettingsFlags } from './settings.ts'
import { CommandFailed, out, outJson, type Shell, shellQuoted } from './shell.ts'

/** @throws {CommandFailed} when no cloud ever ran in this data directory. */
export function printEnv(flags: SettingsFlags & { json?: boolean }, shell: Shell): void {
  const file = join(loadSettings(flags, shell).dataDir, 'clouds.yaml')
  if (!existsSync(file)) throw new CommandFailed(`there is no ${file}: start the cloud first (minicloud serve), or name its --data-dir`)
  const exported = { OS_CLIENT_CONFIG_FILE: file, OS_CLOUD: 'minicloud' }
  if (flags.json) outJson(exported)
  else for (const [name, value] of Object.entries(exported)) out(`export ${name}=${shellQuoted(value)}`)
}
