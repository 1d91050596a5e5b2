/**
 * Allocations: what consumers hold of providers. Each write goes through {@link replaceAllocations}, which also keeps
 * `inventories.used`, so that checking for room never counts allocations.
 *
 * The hot path is a server's claim and release: a claim of three classes on one provider takes eight short statements, none
 * of which reads more rows as the provider fills.
 */
import { conflict, invalid } from '../base/errors.ts'
import { classId } from './classes.ts'
import { type Consumer, type ConsumerSpec, checkConsumerGeneration, deleteConsumer, findConsumer, writeConsumer } from './consumers.ts'
import { type Inventory, inventoriesOf, roomRefusal, unitRefusal } from './inventories.ts'
import { bumpGeneration, checkGeneration, type Provider } from './providers.ts'
import type { Store } from './store.ts'

export type Allocation = {
  provider_id: number
  provider_uuid: string
  provider_generation: number
  class_id: number
  class_name: string
  used: number
  created_at: string
  updated_at: string | null
}

export type Holding = { providerUuid: string; generation?: number | undefined; resources: Readonly<Record<string, number>> }
/** All that a consumer is to hold from now on; without holdings it goes. */
export type Claim = { consumer: ConsumerSpec; holdings: readonly Holding[] }

export const allocationsOf = ({ db }: Store, consumerUuid: string): Allocation[] =>
  db
    .prepare<Allocation>(
      `SELECT p.id AS provider_id, p.uuid AS provider_uuid, p.generation AS provider_generation, c.id AS class_id, c.name AS class_name,
         a.used, a.created_at, a.updated_at
       FROM allocations a JOIN resource_providers p ON p.id = a.resource_provider_id JOIN resource_classes c ON c.id = a.resource_class_id
       WHERE a.consumer_id = ? ORDER BY a.id`,
    )
    .all(consumerUuid)

export type Holder = {
  consumer_uuid: string
  generation: number
  type: string | null
  class_name: string
  used: number
  updated_at: string | null
}

export const holdersOn = ({ db }: Store, providerId: number): Holder[] =>
  db
    .prepare<Holder>(
      `SELECT a.consumer_id AS consumer_uuid, n.generation, t.name AS type, c.name AS class_name, a.used, a.updated_at
       FROM allocations a JOIN consumers n ON n.uuid = a.consumer_id JOIN resource_classes c ON c.id = a.resource_class_id
       LEFT JOIN consumer_types t ON t.id = n.consumer_type_id
       WHERE a.resource_provider_id = ? ORDER BY a.id`,
    )
    .all(providerId)

type Wanted = { provider: Pick<Provider, 'id' | 'uuid' | 'generation'>; classId: number; className: string; amount: number }
type Change = { claim: Claim; present: Consumer | undefined; held: Allocation[]; wanted: Wanted[] }

const keyOf = (providerId: number, id: number): string => `${providerId}:${id}`

/**
 * Replaces what these consumers hold, all or nothing. The old is given back before the new is taken, whichever consumer it was:
 * a move between two of them needs no room for both. Nothing is written for a consumer that holds just this already and names
 * no generation.
 * @throws {CloudError} `conflict` when a provider or a consumer has moved on since it was seen (code
 * `placement.concurrent_update`) or there is no room; `invalid` for an unknown provider or class.
 */
export function replaceAllocations(store: Store, claims: readonly Claim[]): void {
  const { db } = store
  db.transaction(() => {
    const providers = new Map<string, Wanted['provider']>()
    const changes: Change[] = []
    for (const claim of claims) {
      const present = findConsumer(store, claim.consumer.uuid)
      checkConsumerGeneration(present, claim.consumer)
      const held = present ? allocationsOf(store, claim.consumer.uuid) : []
      const named = claim.holdings.map(({ providerUuid }) => providerUuid)
      if (new Set(named).size < named.length) throw invalid('Each resource provider may be named once only in an allocation.')
      const wanted = claim.holdings.flatMap((holding) => wantedOf(store, holding, providers))
      if (claim.consumer.generation === undefined && isSame(present, claim.consumer, held, wanted)) continue
      for (const { providerUuid, generation } of claim.holdings) {
        if (generation !== undefined) checkGeneration(providers.get(providerUuid)!, generation)
      }
      changes.push({ claim, present, held, wanted })
    }
    charge(store, changes)
    for (const change of changes) rewrite(store, change)
    const touched = new Set(changes.flatMap(({ wanted }) => wanted.map(({ provider }) => provider)))
    for (const provider of touched) bumpGeneration(store, provider)
  })
}

function wantedOf(store: Store, { providerUuid, resources }: Holding, seen: Map<string, Wanted['provider']>): Wanted[] {
  let provider = seen.get(providerUuid)
  if (!provider) {
    provider = store.db.prepare<Wanted['provider']>('SELECT id, uuid, generation FROM resource_providers WHERE uuid = ?').get(providerUuid)
    if (!provider) throw invalid(`Allocation for resource provider '${providerUuid.slice(0, 64)}' that does not exist.`)
    seen.set(providerUuid, provider)
  }
  return Object.entries(resources).map(([className, amount]) => {
    if (!Number.isSafeInteger(amount) || amount < 1) throw invalid(`Invalid amount of ${className}: ${amount}`)
    return { provider, classId: classId(store, className), className, amount }
  })
}

function isSame(present: Consumer | undefined, spec: ConsumerSpec, held: readonly Allocation[], wanted: readonly Wanted[]): boolean {
  if (!present) return wanted.length === 0
  if (present.project_id !== spec.projectId || present.user_id !== spec.userId) return false
  if (spec.type !== undefined && present.type !== spec.type) return false
  const amounts = new Map(held.map((row) => [keyOf(row.provider_id, row.class_id), row.used]))
  return wanted.length === held.length && wanted.every((row) => amounts.get(keyOf(row.provider.id, row.classId)) === row.amount)
}

/** Moves `used` by the sum of all changes, after checking that there is room. */
function charge(store: Store, changes: readonly Change[]): void {
  const held = new Map<string, number>()
  const wanted = new Map<string, number>()
  const add = (sums: Map<string, number>, key: string, amount: number) => sums.set(key, (sums.get(key) ?? 0) + amount)
  for (const change of changes) {
    for (const row of change.held) add(held, keyOf(row.provider_id, row.class_id), row.used)
    for (const row of change.wanted) add(wanted, keyOf(row.provider.id, row.classId), row.amount)
  }
  const inventories = inventoriesByProvider(store)
  for (const { provider, classId: id, className, amount } of changes.flatMap((change) => change.wanted)) {
    const key = keyOf(provider.id, id)
    const inventory = inventories(provider.id).find(({ resource_class_id }) => resource_class_id === id)
    const refusal = unitRefusal(inventory, className, amount) ?? roomRefusal(inventory!, wanted.get(key)!, held.get(key))
    if (refusal) throw conflict(`Unable to allocate inventory: resource provider ${provider.uuid}: ${refusal}`)
  }
  const deltas: Record<string, number> = {}
  for (const key of new Set([...held.keys(), ...wanted.keys()])) {
    const delta = (wanted.get(key) ?? 0) - (held.get(key) ?? 0)
    const [providerId, id] = key.split(':').map(Number) as [number, number]
    const inventory = inventories(providerId).find(({ resource_class_id }) => resource_class_id === id)
    if (delta !== 0 && inventory) deltas[inventory.id] = delta
  }
  store.db
    .prepare(
      'UPDATE inventories SET used = inventories.used + delta.value FROM json_each(?) AS delta WHERE inventories.id = CAST(delta.key AS INTEGER)',
    )
    .run(JSON.stringify(deltas))
}

function inventoriesByProvider(store: Store): (providerId: number) => Inventory[] {
  const found = new Map<number, Inventory[]>()
  return (providerId) => {
    const all = found.get(providerId) ?? inventoriesOf(store, providerId)
    found.set(providerId, all)
    return all
  }
}

function rewrite(store: Store, { claim, present, held, wanted }: Change): void {
  const { db, clock } = store
  const { consumer } = claim
  if (held.length > 0) db.prepare('DELETE FROM allocations WHERE consumer_id = ?').run(consumer.uuid)
  if (wanted.length === 0) {
    if (present) deleteConsumer(store, consumer.uuid)
    return
  }
  writeConsumer(store, present, consumer)
  const now = clock.text()
  const rows = wanted.map(() => '(?, ?, ?, ?, ?, ?)').join(', ')
  db.prepare(
    `INSERT INTO allocations (created_at, updated_at, resource_provider_id, consumer_id, resource_class_id, used) VALUES ${rows}`,
  ).run(...wanted.flatMap((row) => [now, now, row.provider.id, consumer.uuid, row.classId, row.amount]))
}

/** Gives back all that the consumer holds; tells whether it held anything. No provider's generation moves: room only grows. */
export function releaseAllocations(store: Store, consumerUuid: string): boolean {
  const { db } = store
  return db.transaction(() => {
    const given = db.prepare(
      `UPDATE inventories SET used = inventories.used - a.used
       FROM (SELECT resource_provider_id, resource_class_id, used FROM allocations WHERE consumer_id = ?) AS a
       WHERE inventories.resource_provider_id = a.resource_provider_id AND inventories.resource_class_id = a.resource_class_id`,
    )
    if (given.run(consumerUuid).changes === 0) return false
    db.prepare('DELETE FROM allocations WHERE consumer_id = ?').run(consumerUuid)
    deleteConsumer(store, consumerUuid)
    return true
  })
}
