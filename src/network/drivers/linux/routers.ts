/**
 * Routers: a namespace each, with a leg into every network it joins and one into the external bridge, and address translation towards outside.
 *
 * Guests that ignore option 121 ask the router for the metadata address. It sends them on to the server of the network they came from, chosen by the leg, so
 * that the answer never depends on which other networks the router joins.
 */
import { existsSync } from 'node:fs'
import { isIPv4 } from 'node:net'
import ipaddr from 'ipaddr.js'
import type { NetworkPlan, RouterPlan } from '../driver.ts'
import { CommandFailed } from '../errors.ts'
import { derivedMac, hash, innerLeg } from '../names.ts'
import { ensureAdvertiser } from './dnsmasq.ts'
import { advertiserArguments, dnsmasqPaths, prefixLength, servedSubnets } from './dnsmasq-files.ts'
import type { Host, Link } from './host.ts'
import { convergeNamespace, type WantedDevice, type WantedNamespace, type WantedRoute } from './namespace.ts'
import { inside, ipBatch, run, spacePath, sysctl } from './run.ts'

export type Surroundings = { networks: ReadonlyMap<string, NetworkPlan>; externalMtu: number }

/** @throws {CommandFailed} when a bridge it should join is not there, too. */
export async function ensureRouter(host: Host, links: ReadonlyMap<string, Link>, router: RouterPlan, around: Surroundings): Promise<void> {
  const { names } = host
  const inner = names.routerSpace(router.id)
  const lines: string[] = []
  const isNew = !existsSync(spacePath(inner))
  if (isNew) lines.push(`netns add ${inner}`)
  const join = (leg: string, name: string, bridge: string, mac: string, mtu: number) => {
    if (!links.has(bridge)) throw new CommandFailed(`router ${router.id}`, null, `there is no bridge ${bridge} to join`)
    if (!links.has(leg)) lines.push(`link add ${leg} type veth peer name ${name} address ${mac} netns ${inner}`)
    const now = links.get(leg)
    if (now?.master !== bridge || now.mtu !== mtu || !now.up) lines.push(`link set ${leg} mtu ${mtu} addrgenmode none master ${bridge} up`)
  }
  for (const leg of legsOf(router)) {
    const mtu = around.networks.get(leg.networkId)?.mtu ?? 1500
    join(names.routerLeg(router.id, leg.networkId), innerLeg(leg.networkId), names.bridge(leg.networkId), leg.mac, mtu)
  }
  if (router.gateway) {
    join(names.gatewayLeg(router.id), 'qg0', names.external(router.gateway.externalNetworkId), gatewayMac(router), around.externalMtu)
  }
  await ipBatch(host.space, lines)
  if (isNew) {
    await sysctl(inner, {
      'net/ipv4/ip_forward': '1',
      'net/ipv4/conf/all/arp_notify': '1',
      'net/ipv4/conf/all/send_redirects': '0',
      'net/ipv4/conf/default/send_redirects': '0',
      'net/ipv6/conf/all/forwarding': '1',
    })
  }
  await convergeNamespace(inner, wantedNamespace(router, around))
  await run(inside(inner, ['nft', '-f', '-']), { stdin: routerRules(names.table, router) })
  await ensureAdvertiser(router.id, inner, host.stateDir, advertiser(host, router, around))
}

function advertiser(host: Host, router: RouterPlan, around: Surroundings): string[] | null {
  const legs = legsOf(router).map(({ networkId, addresses }) => {
    const subnets = around.networks.get(networkId)?.subnets ?? []
    return { device: innerLeg(networkId), subnets: subnets.filter((subnet) => addresses.some(({ cidr }) => cidr === subnet.cidr)) }
  })
  return advertiserArguments(legs, dnsmasqPaths(`${host.stateDir}/${router.id}`), host.rootless)
}

/** A router has one leg in a network, with an address for each of its subnets there. */
function legsOf(router: RouterPlan) {
  const legs = new Map<string, { networkId: string; mac: string; addresses: { ip: string; cidr: string }[] }>()
  for (const { networkId, ip, cidr, mac } of router.interfaces) {
    const leg = legs.get(networkId) ?? { networkId, mac: mac ?? derivedMac(`${router.id} ${networkId}`), addresses: [] }
    leg.addresses.push({ ip, cidr })
    legs.set(networkId, leg)
  }
  return [...legs.values()]
}

function gatewayMac(router: RouterPlan): string {
  return router.gateway?.mac ?? derivedMac(`${router.id} gateway`)
}

function wantedNamespace(router: RouterPlan, around: Surroundings): WantedNamespace {
  const devices = new Map<string, WantedDevice>()
  const routes: WantedRoute[] = []
  const rules: WantedNamespace['rules'] = []
  for (const { networkId, mac, addresses } of legsOf(router)) {
    const device = innerLeg(networkId)
    const network = around.networks.get(networkId)
    devices.set(device, { addresses: addresses.map(({ ip, cidr }) => `${ip}/${prefixLength(cidr)}`), mtu: network?.mtu ?? 1500, mac })
    const served = network ? servedSubnets(network).filter((subnet) => subnet.ipVersion === 4) : []
    const server = served.find((subnet) => addresses.some(({ cidr }) => cidr === subnet.cidr))
    if (!server) continue
    const table = 1000 + Number.parseInt(hash(networkId).slice(0, 6), 16)
    routes.push({ to: '169.254.169.254/32', via: server.dhcpServerIp, device, table })
    rules.push({ device, table })
  }
  const { gateway } = router
  if (gateway) {
    const floating = router.floatingIps.map((pair) => `${pair.floating}/32`)
    devices.set('qg0', {
      addresses: [`${gateway.ip}/${prefixLength(gateway.cidr)}`, ...floating],
      mtu: around.externalMtu,
      mac: gatewayMac(router),
    })
    routes.push({ to: isIPv4(gateway.nexthop) ? '0.0.0.0/0' : '::/0', via: gateway.nexthop, device: 'qg0' })
  }
  for (const { destination, nexthop } of router.routes) {
    const beside = router.interfaces.find(({ cidr }) => contains(cidr, nexthop))
    const device = beside ? innerLeg(beside.networkId) : gateway ? 'qg0' : null
    if (device) routes.push({ to: destination, via: nexthop, device })
  }
  return { devices, routes, rules }
}

function contains(cidr: string, ip: string): boolean {
  const address = ipaddr.parse(ip)
  const [base, length] = ipaddr.parseCIDR(cidr)
  return address.kind() === base.kind() && address.match([base, length])
}

/** The router's own table, replaced as a whole: it is small. */
export function routerRules(table: string, router: RouterPlan): string {
  const { gateway } = router
  const v4 = gateway && isIPv4(gateway.ip) ? gateway : null
  const elements = (pairs: [string, string][]) =>
    pairs.length > 0 ? `elements = { ${pairs.map(([key, value]) => `${key} : ${value}`).join(', ')}, }` : ''
  const translated = v4 ? router.floatingIps : []
  const hairpin = v4 ? legsOf(router).map(({ networkId }) => innerLeg(networkId)) : []
  return `add table ip ${table}
delete table ip ${table}
table ip ${table} {
  map inwards {
    type ipv4_addr : ipv4_addr
    ${elements(translated.map((pair) => [pair.floating, pair.fixed]))}
  }
  map outwards {
    type ipv4_addr : ipv4_addr
    ${elements(translated.map((pair) => [pair.fixed, pair.floating]))}
  }
  chain pre {
    type nat hook prerouting priority -100
    dnat to ip daddr map @inwards
  }
  chain post {
    type nat hook postrouting priority 100
    ${hairpin.map((leg) => `iifname "${leg}" oifname "${leg}" ct status dnat snat to ${v4?.ip}`).join('\n    ')}
    oifname "qg0" snat to ip saddr map @outwards
    ${v4?.snat ? `oifname "qg0" snat to ${v4.ip}` : ''}
  }
  chain pass {
    type filter hook forward priority 0
    oifname "qg0" tcp flags syn tcp option maxseg size set rt mtu
  }
}
`
}
