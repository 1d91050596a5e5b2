/** What a database tells of writes to it: this connection's row by row, another's as such. */
import { mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { Database } from './database.ts'

function watched() {
  const db = new Database({ file: join(mkdtempSync(join(tmpdir(), 'minicloud-db-')), 'a.db') })
  db.sqlite.exec('CREATE TABLE t (id INTEGER PRIMARY KEY, x); CREATE TABLE u (x)')
  const told: unknown[] = []
  db.onWrite('t', 'x', (value) => told.push(value))
  return { db, told, since: () => told.splice(0) }
}

it('tells of every row, by whatever statement', () => {
  const { db, since } = watched()
  using _ = db
  db.prepare("INSERT INTO t (x) VALUES ('a'), ('b')").run()
  expect(since()).toEqual(['a', 'b'])
  db.prepare("UPDATE t SET x = x || '2'").run()
  expect(since()).toEqual(['a', 'b'])
  db.prepare("INSERT OR REPLACE INTO t (id, x) VALUES (1, 'c')").run()
  expect(since()).toContain('c')
  db.sqlite.exec('DELETE FROM t')
  expect(since()).toEqual(['c', 'b2'])
})

it('tells at once, also when nothing comes of it', () => {
  const { db, told } = watched()
  using _ = db
  expect(() =>
    db.transaction(() => {
      db.prepare("INSERT INTO t (x) VALUES ('a')").run()
      expect(told).toEqual(['a'])
      throw new Error('no')
    }),
  ).toThrow('no')
})

it('is silent about other tables, and about what is only read', () => {
  const { db, told } = watched()
  using _ = db
  db.prepare("INSERT INTO u (x) VALUES ('a')").run()
  db.prepare("UPDATE t SET x = 'none there'").run()
  db.prepare('SELECT * FROM t').all()
  expect(told).toEqual([])
})

it('has several who watch one table', () => {
  const { db, since } = watched()
  using _ = db
  const ids: unknown[] = []
  db.onWrite('t', 'id', (id) => ids.push(id))
  db.prepare("INSERT INTO t (id, x) VALUES (7, 'a')").run()
  expect([since(), ids]).toEqual([['a'], [7]])
})

it('knows when another connection has written, and not its own writes', () => {
  const { db } = watched()
  using _ = db
  using other = new Database({ file: db.sqlite.name, beside: true })
  const before = db.othersWrote
  db.prepare("INSERT INTO t (x) VALUES ('own')").run()
  expect(db.othersWrote).toBe(before)
  other.prepare('SELECT * FROM t').all()
  expect(db.othersWrote).toBe(before)
  other.prepare("INSERT INTO t (x) VALUES ('theirs')").run()
  expect(db.othersWrote).not.toBe(before)
})
