/**
 * Security groups of a server's ports, in Compute's old form: only rules for what comes in, ports as `from` and `to`.
 *
 * @see https://docs.openstack.org/api-ref/compute/#list-security-groups-by-server
 */
import { type Incoming, operation } from '../../base/http/index.ts'
import type { SecurityGroup } from '../../network/index.ts'
import type { NovaApi } from './deps.ts'
import { type Known, noQuery } from './known-query.ts'
import { serverOf } from './servers.ts'

const anyPorts = { from: -1, to: -1 }

function groupView({ id, name, description, projectId, rules }: SecurityGroup) {
  const incoming = rules.filter(({ direction }) => direction === 'ingress')
  return {
    id,
    name,
    description,
    tenant_id: projectId,
    rules: incoming.map((rule) => ({
      id: rule.id,
      parent_group_id: id,
      ip_protocol: rule.protocol,
      from_port: rule.portRangeMin ?? (rule.protocol === null ? null : anyPorts.from),
      to_port: rule.portRangeMax ?? (rule.protocol === null ? null : anyPorts.to),
      ip_range: rule.remoteGroup ? {} : { cidr: rule.remoteIpPrefix ?? '0.0.0.0/0' },
      group: rule.remoteGroup ? { name: rule.remoteGroup.name, tenant_id: rule.remoteGroup.projectId } : {},
    })),
  }
}

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

export const serverSecurityGroupOperations = [listSecurityGroups]
