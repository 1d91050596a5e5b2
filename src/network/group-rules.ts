/** Security groups with their rules, as the compute service shows those of a server. */
import type { Store } from './store.ts'

export type SecurityGroup = { id: string; name: string; description: string; projectId: string; rules: SecurityGroupRule[] }

export type SecurityGroupRule = {
  id: string
  direction: 'ingress' | 'egress'
  protocol: string | null
  portRangeMin: number | null
  portRangeMax: number | null
  remoteIpPrefix: string | null
  remoteGroup: { name: string; projectId: string } | null
}

type RuleRow = Omit<SecurityGroupRule, 'remoteGroup'> & { groupId: string; remoteName: string | null; remoteProjectId: string | null }

const toRule = ({ remoteName, remoteProjectId, groupId: _, ...rule }: RuleRow): SecurityGroupRule => ({
  ...rule,
  remoteGroup: remoteName === null || remoteProjectId === null ? null : { name: remoteName, projectId: remoteProjectId },
})

/** In the order asked; one that is gone is left out. */
export function groupsWithRules({ db }: Pick<Store, 'db'>, ids: readonly string[]): SecurityGroup[] {
  const asked = JSON.stringify(ids)
  const groups = db
    .prepare<Omit<SecurityGroup, 'rules'>>(
      'SELECT id, name, description, project_id AS projectId FROM securitygroups WHERE id IN (SELECT value FROM json_each(?))',
    )
    .all(asked)
  const rules = db
    .prepare<RuleRow>(
      `SELECT r.id, r.security_group_id AS groupId, r.direction, r.protocol, r.port_range_min AS portRangeMin, r.port_range_max AS portRangeMax,
         r.remote_ip_prefix AS remoteIpPrefix, g.name AS remoteName, g.project_id AS remoteProjectId
       FROM securitygrouprules r LEFT JOIN securitygroups g ON g.id = r.remote_group_id
       WHERE r.security_group_id IN (SELECT value FROM json_each(?)) ORDER BY r.rowid`,
    )
    .all(asked)
  const byGroup = Map.groupBy(rules, ({ groupId }) => groupId)
  return ids.flatMap((id) => {
    const group = groups.find((one) => one.id === id)
    return group ? [{ ...group, rules: (byGroup.get(id) ?? []).map(toRule) }] : []
  })
}
