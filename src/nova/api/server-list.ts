/**
 * Lists of servers: filters, order and page become one query over indexed columns; a page costs the same whether the
 * cloud has a thousand servers or a hundred thousand.
 *
 * @see https://docs.openstack.org/api-ref/compute/#list-servers
 */
import { type Incoming, principalOf } from '../../base/http/index.ts'
import { apiConfig, type Instance, type InstanceSummary } from '../model/index.ts'
import type { NovaApi } from './deps.ts'
import { lastOf, limitOf } from './paging.ts'
import { filtersOf, type Where } from './server-filters.ts'
import { after, orderOf } from './server-order.ts'

export type ServerPage<T = Instance> = { servers: T[]; isFull: boolean; limit: number }

/** Reads the servers of a condition on rows `i`, an order and a limit. */
type Reader<T> = (page: string, where: Where) => T[]

/** @throws {CloudError} `invalid` for what is no filter, order or page; `forbidden` for what only administrators may ask. */
export function listServers(request: Incoming, nova: NovaApi): ServerPage {
  const { instances } = nova.model
  return pageOf(request, nova, (page, { parameters, questions }) => instances.list(page, parameters, questions))
}

/** The same for a list without details, which reads no more of a server than it shows. @throws as {@link listServers}. */
export function listSummaries(request: Incoming, nova: NovaApi): ServerPage<InstanceSummary> {
  const { instances } = nova.model
  return pageOf(request, nova, (page, { parameters, questions }) => instances.summaries(page, parameters, questions))
}

function pageOf<T>(request: Incoming, nova: NovaApi, read: Reader<T>): ServerPage<T> {
  const { search } = request
  const { isAdmin } = principalOf(request.context)
  const limit = limitOf(search, nova.config.get(apiConfig).maxLimit)
  const where = filtersOf(request, isAdmin)
  const order = orderOf(request, isAdmin)
  const marker = lastOf(search, 'marker')
  if (marker) after(request, nova, where, order, marker)
  if (limit === 0) return { servers: [], isFull: false, limit }

  const orderBy = order.map(({ column, direction }) => `${column} ${direction}`).join(', ')
  const page = `SELECT i.id FROM instances i WHERE ${where.parts.join(' AND ')} ORDER BY ${orderBy} LIMIT ${limit}`
  // What is sorted are ids alone: the rest of a row is read for those of the page.
  const servers = read(`WHERE i.id IN (${page}) ORDER BY ${orderBy}`, where)
  return { servers, isFull: servers.length === limit, limit }
}
