/**
 * Writes `migrations/0001_initial.sql` from every room's `tables.ts`, with what Drizzle does not say: a `shadow_` table beside each of
 * Nova's tables whose rows stay after deletion, where `db archive_deleted_rows` moves them (the same columns, and no keys but the
 * first), and the rows and views of cells.
 *
 * Before the first release there is one migration; from then on a change of tables adds the next number
 * (`drizzle-kit generate` shows the statements) and older files are never touched.
 */
import { execFileSync } from 'node:child_process'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { is } from 'drizzle-orm'
import { getTableConfig, SQLiteTable } from 'drizzle-orm/sqlite-core'
import * as novaTables from '../src/nova/model/tables.ts'

const root = fileURLToPath(new URL('..', import.meta.url))
const sql = execFileSync(`${root}node_modules/.bin/drizzle-kit`, ['export', '--config', 'drizzle.config.ts'], {
  cwd: root,
  encoding: 'utf8',
})
  .split('\n')
  .filter((line) => /^(CREATE|\t|\)|;|--)/.test(line) || line === '')
  .join('\n')

const shadow = (table: SQLiteTable): string => {
  const { name, columns } = getTableConfig(table)
  const lines = columns.map(
    (column) =>
      `\t\`${column.name}\` ${column.getSQLType()}${column.primary ? ' PRIMARY KEY NOT NULL' : column.notNull ? ' NOT NULL' : ''}`,
  )
  return `CREATE TABLE \`shadow_${name}\` (\n${lines.join(',\n')}\n);\n`
}
const isSoftDeleted = (table: SQLiteTable) => getTableConfig(table).columns.some(({ name }) => name === 'deleted')
const shadows = Object.values(novaTables)
  .flatMap((value) => (is(value, SQLiteTable) && isSoftDeleted(value) ? [value] : []))
  .map(shadow)
  .join('\n')
const cells = readFileSync(`${root}src/nova/model/cells.sql`, 'utf8')

mkdirSync(`${root}migrations`, { recursive: true })
writeFileSync(`${root}migrations/0001_initial.sql`, `${sql}\n${shadows}\n${cells}`)
