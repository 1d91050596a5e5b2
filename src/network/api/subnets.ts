/** `/subnets`. @see https://docs.openstack.org/api-ref/network/v2/#subnets */
import { closed, nullable, Type } from '../../base/http/index.ts'
import { keyText } from '../addresses.ts'
import { badRequest, networkNotFound, subnetNotFound } from '../errors.ts'
import { type NetworkRow, rowOf, type SubnetRow } from '../store.ts'
import { createSubnet, deleteSubnet, type Pool, updateSubnet } from '../subnets.ts'
import { type Attributes, each, flag, isCidr, isIp, uuid, type Values, wholeOf } from './attributes.ts'
import { type Condition, flagFilters, numberFilters, sortsOf, standardFilters, textFilters } from './lists.ts'
import { optionalFlag, standardAttributes, standardOf, standardView } from './networks.ts'
import { operationsOf, permit, type Resource, type Viewer } from './resource.ts'

type Row = SubnetRow & { network_project_id: string; external: 0 | 1; pools: string }
type Route = { destination: string; nexthop: string }

const ip = Type.String({ maxLength: 64 })
const mode = nullable(Type.Union(['slaac', 'dhcpv6-stateful', 'dhcpv6-stateless'].map((one) => Type.Literal(one))))

/** Lists of routes as routers and subnets take them. */
export const routes = {
  schema: nullable(Type.Array(Type.Object({ destination: ip, nexthop: ip }, closed), { maxItems: 64 })),
  refuse: (value: unknown) =>
    each(isCidr, (route: Route) => route.destination)(value) ?? each(isIp, (route: Route) => route.nexthop)(value),
}

const attributes: Attributes = {
  ...standardAttributes,
  network_id: { schema: uuid, put: false, required: true },
  ip_version: { schema: Type.Union([4, 6, '4', '6'].map((one) => Type.Literal(one))), put: false, required: true },
  cidr: { schema: ip, put: false, refuse: isCidr },
  gateway_ip: { schema: nullable(ip), refuse: isIp },
  allocation_pools: {
    schema: Type.Array(Type.Object({ start: ip, end: ip }, closed), { maxItems: 256 }),
    refuse: (value) => each(isIp, (pool: Pool) => pool.start)(value) ?? each(isIp, (pool: Pool) => pool.end)(value),
  },
  enable_dhcp: { schema: flag },
  dns_nameservers: { schema: nullable(Type.Array(ip, { maxItems: 64 })), refuse: each(isIp) },
  host_routes: routes,
  ipv6_ra_mode: { schema: mode, put: false },
  ipv6_address_mode: { schema: mode, put: false },
  subnetpool_id: { schema: nullable(uuid), put: false },
  use_default_subnetpool: { schema: flag, put: false },
  prefixlen: { schema: Type.Any(), put: false },
  segment_id: { schema: Type.Null() },
  service_types: { schema: Type.Array(Type.String(), { maxItems: 0 }) },
  dns_publish_fixed_ip: { schema: flag },
}

const visible = ({ projectId, all }: Viewer): Condition =>
  all
    ? { sql: '1', params: [] }
    : {
        sql: '(t.project_id = ? OR t.network_id IN (SELECT id FROM networks WHERE project_id = ? OR shared = 1 OR external = 1))',
        params: [projectId, projectId],
      }

function view(row: Row): Values {
  return {
    ...standardView(row),
    network_id: row.network_id,
    ip_version: row.ip_version,
    cidr: row.cidr,
    gateway_ip: row.gateway_ip,
    allocation_pools: poolsOfView(row.pools),
    enable_dhcp: row.enable_dhcp === 1,
    dns_nameservers: JSON.parse(row.dns_nameservers),
    host_routes: JSON.parse(row.host_routes),
    ipv6_ra_mode: row.ipv6_ra_mode,
    ipv6_address_mode: row.ipv6_address_mode,
    subnetpool_id: null,
    'router:external': row.external === 1,
  }
}

const poolsOfView = (pools: string): Pool[] =>
  (JSON.parse(pools) as [string, string][]).map(([first, last]) => ({ start: keyText(first), end: keyText(last) }))

export const subnets: Resource<Row> = {
  name: 'subnet',
  collection: 'subnets',
  path: '/subnets',
  attributes,
  list: {
    collection: 'subnets',
    select: `SELECT t.*, n.project_id AS network_project_id, n.external,
        (SELECT json_group_array(json_array(l.first_key, l.last_key) ORDER BY l.first_key) FROM ipallocationpools l WHERE l.subnet_id = t.id) AS pools
      FROM subnets t JOIN networks n ON n.id = t.network_id`,
    filters: {
      ...standardFilters,
      ...textFilters('network_id', 'cidr', 'gateway_ip', 'ipv6_ra_mode', 'ipv6_address_mode'),
      ...flagFilters('enable_dhcp'),
      ...numberFilters('ip_version'),
      shared: { sql: 'n.shared IN (SELECT value FROM json_each(?))', kind: 'flag' },
      'router:external': { sql: 'n.external IN (SELECT value FROM json_each(?))', kind: 'flag' },
      subnetpool_id: { sql: 'NULL IN (SELECT value FROM json_each(?))' },
    },
    sorts: sortsOf('network_id', 'cidr', 'gateway_ip', 'ip_version', 'enable_dhcp'),
    notFound: subnetNotFound,
  },
  visible,
  view,
  alsoOwnedBy: (row) => row.network_project_id,
  create: (values, owner, request, { store }) => {
    const networkId = values.network_id as string
    const network: NetworkRow | undefined = rowOf(store, 'networks', networkId)
    if (!network || !(network.shared || network.external || request.allows('get_network', { projectId: network.project_id })))
      throw networkNotFound(networkId)
    permit(request, 'create_subnet', network.project_id)
    if (values.subnetpool_id || optionalFlag(values.use_default_subnetpool))
      throw badRequest('Failed to allocate subnet: there are no subnet pools')
    if (values.cidr === undefined) throw badRequest('Bad subnets request: a subnetpool must be specified in the absence of a cidr')
    return createSubnet(store, {
      ...standardOf(values),
      project_id: owner,
      network_id: networkId,
      ip_version: wholeOf('ip_version', values.ip_version, 4, 6) as 4 | 6,
      cidr: values.cidr as string,
      gateway_ip: values.gateway_ip as string | null | undefined,
      allocation_pools: values.allocation_pools as Pool[] | undefined,
      enable_dhcp: optionalFlag(values.enable_dhcp) ?? true,
      dns_nameservers: (values.dns_nameservers as string[] | null | undefined) ?? [],
      host_routes: (values.host_routes as Route[] | null | undefined) ?? [],
      ipv6_ra_mode: (values.ipv6_ra_mode as string | null | undefined) ?? null,
      ipv6_address_mode: (values.ipv6_address_mode as string | null | undefined) ?? null,
    }).id
  },
  update: (row, values, _request, { store }) =>
    updateSubnet(store, row.id, {
      name: values.name as string | undefined,
      description: values.description as string | undefined,
      gateway_ip: values.gateway_ip as string | null | undefined,
      allocation_pools: values.allocation_pools as Pool[] | undefined,
      enable_dhcp: optionalFlag(values.enable_dhcp),
      dns_nameservers: values.dns_nameservers === null ? [] : (values.dns_nameservers as string[] | undefined),
      host_routes: values.host_routes === null ? [] : (values.host_routes as Route[] | undefined),
    }),
  remove: (row, _request, { store }) => deleteSubnet(store, row.id),
}

export const subnetOperations = operationsOf(subnets)
