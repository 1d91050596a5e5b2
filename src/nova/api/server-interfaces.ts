/**
 * Network interfaces of a server: its ports, as the network service has them now.
 *
 * @see https://docs.openstack.org/api-ref/compute/#port-interfaces-servers-os-interface
 */
import { CloudError, conflict, invalid, notFound } from '../../base/errors.ts'
import { as, bodies, closed, field, type Incoming, operation, type TProperties, Type, view } from '../../base/http/index.ts'
import type { Port } from '../../network/index.ts'
import {
  attachInterface,
  attachInterfaceRule,
  checkRule,
  detachInterface,
  detachInterfaceRule,
  type RequestedNic,
} from '../conductor/index.ts'
import type { Instance } from '../model/index.ts'
import { callerOf, type NovaApi, viewerOf } from './deps.ts'
import { type Known, noQuery } from './known-query.ts'
import { tagSchema } from './schemas.ts'
import { serverOf } from './servers.ts'

type ShownPort = { port: Port; tag: string | null }

/** A port as an attachment; also what attaching one answers. */
const interfaceView = view<ShownPort>({
  port_id: ({ port }) => port.id,
  port_state: ({ port }) => port.status,
  net_id: ({ port }) => port.networkId,
  mac_addr: ({ port }) => port.mac,
  fixed_ips: ({ port }) => port.fixedIps.map(({ subnetId, ip }) => ({ subnet_id: subnetId, ip_address: ip })),
  tag: field(({ tag }) => tag, { since: '2.70' }),
})

const tagOf = ({ ports }: Instance, portId: string): string | null => ports.find((port) => port.portId === portId)?.tag ?? null

const listInterfaces = operation({
  method: 'GET',
  path: '/servers/{server_id}/os-interface',
  status: 200,
  errors: [400, 403, 404, 501],
  policy: 'os_compute_api:os-attach-interfaces:list',
  query: noQuery,
  handle: (request: Incoming<undefined, Known>, nova: NovaApi) => {
    const instance = serverOf(request, nova)
    const ports = nova.networks.portsOf(instance.uuid)
    return { interfaceAttachments: ports.map((port) => interfaceView({ port, tag: tagOf(instance, port.id) }, request.context)) }
  },
})

const showInterface = operation({
  method: 'GET',
  path: '/servers/{server_id}/os-interface/{port_id}',
  status: 200,
  errors: [400, 403, 404],
  policy: 'os_compute_api:os-attach-interfaces:show',
  query: noQuery,
  handle: (request: Incoming<undefined, Known>, nova: NovaApi) => {
    const instance = serverOf(request, nova)
    const portId = request.params.port_id ?? ''
    const port = nova.networks.portsOf(instance.uuid).find(({ id }) => id === portId)
    if (!port) throw notFound(`Instance ${instance.uuid} does not have a port with id ${portId.slice(0, 255)}`)
    return { interfaceAttachment: interfaceView({ port, tag: tagOf(instance, port.id) }, request.context) }
  },
})

type Attachment = {
  net_id?: string
  port_id?: string
  fixed_ips?: { ip_address: string }[]
  tag?: string
}
const attachment = {
  net_id: Type.Optional(Type.String({ format: 'uuid' })),
  port_id: Type.Optional(Type.String({ format: 'uuid' })),
  fixed_ips: Type.Optional(Type.Array(Type.Object({ ip_address: Type.String({ format: 'ip' }) }, closed), { minItems: 1, maxItems: 1 })),
}
const rung = (properties: TProperties) =>
  as(Type.Object({ interfaceAttachment: Type.Optional(Type.Object(properties, closed)) }, closed), (body): Attachment => {
    const { interfaceAttachment = {} } = body as { interfaceAttachment?: Attachment }
    return interfaceAttachment
  })

/** @throws {CloudError} `invalid` for wishes that do not go together. */
function checkWishes({ net_id, port_id, fixed_ips }: Attachment): void {
  if (net_id !== undefined && port_id !== undefined) throw invalid('Must not input both network_id and port_id')
  if (fixed_ips !== undefined && net_id === undefined) throw invalid('Must input network_id when request IP address')
}

/** The port or network that is asked for; without either, the one network that the project can use. @throws {CloudError} */
function nicOf(wanted: Attachment, viewer: ReturnType<typeof viewerOf>, { networks }: NovaApi): RequestedNic {
  const { net_id, port_id, fixed_ips, tag = null } = wanted
  const fixedIp = fixed_ips?.[0]?.ip_address ?? null
  if (port_id !== undefined) {
    const port = networks.port(port_id, viewer)
    if (!port) throw notFound(`Port id ${port_id} could not be found.`)
    if (port.deviceId !== '') throw conflict(`Port ${port_id} is still in use.`)
    if (port.fixedIps.length === 0) throw invalid(`Port ${port_id} requires a FixedIP in order to be used.`)
    return { networkId: null, portId: port_id, fixedIp: null, tag }
  }
  const ids = net_id === undefined ? undefined : [net_id]
  const usable = networks.usableNetworks(viewer.projectId ?? '', viewer.isAdmin, ids)
  const [network, ...others] = usable
  if (!network)
    throw net_id === undefined ? invalid('No network is available to this project.') : notFound(`Network ${net_id} could not be found.`)
  if (others.length > 0) throw invalid('More than one possible network found. Specify network ID(s) to select which one(s) to connect to.')
  if (network.subnetIds.length === 0) throw invalid(`Network ${network.id} requires a subnet in order to boot instances on.`)
  return { networkId: network.id, portId: null, fixedIp, tag }
}

/** What the guest or the network said, as a status of this operation. */
function attachFailure(error: Error | undefined, uuid: string): CloudError {
  if (error instanceof CloudError && ['invalid', 'not-found', 'conflict', 'over-quota', 'forbidden'].includes(error.kind)) {
    if (error.kind !== 'over-quota') return error
    return new CloudError('forbidden', error.message, { cause: error })
  }
  return conflict(`Failed to attach network adapter device to ${uuid}`, { cause: error })
}

const createInterface = operation({
  method: 'POST',
  path: '/servers/{server_id}/os-interface',
  status: 200,
  errors: [400, 403, 404, 409, 501],
  policy: 'os_compute_api:os-attach-interfaces:create',
  body: bodies<Attachment>({ '2.1': rung(attachment), '2.49': rung({ ...attachment, tag: Type.Optional(tagSchema) }) }),
  handle: async (request, nova: NovaApi) => {
    const { context, body } = request
    const instance = serverOf(request, nova)
    const { uuid } = instance
    checkWishes(body)
    checkRule(instance, attachInterfaceRule, callerOf(context))
    const nic = nicOf(body, viewerOf(context), nova)
    const before = new Set(nova.networks.portsOf(uuid).map(({ id }) => id))
    const input = { uuid, host: instance.host ?? '', nic, key: `${uuid}:${context.requestId}` }
    const { outcome } = await nova.conductor.beginCapable(instance, attachInterfaceRule, callerOf(context), 'interfaces', {
      saga: attachInterface,
      input,
    })
    const { state, error } = await outcome
    if (state !== 'done') throw attachFailure(error, uuid)
    const port = nova.networks.portsOf(uuid).find((one) => (nic.portId === null ? one.key === input.key : !before.has(one.id)))
    if (!port) throw conflict(`Failed to attach network adapter device to ${uuid}`)
    return { interfaceAttachment: interfaceView({ port, tag: nic.tag }, context) }
  },
})

const deleteInterface = operation({
  method: 'DELETE',
  path: '/servers/{server_id}/os-interface/{port_id}',
  status: 202,
  errors: [400, 403, 404, 409, 501],
  policy: 'os_compute_api:os-attach-interfaces:delete',
  handle: async (request, nova: NovaApi) => {
    const instance = serverOf(request, nova)
    const { uuid } = instance
    const portId = request.params.port_id ?? ''
    const port = nova.networks.portsOf(uuid).find(({ id }) => id === portId)
    if (!port) throw notFound(`Port id ${portId.slice(0, 255)} could not be found.`)
    const caller = callerOf(request.context)
    const input = { uuid, host: instance.host ?? '', portId, mac: port.mac }
    await nova.conductor.beginCapable(instance, detachInterfaceRule, caller, 'interfaces', { saga: detachInterface, input })
    return undefined
  },
})

export const serverInterfaceOperations = [listInterfaces, showInterface, createInterface, deleteInterface]
