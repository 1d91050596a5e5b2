/**
 * What the Compute API's older versions pass on to this service: networks as a user sees them, floating addresses, security
 * groups and their rules, further addresses of a server's port. Synchronous: database only.
 *
 * A `viewer` sees what is the project's own, and all as an administrator; what it may not see is as if it were not there.
 *
 * @see https://docs.openstack.org/api-ref/compute/#floating-ips-os-floating-ips-deprecated
 */
import { CloudError, conflict } from '../base/errors.ts'
import { canonicalIp } from './addresses.ts'
import { type NetworkInfo, portsOfMany, usableNetworks, type Viewer } from './compute.ts'
import { addressesExhausted, groupNotFound, networkNotFound } from './errors.ts'
import { subnetsOf } from './fixed-ips.ts'
import { createFloatingIp, deleteFloatingIp, redirect } from './floating-ips.ts'
import { groupsWithRules, type SecurityGroup, type SecurityGroupRule } from './group-rules.ts'
import { updatePort } from './ports.ts'
import { createGroup, createRule, deleteGroup, deleteRule, ensureDefaultGroup, updateGroup } from './security-groups.ts'
import { rowOf, type Store } from './store.ts'

export type FloatingIp = {
  id: string
  projectId: string
  address: string
  /** The external network it is from: its name, or the id of one that has none. */
  pool: string
  fixedIp: string | null
  portId: string | null
  /** The device of the port it leads to. */
  deviceId: string | null
}

/** What may come in; ports null for all of them. */
export type IncomingRule = {
  groupId: string
  protocol: string | null
  from: number | null
  to: number | null
  /** One of both, or none. */
  cidr: string | null
  remoteGroupId: string | null
}

export type NetworkProxies = {
  /** With the external ones; oldest first. */
  networks(viewer: Viewer): NetworkInfo[]
  network(id: string, viewer: Viewer): NetworkInfo | null

  floatingIps(projectId: string): FloatingIp[]
  floatingIp(id: string, viewer: Viewer): FloatingIp | null
  /** External networks may overlap, so there can be several. */
  floatingIpsAt(address: string, viewer: Viewer): FloatingIp[]
  /** @throws {CloudError} `over-quota`; `conflict` when the pool is empty. */
  createFloatingIp(projectId: string, networkId: string): FloatingIp
  /** Leads it to a port's address, or nowhere. @throws {CloudError} `not-found`, `invalid`, `conflict`. */
  redirectFloatingIp(id: string, to: { portId: string; fixedIp: string } | null): void
  /** @throws {CloudError} `not-found`. */
  deleteFloatingIp(id: string): void

  /** By project and name, with their rules. */
  securityGroups(projectId: string | null): SecurityGroup[]
  securityGroup(id: string, viewer: Viewer): SecurityGroup | null
  /** @throws {CloudError} `conflict` for the reserved name; `over-quota`. */
  createSecurityGroup(projectId: string, name: string, description: string): SecurityGroup
  /** @throws {CloudError} `not-found`; `conflict` for renaming the default group. */
  updateSecurityGroup(id: string, changes: { name: string; description: string }): SecurityGroup
  /** @throws {CloudError} `not-found`; `conflict` while ports use it, and for a default group unless an administrator asks. */
  deleteSecurityGroup(id: string, viewer: Viewer): void
  /** @throws {CloudError} `not-found`, `invalid`; `conflict` for one that is there; `over-quota`. */
  createRule(rule: IncomingRule): SecurityGroupRule
  hasRule(id: string, viewer: Viewer): boolean
  /** @throws {CloudError} `not-found`. */
  deleteRule(id: string): void

  /** One more address for the device's first port on the network. @throws {CloudError} `not-found`; `conflict` when none is left; `invalid`. */
  addFixedIp(deviceId: string, networkId: string): void
  /** False when the device has no such address. What floating addresses led there lead nowhere. */
  removeFixedIp(deviceId: string, address: string): boolean
}

const sees = ({ projectId, isAdmin }: Viewer, owner: string): boolean => isAdmin || owner === projectId

const floatingColumns = `SELECT f.id, f.project_id AS projectId, f.floating_ip_address AS address, coalesce(nullif(n.name, ''), n.id) AS pool,
    f.fixed_ip_address AS fixedIp, f.fixed_port_id AS portId, nullif(p.device_id, '') AS deviceId
  FROM floatingips f JOIN networks n ON n.id = f.floating_network_id LEFT JOIN ports p ON p.id = f.fixed_port_id`

/** @throws {CloudError} as {@link NetworkProxies}.addFixedIp. */
function addFixedIp(store: Store, deviceId: string, networkId: string): void {
  store.db.transaction(() => {
    const port = portsOfMany(store, [deviceId])
      .get(deviceId)
      ?.find((one) => one.networkId === networkId)
    if (!port) throw networkNotFound(networkId)
    const held = port.fixedIps.map(({ subnetId, ip }) => ({ subnet_id: subnetId, ip_address: ip }))
    for (const { id } of subnetsOf(store, networkId)) {
      try {
        updatePort(store, port.id, { fixed_ips: [...held, { subnet_id: id }] })
        return
      } catch (error) {
        // The next subnet may have one.
        if (!(error instanceof CloudError && error.kind === 'conflict')) throw error
      }
    }
    throw addressesExhausted(networkId)
  })
}

function removeFixedIp(store: Store, deviceId: string, address: string): boolean {
  const wanted = canonicalIp(address)
  return store.db.transaction(() => {
    const port = portsOfMany(store, [deviceId])
      .get(deviceId)
      ?.find(({ fixedIps }) => fixedIps.some(({ ip }) => ip === wanted))
    if (!port) return false
    const kept = port.fixedIps.filter(({ ip }) => ip !== wanted)
    updatePort(store, port.id, { fixed_ips: kept.map(({ subnetId, ip }) => ({ subnet_id: subnetId, ip_address: ip })) })
    return true
  })
}

export function makeProxies(store: Store): NetworkProxies {
  const { db } = store
  const floating = (id: string): FloatingIp | undefined => db.prepare<FloatingIp>(`${floatingColumns} WHERE f.id = ?`).get(id)
  const group = (id: string): SecurityGroup | undefined => groupsWithRules(store, [id])[0]
  const made = <T>(thing: T | undefined): T => {
    if (thing === undefined) throw conflict('It was deleted meanwhile.')
    return thing
  }
  return {
    networks: ({ projectId, isAdmin }) => {
      const ids = db.prepare<{ id: string }>('SELECT id FROM networks ORDER BY rowid').all()
      return usableNetworks(
        store,
        projectId ?? '',
        isAdmin,
        ids.map(({ id }) => id),
      )
    },
    network: (id, { projectId, isAdmin }) => usableNetworks(store, projectId ?? '', isAdmin, [id])[0] ?? null,

    floatingIps: (projectId) => db.prepare<FloatingIp>(`${floatingColumns} WHERE f.project_id = ? ORDER BY f.rowid`).all(projectId),
    floatingIp: (id, viewer) => {
      const found = floating(id)
      return found && sees(viewer, found.projectId) ? found : null
    },
    floatingIpsAt: (address, viewer) =>
      db
        .prepare<FloatingIp>(`${floatingColumns} WHERE f.floating_ip_address = ? ORDER BY f.rowid`)
        .all(canonicalIp(address))
        .filter(({ projectId }) => sees(viewer, projectId)),
    createFloatingIp: (projectId, networkId) =>
      made(
        floating(
          createFloatingIp(store, { project_id: projectId, description: '', networkId, subnetId: null, address: null, destination: null }),
        ),
      ),
    redirectFloatingIp: (id, to) => redirect(store, id, to),
    deleteFloatingIp: (id) => deleteFloatingIp(store, id),

    securityGroups: (projectId) => {
      if (projectId !== null) ensureDefaultGroup(store, projectId)
      const ids = db
        .prepare<{ id: string }>('SELECT id FROM securitygroups WHERE ? IS NULL OR project_id = ? ORDER BY project_id, name, rowid')
        .all(projectId, projectId)
      return groupsWithRules(
        store,
        ids.map(({ id }) => id),
      )
    },
    securityGroup: (id, viewer) => {
      const found = group(id)
      return found && sees(viewer, found.projectId) ? found : null
    },
    createSecurityGroup: (projectId, name, description) =>
      made(group(createGroup(store, { project_id: projectId, name, description, stateful: true }).id)),
    updateSecurityGroup: (id, changes) => {
      updateGroup(store, id, changes)
      return made(group(id))
    },
    deleteSecurityGroup: (id, { isAdmin }) => deleteGroup(store, id, isAdmin),
    createRule: ({ groupId, protocol, from, to, cidr, remoteGroupId }) => {
      const owner = rowOf(store, 'securitygroups', groupId)
      if (!owner) throw groupNotFound(groupId)
      const isIpv6 = cidr?.includes(':') ?? false
      const { id } = createRule(store, {
        project_id: owner.project_id,
        security_group_id: groupId,
        direction: 'ingress',
        ethertype: isIpv6 ? 'IPv6' : 'IPv4',
        protocol: isIpv6 && protocol === 'icmp' ? 'ipv6-icmp' : protocol,
        port_range_min: from,
        port_range_max: to,
        remote_ip_prefix: cidr,
        remote_group_id: remoteGroupId,
      })
      return made(group(groupId)?.rules.find((rule) => rule.id === id))
    },
    hasRule: (id, viewer) => {
      const found = rowOf(store, 'securitygrouprules', id)
      return found !== undefined && sees(viewer, found.project_id)
    },
    deleteRule: (id) => deleteRule(store, id),

    addFixedIp: (deviceId, networkId) => addFixedIp(store, deviceId, networkId),
    removeFixedIp: (deviceId, address) => removeFixedIp(store, deviceId, address),
  }
}
