/** `/ports`. @see https://docs.openstack.org/api-ref/network/v2/#ports */
import { closed, nullable, Type } from '../../base/http/index.ts'
import { badAttribute, groupNotFound, networkNotFound, notAuthorized, portNotFound } from '../errors.ts'
import type { FixedIpRequest } from '../fixed-ips.ts'
import { type AddressPair, createPort, type DhcpOption, deletePort, type PortChanges, updatePort } from '../ports.ts'
import { type PortRow, rowOf } from '../store.ts'
import { type Attributes, each, flag, isCidr, isIp, name, uuid, type Values } from './attributes.ts'
import { type Condition, flagFilters, sortsOf, standardFilters, textFilters } from './lists.ts'
import { optionalFlag, standardAttributes, standardOf, standardView } from './networks.ts'
import { operationsOf, permit, type Request, type Resource, type Viewer } from './resource.ts'
import type { ApiDeps } from './service.ts'

type Row = PortRow & { network_project_id: string; fixed_ips: string; groups: string }

const mac = Type.String({ pattern: '^[0-9A-Fa-f][02468aceACE](:[0-9A-Fa-f]{2}){5}$' })
const ip = Type.String({ maxLength: 64 })
const ipOrCidr = (value: unknown) => (typeof value === 'string' && value.includes('/') ? isCidr(value) : isIp(value))

const attributes: Attributes = {
  ...standardAttributes,
  network_id: { schema: uuid, put: false, required: true },
  admin_state_up: { schema: flag },
  mac_address: { schema: mac, rule: 'network' },
  fixed_ips: {
    schema: nullable(
      Type.Array(Type.Object({ subnet_id: Type.Optional(uuid), ip_address: Type.Optional(ip) }, { ...closed, minProperties: 1 }), {
        maxItems: 64,
      }),
    ),
    refuse: each(isIp, (one: FixedIpRequest) => one.ip_address ?? null),
  },
  device_id: { schema: name, rule: 'own' },
  device_owner: { schema: name },
  security_groups: { schema: nullable(Type.Array(uuid, { maxItems: 64 })) },
  port_security_enabled: { schema: flag, rule: 'network' },
  allowed_address_pairs: {
    schema: nullable(Type.Array(Type.Object({ mac_address: Type.Optional(mac), ip_address: ip }, closed), { maxItems: 10 })),
    refuse: each(ipOrCidr, (pair: AddressPair) => pair.ip_address),
    rule: 'network',
  },
  extra_dhcp_opts: {
    schema: nullable(
      Type.Array(
        Type.Object(
          {
            opt_name: Type.String({ pattern: '^[a-z0-9][a-z0-9-]{0,63}$' }),
            opt_value: nullable(Type.String({ pattern: '^[\\x20-\\x7e]{1,255}$' })),
            ip_version: Type.Optional(Type.Union([4, 6, '4', '6'].map((one) => Type.Literal(one)))),
          },
          closed,
        ),
        { maxItems: 32 },
      ),
    ),
  },
  'binding:host_id': { schema: nullable(name), rule: 'own' },
  'binding:vnic_type': { schema: Type.Literal('normal'), rule: 'own' },
  'binding:profile': { schema: nullable(Type.Object({}, { maxProperties: 64 })), rule: 'own' },
}

const visible = ({ projectId, all }: Viewer): Condition =>
  all
    ? { sql: '1', params: [] }
    : { sql: '(t.project_id = ? OR t.network_id IN (SELECT id FROM networks WHERE project_id = ?))', params: [projectId, projectId] }

/** `ip_address=…`, `subnet_id=…` and `ip_address_substr=…`, as far as given, of one and the same address. */
function fixedIpsFilter(values: readonly string[]): Condition {
  const of = (key: string) => values.flatMap((value) => (value.startsWith(`${key}=`) ? [value.slice(key.length + 1)] : []))
  const parts = [
    { sql: 'a.ip_address IN (SELECT value FROM json_each(?))', given: of('ip_address') },
    { sql: 'a.subnet_id IN (SELECT value FROM json_each(?))', given: of('subnet_id') },
    { sql: 'EXISTS (SELECT 1 FROM json_each(?) w WHERE instr(a.ip_address, w.value) > 0)', given: of('ip_address_substr') },
  ].filter(({ given }) => given.length > 0)
  if (parts.length === 0) throw badAttribute('fixed_ips', 'it takes ip_address=, subnet_id= or ip_address_substr=')
  return {
    sql: `EXISTS (SELECT 1 FROM ipallocations a WHERE a.port_id = t.id AND ${parts.map(({ sql }) => sql).join(' AND ')})`,
    params: parts.map(({ given }) => JSON.stringify(given)),
  }
}

function view(row: Row, request: Request): Values {
  return {
    ...standardView(row),
    network_id: row.network_id,
    mac_address: row.mac_address,
    admin_state_up: row.admin_state_up === 1,
    status: row.status,
    device_id: row.device_id,
    device_owner: row.device_owner,
    fixed_ips: JSON.parse(row.fixed_ips),
    security_groups: JSON.parse(row.groups),
    port_security_enabled: row.port_security_enabled === 1,
    allowed_address_pairs: JSON.parse(row.allowed_address_pairs),
    extra_dhcp_opts: JSON.parse(row.extra_dhcp_opts),
    'binding:vnic_type': row.vnic_type,
    ...(request.allows('get_port:binding') ? binding(row) : {}),
  }
}

const binding = (row: Row): Values => ({
  'binding:host_id': row.host_id,
  'binding:profile': JSON.parse(row.profile),
  'binding:vif_type': row.host_id === '' ? 'unbound' : 'bridge',
  'binding:vif_details':
    row.host_id === ''
      ? {}
      : {
          port_filter: true,
          connectivity: 'l2',
          bound_drivers: { '0': 'bridge' },
          ...(row.bridge === null ? {} : { bridge_name: row.bridge }),
        },
})

/** Options whose value is null are taken away. */
function dhcpOptions(value: unknown, before: string): DhcpOption[] | undefined {
  if (value === undefined) return undefined
  const given = ((value ?? []) as { opt_name: string; opt_value: string | null; ip_version?: 4 | 6 }[]).map((option) => ({
    ...option,
    ip_version: Number(option.ip_version ?? 4),
  }))
  const isNamed = (option: DhcpOption) =>
    given.some((other) => other.opt_name === option.opt_name && other.ip_version === option.ip_version)
  const kept = (JSON.parse(before) as DhcpOption[]).filter((option) => !isNamed(option))
  const set = given.flatMap(({ opt_name, opt_value, ip_version }) => (opt_value === null ? [] : [{ opt_name, opt_value, ip_version }]))
  return [...kept, ...set]
}

/** What create and update have in common. @throws {CloudError} `forbidden` for an address of one's choice on somebody else's network. */
function common(
  values: Values,
  verb: 'create' | 'update',
  networkProject: string,
  request: Request,
  current: readonly string[],
): PortChanges {
  const fixed = values.fixed_ips as FixedIpRequest[] | null | undefined
  if (fixed?.some(({ ip_address }) => ip_address !== undefined && !current.includes(ip_address)))
    permit(request, `${verb}_port:fixed_ips:ip_address`, networkProject)
  const deviceOwner = values.device_owner as string | undefined
  if (deviceOwner?.startsWith('network:')) permit(request, `${verb}_port:device_owner`, networkProject)
  return {
    admin_state_up: optionalFlag(values.admin_state_up),
    device_id: values.device_id as string | undefined,
    device_owner: deviceOwner,
    mac_address: values.mac_address as string | undefined,
    port_security_enabled: optionalFlag(values.port_security_enabled),
    allowed_address_pairs: values.allowed_address_pairs === null ? [] : (values.allowed_address_pairs as AddressPair[] | undefined),
    host_id: values['binding:host_id'] === null ? '' : (values['binding:host_id'] as string | undefined),
    profile: values['binding:profile'] === null ? {} : (values['binding:profile'] as Record<string, unknown> | undefined),
  }
}

/** The groups must be the caller's to use. @throws {CloudError} `not-found`. */
function checkGroups(groups: readonly string[], projectId: string, request: Request, { store }: ApiDeps): void {
  for (const id of groups) {
    const group = rowOf(store, 'securitygroups', id)
    if (!group || (group.project_id !== projectId && !request.allows('get_security_group', { projectId: group.project_id })))
      throw groupNotFound(id)
  }
}

export const ports: Resource<Row> = {
  name: 'port',
  collection: 'ports',
  path: '/ports',
  attributes,
  list: {
    collection: 'ports',
    select: `SELECT t.*, (SELECT n.project_id FROM networks n WHERE n.id = t.network_id) AS network_project_id,
        (SELECT json_group_array(json_object('subnet_id', a.subnet_id, 'ip_address', a.ip_address) ORDER BY a.rowid) FROM ipallocations a WHERE a.port_id = t.id) AS fixed_ips,
        (SELECT json_group_array(b.security_group_id ORDER BY b.rowid) FROM securitygroupportbindings b WHERE b.port_id = t.id) AS groups
      FROM ports t`,
    filters: {
      ...standardFilters,
      ...textFilters('network_id', 'device_id', 'device_owner', 'status'),
      ...flagFilters('admin_state_up', 'port_security_enabled'),
      mac_address: { sql: 't.mac_address IN (SELECT lower(value) FROM json_each(?))' },
      'binding:host_id': { sql: 't.host_id IN (SELECT value FROM json_each(?))' },
      'binding:vnic_type': { sql: 't.vnic_type IN (SELECT value FROM json_each(?))' },
      security_groups: {
        sql: 't.id IN (SELECT b.port_id FROM securitygroupportbindings b WHERE b.security_group_id IN (SELECT value FROM json_each(?)))',
      },
      security_group_ids: {
        sql: 't.id IN (SELECT b.port_id FROM securitygroupportbindings b WHERE b.security_group_id IN (SELECT value FROM json_each(?)))',
      },
      fixed_ips: { where: fixedIpsFilter },
    },
    sorts: sortsOf('network_id', 'mac_address', 'status', 'device_id', 'device_owner', 'admin_state_up'),
    notFound: portNotFound,
  },
  visible,
  view,
  alsoOwnedBy: (row) => row.network_project_id,
  networkOwner: (values, row, { store }) =>
    row?.network_project_id ?? rowOf(store, 'networks', String(values.network_id))?.project_id ?? null,
  create: (values, owner, request, deps) => {
    const { store } = deps
    const network = rowOf(store, 'networks', values.network_id as string)
    const isOwn = network !== undefined && request.allows('create_port', { projectId: network.project_id })
    if (!network || !(isOwn || network.shared || network.external)) throw networkNotFound(String(values.network_id))
    if (!isOwn && !network.shared) throw notAuthorized('create_port')
    const groups = values.security_groups as string[] | null | undefined
    checkGroups(groups ?? [], owner, request, deps)
    return createPort(store, {
      ...standardOf(values),
      ...common(values, 'create', network.project_id, request, []),
      project_id: owner,
      network_id: network.id,
      device_id: (values.device_id as string | undefined) ?? '',
      device_owner: (values.device_owner as string | undefined) ?? '',
      fixed_ips: values.fixed_ips === undefined ? null : ((values.fixed_ips as FixedIpRequest[] | null) ?? []),
      security_groups: groups === null ? [] : (groups ?? null),
      extra_dhcp_opts: dhcpOptions(values.extra_dhcp_opts, '[]'),
    }).id
  },
  update: (row, values, request, deps) => {
    const groups = values.security_groups as string[] | null | undefined
    checkGroups(groups ?? [], row.project_id, request, deps)
    const current = (JSON.parse(row.fixed_ips) as { ip_address: string }[]).map(({ ip_address }) => ip_address)
    if (row.device_owner.startsWith('network:router') && values.device_id !== undefined && values.device_id !== row.device_id)
      throw badAttribute('device_id', "a router's port stays with its router")
    updatePort(deps.store, row.id, {
      ...common(values, 'update', row.network_project_id, request, current),
      name: values.name as string | undefined,
      description: values.description as string | undefined,
      fixed_ips: values.fixed_ips === null ? [] : (values.fixed_ips as FixedIpRequest[] | undefined),
      security_groups: groups === null ? [] : groups,
      extra_dhcp_opts: dhcpOptions(values.extra_dhcp_opts, row.extra_dhcp_opts),
    })
    deps.store.changed(row)
  },
  remove: (row, _request, { store }) => {
    deletePort(store, row.id)
    store.changed(row)
  },
}

export const portOperations = operationsOf(ports)
