/**
 * Links of resources and pages, in the form of the URL that the client used: `self` with the version's prefix, `bookmark`
 * without it, the project's id in both only if the request had it.
 */
import type { RequestContext } from '../../base/http/index.ts'
import { remembered } from '../../base/remembered.ts'
import type { Known } from './known-query.ts'

export type Link = { rel: 'self' | 'bookmark' | 'next'; href: string }

const unversioned = remembered((baseUrl) => baseUrl.replace(/\/v2(\.1)?$/, ''))

export const selfHref = ({ baseUrl, projectPrefix }: RequestContext, path: string): string => baseUrl + projectPrefix + path

export const bookmark = ({ baseUrl, projectPrefix }: RequestContext, path: string): Link => ({
  rel: 'bookmark',
  href: unversioned(baseUrl) + projectPrefix + path,
})

export const links = (context: RequestContext, path: string): Link[] => [
  { rel: 'self', href: selfHref(context, path) },
  bookmark(context, path),
]

/** The link to the next page: those of the request's own parameters that are known here, sorted by name, with the new marker. */
export function nextLink(context: RequestContext, path: string, query: Known, marker: string): Link {
  const parameters = new URLSearchParams({ ...query, marker })
  parameters.sort()
  return { rel: 'next', href: `${selfHref(context, path)}?${parameters}` }
}
