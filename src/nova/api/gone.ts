/** APIs that Compute once had: they say that they are gone, in every version. */
import { CloudError } from '../../base/errors.ts'
import { type AnyOperation, type Method, operation } from '../../base/http/index.ts'
import type { NovaApi } from './deps.ts'

/** Path → methods; for an action, its key. */
const removed: readonly (readonly [string, ...Method[]])[] = [
  ['/os-agents', 'GET', 'POST'],
  ['/os-agents/{agent_build_id}', 'PUT', 'DELETE'],
  ['/os-cells', 'GET', 'POST'],
  ['/os-cells/capacities', 'GET'],
  ['/os-cells/detail', 'GET'],
  ['/os-cells/info', 'GET'],
  ['/os-cells/sync_instances', 'POST'],
  ['/os-cells/{cell_name}', 'GET', 'PUT', 'DELETE'],
  ['/os-cells/{cell_name}/capacities', 'GET'],
  ['/os-certificates', 'POST'],
  ['/os-certificates/{id}', 'GET'],
  ['/os-cloudpipe', 'GET', 'POST'],
  ['/os-cloudpipe/{id}', 'PUT'],
  ['/os-fixed-ips/{fixed_ip}', 'GET'],
  ['/os-floating-ip-dns', 'GET'],
  ['/os-floating-ip-dns/{id}', 'PUT', 'DELETE'],
  ['/os-floating-ip-dns/{domain_id}/entries/{id}', 'GET', 'PUT', 'DELETE'],
  ['/os-floating-ips-bulk', 'GET', 'POST'],
  ['/os-floating-ips-bulk/{id}', 'GET', 'PUT'],
  ['/os-fping', 'GET'],
  ['/os-fping/{instance_id}', 'GET'],
  ['/os-networks', 'POST'],
  ['/os-networks/add', 'POST'],
  ['/os-networks/{network_id}', 'DELETE'],
  ['/os-security-group-default-rules', 'GET', 'POST'],
  ['/os-security-group-default-rules/{id}', 'GET', 'DELETE'],
  ['/os-tenant-networks', 'POST'],
  ['/os-tenant-networks/{network_id}', 'DELETE'],
  ['/servers/{server_id}/consoles', 'GET', 'POST'],
  ['/servers/{server_id}/consoles/{console_id}', 'GET', 'DELETE'],
  ['/servers/{server_id}/os-virtual-interfaces', 'GET'],
]
const removedActions: readonly (readonly [string, ...string[]])[] = [
  ['/os-fixed-ips/{fixed_ip}/action', 'reserve', 'unreserve'],
  ['/os-networks/{network_id}/action', 'disassociate', 'disassociate_host', 'disassociate_project', 'associate_host'],
  ['/servers/{server_id}/action', 'resetNetwork'],
]

const gone = (at: { method: Method; path: string; action?: string }): AnyOperation<NovaApi> =>
  operation({
    ...at,
    status: 410,
    errors: [410],
    handle: (): undefined => {
      throw new CloudError('gone', 'This resource is no longer available. No forwarding address is given.')
    },
  })

export const goneOperations: readonly AnyOperation<NovaApi>[] = [
  ...removed.flatMap(([path, ...methods]) => methods.map((method) => gone({ method, path }))),
  ...removedActions.flatMap(([path, ...actions]) => actions.map((action) => gone({ method: 'POST', path, action }))),
]
