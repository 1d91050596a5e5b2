import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { forgiven } from './forgiving.ts'
import { addFormat, as, bodies } from './schema.ts'
import { Type } from './type.ts'

const closed = { additionalProperties: false } as const
const inner = Type.Object({ size: Type.Optional(Type.Integer()) }, closed)
const schema = Type.Object(
  {
    name: Type.String({ format: 'whole-name' }),
    parts: Type.Optional(Type.Array(inner)),
    maybe: Type.Optional(Type.Union([inner, Type.Null()])),
    metadata: Type.Optional(Type.Record(Type.String({ pattern: '^[a-z]+$' }), Type.String(), closed)),
  },
  closed,
)
addFormat('whole-name', (text) => text !== '' && text.trim() === text, { forgives: 'white space' })
const parse = bodies({ '2.1': as(schema) })

describe('a forgiving reading', () => {
  it('leaves out what nothing knows, at every depth', () => {
    const given = { name: 'a', colour: 'red', parts: [{ size: 1, colour: 'red' }], maybe: { colour: 'red' } }
    expect(parse(given, 2001, true)).toEqual({ name: 'a', parts: [{ size: 1 }], maybe: {} })
    expect(() => parse(given, 2001)).toThrow('Additional properties are not allowed')
    expect(given.colour).toBe('red')
  })

  it('cuts white space of names, and refuses what then is none', () => {
    expect(parse({ name: ' a ' }, 2001, true)).toEqual({ name: 'a' })
    expect(() => parse({ name: ' a ' }, 2001)).toThrow("'whole-name'")
    expect(() => parse({ name: '  ' }, 2001, true)).toThrow("'whole-name'")
  })

  it('still refuses wrong values and wrong free keys', () => {
    expect(() => parse({ name: 1 }, 2001, true)).toThrow()
    expect(() => parse({ name: 'a', parts: [{ size: 'x' }] }, 2001, true)).toThrow()
    expect(() => parse({ name: 'a', metadata: { 'A/': 'x' } }, 2001, true)).toThrow('does not match any of the regexes')
  })

  it('changes nothing that the schema takes as it is', () => {
    fc.assert(
      fc.property(
        fc.record(
          {
            name: fc.constantFrom('a', 'b c'),
            parts: fc.array(fc.record({ size: fc.integer() })),
            maybe: fc.option(fc.record({ size: fc.integer() })),
            metadata: fc.dictionary(fc.stringMatching(/^[a-z]{1,5}$/), fc.string()),
          },
          { requiredKeys: ['name'] },
        ),
        (value) => {
          expect(forgiven(schema, value, new Set(['whole-name']))).toEqual(value)
        },
      ),
    )
  })

  it('never throws by itself, whatever it is given', () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        forgiven(schema, value, new Set(['whole-name']))
      }),
    )
  })
})
