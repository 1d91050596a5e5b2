/** `/routers`. @see https://docs.openstack.org/api-ref/network/v2/#routers-routers */
import { type AnyOperation, closed, nullable, operation, Type } from '../../base/http/index.ts'
import { badRequest, portNotFound, routerNotFound, subnetNotFound } from '../errors.ts'
import {
  addPortInterface,
  addSubnetInterface,
  createRouter,
  deleteRouter,
  type Gateway,
  type Route,
  type RouterInterface,
  removeInterface,
  updateRouter,
} from '../routers.ts'
import type { RouterRow } from '../store.ts'
import { type Attributes, each, flag, flagOf, isIp, uuid, type Values } from './attributes.ts'
import { flagFilters, sortsOf, standardFilters, textFilters } from './lists.ts'
import { optionalFlag, standardAttributes, standardOf, standardView } from './networks.ts'
import { ports } from './ports.ts'
import { changeableRow, operationsOf, own, permit, type Request, type Resource, visibleRow } from './resource.ts'
import type { ApiDeps } from './service.ts'
import { routes, subnets } from './subnets.ts'

type Row = RouterRow & { gateway: string | null }

const ip = Type.String({ maxLength: 64 })
type GatewayBody = { network_id?: string; enable_snat?: unknown; external_fixed_ips?: { subnet_id?: string; ip_address?: string }[] }

const attributes: Attributes = {
  ...standardAttributes,
  admin_state_up: { schema: flag },
  external_gateway_info: {
    schema: nullable(
      Type.Object(
        {
          network_id: Type.Optional(uuid),
          enable_snat: Type.Optional(flag),
          external_fixed_ips: Type.Optional(
            Type.Array(Type.Object({ subnet_id: Type.Optional(uuid), ip_address: Type.Optional(ip) }, { ...closed, minProperties: 1 }), {
              maxItems: 8,
            }),
          ),
        },
        closed,
      ),
    ),
    refuse: (value) =>
      each(isIp, (one: { ip_address?: string }) => one.ip_address ?? null)((value as GatewayBody | null)?.external_fixed_ips),
  },
  routes: { ...routes, post: false },
}

/** Undefined when nothing was said, null for no gateway. @throws {CloudError} `forbidden`, `invalid`. */
function gatewayOf(values: Values, verb: 'create' | 'update', owner: string, request: Request): Gateway | null | undefined {
  const given = values.external_gateway_info as GatewayBody | null | undefined
  if (given === undefined || given === null || Object.keys(given).length === 0) return given === undefined ? undefined : null
  if (given.network_id === undefined)
    throw badRequest("Invalid input for external_gateway_info. Reason: Validation of dictionary's keys failed: network_id.")
  for (const key of ['enable_snat', 'external_fixed_ips'] as const)
    if (given[key] !== undefined) permit(request, `${verb}_router:external_gateway_info:${key}`, key === 'enable_snat' ? null : owner)
  return {
    network_id: given.network_id,
    ...(given.enable_snat === undefined ? {} : { enable_snat: flagOf(given.enable_snat) }),
    ...(given.external_fixed_ips ? { external_fixed_ips: given.external_fixed_ips } : {}),
  }
}

export const routers: Resource<Row> = {
  name: 'router',
  collection: 'routers',
  path: '/routers',
  attributes,
  list: {
    collection: 'routers',
    select: `SELECT t.*, (SELECT json_object('network_id', p.network_id, 'external_fixed_ips', json((SELECT json_group_array(
        json_object('subnet_id', a.subnet_id, 'ip_address', a.ip_address) ORDER BY a.rowid) FROM ipallocations a WHERE a.port_id = p.id)))
      FROM ports p WHERE p.id = t.gw_port_id) AS gateway FROM routers t`,
    filters: { ...standardFilters, ...textFilters('status'), ...flagFilters('admin_state_up') },
    sorts: sortsOf('status', 'admin_state_up'),
    notFound: routerNotFound,
  },
  visible: (viewer) => own({ ...viewer, all: viewer.isAdmin }),
  view: (row) => ({
    ...standardView(row),
    status: row.status,
    admin_state_up: row.admin_state_up === 1,
    external_gateway_info: row.gateway === null ? null : { ...(JSON.parse(row.gateway) as Values), enable_snat: row.enable_snat === 1 },
    routes: JSON.parse(row.routes),
    availability_zone_hints: [],
    availability_zones: ['nova'],
    flavor_id: null,
  }),
  create: (values, owner, request, { store }) =>
    createRouter(store, {
      ...standardOf(values),
      project_id: owner,
      admin_state_up: optionalFlag(values.admin_state_up) ?? true,
      gateway: gatewayOf(values, 'create', owner, request) ?? null,
    }).id,
  update: (row, values, request, { store }) =>
    updateRouter(store, row.id, {
      name: values.name as string | undefined,
      description: values.description as string | undefined,
      admin_state_up: optionalFlag(values.admin_state_up),
      routes: values.routes === null ? [] : (values.routes as Route[] | undefined),
      gateway: gatewayOf(values, 'update', row.project_id, request),
    }),
  remove: (row, _request, { store }) => deleteRouter(store, row.id),
}

type InterfaceBody = { subnet_id?: string; port_id?: string }

/** @throws {CloudError} `invalid` unless it names one or the other. */
function interfaceBody(body: unknown): InterfaceBody {
  const { subnet_id, port_id } = (typeof body === 'object' && body !== null ? body : {}) as Record<string, unknown>
  if (subnet_id === undefined && port_id === undefined)
    throw badRequest('Bad router request: Either subnet_id or port_id must be specified.')
  for (const id of [subnet_id, port_id])
    if (id !== undefined && (typeof id !== 'string' || id.length > 64))
      throw badRequest('Bad router request: subnet_id and port_id are texts.')
  return { subnet_id: subnet_id as string | undefined, port_id: port_id as string | undefined }
}

const shownInterface = (id: string, { portId, networkId, subnetIds, projectId }: RouterInterface): Values => ({
  id,
  project_id: projectId,
  tenant_id: projectId,
  port_id: portId,
  network_id: networkId,
  subnet_id: subnetIds[0],
  subnet_ids: subnetIds,
})

const interfaceOperation = (
  verb: 'add' | 'remove',
  change: (id: string, body: InterfaceBody, request: Request, deps: ApiDeps) => RouterInterface,
) =>
  operation<ApiDeps, InterfaceBody>({
    method: 'PUT',
    path: `/routers/{router_id}/${verb}_router_interface`,
    status: 200,
    errors: [400, 403, 404, 409],
    policy: `${verb}_router_interface`,
    body: interfaceBody,
    handle: (request, deps) => {
      const router = changeableRow(routers, request.params.router_id ?? '', `${verb}_router_interface`, request, deps)
      return shownInterface(router.id, change(router.id, request.body, request, deps))
    },
  })

const addInterface = interfaceOperation('add', (id, { subnet_id, port_id }, request, deps) => {
  if (subnet_id !== undefined && port_id !== undefined) throw badRequest('Bad router request: Cannot specify both subnet-id and port-id.')
  if (port_id !== undefined) return addPortInterface(deps.store, id, visibleRow(ports, port_id, request, deps).id)
  if (subnet_id === undefined) throw subnetNotFound('')
  const subnet = visibleRow(subnets, subnet_id, request, deps)
  // The interface takes the subnet's gateway address, and with it the way of all who share the network.
  if (![subnet.project_id, subnet.network_project_id].some((projectId) => request.allows('add_router_interface', { projectId })))
    throw badRequest(
      `Bad router request: Cannot add interface to router because subnet ${subnet.id} is not owned by project making the request.`,
    )
  return addSubnetInterface(deps.store, id, subnet.id)
})
const takeInterface = interfaceOperation('remove', (id, { subnet_id, port_id }, _request, deps) => {
  if (subnet_id === undefined && port_id === undefined) throw portNotFound('')
  return removeInterface(deps.store, id, { portId: port_id, subnetId: subnet_id })
})

export const routerOperations: AnyOperation<ApiDeps>[] = [...operationsOf(routers), addInterface, takeInterface]
