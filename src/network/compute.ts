/** What the compute service asks for: ports of servers, and all that a guest must know of its networks. Synchronous: database only. */
import { conflict, invalid } from '../base/errors.ts'
import { canonicalIp, ipVersionOf } from './addresses.ts'
import { externalAttachForbidden, networkNotFound, portInUse, portNotFound } from './errors.ts'
import type { FixedIp } from './fixed-ips.ts'
import { type FullPort, fullPorts } from './network-data.ts'
import { bind, createPort, deletePortRow, unbind, updatePort } from './ports.ts'
import { ensureDefaultGroup } from './security-groups.ts'
import { type NetworkRow, rowOf, type Store } from './store.ts'

export type NetworkInfo = {
  id: string
  name: string
  projectId: string
  shared: boolean
  external: boolean
  adminStateUp: boolean
  mtu: number
  portSecurityEnabled: boolean
  subnetIds: string[]
}

export type Port = {
  id: string
  networkId: string
  projectId: string
  name: string
  mac: string
  status: 'ACTIVE' | 'DOWN'
  adminStateUp: boolean
  deviceId: string
  deviceOwner: string
  host: string | null
  vnicType: string
  portSecurityEnabled: boolean
  fixedIps: { subnetId: string; ip: string }[]
  securityGroupIds: string[]
  /** The caller's key of {@link ServerPort}; null for a port that a user made. */
  key: string | null
}

export type ServerPort = {
  networkId: string
  projectId: string
  deviceId: string
  /** `compute:<availability zone>` */
  deviceOwner: string
  host: string | null
  name?: string
  hostname: string
  /** Null: the project's default group. */
  securityGroupIds: string[] | null
  fixedIp?: string | null
  mac?: string | null
  /** Unique per device: a second call with the same one gives the port of the first. */
  key: string
}

export type Viewer = { projectId: string | null; isAdmin: boolean }

/** Begins the request key of a user's own port while a server has it: only the compute service can say so, whatever a port's `device_id` pretends. */
const attached = 'attached:'

function toPort(row: FullPort): Port {
  return {
    id: row.id,
    networkId: row.network_id,
    projectId: row.project_id,
    name: row.name,
    mac: row.mac_address,
    status: row.status === 'ACTIVE' ? 'ACTIVE' : 'DOWN',
    adminStateUp: row.admin_state_up === 1,
    deviceId: row.device_id,
    deviceOwner: row.device_owner,
    host: row.host_id === '' ? null : row.host_id,
    vnicType: row.vnic_type,
    portSecurityEnabled: row.port_security_enabled === 1,
    fixedIps: (JSON.parse(row.fixed_ips) as FixedIp[]).map(({ subnet_id, ip_address }) => ({ subnetId: subnet_id, ip: ip_address })),
    securityGroupIds: JSON.parse(row.groups),
    key: row.request_key?.startsWith(attached) ? null : row.request_key,
  }
}

/** What the project may attach to: with `ids` those of them that it can see, otherwise its own and the shared ones. Oldest first. */
export function usableNetworks(store: Store, projectId: string, isAdmin: boolean, ids?: readonly string[]): NetworkInfo[] {
  type Row = NetworkRow & { subnet_ids: string }
  const columns = `SELECT n.*, (SELECT json_group_array(s.id ORDER BY s.rowid) FROM subnets s WHERE s.network_id = n.id) AS subnet_ids FROM networks n`
  const rows = ids
    ? store.db
        .prepare<Row>(
          `${columns} WHERE n.id IN (SELECT value FROM json_each(?)) AND (? OR n.project_id = ? OR n.shared = 1 OR n.external = 1) ORDER BY n.rowid`,
        )
        .all(JSON.stringify(ids), isAdmin ? 1 : 0, projectId)
    : store.db
        .prepare<Row>(`${columns} WHERE n.external = 0 AND (n.project_id = ? OR n.shared = 1) ORDER BY n.project_id <> ?, n.rowid`)
        .all(projectId, projectId)
  return rows.map((row) => ({
    id: row.id,
    name: row.name,
    projectId: row.project_id,
    shared: row.shared === 1,
    external: row.external === 1,
    adminStateUp: row.admin_state_up === 1,
    mtu: row.mtu,
    portSecurityEnabled: row.port_security_enabled === 1,
    subnetIds: JSON.parse(row.subnet_ids),
  }))
}

/** Null when there is none, or none that the viewer may see. */
export function findPort(store: Store, id: string, viewer: Viewer): Port | null {
  const row = store.db.prepare<FullPort>(`${fullPorts} WHERE p.id = ?`).get(id)
  return row && (viewer.isAdmin || row.project_id === viewer.projectId) ? toPort(row) : null
}

function portById(store: Store, id: string): Port {
  const row = store.db.prepare<FullPort>(`${fullPorts} WHERE p.id = ?`).get(id)
  if (!row) throw portNotFound(id)
  return toPort(row)
}

export function portsOfMany(store: Store, deviceIds: readonly string[]): Map<string, Port[]> {
  const rows = store.db
    .prepare<FullPort>(`${fullPorts} WHERE p.device_id IN (SELECT value FROM json_each(?)) AND p.request_key IS NOT NULL ORDER BY p.rowid`)
    .all(JSON.stringify(deviceIds))
  return Map.groupBy(rows.map(toPort), (port) => port.deviceId)
}

/**
 * Makes a server's port; the same device and key give the port that is there.
 * @throws {CloudError} `not-found` NetworkNotFound, SecurityGroupNotFound; `over-quota`; `conflict` IpAddressAlreadyAllocated, IpAddressGenerationFailure,
 * MacAddressInUse; `invalid` InvalidIpForNetwork; `forbidden` ExternalNetworkAttachForbidden.
 */
export function createServerPort(store: Store, given: ServerPort): Port {
  return store.db.transaction(() => {
    const existing = store.db
      .prepare<{ id: string }>('SELECT id FROM ports WHERE device_id = ? AND request_key = ?')
      .get(given.deviceId, given.key)
    if (existing) {
      if (given.host !== null) bind(store, existing.id, given.host)
      return portById(store, existing.id)
    }
    const network = rowOf(store, 'networks', given.networkId)
    if (!network) throw networkNotFound(given.networkId)
    if (network.external && !network.shared && network.project_id !== given.projectId) throw externalAttachForbidden(network.id)
    const { id } = createPort(store, {
      project_id: given.projectId,
      network_id: given.networkId,
      name: given.name ?? '',
      device_id: given.deviceId,
      device_owner: given.deviceOwner,
      fixed_ips: given.fixedIp ? [{ ip_address: given.fixedIp }] : null,
      security_groups: network.port_security_enabled ? given.securityGroupIds : null,
      mac_address: given.mac ?? null,
      dns_name: dnsLabel(given.hostname),
      host_id: given.host ?? '',
      request_key: given.key,
    })
    return portById(store, id)
  })
}

export type Attachment = { deviceId: string; deviceOwner: string; host: string | null; hostname: string }

/** Gives a user's own port to a server. @throws {CloudError} `not-found`; `conflict` PortInUse when another device has it. */
export function attachPort(store: Store, id: string, to: Attachment): Port {
  return store.db.transaction(() => {
    const port = rowOf(store, 'ports', id)
    if (!port) throw portNotFound(id)
    if (port.device_id !== '' && port.device_id !== to.deviceId) throw portInUse(id, port.network_id, port.device_id)
    if (port.device_owner.startsWith('network:')) throw portInUse(id, port.network_id, port.device_id)
    updatePort(store, id, {
      device_id: to.deviceId,
      device_owner: to.deviceOwner,
      request_key: `${attached}${id}`,
      dns_name: port.dns_name || dnsLabel(to.hostname),
      ...(to.host === null ? {} : { host_id: to.host }),
    })
    return portById(store, id)
  })
}

/** Takes a user's port from its server; it keeps its addresses. */
export function detachPort(store: Store, id: string): void {
  store.db.transaction(() => {
    if (!rowOf(store, 'ports', id)) return
    unbind(store, id)
    updatePort(store, id, { device_id: '', device_owner: '', host_id: '', dns_name: '' })
  })
}

export const deleteServerPort = (store: Store, id: string): void => deletePortRow(store, id)

/** Which groups a server's port is in, instead of those it was in. @throws {CloudError} `not-found`; `conflict` when the port has no port security. */
export const setPortGroups = (store: Store, id: string, groupIds: readonly string[]): void =>
  updatePort(store, id, { security_groups: [...groupIds] })

/**
 * Groups by name or id, in the order asked.
 * @throws {CloudError} `invalid` for one that the project doesn't have, `conflict` for a name that several have.
 */
export function groupsByNameOrId(store: Store, projectId: string, names: readonly string[]): { id: string; name: string }[] {
  ensureDefaultGroup(store, projectId)
  const rows = store.db
    .prepare<{ id: string; name: string }>(
      `SELECT id, name FROM securitygroups WHERE project_id = ? AND (id IN (SELECT value FROM json_each(?)) OR name IN (SELECT value FROM json_each(?)))`,
    )
    .all(projectId, JSON.stringify(names), JSON.stringify(names))
  return names.map((wanted) => {
    const byId = rows.find(({ id }) => id === wanted)
    if (byId) return byId
    const byName = rows.filter(({ name }) => name === wanted)
    if (byName.length > 1) throw conflict(`Multiple security groups found matching '${wanted}'. Use an ID to be more specific.`)
    if (!byName[0]) throw invalid(`Unable to find security_group with name or id '${wanted}'`)
    return byName[0]
  })
}

export type PortIdentity = { portId: string; deviceId: string; projectId: string }

/** Whose address this is, for the metadata service. */
export function findPortByAddress(store: Store, networkId: string, ip: string): PortIdentity | null {
  if (ipVersionOf(ip) === null) return null
  return (
    store.db
      .prepare<PortIdentity>(
        `SELECT p.id AS portId, p.device_id AS deviceId, p.project_id AS projectId FROM ipallocations a JOIN ports p ON p.id = a.port_id
           WHERE a.network_id = ? AND a.ip_address = ? AND p.request_key IS NOT NULL`,
      )
      .get(networkId, canonicalIp(ip)) ?? null
  )
}

/** As {@link findPortByAddress}, over all networks, whose addresses may overlap. */
export function findPortsByAddress(store: Store, ip: string): PortIdentity[] {
  if (ipVersionOf(ip) === null) return []
  return store.db
    .prepare<PortIdentity>(
      `SELECT p.id AS portId, p.device_id AS deviceId, p.project_id AS projectId FROM ipallocations a JOIN ports p ON p.id = a.port_id
         WHERE a.ip_address = ? AND p.request_key IS NOT NULL`,
    )
    .all(canonicalIp(ip))
}

/** Every server that a port names as its device. */
export const ownedDevices = (store: Store): string[] =>
  store.db
    .prepare<{ id: string }>("SELECT DISTINCT device_id AS id FROM ports WHERE request_key IS NOT NULL AND device_id <> ''")
    .all()
    .map(({ id }) => id)

/** One DNS label of a host name; empty when nothing of it can be one. */
function dnsLabel(hostname: string): string {
  return (hostname.split('.')[0] ?? '')
    .toLowerCase()
    .replace(/[^a-z0-9-]+/g, '-')
    .slice(0, 63)
    .replace(/^-+|-+$/g, '')
}
