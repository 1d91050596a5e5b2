/**
 * Writes `migrations/0001_initial.sql` from every room's `tables.ts`.
 *
 * Before the first release there is one migration; from then on a change of tables adds the next number
 * (`drizzle-kit generate` shows the statements) and older files are never touched.
 */
import { execFileSync } from 'node:child_process'
import { mkdirSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))
const sql = execFileSync(`${root}node_modules/.bin/drizzle-kit`, ['export', '--config', 'drizzle.config.ts'], {
  cwd: root,
  encoding: 'utf8',
})
  .split('\n')
  .filter((line) => /^(CREATE|\t|\)|;|--)/.test(line) || line === '')
  .join('\n')
mkdirSync(`${root}migrations`, { recursive: true })
writeFileSync(`${root}migrations/0001_initial.sql`, sql)
