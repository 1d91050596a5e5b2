/**
 * Values of one of several kinds (a number or its digits, an object or null) as one schema with a list of types, as OpenStack writes them.
 * A keyword of JSON Schema looks at values of its own type only, so those of the kinds stand side by side; and a refusal names what is
 * wrong with the number, where a union could only say that none of its alternatives fit.
 */
import { type Static, type TSchema, Type } from './type.ts'

/** Keywords that look at values of every type: with them, only a union keeps its alternatives apart. */
const forAllTypes = ['enum', 'const', 'anyOf', 'oneOf', 'allOf', 'not']

type Json = Record<string, unknown>
const isOfType = (schema: Json): boolean => schema.type !== undefined && !forAllTypes.some((keyword) => keyword in schema)

/** @throws {Error} for alternatives that are not told apart by their types alone. */
export function kinds<S extends TSchema[]>(...alternatives: S) {
  const types = alternatives.flatMap(({ type }) => type as string | string[])
  const numbers = types.filter((type) => type === 'integer' || type === 'number')
  if (!alternatives.every(isOfType) || new Set(types).size < types.length || numbers.length > 1)
    throw new Error('kinds that are not told apart by their types')
  return Type.Unsafe<Static<S[number]>>({ ...Object.assign({}, ...alternatives), type: types })
}

/** What the schema takes, or null. */
export function nullable<S extends TSchema>(schema: S) {
  const { enum: words, ...others } = schema
  const either = !isOfType(others)
    ? Type.Union([schema, Type.Null()])
    : { ...schema, type: [schema.type, 'null'].flat(), ...(words ? { enum: [...words, null] } : {}) }
  return Type.Unsafe<Static<S> | null>(either)
}
