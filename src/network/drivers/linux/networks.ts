/** Devices of networks: a bridge each, and a namespace on a leg of it for DHCP, names and metadata; and the external bridge, on which the host has an address. */
import { existsSync } from 'node:fs'
import { isIPv4 } from 'node:net'
import type { ExternalPlan, NetworkPlan } from '../driver.ts'
import { derivedMac } from '../names.ts'
import { prefixLength, servedSubnets } from './dnsmasq-files.ts'
import { ensureForwarding, type Host, type Link } from './host.ts'
import { convergeDevice, convergeNamespace, type WantedRoute } from './namespace.ts'
import { ipBatch, spacePath, sysctl } from './run.ts'

/**
 * Whether two plans of a network want the same devices, and the same of its routers, so that only rules and leases need to be looked at.
 */
export function sameDevices(a: NetworkPlan, b: NetworkPlan): boolean {
  return deviceFacts(a) === deviceFacts(b)
}

function deviceFacts(network: NetworkPlan): string {
  const advertised = network.subnets.filter((subnet) => subnet.ipVersion === 6)
  return JSON.stringify([
    network.mtu,
    servedSubnets(network).map((subnet) => [subnet.cidr, subnet.dhcpServerIp, subnet.gatewayIp]),
    advertised.map((subnet) => [subnet.cidr, subnet.ipv6RaMode, subnet.dnsNameservers]),
  ])
}

/** @throws {CommandFailed} */
export async function ensureNetworkDevices(host: Host, links: ReadonlyMap<string, Link>, network: NetworkPlan): Promise<void> {
  const { names, space } = host
  const bridge = names.bridge(network.id)
  const leg = names.dhcpLeg(network.id)
  const inner = names.networkSpace(network.id)
  const served = servedSubnets(network)

  const lines: string[] = []
  const isNew = !links.has(bridge)
  const isNewSpace = served.length > 0 && !existsSync(spacePath(inner))
  if (isNew) lines.push(`link add ${bridge} type bridge forward_delay 0 mcast_snooping 0 nf_call_iptables 1 nf_call_ip6tables 1`)
  if (served.length > 0) {
    if (isNewSpace) lines.push(`netns add ${inner}`)
    if (!links.has(leg)) lines.push(`link add ${leg} type veth peer name ns0 netns ${inner}`)
    if (links.get(leg)?.master !== bridge || !links.get(leg)?.up)
      lines.push(`link set ${leg} mtu ${network.mtu} addrgenmode none master ${bridge} up`)
    else if (links.get(leg)?.mtu !== network.mtu) lines.push(`link set ${leg} mtu ${network.mtu}`)
  }
  if (served.length === 0) {
    if (links.has(leg)) lines.push(`link del ${leg}`)
    if (existsSync(spacePath(inner))) lines.push(`netns del ${inner}`)
  }
  for (const { tap } of network.ports) {
    // A guest that outlived its bridge is put back.
    if (links.has(tap) && links.get(tap)?.master !== bridge) lines.push(`link set ${tap} master ${bridge} up`)
  }
  await ipBatch(space, lines)

  // Before it comes up: else the host would take an address from a guest's router advertisement, and tell guests of its other addresses.
  if (isNew) await sysctl(space, { [`net/ipv6/conf/${bridge}/disable_ipv6`]: '1', [`net/ipv4/conf/${bridge}/arp_ignore`]: '8' })
  if (isNew || links.get(bridge)?.mtu !== network.mtu || !links.get(bridge)?.up)
    await ipBatch(space, [`link set ${bridge} mtu ${network.mtu} up`])

  if (served.length === 0) return
  // A namespace begins with the host's settings, and the host may be a router.
  if (isNewSpace)
    await sysctl(inner, { 'net/ipv4/ip_forward': '0', 'net/ipv6/conf/all/accept_ra': '0', 'net/ipv6/conf/default/accept_ra': '0' })
  const addresses = served.map((subnet) => `${subnet.dhcpServerIp}/${prefixLength(subnet.cidr)}`)
  await convergeNamespace(inner, {
    devices: new Map([['ns0', { addresses: [...addresses, '169.254.169.254/32'], mtu: network.mtu }]]),
    routes: wayOut(network),
    rules: [],
  })
}

/** The name server asks others through the subnet's gateway. */
function wayOut(network: NetworkPlan): WantedRoute[] {
  const subnet = servedSubnets(network).find((one) => one.ipVersion === 4 && one.gatewayIp !== null)
  return subnet?.gatewayIp ? [{ to: '0.0.0.0/0', via: subnet.gatewayIp, device: 'ns0' }] : []
}

/** The lines that take a network's devices away; what is gone already is left out. */
export function removalLines(host: Host, links: ReadonlyMap<string, Link>, networkId: string): string[] {
  const { names } = host
  const bridge = names.bridge(networkId)
  const members = [...links.values()].filter((link) => link.master === bridge).map((link) => link.name)
  const devices = new Set([...members, names.dhcpLeg(networkId), bridge].filter((name) => links.has(name)))
  const inner = names.networkSpace(networkId)
  return [...[...devices].map((name) => `link del ${name}`), ...(existsSync(spacePath(inner)) ? [`netns del ${inner}`] : [])]
}

/** @throws {CommandFailed} */
export async function ensureExternal(host: Host, links: ReadonlyMap<string, Link>, external: ExternalPlan): Promise<void> {
  const bridge = host.names.external(external.networkId)
  // A bridge without an address of its own takes that of its least member, another one with each router that comes, and routers lose their way out.
  const mac = derivedMac(`${host.prefix} ${external.networkId}`)
  if (!links.has(bridge)) await ipBatch(host.space, [`link add ${bridge} address ${mac} type bridge forward_delay 0 mcast_snooping 0`])
  const v6 = external.hostIps.some(({ ip }) => !isIPv4(ip))
  await sysctl(host.space, v6 ? { [`net/ipv6/conf/${bridge}/accept_ra`]: '0' } : { [`net/ipv6/conf/${bridge}/disable_ipv6`]: '1' })
  await convergeDevice(host.space, bridge, {
    addresses: external.hostIps.map(({ ip, cidr }) => `${ip}/${prefixLength(cidr)}`),
    mtu: external.mtu,
  })
  await ensureForwarding(host)
}
