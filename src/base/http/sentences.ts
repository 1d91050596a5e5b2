/**
 * The sentence for a value that a schema refuses, worded as Python's jsonschema and Nova's validator word it, since
 * clients and tests of clients read it.
 *
 * @see https://python-jsonschema.readthedocs.io/en/stable/errors/
 */
import type { ErrorObject } from 'ajv'

export type Where = 'field/attribute' | 'query parameters'

const escapes: Record<string, string> = { '\\': '\\\\', '\n': '\\n', '\r': '\\r', '\t': '\\t' }

function quoted(text: string): string {
  const quote = text.includes("'") && !text.includes('"') ? '"' : "'"
  const inside = text.replace(/[\\\u0000-\u001f\u007f]|'/g, (sign) => {
    if (sign === "'") return quote === "'" ? "\\'" : sign
    return escapes[sign] ?? `\\x${sign.charCodeAt(0).toString(16).padStart(2, '0')}`
  })
  return quote + inside + quote
}

/** Python's `repr`, near enough for messages. */
export function repr(value: unknown): string {
  if (value === null || value === undefined) return 'None'
  if (value === true) return 'True'
  if (value === false) return 'False'
  if (typeof value === 'string') return quoted(value)
  if (Array.isArray(value)) return `[${value.map(repr).join(', ')}]`
  if (typeof value === 'object')
    return `{${Object.entries(value)
      .map(([key, item]) => `${repr(key)}: ${repr(item)}`)
      .join(', ')}}`
  return String(value)
}

/** Far beyond what a client could want to read of its own words; and no more than that comes back from a body of megabytes. */
const maxShown = 8192
const cut = (text: string): string => (text.length > maxShown ? `${text.slice(0, maxShown)}...` : text)
const shown = (value: unknown): string => cut(repr(value))
/** Python's `str`: a text stands without its quotes. */
const plain = (value: unknown): string => (typeof value === 'string' ? cut(value) : shown(value))

const maxNamed = 10
const names = (all: string[]): string =>
  `${all
    .slice(0, maxNamed)
    .map((name) => cut(repr(name)))
    .join(', ')}${all.length > maxNamed ? ', ...' : ''}`

function unexpected({ data, parentSchema, params }: ErrorObject): string {
  const { properties = {}, patternProperties } = (parentSchema ?? {}) as { properties?: object; patternProperties?: object }
  const patterns = Object.keys(patternProperties ?? {})
  const isKnown = (name: string) => Object.hasOwn(properties, name) || patterns.some((pattern) => new RegExp(pattern, 'u').test(name))
  const extras = Object.keys((data ?? {}) as object)
    .filter((name) => !isKnown(name))
    .sort()
  if (extras.length === 0) extras.push(String(params.additionalProperty))
  if (patterns.length > 0)
    return `${names(extras)} ${extras.length === 1 ? 'does' : 'do'} not match any of the regexes: ${names(patterns.sort())}`
  return `Additional properties are not allowed (${names(extras)} ${extras.length === 1 ? 'was' : 'were'} unexpected)`
}

function reason(error: ErrorObject): string {
  const { keyword, params, data, schema } = error
  const value = shown(data)
  switch (keyword) {
    case 'additionalProperties':
      return unexpected(error)
    case 'required':
      return `${repr(params.missingProperty)} is a required property`
    case 'dependencies':
    case 'dependentRequired':
      return `${repr(params.missingProperty)} is a dependency of ${repr(params.property)}`
    case 'type':
      return `${value} is not of type ${[params.type].flat().map(repr).join(', ')}`
    case 'enum':
      return `${value} is not one of ${shown(params.allowedValues)}`
    case 'const':
      return `${shown(params.allowedValue)} was expected`
    case 'minLength':
    case 'minItems':
      return `${value} is too short`
    case 'maxLength':
    case 'maxItems':
      return `${value} is too long`
    case 'minimum':
      return `${value} is less than the minimum of ${params.limit}`
    case 'maximum':
      return `${value} is greater than the maximum of ${params.limit}`
    case 'exclusiveMinimum':
      return `${value} is less than or equal to the minimum of ${params.limit}`
    case 'exclusiveMaximum':
      return `${value} is greater than or equal to the maximum of ${params.limit}`
    case 'multipleOf':
      return `${value} is not a multiple of ${params.multipleOf}`
    case 'pattern':
      return `${value} does not match ${repr(params.pattern)}`
    case 'format':
      return `${value} is not a ${repr(params.format)}`
    case 'uniqueItems':
      return `${value} has non-unique elements`
    case 'contains':
      return `${value} does not contain items matching the given schema`
    case 'additionalItems':
      return 'Additional items are not allowed'
    case 'oneOf':
      if (Array.isArray(params.passingSchemas)) {
        const passed = params.passingSchemas.map((i: number) => repr((schema as unknown[])[i]))
        return `${value} is valid under each of ${cut(passed.join(', '))}`
      }
      return `${value} is not valid under any of the given schemas`
    case 'anyOf':
      return `${value} is not valid under any of the given schemas`
    case 'not':
      return `${value} should not be valid under ${shown(schema)}`
    case 'minProperties':
      return `${value} does not have enough properties`
    case 'maxProperties':
      return `${value} has too many properties`
    case 'false schema':
      return `False schema does not allow ${value}`
    default:
      return `${value} ${error.message ?? 'is not valid'}`
  }
}

/** The sentence for the value at a place, and why it is refused. */
export const misfit = (where: Where, place: string, value: unknown, why: string): string =>
  `Invalid input for ${where} ${cut(place)}. Value: ${plain(value)}. ${why}`

const unescaped = (part: string): string => part.replaceAll('~1', '/').replaceAll('~0', '~')

/**
 * Ajv reports the branches of `anyOf` first and the union last: the outermost union speaks for all. The place is the
 * innermost one of a body, an index included, and the parameter's name of a query; what is wrong with the whole has none.
 *
 * @param names what a name must be, by the format that it has: OpenStack says so of any of them, without the place.
 */
export function sentence(errors: ErrorObject[], where: Where, names: ReadonlyMap<string, string>): string {
  const error = errors.findLast(({ keyword }) => keyword === 'anyOf' || keyword === 'oneOf') ?? errors[0]
  if (!error) return 'The value is not valid.'
  const mustBe = error.keyword === 'format' ? names.get(error.params.format) : undefined
  if (mustBe !== undefined) return `An invalid 'name' value was provided. The name must be: ${mustBe}`
  const path = error.instancePath.split('/').slice(1).map(unescaped)
  const place = where === 'query parameters' ? path[0] : path.at(-1)
  if (place === undefined) return reason(error)
  return misfit(where, place, error.data, reason(error))
}
