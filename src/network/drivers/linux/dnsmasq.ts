/**
 * Keeps one dnsmasq per network running. It belongs to the host, not to this process: it goes on serving while we are away, and is found again by its command
 * line, which is also the record of the arguments it was started with.
 */
import { chmod, mkdir, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises'
import { dirname } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import type { NetworkPlan } from '../driver.ts'
import { CommandFailed } from '../errors.ts'
import { type DnsmasqPaths, dnsmasqArguments, dnsmasqFiles, dnsmasqPaths, hasForeignLease } from './dnsmasq-files.ts'
import { inside, run, spacePath } from './run.ts'

export type NameServer = { space: string; stateDir: string; resolvers: readonly string[]; asRoot: boolean }

/** @throws {CommandFailed} with dnsmasq's own words when it will not start. */
export async function ensureDnsmasq(network: NetworkPlan, { space, stateDir, resolvers, asRoot }: NameServer): Promise<void> {
  const paths = dnsmasqPaths(`${stateDir}/${network.id}`)
  const wanted = dnsmasqArguments(network, paths, resolvers, asRoot)
  await makeOpenFolder(paths.folder)
  const changed = await writeFiles(network, paths)
  const foreignLease = changed && hasForeignLease(await readText(paths.leases), network)
  await keepRunning(paths, wanted, space, { changed, forgetLeases: foreignLease })
}

/**
 * Announces a router, or stops to with null.
 * @throws {CommandFailed} with dnsmasq's own words when it will not start.
 */
export async function ensureAdvertiser(routerId: string, space: string, stateDir: string, wanted: string[] | null): Promise<void> {
  if (wanted === null) return removeDnsmasq(routerId, stateDir)
  const paths = dnsmasqPaths(`${stateDir}/${routerId}`)
  await makeOpenFolder(paths.folder)
  await keepRunning(paths, wanted, space, { changed: false, forgetLeases: false })
}

async function keepRunning(
  paths: DnsmasqPaths,
  wanted: string[],
  space: string,
  files: { changed: boolean; forgetLeases: boolean },
): Promise<void> {
  const running = await findRunning(paths.pid)
  const asWanted = running !== null && running.args.join('\0') === wanted.join('\0') && (await livesIn(running.pid, space))
  if (running && asWanted && !files.forgetLeases) {
    if (files.changed) process.kill(running.pid, 'SIGHUP')
    return
  }
  if (running) await stop(running.pid)
  if (files.forgetLeases) await rm(paths.leases, { force: true })
  await run(inside(space, wanted))
}

/** Ends the server of a network or router, if there is one, and forgets its files. */
export async function removeDnsmasq(id: string, stateDir: string): Promise<void> {
  const paths = dnsmasqPaths(`${stateDir}/${id}`)
  const running = await findRunning(paths.pid)
  if (running) await stop(running.pid)
  await rm(paths.folder, { recursive: true, force: true })
}

/** Every server started for this folder, even if its files are gone, with the network or router it serves. */
export async function listDnsmasq(stateDir: string): Promise<{ pid: number; owner: string }[]> {
  const found: { pid: number; owner: string }[] = []
  for (const entry of await readdir('/proc')) {
    if (!/^\d+$/.test(entry)) continue
    const args = await commandLine(Number(entry))
    const pidFile = args.find((arg) => arg.startsWith(`--pid-file=${stateDir}/`))
    if (isDnsmasq(args) && pidFile)
      found.push({ pid: Number(entry), owner: pidFile.slice(`--pid-file=${stateDir}/`.length).split('/')[0] ?? '' })
  }
  return found
}

export async function stop(pid: number): Promise<void> {
  for (let i = 0; i < 100; i++) {
    try {
      process.kill(pid, i < 80 ? 'SIGTERM' : 'SIGKILL')
    } catch {
      return
    }
    await delay(i < 20 ? 2 : 25)
    if (!isDnsmasq(await commandLine(pid))) return
  }
  throw new CommandFailed(`stop dnsmasq ${pid}`, null, 'it does not end')
}

async function writeFiles(network: NetworkPlan, paths: DnsmasqPaths): Promise<boolean> {
  const files = dnsmasqFiles(network)
  let changed = false
  for (const key of ['hosts', 'options', 'names'] as const) {
    if ((await readText(paths[key])) === files[key] && files[key] !== '') continue
    const exists = await stat(paths[key]).catch(() => null)
    if (exists && exists.size === 0 && files[key] === '') continue
    await writeFile(`${paths[key]}.new`, files[key])
    await chmod(`${paths[key]}.new`, 0o644)
    await rename(`${paths[key]}.new`, paths[key])
    changed = true
  }
  return changed
}

/** dnsmasq reads as somebody else: what is made here is open whatever the umask. */
async function makeOpenFolder(folder: string): Promise<void> {
  const first = await mkdir(folder, { recursive: true })
  for (let at = folder; first !== undefined && at.length >= first.length; at = dirname(at)) await chmod(at, 0o755)
}

async function findRunning(pidFile: string): Promise<{ pid: number; args: string[] } | null> {
  const pid = Number.parseInt(await readText(pidFile), 10)
  if (!(pid > 1)) return null
  const args = await commandLine(pid)
  return isDnsmasq(args) && args.includes(`--pid-file=${pidFile}`) ? { pid, args } : null
}

function isDnsmasq(args: string[]): boolean {
  return args[0] === 'dnsmasq'
}

/** False when the namespace was made anew under a server that still lives in the old one. */
async function livesIn(pid: number, space: string): Promise<boolean> {
  const [own, wanted] = await Promise.all([stat(`/proc/${pid}/ns/net`), stat(spacePath(space))].map((one) => one.catch(() => null)))
  return own != null && wanted != null && own.ino === wanted.ino
}

async function commandLine(pid: number): Promise<string[]> {
  return (await readText(`/proc/${pid}/cmdline`)).replace(/\0$/, '').split('\0')
}

async function readText(path: string): Promise<string> {
  return readFile(path, 'utf8').catch(() => '')
}
