/**
 * Which addresses a port gets. Asked for nothing, a port gets one IPv4 address, one IPv6 address that the service gives out, and one in every subnet where
 * guests make their own.
 *
 * @see https://docs.openstack.org/api-ref/network/v2/#create-port (fixed_ips)
 */
import { type Cidr, canonicalIp, contains, eui64, ipNumber, keyOf, keyText, parseCidr, usable } from './addresses.ts'
import {
  addressesExhausted,
  addressOutside,
  addressOutsideSubnet,
  addressTaken,
  badAttribute,
  invalidInput,
  subnetExhausted,
  subnetNotFound,
} from './errors.ts'
import { release, takeKey, takeLowest } from './ipam.ts'
import { change, type PortRow, type Store, type SubnetRow } from './store.ts'

export type FixedIpRequest = { subnet_id?: string; ip_address?: string }
export type FixedIp = { subnet_id: string; ip_address: string }
type Holder = Pick<PortRow, 'id' | 'network_id' | 'mac_address' | 'device_owner'>

/** Whether guests make their own address from their MAC in this subnet. */
export const isAutoAddress = (subnet: Pick<SubnetRow, 'ipv6_address_mode'>): boolean =>
  subnet.ipv6_address_mode === 'slaac' || subnet.ipv6_address_mode === 'dhcpv6-stateless'

export const subnetsOf = (store: Store, networkId: string): SubnetRow[] =>
  store.db.prepare<SubnetRow>('SELECT * FROM subnets WHERE network_id = ? ORDER BY rowid').all(networkId)

export const fixedIpsOf = (store: Store, portId: string): FixedIp[] =>
  store.db.prepare<FixedIp>('SELECT subnet_id, ip_address FROM ipallocations WHERE port_id = ? ORDER BY rowid').all(portId)

/**
 * Gives a port its addresses; `null` asks for the usual ones.
 * @throws {CloudError} `conflict` for an address that somebody has, or when none is left; `invalid` for one that cannot be.
 */
export function assignFixedIps(store: Store, port: Holder, requests: readonly FixedIpRequest[] | null): void {
  const subnets = subnetsOf(store, port.network_id)
  if (requests === null) {
    assignUsual(store, port, subnets)
    return
  }
  if (!port.device_owner.startsWith('network:') && requests.length > store.maxFixedIps)
    throw invalidInput(`Exceeded maximum amount of fixed ips per port`)
  for (const request of requests) assignOne(store, port, subnets, request)
}

/** Makes the port's addresses those asked for, keeping what it has where that will do. @throws as {@link assignFixedIps}. */
export function replaceFixedIps(store: Store, port: Holder, requests: readonly FixedIpRequest[]): void {
  const kept = new Set<FixedIp>()
  const current = fixedIpsOf(store, port.id)
  const missing = requests.filter((request) => {
    const ip = request.ip_address === undefined ? undefined : canonicalIp(request.ip_address)
    const found = current.find(
      (own) =>
        !kept.has(own) &&
        (ip === undefined || own.ip_address === ip) &&
        (request.subnet_id === undefined || own.subnet_id === request.subnet_id),
    )
    if (found) kept.add(found)
    return !found
  })
  for (const own of current) if (!kept.has(own)) removeFixedIp(store, port.id, own)
  if (!port.device_owner.startsWith('network:') && requests.length > store.maxFixedIps)
    throw invalidInput(`Exceeded maximum amount of fixed ips per port`)
  const subnets = subnetsOf(store, port.network_id)
  for (const request of missing) assignOne(store, port, subnets, request)
}

/** Takes any address of the subnet; false when none is left. */
export function takeAny(store: Store, port: Holder, subnet: SubnetRow): boolean {
  if (isAutoAddress(subnet)) {
    takeCertain(store, port, subnet, eui64(parseCidr(subnet.cidr) as Cidr, port.mac_address))
    return true
  }
  const key = takeLowest(store.db, subnet.id)
  if (key === null) return false
  record(store, port, subnet, key, keyText(key))
  return true
}

export function releaseFixedIps(store: Store, portId: string): void {
  for (const own of fixedIpsOf(store, portId)) removeFixedIp(store, portId, own)
}

/** Gives it back to its subnet; floating addresses that led there lead nowhere. */
export function removeFixedIp(store: Store, portId: string, { subnet_id, ip_address }: FixedIp): void {
  const led = store.db
    .prepare<{ id: string; router_id: string | null }>(
      'SELECT id, router_id FROM floatingips WHERE fixed_port_id = ? AND fixed_ip_address = ?',
    )
    .all(portId, ip_address)
  for (const { id, router_id } of led) {
    change(store, 'floatingips', id, { fixed_port_id: null, fixed_ip_address: null, router_id: null, status: 'DOWN' })
    if (router_id !== null) store.touchRouter(router_id)
  }
  const key = keyOf(ipNumber(ip_address), ip_address.includes(':') ? 6 : 4)
  store.db.prepare('DELETE FROM ipallocations WHERE subnet_id = ? AND ip_key = ? AND port_id = ?').run(subnet_id, key, portId)
  release(store.db, subnet_id, key)
}

function assignUsual(store: Store, port: Holder, subnets: readonly SubnetRow[]): void {
  const given = subnets.filter((subnet) => !isAutoAddress(subnet))
  for (const version of [4, 6] as const) {
    const candidates = given.filter((subnet) => subnet.ip_version === version)
    if (candidates.length > 0 && !candidates.some((subnet) => takeAny(store, port, subnet))) throw addressesExhausted(port.network_id)
  }
  for (const subnet of subnets) if (isAutoAddress(subnet)) takeAny(store, port, subnet)
}

function assignOne(store: Store, port: Holder, subnets: readonly SubnetRow[], { subnet_id, ip_address }: FixedIpRequest): void {
  if (subnet_id !== undefined) {
    const subnet = subnets.find(({ id }) => id === subnet_id)
    if (!subnet) {
      if (!store.db.prepare('SELECT 1 FROM subnets WHERE id = ?').get(subnet_id)) throw subnetNotFound(subnet_id)
      throw invalidInput(`Failed to create port on network ${port.network_id}, because fixed_ips included invalid subnet ${subnet_id}`)
    }
    if (ip_address === undefined) {
      if (!takeAny(store, port, subnet)) throw subnetExhausted(subnet.id)
    } else {
      if (!isHostAddress(subnet, ip_address)) throw addressOutsideSubnet(ip_address)
      takeAsked(store, port, subnet, ip_address)
    }
    return
  }
  if (ip_address === undefined) throw badAttribute('fixed_ips', 'IP allocation requires subnet_id or ip_address')
  const subnet = subnets.find((candidate) => isHostAddress(candidate, ip_address))
  if (!subnet) throw addressOutside(ip_address)
  takeAsked(store, port, subnet, ip_address)
}

function isHostAddress(subnet: SubnetRow, ip: string): boolean {
  const cidr = parseCidr(subnet.cidr) as Cidr
  if (!contains(cidr, ip)) return false
  const { first, last } = usable(cidr)
  return first <= ipNumber(ip) && ipNumber(ip) <= last
}

function takeAsked(store: Store, port: Holder, subnet: SubnetRow, ip: string): void {
  const own = isAutoAddress(subnet) ? eui64(parseCidr(subnet.cidr) as Cidr, port.mac_address) : null
  if (own !== null && own !== canonicalIp(ip) && !port.device_owner.startsWith('network:router'))
    throw invalidInput(
      `IPv6 address ${ip} can not be directly assigned to a port on subnet ${subnet.id} since the subnet is configured for automatic addresses`,
    )
  takeCertain(store, port, subnet, ip)
}

function takeCertain(store: Store, port: Holder, subnet: SubnetRow, ip: string): void {
  const key = keyOf(ipNumber(ip), subnet.ip_version)
  if (store.db.prepare('SELECT 1 FROM ipallocations WHERE subnet_id = ? AND ip_key = ?').get(subnet.id, key))
    throw addressTaken(canonicalIp(ip), subnet.id)
  takeKey(store.db, subnet.id, key)
  record(store, port, subnet, key, canonicalIp(ip))
}

function record(store: Store, port: Holder, subnet: SubnetRow, key: string, ip: string): void {
  store.db
    .prepare('INSERT INTO ipallocations (port_id, subnet_id, network_id, ip_address, ip_key) VALUES (?, ?, ?, ?, ?)')
    .run(port.id, subnet.id, port.network_id, ip, key)
}
