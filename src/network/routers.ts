/**
 * Routers: they join networks of a project, and lead out through a gateway port on an external network.
 *
 * @see https://docs.openstack.org/api-ref/network/v2/#routers-routers
 */
import { conflict, invalid } from '../base/errors.ts'
import { type Cidr, contains, ipVersionOf, overlap, parseCidr } from './addresses.ts'
import {
  badRequest,
  externalAttachForbidden,
  networkNotFound,
  portInUse,
  portNotFound,
  routerInterfaceNotFound,
  routerInUse,
  routerNotFound,
  subnetNotFound,
} from './errors.ts'
import { type FixedIpRequest, fixedIpsOf, subnetsOf } from './fixed-ips.ts'
import { createPort, deletePortRow } from './ports.ts'
import { checkQuota } from './quotas.ts'
import { bit, change, drop, insert, newStandard, type RouterRow, rowOf, type Store, type SubnetRow } from './store.ts'

export type Gateway = { network_id: string; enable_snat?: boolean; external_fixed_ips?: readonly FixedIpRequest[] }
export type Route = { destination: string; nexthop: string }
export type NewRouter = {
  project_id: string
  name: string
  description: string
  tags?: string[]
  admin_state_up: boolean
  gateway: Gateway | null
}
export type RouterInterface = { portId: string; networkId: string; subnetIds: string[]; projectId: string }

const bad = (message: string) => badRequest(`Bad router request: ${message}.`)

/** @throws {CloudError} `over-quota`; as {@link setGateway}. */
export function createRouter(store: Store, given: NewRouter): RouterRow {
  return store.db.transaction(() => {
    checkQuota(store, given.project_id, 'router')
    const router = insert(store, 'routers', {
      ...newStandard(store, given),
      status: 'ACTIVE',
      admin_state_up: bit(given.admin_state_up),
      gw_port_id: null,
      enable_snat: 1,
      routes: '[]',
    })
    if (given.gateway) setGateway(store, router.id, given.gateway)
    return rowOf(store, 'routers', router.id) as RouterRow
  })
}

export type RouterChanges = {
  name?: string
  description?: string
  admin_state_up?: boolean
  routes?: Route[]
  /** Null takes the gateway away. */
  gateway?: Gateway | null
}

/** @throws {CloudError} `not-found`, `invalid`, `conflict`. */
export function updateRouter(store: Store, id: string, changes: RouterChanges): void {
  store.db.transaction(() => {
    const router = rowOf(store, 'routers', id)
    if (!router) throw routerNotFound(id)
    if (changes.gateway === null) clearGateway(store, router)
    else if (changes.gateway) setGateway(store, id, changes.gateway)
    if (changes.routes) checkRoutes(store, id, changes.routes)
    change(store, 'routers', id, {
      name: changes.name,
      description: changes.description,
      admin_state_up: changes.admin_state_up === undefined ? undefined : bit(changes.admin_state_up),
      routes: changes.routes && JSON.stringify(changes.routes),
    })
    store.touchRouter(id)
  })
}

/** @throws {CloudError} `not-found`; `conflict` with interfaces or floating addresses. */
export function deleteRouter(store: Store, id: string): void {
  store.db.transaction(() => {
    const router = rowOf(store, 'routers', id)
    if (!router) throw routerNotFound(id)
    if (store.db.prepare("SELECT 1 FROM routerports WHERE router_id = ? AND port_type = 'network:router_interface' LIMIT 1").get(id))
      throw routerInUse(id)
    clearGateway(store, router)
    drop(store, 'routers', id)
    store.routerGone(id)
  })
}

/** @throws {CloudError} `not-found`; `invalid` for a network that isn't external; `conflict` without a free address. */
function setGateway(store: Store, id: string, gateway: Gateway): void {
  const router = rowOf(store, 'routers', id) as RouterRow
  const network = rowOf(store, 'networks', gateway.network_id)
  if (!network) throw networkNotFound(gateway.network_id)
  if (!network.external) throw bad(`Network ${network.id} is not an external network`)
  const current = router.gw_port_id === null ? undefined : rowOf(store, 'ports', router.gw_port_id)
  if (gateway.enable_snat !== undefined) change(store, 'routers', id, { enable_snat: bit(gateway.enable_snat) })
  if (current?.network_id === network.id && !gateway.external_fixed_ips) return
  for (const subnet of subnetsOf(store, network.id)) checkNoOverlap(store, id, subnet)
  clearGateway(store, router)
  const port = createPort(
    store,
    {
      project_id: '',
      network_id: network.id,
      device_id: id,
      device_owner: 'network:router_gateway',
      fixed_ips: gateway.external_fixed_ips && gateway.external_fixed_ips.length > 0 ? gateway.external_fixed_ips : null,
      security_groups: [],
      port_security_enabled: false,
      status: 'ACTIVE',
    },
    { checkQuota: false },
  )
  store.db.prepare("INSERT INTO routerports (router_id, port_id, port_type) VALUES (?, ?, 'network:router_gateway')").run(id, port.id)
  change(store, 'routers', id, { gw_port_id: port.id })
}

/** @throws {CloudError} `conflict` while floating addresses come in this way. */
function clearGateway(store: Store, router: RouterRow): void {
  if (router.gw_port_id === null) return
  if (store.db.prepare('SELECT 1 FROM floatingips WHERE router_id = ? LIMIT 1').get(router.id))
    throw conflict(
      `Gateway cannot be updated for router ${router.id}, since a gateway to external network is required by one or more floating IPs.`,
      {
        type: 'RouterExternalGatewayInUseByFloatingIp',
      },
    )
  change(store, 'routers', router.id, { gw_port_id: null })
  deletePortRow(store, router.gw_port_id)
}

/** @throws {CloudError} `not-found`, `invalid` (no gateway address, overlap), `conflict` (the address is taken). */
export function addSubnetInterface(store: Store, id: string, subnetId: string): RouterInterface {
  return store.db.transaction(() => {
    const router = routerOf(store, id)
    const subnet = rowOf(store, 'subnets', subnetId)
    if (!subnet) throw subnetNotFound(subnetId)
    if (subnet.gateway_ip === null) throw bad('Subnet for router interface must have a gateway IP')
    if (rowOf(store, 'networks', subnet.network_id)?.external) throw externalAttachForbidden(subnet.network_id)
    checkNoOverlap(store, id, subnet)
    const port = createPort(
      store,
      {
        project_id: router.project_id,
        network_id: subnet.network_id,
        device_id: id,
        device_owner: 'network:router_interface',
        fixed_ips: [{ subnet_id: subnetId, ip_address: subnet.gateway_ip }],
        security_groups: [],
        port_security_enabled: false,
        status: 'ACTIVE',
      },
      { checkQuota: false },
    )
    return join(store, router, port.id, subnet.network_id)
  })
}

/** @throws {CloudError} as {@link addSubnetInterface}; `conflict` for a port that a device has. */
export function addPortInterface(store: Store, id: string, portId: string): RouterInterface {
  return store.db.transaction(() => {
    const router = routerOf(store, id)
    const port = rowOf(store, 'ports', portId)
    if (!port) throw portNotFound(portId)
    if (port.device_id !== '') throw portInUse(portId, port.network_id, port.device_id)
    const held = fixedIpsOf(store, portId)
    if (held.length === 0) throw bad('Router port must have at least one fixed IP')
    for (const { subnet_id } of held) checkNoOverlap(store, id, rowOf(store, 'subnets', subnet_id) as SubnetRow)
    store.db.prepare('DELETE FROM securitygroupportbindings WHERE port_id = ?').run(portId)
    change(store, 'ports', portId, { device_id: id, device_owner: 'network:router_interface', status: 'ACTIVE', port_security_enabled: 0 })
    return join(store, router, portId, port.network_id)
  })
}

function join(store: Store, router: RouterRow, portId: string, networkId: string): RouterInterface {
  store.db
    .prepare("INSERT INTO routerports (router_id, port_id, port_type) VALUES (?, ?, 'network:router_interface')")
    .run(router.id, portId)
  store.touchRouter(router.id)
  return interfaceOf(store, router, portId, networkId)
}

const interfaceOf = (store: Store, router: RouterRow, portId: string, networkId: string): RouterInterface => ({
  portId,
  networkId,
  projectId: router.project_id,
  subnetIds: fixedIpsOf(store, portId).map(({ subnet_id }) => subnet_id),
})

/** @throws {CloudError} `not-found` when router, port and subnet do not belong together; `conflict` while floating addresses or routes need it. */
export function removeInterface(store: Store, id: string, by: { portId?: string; subnetId?: string }): RouterInterface {
  return store.db.transaction(() => {
    const router = routerOf(store, id)
    const found = store.db
      .prepare<{ port_id: string; network_id: string; subnet_id: string; cidr: string }>(
        `SELECT r.port_id, p.network_id, a.subnet_id, s.cidr FROM routerports r JOIN ports p ON p.id = r.port_id
           JOIN ipallocations a ON a.port_id = p.id JOIN subnets s ON s.id = a.subnet_id
           WHERE r.router_id = ? AND r.port_type = 'network:router_interface'`,
      )
      .all(id)
      .find((leg) => (by.portId === undefined || leg.port_id === by.portId) && (by.subnetId === undefined || leg.subnet_id === by.subnetId))
    if (!found) {
      if (by.subnetId !== undefined) throw routerInterfaceNotFound(id, by.subnetId)
      throw portNotFound(by.portId ?? '')
    }
    const inUse = (why: string) =>
      conflict(
        `Router interface for subnet ${found.subnet_id} on router ${id} cannot be deleted, as it is required by one or more ${why}.`,
        {
          type: why === 'routes' ? 'RouterInterfaceInUseByRoute' : 'RouterInterfaceInUseByFloatingIP',
        },
      )
    if (
      store.db
        .prepare(
          'SELECT 1 FROM floatingips f JOIN ipallocations a ON a.port_id = f.fixed_port_id WHERE f.router_id = ? AND a.subnet_id = ? LIMIT 1',
        )
        .get(id, found.subnet_id)
    )
      throw inUse('floating IPs')
    const cidr = parseCidr(found.cidr) as Cidr
    if ((JSON.parse(router.routes) as Route[]).some(({ nexthop }) => contains(cidr, nexthop))) throw inUse('routes')
    const removed = interfaceOf(store, router, found.port_id, found.network_id)
    deletePortRow(store, found.port_id)
    store.touchRouter(id)
    return removed
  })
}

function routerOf(store: Store, id: string): RouterRow {
  const router = rowOf(store, 'routers', id)
  if (!router) throw routerNotFound(id)
  return router
}

const joinedSubnets = (store: Store, id: string) =>
  store.db
    .prepare<{ id: string; cidr: string }>(
      'SELECT s.id, s.cidr FROM routerports r JOIN ipallocations a ON a.port_id = r.port_id JOIN subnets s ON s.id = a.subnet_id WHERE r.router_id = ?',
    )
    .all(id)

function checkNoOverlap(store: Store, id: string, subnet: SubnetRow): void {
  const cidr = parseCidr(subnet.cidr) as Cidr
  for (const other of joinedSubnets(store, id)) {
    if (other.id === subnet.id) throw bad(`Router already has a port on subnet ${subnet.id}`)
    if (overlap(parseCidr(other.cidr) as Cidr, cidr))
      throw bad(`Cidr ${subnet.cidr} of subnet ${subnet.id} overlaps with cidr ${other.cidr} of subnet ${other.id}`)
  }
}

function checkRoutes(store: Store, id: string, routes: readonly Route[]): void {
  const cidrs = joinedSubnets(store, id).map(({ cidr }) => parseCidr(cidr) as Cidr)
  for (const { destination, nexthop } of routes) {
    if (!cidrs.some((cidr) => contains(cidr, nexthop)))
      throw invalid(`Invalid format for routes: the nexthop ${nexthop} is not connected with router.`, { type: 'InvalidRoutes' })
    if (parseCidr(destination)?.version !== ipVersionOf(nexthop))
      throw invalid(`Invalid format for routes: ${destination} and its nexthop ${nexthop} are not of one IP version.`, {
        type: 'InvalidRoutes',
      })
  }
}
