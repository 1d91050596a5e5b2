/** Allocations of consumers, and those on a provider. @see https://docs.openstack.org/api-ref/placement/#allocations */
import { invalid, notFound } from '../../base/errors.ts'
import { as, atLeast, bodies, operation, type RequestContext } from '../../base/http/index.ts'
import { type Allocation, allocationsOf, type Claim, holdersOn, releaseAllocations, replaceAllocations } from '../allocations.ts'
import { type Consumer, findConsumer } from '../consumers.ts'
import { requireProvider } from '../providers.ts'
import type { Store } from '../store.ts'
import { unknownType } from '../usages.ts'
import { manyConsumers, oneConsumer, type WrittenClaim, writtenClaim, writtenClaims } from './claim-bodies.ts'
import { canonicalUuid, uuidPattern } from './filters.ts'
import { dated, failures } from './reply.ts'

const base = { errors: failures, policy: 'placement:use' }
/** Whose a consumer is that was written before 1.8, when nobody said. */
const incompleteOwner = '00000000-0000-0000-0000-000000000000'

export function claimOf(store: Store, uuid: string, { holdings, projectId, userId, generation, type }: WrittenClaim): Claim {
  const present = projectId === undefined ? findConsumer(store, uuid) : undefined
  const consumer = {
    uuid,
    projectId: projectId ?? present?.project_id ?? incompleteOwner,
    userId: userId ?? present?.user_id ?? incompleteOwner,
    type,
    generation,
  }
  return { consumer, holdings }
}

const keyOf = (text: string): string => (uuidPattern.test(text) ? canonicalUuid(text) : text)

function shown(context: RequestContext, consumer: Consumer | undefined, rows: readonly Allocation[]) {
  const allocations: Record<string, { generation: number; resources: Record<string, number> }> = {}
  for (const { provider_uuid, provider_generation, class_name, used } of rows) {
    allocations[provider_uuid] ??= { generation: provider_generation, resources: {} }
    allocations[provider_uuid].resources[class_name] = used
  }
  if (!consumer || !atLeast(context, '1.12')) return { allocations }
  return {
    allocations,
    project_id: consumer.project_id,
    user_id: consumer.user_id,
    ...(atLeast(context, '1.28') ? { consumer_generation: consumer.generation } : {}),
    ...(atLeast(context, '1.38') ? { consumer_type: consumer.type ?? unknownType } : {}),
  }
}

const showAllocations = operation<Store>({
  ...base,
  method: 'GET',
  path: '/allocations/{consumer_uuid}',
  status: 200,
  handle: ({ params, context }, store) => {
    const uuid = keyOf(params.consumer_uuid!)
    const rows = allocationsOf(store, uuid)
    return dated(context, store, shown(context, findConsumer(store, uuid), rows), rows)
  },
})

const setAllocations = operation<Store, WrittenClaim>({
  ...base,
  method: 'PUT',
  path: '/allocations/{consumer_uuid}',
  status: 204,
  body: bodies<WrittenClaim>(
    Object.fromEntries(Object.entries(oneConsumer).map(([since, schema]) => [since, { schema, parse: writtenClaim }])),
  ),
  handle: ({ params, body }, store) => {
    const text = params.consumer_uuid!
    if (!uuidPattern.test(text)) throw invalid(`Malformed consumer_uuid: ${text.slice(0, 64)}`)
    store.db.transaction(() => replaceAllocations(store, [claimOf(store, canonicalUuid(text), body)]))
  },
})

const setManyAllocations = operation<Store, Map<string, WrittenClaim>>({
  ...base,
  method: 'POST',
  path: '/allocations',
  since: '1.13',
  status: 204,
  body: bodies<Map<string, WrittenClaim>>(
    Object.fromEntries(Object.entries(manyConsumers).map(([since, schema]) => [since, as(schema, (wire) => writtenClaims(wire as never))])),
  ),
  handle: ({ body }, store) =>
    store.db.transaction(() =>
      replaceAllocations(
        store,
        [...body].map(([uuid, claim]) => claimOf(store, uuid, claim)),
      ),
    ),
})

const deleteAllocations = operation<Store>({
  ...base,
  method: 'DELETE',
  path: '/allocations/{consumer_uuid}',
  status: 204,
  handle: ({ params }, store) => {
    const uuid = keyOf(params.consumer_uuid!)
    if (!releaseAllocations(store, uuid)) throw notFound(`No allocations for consumer '${uuid.slice(0, 64)}'`)
  },
})

const listProviderAllocations = operation<Store>({
  ...base,
  method: 'GET',
  path: '/resource_providers/{uuid}/allocations',
  status: 200,
  handle: ({ params, context }, store) => {
    const provider = requireProvider(store, params.uuid!)
    const rows = holdersOn(store, provider.id)
    const allocations: Record<string, { resources: Record<string, number>; consumer_generation?: number }> = {}
    for (const { consumer_uuid, generation, class_name, used } of rows) {
      allocations[consumer_uuid] ??= { resources: {}, ...(atLeast(context, '1.28') ? { consumer_generation: generation } : {}) }
      allocations[consumer_uuid].resources[class_name] = used
    }
    const times = rows.map(({ updated_at }) => ({ created_at: updated_at }))
    return dated(context, store, { allocations, resource_provider_generation: provider.generation }, times)
  },
})

export const allocationOperations = [showAllocations, setAllocations, setManyAllocations, deleteAllocations, listProviderAllocations]
