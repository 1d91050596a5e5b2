import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { kinds, nullable } from './kinds.ts'
import { check, closed } from './schema.ts'
import { type TSchema, Type } from './type.ts'

const refusal = (schema: TSchema, value: unknown): string | null => {
  try {
    check(schema, value)
    return null
  } catch (error) {
    return (error as Error).message
  }
}

const bounds = fc.constantFrom({}, { minimum: 1 }, { minimum: -1, maximum: 5 })
const ofType: Record<string, fc.Arbitrary<TSchema>> = {
  integer: bounds.map((options) => Type.Integer(options)),
  number: bounds.map((options) => Type.Number(options)),
  string: fc
    .constantFrom({}, { minLength: 1 }, { maxLength: 2 }, { pattern: '^-?[0-9]+$' }, { format: 'uuid' })
    .map((options) => Type.String(options)),
  boolean: fc.constant(Type.Boolean()),
  null: fc.constant(Type.Null()),
  array: fc.constantFrom(
    Type.Array(Type.String()),
    Type.Array(Type.Integer(), { minItems: 1 }),
    Type.Array(Type.Any(), { uniqueItems: true }),
  ),
  object: fc.constantFrom(
    Type.Object({ a: Type.Integer() }),
    Type.Object({ a: Type.Optional(Type.String()) }, closed),
    Type.Object({ a: Type.Optional(Type.Any()) }, { ...closed, minProperties: 1 }),
    Type.Record(Type.String({ pattern: '^a' }), Type.String(), closed),
  ),
}
/** Of each type at most one, and not two sorts of numbers. */
const alternatives = fc
  .uniqueArray(fc.constantFrom(...Object.keys(ofType)), {
    minLength: 1,
    maxLength: 4,
    selector: (type) => (type === 'integer' ? 'number' : type),
  })
  .chain((types) => fc.tuple(...types.map((type) => ofType[type] as fc.Arbitrary<TSchema>)))
const value = fc.oneof(
  fc.constantFrom('', '7', '-5', 'abc', -2, -1, 0, 1, 5, 6, 1.5, null, true, [], ['a'], [1, 1], {}, { a: 1 }, { a: 'x' }, { b: 1 }),
  fc.jsonValue(),
)

describe('a value of several kinds', () => {
  it('is taken and refused as by the union of the kinds', () => {
    fc.assert(
      fc.property(alternatives, fc.array(value, { minLength: 5, maxLength: 20 }), (schemas, values) => {
        const [one, union] = [kinds(...schemas), Type.Union(schemas)]
        for (const given of values) expect(refusal(one, given) === null).toBe(refusal(union, given) === null)
      }),
    )
  })

  it('or of null, too, also where words are listed and where only a union will do', () => {
    const words = Type.Unsafe({ type: ['boolean', 'string'], enum: [true, 'True', false] })
    const some = fc.oneof(
      ...Object.values(ofType),
      fc.constantFrom(words, Type.Literal('abc'), Type.Union([Type.Literal(1), Type.String()])),
    )
    fc.assert(
      fc.property(some, fc.array(value, { minLength: 5, maxLength: 20 }), (schema, values) => {
        const one = nullable(schema)
        for (const given of values) expect(refusal(one, given) === null).toBe(given === null || refusal(schema, given) === null)
      }),
    )
  })

  it('is refused for what is wrong with its kind', () => {
    const count = kinds(Type.Integer({ minimum: 1 }), Type.String({ pattern: '^[0-9]+$' }))
    expect(refusal(count, 0)).toBe('0 is less than the minimum of 1')
    expect(refusal(count, 'x')).toBe("'x' does not match '^[0-9]+$'")
    expect(refusal(count, null)).toBe("None is not of type 'integer', 'string'")
    const rescue = nullable(Type.Object({ image: Type.Optional(Type.String({ format: 'uuid' })) }, closed))
    expect(refusal(rescue, { image: 'x' })).toBe("Invalid input for field/attribute image. Value: x. 'x' is not a 'uuid'")
    expect(refusal(rescue, { other: 1 })).toBe("Additional properties are not allowed ('other' was unexpected)")
    expect(refusal(nullable(Type.Unsafe({ type: 'string', enum: ['a'] })), 'b')).toBe("'b' is not one of ['a', None]")
  })

  it('has kinds that differ by their types', () => {
    expect(() => kinds(Type.String({ maxLength: 0 }), Type.String({ format: 'uuid' }))).toThrow('told apart')
    expect(() => kinds(Type.Integer(), Type.Number())).toThrow('told apart')
    expect(() => kinds(Type.Literal('auto'), Type.Integer())).toThrow('told apart')
  })
})
