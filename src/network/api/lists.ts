/**
 * Lists: filters by any attribute (a repeated one means *or*), `fields`, `sort_key`/`sort_dir`, and pages by `limit`, `marker` and `page_reverse`. One query a
 * page, and one for the marker.
 *
 * @see https://docs.openstack.org/api-ref/network/v2/#filtering-and-column-selection
 */
import { type Incoming, repr } from '../../base/http/index.ts'
import { badRequest, invalidInput } from '../errors.ts'
import type { Store } from '../store.ts'
import { flagOf } from './attributes.ts'

export type Condition = { sql: string; params: unknown[] }
/** A condition whose one parameter is a JSON list of the values, or one made from them. */
export type Filter = { sql: string; kind?: 'text' | 'flag' | 'number' | 'parts' } | { where: (values: readonly string[]) => Condition }

export type ListSpec = {
  collection: string
  /** `SELECT … FROM networks t`: conditions and order are added. */
  select: string
  filters: Record<string, Filter>
  /** Names on the wire and the expressions to sort by. */
  sorts: Record<string, string>
  notFound: (id: string) => Error
}

const among = (expression: string): string => `${expression} IN (SELECT value FROM json_each(?))`
export const textFilters = (...columns: string[]): Record<string, Filter> =>
  Object.fromEntries(columns.map((column) => [column, { sql: among(`t.${column}`) }]))
export const flagFilters = (...columns: string[]): Record<string, Filter> =>
  Object.fromEntries(columns.map((column) => [column, { sql: among(`t.${column}`), kind: 'flag' as const }]))
export const numberFilters = (...columns: string[]): Record<string, Filter> =>
  Object.fromEntries(columns.map((column) => [column, { sql: among(`t.${column}`), kind: 'number' as const }]))

const hasAny = 'EXISTS (SELECT 1 FROM json_each(t.tags) own, json_each(?) wanted WHERE own.value = wanted.value)'
const hasAll = 'NOT EXISTS (SELECT 1 FROM json_each(?) wanted WHERE wanted.value NOT IN (SELECT value FROM json_each(t.tags)))'

/** What every resource can be filtered by. */
export const standardFilters: Record<string, Filter> = {
  ...textFilters('id', 'name', 'description', 'project_id'),
  tenant_id: { sql: among('t.project_id') },
  revision_number: { sql: among('t.revision_number'), kind: 'number' },
  tags: { sql: hasAll, kind: 'parts' },
  'tags-any': { sql: hasAny, kind: 'parts' },
  'not-tags': { sql: `NOT (${hasAll})`, kind: 'parts' },
  'not-tags-any': { sql: `NOT (${hasAny})`, kind: 'parts' },
}
export const sortsOf = (...columns: string[]): Record<string, string> => ({
  ...Object.fromEntries(
    ['id', 'name', 'description', 'project_id', 'created_at', 'updated_at', 'revision_number', ...columns].map((column) => [
      column,
      `t.${column}`,
    ]),
  ),
  tenant_id: 't.project_id',
})

function valuesOf(name: string, kind: 'text' | 'flag' | 'number' | 'parts', values: readonly string[]): unknown[] {
  if (kind === 'parts') return values.flatMap((value) => value.split(','))
  if (kind === 'text') return [...values]
  return values.map((value) => {
    if (kind === 'flag') {
      if (!/^(true|false|0|1)$/i.test(value)) throw invalidInput(`'${value.slice(0, 64)}' cannot be converted to boolean`)
      return flagOf(value.toLowerCase()) ? 1 : 0
    }
    const number = Number(value)
    if (value.trim() === '' || !Number.isSafeInteger(number))
      throw badRequest(`Invalid input for ${name}. Reason: ${repr(value.slice(0, 64))} is not an integer.`)
    return number
  })
}

export type Page<Row> = { rows: Row[]; links: { rel: string; href: string }[] | null }

/** @throws {CloudError} `invalid` for values that make no sense, `not-found` for the marker. */
export function page<Row extends { id: string }>(store: Store, spec: ListSpec, request: Incoming, visible: Condition): Page<Row> {
  const { search } = request
  const where = [visible.sql]
  const params = [...visible.params]
  for (const name of new Set(search.keys())) {
    const filter = Object.hasOwn(spec.filters, name) ? spec.filters[name] : undefined
    if (!filter) continue
    const { sql, params: added } =
      'where' in filter
        ? filter.where(search.getAll(name))
        : { sql: filter.sql, params: [JSON.stringify(valuesOf(name, filter.kind ?? 'text', search.getAll(name)))] }
    where.push(sql)
    params.push(...added)
  }
  const limit = limitOf(search.get('limit'))
  const isReverse = /^(true|1)$/i.test(search.get('page_reverse') ?? '')
  const order = orderOf(spec, search)
  const marker = search.get('marker')
  if (marker !== null) {
    const columns = order.map(({ by }, i) => `${by} AS k${i}`).join(', ')
    const at = store.db
      .prepare<Record<string, unknown>>(`SELECT ${columns} FROM (${spec.select}) t WHERE t.id = ? AND (${visible.sql})`)
      .get(marker, ...visible.params)
    if (!at) throw spec.notFound(marker)
    const after = afterMarker(order, at, isReverse)
    where.push(after.sql)
    params.push(...after.params)
  }
  const direction = (isDown: boolean) => (isDown !== isReverse ? 'DESC' : 'ASC')
  const orderBy = order.map(({ by, isDown }) => `${by} ${direction(isDown)}`).join(', ')
  const rows = store.db.prepare<Row>(`${spec.select} WHERE ${where.join(' AND ')} ORDER BY ${orderBy} LIMIT ?`).all(...params, limit ?? -1)
  if (isReverse) rows.reverse()
  return { rows, links: limit === null ? null : linksOf(request, rows, limit, marker, isReverse) }
}

type Order = { by: string; isDown: boolean }

function orderOf(spec: ListSpec, search: URLSearchParams): Order[] {
  const keys = search.getAll('sort_key')
  const dirs = search.getAll('sort_dir')
  if (keys.length < dirs.length) throw badRequest('The number of sort_keys and sort_dirs must be same')
  const order = [...new Set(keys)].slice(0, 8).map((key, i): Order => {
    const by = Object.hasOwn(spec.sorts, key) ? spec.sorts[key] : undefined
    if (by === undefined) throw badRequest(`'${key.slice(0, 64)}' is an invalid attribute for sort key`)
    const dir = dirs[i] ?? 'asc'
    if (dir !== 'asc' && dir !== 'desc') throw badRequest(`The sort_dir '${dir.slice(0, 64)}' is invalid; it must be 'asc' or 'desc'`)
    return { by: `coalesce(${by}, '')`, isDown: dir === 'desc' }
  })
  return keys.includes('id')
    ? order.map((one) => (one.by === "coalesce(t.id, '')" ? { ...one, by: 't.id' } : one))
    : [...order, { by: 't.id', isDown: false }]
}

/** Rows that come after the marker: greater in the first key, or equal there and greater in the next, and so on. */
function afterMarker(order: readonly Order[], at: Record<string, unknown>, isReverse: boolean): Condition {
  const params: unknown[] = []
  const parts = order.map(({ by, isDown }, i) => {
    const equal = order.slice(0, i).map((key, j) => {
      params.push(at[`k${j}`])
      return `${key.by} = ?`
    })
    params.push(at[`k${i}`])
    return `(${[...equal, `${by} ${isDown !== isReverse ? '<' : '>'} ?`].join(' AND ')})`
  })
  return { sql: `(${parts.join(' OR ')})`, params }
}

function limitOf(text: string | null): number | null {
  if (text === null) return null
  if (!/^\d{1,15}$/.test(text)) throw badRequest(`Limit must be an integer 0 or greater and not '${text.slice(0, 64)}'`)
  return Number(text) === 0 ? null : Number(text)
}

function linksOf(request: Incoming, rows: readonly { id: string }[], limit: number, marker: string | null, isReverse: boolean) {
  const link = (rel: string, id: string) => {
    const query = new URLSearchParams(request.search)
    query.delete('page_reverse')
    query.set('marker', id)
    if (rel === 'previous') query.set('page_reverse', 'True')
    return { rel, href: `${request.context.baseUrl}${request.path}?${query}` }
  }
  const [first, last] = [rows[0], rows.at(-1)]
  const links: { rel: string; href: string }[] = []
  const isFull = rows.length === limit
  if (last && (isReverse ? marker !== null : isFull)) links.push(link('next', last.id))
  if (first && (isReverse ? isFull : marker !== null)) links.push(link('previous', first.id))
  return links
}

/** Only the fields asked for, if any were. */
export function project(shown: Record<string, unknown>, search: URLSearchParams): Record<string, unknown> {
  const fields = search.getAll('fields').filter((name) => name !== '')
  if (fields.length === 0) return shown
  return Object.fromEntries(Object.entries(shown).filter(([name]) => fields.includes(name)))
}
