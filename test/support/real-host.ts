/**
 * A compute host of a test's own: a network namespace with a libvirtd in it. Bridges, guests and rules live there, and
 * nothing of it meets this machine's own network.
 *
 * What takes seconds and is the same for every test (the image `tiny`, libvirt's knowledge of QEMU) is kept in `artifacts/`.
 */
import { execFileSync } from 'node:child_process'
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import Sqlite from 'better-sqlite3'
import { libvirtdMissing, startPrivateLibvirtd } from './libvirtd.ts'
import { type ServeOptions, type ServeProcess, serve } from './process.ts'

const kept = fileURLToPath(new URL('../../artifacts/', import.meta.url))

export type RealHost = AsyncDisposable & {
  libvirtd: Awaited<ReturnType<typeof startPrivateLibvirtd>>
  namespace: string
  /** The environment of a minicloud that is to use it. */
  env: Record<string, string>
  domains(): string[]
  taps(): string[]
  /** The whole nftables ruleset of the host. */
  rules(): string
  /** Runs a program in the host's network namespace. @throws when it fails */
  inside(program: string, ...args: string[]): string
  virsh(...args: string[]): string
  /** Starts a minicloud that uses this host. */
  serve(options: ServeOptions & { dataDir: string }): Promise<ServeProcess>
}

/** Why there can be none here, or null. */
export function realHostMissing(): string | null {
  if (process.getuid?.() !== 0) return 'not root'
  return libvirtdMissing() ?? null
}

const run = (program: string, ...args: string[]): string =>
  execFileSync(program, args, { encoding: 'utf8', timeout: 20_000, stdio: ['ignore', 'pipe', 'pipe'] })

export async function makeRealHost(dir: string): Promise<RealHost> {
  const keptLibvirt = join(kept, 'libvirt')
  const namespace = `mct${process.pid}${Math.floor(Math.random() * 1000)}`
  run('ip', 'netns', 'add', namespace)
  run('ip', '-n', namespace, 'link', 'set', 'lo', 'up')
  const libvirtd = await startPrivateLibvirtd({ dir, netns: namespace, ...(existsSync(keptLibvirt) ? { cacheFrom: keptLibvirt } : {}) })
  const virsh = (...args: string[]) => run('virsh', '-c', libvirtd.uri, '-q', ...args)
  const env = { MINICLOUD_LIBVIRT_CONNECTION_URI: libvirtd.uri, MINICLOUD_HOST_NAMESPACE: namespace }
  const inside = (...command: string[]) => run('ip', 'netns', 'exec', namespace, ...command)
  return {
    libvirtd,
    namespace,
    env,
    domains: () => lines(virsh('list', '--all', '--name')),
    taps: () => lines(run('ip', '-n', namespace, '-br', 'link')).filter((line) => line.startsWith('tap')),
    rules: () => inside('nft', 'list', 'ruleset'),
    inside,
    virsh,
    async serve(options) {
      const tiny = join(options.dataDir, 'tiny')
      takeTiny(tiny)
      const cloud = await serve({ driver: 'libvirt', ...options, env: { ...env, ...options.env } })
      keepTiny(tiny)
      return cloud
    },
    async [Symbol.asyncDispose]() {
      for (const name of lines(virsh('list', '--name'))) virsh('destroy', name)
      await libvirtd[Symbol.asyncDispose]()
      if (!existsSync(keptLibvirt)) copy(join(dir, 'var/cache/libvirt'), join(keptLibvirt, 'var/cache/libvirt'))
      for (const prefix of cloudsIn(namespace)) removeNetworks(prefix)
      for (const name of namespaces()) if (name === namespace) run('ip', 'netns', 'del', name)
    },
  }
}

const lines = (text: string) => text.split('\n').filter((line) => line.trim() !== '')
const namespaces = () => lines(run('ip', 'netns', 'list')).map((line) => line.split(' ')[0] ?? '')

const keptTiny = join(kept, 'tiny')

/** What an earlier test built of the image, so that only what has changed since is built anew. */
export function takeTiny(to: string): void {
  if (existsSync(keptTiny) && !existsSync(to)) copy(keptTiny, to)
}

/** For later tests, in place of one that was built from other sources. */
export function keepTiny(from: string): void {
  const about = (dir: string) => (existsSync(join(dir, 'tiny.json')) ? readFileSync(join(dir, 'tiny.json'), 'utf8') : '')
  if (['', about(keptTiny)].includes(about(from))) return
  rmSync(keptTiny, { recursive: true, force: true })
  copy(from, keptTiny)
}

/** All or nothing, since another test may look meanwhile. */
function copy(from: string, to: string): void {
  const partial = `${to}.${process.pid}`
  mkdirSync(dirname(to), { recursive: true, mode: 0o700 })
  cpSync(from, partial, { recursive: true, preserveTimestamps: true })
  if (existsSync(to)) rmSync(partial, { recursive: true })
  else renameSync(partial, to)
}

/** Five letters that begin the names of all that a cloud has on its host. */
export function prefixOf(dataDir: string): string {
  return (JSON.parse(readFileSync(join(dataDir, 'credentials.json'), 'utf8')) as { prefix: string }).prefix
}

const runDir = (dataDir: string) => join('/run/minicloud', prefixOf(dataDir))

/** The prefixes of all clouds that have a bridge in a namespace. */
function cloudsIn(namespace: string): Set<string> {
  const bridges = run('ip', '-n', namespace, '-br', 'link').matchAll(/^([a-z0-9]{1,5})-[bx][0-9a-f]{8}\b/gm)
  return new Set([...bridges].map((match) => match[1] ?? ''))
}

/** What `stop` leaves running, so that guests keep their network: name servers, and the namespaces that they are in. */
export function removeNetworks(prefix: string): void {
  const servers = join('/run/minicloud', prefix, 'network')
  for (const id of existsSync(servers) ? readdirSync(servers) : []) {
    const pid = Number(existsSync(join(servers, id, 'pid')) ? readFileSync(join(servers, id, 'pid'), 'utf8') : 0)
    if (pid > 0 && existsSync(`/proc/${pid}`) && readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes(servers)) process.kill(pid)
  }
  for (const name of namespaces()) if (name.startsWith(`${prefix}-`)) run('ip', 'netns', 'del', name)
  rmSync(join('/run/minicloud', prefix), { recursive: true, force: true })
}

/** All that a cloud keeps for its servers, on the host and in its database; `nothing` when all are deleted and it is stopped. */
export function leftovers(host: RealHost, dataDir: string, libvirtDir: string): Record<keyof typeof nothing, string[] | number> {
  const prefix = prefixOf(dataDir)
  const files = (...path: string[]) => (existsSync(join(...path)) ? readdirSync(join(...path)) : [])
  const servers = join(runDir(dataDir), 'network')
  const known = files(servers).flatMap((id) =>
    ['hosts', 'names', 'leases'].flatMap((name) => lines(readFileSync(join(servers, id, name), 'utf8')).map((line) => `${name}: ${line}`)),
  )
  const db = new Sqlite(join(dataDir, 'minicloud.db'), { readonly: true })
  const count = (sql: string) => (db.prepare(sql).get() as { n: number }).n
  const found = {
    domains: host.domains().filter((name) => name.startsWith(prefix)),
    taps: host.taps(),
    rules: [...new Set(host.rules().match(/tap[0-9a-f-]{11}/g) ?? [])],
    nameServers: known,
    files: files(dataDir, 'instances'),
    sockets: files(runDir(dataDir), 'guests'),
    saved: files(libvirtDir, 'var/lib/libvirt/qemu/save'),
    instances: count('SELECT count(*) AS n FROM instances WHERE deleted = 0'),
    allocations: count('SELECT count(*) AS n FROM allocations'),
    ports: count("SELECT count(*) AS n FROM ports WHERE device_owner LIKE 'compute:%'"),
    unfinished: count("SELECT count(*) AS n FROM minicloud_sagas WHERE state NOT IN ('done', 'undone')"),
  }
  db.close()
  return found
}

export const nothing = {
  domains: [] as string[],
  taps: [] as string[],
  rules: [] as string[],
  nameServers: [] as string[],
  files: [] as string[],
  sockets: [] as string[],
  saved: [] as string[],
  instances: 0,
  allocations: 0,
  ports: 0,
  unfinished: 0,
}
