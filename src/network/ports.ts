/**
 * Ports: a MAC, addresses and security groups on a network, given to one device.
 *
 * A port *bound* to a host has a mark there and is in the plan of its network; its status says whether it is plugged.
 *
 * @see https://docs.openstack.org/api-ref/network/v2/#ports
 */
import { conflict, unavailable } from '../base/errors.ts'
import { randomMac } from './addresses.ts'
import {
  groupNotFound,
  macInUse,
  networkNotFound,
  portNotFound,
  portSecurityAndIpRequired,
  portSecurityNeedsNoAddresses,
  portSecurityNeedsNoGroups,
  servicePortInUse,
} from './errors.ts'
import { assignFixedIps, type FixedIpRequest, releaseFixedIps, replaceFixedIps } from './fixed-ips.ts'
import { checkQuota } from './quotas.ts'
import { ensureDefaultGroup } from './security-groups.ts'
import { bit, change, drop, insert, newStandard, type PortRow, revise, rowOf, type Store } from './store.ts'

export type AddressPair = { mac_address?: string; ip_address: string }
export type DhcpOption = { opt_name: string; opt_value: string; ip_version: number }

export type NewPort = {
  project_id: string
  network_id: string
  name?: string
  description?: string
  tags?: string[]
  mac_address?: string | null
  admin_state_up?: boolean
  status?: string
  device_id: string
  device_owner: string
  /** Null: the usual ones. */
  fixed_ips: readonly FixedIpRequest[] | null
  /** Null: the project's default group. */
  security_groups: readonly string[] | null
  /** Null: as the network says. */
  port_security_enabled?: boolean | null
  allowed_address_pairs?: readonly AddressPair[]
  extra_dhcp_opts?: readonly DhcpOption[]
  dns_name?: string
  host_id?: string
  vnic_type?: string
  profile?: Record<string, unknown>
  request_key?: string | null
}

/** @throws {CloudError} under Neutron's names: `not-found` network or group, `conflict` for addresses, `over-quota`. */
export function createPort(store: Store, given: NewPort, options = { checkQuota: true }): PortRow {
  return store.db.transaction(() => {
    const network = rowOf(store, 'networks', given.network_id)
    if (!network) throw networkNotFound(given.network_id)
    if (options.checkQuota) checkQuota(store, given.project_id, 'port')
    const secure = given.port_security_enabled ?? network.port_security_enabled === 1
    const pairs = given.allowed_address_pairs ?? []
    if (!secure && pairs.length > 0) throw portSecurityNeedsNoAddresses()
    if (!secure && given.security_groups && given.security_groups.length > 0) throw portSecurityAndIpRequired()
    const mac = given.mac_address?.toLowerCase() ?? freeMac(store, network.id)
    if (given.mac_address && hasMac(store, network.id, mac)) throw macInUse(mac, network.id)
    const host = given.host_id ?? ''
    const row = insert(store, 'ports', {
      ...newStandard(store, given),
      network_id: network.id,
      mac_address: mac,
      admin_state_up: bit(given.admin_state_up ?? true),
      status: given.status ?? 'DOWN',
      device_id: given.device_id,
      device_owner: given.device_owner,
      port_security_enabled: bit(secure),
      allowed_address_pairs: pairsText(pairs, mac),
      extra_dhcp_opts: JSON.stringify(given.extra_dhcp_opts ?? []),
      dns_name: given.dns_name ?? '',
      host_id: host,
      vnic_type: given.vnic_type ?? 'normal',
      profile: JSON.stringify(given.profile ?? {}),
      bridge: null,
      request_key: given.request_key ?? null,
      mark: null,
    })
    assignFixedIps(store, row, given.fixed_ips)
    const groups =
      given.security_groups ?? (secure && !given.device_owner.startsWith('network:') ? [ensureDefaultGroup(store, given.project_id)] : [])
    setGroups(store, row.id, groups)
    if (isGuest(given.device_owner) && host !== '') bind(store, row.id, host)
    return row
  })
}

export type PortChanges = {
  name?: string
  description?: string
  admin_state_up?: boolean
  device_id?: string
  device_owner?: string
  mac_address?: string
  fixed_ips?: readonly FixedIpRequest[]
  security_groups?: readonly string[]
  port_security_enabled?: boolean
  allowed_address_pairs?: readonly AddressPair[]
  extra_dhcp_opts?: readonly DhcpOption[]
  dns_name?: string
  host_id?: string
  vnic_type?: string
  profile?: Record<string, unknown>
  /** Left out, it is taken away when the device changes: a port is a server's only by the compute service's word. */
  request_key?: string | null
}

/** @throws {CloudError} as {@link createPort}; `not-found` for the port. */
export function updatePort(store: Store, id: string, changes: PortChanges): void {
  store.db.transaction(() => {
    const port = rowOf(store, 'ports', id)
    if (!port) throw portNotFound(id)
    const secure = changes.port_security_enabled ?? port.port_security_enabled === 1
    const groups = changes.security_groups
    const hasPairs = changes.allowed_address_pairs ? changes.allowed_address_pairs.length > 0 : port.allowed_address_pairs !== '[]'
    if (!secure) {
      if (hasPairs) throw portSecurityNeedsNoAddresses()
      if (groups && groups.length > 0) throw portSecurityAndIpRequired()
      if (!groups && groupsOf(store, id).length > 0) throw portSecurityNeedsNoGroups()
    }
    const mac = changes.mac_address?.toLowerCase()
    if (mac !== undefined && mac !== port.mac_address) {
      if (port.host_id !== '' && port.device_owner !== '')
        throw conflict(`Unable to change the mac address of bound port ${id}.`, { type: 'PortBound' })
      if (hasMac(store, port.network_id, mac)) throw macInUse(mac, port.network_id)
    }
    const current = { ...port, mac_address: mac ?? port.mac_address, device_owner: changes.device_owner ?? port.device_owner }
    change(store, 'ports', id, {
      name: changes.name,
      description: changes.description,
      admin_state_up: changes.admin_state_up === undefined ? undefined : bit(changes.admin_state_up),
      device_id: changes.device_id,
      device_owner: changes.device_owner,
      request_key: changes.request_key ?? (changes.device_id === undefined || changes.device_id === port.device_id ? undefined : null),
      mac_address: mac,
      port_security_enabled: changes.port_security_enabled === undefined ? undefined : bit(secure),
      allowed_address_pairs: changes.allowed_address_pairs && pairsText(changes.allowed_address_pairs, current.mac_address),
      extra_dhcp_opts: changes.extra_dhcp_opts && JSON.stringify(changes.extra_dhcp_opts),
      dns_name: changes.dns_name,
      host_id: changes.host_id,
      vnic_type: changes.vnic_type,
      profile: changes.profile && JSON.stringify(changes.profile),
    })
    if (changes.fixed_ips || groups) revise(store, 'ports', id)
    touchGroups(store, id)
    if (changes.fixed_ips) replaceFixedIps(store, current, changes.fixed_ips)
    if (groups) setGroups(store, id, groups)
    const host = changes.host_id ?? port.host_id
    if (host !== '' && isGuest(current.device_owner)) bind(store, id, host)
    else if (port.mark !== null) unbind(store, id)
    store.touchNetwork(port.network_id)
  })
}

/** @throws {CloudError} `not-found`; `conflict` for a router's own ports. */
export function deletePort(store: Store, id: string): void {
  const port = rowOf(store, 'ports', id)
  if (!port) throw portNotFound(id)
  const owners = ['network:router_interface', 'network:router_gateway', 'network:floatingip']
  if (owners.includes(port.device_owner)) throw servicePortInUse(id, `has device owner ${port.device_owner}`)
  deletePortRow(store, id)
}

/** Deletes whatever port it is; one that isn't there is no fault. */
export function deletePortRow(store: Store, id: string): void {
  store.db.transaction(() => {
    const port = rowOf(store, 'ports', id)
    if (!port) return
    touchGroups(store, id)
    releaseFixedIps(store, id)
    drop(store, 'ports', id)
    if (port.status === 'ACTIVE') store.portStatus('down', port)
    if (port.mark !== null) store.touchNetwork(port.network_id)
  })
}

/** Whether a port with this owner belongs to a server. */
const isGuest = (deviceOwner: string): boolean => deviceOwner.startsWith('compute:')

const lastMark = 65_534

/** @throws {CloudError} `unavailable` when the host has no mark left. */
export function bind(store: Store, id: string, host: string): void {
  store.db.prepare('UPDATE ports SET host_id = ?, mark = coalesce(mark, ?) WHERE id = ?').run(host, freeMark(store, id), id)
}

/** Takes the port out of the plan; it keeps its addresses. */
export function unbind(store: Store, id: string): void {
  const port = rowOf(store, 'ports', id)
  if (!port || port.mark === null) return
  store.db.prepare("UPDATE ports SET mark = NULL, bridge = NULL, status = 'DOWN' WHERE id = ?").run(id)
  if (port.status === 'ACTIVE') store.portStatus('down', port)
  store.touchNetwork(port.network_id)
}

function freeMark(store: Store, id: string): number | null {
  const { db } = store
  if (db.prepare('SELECT 1 FROM ports WHERE id = ? AND mark IS NOT NULL').get(id)) return null
  const top = db.prepare<{ mark: number | null }>('SELECT max(mark) AS mark FROM ports').get()?.mark ?? 0
  if (top < lastMark) return top + 1
  const gap = db
    .prepare<{ mark: number }>(
      `SELECT min(mark) AS mark FROM (SELECT 1 AS mark UNION SELECT mark + 1 FROM ports WHERE mark < ${lastMark}) c
         WHERE NOT EXISTS (SELECT 1 FROM ports p WHERE p.mark = c.mark)`,
    )
    .get()?.mark
  if (!gap) throw unavailable(`The host cannot tell more than ${lastMark} ports apart.`)
  return gap
}

export const groupsOf = (store: Store, portId: string): string[] =>
  store.db
    .prepare<{ id: string }>('SELECT security_group_id AS id FROM securitygroupportbindings WHERE port_id = ? ORDER BY rowid')
    .all(portId)
    .map(({ id }) => id)

function setGroups(store: Store, portId: string, groups: readonly string[]): void {
  store.db.prepare('DELETE FROM securitygroupportbindings WHERE port_id = ?').run(portId)
  const add = store.db.prepare('INSERT INTO securitygroupportbindings (port_id, security_group_id) VALUES (?, ?)')
  for (const group of new Set(groups)) {
    if (!rowOf(store, 'securitygroups', group)) throw groupNotFound(group)
    add.run(portId, group)
    store.touchGroup(group)
  }
}

/** The addresses of a group's members are in the rules of others. */
function touchGroups(store: Store, portId: string): void {
  for (const group of groupsOf(store, portId)) store.touchGroup(group)
}

const hasMac = (store: Store, networkId: string, mac: string): boolean =>
  store.db.prepare('SELECT 1 FROM ports WHERE network_id = ? AND mac_address = ?').get(networkId, mac) !== undefined

/** @throws {CloudError} `unavailable` after as many tries as Neutron makes. */
function freeMac(store: Store, networkId: string): string {
  for (let tries = 0; tries < 16; tries += 1) {
    const mac = randomMac()
    if (!hasMac(store, networkId, mac)) return mac
  }
  throw unavailable(`Unable to generate unique mac on network ${networkId}.`, { type: 'MacAddressGenerationFailure' })
}

const pairsText = (pairs: readonly AddressPair[], mac: string): string =>
  JSON.stringify(pairs.map((pair) => ({ mac_address: pair.mac_address?.toLowerCase() ?? mac, ip_address: pair.ip_address })))
