/** Inventories of a provider. @see https://docs.openstack.org/api-ref/placement/#resource-provider-inventories */
import { CloudError, conflict, invalid } from '../../base/errors.ts'
import { as, atLeast, bodies, closed, operation, type RequestContext, type Static, Type } from '../../base/http/index.ts'
import {
  type Inventory,
  type InventorySpec,
  inventoriesOf,
  removeInventories,
  replaceInventories,
  requireInventory,
  writeInventory,
} from '../inventories.ts'
import { bumpGeneration, checkGeneration, type Provider, requireProvider } from '../providers.ts'
import type { Store } from '../store.ts'
import { dated, failures, locationOf } from './reply.ts'

const maxAmount = 2_147_483_647
const maxRatio = 3.40282e38
const whole = (minimum: number) => Type.Optional(Type.Integer({ minimum, maximum: maxAmount }))
export const className = Type.String({ pattern: '^[A-Z0-9_]+$', minLength: 1, maxLength: 255 })
export const generation = Type.Integer()

const amounts = {
  total: Type.Integer({ minimum: 1, maximum: maxAmount }),
  reserved: whole(0),
  min_unit: whole(1),
  max_unit: whole(1),
  step_size: whole(1),
  allocation_ratio: Type.Optional(Type.Number({ minimum: 0, maximum: maxRatio })),
}
const amountsBody = Type.Object(amounts, closed)
/** Inventories by class, as in the bodies of this resource and of the reshaper. */
export const inventoriesBody = Type.Record(Type.String({ pattern: '^[A-Z0-9_]{1,255}$' }), amountsBody, closed)

type Amounts = Static<typeof amountsBody>

/** Fills in what the client left out. @throws {CloudError} `invalid` when nothing or, before 1.26, all is reserved. */
export function specOf(context: RequestContext, resourceClass: string, body: Amounts): InventorySpec {
  const { total, reserved = 0, min_unit = 1, max_unit = maxAmount, step_size = 1, allocation_ratio = 1 } = body
  if (reserved > total || (reserved === total && !atLeast(context, '1.26'))) {
    throw invalid(
      `Invalid inventory for '${resourceClass}': the reserved value is not below the total. Total: ${total}, reserved: ${reserved}.`,
    )
  }
  return { total, reserved, min_unit, max_unit, step_size, allocation_ratio }
}

export const specsOf = (context: RequestContext, inventories: Record<string, Amounts>): Record<string, InventorySpec> =>
  Object.fromEntries(Object.entries(inventories).map(([name, amount]) => [name, specOf(context, name, amount)]))

const shown = ({ total, reserved, min_unit, max_unit, step_size, allocation_ratio }: Inventory) => ({
  total,
  reserved,
  min_unit,
  max_unit,
  step_size,
  allocation_ratio,
})

function allOf(context: RequestContext, store: Store, { id, uuid }: Provider) {
  const provider = requireProvider(store, uuid)
  const rows = inventoriesOf(store, id)
  const inventories = Object.fromEntries(rows.map((row) => [row.name, shown(row)]))
  return dated(context, store, { resource_provider_generation: provider.generation, inventories }, rows)
}

function oneOf(context: RequestContext, store: Store, uuid: string, name: string, headers: Record<string, string> = {}) {
  const provider = requireProvider(store, uuid)
  const inventory = requireInventory(store, provider, name)
  return dated(context, store, { ...shown(inventory), resource_provider_generation: provider.generation }, [inventory], headers)
}

const base = { errors: failures, policy: 'placement:use' }
const all = '/resource_providers/{uuid}/inventories'
const one = `${all}/{resource_class}`

const listInventories = operation<Store>({
  ...base,
  method: 'GET',
  path: all,
  status: 200,
  handle: ({ params, context }, store) => allOf(context, store, requireProvider(store, params.uuid!)),
})

type AllBody = { resource_provider_generation: number; inventories: Record<string, Amounts> }

const setInventories = operation<Store, AllBody>({
  ...base,
  method: 'PUT',
  path: all,
  status: 200,
  body: bodies<AllBody>({ '1.0': as(Type.Object({ resource_provider_generation: generation, inventories: inventoriesBody }, closed)) }),
  handle: ({ params, body, context }, store) =>
    store.db.transaction(() => {
      const provider = requireProvider(store, params.uuid!)
      checkGeneration(provider, body.resource_provider_generation)
      replaceInventories(store, provider, specsOf(context, body.inventories))
      bumpGeneration(store, provider)
      return allOf(context, store, provider)
    }),
})

type CreateBody = Amounts & { resource_class: string; resource_provider_generation?: number }

const createInventory = operation<Store, CreateBody>({
  ...base,
  method: 'POST',
  path: all,
  status: 201,
  body: bodies<CreateBody>({
    '1.0': as(Type.Object({ ...amounts, resource_class: className, resource_provider_generation: Type.Optional(generation) }, closed)),
  }),
  handle: ({ params, body, context }, store) =>
    store.db.transaction(() => {
      const provider = requireProvider(store, params.uuid!)
      if (body.resource_provider_generation !== undefined) checkGeneration(provider, body.resource_provider_generation)
      const name = body.resource_class
      if (inventoriesOf(store, provider.id).some((inventory) => inventory.name === name)) {
        throw conflict(`Update conflict: inventory of ${name} exists on resource provider ${provider.uuid}.`)
      }
      writeInventory(store, provider, name, specOf(context, name, body))
      bumpGeneration(store, provider)
      return oneOf(context, store, provider.uuid, name, {
        location: locationOf(context, `/resource_providers/${provider.uuid}/inventories/${name}`),
      })
    }),
})

const deleteInventories = operation<Store>({
  ...base,
  method: 'DELETE',
  path: all,
  since: '1.5',
  status: 204,
  handle: ({ params }, store) =>
    store.db.transaction(() => {
      const provider = requireProvider(store, params.uuid!)
      removeInventories(store, provider, inventoriesOf(store, provider.id))
      bumpGeneration(store, provider)
    }),
})

/** The path is there before 1.5, the method is not. */
const deleteInventoriesEarly = operation<Store>({
  ...base,
  method: 'DELETE',
  path: all,
  until: '1.4',
  status: 204,
  errors: [...failures, 405],
  handle: () => {
    throw new CloudError('method-not-allowed', 'The method DELETE is not allowed for this resource.')
  },
})

const showInventory = operation<Store>({
  ...base,
  method: 'GET',
  path: one,
  status: 200,
  handle: ({ params, context }, store) => oneOf(context, store, params.uuid!, params.resource_class!),
})

type UpdateBody = Amounts & { resource_provider_generation: number }

const updateInventory = operation<Store, UpdateBody>({
  ...base,
  method: 'PUT',
  path: one,
  status: 200,
  body: bodies<UpdateBody>({ '1.0': as(Type.Object({ ...amounts, resource_provider_generation: generation }, closed)) }),
  handle: ({ params, body, context }, store) =>
    store.db.transaction(() => {
      const provider = requireProvider(store, params.uuid!)
      const name = params.resource_class!
      checkGeneration(provider, body.resource_provider_generation)
      if (!inventoriesOf(store, provider.id).some((inventory) => inventory.name === name)) {
        throw invalid(`No inventory record with resource class ${name.slice(0, 255)} for resource provider ${provider.uuid}.`)
      }
      writeInventory(store, provider, name, specOf(context, name, body))
      bumpGeneration(store, provider)
      return oneOf(context, store, provider.uuid, name)
    }),
})

const deleteInventory = operation<Store>({
  ...base,
  method: 'DELETE',
  path: one,
  status: 204,
  handle: ({ params }, store) =>
    store.db.transaction(() => {
      const provider = requireProvider(store, params.uuid!)
      removeInventories(store, provider, [requireInventory(store, provider, params.resource_class!)])
      bumpGeneration(store, provider)
    }),
})

export const inventoryOperations = [
  listInventories,
  setInventories,
  createInventory,
  deleteInventories,
  deleteInventoriesEarly,
  showInventory,
  updateInventory,
  deleteInventory,
]
