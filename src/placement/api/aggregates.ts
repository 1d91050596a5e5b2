/** The aggregates of a provider. @see https://docs.openstack.org/api-ref/placement/#resource-provider-aggregates */
import { as, atLeast, bodies, closed, operation, type RequestContext, Type } from '../../base/http/index.ts'
import { aggregatesChangedAt, aggregatesOf, replaceAggregates } from '../aggregates.ts'
import { bumpGeneration, checkGeneration, requireProvider } from '../providers.ts'
import type { Store } from '../store.ts'
import { canonicalUuid } from './filters.ts'
import { generation } from './inventories.ts'
import { dated, failures } from './reply.ts'

const base = { errors: failures, policy: 'placement:use', since: '1.1', path: '/resource_providers/{uuid}/aggregates', status: 200 }
const uuids = Type.Array(Type.String({ format: 'uuid' }), { uniqueItems: true })

function shown(context: RequestContext, store: Store, uuid: string) {
  const provider = requireProvider(store, uuid)
  const changedAt = aggregatesChangedAt(store, provider.id)
  return dated(
    context,
    store,
    {
      aggregates: aggregatesOf(store, provider.id),
      ...(atLeast(context, '1.19') ? { resource_provider_generation: provider.generation } : {}),
    },
    changedAt === undefined ? [] : [{ created_at: changedAt }],
  )
}

const listAggregates = operation<Store>({
  ...base,
  method: 'GET',
  handle: ({ params, context }, store) => shown(context, store, params.uuid!),
})

type Body = { aggregates: string[]; generation: number | undefined }

const setAggregates = operation<Store, Body>({
  ...base,
  method: 'PUT',
  body: bodies<Body>({
    '1.1': as(uuids, (aggregates) => ({ aggregates: aggregates.map(canonicalUuid), generation: undefined })),
    '1.19': as(
      Type.Object({ aggregates: uuids, resource_provider_generation: generation }, closed),
      ({ aggregates, resource_provider_generation }) => ({
        aggregates: aggregates.map(canonicalUuid),
        generation: resource_provider_generation,
      }),
    ),
  }),
  handle: ({ params, body, context }, store) =>
    store.db.transaction(() => {
      const provider = requireProvider(store, params.uuid!)
      if (body.generation !== undefined) checkGeneration(provider, body.generation)
      replaceAggregates(store, provider, body.aggregates, false)
      if (body.generation !== undefined) bumpGeneration(store, provider)
      return shown(context, store, provider.uuid)
    }),
})

export const aggregateOperations = [listAggregates, setAggregates]
