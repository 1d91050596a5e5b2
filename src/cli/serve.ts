/** `minicloud serve`: runs the cloud until a signal ends it. Guests go on running. */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import type { Config } from '../base/config/index.ts'
import { messageOf } from '../base/errors.ts'
import { makeLog } from '../base/log.ts'
import type { Cloud } from '../cloud.ts'
import { processConfig } from '../config.ts'
import { cloudsYaml, credentialsOf, openrc, writeSecret } from '../credentials.ts'
import { makePasswords, type Passwords } from '../identity/passwords.ts'
import { loadSettings, type SettingsFlags } from './settings.ts'
import { err, isExpected, out, paint, type Shell, shellQuoted } from './shell.ts'

export type ServeFlags = SettingsFlags & { readyFile?: string; seed: boolean; json?: boolean }

/** What a program that starts a cloud wants to know: printed by `--json`, and the content of the ready file. */
type Address = { url: string; auth_url: string; pid: number; clouds_yaml: string; driver: string }

/** @throws what {@link isExpected} knows when the cloud cannot start. @returns the exit code, after a signal. */
export async function serve(flags: ServeFlags, shell: Shell): Promise<number> {
  const { config, dataDir, files } = loadSettings(flags, shell)
  const log = makeLog({ level: config.get(processConfig).logLevel })
  for (const line of config.warnings) err(`warning: ${line}`)
  process.on('uncaughtException', (error, origin) => {
    log.fatal({ err: error }, `${origin}: ${messageOf(error)}`)
    process.exit(1)
  })
  // Whoever read the banner may have gone away.
  process.stdout.on('error', () => {})

  const stopping = untilSignal()
  const childCommand = [...shell.self, 'internal-listen']
  const passwords = flags.seed ? passwordsAhead(dataDir, config) : undefined
  const { startCloud } = await import('../cloud.ts')
  const cloud = await startCloud({ config, configFiles: files, log, dataDir, seed: flags.seed, passwords, childCommand, say: err })
  cloud.ready.catch(() => {})
  let exitCode = 0
  try {
    const address = announce(cloud, dataDir, await cloud.listen())
    if (flags.json) out(JSON.stringify(address))
    else banner(address)
    const ready = cloud.ready.then(() => {
      if (flags.readyFile) writeSecret(flags.readyFile, `${JSON.stringify(address)}\n`)
      if (!flags.json) out('Ready.')
    })
    await Promise.race([stopping, ready.then(() => stopping)])
  } catch (error) {
    if (!isExpected(error)) log.fatal({ err: error }, messageOf(error))
    err(`minicloud: cannot start: ${messageOf(error)}`)
    exitCode = 1
  }
  await cloud[Symbol.asyncDispose]()
  return exitCode
}

/** The passwords of a new cloud's first users are hashed by other threads while this one loads the program. */
function passwordsAhead(dataDir: string, config: Config): Passwords {
  const passwords = makePasswords(config)
  if (existsSync(join(dataDir, 'minicloud.db'))) return passwords
  const { adminPassword, demoPassword } = credentialsOf(dataDir, config)
  for (const password of new Set([adminPassword, demoPassword])) passwords.hashAhead(password)
  return passwords
}

/** The first SIGTERM or SIGINT; the second ends the process at once. */
function untilSignal(): Promise<void> {
  return new Promise((resolve) => {
    let signals = 0
    for (const signal of ['SIGTERM', 'SIGINT'] as const)
      process.on(signal, (_name, number) => {
        signals += 1
        if (signals > 1) process.exit(128 + (number ?? 0))
        resolve()
      })
  })
}

/** Writes what clients need to find this cloud. */
function announce({ credentials, driverKind }: Cloud, dataDir: string, bound: { host: string; port: number }): Address {
  const reachable = { '0.0.0.0': '127.0.0.1', '::': '::1' }[bound.host] ?? bound.host
  const url = `http://${reachable.includes(':') ? `[${reachable}]` : reachable}:${bound.port}`
  const authUrl = `${url}/identity/v3`
  const file = join(dataDir, 'clouds.yaml')
  writeSecret(file, cloudsYaml(credentials, authUrl))
  writeSecret(join(dataDir, 'openrc'), openrc(credentials, authUrl))
  return { url, auth_url: authUrl, pid: process.pid, clouds_yaml: file, driver: driverKind }
}

function banner({ url, auth_url, clouds_yaml, driver }: Address): void {
  out(`${paint('bold', 'minicloud')} at ${paint('cyan', url)}  (guests: ${driver})`)
  out(`  identity     ${auth_url}`)
  out(`  clouds.yaml  ${clouds_yaml}   clouds: minicloud (admin), minicloud-demo`)
  out('In another shell:')
  out(`  export OS_CLIENT_CONFIG_FILE=${shellQuoted(clouds_yaml)}`)
  out('  export OS_CLOUD=minicloud')
}
