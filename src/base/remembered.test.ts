import { expect, it } from 'vitest'
import { remembered } from './remembered.ts'

it('computes once for a text, and anew when it has been forgotten', () => {
  const asked: string[] = []
  const lengths = remembered((text) => {
    asked.push(text)
    return { length: text.length }
  }, 2)
  const first = lengths('ab')
  expect(lengths('ab')).toBe(first)
  lengths('c')
  lengths('d')
  expect(lengths('ab')).toEqual({ length: 2 })
  expect(asked).toEqual(['ab', 'c', 'd', 'ab'])
})

it('a failure is not remembered', () => {
  let fails = true
  const parse = remembered((text) => {
    if (fails) throw new Error('not yet')
    return { text }
  })
  expect(() => parse('x')).toThrow('not yet')
  fails = false
  expect(parse('x')).toEqual({ text: 'x' })
})
