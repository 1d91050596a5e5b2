import fc from 'fast-check'
import { expect, test } from 'vitest'
import { checkedUuid, lastLines, oneLine } from './text.ts'

test('the last lines of a text are those that splitting finds', () => {
  fc.assert(
    fc.property(
      fc.array(fc.constantFrom('', 'a', 'bc'), { maxLength: 8 }),
      fc.boolean(),
      fc.integer({ min: 0, max: 10 }),
      (lines, ended, count) => {
        const text = lines.join('\n') + (ended && lines.length > 0 ? '\n' : '')
        const real = text === '' ? [] : text.replace(/\n$/, '').split('\n')
        const wanted = count === 0 ? [] : real.slice(-count)
        const expected = wanted.length === 0 ? '' : wanted.join('\n') + (text.endsWith('\n') ? '\n' : '')
        expect(lastLines(text, count)).toBe(expected)
      },
    ),
  )
  expect(lastLines('a\nb\n', null)).toBe('a\nb\n')
})

test('one line has no control characters', () => {
  expect(oneLine('a\r\nb\u0000c\u2028d', 5)).toBe('a b c')
})

test('only a uuid passes for one', () => {
  expect(() => checkedUuid('../../etc')).toThrow(TypeError)
  expect(checkedUuid('00000000-0000-4000-8000-000000000001')).toBe('00000000-0000-4000-8000-000000000001')
})
