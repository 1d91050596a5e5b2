/** Allocation candidates. @see https://docs.openstack.org/api-ref/placement/#allocation-candidates */
import { invalid } from '../../base/errors.ts'
import { atLeast, operation, type RequestContext, repr, type Version, version } from '../../base/http/index.ts'
import { emptyGroup, type Group } from '../candidates.ts'
import { type CandidateQuery, type Combination, combine, type Summary } from '../combinations.ts'
import { capacityOf } from '../inventories.ts'
import { codes, type Store } from '../store.ts'
import { membershipOf, type QueryTexts, refuseUnknown, resourcesOf, single, singleUuid, traitsOf } from './filters.ts'
import { dated, failures } from './reply.ts'

const bad = (message: string) => invalid(message.slice(0, 1000), { code: codes.badQueryValue })
const missing = (message: string) => invalid(message.slice(0, 1000), { code: codes.missingQueryValue })

/** Candidates given when the client names no limit; more than nova asks for. */
const defaultLimit = 1000
const maxGroups = 32

const plainSince: Record<string, Version> = {
  limit: version('1.16'),
  group_policy: version('1.25'),
  root_required: version('1.35'),
  same_subtree: version('1.36'),
}
const groupSince: Record<string, Version> = {
  resources: version('1.10'),
  required: version('1.17'),
  member_of: version('1.21'),
  in_tree: version('1.31'),
}
const numbersSince = version('1.25')
const namesSince = version('1.33')
const treesSince = version('1.29')
const emptyGroupsSince = version('1.36')

/** `resources_GPU` → `['resources', '_GPU']`, when this version has it. */
function keyParts(key: string, at: Version): { name: string; suffix: string } | null {
  const match = /^(resources|required|member_of|in_tree)([a-zA-Z0-9_-]{0,64})$/.exec(key)
  if (!match) return null
  const [, name = '', suffix = ''] = match
  if (groupSince[name]! > at) return null
  if (suffix === '' || at >= namesSince || (at >= numbersSince && /^[1-9]\d*$/.test(suffix))) return { name, suffix }
  return null
}

function groupsOf(query: QueryTexts, at: Version): Map<string, Group> {
  const suffixes = new Set(Object.keys(query).flatMap((key) => keyParts(key, at)?.suffix ?? []))
  if (suffixes.size > maxGroups) throw bad(`More than ${maxGroups} request groups.`)
  const groups = new Map<string, Group>()
  for (const suffix of [...suffixes].sort()) {
    const [resourcesKey, requiredKey, memberOfKey] = [`resources${suffix}`, `required${suffix}`, `member_of${suffix}`]
    const resources = single(query, resourcesKey)
    if (resources === undefined && (suffix === '' || at < emptyGroupsSince)) {
      throw missing(`All traits and aggregates of a request group must be associated with resources: ${resourcesKey} is missing.`)
    }
    groups.set(suffix, {
      ...emptyGroup,
      resources: resources === undefined ? {} : resourcesOf(resources, resourcesKey),
      ...traitsOf(query[requiredKey] ?? [], at, requiredKey),
      ...membershipOf(query[memberOfKey] ?? [], at, memberOfKey),
      inTree: singleUuid(query, `in_tree${suffix}`) ?? null,
    })
  }
  return groups
}

function subtreesOf(texts: readonly string[], groups: ReadonlyMap<string, Group>): string[][] {
  if (texts.length > maxGroups) throw bad("Query parameter 'same_subtree' is given too often.")
  return texts.map((text) => {
    const suffixes = text.split(',').map((suffix) => suffix.trim())
    const unknown = suffixes.find((suffix) => suffix === '' || !groups.has(suffix))
    if (unknown !== undefined) throw bad(`Real suffixes should be specified in same_subtree: ${repr(unknown)} is none.`)
    return suffixes
  })
}

function candidateQuery(value: unknown, at: Version): CandidateQuery {
  const query = value as QueryTexts
  refuseUnknown(query, (key) => (plainSince[key] ?? Number.POSITIVE_INFINITY) <= at || keyParts(key, at) !== null)
  const groups = groupsOf(query, at)
  const giving = [...groups].filter(([, { resources }]) => Object.keys(resources).length > 0)
  if (giving.length === 0) throw missing("Invalid query string parameters: 'resources' is a required property")
  const sameSubtree = subtreesOf(query.same_subtree ?? [], groups)
  const empty = [...groups].find(
    ([suffix, group]) => Object.keys(group.resources).length === 0 && !sameSubtree.some((list) => list.includes(suffix)),
  )
  if (empty) throw bad(`The request group ${repr(empty[0])} has no resources and is in no same_subtree.`)
  const policy = single(query, 'group_policy')
  if (policy !== undefined && policy !== 'none' && policy !== 'isolate') throw bad(`${repr(policy)} is not one of ['none', 'isolate']`)
  if (policy === undefined && giving.filter(([suffix]) => suffix !== '').length > 1) {
    throw missing('The "group_policy" parameter is required when specifying more than one "resources{N}" parameter.')
  }
  const limit = single(query, 'limit')
  if (limit !== undefined && !/^[1-9]\d{0,8}$/.test(limit))
    throw bad(`Invalid query string parameters: ${repr(limit)} is not a positive number`)
  const root = single(query, 'root_required')
  const { required, forbidden } = root === undefined ? { required: [], forbidden: [] } : traitsOf([root], version('1.38'), 'root_required')
  return {
    groups,
    isolate: policy === 'isolate',
    limit: limit === undefined ? defaultLimit : Number(limit),
    spansTrees: at >= treesSince,
    rootRequired: required.flat(),
    rootForbidden: forbidden,
    sameSubtree,
  }
}

function shownRequest(context: RequestContext, { allocations, mappings }: Combination) {
  const entries = [...allocations]
  if (!atLeast(context, '1.12')) {
    return { allocations: entries.map(([uuid, resources]) => ({ resource_provider: { uuid }, resources })) }
  }
  return {
    allocations: Object.fromEntries(entries.map(([uuid, resources]) => [uuid, { resources }])),
    ...(atLeast(context, '1.34') ? { mappings: Object.fromEntries(mappings) } : {}),
  }
}

function shownSummary(context: RequestContext, { provider, inventories, traits }: Summary, asked: ReadonlySet<string>) {
  const rows = atLeast(context, '1.27') ? inventories : inventories.filter(({ name }) => asked.has(name))
  return {
    resources: Object.fromEntries(rows.map((row) => [row.name, { capacity: capacityOf(row), used: row.used }])),
    ...(atLeast(context, '1.17') ? { traits } : {}),
    ...(atLeast(context, '1.29') ? { parent_provider_uuid: provider.parent_uuid, root_provider_uuid: provider.root_uuid } : {}),
  }
}

const listCandidates = operation<Store, undefined, CandidateQuery>({
  method: 'GET',
  path: '/allocation_candidates',
  since: '1.10',
  status: 200,
  errors: failures,
  policy: 'placement:use',
  query: candidateQuery,
  handle: ({ query, context }, store) => {
    const { combinations, summaries } = combine(store, query)
    const asked = new Set([...query.groups.values()].flatMap(({ resources }) => Object.keys(resources)))
    return dated(context, store, {
      allocation_requests: combinations.map((combination) => shownRequest(context, combination)),
      provider_summaries: Object.fromEntries(summaries.map((summary) => [summary.provider.uuid, shownSummary(context, summary, asked)])),
    })
  },
})

export const candidateOperations = [listCandidates]
