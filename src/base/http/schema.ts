/**
 * Bodies and queries by microversion: a ladder of rungs, each with a JSON Schema (written in TypeBox) and a parser into
 * the newest internal type, so that no handler ever sees a version. A rung holds until the next one.
 */

import { Ajv, type ValidateFunction } from 'ajv'
import { invalid } from '../errors.ts'
import { forgiven } from './forgiving.ts'
import { type Version, version } from './microversion.ts'
import { sentence, type Where } from './sentences.ts'
import type { Static, TSchema } from './type.ts'

// The schemas are our own, and the compiler refuses most that are none: checking them against draft 7 first would take 40 ms of every start.
const ajv = new Ajv({
  allErrors: false,
  strict: false,
  verbose: true,
  useDefaults: false,
  coerceTypes: false,
  messages: true,
  validateSchema: false,
  // A third of the time that a validator takes to make, for nothing that could be measured in its use.
  code: { optimize: false },
})

// What is wrong with a member is told before what is missing or too much, as in OpenStack, whose schemas name their members first.
const ofObjects = ajv.RULES.rules.find(({ type }) => type === 'object')?.rules
ofObjects?.sort((a, b) => Number(b.keyword === 'properties') - Number(a.keyword === 'properties'))

/** Formats whose texts a forgiving reading cuts white space from. */
const trimmed = new Set<string>()
/** What a name must be, by its format. */
const names = new Map<string, string>()

type FormatOptions = {
  forgives?: 'white space'
  /** Of names: what is said to one that the check refuses. */
  mustBe?: string
}

/** Adds a named format for schemas (`uuid`, `cidr` …); the check sees strings only. */
export function addFormat(name: string, check: (text: string) => boolean, { forgives, mustBe }: FormatOptions = {}): void {
  ajv.addFormat(name, { type: 'string', validate: check })
  if (forgives) trimmed.add(name)
  if (mustBe !== undefined) names.set(name, mustBe)
}

addFormat('uuid', (text) => /^[0-9a-f]{8}-?([0-9a-f]{4}-?){3}[0-9a-f]{12}$/i.test(text))
addFormat('uri', (text) => URL.canParse(text))
addFormat('date-time', (text) => !Number.isNaN(Date.parse(text)))
/** White space counts for nothing: many clients break the lines. */
addFormat('base64', (text) => {
  const signs = text.replace(/\s+/g, '')
  return signs.length % 4 === 0 && /^[A-Za-z0-9+/]*={0,2}$/.test(signs)
})

/** For objects that may have no other members than those named. */
export const closed = { additionalProperties: false } as const

export type Rung<T> = {
  schema: TSchema
  // biome-ignore lint/suspicious/noExplicitAny: the schema has checked what the parser takes
  parse: (value: any) => T
}
export type Ladder<T> = { [since: string]: Rung<T> }
/** `forgiving`: unknown keys are left out instead of refused. */
export type Parser<T> = (value: unknown, at: Version, forgiving?: boolean) => T

/** A rung whose type is what the schema says. */
export const as = <S extends TSchema, T = Static<S>>(
  schema: S,
  parse: (value: Static<S>) => T = (value) => value as unknown as T,
): Rung<T> => ({ schema, parse })

const compiled = new WeakMap<TSchema, ValidateFunction>()

/** @throws {CloudError} `invalid`, worded for the client. */
export function check(schema: TSchema, value: unknown, where: Where = 'field/attribute'): void {
  let validate = compiled.get(schema)
  if (!validate) {
    validate = ajv.compile(schema)
    compiled.set(schema, validate)
  }
  if (!validate(value)) throw invalid(sentence(validate.errors ?? [], where, names))
}

function ladder<T>(rungs: Ladder<T>, where: Where): Parser<T> {
  const sorted = Object.entries(rungs)
    .map(([since, rung]) => ({ since: version(since), rung }))
    .sort((a, b) => b.since - a.since)
  return (given, at, forgiving = false) => {
    const rung = (sorted.find(({ since }) => since <= at) ?? sorted.at(-1))?.rung
    if (!rung) throw new Error('a ladder without rungs')
    const value = forgiving ? forgiven(rung.schema, given, trimmed) : given
    check(rung.schema, value, where)
    return rung.parse(value)
  }
}

/** The parser of an operation's body. */
export const bodies = <T>(rungs: Ladder<T>): Parser<T> => ladder(rungs, 'field/attribute')

/** The parser of an operation's query; the value is an object of `name: [text, …]`. */
export const queries = <T>(rungs: Ladder<T>): Parser<T> => ladder(rungs, 'query parameters')
