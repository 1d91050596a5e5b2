/** Usages of a provider and of a project. @see https://docs.openstack.org/api-ref/placement/#usages */
import { invalid } from '../../base/errors.ts'
import { atLeast, operation, type Version, version } from '../../base/http/index.ts'
import { inventoriesOf } from '../inventories.ts'
import { requireProvider } from '../providers.ts'
import { codes, type Store } from '../store.ts'
import { consumerCounts, type UsageFilter, usageOfProject } from '../usages.ts'
import { type QueryTexts, refuseUnknown, single } from './filters.ts'
import { dated, failures } from './reply.ts'

const showProviderUsages = operation<Store>({
  method: 'GET',
  path: '/resource_providers/{uuid}/usages',
  status: 200,
  errors: failures,
  policy: 'placement:use',
  handle: ({ params, context }, store) => {
    const provider = requireProvider(store, params.uuid!)
    const usages = Object.fromEntries(inventoriesOf(store, provider.id).map(({ name, used }) => [name, used]))
    return dated(context, store, { resource_provider_generation: provider.generation, usages })
  },
})

const typesSince = version('1.38')

function usageQuery(value: unknown, at: Version): UsageFilter {
  const query = value as QueryTexts
  refuseUnknown(query, (name) => ['project_id', 'user_id', ...(at >= typesSince ? ['consumer_type'] : [])].includes(name))
  const projectId = single(query, 'project_id')
  if (!projectId) throw invalid("Invalid query string parameters: 'project_id' is a required property", { code: codes.missingQueryValue })
  return { projectId, userId: single(query, 'user_id'), consumerType: single(query, 'consumer_type') }
}

const showProjectUsages = operation<Store, undefined, UsageFilter>({
  method: 'GET',
  path: '/usages',
  since: '1.9',
  status: 200,
  errors: failures,
  policy: 'placement:usages',
  target: ({ query }) => ({ projectId: (query as UsageFilter).projectId }),
  query: usageQuery,
  handle: ({ query, context }, store) => {
    const all = query.consumerType === 'all'
    const filter = all ? { ...query, consumerType: undefined } : query
    const rows = usageOfProject(store, filter)
    const usages: Record<string, Record<string, number>> = {}
    const group = (type: string) => {
      const name = all ? 'all' : type
      usages[name] ??= {}
      return usages[name]
    }
    const grouped = atLeast(context, '1.38')
    if (grouped) {
      for (const [type, count] of consumerCounts(store, filter)) {
        const of = group(type)
        of.consumer_count = (of.consumer_count ?? 0) + count
      }
    }
    for (const { type, class_name, used } of rows) {
      const of = group(grouped ? type : '')
      of[class_name] = (of[class_name] ?? 0) + used
    }
    return dated(context, store, { usages: grouped ? usages : (usages[''] ?? {}) })
  },
})

export const usageOperations = [showProviderUsages, showProjectUsages]
