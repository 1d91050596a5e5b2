import { Type as TypeBox } from '@sinclair/typebox'
import fc from 'fast-check'
import { expect, it } from 'vitest'
import { type TSchema, Type } from './type.ts'

/** One schema, written by whichever builder it is given. */
type Written = (builder: typeof Type) => TSchema

const simple = fc.constantFrom<Written>(
  (t) => t.Any(),
  (t) => t.Boolean(),
  (t) => t.Integer({ minimum: 0 }),
  (t) => t.Literal('x'),
  (t) => t.Literal(1, { title: 'one' }),
  (t) => t.Null(),
  (t) => t.Number(),
  (t) => t.String({ format: 'uuid' }),
  (t) => t.Unknown(),
  (t) => t.Unsafe({ type: ['string', 'null'] }),
)
const options = fc.constantFrom({}, { additionalProperties: false }, { title: 'a title' })
const { written } = fc.letrec<{ written: Written }>((tie) => {
  const some = fc.array(tie('written'), { minLength: 1, maxLength: 3 })
  return {
    written: fc.oneof(
      { maxDepth: 4 },
      simple,
      tie('written').map(
        (inner): Written =>
          (t) =>
            t.Array(inner(t), { maxItems: 3 }),
      ),
      fc.tuple(some, options).map(
        ([inner, option]): Written =>
          (t) =>
            t.Union(
              inner.map((one) => one(t)),
              option,
            ),
      ),
      fc.tuple(tie('written'), fc.constantFrom({}, { pattern: '^a' }), options).map(
        ([inner, key, option]): Written =>
          (t) =>
            t.Record(t.String(key), inner(t), option),
      ),
      fc.tuple(some, fc.integer({ min: 0, max: 3 }), options).map(
        ([inner, needed, option]): Written =>
          (t) =>
            t.Object(Object.fromEntries(inner.map((one, i) => [`p${i}`, i < needed ? one(t) : t.Optional(one(t))])), option),
      ),
    ),
  }
})

it('writes the schemas that TypeBox writes', () => {
  const json = (schema: TSchema): unknown => JSON.parse(JSON.stringify(schema))
  fc.assert(
    fc.property(written, (schema) => {
      expect(json(schema(Type))).toEqual(json(schema(TypeBox)))
    }),
  )
})
