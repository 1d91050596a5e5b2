/**
 * Subnets: a block of addresses of a network, with pools to give out, a gateway, and a DHCP server of our own that has a port like everybody else.
 *
 * @see https://docs.openstack.org/api-ref/network/v2/#subnets
 * @see https://docs.openstack.org/neutron/latest/admin/config-ipv6.html (address modes)
 */
import { conflict, invalid } from '../base/errors.ts'
import { type Cidr, canonicalIp, contains, ipNumber, ipText, ipVersionOf, keyOf, keyText, overlap, parseCidr, usable } from './addresses.ts'
import { badAttribute, invalidInput, networkNotFound, overlapping, subnetInUse, subnetNotFound } from './errors.ts'
import { fixedIpsOf, isAutoAddress, removeFixedIp, subnetsOf, takeAny } from './fixed-ips.ts'
import { type Range, setPools } from './ipam.ts'
import { createPort, deletePortRow } from './ports.ts'
import { checkQuota } from './quotas.ts'
import { bit, change, drop, insert, newStandard, type PortRow, revise, rowOf, type Store, type SubnetRow } from './store.ts'

export type Pool = { start: string; end: string }
export type NewSubnet = {
  project_id: string
  network_id: string
  name: string
  description: string
  tags?: string[]
  ip_version: 4 | 6
  cidr: string
  /** Undefined: the first address; null: none. */
  gateway_ip?: string | null
  allocation_pools?: Pool[] | null
  enable_dhcp: boolean
  dns_nameservers: string[]
  host_routes: { destination: string; nexthop: string }[]
  ipv6_ra_mode: string | null
  ipv6_address_mode: string | null
}

/** @throws {CloudError} `invalid`, `not-found` (the network), `conflict`, `over-quota`. */
export function createSubnet(store: Store, given: NewSubnet): SubnetRow {
  return store.db.transaction(() => {
    const network = rowOf(store, 'networks', given.network_id)
    if (!network) throw networkNotFound(given.network_id)
    const cidr = parseCidr(given.cidr)
    if (!cidr) throw badAttribute('cidr', `'${given.cidr.slice(0, 64)}' is not a valid IP subnet`)
    if (cidr.text !== canonicalCidr(given.cidr))
      throw badAttribute('cidr', `'${given.cidr}' isn't a recognized IP subnet cidr, '${cidr.text}' is recommended`)
    if (cidr.version !== given.ip_version) throw invalidInput(`cidr '${given.cidr}' does not match the ip_version '${given.ip_version}'`)
    if (cidr.prefix === 0) throw invalidInput('0 is not allowed as CIDR prefix length')
    checkModes(given, cidr)
    checkQuota(store, given.project_id, 'subnet')
    const neighbour = subnetsOf(store, network.id).find((other) => overlap(parseCidr(other.cidr) as Cidr, cidr))
    if (neighbour) throw overlapping(cidr.text, network.id, neighbour.id, neighbour.cidr)

    const gateway = given.gateway_ip === undefined ? defaultGateway(cidr) : given.gateway_ip === null ? null : canonicalIp(given.gateway_ip)
    if (gateway !== null) checkGateway(gateway, cidr)
    const pools = given.allocation_pools ? checkPools(given.allocation_pools, cidr, gateway) : defaultPools(cidr, gateway)
    checkServersAndRoutes(given.dns_nameservers, given.host_routes, cidr)

    const row = insert(store, 'subnets', {
      ...newStandard(store, given),
      network_id: network.id,
      ip_version: cidr.version,
      cidr: cidr.text,
      gateway_ip: gateway,
      enable_dhcp: bit(given.enable_dhcp),
      ipv6_ra_mode: given.ipv6_ra_mode,
      ipv6_address_mode: given.ipv6_address_mode,
      dns_nameservers: JSON.stringify(given.dns_nameservers.map(canonicalIp)),
      host_routes: JSON.stringify(given.host_routes),
    })
    setPools(store.db, row.id, pools)
    if (given.enable_dhcp && !network.external) addDhcpAddress(store, row)
    store.touchNetwork(network.id)
    return row
  })
}

export type SubnetChanges = Partial<Pick<SubnetRow, 'name' | 'description'>> & {
  gateway_ip?: string | null
  allocation_pools?: Pool[]
  enable_dhcp?: boolean
  dns_nameservers?: string[]
  host_routes?: { destination: string; nexthop: string }[]
}

/** @throws {CloudError} `not-found`, `invalid`, `conflict` (the gateway is a router's). */
export function updateSubnet(store: Store, id: string, changes: SubnetChanges): void {
  store.db.transaction(() => {
    const subnet = rowOf(store, 'subnets', id)
    if (!subnet) throw subnetNotFound(id)
    const cidr = parseCidr(subnet.cidr) as Cidr
    const gateway =
      changes.gateway_ip === undefined ? subnet.gateway_ip : changes.gateway_ip === null ? null : canonicalIp(changes.gateway_ip)
    if (gateway !== subnet.gateway_ip) {
      if (gateway !== null) checkGateway(gateway, cidr)
      const holder = subnet.gateway_ip === null ? undefined : holderOf(store, id, subnet.gateway_ip)
      if (holder?.device_owner === 'network:router_interface')
        throw conflict(`Gateway ip ${subnet.gateway_ip} in use by port ${holder.id}.`, { type: 'GatewayIpInUse' })
    }
    checkServersAndRoutes(changes.dns_nameservers ?? [], changes.host_routes ?? [], cidr)
    if (changes.allocation_pools) setPools(store.db, id, checkPools(changes.allocation_pools, cidr, gateway))
    else if (gateway !== subnet.gateway_ip && gateway !== null && poolsOf(store, id).some((pool) => inPool(pool, gateway, cidr)))
      throw gatewayInPool(gateway)
    change(store, 'subnets', id, {
      name: changes.name,
      description: changes.description,
      gateway_ip: gateway === subnet.gateway_ip ? undefined : gateway,
      enable_dhcp: changes.enable_dhcp === undefined ? undefined : bit(changes.enable_dhcp),
      dns_nameservers: changes.dns_nameservers && JSON.stringify(changes.dns_nameservers.map(canonicalIp)),
      host_routes: changes.host_routes && JSON.stringify(changes.host_routes),
    })
    if (changes.allocation_pools) revise(store, 'subnets', id)
    if (changes.enable_dhcp === true && !subnet.enable_dhcp) addDhcpAddress(store, subnet)
    if (changes.enable_dhcp === false && subnet.enable_dhcp) dropDhcpAddress(store, subnet)
    store.touchNetwork(subnet.network_id)
  })
}

/** @throws {CloudError} `not-found`; `conflict` while ports, other than the service's own, have addresses of it. */
export function deleteSubnet(store: Store, id: string): void {
  store.db.transaction(() => {
    const subnet = rowOf(store, 'subnets', id)
    if (!subnet) throw subnetNotFound(id)
    const holder = store.db
      .prepare<{ id: string }>(
        `SELECT p.id FROM ipallocations a JOIN ports p ON p.id = a.port_id
           WHERE a.subnet_id = ? AND p.device_owner <> 'network:dhcp' AND (? = 0 OR p.device_owner LIKE 'network:router%') LIMIT 1`,
      )
      .get(id, bit(isAutoAddress(subnet)))
    if (holder) throw subnetInUse(id)
    dropDhcpAddress(store, subnet)
    store.db.prepare('DELETE FROM ipallocations WHERE subnet_id = ?').run(id)
    drop(store, 'subnets', id)
    store.touchNetwork(subnet.network_id)
  })
}

const poolsOf = (store: Store, subnetId: string): Pool[] =>
  store.db
    .prepare<Range>('SELECT first_key, last_key FROM ipallocationpools WHERE subnet_id = ? ORDER BY first_key')
    .all(subnetId)
    .map(({ first_key, last_key }) => ({ start: keyText(first_key), end: keyText(last_key) }))

function canonicalCidr(text: string): string {
  const [address = '', length] = text.split('/')
  return `${canonicalIp(address)}/${Number(length)}`
}

function checkModes(given: NewSubnet, cidr: Cidr): void {
  const { ipv6_ra_mode: ra, ipv6_address_mode: address } = given
  if (ra === null && address === null) return
  if (cidr.version === 4) throw invalidInput('ipv6_ra_mode or ipv6_address_mode cannot be set when ip_version is 4')
  if (!given.enable_dhcp) throw invalidInput('ipv6_ra_mode or ipv6_address_mode cannot be set when enable_dhcp is set to False')
  if (ra !== null && address !== null && ra !== address)
    throw invalidInput(
      `ipv6_ra_mode set to '${ra}' with ipv6_address_mode set to '${address}' is not valid. If both attributes are set, they must be the same value`,
    )
  if (cidr.prefix !== 64 && [ra, address].some((mode) => mode === 'slaac' || mode === 'dhcpv6-stateless'))
    throw invalidInput(
      `Invalid CIDR ${cidr.text} for IPv6 address mode. OpenStack uses the EUI-64 address format, which requires the prefix to be /64`,
    )
}

function defaultGateway(cidr: Cidr): string | null {
  const { first, last } = usable(cidr)
  const full = cidr.version === 4 ? 32 : 128
  if (cidr.prefix === full || first > last) return null
  return ipText(first, cidr.version)
}

function checkGateway(gateway: string, cidr: Cidr): void {
  const isLinkLocal = cidr.version === 6 && /^fe[89ab]/i.test(gateway)
  if (isLinkLocal) return
  const { first, last } = usable(cidr)
  if (!contains(cidr, gateway) || ipNumber(gateway) < first || ipNumber(gateway) > last)
    throw invalidInput('Gateway is not valid on subnet')
}

const gatewayInPool = (gateway: string) =>
  conflict(`Gateway ip ${gateway} conflicts with allocation pool.`, { type: 'GatewayConflictWithAllocationPools' })

const inPool = (pool: Pool, ip: string, cidr: Cidr): boolean =>
  contains(cidr, ip) && ipNumber(pool.start) <= ipNumber(ip) && ipNumber(ip) <= ipNumber(pool.end)

function defaultPools(cidr: Cidr, gateway: string | null): Range[] {
  const { first, last } = usable(cidr)
  const cut = gateway !== null && contains(cidr, gateway) ? ipNumber(gateway) : null
  const ranges: [bigint, bigint][] =
    cut === null
      ? [[first, last]]
      : [
          [first, cut - 1n],
          [cut + 1n, last],
        ]
  return ranges
    .filter(([from, to]) => from <= to)
    .map(([from, to]) => ({ first_key: keyOf(from, cidr.version), last_key: keyOf(to, cidr.version) }))
}

/** @throws {CloudError} `invalid` outside of the subnet, `conflict` for pools that overlap or hold the gateway. */
function checkPools(pools: readonly Pool[], cidr: Cidr, gateway: string | null): Range[] {
  const { first, last } = usable(cidr)
  const ranges = pools
    .map(({ start, end }) => {
      if (!contains(cidr, start) || !contains(cidr, end) || ipNumber(start) < first || ipNumber(end) > last)
        throw invalidPool(`The allocation pool ${start}-${end} spans beyond the subnet cidr ${cidr.text}.`, 'OutOfBoundsAllocationPool')
      if (ipNumber(start) > ipNumber(end)) throw invalidPool(`The allocation pool ${start}-${end} is not valid.`, 'InvalidAllocationPool')
      if (gateway !== null && inPool({ start, end }, gateway, cidr)) throw gatewayInPool(gateway)
      return { start, end, first_key: keyOf(ipNumber(start), cidr.version), last_key: keyOf(ipNumber(end), cidr.version) }
    })
    .sort((a, b) => (a.first_key < b.first_key ? -1 : 1))
  ranges.forEach((range, i) => {
    const next = ranges[i + 1]
    if (next && next.first_key <= range.last_key)
      throw conflict(
        `Found overlapping allocation pools: ${range.start}-${range.end}, ${next.start}-${next.end} for subnet ${cidr.text}.`,
        { type: 'OverlappingAllocationPools' },
      )
  })
  return ranges.map(({ first_key, last_key }) => ({ first_key, last_key }))
}

const invalidPool = (message: string, type: string) => invalid(message, { type })

function checkServersAndRoutes(servers: readonly string[], routes: readonly { destination: string; nexthop: string }[], cidr: Cidr): void {
  if (servers.length > 5)
    throw invalid('Unable to complete operation: the number of DNS nameservers exceeds the maximum 5.', { type: 'DNSNameServersExhausted' })
  if (routes.length > 20)
    throw invalid('Unable to complete operation: the number of host routes exceeds the maximum 20.', { type: 'HostRoutesExhausted' })
  if (new Set(servers.map(canonicalIp)).size < servers.length)
    throw badAttribute('dns_nameservers', `Duplicate items in the list: '${servers.join("', '")}'`)
  for (const { destination, nexthop } of routes) {
    if (parseCidr(destination)?.version !== cidr.version)
      throw invalidInput(`destination ${destination} is not of IP version ${cidr.version}`)
    if (ipVersionOf(nexthop) !== cidr.version) throw invalidInput(`nexthop ${nexthop} is not of IP version ${cidr.version}`)
  }
}

const holderOf = (store: Store, subnetId: string, ip: string) =>
  store.db
    .prepare<{ id: string; device_owner: string }>(
      'SELECT p.id, p.device_owner FROM ipallocations a JOIN ports p ON p.id = a.port_id WHERE a.subnet_id = ? AND a.ip_address = ?',
    )
    .get(subnetId, ip)

const dhcpPortOf = (store: Store, networkId: string): PortRow | undefined =>
  store.db.prepare<PortRow>("SELECT * FROM ports WHERE network_id = ? AND device_owner = 'network:dhcp' LIMIT 1").get(networkId)

/** Gives the network's DHCP server an address in the subnet; a subnet too small for one stays without. */
function addDhcpAddress(store: Store, subnet: SubnetRow): void {
  const network = rowOf(store, 'networks', subnet.network_id)
  if (!network) throw networkNotFound(subnet.network_id)
  const port =
    dhcpPortOf(store, network.id) ??
    createPort(
      store,
      {
        project_id: network.project_id,
        network_id: network.id,
        device_id: `dhcp-${network.id}`,
        device_owner: 'network:dhcp',
        fixed_ips: [],
        security_groups: [],
        port_security_enabled: false,
        status: 'ACTIVE',
      },
      { checkQuota: false },
    )
  takeAny(store, port, subnet)
}

function dropDhcpAddress(store: Store, subnet: SubnetRow): void {
  const port = dhcpPortOf(store, subnet.network_id)
  if (!port) return
  const held = fixedIpsOf(store, port.id)
  for (const own of held) if (own.subnet_id === subnet.id) removeFixedIp(store, port.id, own)
  if (held.every((own) => own.subnet_id === subnet.id)) deletePortRow(store, port.id)
}
