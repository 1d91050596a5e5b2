/** What answers have in common: caching headers from 1.15 on, and links, which in this API are paths without an origin. */
import { timeOf } from '../../base/clock.ts'
import { atLeast, Reply, type RequestContext } from '../../base/http/index.ts'
import type { Store } from '../store.ts'

/** Failures of any operation that takes a token and names a thing. */
export const failures = [400, 403, 404, 409]

export const linkTo = (context: RequestContext, path: string): string => context.baseUrl.slice(context.origin.length) + path

/** The whole address, for `Location`. */
export const locationOf = (context: RequestContext, path: string): string => context.baseUrl + path

export type Dated = { created_at: string | null; updated_at?: string | null }

/**
 * A body that says when the things it shows last changed; now, when that isn't known or there are none.
 *
 * @see https://docs.openstack.org/placement/latest/placement-api-microversion-history.html
 */
export function dated(
  context: RequestContext,
  { clock }: Store,
  body: unknown,
  things: readonly Dated[] = [],
  headers: Record<string, string> = {},
): Reply {
  if (!atLeast(context, '1.15')) return new Reply({ body, headers })
  const newest = things
    .map(({ created_at, updated_at }) => updated_at ?? created_at ?? '')
    .sort()
    .at(-1)
  const at = newest ? timeOf(newest) : clock.now()
  return new Reply({ body, headers: { ...headers, 'last-modified': new Date(at).toUTCString(), 'cache-control': 'no-cache' } })
}
