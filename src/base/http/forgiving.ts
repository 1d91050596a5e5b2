/**
 * Bodies as an older API takes them that a stricter one has replaced: keys that nothing knows are left out, and white space
 * at the ends of names is cut. What is left is held to the schema as ever.
 */
import type { TSchema } from './type.ts'

type Json = Record<string, unknown>
const isObject = (value: unknown): value is Json => typeof value === 'object' && value !== null && !Array.isArray(value)
const mapped = (value: Json, of: (key: string, item: unknown) => unknown): Json =>
  Object.fromEntries(Object.entries(value).map(([key, item]) => [key, of(key, item)]))

/** The one alternative that may be meant by a value of this kind; undefined where several could be. */
function alternativeFor(schemas: readonly TSchema[], value: unknown): TSchema | undefined {
  const type = Array.isArray(value) ? 'array' : isObject(value) ? 'object' : typeof value
  const [first, ...more] = schemas.filter((schema) => schema.type === type)
  return more.length === 0 ? first : undefined
}

/** The value as the schema will take it, if it takes it at all; the value itself stays as it is. `trimmed` names formats. */
export function forgiven(schema: TSchema, value: unknown, trimmed: ReadonlySet<string>): unknown {
  const alternatives = (schema.anyOf ?? schema.oneOf) as TSchema[] | undefined
  if (alternatives) {
    const meant = alternativeFor(alternatives, value)
    return meant ? forgiven(meant, value, trimmed) : value
  }
  if (typeof value === 'string') return trimmed.has(schema.format) ? value.trim() : value
  if (Array.isArray(value)) {
    const { items } = schema
    return isObject(items) ? value.map((item) => forgiven(items as TSchema, item, trimmed)) : value
  }
  if (!isObject(value)) return value
  const properties: Record<string, TSchema> = schema.properties ?? {}
  // Free keys, such as those of metadata, have rules of their own: a wrong one is a mistake, not an addition.
  const drops = schema.additionalProperties === false && schema.patternProperties === undefined
  const known = drops ? Object.fromEntries(Object.entries(value).filter(([key]) => Object.hasOwn(properties, key))) : value
  return mapped(known, (key, item) => {
    const inner = Object.hasOwn(properties, key) ? properties[key] : undefined
    return inner ? forgiven(inner, item, trimmed) : item
  })
}
