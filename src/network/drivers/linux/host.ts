/** The host as the cloud finds it: which devices, namespaces and tables there are, and the few settings that guests' traffic needs. */
import { existsSync } from 'node:fs'
import { readdir, readFile } from 'node:fs/promises'
import type { DriverLog } from '../driver.ts'
import type { Names } from '../names.ts'
import { inside, run, runList, sysctl } from './run.ts'

export type Host = {
  prefix: string
  names: Names
  /** The namespace of bridges and guests; null for our own. */
  space: string | null
  stateDir: string
  resolvers: readonly string[]
  rootless: boolean
  log: DriverLog
}

export type Link = { name: string; mtu: number; master: string | null; up: boolean }

/** @throws {CommandFailed} */
export async function listLinks(space: string | null): Promise<Map<string, Link>> {
  type Seen = { ifname: string; mtu: number; master?: string; flags: string[] }
  const seen = JSON.parse(await runList(inside(space, ['ip', '-j', 'link', 'show']))) as Seen[]
  return new Map(
    seen.map((one) => [one.ifname, { name: one.ifname, mtu: one.mtu, master: one.master ?? null, up: one.flags.includes('UP') }]),
  )
}

/** Names of the cloud's own namespaces. */
export async function listSpaces(names: Names): Promise<string[]> {
  return (await readdir('/run/netns').catch(() => [] as string[])).filter(names.isSpace)
}

/** The cloud's tables as `family name`. @throws {CommandFailed} */
export async function listTables({ space, names }: Host): Promise<string[]> {
  const said = await run(inside(space, ['nft', 'list', 'tables']))
  return said
    .split('\n')
    .map((line) => line.replace(/^table /, '').trim())
    .filter((table) => table.split(' ')[1] === names.table)
}

/** A namespace for bridges and guests must have a user namespace above it in which we may do this; the first one maps all ids. */
export async function isInitialUserNamespace(): Promise<boolean> {
  return /^\s*0\s+0\s+4294967295\s*$/.test(await readFile('/proc/self/uid_map', 'utf8').catch(() => ''))
}

/**
 * Loads the module that shows bridged packets to IP rules. Once loaded it does so for every bridge of a host, which would change those of others: where we
 * are the first to load it, that is turned off again, and our own bridges ask for it one by one.
 * @throws {CommandFailed} when the kernel lacks it.
 */
export async function ensureBridgeFilter({ space, log }: Host): Promise<void> {
  if (existsSync('/proc/sys/net/bridge/bridge-nf-call-iptables')) return
  await run(['modprobe', 'br_netfilter'])
  const off = {
    'net/bridge/bridge-nf-call-iptables': '0',
    'net/bridge/bridge-nf-call-ip6tables': '0',
    'net/bridge/bridge-nf-call-arptables': '0',
  }
  await sysctl(null, off)
  if (space !== null) await sysctl(space, off)
  log.info('loaded the kernel module br_netfilter, and left it off for bridges of others')
}

/** The host must pass packets on between the external bridge and its own interfaces. @throws {CommandFailed} */
export async function ensureForwarding({ space, log }: Host): Promise<void> {
  const now = await run(inside(space, ['cat', '/proc/sys/net/ipv4/ip_forward']))
  if (now.trim() === '1') return
  await sysctl(space, { 'net/ipv4/ip_forward': '1' })
  log.info('set net.ipv4.ip_forward = 1 on the host, so that guests can reach the outside')
}

/** The host's name servers that can be reached from another namespace. */
export async function hostResolvers(): Promise<string[]> {
  const text = await readFile('/etc/resolv.conf', 'utf8').catch(() => '')
  const found = [...text.matchAll(/^\s*nameserver\s+([0-9a-f.:]+)\s*$/gim)].map((match) => match[1] ?? '')
  return found.filter((ip) => !/^(127\.|::1$|fe80:)/i.test(ip))
}
