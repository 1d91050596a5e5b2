/**
 * Security groups of a server's ports, in Compute's old form: only rules for what comes in, ports as `from` and `to`.
 *
 * @see https://docs.openstack.org/api-ref/compute/#list-security-groups-by-server
 */
import { CloudError, invalid, notFound } from '../../base/errors.ts'
import { as, bodies, closed, type Incoming, operation, Type } from '../../base/http/index.ts'
import type { Port } from '../../network/index.ts'
import type { NovaApi } from './deps.ts'
import { type Known, noQuery } from './known-query.ts'
import { groupView } from './security-groups.ts'
import { serverAction } from './server-actions.ts'
import { serverOf } from './servers.ts'

const listSecurityGroups = operation({
  method: 'GET',
  path: '/servers/{server_id}/os-security-groups',
  status: 200,
  errors: [400, 403, 404],
  policy: 'os_compute_api:os-security-groups:list',
  query: noQuery,
  handle: (request: Incoming<undefined, Known>, nova: NovaApi) => {
    const ports = nova.networks.portsOf(serverOf(request, nova).uuid)
    const ids = [...new Set(ports.flatMap(({ securityGroupIds }) => securityGroupIds))]
    return { security_groups: nova.networks.securityGroups(ids).map(groupView) }
  },
})

/** A group of the server's project, by name or id. @throws {CloudError} `not-found`; `conflict` for a name that several have. */
function groupOf(projectId: string, name: string, { networks }: NovaApi): string {
  try {
    return networks.securityGroupsByNameOrId(projectId, [name])[0]?.id ?? ''
  } catch (error) {
    if (error instanceof CloudError && error.kind === 'invalid') throw notFound(`Security group ${name} not found.`, { cause: error })
    throw error
  }
}

/** An action that changes the groups of all the server's ports at once, or of none. */
const groupAction = (
  action: 'addSecurityGroup' | 'removeSecurityGroup',
  policy: string,
  change: (ports: readonly Port[], groupId: string, name: string) => (readonly [Port, readonly string[]])[],
) =>
  operation({
    ...serverAction,
    action,
    errors: [400, 403, 404, 409],
    policy,
    body: bodies<string>({
      '2.1': as(
        Type.Object({ [action]: Type.Object({ name: Type.String({ minLength: 1, maxLength: 255 }) }, closed) }, closed),
        (body) => body[action]!.name,
      ),
    }),
    handle: (request, nova: NovaApi) => {
      const { uuid, projectId } = serverOf(request, nova)
      const groupId = groupOf(projectId, request.body, nova)
      nova.db.transaction(() => {
        for (const [port, groups] of change(nova.networks.portsOf(uuid), groupId, request.body))
          nova.networks.setPortSecurityGroups(port.id, groups)
      })
      nova.conductor.watch.refreshPorts(uuid)
      return undefined
    },
  })

const add = groupAction('addSecurityGroup', 'os_compute_api:os-security-groups:add', (ports, groupId) => {
  const able = ports.filter(({ portSecurityEnabled, fixedIps }) => portSecurityEnabled && fixedIps.length > 0)
  if (able.length === 0) throw invalid('Network requires port_security_enabled and subnet associated in order to apply security groups.')
  return able.flatMap((port) => (port.securityGroupIds.includes(groupId) ? [] : [[port, [...port.securityGroupIds, groupId]] as const]))
})

const remove = groupAction('removeSecurityGroup', 'os_compute_api:os-security-groups:remove', (ports, groupId, name) => {
  const having = ports.filter(({ securityGroupIds }) => securityGroupIds.includes(groupId))
  if (having.length === 0) throw notFound(`Security group ${name} is not associated with the instance`)
  return having.map((port) => [port, port.securityGroupIds.filter((id) => id !== groupId)] as const)
})

export const serverSecurityGroupOperations = [listSecurityGroups, add, remove]
