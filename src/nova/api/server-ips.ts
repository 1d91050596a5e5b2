/**
 * Addresses of a server, by the network they are on.
 *
 * @see https://docs.openstack.org/api-ref/compute/#servers-ips-servers-ips
 */
import { notFound } from '../../base/errors.ts'
import { type Incoming, operation } from '../../base/http/index.ts'
import type { NovaApi } from './deps.ts'
import { type Known, noQuery } from './known-query.ts'
import { addressesOf } from './server-view.ts'
import { serverOf } from './servers.ts'

const listIps = operation({
  method: 'GET',
  path: '/servers/{server_id}/ips',
  status: 200,
  errors: [400, 403, 404],
  policy: 'os_compute_api:ips:index',
  query: noQuery,
  handle: (request: Incoming<undefined, Known>, nova: NovaApi) => ({ addresses: addressesOf(serverOf(request, nova), false) }),
})

const showIps = operation({
  method: 'GET',
  path: '/servers/{server_id}/ips/{network_label}',
  status: 200,
  errors: [400, 403, 404],
  policy: 'os_compute_api:ips:show',
  query: noQuery,
  handle: (request: Incoming<undefined, Known>, nova: NovaApi) => {
    const label = request.params.network_label ?? ''
    const addresses = addressesOf(serverOf(request, nova), false)
    if (!Object.hasOwn(addresses, label)) throw notFound('Instance is not a member of specified network')
    return { [label]: addresses[label] }
  },
})

export const serverIpOperations = [listIps, showIps]
