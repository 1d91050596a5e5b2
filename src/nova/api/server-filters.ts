/**
 * The filters of the list of servers: what a client asks becomes conditions of one query. A regular expression is a question
 * that the database puts to us row by row, so that a page ends as soon as it is full.
 *
 * @see https://docs.openstack.org/api-ref/compute/#list-servers
 */

import type { Question } from '../../base/db/index.ts'
import { forbidden, invalid } from '../../base/errors.ts'
import { type Incoming, repr, version } from '../../base/http/index.ts'
import { booleanWord, booleanWords, networkInfoOf, statesOf } from '../model/index.ts'
import { viewerOf } from './deps.ts'
import type { Known } from './known-query.ts'
import { lastOf } from './paging.ts'
import { isPattern } from './pattern-program.ts'
import { SafePattern } from './safe-pattern.ts'
import { wrongQuery } from './wrong-query.ts'

/** To look up what a client names: a plain object would also know `constructor` and the like. */
const table = <V>(entries: Record<string, V>): ReadonlyMap<string, V> => new Map(Object.entries(entries))

/** Query name → column, for filters that match a text exactly. */
const exact = table({
  image: 'i.image_ref',
  image_ref: 'i.image_ref',
  project_id: 'i.project_id',
  tenant_id: 'i.project_id',
  host: 'i.host',
  uuid: 'i.uuid',
  user_id: 'i.user_id',
  vm_state: 'i.vm_state',
  task_state: 'i.task_state',
})
/** Query name → column, for filters that match by regular expression. */
const patterns = table({
  name: 'i.display_name',
  display_name: 'i.display_name',
  reservation_id: 'i.reservation_id',
  availability_zone: 'i.availability_zone',
  config_drive: 'i.config_drive',
  key_name: 'i.key_name',
  created_at: 'i.created_at',
  launched_at: 'i.launched_at',
  terminated_at: 'i.terminated_at',
  power_state: 'i.power_state',
  progress: 'i.progress',
  hostname: 'i.hostname',
  node: 'i.node',
  access_ip_v4: 'i.access_ip_v4',
  access_ip_v6: 'i.access_ip_v6',
  auto_disk_config: 'i.auto_disk_config',
  description: 'i.display_description',
  display_description: 'i.display_description',
  kernel_id: 'i.kernel_id',
  ramdisk_id: 'i.ramdisk_id',
  launch_index: 'i.launch_index',
  locked_by: 'i.locked_by',
  root_device_name: 'i.root_device_name',
})
const forAll = new Set([
  'name',
  'display_name',
  'status',
  'image',
  'flavor',
  'ip',
  'reservation_id',
  'changes-since',
  'all_tenants',
  'limit',
  'marker',
  'sort_key',
  'sort_dir',
])
const since = table({
  ip6: '2.5',
  tags: '2.26',
  'tags-any': '2.26',
  'not-tags': '2.26',
  'not-tags-any': '2.26',
  'changes-before': '2.66',
  locked: '2.73',
  availability_zone: '2.83',
  config_drive: '2.83',
  key_name: '2.83',
  created_at: '2.83',
  launched_at: '2.83',
  terminated_at: '2.83',
  power_state: '2.83',
  task_state: '2.83',
  vm_state: '2.83',
  progress: '2.83',
  user_id: '2.83',
  hostname: '2.90',
})
const neverFilters = new Set([
  'metadata',
  'system_metadata',
  'block_device_mapping',
  'services',
  'info_cache',
  'security_groups',
  'pci_devices',
])
const forAdmins = new Set([...exact.keys(), ...patterns.keys(), ...since.keys(), 'deleted', 'soft_deleted'])

/** Whose values must be patterns, though not all are matched as such. */
const patternNames = new Set([...patterns.keys(), 'flavor', 'ip', 'ip6'])
const tagNames = new Set(['tags', 'tags-any', 'not-tags', 'not-tags-any'])

const isKnown = (name: string): boolean => name.startsWith('_') || forAll.has(name) || forAdmins.has(name) || neverFilters.has(name)

/** What a list of servers knows of a query: of a name that is given several times, its last value. */
export const knownOf = (search: URLSearchParams): Known => Object.fromEntries([...search].filter(([name]) => isKnown(name)))

/** A flag without a value says yes, of those for administrators. @throws {CloudError} `invalid`. */
const flagOf = (text: string): boolean => text === '' || boolOf(text)

/** @throws {CloudError} `invalid`. */
function boolOf(text: string): boolean {
  const found = booleanWord(text)
  if (found !== null) return found
  throw invalid(`Unrecognized value ${repr(text)}, acceptable values are: ${booleanWords.map(repr).join(', ')}`)
}

/** The database's form of an ISO 8601 time. @throws {CloudError} `invalid`. */
function timeOf(name: string, text: string): string {
  const ms = Date.parse(/(z|[+-]\d\d:?\d\d)$/i.test(text) ? text : `${text}Z`)
  if (Number.isNaN(ms)) throw wrongQuery(name, text, "is not a 'date-time'")
  const iso = new Date(ms).toISOString()
  return `${iso.slice(0, 10)} ${iso.slice(11, 23)}000`
}

/** Conditions on a row `i` of the instances, their values, and the questions that `answers(n, …)` puts. */
export class Where {
  readonly parts: string[] = []
  readonly parameters: Record<string, unknown> = {}
  readonly questions: Question[] = []

  /** Adds a condition; `?` stands for the value. */
  add(sql: string, value?: unknown): void {
    const name = `p${Object.keys(this.parameters).length}`
    this.parts.push(sql.replaceAll('?', `@${name}`))
    if (value !== undefined) this.parameters[name] = value
  }

  ask(value: string, question: Question): void {
    this.parts.push(`answers(${this.questions.length}, ${value})`)
    this.questions.push(question)
  }
}

/**
 * What the request asks for.
 * @throws {CloudError} `invalid` for what is no filter; `forbidden` for what only administrators may ask.
 */
export function filtersOf(request: Incoming, isAdmin: boolean): Where {
  const mayFilterAll = request.allows('os_compute_api:servers:allow_all_filters')
  checkNames(request, mayFilterAll)
  const where = new Where()
  scope(request, where, isAdmin)
  statuses(request, where, isAdmin)
  fields(request, where, mayFilterAll)
  times(request, where)
  tagFilters(request, where)
  return where
}

/** @throws {CloudError} `invalid` for a name that is no filter, or a value that is no pattern where one belongs. */
function checkNames({ context, search }: Incoming, mayFilterAll: boolean): void {
  for (const [name, value] of search) {
    const mustBePattern = patternNames.has(name) || (tagNames.has(name) && context.version >= version('2.26'))
    if (mustBePattern && (value === '' || !isPattern(value))) throw wrongQuery(name, value, "is not a 'regex'")
    if (mayFilterAll && (name.startsWith('_') || neverFilters.has(name))) throw invalid(`Invalid filter field: ${name.slice(0, 64)}.`)
    if (context.version >= version('2.75') && !isKnown(name)) throw invalid(`${repr(name)} does not match any of the regexes: '^_'`)
  }
}

/** Whose servers, and whether deleted ones. */
function scope({ context, search, path, enforce }: Incoming, where: Where, isAdmin: boolean): void {
  const allTenants = lastOf(search, 'all_tenants')
  const isAll = allTenants !== null && flagOf(allTenants)
  if (isAll) enforce(`os_compute_api:servers:${path.endsWith('/detail') ? 'detail' : 'index'}:get_all_tenants`)
  const project = lastOf(search, 'project_id') ?? lastOf(search, 'tenant_id')
  if (!isAll) where.add('i.project_id = ?', viewerOf(context).projectId)
  else if (project !== null) where.add('i.project_id = ?', project)

  const changed = search.has('changes-since') || (search.has('changes-before') && context.version >= version('2.66'))
  const deleted = isAdmin && search.has('deleted') ? flagOf(lastOf(search, 'deleted') ?? '') : null
  const softDeleted = isAdmin && search.has('soft_deleted') ? flagOf(lastOf(search, 'soft_deleted') ?? '') : deleted === true
  if (deleted === true) where.add(softDeleted ? "(i.deleted != 0 OR i.vm_state = 'soft-delete')" : 'i.deleted != 0')
  else if (deleted === false || !changed) {
    const namesDeleted = deleted === null && search.getAll('status').some((word) => word.toLowerCase() === 'deleted')
    if (!namesDeleted) where.add('i.deleted = 0')
    if (!softDeleted) where.add("i.vm_state <> 'soft-delete'")
  }
}

function statuses({ context, search }: Incoming, where: Where, isAdmin: boolean): void {
  const words = search.getAll('status')
  if (words.length === 0) return
  if (!isAdmin && words.some((word) => word.toLowerCase() === 'deleted')) throw forbidden('Only administrators may list deleted instances')
  const states = words.flatMap((word) => statesOf(word))
  if (states.length === 0) {
    if (context.version >= version('2.38')) throw invalid(`Invalid status value`)
    where.add('0')
    return
  }
  const either = states.map(({ vmState, tasks, not }) => {
    const list = (names: readonly string[]) => names.map((name) => `'${name}'`).join(', ')
    const task = tasks
      ? `AND i.task_state IN (${list(tasks)})`
      : not.length > 0
        ? `AND (i.task_state IS NULL OR i.task_state NOT IN (${list(not)}))`
        : ''
    return `(i.vm_state = '${vmState}' ${task})`
  })
  where.add(`(${either.join(' OR ')})`)
}

/** Exact and pattern filters. */
function fields({ context, search }: Incoming, where: Where, mayFilterAll: boolean): void {
  const mayUse = (name: string): boolean => {
    const from = since.get(name)
    if (name === 'locked') return context.version >= version('2.73')
    return mayFilterAll || forAll.has(name) || (from !== undefined && context.version >= version(from))
  }
  for (const [name, value] of new Map(search)) {
    if (!mayUse(name)) continue
    const [column, searched] = [exact.get(name), patterns.get(name)]
    if (column && name !== 'project_id' && name !== 'tenant_id') where.add(`${column} = ?`, value)
    else if (searched) {
      const pattern = new SafePattern(value, { parameter: name })
      if (pattern.literal !== null) where.add(`instr(lower(coalesce(${searched}, '')), lower(?)) > 0`, pattern.literal)
      else where.ask(searched, (value) => pattern.test(String(value ?? '')))
    } else if (name === 'flavor') where.add('i.instance_type_id = (SELECT f.id FROM flavors f WHERE f.flavorid = ?)', value)
    else if (name === 'ip' || name === 'ip6') addresses(where, name, value)
    else if (name === 'locked') where.add('i.locked = ?', boolOf(value) ? 1 : 0)
  }
}

function addresses(where: Where, parameter: 'ip' | 'ip6', value: string): void {
  const ipVersion = parameter === 'ip' ? 4 : 6
  const pattern = new SafePattern(value, { parameter })
  where.ask('(SELECT c.network_info FROM instance_info_caches c WHERE c.instance_uuid = i.uuid)', (info) =>
    networkInfoOf(info === null ? null : String(info)).some(({ subnets }) =>
      subnets.some((subnet) => subnet.version === ipVersion && subnet.ips.some(({ address }) => pattern.test(address))),
    ),
  )
}

function times({ context, search }: Incoming, where: Where): void {
  const from = lastOf(search, 'changes-since')
  const until = context.version >= version('2.66') ? lastOf(search, 'changes-before') : null
  const fromTime = from === null ? null : timeOf('changes-since', from)
  const untilTime = until === null ? null : timeOf('changes-before', until)
  if (fromTime !== null && untilTime !== null && untilTime < fromTime)
    throw invalid('The value of changes-since must be less than or equal to changes-before.')
  if (fromTime !== null) where.add('i.updated_at >= ?', fromTime)
  if (untilTime !== null) where.add('i.updated_at <= ?', untilTime)
}

function tagFilters({ context, search }: Incoming, where: Where): void {
  if (context.version < version('2.26')) return
  const count = 'SELECT count(DISTINCT t.tag) FROM tags t WHERE t.resource_id = i.uuid AND t.tag IN (SELECT value FROM json_each(?))'
  const conditions: Record<string, (n: number) => string> = {
    tags: (n) => `(${count}) = ${n}`,
    'tags-any': () => `(${count}) > 0`,
    'not-tags': (n) => `(${count}) < ${n}`,
    'not-tags-any': () => `(${count}) = 0`,
  }
  for (const [name, condition] of Object.entries(conditions)) {
    const text = lastOf(search, name)
    if (text === null) continue
    const tags = [...new Set(text.split(','))]
    where.add(condition(tags.length), JSON.stringify(tags))
  }
}
