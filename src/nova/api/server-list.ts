/**
 * Lists of servers: filters, order and page become one query over indexed columns; a page costs the same whether the
 * cloud has a thousand servers or a hundred thousand.
 *
 * @see https://docs.openstack.org/api-ref/compute/#list-servers
 */
import { forbidden, invalid } from '../../base/errors.ts'
import { type Incoming, principalOf, version } from '../../base/http/index.ts'
import { apiConfig, type Instance, type InstanceSummary, statesOf } from '../model/index.ts'
import type { NovaApi } from './deps.ts'
import { viewerOf } from './deps.ts'
import { limitOf, markerNotFound } from './paging.ts'
import { SafePattern } from './safe-pattern.ts'

export type ServerPage<T = Instance> = { servers: T[]; isFull: boolean; limit: number }

/** To look up what a client names: a plain object would also know `constructor` and the like. */
const table = <V>(entries: Record<string, V>): ReadonlyMap<string, V> => new Map(Object.entries(entries))

/** Query name → column, for filters that match a text exactly. */
const exact = table({
  image: 'i.image_ref',
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

const sortColumns = new Map(
  [
    'access_ip_v4',
    'access_ip_v6',
    'auto_disk_config',
    'availability_zone',
    'config_drive',
    'created_at',
    'display_description',
    'display_name',
    'host',
    'hostname',
    'image_ref',
    'instance_type_id',
    'kernel_id',
    'key_name',
    'launch_index',
    'launched_at',
    'locked_by',
    'node',
    'power_state',
    'progress',
    'project_id',
    'ramdisk_id',
    'root_device_name',
    'task_state',
    'terminated_at',
    'updated_at',
    'user_id',
    'uuid',
    'vm_state',
  ].map((name): [string, string] => [name, `i.${name}`]),
)
const ignoredSortKeys = new Set(
  'architecture,cell_name,cleaned,default_ephemeral_device,default_swap_device,deleted,deleted_at,disable_terminate,ephemeral_gb,ephemeral_key_uuid,id,key_data,launched_on,memory_mb,os_type,reservation_id,root_gb,shutdown_terminate,user_data,vcpus,vm_mode'.split(
    ',',
  ),
)

const trueWords = new Set(['', '1', 't', 'true', 'on', 'y', 'yes'])
const falseWords = new Set(['0', 'f', 'false', 'off', 'n', 'no'])

function boolOf(name: string, text: string): boolean {
  const word = text.toLowerCase()
  if (trueWords.has(word)) return true
  if (falseWords.has(word)) return false
  throw invalid(`Invalid input for query parameters ${name}. Value: ${text.slice(0, 64)}. Unrecognized value '${text.slice(0, 64)}'`)
}

/** The database's form of an ISO 8601 time. @throws {CloudError} `invalid`. */
function timeOf(name: string, text: string): string {
  const ms = Date.parse(/(z|[+-]\d\d:?\d\d)$/i.test(text) ? text : `${text}Z`)
  if (Number.isNaN(ms))
    throw invalid(`Invalid input for query parameters ${name}. Value: ${text.slice(0, 64)}. '${text.slice(0, 64)}' is not a 'date-time'`)
  const iso = new Date(ms).toISOString()
  return `${iso.slice(0, 10)} ${iso.slice(11, 23)}000`
}

class Where {
  readonly parts: string[] = []
  readonly parameters: Record<string, unknown> = {}
  /** Adds a condition; `?` stands for the value. */
  add(sql: string, value?: unknown): void {
    const name = `p${Object.keys(this.parameters).length}`
    this.parts.push(sql.replaceAll('?', `@${name}`))
    if (value !== undefined) this.parameters[name] = value
  }
}

/** @throws {CloudError} `invalid` for what is no filter, order or page; `forbidden` for what only administrators may ask. */
export function listServers(request: Incoming, nova: NovaApi): ServerPage {
  return pageOf(request, nova, (sql, parameters) => nova.model.instances.list(sql, parameters))
}

/** The same for a list without details, which reads no more of a server than it shows. @throws as {@link listServers}. */
export function listSummaries(request: Incoming, nova: NovaApi): ServerPage<InstanceSummary> {
  return pageOf(request, nova, (sql, parameters) => nova.model.instances.summaries(sql, parameters))
}

function pageOf<T extends InstanceSummary>(
  request: Incoming,
  nova: NovaApi,
  read: (sql: string, parameters: Record<string, unknown>) => T[],
): ServerPage<T | Instance> {
  const { context, search } = request
  const { isAdmin } = principalOf(context)
  checkNames(request, isAdmin)
  const where = new Where()
  const limit = limitOf(search, nova.config.get(apiConfig).maxLimit)
  const wantsDeleted = scope(request, where, isAdmin)
  statuses(request, where, isAdmin)
  const matchers = fields(request, where, isAdmin)
  times(request, where)
  tagFilters(request, where)
  const order = orderOf(request, isAdmin)
  const marker = search.get('marker')
  if (marker !== null) after(request, nova, where, order, marker, wantsDeleted)
  if (limit === 0) return { servers: [], isFull: false, limit }

  const orderBy = order.map(({ column, direction }) => `${column} ${direction}`).join(', ')
  const sql = `WHERE ${where.parts.join(' AND ')} ORDER BY ${orderBy}`
  if (matchers.length === 0) {
    const servers = read(`${sql} LIMIT ${limit}`, where.parameters)
    return { servers, isFull: servers.length === limit, limit }
  }
  const servers = nova.model.instances.list(sql, where.parameters).filter((instance) => matchers.every((matches) => matches(instance)))
  return { servers: servers.slice(0, limit), isFull: servers.length >= limit, limit }
}

function checkNames({ context, search }: Incoming, isAdmin: boolean): void {
  for (const name of search.keys()) {
    if (name.startsWith('_') || (isAdmin && neverFilters.has(name))) throw invalid(`Invalid filter field: ${name.slice(0, 64)}.`)
    if (context.version >= version('2.75') && !forAll.has(name) && !forAdmins.has(name)) {
      throw invalid(`Additional properties are not allowed ('${name.slice(0, 64)}' was unexpected)`)
    }
  }
}

/** Whose servers, and whether deleted ones. */
function scope({ context, search, enforce }: Incoming, where: Where, isAdmin: boolean): boolean {
  const allTenants = search.get('all_tenants')
  const isAll = allTenants !== null && boolOf('all_tenants', allTenants)
  if (isAll) enforce('os_compute_api:servers:index:get_all_tenants')
  const project = search.get('project_id') ?? search.get('tenant_id')
  if (!isAll) where.add('i.project_id = ?', viewerOf(context).projectId)
  else if (project !== null) where.add('i.project_id = ?', project)

  const changed = search.has('changes-since') || (search.has('changes-before') && context.version >= version('2.66'))
  const deleted = isAdmin && search.has('deleted') ? boolOf('deleted', search.get('deleted') ?? '') : null
  if (deleted === true) where.add('i.deleted != 0')
  else if (deleted === false || !(changed || search.getAll('status').some((word) => word.toLowerCase() === 'deleted')))
    where.add('i.deleted = 0')
  const namesState = search.has('status') || (isAdmin && ['soft_deleted', 'vm_state'].some((name) => search.has(name)))
  if (deleted !== true && !changed && !namesState) where.add("i.vm_state <> 'soft-delete'")
  return deleted === true || changed
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

/** Exact and pattern filters. What the database cannot match by an index is matched on the rows. */
function fields({ context, search }: Incoming, where: Where, isAdmin: boolean): ((instance: Instance) => boolean)[] {
  const matchers: ((instance: Instance) => boolean)[] = []
  const mayUse = (name: string): boolean => {
    const from = since.get(name)
    return isAdmin || forAll.has(name) || (from !== undefined && context.version >= version(from))
  }
  for (const [name, value] of search) {
    if (!mayUse(name)) continue
    const [column, searched] = [exact.get(name), patterns.get(name)]
    if (column && name !== 'project_id' && name !== 'tenant_id') where.add(`${column} = ?`, value)
    else if (searched) {
      const pattern = new SafePattern(value)
      if (pattern.literal !== null) where.add(`instr(lower(coalesce(${searched}, '')), lower(?)) > 0`, pattern.literal)
      else matchers.push((instance) => pattern.test(textOf(instance, name)))
    } else if (name === 'flavor') where.add('i.instance_type_id = (SELECT f.id FROM flavors f WHERE f.flavorid = ?)', value)
    else if (name === 'ip' || name === 'ip6') matchers.push(addressMatcher(value, name === 'ip' ? 4 : 6))
    else if (name === 'locked') where.add('i.locked = ?', boolOf('locked', value) ? 1 : 0)
    else if (name === 'soft_deleted' && boolOf('soft_deleted', value)) where.add("i.vm_state = 'soft-delete'")
  }
  return matchers
}

function addressMatcher(value: string, ipVersion: 4 | 6): (instance: Instance) => boolean {
  const pattern = new SafePattern(value)
  return ({ ports }) =>
    ports.some(({ subnets }) =>
      subnets.some((subnet) => subnet.version === ipVersion && subnet.ips.some(({ address }) => pattern.test(address))),
    )
}

const readers = table<(instance: Instance) => string | number | boolean | null>({
  name: ({ name }) => name,
  display_name: ({ name }) => name,
  reservation_id: ({ reservationId }) => reservationId,
  availability_zone: ({ availabilityZone }) => availabilityZone,
  config_drive: ({ configDrive }) => (configDrive ? 'True' : ''),
  key_name: ({ keyName }) => keyName,
  created_at: ({ createdAt }) => createdAt,
  launched_at: ({ launchedAt }) => launchedAt,
  terminated_at: ({ terminatedAt }) => terminatedAt,
  power_state: ({ powerState }) => powerState,
  progress: ({ progress }) => progress,
  hostname: ({ hostname }) => hostname,
  node: ({ node }) => node,
  access_ip_v4: ({ accessIpV4 }) => accessIpV4,
  access_ip_v6: ({ accessIpV6 }) => accessIpV6,
  auto_disk_config: ({ autoDiskConfig }) => (autoDiskConfig ? 1 : 0),
  description: ({ description }) => description,
  display_description: ({ description }) => description,
  kernel_id: ({ kernelId }) => kernelId,
  ramdisk_id: ({ ramdiskId }) => ramdiskId,
  launch_index: ({ launchIndex }) => launchIndex,
  locked_by: ({ lockedBy }) => lockedBy,
  root_device_name: ({ rootDeviceName }) => rootDeviceName,
})
const textOf = (instance: Instance, name: string): string => String(readers.get(name)?.(instance) ?? '')

function times({ context, search }: Incoming, where: Where): void {
  const from = search.get('changes-since')
  const until = context.version >= version('2.66') ? search.get('changes-before') : null
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
    const text = search.get(name)
    if (text === null) continue
    const tags = [...new Set(text.split(','))]
    where.add(condition(tags.length), JSON.stringify(tags))
  }
}

type Order = { key: string; column: string; direction: 'ASC' | 'DESC' }[]

function orderOf({ context, search }: Incoming, isAdmin: boolean): Order {
  const keys = search.getAll('sort_key')
  const directions = search.getAll('sort_dir')
  for (const direction of directions)
    if (direction !== 'asc' && direction !== 'desc') throw invalid(`Unknown sort direction, must be asc or desc`)
  const order: Order = []
  for (const [i, key] of keys.entries()) {
    const direction = (directions[i] ?? directions.at(-1) ?? 'desc') === 'asc' ? 'ASC' : 'DESC'
    const isLocked = key === 'locked' && context.version >= version('2.73')
    const column = isLocked ? 'i.locked' : sortColumns.get(key)
    if ((key === 'host' || key === 'node') && !isAdmin) throw forbidden(`Only administrators can sort servers by ${key}`)
    if (column) order.push({ key, column, direction })
    else if (!ignoredSortKeys.has(key) || context.version >= version('2.75'))
      throw invalid(
        `Invalid input for query parameters sort_key. Value: ${key.slice(0, 64)}. '${key.slice(0, 64)}' is not one of the allowed sort keys`,
      )
  }
  const direction = order[0]?.direction ?? (directions[0] === 'asc' ? 'ASC' : 'DESC')
  if (order.length === 0) order.push({ key: 'created_at', column: 'i.created_at', direction })
  return [...order, { key: 'id', column: 'i.id', direction: order.at(-1)?.direction ?? direction }]
}

/** Rows beyond the marker in the list's order: the first key beyond, or equal and the next beyond, and so on. */
function after({ context }: Incoming, nova: NovaApi, where: Where, order: Order, marker: string, deleted: boolean): void {
  if (!nova.model.instances.find(marker, viewerOf(context), { deleted })) throw markerNotFound(marker)
  const at = (column: string) => `(SELECT ${column.replace('i.', 'm.')} FROM instances m WHERE m.uuid = ?)`
  // NULLs sort first in SQLite, and `IS` compares them; a row is beyond NULL when it is not NULL.
  const beyond = ({ column, direction }: Order[number]) =>
    direction === 'ASC'
      ? `(${column} > ${at(column)} OR (${at(column)} IS NULL AND ${column} IS NOT NULL))`
      : `(${column} < ${at(column)} OR (${column} IS NULL AND ${at(column)} IS NOT NULL))`
  const branches = order.map((entry, i) =>
    [...order.slice(0, i).map(({ column }) => `${column} IS ${at(column)}`), beyond(entry)].join(' AND '),
  )
  const [first] = order
  // Lets the index seek to the marker, where the branches alone would have it read the whole list.
  if (first && first.key === 'created_at')
    where.add(`${first.column} ${first.direction === 'ASC' ? '>=' : '<='} ${at(first.column)}`, marker)
  where.add(`(${branches.map((branch) => `(${branch})`).join(' OR ')})`, marker)
}
