/**
 * Security groups and their rules. Every project has one named `default`, made when it is first needed: all may leave, members of the group may reach each
 * other.
 *
 * @see https://docs.openstack.org/api-ref/network/v2/#security-groups-security-groups
 */
import { canonicalIp, ipVersionOf, parseCidr } from './addresses.ts'
import { protocolNumbers as protocols } from './drivers/index.ts'
import {
  cannotRemoveDefaultGroup,
  cannotUpdateDefaultGroup,
  defaultGroupExists,
  groupInUse,
  groupNotFound,
  ruleExists,
  ruleInvalid,
  ruleNotFound,
} from './errors.ts'
import { checkQuota } from './quotas.ts'
import { bit, change, drop, type GroupRow, insert, newStandard, type RuleRow, revise, rowOf, type Store } from './store.ts'

const onlyIpv6 = new Set([
  'icmpv6',
  'ipv6-icmp',
  'ipv6-encap',
  'ipv6-frag',
  'ipv6-nonxt',
  'ipv6-opts',
  'ipv6-route',
  '58',
  '41',
  '44',
  '59',
  '60',
  '43',
])
const withPorts = new Set([6, 17, 33, 132, 136])
const icmp = new Set([1, 58])

export type NewRule = {
  security_group_id: string
  project_id: string
  direction: 'ingress' | 'egress'
  ethertype: 'IPv4' | 'IPv6'
  protocol?: string | null
  port_range_min?: number | null
  port_range_max?: number | null
  remote_ip_prefix?: string | null
  remote_group_id?: string | null
  description?: string
}

const defaultGroupId = (store: Store, projectId: string): string | undefined =>
  store.db.prepare<{ id: string }>('SELECT security_group_id AS id FROM default_security_group WHERE project_id = ?').get(projectId)?.id

/** The project's default group, made if it isn't there yet; it doesn't count against the quota. */
export function ensureDefaultGroup(store: Store, projectId: string): string {
  const found = defaultGroupId(store, projectId)
  if (found !== undefined) return found
  return store.db.transaction(() => {
    const { id } = newGroup(store, { project_id: projectId, name: 'default', description: 'Default security group', stateful: true })
    for (const ethertype of ['IPv4', 'IPv6'] as const)
      writeRule(store, { security_group_id: id, project_id: projectId, direction: 'ingress', ethertype, remote_group_id: id })
    store.db.prepare('INSERT INTO default_security_group (project_id, security_group_id) VALUES (?, ?)').run(projectId, id)
    return id
  })
}

export type NewGroup = { project_id: string; name: string; description: string; stateful: boolean; tags?: string[] }

/** @throws {CloudError} `conflict` for the reserved name; `over-quota`. */
export function createGroup(store: Store, group: NewGroup): GroupRow {
  return store.db.transaction(() => {
    ensureDefaultGroup(store, group.project_id)
    if (group.name === 'default') throw defaultGroupExists()
    checkQuota(store, group.project_id, 'security_group')
    checkQuota(store, group.project_id, 'security_group_rule', 2)
    return newGroup(store, group)
  })
}

function newGroup(store: Store, { stateful, ...rest }: NewGroup): GroupRow {
  const group = insert(store, 'securitygroups', { ...newStandard(store, rest), stateful: bit(stateful) })
  for (const ethertype of ['IPv4', 'IPv6'] as const)
    writeRule(store, { security_group_id: group.id, project_id: group.project_id, direction: 'egress', ethertype })
  return group
}

/** @throws {CloudError} `not-found`; `conflict` for renaming the default group. */
export function updateGroup(store: Store, id: string, changes: Partial<GroupRow>): void {
  const group = rowOf(store, 'securitygroups', id)
  if (!group) throw groupNotFound(id)
  if (changes.name !== undefined && changes.name !== group.name) {
    if (defaultGroupId(store, group.project_id) === id) throw cannotUpdateDefaultGroup()
    if (changes.name === 'default') throw defaultGroupExists()
  }
  if (changes.stateful !== undefined && changes.stateful !== group.stateful && isUsed(store, id)) throw groupInUse(id)
  change(store, 'securitygroups', id, changes)
}

const isUsed = (store: Store, id: string): boolean =>
  store.db.prepare('SELECT 1 FROM securitygroupportbindings WHERE security_group_id = ? LIMIT 1').get(id) !== undefined

/** @throws {CloudError} `not-found`; `conflict` while ports use it, and for a default group unless an admin asks. */
export function deleteGroup(store: Store, id: string, isAdmin: boolean): void {
  store.db.transaction(() => {
    const group = rowOf(store, 'securitygroups', id)
    if (!group) throw groupNotFound(id)
    if (isUsed(store, id)) throw groupInUse(id)
    if (!isAdmin && defaultGroupId(store, group.project_id) === id) throw cannotRemoveDefaultGroup()
    const touched = networksOfGroup(store, id)
    drop(store, 'securitygroups', id)
    for (const networkId of touched) store.touchNetwork(networkId)
  })
}

/** @throws {CloudError} `not-found`, `invalid`, `conflict` (type SecurityGroupRuleExists), `over-quota`. */
export function createRule(store: Store, rule: NewRule): RuleRow {
  return store.db.transaction(() => {
    if (!rowOf(store, 'securitygroups', rule.security_group_id)) throw groupNotFound(rule.security_group_id)
    if (rule.remote_group_id && !rowOf(store, 'securitygroups', rule.remote_group_id)) throw groupNotFound(rule.remote_group_id)
    const complete = checkRule(rule)
    const same = store.db
      .prepare<{ id: string }>(
        `SELECT id FROM securitygrouprules WHERE security_group_id = ? AND direction = ? AND ethertype = ? AND protocol IS ?
           AND port_range_min IS ? AND port_range_max IS ? AND normalized_cidr IS ? AND remote_group_id IS ?`,
      )
      .get(
        complete.security_group_id,
        complete.direction,
        complete.ethertype,
        complete.protocol,
        complete.port_range_min,
        complete.port_range_max,
        complete.normalized_cidr,
        complete.remote_group_id,
      )
    if (same) throw ruleExists(same.id)
    checkQuota(store, rule.project_id, 'security_group_rule')
    const row = writeRule(store, complete)
    store.touchGroup(row.security_group_id)
    revise(store, 'securitygroups', row.security_group_id)
    return row
  })
}

/** @throws {CloudError} `not-found`. */
export function deleteRule(store: Store, id: string): void {
  store.db.transaction(() => {
    const rule = rowOf(store, 'securitygrouprules', id)
    if (!rule) throw ruleNotFound(id)
    drop(store, 'securitygrouprules', id)
    revise(store, 'securitygroups', rule.security_group_id)
    store.touchGroup(rule.security_group_id)
  })
}

type Complete = NewRule &
  Pick<RuleRow, 'protocol' | 'port_range_min' | 'port_range_max' | 'remote_ip_prefix' | 'normalized_cidr' | 'remote_group_id'>

function writeRule(store: Store, rule: NewRule & Partial<Pick<RuleRow, 'normalized_cidr'>>): RuleRow {
  return insert(store, 'securitygrouprules', {
    ...newStandard(store, { project_id: rule.project_id, description: rule.description ?? '' }),
    security_group_id: rule.security_group_id,
    remote_group_id: rule.remote_group_id ?? null,
    direction: rule.direction,
    ethertype: rule.ethertype,
    protocol: rule.protocol ?? null,
    port_range_min: rule.port_range_min ?? null,
    port_range_max: rule.port_range_max ?? null,
    remote_ip_prefix: rule.remote_ip_prefix ?? null,
    normalized_cidr: rule.normalized_cidr ?? null,
  })
}

/** @throws {CloudError} `invalid` under Neutron's class names. */
function checkRule(rule: NewRule): Complete {
  const { ethertype, remote_ip_prefix: remote = null, remote_group_id = null } = rule
  const protocol = rule.protocol === undefined || rule.protocol === null || rule.protocol === 'any' ? null : rule.protocol
  const { port_range_min: min = null, port_range_max: max = null } = rule
  if (remote !== null && remote_group_id !== null)
    throw ruleInvalid(
      'SecurityGroupMultipleRemoteEntites',
      'Only one of remote_ip_prefix, remote_group_id or remote_address_group_id may be provided.',
    )
  const number = protocol === null ? null : (protocols[protocol] ?? Number(protocol))
  if (protocol !== null && ethertype === 'IPv4' && onlyIpv6.has(protocol))
    throw ruleInvalid('SecurityGroupEthertypeConflictWithProtocol', `Invalid ethertype ${ethertype} for protocol ${protocol}.`)

  if (min !== null || max !== null) {
    if (number === null) throw ruleInvalid('SecurityGroupProtocolRequiredWithPorts', 'Must also specify protocol if port range is given.')
    if (withPorts.has(number)) {
      if (min === 0 || max === 0) throw ruleInvalid('SecurityGroupInvalidPortValue', 'Invalid value for port 0')
      if (min === null || max === null || min > max)
        throw ruleInvalid('SecurityGroupInvalidPortRange', 'For TCP/UDP protocols, port_range_min must be <= port_range_max')
    } else if (icmp.has(number)) {
      for (const [field, value] of [
        ['type', min],
        ['code', max],
      ] as const)
        if (value !== null && (value < 0 || value > 255))
          throw ruleInvalid(
            'SecurityGroupInvalidIcmpValue',
            `Invalid value for ICMP ${field} (${field === 'type' ? 'port-range-min' : 'port-range-max'}) ${value}. It must be 0 to 255.`,
          )
      if (min === null)
        throw ruleInvalid(
          'SecurityGroupMissingIcmpType',
          `ICMP code (port-range-max) ${max} is provided but ICMP type (port-range-min) is missing.`,
        )
    } else {
      throw ruleInvalid(
        'SecurityGroupInvalidProtocolForPort',
        `Invalid protocol ${protocol} for port range, only supported for TCP, UDP, UDPLITE, SCTP and DCCP.`,
      )
    }
  }

  let normalized: string | null = null
  if (remote !== null) {
    const version = ipVersionOf(remote.split('/')[0] ?? '')
    const cidr = parseCidr(remote.includes('/') ? remote : `${remote}/${version === 4 ? 32 : 128}`)
    if (!cidr) throw ruleInvalid('SecurityGroupInvalidRemotePrefix', `Invalid CIDR ${remote} given as IP prefix`)
    if ((cidr.version === 4) !== (ethertype === 'IPv4'))
      throw ruleInvalid('SecurityGroupRuleParameterConflict', `Conflicting value ethertype ${ethertype} for CIDR ${remote}`)
    normalized = cidr.text
  }
  const plain = remote !== null && !remote.includes('/') ? `${canonicalIp(remote)}/${ethertype === 'IPv4' ? 32 : 128}` : remote
  return {
    ...rule,
    protocol,
    port_range_min: min,
    port_range_max: max,
    remote_ip_prefix: plain,
    normalized_cidr: normalized,
    remote_group_id,
  }
}

/** Networks with live ports that have this group, or whose rules speak of it. */
export const networksOfGroup = (store: Store, groupId: string): string[] =>
  store.db
    .prepare<{ network_id: string }>(
      `SELECT DISTINCT p.network_id FROM securitygroupportbindings b JOIN ports p ON p.id = b.port_id
         WHERE p.mark IS NOT NULL AND b.security_group_id IN
           (SELECT ? UNION SELECT security_group_id FROM securitygrouprules WHERE remote_group_id = ?)`,
    )
    .all(groupId, groupId)
    .map((row) => row.network_id)
