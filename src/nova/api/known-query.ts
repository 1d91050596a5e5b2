/**
 * Query parameters by microversion: which names a list knows, what their values look like, and from when a name that it
 * does not know is refused. Of a name that is given several times the last one counts, as with Nova.
 */
import { as, type Parser, queries, type TSchema, Type } from '../../base/http/index.ts'
import { limitOf } from './paging.ts'

export type Known = Readonly<Record<string, string>>
type Names = Readonly<Record<string, TSchema>>

export const anyText = Type.String()
export const wholeNumber = Type.String({ pattern: '^[0-9]*$' })
export const shortText = Type.String({ maxLength: 255 })
/** `limit` and `marker`. */
export const pageNames: Names = { limit: wholeNumber, marker: anyText }

/**
 * A parser that keeps what is known. Each rung names the parameters known from that version on, besides the earlier ones;
 * from `strictSince` unknown names are refused.
 */
export function knownQuery(rungs: Readonly<Record<string, Names>>, strictSince: string): Parser<Known> {
  const number = (since: string) => Number(since.slice(2))
  const steps = [...new Set([...Object.keys(rungs), strictSince])].sort((a, b) => number(a) - number(b))
  let names: Names = {}
  const ladder = steps.map((since) => {
    names = { ...names, ...rungs[since] }
    const known = Object.keys(names)
    const properties = Object.fromEntries(Object.entries(names).map(([name, schema]) => [name, Type.Optional(Type.Array(schema))]))
    const schema = Type.Object(properties, { additionalProperties: number(since) < number(strictSince) })
    const parse = (given: Record<string, string[]>): Known =>
      Object.fromEntries(known.flatMap((name) => (given[name] === undefined ? [] : [[name, given[name].at(-1) ?? '']])))
    return [since, as(schema, parse as (value: object) => Known)] as const
  })
  return queries(Object.fromEntries(ladder))
}

/** No parameters at all; others are refused from 2.102. */
export const noQuery = knownQuery({ '2.1': {} }, '2.102')

/** How many a page has; 0 asks for as many as there may be. @throws {CloudError} `invalid`. */
export const pageSize = (query: Known, maxLimit: number): number =>
  query.limit === undefined ? maxLimit : limitOf(new URLSearchParams({ limit: query.limit }), maxLimit) || maxLimit
