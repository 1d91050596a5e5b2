import { posix } from 'node:path'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { find, render, segmentsOf, type Tree } from './render.ts'

const tree: Tree = {
  b: 'leaf',
  a: { x: 1 },
  keys: { 0: { _name: '0=mine', key: 'k' } },
  list: ['one', 'two'],
  empty: {},
  bytes: Buffer.from([0, 255]),
}

describe('render', () => {
  it('lists maps sorted, with slashes, and names in place of keys', () => {
    expect(render(tree)).toBe('a/\nb\nbytes\nempty/\nkeys/\nlist')
    expect(render(find(tree, ['keys'])!)).toBe('0=mine')
    expect(render(find(tree, ['keys', '0'])!)).toBe('key')
  })

  it('prints leaves as they are', () => {
    expect([render('text\n'), render(7), render(['one', 'two']), render([])]).toEqual(['text\n', '7', 'one\ntwo', ''])
    expect(render(Buffer.from([0, 255]))).toEqual(Buffer.from([0, 255]))
  })

  it('finds nothing beyond leaves, under inherited names or internal ones', () => {
    for (const path of [
      ['b', 'x'],
      ['list', '0'],
      ['list', 'length'],
      ['bytes', '0'],
      ['__proto__'],
      ['constructor'],
      ['keys', '0', '_name'],
      ['toString'],
    ])
      expect([path, find(tree, path)]).toEqual([path, null])
    expect(find(tree, [])).toBe(tree)
  })
})

describe('segmentsOf', () => {
  const segment = fc.stringMatching(/^[a-z0-9_-]{1,8}(\.[a-z]{1,4})?$/)
  const slashes = fc.constantFrom('/', '//', '///', '/./')

  it('takes doubled and trailing slashes, dots and queries away', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(slashes, segment), { maxLength: 6 }), fc.constantFrom('', '/', '//', '?a=/b', '#c'), (parts, end) => {
        expect(segmentsOf(`${parts.flat().join('')}${end}` || '/')).toEqual(parts.map(([, name]) => name))
      }),
    )
  })

  it('gives plain segments for anything, and the same again', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.webUrl(), fc.webPath()), (target) => {
        const segments = segmentsOf(target)
        if (segments === null) return
        for (const found of segments) expect(['', '.', '..']).not.toContain(found)
        for (const found of segments) expect(found).not.toContain('/')
        expect(posix.normalize(`/${segments.join('/')}`)).toBe(`/${segments.join('/')}`)
        expect(segmentsOf(`/${segments.map(encodeURIComponent).join('/')}`)).toEqual(segments)
      }),
    )
  })

  it.each([
    ['http://169.254.169.254/openstack/', ['openstack']],
    ['/a/../../b', ['b']],
    ['/%6fpenstack', ['openstack']],
    ['*', ['*']],
    ['', []],
    ['/%', null],
    ['/%ff', null],
  ])('%s', (target, expected) => expect(segmentsOf(target)).toEqual(expected))
})
