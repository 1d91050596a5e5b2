/**
 * The query of a list of images: paging, order, and filters, of which any name that is nothing else is a property's.
 * @see https://docs.openstack.org/api-ref/image/v2/#list-images
 */
import { timeText } from '../../base/clock.ts'
import { invalid } from '../../base/errors.ts'
import { visibilities } from '../image.ts'
import { type Comparison, type Filter, type ListQuery, type Sort, type SortKey, sortKeys, type TextColumn } from '../list.ts'
import { memberStatuses } from '../members.ts'

const comparisons: Record<string, Comparison> = { eq: '=', neq: '<>', gt: '>', gte: '>=', lt: '<', lte: '<=' }
const textColumns: readonly TextColumn[] = ['owner', 'checksum', 'os_hash_algo', 'os_hash_value']
const listColumns: readonly TextColumn[] = ['id', 'name', 'status', 'container_format', 'disk_format']
const maxFilters = 100

/** @throws {CloudError} `invalid`. */
export function parseListQuery(search: URLSearchParams, limits: { limitParamDefault: number; apiLimitMax: number }): ListQuery {
  const one = (name: string): string | null => search.getAll(name).at(-1) ?? null
  const query: ListQuery = {
    filters: [],
    visibility: chosen('visibility', one('visibility'), [...visibilities, 'all'] as const),
    memberStatus: chosen('member_status', one('member_status'), [...memberStatuses, 'all'] as const) ?? 'accepted',
    hidden: flag('os_hidden', one('os_hidden') ?? 'false'),
    sort: parseSort(search),
    limit: Math.min(whole('limit', one('limit') ?? String(limits.limitParamDefault)), limits.apiLimitMax),
    marker: one('marker'),
  }
  if (search.size > maxFilters) throw invalid(`A list takes at most ${maxFilters} parameters.`)
  for (const [name, value] of search) {
    const filter = parseFilter(name, value)
    if (filter) query.filters.push(filter)
  }
  return query
}

const notFilters = new Set(['visibility', 'member_status', 'os_hidden', 'sort', 'sort_key', 'sort_dir', 'limit', 'marker'])

function parseFilter(name: string, value: string): Filter | null {
  if (notFilters.has(name)) return null
  const isTextColumn = (columns: readonly TextColumn[]) => (columns as readonly string[]).includes(name)
  if (isTextColumn(listColumns)) return { is: 'text', column: name as TextColumn, anyOf: anyOf(name, value) }
  if (isTextColumn(textColumns)) return { is: 'text', column: name as TextColumn, anyOf: [value] }
  switch (name) {
    case 'size_min':
      return { is: 'number', column: 'size', comparison: '>=', value: whole(name, value) }
    case 'size_max':
      return { is: 'number', column: 'size', comparison: '<=', value: whole(name, value) }
    case 'size':
    case 'min_ram':
    case 'min_disk':
      return { is: 'number', column: name, comparison: '=', value: whole(name, value) }
    case 'created_at':
    case 'updated_at':
      return timeFilter(name, value)
    case 'protected':
      return { is: 'protected', value: flag(name, value) }
    case 'tag':
      return { is: 'tag', value }
    default:
      return { is: 'property', name, value }
  }
}

const isOperator = (word: string): boolean => word === 'in' || Object.hasOwn(comparisons, word)

/** `in:a,"b,c"`, `eq:a`, or a plain value, which may have a colon. */
function anyOf(name: string, text: string): string[] {
  const colon = text.indexOf(':')
  const operator = colon < 0 ? '' : text.slice(0, colon)
  if (!isOperator(operator)) return [text]
  const rest = text.slice(colon + 1)
  if (operator === 'eq') return [rest]
  if (operator !== 'in') throw invalid(`Unable to filter by unknown operator '${operator}' for ${name}.`)
  const items = rest.match(/"[^"]*"|[^",]+|(?<=,)(?=,)/g) ?? []
  const joined = items.join(',')
  if (joined !== rest) throw invalid(`Invalid filter value ${rest.slice(0, 255)}. The quote is not closed, or stands within a word.`)
  return items.map((item) => (item.startsWith('"') ? item.slice(1, -1) : item))
}

function timeFilter(column: 'created_at' | 'updated_at', text: string): Filter {
  const [, operator = 'eq', rest = text] = /^([a-z]+):(.*)$/s.exec(text) ?? []
  const comparison = Object.hasOwn(comparisons, operator) ? comparisons[operator] : undefined
  if (!comparison) throw invalid(`Unable to filter by unknown operator '${operator.slice(0, 32)}'.`)
  const match = /^(\d{4}-\d\d-\d\d)(?:[T ](\d\d:\d\d(?::\d\d(?:\.\d+)?)?)(Z|[+-]\d\d:?\d\d)?)?$/.exec(rest)
  const epochMs = match ? Date.parse(`${match[1]}T${match[2] ?? '00:00'}${match[3] ?? 'Z'}`) : Number.NaN
  if (Number.isNaN(epochMs)) throw invalid(`Invalid value for ${column}: ${rest.slice(0, 64)} is no ISO 8601 time.`)
  return { is: 'time', column, comparison, second: timeText(epochMs).slice(0, 19) }
}

const isSortKey = (text: string): text is SortKey => (sortKeys as readonly string[]).includes(text)

function toSort(key: string, direction: string): Sort {
  if (!isSortKey(key)) throw invalid(`Invalid sort key: ${key.slice(0, 64)}. It must be one of the following: ${sortKeys.join(', ')}.`)
  if (direction !== 'asc' && direction !== 'desc')
    throw invalid(`Invalid sort direction: ${direction.slice(0, 64)}. It must be one of the following: asc, desc.`)
  return { key, isDescending: direction === 'desc' }
}

/** `sort=name:asc,status`, or `sort_key` and `sort_dir`, each of which may come more than once. */
function parseSort(search: URLSearchParams): Sort[] {
  const keys = search.getAll('sort_key')
  const directions = search.getAll('sort_dir')
  const sort = search.get('sort')
  let found: Sort[]
  if (sort !== null) {
    if (keys.length + directions.length > 0) throw invalid('Old and new sorting syntax cannot be combined')
    found = sort.split(',').map((part) => {
      const [key = '', direction = 'desc', ...more] = part.trim().split(':')
      if (more.length > 0) throw invalid(`Invalid sort: ${part.slice(0, 64)}`)
      return toSort(key, direction)
    })
  } else {
    if (directions.length > 1 && directions.length !== keys.length)
      throw invalid('Number of sort dirs does not match the number of sort keys')
    found = (keys.length > 0 ? keys : ['created_at']).map((key, i) => toSort(key, directions[i] ?? directions[0] ?? 'desc'))
  }
  if (new Set(found.map(({ key }) => key)).size < found.length) throw invalid('A sort key comes twice.')
  return found
}

function chosen<const T extends string>(name: string, value: string | null, choices: readonly T[]): T | null {
  if (value === null) return null
  const found = choices.find((choice) => choice === value)
  if (!found) throw invalid(`Invalid ${name} value: ${value.slice(0, 64)}. It must be one of: ${choices.join(', ')}.`)
  return found
}

function flag(name: string, value: string): boolean {
  const lower = value.toLowerCase()
  if (lower !== 'true' && lower !== 'false') throw invalid(`Invalid value '${value.slice(0, 64)}' for ${name}: it must be true or false.`)
  return lower === 'true'
}

function whole(name: string, value: string): number {
  if (!/^\d{1,15}$/.test(value)) throw invalid(`${name} param must be a whole number that is not negative: ${value.slice(0, 64)}`)
  return Number(value)
}
