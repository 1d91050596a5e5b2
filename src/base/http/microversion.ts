/**
 * Microversions and their negotiation. Inside, a version is one number, `major * 1000 + minor` (2.19 is 2019), so that
 * windows are compared as numbers.
 *
 * @see https://specs.openstack.org/openstack/api-sig/guidelines/microversion_specification.html
 */
import { CloudError, invalid } from '../errors.ts'
import { remembered } from '../remembered.ts'

export type Version = number

/** @throws {RangeError} when the text is no version; for texts of our own. */
export const version = remembered((text): Version => {
  const match = /^(\d{1,3})\.(0|[1-9]\d{0,2})$/.exec(text)
  if (!match) throw new RangeError(`not a version: ${text}`)
  return Number(match[1]) * 1000 + Number(match[2])
})

export const versionText = (value: Version): string => `${Math.floor(value / 1000)}.${value % 1000}`

export type Microversions = {
  /** The service's name in `OpenStack-API-Version: compute 2.19`. */
  service: string
  /** The older header that only some services have: `X-OpenStack-Nova-API-Version`. */
  legacyHeader?: string
  min: string
  max: string
}

export type Negotiated = { version: Version; headers: Record<string, string> }

/** Compiled once a service. */
export function negotiator({ service, legacyHeader, min, max }: Microversions) {
  const lowest = version(min)
  const highest = version(max)
  const vary = ['OpenStack-API-Version', ...(legacyHeader ? [legacyHeader] : [])].join(', ')
  const answers = new Map<Version, Negotiated>()
  const headersOf = (text: string): Record<string, string> => ({
    'OpenStack-API-Version': `${service} ${text}`,
    ...(legacyHeader ? { [legacyHeader]: text } : {}),
    Vary: vary,
  })
  const answer = (value: Version): Negotiated => {
    let found = answers.get(value)
    if (!found) {
      found = { version: value, headers: headersOf(versionText(value)) }
      answers.set(value, found)
    }
    return found
  }
  /** What the new header says for this service, if anything: the last that has a version. */
  const named = (header: string): string | undefined => {
    let found: string | undefined
    for (const part of header.split(',')) {
      const [name, text] = /^(\S+)\s+(.+)$/.exec(part.trim())?.slice(1) ?? []
      if (name?.toLowerCase() === service) found = text
    }
    return found
  }
  const last = (header: string | undefined): string | undefined => header?.split(',').at(-1)?.trim()

  /**
   * @throws {CloudError} `invalid` for what is no version, `not-acceptable` (with the headers as second argument of
   * `refused`) for one outside the range.
   */
  return (header: (name: string) => string | undefined, refused: (headers: Record<string, string>) => void): Negotiated => {
    const modern = header('openstack-api-version')
    const wanted =
      (modern === undefined ? undefined : named(modern)) ?? (legacyHeader ? last(header(legacyHeader.toLowerCase())) : undefined)
    if (wanted === undefined) return answer(lowest)
    if (wanted === 'latest') return answer(highest)
    if (!/^\d{1,3}\.(0|[1-9]\d{0,2})$/.test(wanted)) {
      throw invalid(`API Version String ${wanted} is of invalid format. Must be of format MajorNum.MinorNum.`)
    }
    const value = version(wanted)
    if (value < lowest || value > highest) {
      refused(headersOf(wanted))
      throw new CloudError('not-acceptable', `Version ${wanted} is not supported by the API. Minimum is ${min} and maximum is ${max}.`)
    }
    return answer(value)
  }
}
