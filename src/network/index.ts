/** The network service's front door: Network v2.0 over HTTP, and what the compute service asks of it. */

import type { Ground } from '../base/ground.ts'
import type { Service } from '../base/http/index.ts'
import { networkPolicies, networkService, versionsService } from './api/service.ts'
import { bootstrap, type Seed } from './bootstrap.ts'
import {
  type Attachment,
  attachPort,
  createServerPort,
  deleteServerPort,
  detachPort,
  findPort,
  findPortByAddress,
  findPortsByAddress,
  groupsByNameOrId,
  type NetworkInfo,
  ownedDevices,
  type Port,
  type PortIdentity,
  portsOfMany,
  type ServerPort,
  setPortGroups,
  usableNetworks,
  type Viewer,
} from './compute.ts'
import { networkConfig, networkQuotaConfig } from './config.ts'
import type { MetadataListener, NetworkDriver } from './drivers/driver.ts'
import { groupsWithRules, type SecurityGroup } from './group-rules.ts'
import { type NetworkInfoEntry, networkDataOfMany } from './network-data.ts'
import { makeProxies, type NetworkProxies } from './proxies.ts'
import { limitsOf, usedOf } from './quotas.ts'
import { type PluggedPort, Reconciler } from './reconciler.ts'
import type { Store } from './store.ts'

export type { Attachment, NetworkInfo, Port, PortIdentity, ServerPort, Viewer } from './compute.ts'
export { networkConfig, networkQuotaConfig } from './config.ts'
export type { NetworkDriver } from './drivers/driver.ts'
export { makeFakeDriver, makeLinuxDriver, makeNetworkDriver, runNetnsListener } from './drivers/index.ts'
export type { SecurityGroup, SecurityGroupRule } from './group-rules.ts'
export type { NetworkInfoEntry } from './network-data.ts'
export type { FloatingIp, IncomingRule, NetworkProxies } from './proxies.ts'
export type { PluggedPort } from './reconciler.ts'

export type NetworkQuota = { limit: number; used: number }

export type Networks = AsyncDisposable & {
  /** GET /network: the versions. */
  readonly root: Service
  /** Below /network/v2.0. */
  readonly v2: Service
  /** What the Compute API passes on in its older versions. */
  readonly proxies: NetworkProxies
  /** What the first start makes; afterwards it does nothing. */
  bootstrap(seed: Seed): void
  /** Brings the host in line with the database and keeps it so. @throws when the host refuses. */
  start(): Promise<void>
  /** Resolves when the host has what the database says. */
  settled(): Promise<void>

  usableNetworks(projectId: string, isAdmin: boolean, ids?: readonly string[]): NetworkInfo[]
  port(id: string, viewer: Viewer): Port | null
  portsOf(deviceId: string): Port[]
  portsOfMany(deviceIds: readonly string[]): Map<string, Port[]>
  /** @throws {CloudError} under Neutron's names. */
  createPort(port: ServerPort): Port
  /** @throws {CloudError} `not-found`; `conflict` PortInUse. */
  attachPort(portId: string, to: Attachment): Port
  detachPort(portId: string): void
  deletePort(portId: string): void
  /** @throws {CloudError} `invalid` for none, `conflict` for several of a name. */
  securityGroupsByNameOrId(projectId: string, names: readonly string[]): { id: string; name: string }[]
  /** @throws {CloudError} `not-found`; `conflict` when the port has no port security. */
  setPortSecurityGroups(portId: string, groupIds: readonly string[]): void
  /** With their rules, in the order asked; one that is gone is left out. */
  securityGroups(ids: readonly string[]): SecurityGroup[]
  networkData(deviceId: string): NetworkInfoEntry[]
  networkDataOfMany(deviceIds: readonly string[]): Map<string, NetworkInfoEntry[]>
  quotas(projectId: string): Record<'floating_ips' | 'security_groups' | 'security_group_rules', NetworkQuota>
  findPortByAddress(networkId: string, ip: string): PortIdentity | null
  findPortsByAddress(ip: string): PortIdentity[]
  ownedDevices(): string[]

  /** @throws {CloudError} `not-found`; `unavailable` when the host refuses. */
  plug(portId: string): Promise<PluggedPort>
  /** @throws {CloudError} `unavailable` when the host refuses. */
  unplug(portId: string): Promise<void>
  onMetadataConnection(listener: MetadataListener): void
}

export function makeNetworks(ground: Ground & { driver: NetworkDriver; host: string }): Networks {
  const { db, clock, queue, driver, host } = ground
  const config = ground.config.get(networkConfig)
  const quota = ground.config.get(networkQuotaConfig)
  const store: Store = {
    db,
    clock,
    mtu: config.globalPhysnetMtu,
    maxFixedIps: config.maxFixedIpsPerPort,
    quotaDefaults: {
      network: quota.quotaNetwork,
      subnet: quota.quotaSubnet,
      port: quota.quotaPort,
      router: quota.quotaRouter,
      floatingip: quota.quotaFloatingip,
      security_group: quota.quotaSecurityGroup,
      security_group_rule: quota.quotaSecurityGroupRule,
    },
    touchNetwork: (id) => db.afterCommit(() => reconciler.touchNetwork(id)),
    touchGroup: (id) => db.afterCommit(() => reconciler.touchGroup(id)),
    networkGone: (id) => db.afterCommit(() => reconciler.networkGone(id)),
    touchRouter: (id) => db.afterCommit(() => reconciler.touchRouter(id)),
    routerGone: (id) => db.afterCommit(() => reconciler.routerGone(id)),
    portStatus: (type, port) =>
      db.afterCommit(() => queue.publish({ type: `network.port.${type}`, payload: { portId: port.id, deviceId: port.device_id } })),
    changed: (port) =>
      db.afterCommit(() => queue.publish({ type: 'network.changed', payload: { portId: port.id, deviceId: port.device_id } })),
  }
  const reconciler = new Reconciler({
    store,
    driver,
    clock,
    host,
    log: ground.log,
    dnsDomain: config.dnsDomain,
    intervalMs: config.reconcileIntervalMs,
  })
  const quotaOf = (projectId: string, resource: 'floatingip' | 'security_group' | 'security_group_rule', limit: number): NetworkQuota => ({
    limit,
    used: usedOf(store, resource, projectId),
  })
  return {
    root: versionsService(),
    v2: networkService({ store, host, driver, startedAt: clock.text() }),
    proxies: makeProxies(store),
    bootstrap: (seed) => bootstrap(store, seed, config),
    start: () => reconciler.start(),
    settled: () => reconciler.settled(),
    usableNetworks: (projectId, isAdmin, ids) => usableNetworks(store, projectId, isAdmin, ids),
    port: (id, viewer) => findPort(store, id, viewer),
    portsOf: (deviceId) => portsOfMany(store, [deviceId]).get(deviceId) ?? [],
    portsOfMany: (deviceIds) => portsOfMany(store, deviceIds),
    createPort: (port) => createServerPort(store, port),
    attachPort: (portId, to) => attachPort(store, portId, to),
    detachPort: (portId) => detachPort(store, portId),
    deletePort: (portId) => deleteServerPort(store, portId),
    securityGroupsByNameOrId: (projectId, names) => groupsByNameOrId(store, projectId, names),
    setPortSecurityGroups: (portId, groupIds) => setPortGroups(store, portId, groupIds),
    securityGroups: (ids) => groupsWithRules(store, ids),
    networkData: (deviceId) => networkDataOfMany(store, [deviceId]).get(deviceId) ?? [],
    networkDataOfMany: (deviceIds) => networkDataOfMany(store, deviceIds),
    quotas: (projectId) => {
      const limits = limitsOf(store, projectId)
      return {
        floating_ips: quotaOf(projectId, 'floatingip', limits.floatingip),
        security_groups: quotaOf(projectId, 'security_group', limits.security_group),
        security_group_rules: quotaOf(projectId, 'security_group_rule', limits.security_group_rule),
      }
    },
    findPortByAddress: (networkId, ip) => findPortByAddress(store, networkId, ip),
    findPortsByAddress: (ip) => findPortsByAddress(store, ip),
    ownedDevices: () => ownedDevices(store),
    plug: (portId) => reconciler.plug(portId),
    unplug: (portId) => reconciler.unplug(portId),
    onMetadataConnection: (listener) => driver.onMetadataConnection(listener),
    [Symbol.asyncDispose]: () => reconciler[Symbol.asyncDispose](),
  }
}

export { networkPolicies }
