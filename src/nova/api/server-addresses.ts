/**
 * Addresses that a server gets and loses, by versions up to 2.43: further ones of a network it is on, and floating ones that
 * lead to it. Each is one change of the network's records; the host follows these.
 *
 * @see https://docs.openstack.org/api-ref/compute/#add-associate-fixed-ip-addfixedip-action-deprecated
 */
import ipaddr from 'ipaddr.js'
import { CloudError, conflict, invalid, notFound } from '../../base/errors.ts'
import { as, bodies, closed, type Incoming, kinds, operation, type TProperties, Type } from '../../base/http/index.ts'
import type { FloatingIp } from '../../network/index.ts'
import { checkLock } from '../conductor/index.ts'
import type { Instance } from '../model/index.ts'
import { callerOf, type NovaApi, viewerOf } from './deps.ts'
import { serverAction } from './server-actions.ts'
import { serverOf } from './servers.ts'

const address = Type.String({ format: 'ip' })
const proxied = { ...serverAction, until: '2.43' } as const

const actionBody = <T>(action: string, properties: TProperties) =>
  bodies<T>({
    '2.1': as(Type.Object({ [action]: Type.Object(properties, closed) }, closed), (body) => (body as Record<string, T>)[action]!),
  })

/** The address that a floating one is to lead to: the one named, or the first of IPv4. @throws {CloudError} `invalid`. */
function destinationOf({ uuid }: Instance, wanted: string | undefined, { networks }: NovaApi): { portId: string; fixedIp: string } {
  const ports = networks.portsOf(uuid)
  if (ports.length === 0) throw invalid('No nw_info cache associated with instance')
  const all = ports.flatMap(({ id, fixedIps }) => fixedIps.map(({ ip }) => ({ portId: id, fixedIp: ip })))
  if (all.length === 0) throw invalid('No fixed IPs associated to instance')
  if (wanted !== undefined) {
    const named = all.find(({ fixedIp }) => fixedIp === ipaddr.parse(wanted).toString())
    if (!named) throw invalid('Specified fixed address not assigned to instance')
    return named
  }
  const first = all.find(({ fixedIp }) => !fixedIp.includes(':'))
  if (!first) throw invalid(`Instance ${uuid} has no fixed IPv4 address that a floating IP could lead to.`)
  return first
}

/** Both ends of a floating address show what it leads to. */
function refresh({ conductor }: NovaApi, ...servers: (string | null)[]): void {
  for (const uuid of new Set(servers)) if (uuid !== null) conductor.watch.refreshPorts(uuid)
}

/** @throws {CloudError} `not-found`. */
function floatingIpsAt({ context }: Incoming<{ address: string }>, wanted: string, { networks }: NovaApi): [FloatingIp, ...FloatingIp[]] {
  const [first, ...more] = networks.proxies.floatingIpsAt(wanted, viewerOf(context))
  if (!first) throw notFound('floating IP not found')
  return [first, ...more]
}

const addFloatingIp = operation({
  ...proxied,
  action: 'addFloatingIp',
  errors: [400, 403, 404],
  policy: 'os_compute_api:os-floating-ips:add',
  body: actionBody<{ address: string; fixed_address?: string }>('addFloatingIp', { address, fixed_address: Type.Optional(address) }),
  handle: (request, nova: NovaApi) => {
    const instance = serverOf(request, nova)
    const { address: wanted, fixed_address: fixed } = request.body
    const destination = destinationOf(instance, fixed, nova)
    const [floating] = floatingIpsAt(request, wanted, nova)
    try {
      nova.networks.proxies.redirectFloatingIp(floating.id, destination)
    } catch (error) {
      if (!(error instanceof CloudError)) throw error
      throw invalid(
        `Unable to associate floating IP ${wanted} to fixed IP ${destination.fixedIp} for instance ${instance.uuid}. Error: ${error.message}`,
        { cause: error },
      )
    }
    refresh(nova, instance.uuid, floating.deviceId)
    return undefined
  },
})

const removeFloatingIp = operation({
  ...proxied,
  action: 'removeFloatingIp',
  errors: [400, 403, 404, 409],
  policy: 'os_compute_api:os-floating-ips:remove',
  body: actionBody<{ address: string }>('removeFloatingIp', { address }),
  handle: (request, nova: NovaApi) => {
    const { uuid } = serverOf(request, nova)
    const { address: wanted } = request.body
    const own = floatingIpsAt(request, wanted, nova).find(({ deviceId }) => deviceId === uuid)
    if (!own) throw conflict(`Floating IP ${wanted} is not associated with instance ${uuid}.`)
    nova.networks.proxies.redirectFloatingIp(own.id, null)
    refresh(nova, uuid)
    return undefined
  },
})

const addFixedIp = operation({
  ...proxied,
  action: 'addFixedIp',
  errors: [400, 403, 404, 409],
  policy: 'os_compute_api:os-multinic:add',
  body: actionBody<{ networkId: string | number }>('addFixedIp', {
    networkId: kinds(Type.String({ minLength: 1, maxLength: 255 }), Type.Number()),
  }),
  handle: (request, nova: NovaApi) => {
    const instance = serverOf(request, nova)
    checkLock(instance, callerOf(request.context))
    const networkId = String(request.body.networkId)
    try {
      nova.networks.proxies.addFixedIp(instance.uuid, networkId)
    } catch (error) {
      if (!(error instanceof CloudError)) throw error
      if (error.kind === 'not-found')
        throw notFound(`Network ${networkId} could not be found for instance ${instance.uuid}.`, { cause: error })
      throw invalid(`No more IP addresses for instance ${instance.uuid} on network ${networkId}: ${error.message}`, { cause: error })
    }
    refresh(nova, instance.uuid)
    return undefined
  },
})

const removeFixedIp = operation({
  ...proxied,
  action: 'removeFixedIp',
  errors: [400, 403, 404, 409],
  policy: 'os_compute_api:os-multinic:remove',
  body: actionBody<{ address: string }>('removeFixedIp', { address }),
  handle: (request, nova: NovaApi) => {
    const instance = serverOf(request, nova)
    checkLock(instance, callerOf(request.context))
    const { address: given } = request.body
    if (!nova.networks.proxies.removeFixedIp(instance.uuid, given))
      throw invalid(`Fixed IP ${given} is not associated with instance ${instance.uuid}.`)
    refresh(nova, instance.uuid)
    return undefined
  },
})

export const serverAddressOperations = [addFloatingIp, removeFloatingIp, addFixedIp, removeFixedIp]
