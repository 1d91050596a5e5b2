/**
 * Bodies and queries by microversion: a ladder of rungs, each with a JSON Schema (written in TypeBox) and a parser into
 * the newest internal type, so that no handler ever sees a version. A rung holds until the next one.
 *
 * Refusals are worded as Python's jsonschema does, since clients and tests of clients read them.
 */
import type { Static, TSchema } from '@sinclair/typebox'
import { Ajv, type ErrorObject, type ValidateFunction } from 'ajv'
import { invalid } from '../errors.ts'
import { type Version, version } from './microversion.ts'

const ajv = new Ajv({ allErrors: false, strict: false, verbose: true, useDefaults: false, coerceTypes: false, messages: true })

/** Adds a named format for schemas (`uuid`, `cidr` …); the check sees strings only. */
export function addFormat(name: string, check: (text: string) => boolean): void {
  ajv.addFormat(name, { type: 'string', validate: check })
}

addFormat('uuid', (text) => /^[0-9a-f]{8}-?([0-9a-f]{4}-?){3}[0-9a-f]{12}$/i.test(text))
addFormat('uri', (text) => URL.canParse(text))
addFormat('date-time', (text) => !Number.isNaN(Date.parse(text)))
addFormat('base64', (text) => text.length % 4 === 0 && /^[A-Za-z0-9+/]*={0,2}$/.test(text))

export type Rung<T> = {
  schema: TSchema
  // biome-ignore lint/suspicious/noExplicitAny: the schema has checked what the parser takes
  parse: (value: any) => T
}
export type Ladder<T> = { [since: string]: Rung<T> }
export type Parser<T> = (value: unknown, at: Version) => T

/** A rung whose type is what the schema says. */
export const as = <S extends TSchema, T = Static<S>>(
  schema: S,
  parse: (value: Static<S>) => T = (value) => value as unknown as T,
): Rung<T> => ({ schema, parse })

/** Python's `repr`, near enough for messages. */
export function repr(value: unknown): string {
  if (value === null || value === undefined) return 'None'
  if (value === true) return 'True'
  if (value === false) return 'False'
  if (typeof value === 'string') return `'${value.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`
  if (Array.isArray(value)) return `[${value.map(repr).join(', ')}]`
  if (typeof value === 'object')
    return `{${Object.entries(value)
      .map(([key, item]) => `${repr(key)}: ${repr(item)}`)
      .join(', ')}}`
  return String(value)
}

const maxShown = 256
const shown = (value: unknown): string => {
  const text = repr(value)
  return text.length > maxShown ? `${text.slice(0, maxShown)}...` : text
}

function reason(error: ErrorObject): string {
  const { keyword, params, data } = error
  switch (keyword) {
    case 'additionalProperties':
      return `Additional properties are not allowed (${repr(params.additionalProperty)} was unexpected)`
    case 'required':
      return `${repr(params.missingProperty)} is a required property`
    case 'type':
      return `${shown(data)} is not of type ${[params.type].flat().map(repr).join(', ')}`
    case 'enum':
      return `${shown(data)} is not one of ${shown(params.allowedValues)}`
    case 'const':
      return `${shown(data)} is not one of ${shown([params.allowedValue])}`
    case 'minLength':
    case 'minItems':
      return `${shown(data)} is too short`
    case 'maxLength':
    case 'maxItems':
      return `${shown(data)} is too long`
    case 'minimum':
      return `${shown(data)} is less than the minimum of ${params.limit}`
    case 'maximum':
      return `${shown(data)} is greater than the maximum of ${params.limit}`
    case 'pattern':
      return `${shown(data)} does not match ${repr(params.pattern)}`
    case 'format':
      return `${shown(data)} is not a ${repr(params.format)}`
    case 'uniqueItems':
      return `${shown(data)} has non-unique elements`
    case 'anyOf':
    case 'oneOf':
      return `${shown(data)} is not valid under any of the given schemas`
    case 'minProperties':
      return `${shown(data)} does not have enough properties`
    case 'maxProperties':
      return `${shown(data)} has too many properties`
    default:
      return `${shown(data)} ${error.message ?? 'is not valid'}`
  }
}

/** The sentence of a refused value. Ajv reports the branches of `anyOf` first and the union last: the last one speaks for all. */
function sentence(errors: ErrorObject[], where: 'field/attribute' | 'query parameters'): string {
  const error = errors.findLast((item) => item.keyword === 'anyOf' || item.keyword === 'oneOf') ?? errors[0]!
  const why = reason(error)
  const field = error.instancePath.split('/').findLast((part) => part !== '' && !/^\d+$/.test(part))
  if (error.keyword === 'additionalProperties' || error.keyword === 'required' || field === undefined) {
    return field === undefined && error.keyword !== 'additionalProperties'
      ? `Invalid input for ${where} . Value: ${shown(error.data)}. ${why}`
      : why
  }
  return `Invalid input for ${where} ${field}. Value: ${shown(error.data)}. ${why}`
}

const compiled = new WeakMap<TSchema, ValidateFunction>()

/** @throws {CloudError} `invalid`, worded for the client. */
export function check(schema: TSchema, value: unknown, where: 'field/attribute' | 'query parameters' = 'field/attribute'): void {
  let validate = compiled.get(schema)
  if (!validate) {
    validate = ajv.compile(schema)
    compiled.set(schema, validate)
  }
  if (!validate(value)) throw invalid(sentence(validate.errors ?? [], where))
}

function ladder<T>(rungs: Ladder<T>, where: 'field/attribute' | 'query parameters'): Parser<T> {
  const sorted = Object.entries(rungs)
    .map(([since, rung]) => ({ since: version(since), rung }))
    .sort((a, b) => b.since - a.since)
  return (value, at) => {
    const rung = (sorted.find(({ since }) => since <= at) ?? sorted.at(-1))?.rung
    if (!rung) throw new Error('a ladder without rungs')
    check(rung.schema, value, where)
    return rung.parse(value)
  }
}

/** The parser of an operation's body. */
export const bodies = <T>(rungs: Ladder<T>): Parser<T> => ladder(rungs, 'field/attribute')

/** The parser of an operation's query; the value is an object of `name: [text, …]`. */
export const queries = <T>(rungs: Ladder<T>): Parser<T> => ladder(rungs, 'query parameters')
