/**
 * Machines of the bare metal service, which this cloud has none of: what would ask it says so, what never could is refused.
 *
 * @see https://docs.openstack.org/api-ref/compute/#bare-metal-nodes-os-baremetal-nodes-deprecated
 */
import { invalid, notImplemented } from '../../base/errors.ts'
import { type Incoming, type Method, operation } from '../../base/http/index.ts'
import type { NovaApi } from './deps.ts'

const until = '2.35'

const asking = (path: string, policy: string) =>
  operation({
    method: 'GET',
    path,
    until,
    status: 200,
    errors: [403, 404, 501],
    policy,
    handle: (_request: Incoming, _nova: NovaApi): undefined => {
      throw notImplemented('Ironic client unavailable, cannot access Ironic.')
    },
  })

const refused = (at: { method: Method; path: string; action?: string }, command: string) =>
  operation({
    ...at,
    until,
    status: 400,
    errors: [400],
    handle: (_request: Incoming, _nova: NovaApi): undefined => {
      throw invalid(`Command not supported. Please use Ironic command ${command} to perform this action.`)
    },
  })

const node = '/os-baremetal-nodes/{node_id}'

export const baremetalNodeOperations = [
  asking('/os-baremetal-nodes', 'os_compute_api:os-baremetal-nodes:list'),
  asking(node, 'os_compute_api:os-baremetal-nodes:show'),
  refused({ method: 'POST', path: '/os-baremetal-nodes' }, 'node-create'),
  refused({ method: 'DELETE', path: node }, 'node-delete'),
  refused({ method: 'POST', path: `${node}/action`, action: 'add_interface' }, 'port-create'),
  refused({ method: 'POST', path: `${node}/action`, action: 'remove_interface' }, 'port-delete'),
]
