import { mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import Sqlite from 'better-sqlite3'
import { describe, expect, it } from 'vitest'
import { CloudError } from '../errors.ts'
import { Database } from './database.ts'
import { migrate, migrations, schemaVersion } from './migrate.ts'

const step = (version: number, sql: string) => ({ version, name: `migrations/${version}.sql`, sql })

describe('migrations', () => {
  it('of the project bring an empty file to the newest version, once', () => {
    const sqlite = new Sqlite(':memory:')
    migrate(sqlite)
    expect(schemaVersion(sqlite)).toBe(migrations().at(-1)?.version)
    migrate(sqlite)
    expect(migrations().map(({ version }) => version)).toEqual(migrations().map((_, i) => i + 1))
  })

  it('apply what is newer than the file, in order', () => {
    const sqlite = new Sqlite(':memory:')
    migrate(sqlite, [step(1, 'CREATE TABLE a (x)')])
    migrate(sqlite, [step(1, 'CREATE TABLE a (x)'), step(2, 'ALTER TABLE a ADD y'), step(3, 'INSERT INTO a (y) VALUES (1)')])
    expect(schemaVersion(sqlite)).toBe(3)
    expect(sqlite.prepare('SELECT y FROM a').all()).toEqual([{ y: 1 }])
  })

  it('that fail leave the version before, whole', () => {
    const sqlite = new Sqlite(':memory:')
    const known = [step(1, 'CREATE TABLE a (x)'), step(2, 'CREATE TABLE b (x); INSERT INTO nowhere VALUES (1)')]
    expect(() => migrate(sqlite, known)).toThrow(/nowhere/)
    expect(schemaVersion(sqlite)).toBe(1)
    expect(sqlite.prepare(`SELECT name FROM sqlite_master WHERE type = 'table'`).all()).toEqual([{ name: 'a' }])
  })

  it('refuse a file from a newer program, and leave it and its lock alone', () => {
    const file = join(mkdtempSync(join(tmpdir(), 'minicloud-db-')), 'a.db')
    const newer = new Sqlite(file)
    newer.pragma('user_version = 999')
    newer.close()
    for (const _time of [1, 2]) {
      expect(() => new Database({ file })).toThrow(CloudError)
      expect(() => new Database({ file })).toThrow(/version 999.*start a newer minicloud/)
    }
    expect(schemaVersion(new Sqlite(file))).toBe(999)
  })
})
