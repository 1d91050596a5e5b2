/**
 * Rows that were deleted long ago leave Nova's tables for the `shadow_` tables beside them, and these are emptied.
 *
 * A row takes along whatever refers to it, children first, so that foreign keys hold at any time. A deleted server takes its request
 * spec and its place in a server group too, which have no shadow. What a saga still works on stays.
 *
 * @see https://docs.openstack.org/nova/latest/cli/nova-manage.html#db-archive-deleted-rows
 */
import type { Database } from '../../base/db/index.ts'
import { letOthersWrite } from './scope.ts'

/** Rows moved, by table; those of the API database as `API_DB.request_specs`. */
export type Counts = Map<string, number>

type Reference = { table: string; column: string; parentColumn: string }
type Schema = { shadowed: string[]; columns: Map<string, string>; children: Map<string, Reference[]> }

/** Small enough that a running cloud does not wait for it. */
const rowsAtOnce = 20
const purgedAtOnce = 500
/** Belongs to a server though no key says so. */
const keyless: Reference & { parent: string } = { parent: 'instances', table: 'instance_id_mappings', column: 'uuid', parentColumn: 'uuid' }
/** Of the API database: by table, the column with the server's uuid. */
const ofServers = { request_specs: 'instance_uuid', instance_group_member: 'instance_uuid', tags: 'resource_id' }

const count = (counts: Counts, table: string, rows: number): void => {
  if (rows > 0) counts.set(table, (counts.get(table) ?? 0) + rows)
}

function readSchema({ sqlite }: Database): Schema {
  const tables = sqlite.prepare("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name").pluck().all() as string[]
  const shadowed = tables.filter((name) => tables.includes(`shadow_${name}`))
  const children = new Map<string, Reference[]>([[keyless.parent, [keyless]]])
  for (const table of tables)
    for (const key of sqlite.pragma(`foreign_key_list("${table}")`) as { table: string; from: string; to: string }[])
      children.set(key.table, [...(children.get(key.table) ?? []), { table, column: key.from, parentColumn: key.to }])
  const columnsOf = (table: string) => (sqlite.pragma(`table_info("shadow_${table}")`) as { name: string }[]).map(({ name }) => `"${name}"`)
  return { shadowed, children, columns: new Map(shadowed.map((table) => [table, columnsOf(table).join(', ')])) }
}

/** Servers first: what hangs on one goes with it, never before it. */
const inOrder = (shadowed: readonly string[]): string[] => [
  'instances',
  ...shadowed.filter((name) => name !== 'instances' && name !== 'task_log'),
]

/** Moves these rows and what refers to them. In the caller's transaction. */
function moveRows(db: Database, schema: Schema, table: string, ids: readonly number[], counts: Counts): number {
  if (ids.length === 0) return 0
  const these = JSON.stringify(ids)
  const among = 'IN (SELECT value FROM json_each(?))'
  let moved = 0
  for (const child of schema.children.get(table) ?? []) {
    const owners = `SELECT "${child.parentColumn}" FROM "${table}" WHERE id ${among}`
    if (schema.columns.has(child.table)) {
      const rows = db.prepare<{ id: number }>(`SELECT id FROM "${child.table}" WHERE "${child.column}" IN (${owners})`).all(these)
      moved += moveRows(
        db,
        schema,
        child.table,
        rows.map(({ id }) => id),
        counts,
      )
    } else db.prepare(`DELETE FROM "${child.table}" WHERE "${child.column}" IN (${owners})`).run(these)
  }
  if (table === 'instances') forgetServers(db, these, counts)
  const columns = schema.columns.get(table)
  db.prepare(`INSERT INTO "shadow_${table}" (${columns}) SELECT ${columns} FROM "${table}" WHERE id ${among}`).run(these)
  const { changes } = db.prepare(`DELETE FROM "${table}" WHERE id ${among}`).run(these)
  count(counts, table, changes)
  return moved + changes
}

function forgetServers(db: Database, ids: string, counts: Counts): void {
  const uuids = 'SELECT uuid FROM instances WHERE id IN (SELECT value FROM json_each(?))'
  for (const [table, column] of Object.entries(ofServers)) {
    const { changes } = db.prepare(`DELETE FROM ${table} WHERE ${column} IN (${uuids})`).run(ids)
    if (table !== 'tags') count(counts, `API_DB.${table}`, changes)
  }
  count(counts, 'API_DB.instance_mappings', (JSON.parse(ids) as number[]).length)
}

/** Which rows of a table may go now. */
function condition(db: Database, table: string): string {
  if (table === 'instances')
    return `t.deleted <> 0 AND (@before IS NULL OR t.deleted_at < @before)
      AND NOT EXISTS (SELECT 1 FROM minicloud_sagas s WHERE s.key = t.uuid AND s.state NOT IN ('done', 'undone'))`
  if (table === 'task_log') return '(@before IS NULL OR t.updated_at < @before)'
  const own = 't.deleted <> 0 AND (@before IS NULL OR t.deleted_at < @before)'
  const columns = (db.sqlite.pragma(`table_info("${table}")`) as { name: string }[]).map(({ name }) => name)
  if (!columns.includes('instance_uuid')) return own
  return `${own} AND NOT EXISTS (SELECT 1 FROM instances i WHERE i.uuid = t.instance_uuid AND i.deleted <> 0)`
}

export type ArchiveOptions = { maxRows: number; before: string | null; taskLog: boolean }

/** Moves about `maxRows` rows: a row that goes takes what hangs on it along. @returns how many. */
export async function archive(db: Database, { maxRows, before, taskLog }: ArchiveOptions, counts: Counts): Promise<number> {
  const schema = readSchema(db)
  let moved = 0
  for (const table of [...inOrder(schema.shadowed), ...(taskLog ? ['task_log'] : [])]) {
    const sql = `SELECT t.id FROM "${table}" t WHERE ${condition(db, table)} ORDER BY t.id LIMIT @limit`
    while (moved < maxRows) {
      const startedAt = performance.now()
      const rows = db.transaction(() => {
        const ids = db.prepare<{ id: number }>(sql).all({ before, limit: Math.min(rowsAtOnce, maxRows - moved) })
        return moveRows(
          db,
          schema,
          table,
          ids.map(({ id }) => id),
          counts,
        )
      })
      if (rows === 0) break
      moved += rows
      await letOthersWrite(performance.now() - startedAt)
    }
  }
  return moved
}

/** Empties the shadow tables, of what was deleted before a time or of all. @returns how many rows went. */
export async function purge(db: Database, before: string | null, say: (line: string) => void): Promise<number> {
  let purged = 0
  for (const table of readSchema(db).shadowed.map((name) => `shadow_${name}`)) {
    let rows = 0
    for (;;) {
      const startedAt = performance.now()
      const { changes } = db.transaction(() =>
        db
          .prepare(
            `DELETE FROM "${table}" WHERE id IN (SELECT id FROM "${table}" WHERE @before IS NULL OR coalesce(deleted_at, updated_at, created_at) < @before LIMIT @limit)`,
          )
          .run({ before, limit: purgedAtOnce }),
      )
      rows += changes
      if (changes < purgedAtOnce) break
      await letOthersWrite(performance.now() - startedAt)
    }
    if (rows > 0) say(`Deleted ${rows} rows from ${table} based on timestamp column ${before === null ? '(n/a)' : 'deleted_at'}`)
    purged += rows
  }
  return purged
}
