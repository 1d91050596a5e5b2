/**
 * Security groups in Compute's old form, up to 2.35: only rules for what comes in, ports as `from` and `to`.
 *
 * @see https://docs.openstack.org/api-ref/compute/#security-groups-os-security-groups-deprecated
 */
import { CloudError, invalid, notFound } from '../../base/errors.ts'
import { as, bodies, type Incoming, kinds, nullable, operation, Type } from '../../base/http/index.ts'
import type { SecurityGroup, SecurityGroupRule } from '../../network/index.ts'
import { booleanWord } from '../model/index.ts'
import { type NovaApi, viewerOf } from './deps.ts'
import { anyText, type Known, knownQuery, wholeNumber } from './known-query.ts'

const until = '2.35'

const ruleView = (rule: SecurityGroupRule, groupId: string) => ({
  id: rule.id,
  parent_group_id: groupId,
  ip_protocol: rule.protocol,
  from_port: rule.portRangeMin ?? (rule.protocol === null ? null : -1),
  to_port: rule.portRangeMax ?? (rule.protocol === null ? null : -1),
  ip_range: rule.remoteGroup ? {} : { cidr: rule.remoteIpPrefix ?? '0.0.0.0/0' },
  group: rule.remoteGroup ? { name: rule.remoteGroup.name, tenant_id: rule.remoteGroup.projectId } : {},
})

export const groupView = ({ id, name, description, projectId, rules }: SecurityGroup) => ({
  id,
  name,
  description,
  tenant_id: projectId,
  rules: rules.filter(({ direction }) => direction === 'ingress').map((rule) => ruleView(rule, id)),
})

/** What the network refuses because of what is there is a wrong request here. @throws {CloudError} */
function passedOn<T>(work: () => T): T {
  try {
    return work()
  } catch (error) {
    if (error instanceof CloudError && error.kind === 'conflict') throw invalid(error.message, { cause: error })
    throw error
  }
}

const isUuid = (text: string): boolean => /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(text)

/** @throws {CloudError} `invalid` for what is no id, `not-found`. */
function groupOf(id: string, { context }: Incoming<unknown, unknown>, { networks }: NovaApi): SecurityGroup {
  if (!isUuid(id)) throw invalid('Security group id should be uuid')
  const found = networks.proxies.securityGroup(id, viewerOf(context))
  if (!found) throw notFound(`Security group ${id} not found.`)
  return found
}

const listGroups = operation({
  method: 'GET',
  path: '/os-security-groups',
  until,
  status: 200,
  errors: [400, 403],
  policy: 'os_compute_api:os-security-groups:get',
  query: knownQuery({ '2.1': { limit: wholeNumber, offset: wholeNumber, all_tenants: anyText } }, '2.75'),
  handle: ({ context, query }: Incoming<undefined, Known>, { networks }: NovaApi) => {
    const { projectId, isAdmin } = viewerOf(context)
    const isAll = isAdmin && (projectId === null || booleanWord(query.all_tenants ?? 'no') === true)
    const groups = isAll ? networks.proxies.securityGroups(null) : projectId === null ? [] : networks.proxies.securityGroups(projectId)
    const offset = Number(query.offset || 0)
    const limit = Number(query.limit || 0) || groups.length
    return { security_groups: groups.slice(offset, offset + limit).map(groupView) }
  },
})

const one = { path: '/os-security-groups/{security_group_id}', until } as const

const showGroup = operation({
  ...one,
  method: 'GET',
  status: 200,
  errors: [400, 403, 404],
  policy: 'os_compute_api:os-security-groups:show',
  handle: (request: Incoming, nova: NovaApi) => ({
    security_group: groupView(groupOf(request.params.security_group_id ?? '', request, nova)),
  }),
})

const words = Type.Object({
  security_group: Type.Object({ name: Type.String({ minLength: 1, maxLength: 255 }), description: Type.String({ maxLength: 255 }) }),
})
type Words = { name: string; description: string }
const wordsBody = bodies<Words>({
  '2.1': as(words, ({ security_group: { name, description } }) => ({ name: name.trim(), description: description.trim() })),
})

/** @throws {CloudError} `invalid` for a name of white space alone. */
function named(words: Words): Words {
  if (words.name === '') throw invalid('Security group name cannot be empty.')
  return words
}

const createGroup = operation({
  method: 'POST',
  path: '/os-security-groups',
  until,
  status: 200,
  errors: [400, 403],
  policy: 'os_compute_api:os-security-groups:create',
  body: wordsBody,
  handle: ({ body, context }: Incoming<Words>, { networks }: NovaApi) => {
    const { name, description } = named(body)
    const { projectId } = viewerOf(context)
    return { security_group: groupView(passedOn(() => networks.proxies.createSecurityGroup(projectId ?? '', name, description))) }
  },
})

const updateGroup = operation({
  ...one,
  method: 'PUT',
  status: 200,
  errors: [400, 403, 404],
  policy: 'os_compute_api:os-security-groups:update',
  body: wordsBody,
  handle: (request: Incoming<Words>, nova: NovaApi) => {
    const { id } = groupOf(request.params.security_group_id ?? '', request, nova)
    const words = named(request.body)
    return { security_group: groupView(passedOn(() => nova.networks.proxies.updateSecurityGroup(id, words))) }
  },
})

const deleteGroup = operation({
  ...one,
  method: 'DELETE',
  status: 202,
  errors: [400, 403, 404],
  policy: 'os_compute_api:os-security-groups:delete',
  handle: (request: Incoming, nova: NovaApi) => {
    const { id } = groupOf(request.params.security_group_id ?? '', request, nova)
    passedOn(() => nova.networks.proxies.deleteSecurityGroup(id, viewerOf(request.context)))
    return undefined
  },
})

type RuleWish = {
  parent_group_id: string
  ip_protocol?: string | number | null
  from_port?: string | number | null
  to_port?: string | number | null
  cidr?: string | null
  group_id?: string | null
}
const loose = Type.Optional(kinds(Type.String({ maxLength: 255 }), Type.Integer(), Type.Null()))
const looseText = Type.Optional(nullable(Type.String({ maxLength: 255 })))
const ruleWish = Type.Object({
  security_group_rule: Type.Object({
    parent_group_id: Type.String(),
    ip_protocol: loose,
    from_port: loose,
    to_port: loose,
    cidr: looseText,
    group_id: looseText,
  }),
})

const isGiven = (value: unknown): value is string | number => value !== undefined && value !== null && value !== ''
const whole = (value: string | number, protocol: string): number => {
  if (/^-?\d{1,9}$/.test(String(value))) return Number(value)
  throw invalid(protocol === 'icmp' ? 'Type and Code must be integers for ICMP protocol type' : 'To and From ports must be integers')
}

type Traffic = { protocol: string | null; from: number | null; to: number | null }

/** Which traffic a rule lets in; with a group for a source it may be left open. @throws {CloudError} `invalid`. */
function trafficOf({ ip_protocol, from_port, to_port }: RuleWish, isFromGroup: boolean): Traffic {
  const protocol = isGiven(ip_protocol) ? String(ip_protocol).toLowerCase() : null
  const isOpen = isFromGroup && !isGiven(from_port) && !isGiven(to_port)
  if (protocol === null || (!isOpen && !(isGiven(from_port) && isGiven(to_port)))) {
    if (isFromGroup) return { protocol: null, from: null, to: null }
    throw invalid('Not enough parameters to build a valid rule.')
  }
  if (!['tcp', 'udp', 'icmp'].includes(protocol)) throw invalid(`Invalid IP protocol ${protocol}.`)
  if (isOpen) return { protocol, from: protocol === 'icmp' ? null : 1, to: protocol === 'icmp' ? null : 65_535 }
  const [from, to] = [whole(from_port as string | number, protocol), whole(to_port as string | number, protocol)]
  const refuse = (why: string) => invalid(`Invalid port range ${from}:${to}. ${why}`)
  if (protocol === 'icmp') {
    if (Math.min(from, to) < -1 || Math.max(from, to) > 255) throw refuse('For ICMP, the type:code must be valid')
    return { protocol, from: from === -1 ? null : from, to: to === -1 ? null : to }
  }
  if (from === -1 && to === -1) return { protocol, from: null, to: null }
  if (from > to) throw refuse('Former value cannot be greater than the later')
  if (from < 1 || to > 65_535) throw refuse(`Valid ${protocol.toUpperCase()} ports should be between 1-65535`)
  return { protocol, from, to }
}

/** @throws {CloudError} `invalid` for a prefix of no bits at an address that is not everything. */
function sourceOf({ cidr }: RuleWish): string {
  if (!isGiven(cidr)) return '0.0.0.0/0'
  const [net, bits] = String(cidr).split('/')
  if (bits === '0' && net !== '0.0.0.0' && net !== '::') throw invalid(`Bad prefix for network in cidr ${cidr}`)
  return String(cidr)
}

const createRule = operation({
  method: 'POST',
  path: '/os-security-group-rules',
  until,
  status: 200,
  errors: [400, 403, 404],
  policy: 'os_compute_api:os-security-groups:rule:create',
  body: bodies<RuleWish>({ '2.1': as(ruleWish, (body) => body.security_group_rule as RuleWish) }),
  handle: (request, nova: NovaApi) => {
    const { body } = request
    const group = groupOf(body.parent_group_id, request, nova)
    const source = isGiven(body.group_id) ? groupOf(String(body.group_id), request, nova) : null
    const traffic = trafficOf(body, source !== null)
    const cidr = source ? null : sourceOf(body)
    const made = passedOn(() =>
      nova.networks.proxies.createRule({ ...traffic, groupId: group.id, cidr, remoteGroupId: source?.id ?? null }),
    )
    return { security_group_rule: ruleView(made, group.id) }
  },
})

const deleteRule = operation({
  method: 'DELETE',
  path: '/os-security-group-rules/{rule_id}',
  until,
  status: 202,
  errors: [400, 403, 404],
  policy: 'os_compute_api:os-security-groups:rule:delete',
  handle: ({ params, context }: Incoming, { networks }: NovaApi) => {
    const id = params.rule_id ?? ''
    if (!isUuid(id)) throw invalid('Rule id should be uuid')
    if (!networks.proxies.hasRule(id, viewerOf(context))) throw notFound(`Security group rule ${id} not found.`)
    networks.proxies.deleteRule(id)
    return undefined
  },
})

export const securityGroupOperations = [listGroups, showGroup, createGroup, updateGroup, deleteGroup, createRule, deleteRule]
