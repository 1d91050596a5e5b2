/**
 * Floating addresses: one of an external network's addresses, held by a port of its own there, that a router sends on to a
 * port inside.
 *
 * @see https://docs.openstack.org/api-ref/network/v2/#floating-ips-floatingips
 */
import { conflict, notFound } from '../base/errors.ts'
import { ipVersionOf } from './addresses.ts'
import { badRequest, floatingIpNotFound, networkNotFound, portNotFound } from './errors.ts'
import { type FixedIp, fixedIpsOf } from './fixed-ips.ts'
import { createPort, deletePortRow } from './ports.ts'
import { checkQuota } from './quotas.ts'
import { change, drop, type FloatingIpRow, insert, newStandard, type PortRow, rowOf, type Store } from './store.ts'

/** Where it leads; `fixedIp` chooses among a port's addresses. */
export type Destination = { portId: string; fixedIp: string | null }

export type NewFloatingIp = {
  project_id: string
  description: string
  tags?: string[]
  networkId: string
  /** Both null: any free address. */
  subnetId: string | null
  address: string | null
  destination: Destination | null
}

/** @throws {CloudError} `not-found`; `invalid` for a network that isn't external; `conflict` for the address or the port; `over-quota`. */
export function createFloatingIp(store: Store, given: NewFloatingIp): string {
  return store.db.transaction(() => {
    checkQuota(store, given.project_id, 'floatingip')
    const network = rowOf(store, 'networks', given.networkId)
    if (!network) throw networkNotFound(given.networkId)
    if (!network.external) throw badRequest(`Bad floatingip request: Network ${network.id} is not a valid external network.`)
    const standard = newStandard(store, given)
    const wish = {
      ...(given.subnetId === null ? {} : { subnet_id: given.subnetId }),
      ...(given.address === null ? {} : { ip_address: given.address }),
    }
    const port = createPort(
      store,
      {
        project_id: '',
        network_id: network.id,
        device_id: standard.id,
        device_owner: 'network:floatingip',
        fixed_ips: Object.keys(wish).length === 0 ? null : [wish],
        security_groups: [],
        port_security_enabled: false,
        status: 'N/A',
      },
      { checkQuota: false },
    )
    const address = fixedIpsOf(store, port.id).find(({ ip_address }) => ipVersionOf(ip_address) === 4)?.ip_address
    if (address === undefined) throw badRequest(`Bad floatingip request: Network ${network.id} has no IPv4 subnet.`)
    const row = insert(store, 'floatingips', {
      ...standard,
      floating_ip_address: address,
      floating_network_id: network.id,
      floating_port_id: port.id,
      fixed_port_id: null,
      fixed_ip_address: null,
      router_id: null,
      status: 'DOWN',
    })
    if (given.destination) associate(store, row, given.destination)
    return row.id
  })
}

/** Leads it to another port, or nowhere. @throws {CloudError} `not-found`, `invalid`, `conflict`. */
export function redirect(store: Store, id: string, destination: Destination | null): void {
  store.db.transaction(() => {
    const row = rowOf(store, 'floatingips', id)
    if (!row) throw floatingIpNotFound(id)
    if (destination && destination.portId === row.fixed_port_id && (destination.fixedIp ?? row.fixed_ip_address) === row.fixed_ip_address)
      return
    dissociate(store, row)
    if (destination) associate(store, row, destination)
  })
}

export function describe(store: Store, id: string, description: string): void {
  change(store, 'floatingips', id, { description })
}

/** Gives the address back to its network. */
export function deleteFloatingIp(store: Store, id: string): void {
  store.db.transaction(() => {
    const row = rowOf(store, 'floatingips', id)
    if (!row) throw floatingIpNotFound(id)
    dissociate(store, row)
    drop(store, 'floatingips', id)
    deletePortRow(store, row.floating_port_id)
  })
}

function associate(store: Store, row: FloatingIpRow, { portId, fixedIp }: Destination): void {
  const port = rowOf(store, 'ports', portId)
  if (!port) throw portNotFound(portId)
  const fixed = fixedOf(store, port, fixedIp)
  const taken = store.db
    .prepare<{ floating_ip_address: string }>(
      'SELECT floating_ip_address FROM floatingips WHERE fixed_port_id = ? AND fixed_ip_address = ? AND floating_network_id = ? AND id <> ?',
    )
    .get(port.id, fixed.ip_address, row.floating_network_id, row.id)
  if (taken) {
    throw conflict(
      `Cannot associate floating IP ${row.floating_ip_address} (${row.id}) with port ${port.id} using fixed IP ${fixed.ip_address}, as that fixed IP already has a floating IP on external network ${row.floating_network_id}.`,
      { type: 'FloatingIPPortAlreadyAssociated' },
    )
  }
  const routerId = routerBetween(store, fixed.subnet_id, row.floating_network_id)
  if (routerId === undefined) {
    throw notFound(
      `External network ${row.floating_network_id} is not reachable from subnet ${fixed.subnet_id}. Therefore, cannot associate Port ${port.id} with a Floating IP.`,
      { type: 'ExternalGatewayForFloatingIPNotFound' },
    )
  }
  change(store, 'floatingips', row.id, {
    fixed_port_id: port.id,
    fixed_ip_address: fixed.ip_address,
    router_id: routerId,
    status: 'ACTIVE',
  })
  store.touchRouter(routerId)
  store.changed(port)
}

function dissociate(store: Store, row: FloatingIpRow): void {
  if (row.router_id === null) return
  change(store, 'floatingips', row.id, { fixed_port_id: null, fixed_ip_address: null, router_id: null, status: 'DOWN' })
  store.touchRouter(row.router_id)
  const port = row.fixed_port_id === null ? undefined : rowOf(store, 'ports', row.fixed_port_id)
  if (port) store.changed(port)
}

/** The port's IPv4 address that is meant. @throws {CloudError} `invalid` for none, for several, or for one that it has not. */
function fixedOf(store: Store, port: PortRow, wanted: string | null): FixedIp {
  const addresses = fixedIpsOf(store, port.id).filter(({ ip_address }) => ipVersionOf(ip_address) === 4)
  const found = wanted === null ? addresses[0] : addresses.find(({ ip_address }) => ip_address === wanted)
  if (wanted === null && addresses.length > 1) {
    throw badRequest(
      `Bad floatingip request: Port ${port.id} has multiple fixed IPv4 addresses. Must provide a specific IPv4 address when assigning a floating IP.`,
    )
  }
  if (found) return found
  throw badRequest(
    wanted === null
      ? `Bad floatingip request: Cannot add floating IP to port ${port.id} that has no fixed IPv4 addresses.`
      : `Bad floatingip request: Port ${port.id} does not have fixed ip ${wanted}.`,
  )
}

/** The router that has an interface on the subnet and its gateway on the external network. */
const routerBetween = (store: Store, subnetId: string, externalNetworkId: string): string | undefined =>
  store.db
    .prepare<{ id: string }>(
      `SELECT r.id FROM routers r JOIN ports g ON g.id = r.gw_port_id AND g.network_id = ?
         JOIN routerports i ON i.router_id = r.id AND i.port_type = 'network:router_interface' JOIN ipallocations a ON a.port_id = i.port_id AND a.subnet_id = ?
         ORDER BY r.rowid LIMIT 1`,
    )
    .get(externalNetworkId, subnetId)?.id
