/**
 * JSON Schemas written with their TypeScript types: the part of TypeBox's builder that we use, under its names and with its types. TypeBox
 * itself is two hundred modules, an eighth of the time that a start takes; of it only types remain, and a test that holds these schemas
 * against its own.
 *
 * @see https://github.com/sinclairzx81/typebox
 */
import type { Type as TypeBox } from '@sinclair/typebox'

type Json = Record<string | symbol, unknown>

/** Marks a property that may be missing; no part of the schema as JSON. */
const optional = Symbol('optional')

const simple = (type: string) => (options?: Json) => ({ ...options, type })
const anything = (options?: Json) => ({ ...options })

const builder = {
  Any: anything,
  Array: (items: Json, options?: Json) => ({ ...options, type: 'array', items }),
  Boolean: simple('boolean'),
  Integer: simple('integer'),
  Literal: (value: string | number | boolean, options?: Json) => ({ ...options, const: value, type: typeof value }),
  Null: simple('null'),
  Number: simple('number'),
  Object(properties: Record<string, Json>, options?: Json) {
    const required = Object.keys(properties).filter((key) => !properties[key]?.[optional])
    return { ...options, type: 'object', ...(required.length > 0 ? { required } : {}), properties }
  },
  Optional: (schema: Json) => ({ ...schema, [optional]: true }),
  /** Of keys by their pattern. */
  Record: (key: { pattern?: string }, value: Json, options?: Json) => ({
    ...options,
    type: 'object',
    patternProperties: { [key.pattern ?? '^(.*)$']: value },
  }),
  String: simple('string'),
  Union: ([first, ...more]: Json[], options?: Json) =>
    more.length === 0 ? { ...options, ...first } : { ...options, anyOf: [first, ...more] },
  Unknown: anything,
  Unsafe: anything,
}

export const Type = builder as unknown as Pick<typeof TypeBox, keyof typeof builder>
export type { Static, TObject, TProperties, TSchema } from '@sinclair/typebox'
