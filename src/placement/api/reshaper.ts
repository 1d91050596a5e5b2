/** Inventories and allocations in one go. @see https://docs.openstack.org/api-ref/placement/#reshaper */
import { as, bodies, closed, operation, Type } from '../../base/http/index.ts'
import { reshape } from '../reshape.ts'
import type { Store } from '../store.ts'
import { claimOf } from './allocations.ts'
import { manyConsumers, type WrittenClaim, writtenClaims } from './claim-bodies.ts'
import { canonicalUuid } from './filters.ts'
import { generation, inventoriesBody, specsOf } from './inventories.ts'
import { failures } from './reply.ts'

const inventories = Type.Record(
  Type.String({ format: 'uuid', pattern: '^[0-9a-fA-F-]{32,36}$' }),
  Type.Object({ resource_provider_generation: generation, inventories: inventoriesBody }, closed),
  closed,
)

type WireShape = { resource_provider_generation: number; inventories: Parameters<typeof specsOf>[1] }
type Body = { inventories: Record<string, WireShape>; claims: Map<string, WrittenClaim> }

/** Unlike `POST /allocations`, the consumers may be none. */
const rung = (allocations: (typeof manyConsumers)['1.28']) =>
  as(
    Type.Object({ inventories, allocations: { ...allocations, minProperties: 0 } }, closed),
    (wire): Body => ({ inventories: wire.inventories as Body['inventories'], claims: writtenClaims(wire.allocations as never) }),
  )

const reshapeProviders = operation<Store, Body>({
  method: 'POST',
  path: '/reshaper',
  since: '1.30',
  status: 204,
  errors: failures,
  policy: 'placement:reshape',
  body: bodies<Body>({ '1.30': rung(manyConsumers['1.28']), '1.34': rung(manyConsumers['1.34']), '1.38': rung(manyConsumers['1.38']) }),
  handle: ({ body, context }, store) =>
    store.db.transaction(() => {
      const shapes = Object.entries(body.inventories).map(([uuid, shape]) => ({
        providerUuid: canonicalUuid(uuid),
        generation: shape.resource_provider_generation,
        inventories: specsOf(context, shape.inventories),
      }))
      reshape(
        store,
        shapes,
        [...body.claims].map(([uuid, claim]) => claimOf(store, uuid, claim)),
      )
    }),
})

export const reshaperOperations = [reshapeProviders]
