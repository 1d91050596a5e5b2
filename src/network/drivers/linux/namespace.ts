/** Brings devices, addresses, routes and routing rules to what is wanted, whatever they were: what differs is changed, what is right is left alone. */
import { isIPv6 } from 'node:net'
import { CommandFailed } from '../errors.ts'
import { inside, ipBatch, runList } from './run.ts'

/** With `mac`, addresses that come are announced to the neighbours (needs `arp_notify`), who may know them at another device. */
export type WantedDevice = { addresses: string[]; mtu: number; mac?: string }
export type WantedRoute = { to: string; via: string; device: string; table?: number }

/** All that a namespace of our own should hold besides loopback. */
export type WantedNamespace = {
  /** Addresses are with their prefix length. The devices must be there; others are removed. */
  devices: Map<string, WantedDevice>
  routes: WantedRoute[]
  /** Traffic that comes in by `device` looks into `table` before the main one. */
  rules: { device: string; table: number }[]
}

type SeenDevice = {
  ifname: string
  mtu: number
  flags: string[]
  addr_info: { local: string; prefixlen: number; scope: string; family: string }[]
}
type SeenRoute = { dst: string; gateway?: string; dev?: string; table?: string }
type SeenRule = { iif?: string; table: string }
type Lines = { removals: string[]; additions: string[] }

/** @throws {CommandFailed} */
export async function convergeNamespace(space: string, wanted: WantedNamespace): Promise<void> {
  const said = await runList(inside(space, ['ip', '-j', '-batch', '-']), {
    stdin: 'addr show\nroute show table all proto static\nrule show\n',
  })
  const [devices = '[]', routes = '[]', rules = '[]'] = said.split('\n').filter((line) => line.startsWith('['))
  const seen = JSON.parse(devices) as SeenDevice[]
  const seenRoutes = JSON.parse(routes) as SeenRoute[]
  if (wanted.routes.some((route) => isIPv6(route.via))) {
    const v6 = await runList(inside(space, ['ip', '-6', '-j', 'route', 'show', 'proto', 'static']))
    seenRoutes.push(...(JSON.parse(v6.trim() || '[]') as SeenRoute[]))
  }

  const parts = [routeLines(seenRoutes, wanted.routes), ruleLines(JSON.parse(rules) as SeenRule[], wanted.rules)]
  const up = seen.some((device) => device.ifname === 'lo' && device.flags.includes('UP')) ? [] : ['link set lo up']
  const foreign = seen.filter((device) => device.ifname !== 'lo' && !wanted.devices.has(device.ifname))
  // Routes go before the addresses that carry them, and come after.
  await ipBatch(space, [
    ...up,
    ...parts.flatMap((part) => part.removals),
    ...foreign.map((device) => `link del ${device.ifname}`),
    ...[...wanted.devices].flatMap(([name, device]) => deviceLines(seen, name, device)),
    ...parts.flatMap((part) => part.additions).reverse(),
  ])
}

/** One device of a namespace that is not ours alone: nothing else there is touched. @throws {CommandFailed} */
export async function convergeDevice(space: string | null, name: string, wanted: WantedDevice): Promise<void> {
  const seen = JSON.parse(await runList(inside(space, ['ip', '-j', 'addr', 'show', 'dev', name]))) as SeenDevice[]
  await ipBatch(space, deviceLines(seen, name, wanted))
}

function deviceLines(seen: SeenDevice[], name: string, { addresses, mtu, mac }: WantedDevice): string[] {
  const device = seen.find((one) => one.ifname === name)
  if (!device) throw new CommandFailed(`converge ${name}`, null, 'no such device in its namespace')
  const has = device.addr_info.filter((one) => one.scope !== 'link' || one.family === 'inet').map((one) => `${one.local}/${one.prefixlen}`)
  const missing = addresses.filter((address) => !has.includes(address))
  return [
    ...(device.mtu === mtu ? [] : [`link set ${name} mtu ${mtu}`]),
    ...(device.flags.includes('UP') ? [] : [`link set ${name} up`]),
    ...has.filter((address) => !addresses.includes(address)).map((address) => `addr del ${address} dev ${name}`),
    ...missing.map((address) => `addr add ${address} dev ${name}${address.includes(':') ? ' nodad' : ''}`),
    // Setting the address a device has already is how the kernel is asked for an announcement.
    ...(missing.length > 0 && mac ? [`link set ${name} address ${mac}`] : []),
  ]
}

/** Addresses that go take routes with them unasked, so that wanted routes are always set; once more is harmless. */
function routeLines(seen: SeenRoute[], wanted: WantedRoute[]): Lines {
  const key = (to: string, table: string) => `${to.replace(/^(0\.0\.0\.0|::)\/0$/, 'default').replace(/\/(32|128)$/, '')} ${table}`
  const keep = new Set(wanted.map((route) => key(route.to, String(route.table ?? 'main'))))
  const inTable = (table: number | string | undefined) => (table === undefined ? '' : ` table ${table}`)
  return {
    removals: seen
      .filter((route) => !keep.has(key(route.dst, route.table ?? 'main')))
      .map(
        (route) =>
          `route del ${route.dst}${route.gateway ? ` via ${route.gateway}` : ''}${route.dev ? ` dev ${route.dev}` : ''}${inTable(route.table)}`,
      ),
    additions: wanted.map(
      (route) => `route replace ${route.to} via ${route.via} dev ${route.device}${inTable(route.table)} proto static onlink`,
    ),
  }
}

function ruleLines(seen: SeenRule[], wanted: WantedNamespace['rules']): Lines {
  const has = new Set(seen.map((rule) => `${rule.iif} ${rule.table}`))
  const keep = new Set(wanted.map((rule) => `${rule.device} ${rule.table}`))
  return {
    removals: seen
      .filter((rule) => rule.iif !== undefined && !keep.has(`${rule.iif} ${rule.table}`))
      .map((rule) => `rule del iif ${rule.iif} lookup ${rule.table}`),
    additions: wanted
      .filter((rule) => !has.has(`${rule.device} ${rule.table}`))
      .map((rule) => `rule add iif ${rule.device} lookup ${rule.table} pref 1000`),
  }
}
