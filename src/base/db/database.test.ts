import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import Sqlite from 'better-sqlite3'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { CloudError } from '../errors.ts'
import { Database } from './database.ts'

const newFile = () => join(mkdtempSync(join(tmpdir(), 'minicloud-db-')), 'a.db')
const notes = () => {
  const file = newFile()
  writeFileSync(file, 'dear diary, '.repeat(100))
  return file
}
const kindOf = (work: () => unknown): string => {
  try {
    work()
  } catch (error) {
    return error instanceof CloudError ? error.kind : `not a CloudError: ${String(error)}`
  }
  return 'nothing thrown'
}

describe('a transaction', () => {
  let db: Database
  const count = () => db.prepare<{ n: number }>('SELECT count(*) AS n FROM t').get()?.n
  const insert = (x: number | string = 1) => db.prepare('INSERT INTO t (x) VALUES (?)').run(x)
  beforeEach(() => {
    db = new Database({ file: ':memory:' })
    db.sqlite.exec('CREATE TABLE t (x)')
  })
  afterEach(() => db[Symbol.dispose]())

  it('keeps a bounded number of statements, and the one in use works on', () => {
    insert()
    const first = db.prepare<{ x: number }>('SELECT x FROM t')
    expect(db.prepare('SELECT x FROM t')).toBe(first)
    const running = first.iterate()
    for (let i = 0; i < 1500; i++) db.prepare(`SELECT ${i}`)
    expect(db.prepare('SELECT x FROM t')).not.toBe(first)
    expect([...running]).toEqual([{ x: 1 }])
  })

  it('gives what its work gives', () => {
    expect(db.transaction(() => insert().changes)).toBe(1)
    expect(count()).toBe(1)
  })

  it('leaves nothing when its work throws, and throws that', () => {
    const boom = new Error('boom')
    expect(() =>
      db.transaction(() => {
        insert()
        throw boom
      }),
    ).toThrow(boom)
    expect(count()).toBe(0)
    expect(db.sqlite.inTransaction).toBe(false)
  })

  it('joins the one around it', () => {
    expect(() =>
      db.transaction(() => {
        db.transaction(() => insert())
        throw new Error('boom')
      }),
    ).toThrow('boom')
    expect(count()).toBe(0)
    db.transaction(() => {
      insert()
      db.transaction(() => insert())
    })
    expect(count()).toBe(2)
  })

  it('calls back after its commit, in order, once, and with the rows in place', () => {
    const calls: unknown[] = []
    db.transaction(() => {
      insert()
      db.afterCommit(() => calls.push(db.sqlite.inTransaction, count()))
      db.transaction(() => db.afterCommit(() => calls.push('inner')))
      expect(calls).toEqual([])
    })
    expect(calls).toEqual([false, 1, 'inner'])
    db.transaction(() => insert())
    expect(calls).toHaveLength(3)
    db.afterCommit(() => calls.push('at once'))
    expect(calls.at(-1)).toBe('at once')
  })

  it('never calls back when it rolls back, nor does the next one', () => {
    const calls: string[] = []
    const fail = () =>
      db.transaction(() => {
        db.afterCommit(() => calls.push('never'))
        throw new Error('boom')
      })
    expect(fail).toThrow('boom')
    db.transaction(() => insert())
    expect(calls).toEqual([])
  })

  it('runs all its callbacks though one throws, and a callback may begin another transaction', () => {
    const calls: string[] = []
    expect(() =>
      db.transaction(() => {
        insert()
        db.afterCommit(() => {
          throw new Error('first')
        })
        db.afterCommit(() => db.transaction(() => db.afterCommit(() => calls.push('nested'))))
      }),
    ).toThrow('first')
    expect(calls).toEqual(['nested'])
    expect(count()).toBe(1)
  })

  it('leaves nothing, and answers unavailable, when the disk is full', () => {
    const { page_count } = db.prepare<{ page_count: number }>('PRAGMA page_count').get()!
    db.sqlite.pragma(`max_page_count = ${page_count + 2}`)
    const called: string[] = []
    const fill = () =>
      db.transaction(() => {
        db.afterCommit(() => called.push('never'))
        insert(1)
        insert('x'.repeat(100_000))
      })
    expect(kindOf(fill)).toBe('unavailable')
    expect(count()).toBe(0)
    expect(called).toEqual([])
    db.transaction(() => insert())
    expect(count()).toBe(1)
  })

  it("passes on what is the program's own mistake", () => {
    expect(() => db.transaction(() => db.prepare('SELECT * FROM nowhere').all())).toThrow(/no such table/)
  })

  it('prepares a statement once', () => {
    expect(db.prepare('SELECT 1')).toBe(db.prepare('SELECT 1'))
  })
})

describe('a file', () => {
  it('is its owner’s alone', () => {
    const file = newFile()
    using db = new Database({ file })
    db.transaction(() => db.sqlite.exec('CREATE TABLE t (x)'))
    for (const name of [file, `${file}.lock`, `${file}-wal`]) expect(statSync(name).mode & 0o777, name).toBe(0o600)
  })

  it('keeps what was committed and has foreign keys, WAL and the wished durability', () => {
    const file = newFile()
    {
      using db = new Database({ file, synchronous: 'FULL' })
      db.transaction(() => db.sqlite.exec('CREATE TABLE t (x); INSERT INTO t VALUES (7)'))
    }
    using db = new Database({ file, synchronous: 'NORMAL' })
    expect(db.prepare('SELECT x FROM t').all()).toEqual([{ x: 7 }])
    const pragma = (name: string) => db.sqlite.pragma(name, { simple: true })
    expect([pragma('foreign_keys'), pragma('journal_mode'), pragma('synchronous'), pragma('auto_vacuum')]).toEqual([1, 'wal', 1, 2])
  })

  it('answers unavailable within 300 ms while another connection writes, and works again after', () => {
    const file = newFile()
    using db = new Database({ file })
    db.sqlite.exec('CREATE TABLE t (x)')
    const other = new Sqlite(file)
    other.exec('BEGIN IMMEDIATE')
    const startedAt = performance.now()
    expect(kindOf(() => db.transaction(() => db.prepare('INSERT INTO t VALUES (1)').run()))).toBe('unavailable')
    expect(performance.now() - startedAt).toBeLessThan(300)
    other.exec('ROLLBACK')
    other.close()
    expect(db.transaction(() => db.prepare('INSERT INTO t VALUES (1)').run()).changes).toBe(1)
  })

  it.each([
    ['in a folder that is not there', () => join(newFile(), 'a', 'b.db'), 'unavailable'],
    ['that is no database', notes, 'unavailable'],
  ])('%s is refused', (_what, file, kind) => {
    const name = file()
    expect(kindOf(() => new Database({ file: name }))).toBe(kind)
  })

  it('is refused to a second process while the first lives, and free once that was killed', async () => {
    const file = newFile()
    const module = join(import.meta.dirname, 'index.ts')
    const script = `
      const { Database } = await import(${JSON.stringify(module)})
      const db = new Database({ file: ${JSON.stringify(file)} })
      db.transaction(() => db.sqlite.exec('CREATE TABLE t (x); INSERT INTO t VALUES (1)'))
      console.log('open')
      setInterval(() => db, 1000)`
    const child = spawn(process.execPath, ['--input-type=module', '-e', script], { stdio: ['ignore', 'pipe', 'inherit'] })
    try {
      const [line] = (await once(child.stdout, 'data')) as [Buffer]
      expect(String(line).trim()).toBe('open')
      const open = () => new Database({ file })
      expect(kindOf(open)).toBe('conflict')
      expect(open).toThrow(/Another minicloud is using this data directory/)
    } finally {
      const gone = once(child, 'exit')
      child.kill('SIGKILL')
      await gone
    }
    using db = new Database({ file })
    expect(db.prepare('SELECT x FROM t').all()).toEqual([{ x: 1 }])
  })

  it('is refused to a second opener of the same process too', () => {
    const file = newFile()
    using _db = new Database({ file })
    expect(kindOf(() => new Database({ file }))).toBe('conflict')
  })
})
