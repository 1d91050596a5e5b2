/** `limit` and `marker`, as Compute reads them. */
import { invalid } from '../../base/errors.ts'
import { wrongQuery } from './wrong-query.ts'

/** Of a name that is given several times the last one counts. */
export const lastOf = (search: URLSearchParams, name: string): string | null => search.getAll(name).at(-1) ?? null

/** @throws {CloudError} `invalid` unless it is a whole number of at least 0. */
export function limitOf(search: URLSearchParams, maxLimit: number): number {
  const text = lastOf(search, 'limit')
  if (text === null) return maxLimit
  if (!/^\d+$/.test(text)) throw wrongQuery('limit', text, text === '' ? 'is too short' : "does not match '^[0-9]*$'")
  return Math.min(Number(text), maxLimit)
}

/** Of servers, flavors and hypervisors. */
export const markerNotFound = (marker: string) => invalid(`marker [${marker.slice(0, 255)}] not found`)
/** Of all else. */
export const unknownMarker = (marker: string) => invalid(`Marker ${marker.slice(0, 255)} could not be found.`)

/** One page of a list that is wholly at hand: what comes after the marker. @throws {CloudError} `invalid` for an unknown marker. */
export function pageOf<T>(
  items: readonly T[],
  { marker, limit, idOf }: { marker: string | null; limit: number; idOf: (item: T) => string },
): T[] {
  const at = marker === null ? -1 : items.findIndex((item) => idOf(item) === marker)
  if (marker !== null && at < 0) throw markerNotFound(marker)
  return items.slice(at + 1, at + 1 + limit)
}
