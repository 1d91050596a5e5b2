import Sqlite from 'better-sqlite3'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { plannedOnce } from './plan-once.ts'

describe('SQL that is planned once', () => {
  it('has a plus before each parameter that the planner would look at', () => {
    expect(plannedOnce('SELECT a FROM t WHERE b = ? AND c=@c AND d IS ?2 LIMIT :most')).toBe(
      'SELECT a FROM t WHERE b = +? AND c= +@c AND d IS +?2 LIMIT +:most',
    )
  })

  it('leaves texts, names and comments alone', () => {
    const sql = `SELECT 'a = ?', "b = ?", \`c = ?\`, 'it''s = ?' /* d = ?\n e = ? */ FROM t -- f = ?`
    expect(plannedOnce(sql)).toBe(sql)
  })

  it('leaves parameters elsewhere alone', () => {
    const sql = 'SELECT ? FROM t WHERE a IN (?, ?) AND b IN (SELECT value FROM json_each(?)) AND (@host IS NULL OR c < ?)'
    expect(plannedOnce(sql)).toBe(sql)
  })

  it('finds and writes the same values', () => {
    const sqlite = new Sqlite(':memory:')
    sqlite.exec('CREATE TABLE t (a, b TEXT, c INTEGER); CREATE INDEX i ON t (b)')
    const insert = sqlite.prepare('INSERT INTO t (a, b, c) VALUES (NULL, ?, ?)')
    const update = sqlite.prepare(plannedOnce('UPDATE t SET a = ? WHERE b = ? AND c IS ?'))
    const find = sqlite.prepare(plannedOnce('SELECT x.a, typeof(x.a) AS type FROM t x JOIN t y ON y.b = x.b WHERE x.b = ? LIMIT ?'))
    const plain = sqlite.prepare('SELECT ? AS a, typeof(?) AS type')
    const value = fc.oneof(fc.string(), fc.integer(), fc.double({ noNaN: true }), fc.constant(null), fc.uint8Array().map(Buffer.from))
    fc.assert(
      fc.property(value, fc.oneof(fc.string(), fc.integer()), (a, b) => {
        sqlite.exec('DELETE FROM t')
        insert.run(b, 1)
        expect(update.run(a, b, 1).changes).toBe(1)
        expect(find.all(b, 1)).toEqual([plain.get(a, a)])
      }),
    )
    expect(
      (sqlite.prepare(`EXPLAIN QUERY PLAN ${plannedOnce('SELECT a FROM t WHERE b = ?')}`).get('x') as { detail: string }).detail,
    ).toContain('USING INDEX i')
    sqlite.close()
  })
})
