/** Collections and links, as every list and resource of this API carries them. */
import type { RequestContext } from '../../base/http/index.ts'

export type Page = { context: RequestContext; path: string; search: URLSearchParams }
export type Show<T> = (thing: T, context: RequestContext) => Record<string, unknown>

export const selfLink = (context: RequestContext, path: string): { self: string } => ({ self: `${context.baseUrl}${path}` })

/** `{ projects: […], links: { next, self, previous } }`. */
export function collection<T>(name: string, things: readonly T[], show: Show<T>, { context, path, search }: Page): Record<string, unknown> {
  const query = search.toString()
  return {
    [name]: things.map((thing) => show(thing, context)),
    links: { next: null, self: `${context.baseUrl}${path}${query === '' ? '' : `?${query}`}`, previous: null },
  }
}
