/** `minicloud reset`: removes the cloud from this machine: guests, bridges, rules, and the data directory. Nothing else. */
import { existsSync, readdirSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { createInterface } from 'node:readline/promises'
import { systemClock } from '../base/clock.ts'
import { loadConfig } from '../base/config/index.ts'
import { Database } from '../base/db/index.ts'
import { CloudError } from '../base/errors.ts'
import { makeLog } from '../base/log.ts'
import { sections } from '../config.ts'
import { credentialsOf } from '../credentials.ts'
import { chooseDrivers } from '../drivers.ts'
import { loadSettings, type Settings, type SettingsFlags } from './settings.ts'
import { CommandFailed, out, type Shell } from './shell.ts'

/** @throws {CommandFailed} when it is no cloud's directory, in use, or not confirmed. */
export async function reset(flags: SettingsFlags & { yes?: boolean }, shell: Shell): Promise<void> {
  const settings = loadSettings(flags, shell)
  const { dataDir } = settings
  const database = join(dataDir, 'minicloud.db')
  if (!existsSync(join(dataDir, 'credentials.json')))
    throw new CommandFailed(`${dataDir} is no cloud's data directory; nothing was removed`)
  if (!flags.yes) await confirm(`All of the cloud in ${dataDir} will be gone: guests, images, users. Go on? [y/N] `)
  using _lock = existsSync(database) ? lock(database) : undefined
  await clearHost(settings, shell)
  await rm(dataDir, { recursive: true, force: true })
  out(`${dataDir} and what it had on this machine are gone.`)
}

async function confirm(question: string): Promise<void> {
  if (!process.stdin.isTTY) throw new CommandFailed('reset asks before it removes anything: add --yes')
  const terminal = createInterface({ input: process.stdin, output: process.stdout })
  const answer = await terminal.question(question)
  terminal.close()
  if (!/^y(es)?$/i.test(answer.trim())) throw new CommandFailed('nothing was removed')
}

/** A database that is too new or broken can be removed all the same; one that is in use cannot. */
function lock(file: string): Disposable | undefined {
  try {
    return new Database({ file })
  } catch (error) {
    if (error instanceof CloudError && error.kind === 'conflict') throw new CommandFailed(`${error.message} Stop it first.`)
    return undefined
  }
}

/** Guests first, then the network that they are plugged into. A cloud of pretended guests has nothing on the host. */
async function clearHost({ config, dataDir, files }: Settings, shell: Shell): Promise<void> {
  const instances = join(dataDir, 'instances')
  const wasReal = existsSync(instances)
  const hasGuests = wasReal && readdirSync(instances).length > 0
  const flags = { 'minicloud.driver': hasGuests ? 'libvirt' : 'fake', ...(wasReal ? { 'minicloud.network_driver': 'linux' } : {}) }
  const credentials = credentialsOf(dataDir, config)
  const choice = await chooseDrivers({
    config: loadConfig(sections, { files, env: shell.env, flags }),
    log: makeLog({ level: 'warn' }),
    clock: systemClock(),
    dataDir,
    credentials,
    childCommand: [...shell.self, 'internal-listen'],
  })
  try {
    for (const driver of choice.makeComputeDrivers()) {
      await using host = driver
      for (const { uuid, name } of await host.list()) {
        out(`removing the guest ${name}`)
        await host.destroy(uuid)
      }
    }
    await choice.network.converge({ networks: [], routers: [], external: null })
  } finally {
    await choice.network.close()
  }
  await rm(join('/run/minicloud', credentials.prefix), { recursive: true, force: true })
}
