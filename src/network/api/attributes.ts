/**
 * Request bodies: `{"network": {...}}`, or `{"networks": [{...}, …]}` where a kind can be made in bulk. Each attribute says what it takes and when it may be
 * given; a refusal names the attribute as Neutron does.
 */
import { CloudError, messageOf } from '../../base/errors.ts'
import { check, kinds, type Parser, repr, type TSchema, Type } from '../../base/http/index.ts'
import { ipVersionOf, parseCidr } from '../addresses.ts'
import { badAttribute, badRequest } from '../errors.ts'

export type Attribute = {
  schema: TSchema
  /** May be given at creation, in an update; both unless said. */
  post?: boolean
  put?: boolean
  required?: boolean
  /** Only callers whom `<verb>_<resource>:<attribute>` allows may give it; with whose project as the target. */
  rule?: 'own' | 'network'
  /** A second look after the schema; a text is the reason of the refusal. */
  refuse?: (value: unknown) => string | null
}
export type Attributes = { readonly [name: string]: Attribute }
export type Values = Record<string, unknown>
export type Items = { readonly many: boolean; readonly items: Values[] }

/** Clients send booleans as words and numbers as digits, too. */
const booleanWords: Record<string, boolean> = { true: true, True: true, '1': true, false: false, False: false, '0': false }
export const flag = Type.Union([
  Type.Boolean(),
  Type.Literal(0),
  Type.Literal(1),
  ...Object.keys(booleanWords).map((word) => Type.Literal(word)),
])
export const flagOf = (value: unknown): boolean => (typeof value === 'boolean' ? value : booleanWords[String(value)] === true)

export const name = Type.String({ maxLength: 255 })
export const projectId = Type.String({ maxLength: 255 })
export const uuid = Type.String({ format: 'uuid' })
export const whole = (minimum: number, maximum: number) =>
  kinds(Type.Integer({ minimum, maximum }), Type.String({ pattern: '^-?[0-9]{1,9}$' }))

/** Digits or a number, within bounds. @throws {CloudError} `invalid`. */
export function wholeOf(attribute: string, value: unknown, minimum: number, maximum: number): number {
  const number = Number(value)
  if (!Number.isInteger(number) || number < minimum || number > maximum)
    throw badAttribute(attribute, `'${String(value).slice(0, 32)}' is not in the range [${minimum}, ${maximum}]`)
  return number
}

export const isIp = (value: unknown): string | null =>
  value === null || (typeof value === 'string' && ipVersionOf(value) !== null) ? null : `${repr(value)} is not a valid IP address`
export const isCidr = (value: unknown): string | null =>
  value === null || (typeof value === 'string' && parseCidr(value)) ? null : `${repr(value)} is not a valid IP subnet`
/** For each of a list: the first reason counts. */
export const each =
  (refuse: (value: unknown) => string | null, of: (item: never) => unknown = (item) => item) =>
  (value: unknown): string | null =>
    (Array.isArray(value) ? value : []).map((item) => refuse(of(item as never))).find((reason) => reason !== null) ?? null

const isObject = (value: unknown): value is Values => typeof value === 'object' && value !== null && !Array.isArray(value)

function checked(resource: string, attributes: Attributes, item: unknown, verb: 'post' | 'put'): Values {
  if (!isObject(item)) throw badRequest(`Invalid input for ${resource}. Reason: ${repr(item).slice(0, 64)} is not a dictionary.`)
  const known = Object.keys(item).filter((key) => Object.hasOwn(attributes, key))
  const unknown = Object.keys(item).filter((key) => !known.includes(key))
  if (unknown.length > 0) throw badRequest(`Unrecognized attribute(s) '${unknown.join(', ').slice(0, 128)}'`)
  const refused = known.find((key) => attributes[key]?.[verb] === false)
  if (refused !== undefined)
    throw badRequest(verb === 'put' ? `Cannot update read-only attribute ${refused}` : `Attribute '${refused}' not allowed in POST`)
  if (verb === 'post') {
    const missing = Object.entries(attributes).find(([key, { required }]) => required === true && item[key] === undefined)
    if (missing) throw badRequest(`Failed to parse request. Required attribute '${missing[0]}' not specified`)
  }
  for (const key of known) {
    const attribute = attributes[key] as Attribute
    try {
      check(attribute.schema, item[key])
    } catch (error) {
      if (!(error instanceof CloudError)) throw error
      throw badAttribute(key, messageOf(error).replace(/^.*?Value: .*?\. /s, ''))
    }
    const reason = attribute.refuse?.(item[key]) ?? null
    if (reason !== null) throw badAttribute(key, reason)
  }
  if (item.tenant_id !== undefined && item.project_id !== undefined && item.tenant_id !== item.project_id)
    throw badRequest("'project_id' and 'tenant_id' do not match")
  return Object.fromEntries(known.map((key) => [key, item[key]]))
}

/** @throws {CloudError} `invalid`. */
export const creation =
  (resource: string, collection: string, attributes: Attributes): Parser<Items> =>
  (body) => {
    if (!isObject(body)) throw badRequest('Resource body required')
    const many = body[collection]
    if (many !== undefined) {
      if (!Array.isArray(many) || many.length === 0 || many.length > 1000) throw badRequest('Resources required')
      return {
        many: true,
        items: many.map((item) =>
          checked(resource, attributes, isObject(item) && isObject(item[resource]) ? item[resource] : item, 'post'),
        ),
      }
    }
    if (body[resource] === undefined) throw badRequest(`Unable to find '${resource}' in request body`)
    return { many: false, items: [checked(resource, attributes, body[resource], 'post')] }
  }

/** @throws {CloudError} `invalid`. */
export const updating =
  (resource: string, attributes: Attributes): Parser<Values> =>
  (body) => {
    if (!isObject(body) || body[resource] === undefined) throw badRequest(`Unable to find '${resource}' in request body`)
    return checked(resource, attributes, body[resource], 'put')
  }
