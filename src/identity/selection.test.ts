import Sqlite from 'better-sqlite3'
import fc from 'fast-check'
import { afterAll, describe, expect, it } from 'vitest'
import { selection } from './selection.ts'

const sqlite = new Sqlite(':memory:')
sqlite.exec('CREATE TABLE t (name TEXT, enabled INTEGER, parent TEXT)')
sqlite.exec("INSERT INTO t VALUES ('Alpha', 1, NULL), ('beta', 0, 'x'), ('gamma', 1, 'x')")
afterAll(() => sqlite.close())

const found = (query: string): string[] => {
  const { where, values } = selection(new URLSearchParams(query), { name: 'name', parent: 'parent', enabled: { boolean: 'enabled' } })
  return sqlite
    .prepare<unknown[], { name: string }>(`SELECT name FROM t WHERE ${where} ORDER BY name`)
    .all(...values)
    .map(({ name }) => name)
}

describe('filters', () => {
  it.each([
    ['', ['Alpha', 'beta', 'gamma']],
    ['name=beta', ['beta']],
    ['enabled=1', ['Alpha', 'gamma']],
    ['enabled=False', ['beta']],
    ['parent=', ['Alpha']],
    ['name__contains=m', ['gamma']],
    ['name__icontains=A', ['Alpha', 'beta', 'gamma']],
    ['name__startswith=a', []],
    ['name__istartswith=a', ['Alpha']],
    ['name__endswith=ta&parent=x', ['beta']],
    ['unknown=1', ['Alpha', 'beta', 'gamma']],
  ])('%s', (query, names) => expect(found(query)).toEqual(names))

  it('take any text as text', () => {
    const operator = fc.constantFrom('name', 'name__contains', 'name__istartswith', 'name__endswith', 'parent')
    fc.assert(
      fc.property(operator, fc.oneof(fc.string(), fc.constantFrom("' OR 1=1 --", '%', '?')), (name, text) => {
        const query = new URLSearchParams([[name, text]]).toString()
        const names = found(query)
        if (text !== '' && name === 'name') expect(names).toEqual(['Alpha', 'beta', 'gamma'].filter((known) => known === text))
      }),
    )
  })
})
