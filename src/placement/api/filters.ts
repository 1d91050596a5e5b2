/**
 * The filters that lists of providers and allocation candidates share: `resources=VCPU:4,DISK_GB:8`, `required=A,!B` or
 * `in:A,B`, `member_of=<uuid>`, `in:<uuid>,<uuid>`, `!<uuid>`.
 *
 * @see https://docs.openstack.org/api-ref/placement/#list-resource-providers
 */
import { CloudError, invalid } from '../../base/errors.ts'
import { repr, type Version, version } from '../../base/http/index.ts'
import { codes } from '../store.ts'

export type QueryTexts = Readonly<Record<string, string[]>>

const bad = (message: string) => invalid(message.slice(0, 1000), { code: codes.badQueryValue })
/** More of a kind than this in one filter is refused. */
const maxParts = 64

const anytraitSince = version('1.39')
const forbiddenTraitSince = version('1.22')
const repeatedMemberOfSince = version('1.24')
const notMemberOfSince = version('1.32')

export const uuidPattern = /^[0-9a-f]{8}-?([0-9a-f]{4}-?){3}[0-9a-f]{12}$/i

/** A uuid as we keep it: lower case, with hyphens. */
export function canonicalUuid(text: string): string {
  const digits = text.replaceAll('-', '').toLowerCase()
  return [digits.slice(0, 8), digits.slice(8, 12), digits.slice(12, 16), digits.slice(16, 20), digits.slice(20)].join('-')
}

/** @throws {CloudError} `invalid` for a parameter that this version doesn't have. */
export function refuseUnknown(query: QueryTexts, isKnown: (name: string) => boolean): void {
  const unknown = Object.keys(query).find((name) => !isKnown(name))
  if (unknown !== undefined) {
    throw bad(`Invalid query string parameters: Additional properties are not allowed (${repr(unknown)} was unexpected)`)
  }
}

/** The parameter's one text. @throws {CloudError} `invalid` when it comes twice. */
export function single(query: QueryTexts, name: string): string | undefined {
  const texts = query[name]
  if (texts && texts.length > 1) {
    throw new CloudError('invalid', `Query parameter '${name}' may be given only once.`, { code: codes.duplicateQueryKey })
  }
  return texts?.[0]
}

export function singleUuid(query: QueryTexts, name: string): string | undefined {
  const text = single(query, name)
  if (text !== undefined && !uuidPattern.test(text)) throw bad(`Invalid query string parameters: ${repr(text)} is not a 'uuid'`)
  return text === undefined ? undefined : canonicalUuid(text)
}

/** Parts between commas. @throws {CloudError} `invalid` for an empty part or too many. */
function parts(text: string, name: string): string[] {
  const found = text.split(',').map((part) => part.trim())
  if (found.length > maxParts || found.some((part) => part === '')) {
    throw bad(`Badly formed ${name} parameter. Expected 1 to ${maxParts} parts between commas, got ${repr(text.slice(0, 200))}`)
  }
  return found
}

export function resourcesOf(text: string, name = 'resources'): Record<string, number> {
  const found: Record<string, number> = {}
  for (const part of parts(text, name)) {
    const match = /^([A-Z0-9_]{1,255}):(\d{1,10})$/.exec(part)
    const amount = Number(match?.[2])
    if (!match || amount < 1) {
      throw bad(`Badly formed ${name} parameter. Expected a class and a positive amount such as VCPU:4, got ${repr(part.slice(0, 200))}`)
    }
    found[match[1]!] = amount
  }
  return found
}

export function traitsOf(texts: readonly string[], at: Version, name = 'required'): { required: string[][]; forbidden: string[] } {
  const required: string[][] = []
  const forbidden: string[] = []
  const traitName = (text: string): string => {
    if (!/^[A-Z0-9_]{1,255}$/.test(text))
      throw bad(`Invalid query string parameters: ${repr(text.slice(0, 200))} is no trait's name in ${name}`)
    return text
  }
  if (texts.length > 1 && at < anytraitSince) {
    throw new CloudError('invalid', `Query parameter '${name}' may be given only once.`, { code: codes.duplicateQueryKey })
  }
  if (texts.length > maxParts) throw bad(`Query parameter '${name}' is given too often.`)
  for (const text of texts) {
    if (at >= anytraitSince && text.startsWith('in:')) required.push(parts(text.slice(3), name).map(traitName))
    else
      for (const part of parts(text, name)) {
        if (part.startsWith('!') && at >= forbiddenTraitSince) forbidden.push(traitName(part.slice(1)))
        else required.push([traitName(part)])
      }
  }
  const both = required.flatMap((set) => (set.length === 1 ? set : [])).filter((trait) => forbidden.includes(trait))
  if (both.length > 0)
    throw bad(`Conflicting required and forbidden traits found in the following traits keys: ${name}: (${both.join(', ')})`)
  return { required, forbidden }
}

export function membershipOf(texts: readonly string[], at: Version, name = 'member_of'): { memberOf: string[][]; notMemberOf: string[] } {
  const memberOf: string[][] = []
  const notMemberOf: string[] = []
  if (texts.length > 1 && at < repeatedMemberOfSince) {
    throw new CloudError('invalid', `Query parameter '${name}' may be given only once.`, { code: codes.duplicateQueryKey })
  }
  if (texts.length > maxParts) throw bad(`Query parameter '${name}' is given too often.`)
  for (const text of texts) {
    const isNot = text.startsWith('!') && at >= notMemberOfSince
    const rest = isNot ? text.slice(1) : text
    const uuids = rest.startsWith('in:') ? parts(rest.slice(3), name) : [rest]
    for (const uuid of uuids) {
      if (!uuidPattern.test(uuid)) {
        throw bad(`Expected '${name}' parameter to contain valid UUID(s), several of them after 'in:'. Got: ${repr(text.slice(0, 200))}`)
      }
    }
    if (isNot) notMemberOf.push(...uuids.map(canonicalUuid))
    else memberOf.push(uuids.map(canonicalUuid))
  }
  return { memberOf, notMemberOf }
}
