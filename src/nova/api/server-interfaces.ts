/**
 * Network interfaces of a server: its ports, as the network service has them now.
 *
 * @see https://docs.openstack.org/api-ref/compute/#port-interfaces-servers-os-interface
 */
import { notFound } from '../../base/errors.ts'
import { field, type Incoming, operation, view } from '../../base/http/index.ts'
import type { Port } from '../../network/index.ts'
import type { Instance } from '../model/index.ts'
import type { NovaApi } from './deps.ts'
import { type Known, noQuery } from './known-query.ts'
import { serverOf } from './servers.ts'

type ShownPort = { port: Port; tag: string | null }

/** A port as an attachment; also what attaching one answers. */
export const interfaceView = view<ShownPort>({
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

export const serverInterfaceOperations = [listInterfaces, showInterface]
