/** Lists of images: filters and order to SQL, pages by marker. Every value is bound, every name comes from a fixed set. */
import type { Database } from '../base/db/index.ts'
import { invalid } from '../base/errors.ts'
import type { Catalog, ImageRow } from './catalog.ts'
import type { Image, Viewer, Visibility } from './image.ts'

export const sortKeys = ['name', 'status', 'container_format', 'disk_format', 'size', 'id', 'created_at', 'updated_at'] as const
export type SortKey = (typeof sortKeys)[number]
export type Sort = { key: SortKey; isDescending: boolean }
export type TextColumn =
  | 'id'
  | 'name'
  | 'status'
  | 'container_format'
  | 'disk_format'
  | 'owner'
  | 'checksum'
  | 'os_hash_algo'
  | 'os_hash_value'
export type Comparison = '=' | '<>' | '<' | '<=' | '>' | '>='

export type Filter =
  | { is: 'text'; column: TextColumn; anyOf: string[] }
  | { is: 'number'; column: 'size' | 'min_ram' | 'min_disk'; comparison: Comparison; value: number }
  /** `second` is a database time up to its seconds. */
  | { is: 'time'; column: 'created_at' | 'updated_at'; comparison: Comparison; second: string }
  | { is: 'protected'; value: boolean }
  | { is: 'tag'; value: string }
  | { is: 'property'; name: string; value: string }

export type ListQuery = {
  filters: Filter[]
  visibility: Visibility | 'all' | null
  /** Of the caller's memberships in others' shared images. */
  memberStatus: 'pending' | 'accepted' | 'rejected' | 'all'
  hidden: boolean
  sort: Sort[]
  limit: number
  marker: string | null
}

type Sql = { text: string; values: unknown[] }

function filterSql(filter: Filter): Sql {
  switch (filter.is) {
    case 'text':
      return { text: `${filter.column} IN (SELECT value FROM json_each(?))`, values: [JSON.stringify(filter.anyOf)] }
    case 'number':
      return { text: `${filter.column} ${filter.comparison} ?`, values: [filter.value] }
    case 'time':
      return { text: `substr(${filter.column}, 1, 19) ${filter.comparison} ?`, values: [filter.second] }
    case 'protected':
      return { text: 'protected = ?', values: [filter.value ? 1 : 0] }
    case 'tag':
      return { text: 'id IN (SELECT image_id FROM image_tags WHERE value = ? AND deleted = 0)', values: [filter.value] }
    case 'property':
      return {
        text: 'id IN (SELECT image_id FROM image_properties WHERE name = ? AND value = ? AND deleted = 0)',
        values: [filter.name, filter.value],
      }
  }
}

/** An administrator sees all; others their own, public ones, those shared with them, and community ones when they ask for these. */
function visibleSql(viewer: Viewer, visibility: ListQuery['visibility'], memberStatus: ListQuery['memberStatus']): Sql[] {
  const asked: Sql[] = visibility === null || visibility === 'all' ? [] : [{ text: 'visibility = ?', values: [visibility] }]
  if (viewer === null || viewer.isAdmin) return asked
  const community = visibility === 'community' || visibility === 'all' ? " OR visibility = 'community'" : ''
  const status = memberStatus === 'all' ? '' : 'AND status = ?'
  return [
    ...asked,
    {
      text: `(owner = ? OR visibility = 'public'${community} OR (visibility = 'shared' AND id IN
             (SELECT image_id FROM image_members WHERE member = ? AND deleted = 0 ${status})))`,
      values: [viewer.projectId, viewer.projectId, ...(memberStatus === 'all' ? [] : [memberStatus])],
    },
  ]
}

const ordered = (key: SortKey): string => (key === 'size' ? 'COALESCE(size, 0)' : `COALESCE(${key}, '')`)
const orderedValue = (row: ImageRow, key: SortKey): unknown => row[key] ?? (key === 'size' ? 0 : '')

/** What comes after the marker in this order: later in the first key, or equal there and later in the second, and so on. */
function afterMarker(marker: ImageRow, sort: readonly Sort[]): Sql {
  const texts: string[] = []
  const values: unknown[] = []
  for (const [i, { key, isDescending }] of sort.entries()) {
    const equal = sort.slice(0, i)
    texts.push(
      `(${[...equal.map((before) => `${ordered(before.key)} = ?`), `${ordered(key)} ${isDescending ? '<' : '>'} ?`].join(' AND ')})`,
    )
    values.push(...equal.map((before) => orderedValue(marker, before.key)), orderedValue(marker, key))
  }
  return { text: `(${texts.join(' OR ')})`, values }
}

/** The order with `created_at` and `id` at its end, so that no two images are equal. */
function complete(sort: readonly Sort[]): Sort[] {
  const isDescending = sort.at(-1)?.isDescending ?? true
  const missing = (['created_at', 'id'] as const).filter((key) => !sort.some((other) => other.key === key))
  return [...sort, ...missing.map((key) => ({ key, isDescending }))]
}

/** @throws {CloudError} `invalid` for a marker that is no image of the viewer's. */
export function listImages(db: Database, catalog: Catalog, query: ListQuery, viewer: Viewer): Image[] {
  const sort = complete(query.sort)
  const conditions: Sql[] = [
    { text: 'deleted = 0', values: [] },
    { text: 'os_hidden = ?', values: [query.hidden ? 1 : 0] },
    ...visibleSql(viewer, query.visibility, query.memberStatus),
    ...query.filters.map(filterSql),
  ]
  if (query.marker !== null) {
    const marker = catalog.get(query.marker, viewer)
      ? db.prepare<ImageRow>('SELECT * FROM images WHERE id = ?').get(query.marker)
      : undefined
    if (!marker) throw invalid(`No image found with ID ${query.marker.slice(0, 64)}`)
    conditions.push(afterMarker(marker, sort))
  }
  const rows = db
    .prepare(
      `SELECT * FROM images WHERE ${conditions.map(({ text }) => text).join(' AND ')}
       ORDER BY ${sort.map(({ key, isDescending }) => `${ordered(key)} ${isDescending ? 'DESC' : 'ASC'}`).join(', ')} LIMIT ?`,
    )
    .all(...conditions.flatMap(({ values }) => values), query.limit) as ImageRow[]
  return catalog.whole(rows)
}
