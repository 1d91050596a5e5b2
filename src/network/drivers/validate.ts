/**
 * The gate in front of command lines, rules and configuration files: whatever passes here is made of the few characters its kind allows.
 *
 * The API has checked its input already; this is the second lock, because a line break in one of these texts would be a rule or an option of its own.
 */
import { isIP, isIPv4 } from 'node:net'
import type { ExternalPlan, HostPlan, NetworkPlan, PortPlan, RouterPlan, RulePlan, SubnetPlan } from './driver.ts'
import { InvalidPlan } from './errors.ts'
import { protocolNumbers } from './protocols.ts'

/** @throws {InvalidPlan} */
export function checkHostPlan(plan: HostPlan): void {
  plan.networks.forEach(checkNetwork)
  plan.routers.forEach(checkRouter)
  if (plan.external) checkExternal(plan.external)
  unique(
    'network',
    plan.networks.map((network) => network.id),
  )
  unique(
    'router',
    plan.routers.map((router) => router.id),
  )
  unique(
    'conntrack zone',
    plan.networks.map((network) => network.zone),
  )
  unique(
    'port mark',
    plan.networks.flatMap((network) => network.ports.map((port) => port.mark)),
  )
}

/** @throws {InvalidPlan} */
export function checkNetwork(network: NetworkPlan): void {
  uuid('network', network.id)
  integer('mtu', network.mtu, 68, 65_535)
  integer('conntrack zone', network.zone, 1, 65_535)
  if (network.dnsDomain !== '') domain('DNS domain', network.dnsDomain)
  network.subnets.forEach(checkSubnet)
  for (const port of network.ports) checkPort(port)
  unique(
    'tap',
    network.ports.map((port) => port.tap),
  )
  unique(
    'port mark',
    network.ports.map((port) => port.mark),
  )
}

function checkSubnet(subnet: SubnetPlan): void {
  uuid('subnet', subnet.id)
  cidr('subnet', subnet.cidr, subnet.ipVersion)
  if (subnet.gatewayIp !== null) ip('gateway', subnet.gatewayIp, subnet.ipVersion)
  if (subnet.dhcpServerIp !== null) ip('DHCP server', subnet.dhcpServerIp, subnet.ipVersion)
  for (const mode of [subnet.ipv6RaMode, subnet.ipv6AddressMode]) {
    if (mode != null && !['slaac', 'dhcpv6-stateful', 'dhcpv6-stateless'].includes(mode)) refuse('IPv6 mode', mode)
  }
  for (const server of subnet.dnsNameservers) ip('name server', server)
  for (const route of subnet.hostRoutes) {
    cidr('route', route.destination, subnet.ipVersion)
    ip('nexthop', route.nexthop, subnet.ipVersion)
  }
}

/** @throws {InvalidPlan} */
export function checkPort(port: PortPlan): void {
  uuid('port', port.id)
  mac(port.mac)
  if (!/^tap[0-9a-f]{8}-[0-9a-f]{2}$/.test(port.tap)) refuse('tap', port.tap)
  integer('port mark', port.mark, 1, 65_534)
  if (port.hostname !== '' && !isLabel(port.hostname)) refuse('host name', port.hostname)
  for (const fixed of port.fixedIps) {
    uuid('subnet', fixed.subnetId)
    ip('fixed address', fixed.ip)
  }
  for (const pair of port.allowedAddressPairs) {
    mac(pair.mac)
    ipOrCidr('allowed address', pair.ip)
  }
  port.rules.forEach(checkRule)
  for (const option of port.dhcpOptions ?? []) {
    if (!/^[a-z0-9][a-z0-9-]{0,63}$/.test(option.name)) refuse('DHCP option', option.name)
    if (!/^[\x20-\x7e]{0,255}$/.test(option.value)) refuse('DHCP option value', option.value)
    if (option.ipVersion !== 4 && option.ipVersion !== 6) refuse('DHCP option version', option.ipVersion)
  }
}

function checkRule(rule: RulePlan): void {
  if (rule.direction !== 'ingress' && rule.direction !== 'egress') refuse('direction', rule.direction)
  if (rule.ethertype !== 'IPv4' && rule.ethertype !== 'IPv6') refuse('ethertype', rule.ethertype)
  const version = rule.ethertype === 'IPv4' ? 4 : 6
  if (rule.protocol !== null) {
    if (/^\d{1,3}$/.test(rule.protocol)) integer('protocol', Number(rule.protocol), 0, 255)
    else if (!Object.hasOwn(protocolNumbers, rule.protocol)) refuse('protocol', rule.protocol)
  }
  if (rule.portMin !== null) integer('port', rule.portMin, 0, 65_535)
  if (rule.portMax !== null) integer('port', rule.portMax, 0, 65_535)
  if (rule.remoteCidr !== null) ipOrCidr('remote', rule.remoteCidr, version)
  if (rule.remoteIps !== null) checkRemotes(rule.remoteIps)
}

/** Lists that passed and cannot change any more: the ports of a group share one, which may be as long as the group has members. */
const passed = new WeakSet<readonly string[]>()

function checkRemotes(list: readonly string[]): void {
  if (passed.has(list)) return
  for (const remote of list) ipOrCidr('remote', remote)
  if (Object.isFrozen(list)) passed.add(list)
}

/** @throws {InvalidPlan} */
export function checkRouter(router: RouterPlan): void {
  uuid('router', router.id)
  for (const leg of router.interfaces) {
    uuid('network', leg.networkId)
    ip('router address', leg.ip)
    cidr('router subnet', leg.cidr, isIPv4(leg.ip) ? 4 : 6)
    if (leg.mac !== undefined) mac(leg.mac)
  }
  if (router.gateway) {
    uuid('network', router.gateway.externalNetworkId)
    ip('gateway address', router.gateway.ip)
    const version = isIPv4(router.gateway.ip) ? 4 : 6
    cidr('gateway subnet', router.gateway.cidr, version)
    ip('nexthop', router.gateway.nexthop, version)
    if (router.gateway.mac !== undefined) mac(router.gateway.mac)
  }
  for (const pair of router.floatingIps) {
    ip('floating address', pair.floating, 4)
    ip('fixed address', pair.fixed, 4)
  }
  unique(
    'floating address',
    router.floatingIps.map((pair) => pair.floating),
  )
  unique(
    'address with a floating one',
    router.floatingIps.map((pair) => pair.fixed),
  )
  for (const route of router.routes) {
    const version = isIPv4(route.nexthop) ? 4 : 6
    cidr('route', route.destination, version)
    ip('nexthop', route.nexthop, version)
  }
}

/** @throws {InvalidPlan} */
function checkExternal(external: ExternalPlan): void {
  uuid('network', external.networkId)
  integer('mtu', external.mtu, 68, 65_535)
  for (const own of external.hostIps) {
    ip('host address', own.ip)
    cidr('external subnet', own.cidr, isIPv4(own.ip) ? 4 : 6)
  }
}

/** @throws {InvalidPlan} Ids become names of namespaces and folders. */
export function uuid(what: string, text: string): void {
  if (!/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/.test(text)) refuse(what, text)
}

function mac(text: string): void {
  if (!/^[0-9a-f]{2}(:[0-9a-f]{2}){5}$/i.test(text)) refuse('MAC address', text)
}

function ip(what: string, text: string, version?: 4 | 6): void {
  // nftables reads no address with both colons and dots, such as 2001:db8::1.2.3.4.
  const found = text.includes('%') || (text.includes(':') && text.includes('.')) ? 0 : isIP(text)
  if (found === 0 || (version !== undefined && found !== version)) refuse(what, text)
}

function cidr(what: string, text: string, version?: 4 | 6): void {
  const [address = '', length = '', ...rest] = text.split('/')
  ip(what, address, version)
  // A length with a leading zero is a name to nftables.
  if (rest.length > 0 || !/^(0|[1-9]\d{0,2})$/.test(length) || Number(length) > (isIPv4(address) ? 32 : 128)) refuse(what, text)
}

function ipOrCidr(what: string, text: string, version?: 4 | 6): void {
  if (text.includes('/')) cidr(what, text, version)
  else ip(what, text, version)
}

function isLabel(text: string): boolean {
  return /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/i.test(text)
}

function domain(what: string, text: string): void {
  if (text.length > 254 || !text.replace(/\.$/, '').split('.').every(isLabel)) refuse(what, text)
}

function integer(what: string, value: number, low: number, high: number): void {
  if (!Number.isInteger(value) || value < low || value > high) refuse(what, value)
}

function unique(what: string, values: (string | number)[]): void {
  const seen = new Set<string | number>()
  for (const value of values) {
    if (seen.has(value)) throw new InvalidPlan(`${what} ${JSON.stringify(value)} occurs twice`)
    seen.add(value)
  }
}

function refuse(what: string, value: unknown): never {
  throw new InvalidPlan(`${what} ${JSON.stringify(value)?.slice(0, 80)} is not valid`)
}
