import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { CloudError } from '../errors.ts'
import { addFormat, as, bodies, check, queries, repr } from './index.ts'
import { type TSchema, Type } from './type.ts'

const refusal = (schema: unknown, value: unknown, where?: 'query parameters'): string => {
  try {
    check(schema as TSchema, value, where)
  } catch (error) {
    expect(error).toBeInstanceOf(CloudError)
    return (error as CloudError).message
  }
  return 'nothing'
}
const of = (schema: object) => ({ type: 'object', properties: { x: schema } })

describe('a refusal reads as in OpenStack, for', () => {
  it.each([
    ['type', { type: 'string' }, 7, "7 is not of type 'string'"],
    ['types', { type: ['string', 'null'] }, 7, "7 is not of type 'string', 'null'"],
    ['None', { type: 'string' }, null, "None is not of type 'string'"],
    ['booleans', { type: 'string' }, true, "True is not of type 'string'"],
    ['enum', { enum: ['a', 1] }, 'b', "'b' is not one of ['a', 1]"],
    ['const', { const: 'a' }, 'b', "'a' was expected"],
    ['minLength', { minLength: 1 }, '', "'' is too short"],
    ['maxLength', { maxLength: 1 }, 'ab', "'ab' is too long"],
    ['minItems', { minItems: 1 }, [], '[] is too short'],
    ['maxItems', { maxItems: 1 }, [1, 2], '[1, 2] is too long'],
    ['minimum', { minimum: 1 }, 0, '0 is less than the minimum of 1'],
    ['maximum', { maximum: 1 }, 2, '2 is greater than the maximum of 1'],
    ['exclusiveMinimum', { exclusiveMinimum: 1 }, 1, '1 is less than or equal to the minimum of 1'],
    ['exclusiveMaximum', { exclusiveMaximum: 1 }, 1, '1 is greater than or equal to the maximum of 1'],
    ['multipleOf', { multipleOf: 2 }, 3, '3 is not a multiple of 2'],
    ['pattern', { pattern: '^[0-9]*$' }, 'abc', "'abc' does not match '^[0-9]*$'"],
    ['format', { format: 'uuid' }, 'abc', "'abc' is not a 'uuid'"],
    ['uniqueItems', { uniqueItems: true }, [1, 1], '[1, 1] has non-unique elements'],
    ['anyOf', { anyOf: [{ type: 'null' }, { type: 'integer' }] }, 'a', "'a' is not valid under any of the given schemas"],
    ['oneOf', { oneOf: [{ type: 'null' }, { type: 'integer' }] }, 'a', "'a' is not valid under any of the given schemas"],
    ['oneOf twice', { oneOf: [{ minimum: 1 }, { type: 'integer' }] }, 2, "2 is valid under each of {'minimum': 1}, {'type': 'integer'}"],
    ['not', { not: { type: 'null' } }, null, "None should not be valid under {'type': 'null'}"],
    ['minProperties', { minProperties: 1 }, {}, '{} does not have enough properties'],
    ['maxProperties', { maxProperties: 0 }, { a: 1 }, "{'a': 1} has too many properties"],
    ['contains', { contains: { const: 1 } }, [2], '[2] does not contain items matching the given schema'],
    ['required', { required: ['name'] }, {}, "'name' is a required property"],
    ['dependencies', { dependencies: { a: ['b'] } }, { a: 1 }, "'b' is a dependency of 'a'"],
    ['one extra', { additionalProperties: false }, { y: 1 }, "Additional properties are not allowed ('y' was unexpected)"],
    [
      'several extras',
      { additionalProperties: false, properties: { a: {} } },
      { z: 1, a: 1, y: 1 },
      "Additional properties are not allowed ('y', 'z' were unexpected)",
    ],
    [
      'patternProperties',
      { additionalProperties: false, patternProperties: { '^[a-z]+$': {} } },
      { '1': 1, a: 2 },
      "'1' does not match any of the regexes: '^[a-z]+$'",
    ],
  ])('%s', (_keyword, schema, value, why) => {
    expect(refusal(schema, value)).toBe(why)
    const within = typeof value === 'string' ? value : repr(value)
    expect(refusal(of(schema), { x: value })).toBe(`Invalid input for field/attribute x. Value: ${within}. ${why}`)
  })

  it('a place deep in a body: its innermost name or index', () => {
    const schema = { properties: { server: { properties: { networks: { items: { required: ['uuid'] } } } } } }
    expect(refusal(schema, { server: { networks: [{}] } })).toBe(
      "Invalid input for field/attribute 0. Value: {}. 'uuid' is a required property",
    )
    expect(refusal(of({ properties: { 'a/b~c': { type: 'null' } } }), { x: { 'a/b~c': 1 } })).toMatch(
      /^Invalid input for field\/attribute a\/b~c\. /,
    )
  })

  it('names of a format that says what they must be: that alone', () => {
    addFormat('small name', (text) => text === text.toLowerCase(), { mustBe: 'small letters.' })
    expect(refusal(of({ format: 'small name' }), { x: 'A' })).toBe("An invalid 'name' value was provided. The name must be: small letters.")
  })

  it('a wrong member: before those that are missing or too much', () => {
    const schema = { required: ['a'], additionalProperties: false, properties: { a: {}, x: { type: 'string' } } }
    expect(refusal(schema, { x: 1, y: 1 })).toBe("Invalid input for field/attribute x. Value: 1. 1 is not of type 'string'")
    expect(refusal(schema, { x: 'a', y: 1 })).toBe("'a' is a required property")
  })

  it('a query: the parameter, whichever of its values it was', () => {
    const schema = { properties: { limit: { items: { pattern: '^[0-9]*$' } } }, additionalProperties: false }
    expect(refusal(schema, { limit: ['1', '-1'] }, 'query parameters')).toBe(
      "Invalid input for query parameters limit. Value: -1. '-1' does not match '^[0-9]*$'",
    )
    expect(refusal(schema, { x: ['1'] }, 'query parameters')).toBe("Additional properties are not allowed ('x' was unexpected)")
  })

  it('values beyond all measure: shortened', () => {
    expect(refusal({ maxLength: 1 }, 'x'.repeat(4000))).toBe(`'${'x'.repeat(4000)}' is too long`)
    expect(refusal(of({ maxLength: 1 }), { x: 'x'.repeat(1_000_000) }).length).toBeLessThan(20_000)
    expect(
      refusal({ additionalProperties: false }, Object.fromEntries(Array.from({ length: 1000 }, (_, i) => [`k${i}`, i]))).length,
    ).toBeLessThan(600)
  })
})

describe("Python's repr", () => {
  it.each([
    ["it's", `"it's"`],
    [`it's "it"`, `'it\\'s "it"'`],
    ['a\\b\n\t\u0001', `'a\\\\b\\n\\t\\x01'`],
    [[null, true, { a: ['b'] }], `[None, True, {'a': ['b']}]`],
    [1.5, '1.5'],
  ])('of %j', (value, text) => {
    expect(repr(value)).toBe(text)
  })
  it('has no control character, whatever the value', () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        expect(repr(value)).not.toMatch(/[\u0000-\u001f]/)
      }),
    )
  })
})

describe('a ladder', () => {
  const parse = bodies<string>({
    '2.1': as(Type.Object({ name: Type.String() }), ({ name }) => `old ${name}`),
    '2.19': as(Type.Object({ title: Type.String() }), ({ title }) => `new ${title}`),
  })
  it('holds a rung until the next', () => {
    expect(parse({ name: 'a' }, 2001)).toBe('old a')
    expect(parse({ name: 'a' }, 2018)).toBe('old a')
    expect(parse({ title: 'a' }, 2019)).toBe('new a')
    expect(parse({ title: 'a' }, 2104)).toBe('new a')
    expect(() => parse({ name: 'a' }, 2019)).toThrow("'title' is a required property")
  })
  it('never does anything but parse or refuse', () => {
    const query = queries<unknown>({
      '2.1': as(Type.Object({ limit: Type.Optional(Type.Array(Type.String())) }, { additionalProperties: false })),
    })
    fc.assert(
      fc.property(fc.jsonValue(), fc.constantFrom(0, 2001, 2019, 9999), (value, at) => {
        for (const one of [parse, query]) {
          try {
            one(value, at)
          } catch (error) {
            expect(error).toMatchObject({ kind: 'invalid' })
          }
        }
      }),
    )
  })
  it.each(['uuid', 'uri', 'date-time', 'base64'])('knows the format %s', (format) => {
    const good = { uuid: '0b0b0b0b0b0b4b0b8b0b0b0b0b0b0b0b', uri: 'http://a/b', 'date-time': '2026-01-02T03:04:05Z', base64: 'aGk=' }[
      format
    ]
    expect(refusal({ format }, good)).toBe('nothing')
    expect(refusal({ format }, 'no!')).toBe(`'no!' is not a '${format}'`)
  })
})
