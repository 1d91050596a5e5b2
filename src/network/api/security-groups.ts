/** `/security-groups` and `/security-group-rules`. @see https://docs.openstack.org/api-ref/network/v2/#security-groups-security-groups */

import { kinds, nullable, principalOf, Type } from '../../base/http/index.ts'
import { protocolNumbers as protocols } from '../drivers/index.ts'
import { groupNotFound, ruleNotFound } from '../errors.ts'
import { createGroup, createRule, deleteGroup, deleteRule, ensureDefaultGroup, type NewRule, updateGroup } from '../security-groups.ts'
import { bit, type GroupRow, type RuleRow, rowOf } from '../store.ts'
import { type Attributes, flag, name, uuid, type Values, whole, wholeOf } from './attributes.ts'
import { flagFilters, numberFilters, sortsOf, standardFilters, textFilters } from './lists.ts'
import { optionalFlag, standardAttributes, standardOf, standardView } from './networks.ts'
import { operationsOf, own, permit, type Request, type Resource, viewerOf } from './resource.ts'

type Group = GroupRow & { rules: string; is_default: 0 | 1 }
type Rule = RuleRow & { in_default: 0 | 1 }

const ruleView = (row: Rule): Values => {
  const { name: _name, ...standard } = standardView(row)
  return {
    ...standard,
    security_group_id: row.security_group_id,
    direction: row.direction,
    ethertype: row.ethertype,
    protocol: row.protocol,
    port_range_min: row.port_range_min,
    port_range_max: row.port_range_max,
    remote_ip_prefix: row.remote_ip_prefix,
    normalized_cidr: row.normalized_cidr,
    remote_group_id: row.remote_group_id,
    remote_address_group_id: null,
    belongs_to_default_sg: row.in_default === 1,
  }
}

/** Only the caller's own and, for admins, all: the service role has no say here. */
const visible = (viewer: Parameters<typeof own>[0]) => own({ ...viewer, all: viewer.isAdmin })

const ruleColumns = [
  'id',
  'project_id',
  'description',
  'tags',
  'revision_number',
  'created_at',
  'updated_at',
  'security_group_id',
  'direction',
  'ethertype',
]
  .concat('protocol', 'port_range_min', 'port_range_max', 'remote_ip_prefix', 'normalized_cidr', 'remote_group_id')
  .map((column) => `'${column}', r.${column}`)
  .join(', ')

export const securityGroups: Resource<Group> = {
  name: 'security_group',
  collection: 'security_groups',
  path: '/security-groups',
  attributes: { ...standardAttributes, name: { schema: name }, stateful: { schema: flag } },
  list: {
    collection: 'security_groups',
    select: `SELECT t.*, EXISTS (SELECT 1 FROM default_security_group d WHERE d.security_group_id = t.id) AS is_default,
        (SELECT json_group_array(json_object(${ruleColumns}) ORDER BY r.rowid) FROM securitygrouprules r WHERE r.security_group_id = t.id) AS rules
      FROM securitygroups t`,
    filters: {
      ...standardFilters,
      ...flagFilters('stateful'),
      shared: { sql: '0 IN (SELECT value FROM json_each(?))', kind: 'flag' },
    },
    sorts: sortsOf('stateful'),
    notFound: groupNotFound,
  },
  visible,
  prepare: (store, { projectId }) => {
    if (projectId !== '') ensureDefaultGroup(store, projectId)
  },
  view: (row) => ({
    ...standardView(row),
    stateful: row.stateful === 1,
    shared: false,
    security_group_rules: (JSON.parse(row.rules) as RuleRow[]).map((rule) => ruleView({ ...rule, name: '', in_default: row.is_default })),
  }),
  create: (values, owner, _request, { store }) =>
    createGroup(store, { ...standardOf(values), project_id: owner, stateful: optionalFlag(values.stateful) ?? true }).id,
  update: (row, values, _request, { store }) =>
    updateGroup(store, row.id, {
      name: values.name as string | undefined,
      description: values.description as string | undefined,
      stateful: values.stateful === undefined ? undefined : bit(optionalFlag(values.stateful) ?? true),
    }),
  remove: (row, request, { store }) => deleteGroup(store, row.id, viewerOf(principalOf(request.context)).isAdmin),
}

const { name: _noName, ...described } = standardAttributes

const ruleAttributes: Attributes = {
  ...described,
  security_group_id: { schema: uuid, required: true },
  direction: { schema: Type.Union([Type.Literal('ingress'), Type.Literal('egress')]), required: true },
  ethertype: {
    schema: nullable(Type.String()),
    refuse: (value) => (value === null || ethertypeOf(value) ? null : `'${String(value).slice(0, 32)}' is not in ['IPv4', 'IPv6']`),
  },
  protocol: {
    schema: nullable(kinds(Type.String({ maxLength: 32 }), Type.Integer({ minimum: 0, maximum: 255 }))),
    refuse: (value) =>
      value === null || protocolOf(value) !== undefined ? null : `Security group rule protocol ${String(value).slice(0, 32)} not supported`,
  },
  port_range_min: { schema: nullable(whole(0, 65_535)) },
  port_range_max: { schema: nullable(whole(0, 65_535)) },
  remote_ip_prefix: { schema: nullable(Type.String({ maxLength: 64 })) },
  remote_group_id: { schema: nullable(uuid) },
  remote_address_group_id: { schema: Type.Null() },
}

const ethertypeOf = (value: unknown): 'IPv4' | 'IPv6' | undefined =>
  (({ ipv4: 'IPv4', ipv6: 'IPv6' }) as const)[String(value).toLowerCase() as 'ipv4' | 'ipv6']

/** A name we know, a number, or `any`; undefined for anything else. */
function protocolOf(value: unknown): string | undefined {
  const text = String(value).toLowerCase()
  if (text === 'any' || Object.hasOwn(protocols, text)) return text
  return /^\d{1,3}$/.test(text) && Number(text) <= 255 ? String(Number(text)) : undefined
}

function newRule(values: Values, owner: string): NewRule {
  const number = (key: string) => (values[key] === undefined || values[key] === null ? null : wholeOf(key, values[key], 0, 65_535))
  const { protocol } = values
  const ethertype = ethertypeOf(values.ethertype ?? 'IPv4') ?? 'IPv4'
  const named = protocol === undefined || protocol === null ? null : (protocolOf(protocol) ?? null)
  return {
    project_id: owner,
    security_group_id: values.security_group_id as string,
    direction: values.direction as 'ingress' | 'egress',
    ethertype,
    protocol: ethertype === 'IPv6' && (named === 'icmp' || named === 'icmpv6') ? 'ipv6-icmp' : named,
    port_range_min: number('port_range_min'),
    port_range_max: number('port_range_max'),
    remote_ip_prefix: (values.remote_ip_prefix as string | null | undefined) ?? null,
    remote_group_id: (values.remote_group_id as string | null | undefined) ?? null,
    description: (values.description as string | undefined) ?? '',
  }
}

const securityGroupRules: Resource<Rule> = {
  name: 'security_group_rule',
  collection: 'security_group_rules',
  path: '/security-group-rules',
  attributes: ruleAttributes,
  list: {
    collection: 'security_group_rules',
    select:
      'SELECT t.*, EXISTS (SELECT 1 FROM default_security_group d WHERE d.security_group_id = t.security_group_id) AS in_default FROM securitygrouprules t',
    filters: {
      ...standardFilters,
      ...textFilters('security_group_id', 'remote_group_id', 'direction', 'ethertype', 'protocol', 'remote_ip_prefix', 'normalized_cidr'),
      ...numberFilters('port_range_min', 'port_range_max'),
    },
    sorts: sortsOf(
      'security_group_id',
      'remote_group_id',
      'direction',
      'ethertype',
      'protocol',
      'port_range_min',
      'port_range_max',
      'remote_ip_prefix',
    ),
    notFound: ruleNotFound,
  },
  visible,
  prepare: (store, { projectId }) => {
    if (projectId !== '') ensureDefaultGroup(store, projectId)
  },
  view: ruleView,
  create: (values, owner, request: Request, { store }) => {
    const group = (id: unknown) => {
      const found = rowOf(store, 'securitygroups', String(id))
      if (!found || !request.allows('get_security_group', { projectId: found.project_id })) throw groupNotFound(String(id))
      return found
    }
    const target = group(values.security_group_id)
    permit(request, 'create_security_group_rule', target.project_id)
    if (values.remote_group_id) group(values.remote_group_id)
    return createRule(store, newRule(values, values.project_id === undefined ? target.project_id : owner)).id
  },
  remove: (row, _request, { store }) => deleteRule(store, row.id),
}

export const securityGroupOperations = [...operationsOf(securityGroups), ...operationsOf(securityGroupRules)]
