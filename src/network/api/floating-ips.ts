/** `/floatingips`. @see https://docs.openstack.org/api-ref/network/v2/#floating-ips-floatingips */
import { nullable, Type } from '../../base/http/index.ts'
import { badRequest, floatingIpNotFound } from '../errors.ts'
import { createFloatingIp, type Destination, deleteFloatingIp, describe, redirect } from '../floating-ips.ts'
import type { FloatingIpRow } from '../store.ts'
import { type Attributes, isIp, uuid, type Values } from './attributes.ts'
import { sortsOf, standardFilters, textFilters } from './lists.ts'
import { standardAttributes, standardOf, standardView } from './networks.ts'
import { ports } from './ports.ts'
import { operationsOf, own, type Request, type Resource, visibleRow } from './resource.ts'
import type { ApiDeps } from './service.ts'

const ip = nullable(Type.String({ maxLength: 64 }))
const textOf = (value: unknown): string | null => (typeof value === 'string' && value !== '' ? value : null)

/** A floating address has no name. */
const { name: _name, ...described } = standardAttributes

const attributes: Attributes = {
  ...described,
  floating_network_id: { schema: uuid, put: false },
  floating_ip_address: { schema: ip, put: false, rule: 'own', refuse: isIp },
  subnet_id: { schema: nullable(uuid), put: false },
  port_id: { schema: nullable(uuid) },
  fixed_ip_address: { schema: ip, refuse: isIp },
  router_id: { schema: nullable(uuid), put: false },
  qos_policy_id: { schema: Type.Null() },
}

/** The port must be one that the caller sees. @throws {CloudError} `invalid` for an address without a port, `not-found`. */
function destinationOf(values: Values, request: Request, deps: ApiDeps): Destination | null {
  const portId = textOf(values.port_id)
  const fixedIp = textOf(values.fixed_ip_address)
  if (portId === null) {
    if (fixedIp !== null) throw badRequest('Bad floatingip request: fixed_ip_address cannot be specified without a port_id.')
    return null
  }
  return { portId: visibleRow(ports, portId, request, deps).id, fixedIp }
}

const floatingIps: Resource<FloatingIpRow> = {
  name: 'floatingip',
  collection: 'floatingips',
  path: '/floatingips',
  attributes,
  list: {
    collection: 'floatingips',
    select: 'SELECT t.* FROM floatingips t',
    filters: {
      ...standardFilters,
      ...textFilters('floating_ip_address', 'floating_network_id', 'fixed_ip_address', 'router_id', 'status'),
      port_id: { sql: 't.fixed_port_id IN (SELECT value FROM json_each(?))' },
    },
    sorts: sortsOf('floating_ip_address', 'floating_network_id', 'fixed_ip_address', 'router_id', 'status'),
    notFound: floatingIpNotFound,
  },
  visible: own,
  view: (row) => {
    const { name: _unnamed, ...standard } = standardView(row)
    return {
      ...standard,
      floating_ip_address: row.floating_ip_address,
      floating_network_id: row.floating_network_id,
      fixed_ip_address: row.fixed_ip_address,
      port_id: row.fixed_port_id,
      router_id: row.router_id,
      status: row.status,
      port_details: null,
      qos_policy_id: null,
    }
  },
  create: (values, owner, request, deps) =>
    createFloatingIp(deps.store, {
      ...standardOf(values),
      project_id: owner,
      networkId: textOf(values.floating_network_id) ?? '',
      subnetId: textOf(values.subnet_id),
      address: textOf(values.floating_ip_address),
      destination: destinationOf(values, request, deps),
    }),
  update: (row, values, request, deps) => {
    if (typeof values.description === 'string') describe(deps.store, row.id, values.description)
    if ('port_id' in values || 'fixed_ip_address' in values) redirect(deps.store, row.id, destinationOf(values, request, deps))
    else if (!('description' in values)) redirect(deps.store, row.id, null)
  },
  remove: (row, _request, { store }) => deleteFloatingIp(store, row.id),
}

export const floatingIpOperations = operationsOf(floatingIps)
