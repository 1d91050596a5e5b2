/**
 * Limits: a project's quotas and what it uses of them, under older names.
 *
 * @see https://docs.openstack.org/api-ref/compute/#limits-limits
 */
import { field, type Incoming, operation, principalOf, view } from '../../base/http/index.ts'
import type { Limits, Usage } from '../model/index.ts'
import type { NovaApi } from './deps.ts'
import { type Known, knownQuery, shortText } from './known-query.ts'

type Figures = { limits: Limits; usage: Usage; serverGroups: number }

const untilNetwork = { until: '2.35' }
const untilPersonality = { until: '2.56' }
const absolute = view<Figures>({
  maxTotalInstances: ({ limits }) => limits.instances,
  maxTotalCores: ({ limits }) => limits.cores,
  maxTotalRAMSize: ({ limits }) => limits.ram,
  maxTotalFloatingIps: field(() => -1, untilNetwork),
  maxTotalKeypairs: ({ limits }) => limits.key_pairs,
  maxSecurityGroups: field(() => -1, untilNetwork),
  maxSecurityGroupRules: field(() => -1, untilNetwork),
  maxServerMeta: ({ limits }) => limits.metadata_items,
  maxImageMeta: field(({ limits }) => limits.metadata_items, { until: '2.38' }),
  maxPersonality: field(({ limits }) => limits.injected_files, untilPersonality),
  maxPersonalitySize: field(({ limits }) => limits.injected_file_content_bytes, untilPersonality),
  maxServerGroups: ({ limits }) => limits.server_groups,
  maxServerGroupMembers: ({ limits }) => limits.server_group_members,
  totalInstancesUsed: ({ usage }) => usage.instances,
  totalCoresUsed: ({ usage }) => usage.cores,
  totalRAMUsed: ({ usage }) => usage.ram,
  totalFloatingIpsUsed: field(() => 0, untilNetwork),
  totalSecurityGroupsUsed: field(() => 0, untilNetwork),
  totalServerGroupsUsed: ({ serverGroups }) => serverGroups,
})

const showLimits = operation({
  method: 'GET',
  path: '/limits',
  status: 200,
  errors: [400, 403],
  policy: 'os_compute_api:limits',
  query: knownQuery({ '2.1': { tenant_id: shortText } }, '2.75'),
  handle: ({ context, query, enforce }: Incoming<undefined, Known>, { model }: NovaApi) => {
    const own = principalOf(context).projectId ?? ''
    const projectId = query.tenant_id ?? own
    if (projectId !== own) enforce('os_compute_api:limits:other_project', { projectId })
    const figures = {
      limits: model.quotas.limits(projectId),
      usage: model.quotas.usage(projectId),
      serverGroups: model.serverGroups.count(projectId),
    }
    return { limits: { rate: [], absolute: absolute(figures, context) } }
  },
})

export const limitOperations = [showLimits]
