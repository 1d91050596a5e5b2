import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { SafePattern } from './safe-pattern.ts'

const letters = fc.string({ unit: fc.constantFrom('a', 'B', 'c', '-', '1', '\n', ' '), maxLength: 12 })
/** Patterns of the kinds that are taken, nested at will. */
const { pattern } = fc.letrec<{ pattern: string; piece: string }>((tie) => ({
  piece: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    fc.constantFrom('a', 'b', 'C', '.', '-', '\\d', '\\w', '\\s', '\\.', '[ab]', '[^a-c]', '[\\]a]', '\\x61', '^', '$', '{', ']'),
    tie('pattern').map((inner) => `(${inner})`),
    tie('pattern').map((inner) => `(?:${inner})`),
  ),
  pattern: fc
    .array(fc.tuple(tie('piece'), fc.constantFrom('', '', '', '*', '+', '?', '*?', '{2}', '{0,2}', '{1,}', '|')), { maxLength: 5 })
    .map((parts) => parts.map(([piece, sign]) => (/^[\^${]$/.test(piece) && sign !== '|' ? piece : piece + sign)).join('')),
}))

describe('a pattern', () => {
  it('matches what JavaScript matches', () => {
    fc.assert(
      fc.property(pattern, letters, (source, text) => {
        let regex: RegExp
        try {
          regex = new RegExp(source, 'i')
        } catch {
          return
        }
        fc.pre(source.length <= 40 && (source.match(/[*+?{|]/g) ?? []).length <= 8)
        expect(new SafePattern(source).test(text)).toBe(regex.test(text))
      }),
      { numRuns: 2000 },
    )
  })

  it('is a plain text when it has no signs', () => {
    expect(new SafePattern('Web-1').literal).toBe('Web-1')
    expect(new SafePattern('Web-1').test('my WEB-1')).toBe(true)
    expect(new SafePattern('^web').literal).toBeNull()
  })

  it.each([
    ['optional letters', `${'a?'.repeat(60)}${'a'.repeat(60)}b`],
    ['choices', `${'(a|a)'.repeat(45)}b`],
    ['nested repetition', '(a+)+b'],
    ['many repetitions', `${'.*'.repeat(3)}b`],
    ['counted repetition', '(a{1,20}){1,20}b'],
  ])('cannot run away: %s', (_, source) => {
    const beganAt = performance.now()
    expect(new SafePattern(source).test('a'.repeat(255))).toBe(false)
    expect(performance.now() - beganAt).toBeLessThan(1000)
  })

  it('takes no time for nothing, repeated', () => {
    expect(new SafePattern('((()){1000000000}){1000000000}b').test('ab')).toBe(true)
  })

  it('has a bound over all the texts that it is asked about', () => {
    const costly = new SafePattern(`${'.*'.repeat(50)}x`, { steps: 100_000 })
    expect(() => {
      for (let i = 0; i < 100; i++) costly.test('a'.repeat(255))
    }).toThrow('too costly')
  })

  it.each(['(', '[', 'a**'])('is none, and refused as none: %s', (source) =>
    expect(() => new SafePattern(source, { parameter: 'ip' })).toThrow(
      `Invalid input for query parameters ip. Value: ${source}. '${source}' is not a 'regex'`,
    ),
  )
  it.each(['(a)\\1', '(?=a)b', '(?<!a)b', '\\bweb', 'a'.repeat(256), '((a{99}){99}){99}', '(?<n>a)\\k<n>'])('is refused: %s', (source) =>
    expect(() => new SafePattern(source)).toThrow('Invalid regular expression'),
  )
})
