/** `limit` and `marker`, as Compute reads them. */
import { invalid } from '../../base/errors.ts'

/** Of a name that is given several times the last one counts. */
export const lastOf = (search: URLSearchParams, name: string): string | null => search.getAll(name).at(-1) ?? null

/** @throws {CloudError} `invalid` unless it is a whole number of at least 0. */
export function limitOf(search: URLSearchParams, maxLimit: number): number {
  const text = lastOf(search, 'limit')
  if (text === null) return maxLimit
  if (!/^\d+$/.test(text))
    throw invalid(`Invalid input for query parameters limit. Value: ${text.slice(0, 64)}. '${text.slice(0, 64)}' does not match '^[0-9]*$'`)
  return Math.min(Number(text), maxLimit)
}

export const markerNotFound = (marker: string) => invalid(`marker [${marker.slice(0, 255)}] not found`)

/** One page of a list that is wholly at hand: what comes after the marker. @throws {CloudError} `invalid` for an unknown marker. */
export function pageOf<T>(
  items: readonly T[],
  { marker, limit, idOf }: { marker: string | null; limit: number; idOf: (item: T) => string },
): T[] {
  const at = marker === null ? -1 : items.findIndex((item) => idOf(item) === marker)
  if (marker !== null && at < 0) throw markerNotFound(marker)
  return items.slice(at + 1, at + 1 + limit)
}
