/** `/networks`. @see https://docs.openstack.org/api-ref/network/v2/#networks */

import { isoSeconds } from '../../base/clock.ts'
import { conflict } from '../../base/errors.ts'
import { nullable, Type } from '../../base/http/index.ts'
import { networkNotFound } from '../errors.ts'
import { createNetwork, deleteNetwork, updateNetwork } from '../networks.ts'
import { bit, type NetworkRow, type StandardRow, type Store } from '../store.ts'
import { type Attributes, flag, flagOf, name, projectId, type Values, whole, wholeOf } from './attributes.ts'
import { type Condition, flagFilters, numberFilters, sortsOf, standardFilters, textFilters } from './lists.ts'
import { operationsOf, type Request, type Resource, type Viewer } from './resource.ts'

type Row = NetworkRow & { subnet_ids: string }

/** Attributes that every resource takes. */
export const standardAttributes: Attributes = {
  name: { schema: name },
  description: { schema: name },
  project_id: { schema: projectId, put: false },
  tenant_id: { schema: projectId, put: false },
}

/** Fields that every resource shows. */
export const standardView = (row: StandardRow): Values => ({
  id: row.id,
  name: row.name,
  description: row.description,
  project_id: row.project_id,
  tenant_id: row.project_id,
  tags: JSON.parse(row.tags),
  created_at: isoSeconds(row.created_at),
  updated_at: isoSeconds(row.updated_at),
  revision_number: row.revision_number,
})

/** What was given of the attributes that every resource takes. */
export const standardOf = (values: Values): { name: string; description: string } => ({
  name: (values.name as string | undefined) ?? '',
  description: (values.description as string | undefined) ?? '',
})

export const optionalFlag = (value: unknown): boolean | undefined => (value === undefined ? undefined : flagOf(value))

const visibleNetworks = ({ projectId: mine, all }: Viewer): Condition =>
  all ? { sql: '1', params: [] } : { sql: '(t.project_id = ? OR t.shared = 1 OR t.external = 1)', params: [mine] }

const attributes: Attributes = {
  ...standardAttributes,
  admin_state_up: { schema: flag },
  shared: { schema: flag, rule: 'own' },
  'router:external': { schema: flag, rule: 'own' },
  is_default: { schema: flag, rule: 'own' },
  port_security_enabled: { schema: flag, rule: 'own' },
  mtu: { schema: whole(0, 65_535) },
  'provider:network_type': {
    schema: Type.Union(['local', 'flat', 'vlan', 'vxlan', 'gre', 'geneve'].map((type) => Type.Literal(type))),
    put: false,
    rule: 'own',
  },
  'provider:physical_network': { schema: nullable(Type.String({ maxLength: 64 })), put: false, rule: 'own' },
  'provider:segmentation_id': { schema: nullable(whole(0, 16_777_215)), put: false, rule: 'own' },
}

function mtuOf(value: unknown, store: Store): number | null {
  if (value === undefined) return null
  const mtu = wholeOf('mtu', value, 0, 65_535)
  return mtu === 0 ? store.mtu : wholeOf('mtu', value, 68, 65_535)
}

function view(row: Row, request: Request): Values {
  return {
    ...standardView(row),
    status: row.status,
    admin_state_up: row.admin_state_up === 1,
    shared: row.shared === 1,
    'router:external': row.external === 1,
    ...(row.external ? { is_default: row.is_default === 1 } : {}),
    mtu: row.mtu,
    port_security_enabled: row.port_security_enabled === 1,
    subnets: JSON.parse(row.subnet_ids),
    availability_zone_hints: [],
    availability_zones: row.subnet_ids === '[]' ? [] : ['nova'],
    ipv4_address_scope: null,
    ipv6_address_scope: null,
    ...(request.allows('get_network:provider')
      ? {
          'provider:network_type': row.network_type,
          'provider:physical_network': row.physical_network,
          'provider:segmentation_id': row.segmentation_id,
        }
      : {}),
  }
}

/** @throws {CloudError} `conflict` while others use what would be taken from them. */
function checkNotNeeded(store: Store, row: NetworkRow, shared: boolean | undefined, external: boolean | undefined): void {
  const { db } = store
  if (
    shared === false &&
    row.shared &&
    db.prepare("SELECT 1 FROM ports WHERE network_id = ? AND project_id NOT IN ('', ?) LIMIT 1").get(row.id, row.project_id)
  )
    throw conflict(`Unable to reconfigure sharing settings for network ${row.id}. Multiple tenants are using it.`, {
      type: 'InvalidSharedSetting',
    })
  if (
    external === false &&
    row.external &&
    db.prepare("SELECT 1 FROM ports WHERE network_id = ? AND device_owner = 'network:router_gateway' LIMIT 1").get(row.id)
  )
    throw conflict(`External network ${row.id} cannot be updated to be made non-external, since it has existing gateway ports.`, {
      type: 'ExternalNetworkInUse',
    })
}

export const networks: Resource<Row> = {
  name: 'network',
  collection: 'networks',
  path: '/networks',
  attributes,
  list: {
    collection: 'networks',
    select:
      'SELECT t.*, (SELECT json_group_array(s.id ORDER BY s.rowid) FROM subnets s WHERE s.network_id = t.id) AS subnet_ids FROM networks t',
    filters: {
      ...standardFilters,
      ...textFilters('status'),
      ...flagFilters('admin_state_up', 'shared', 'is_default', 'port_security_enabled'),
      ...numberFilters('mtu'),
      'router:external': { sql: 't.external IN (SELECT value FROM json_each(?))', kind: 'flag' },
      'provider:network_type': { sql: 't.network_type IN (SELECT value FROM json_each(?))' },
      'provider:physical_network': { sql: 't.physical_network IN (SELECT value FROM json_each(?))' },
      'provider:segmentation_id': { sql: 't.segmentation_id IN (SELECT value FROM json_each(?))', kind: 'number' },
      subnets: { sql: 'EXISTS (SELECT 1 FROM subnets s WHERE s.network_id = t.id AND s.id IN (SELECT value FROM json_each(?)))' },
    },
    sorts: sortsOf('status', 'admin_state_up', 'mtu'),
    notFound: networkNotFound,
  },
  visible: visibleNetworks,
  view,
  create: (values, owner, _request, { store }) =>
    createNetwork(store, {
      ...standardOf(values),
      project_id: owner,
      admin_state_up: optionalFlag(values.admin_state_up) ?? true,
      shared: optionalFlag(values.shared) ?? false,
      external: optionalFlag(values['router:external']) ?? false,
      is_default: optionalFlag(values.is_default) ?? false,
      port_security_enabled: optionalFlag(values.port_security_enabled) ?? true,
      mtu: mtuOf(values.mtu, store),
      network_type: (values['provider:network_type'] as string | undefined) ?? null,
      physical_network: (values['provider:physical_network'] as string | null | undefined) ?? null,
      segmentation_id:
        values['provider:segmentation_id'] === undefined || values['provider:segmentation_id'] === null
          ? null
          : wholeOf('provider:segmentation_id', values['provider:segmentation_id'], 0, 16_777_215),
    }).id,
  update: (row, values, _request, { store }) => {
    const flags = Object.fromEntries(
      ['admin_state_up', 'shared', 'is_default', 'port_security_enabled'].flatMap((key) =>
        values[key] === undefined ? [] : [[key, bit(flagOf(values[key]))]],
      ),
    )
    const external = optionalFlag(values['router:external'])
    checkNotNeeded(store, row, optionalFlag(values.shared), external)
    updateNetwork(store, row.id, {
      ...flags,
      name: values.name as string | undefined,
      description: values.description as string | undefined,
      external: external === undefined ? undefined : bit(external),
      mtu: mtuOf(values.mtu, store) ?? undefined,
    })
  },
  remove: (row, _request, { store }) => deleteNetwork(store, row.id),
}

export const networkOperations = operationsOf(networks)
