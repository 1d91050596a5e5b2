/**
 * Floating addresses and the pools they are from, as clients of versions up to 2.35 ask Compute for them. A pool is an
 * external network.
 *
 * @see https://docs.openstack.org/api-ref/compute/#floating-ips-os-floating-ips-deprecated
 */
import { CloudError, notFound } from '../../base/errors.ts'
import { as, bodies, type Incoming, nullable, operation, principalOf, Type } from '../../base/http/index.ts'
import type { FloatingIp, NetworkInfo } from '../../network/index.ts'
import { type NovaApi, viewerOf } from './deps.ts'

const until = '2.35'

const floatingIpView = ({ id, address, pool, fixedIp, deviceId }: FloatingIp) => ({
  id,
  ip: address,
  pool,
  fixed_ip: fixedIp,
  instance_id: deviceId,
})

const pools = ({ context }: Incoming<unknown>, { networks }: NovaApi): NetworkInfo[] =>
  networks.proxies.networks(viewerOf(context)).filter(({ external }) => external)

const listPools = operation({
  method: 'GET',
  path: '/os-floating-ip-pools',
  until,
  status: 200,
  errors: [403],
  policy: 'os_compute_api:os-floating-ip-pools',
  handle: (request: Incoming, nova: NovaApi) => ({ floating_ip_pools: pools(request, nova).map(({ id, name }) => ({ name: name || id })) }),
})

const listFloatingIps = operation({
  method: 'GET',
  path: '/os-floating-ips',
  until,
  status: 200,
  errors: [403],
  policy: 'os_compute_api:os-floating-ips:list',
  handle: ({ context }: Incoming, { networks }: NovaApi) => ({
    floating_ips: networks.proxies.floatingIps(principalOf(context).projectId ?? '').map(floatingIpView),
  }),
})

/** A pool by name or id; without one, the first there is. @throws {CloudError} `not-found`. */
function poolOf(request: Incoming<string | null>, nova: NovaApi): NetworkInfo {
  const { body: wanted } = request
  const all = pools(request, nova)
  const found = wanted === null ? all[0] : (all.find(({ id }) => id === wanted) ?? all.find(({ name }) => name === wanted))
  if (!found) throw notFound('Floating IP pool not found.')
  return found
}

const poolName = nullable(Type.String({ maxLength: 255 }))

const createFloatingIp = operation({
  method: 'POST',
  path: '/os-floating-ips',
  until,
  status: 200,
  errors: [400, 403, 404],
  policy: 'os_compute_api:os-floating-ips:create',
  body: bodies<string | null>({
    '2.1': as(Type.Object({ pool: Type.Optional(poolName) }), ({ pool }) => pool || null),
  }),
  handle: (request, nova: NovaApi) => {
    const pool = poolOf(request, nova)
    try {
      return { floating_ip: floatingIpView(nova.networks.proxies.createFloatingIp(principalOf(request.context).projectId ?? '', pool.id)) }
    } catch (error) {
      if (!(error instanceof CloudError)) throw error
      if (error.kind === 'over-quota')
        throw new CloudError('over-quota', `IP allocation over quota in pool ${pool.name}.`, { cause: error })
      if (error.kind === 'conflict') throw notFound(`No more floating IPs in pool ${pool.name}.`, { cause: error })
      throw error
    }
  },
})

/** @throws {CloudError} `not-found`. */
function floatingIpOf({ params, context }: Incoming, { networks }: NovaApi): FloatingIp {
  const id = params.floating_ip_id ?? ''
  const found = networks.proxies.floatingIp(id, viewerOf(context))
  if (!found) throw notFound(`Floating IP not found for ID ${id.slice(0, 255)}`)
  return found
}

const showFloatingIp = operation({
  method: 'GET',
  path: '/os-floating-ips/{floating_ip_id}',
  until,
  status: 200,
  errors: [403, 404],
  policy: 'os_compute_api:os-floating-ips:show',
  handle: (request: Incoming, nova: NovaApi) => ({ floating_ip: floatingIpView(floatingIpOf(request, nova)) }),
})

const deleteFloatingIp = operation({
  method: 'DELETE',
  path: '/os-floating-ips/{floating_ip_id}',
  until,
  status: 202,
  errors: [403, 404],
  policy: 'os_compute_api:os-floating-ips:delete',
  handle: (request: Incoming, nova: NovaApi) => {
    nova.networks.proxies.deleteFloatingIp(floatingIpOf(request, nova).id)
    return undefined
  },
})

export const floatingIpOperations = [listPools, listFloatingIps, createFloatingIp, showFloatingIp, deleteFloatingIp]
