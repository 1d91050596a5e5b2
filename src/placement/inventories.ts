/**
 * Inventories: how much of a class a provider has, and how it may be given out. What can be claimed is
 * `(total - reserved) * allocation_ratio`, in units from `min_unit` to `max_unit` by `step_size`.
 *
 * @see https://docs.openstack.org/api-ref/placement/#resource-provider-inventories
 */
import { conflict, notFound } from '../base/errors.ts'
import { classId } from './classes.ts'
import type { Provider } from './providers.ts'
import { codes, listParameter, type Store } from './store.ts'

/** `inventories` as it lies in the database, with its class's name. */
export type Inventory = {
  id: number
  resource_provider_id: number
  resource_class_id: number
  name: string
  total: number
  reserved: number
  min_unit: number
  max_unit: number
  step_size: number
  allocation_ratio: number
  used: number
  created_at: string | null
  updated_at: string | null
}

export type InventorySpec = Pick<Inventory, 'total' | 'reserved' | 'min_unit' | 'max_unit' | 'step_size' | 'allocation_ratio'>

type Size = Pick<Inventory, 'total' | 'reserved' | 'allocation_ratio'>

/** What can be claimed in all; a fraction counts for nothing, as claims are whole. */
export const capacityOf = ({ total, reserved, allocation_ratio }: Size): number => Math.floor((total - reserved) * allocation_ratio)

const columns = `i.id, i.resource_provider_id, i.resource_class_id, c.name, i.total, i.reserved, i.min_unit, i.max_unit, i.step_size,
  i.allocation_ratio, i.used, i.created_at, i.updated_at`
const joined = `SELECT ${columns} FROM inventories i JOIN resource_classes c ON c.id = i.resource_class_id`

export const inventoriesOf = ({ db }: Store, providerId: number): Inventory[] =>
  db.prepare<Inventory>(`${joined} WHERE i.resource_provider_id = ? ORDER BY i.resource_class_id`).all(providerId)

/** By provider, in one query. */
export function inventoriesOfMany({ db }: Store, providerIds: readonly number[]): Map<number, Inventory[]> {
  const found = new Map<number, Inventory[]>()
  const rows = db
    .prepare<Inventory>(`${joined} WHERE i.resource_provider_id IN (SELECT value FROM json_each(?)) ORDER BY i.resource_class_id`)
    .all(listParameter(providerIds))
  for (const row of rows) {
    const of = found.get(row.resource_provider_id)
    if (of) of.push(row)
    else found.set(row.resource_provider_id, [row])
  }
  return found
}

/** Capacity and usage by class, by provider: the least that ranking hosts needs, for a thousand of them at once. */
export function stockOfMany(
  { db }: Store,
  providerIds: readonly number[],
): Map<number, Record<string, { capacity: number; used: number }>> {
  const rows = db
    .prepare<Size & Pick<Inventory, 'name' | 'used'> & { id: number }>(
      `SELECT i.resource_provider_id AS id, c.name, i.total, i.reserved, i.allocation_ratio, i.used
       FROM inventories i JOIN resource_classes c ON c.id = i.resource_class_id
       WHERE i.resource_provider_id IN (SELECT value FROM json_each(?))`,
    )
    .all(listParameter(providerIds))
  const found = new Map<number, Record<string, { capacity: number; used: number }>>()
  for (const row of rows) {
    const of = found.get(row.id) ?? {}
    of[row.name] = { capacity: capacityOf(row), used: row.used }
    found.set(row.id, of)
  }
  return found
}

/** @throws {CloudError} `not-found`. */
export function requireInventory(store: Store, provider: Provider, className: string): Inventory {
  const found = inventoriesOf(store, provider.id).find(({ name }) => name === className)
  if (!found) throw notFound(`No inventory of class ${className.slice(0, 255)} for ${provider.uuid}`)
  return found
}

const keys = ['total', 'reserved', 'min_unit', 'max_unit', 'step_size', 'allocation_ratio'] as const

/** Adds or changes one; tells whether anything changed. @throws {CloudError} `invalid` for an unknown class. */
export function writeInventory(store: Store, provider: Pick<Provider, 'id'>, className: string, spec: InventorySpec): boolean {
  const { db, clock } = store
  const id = classId(store, className)
  const present = db
    .prepare<InventorySpec>(`SELECT ${keys.join(', ')} FROM inventories WHERE resource_provider_id = ? AND resource_class_id = ?`)
    .get(provider.id, id)
  if (present && keys.every((key) => present[key] === spec[key])) return false
  db.prepare(
    `INSERT INTO inventories (created_at, updated_at, resource_provider_id, resource_class_id, ${keys.join(', ')})
     VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
     ON CONFLICT (resource_provider_id, resource_class_id)
     DO UPDATE SET updated_at = excluded.updated_at, ${keys.map((key) => `${key} = excluded.${key}`).join(', ')}`,
  ).run(clock.text(), clock.text(), provider.id, id, ...keys.map((key) => spec[key]))
  return true
}

/** @throws {CloudError} `conflict` while something is claimed of one of them. */
export function removeInventories({ db }: Store, provider: Pick<Provider, 'uuid'>, gone: readonly Inventory[]): void {
  const inUse = gone.filter(({ used }) => used > 0).map(({ name }) => name)
  if (inUse.length > 0) {
    throw conflict(`Inventory for '${inUse.join(', ')}' on resource provider '${provider.uuid}' in use.`, { code: codes.inventoryInUse })
  }
  for (const { id } of gone) db.prepare('DELETE FROM inventories WHERE id = ?').run(id)
}

/**
 * The provider has these inventories and no others; tells whether anything changed. The generation is the caller's affair.
 * @throws {CloudError} `conflict` when one in use would go, `invalid` for an unknown class.
 */
export function replaceInventories(store: Store, provider: Provider, wanted: Readonly<Record<string, InventorySpec>>): boolean {
  return store.db.transaction(() => {
    const gone = inventoriesOf(store, provider.id).filter(({ name }) => !Object.hasOwn(wanted, name))
    removeInventories(store, provider, gone)
    let changed = gone.length > 0
    for (const [className, spec] of Object.entries(wanted)) changed = writeInventory(store, provider, className, spec) || changed
    return changed
  })
}

/** Why no claim may be of this size, or undefined when it may. */
export function unitRefusal(inventory: Inventory | undefined, className: string, amount: number): string | undefined {
  if (!inventory) return `${className}: wanted ${amount}, has none`
  const { min_unit, max_unit, step_size } = inventory
  if (amount >= min_unit && amount <= max_unit && amount % step_size === 0) return undefined
  return `${className}: wanted ${amount}, given out only from ${min_unit} to ${max_unit} in steps of ${step_size}`
}

/**
 * Why there is no room for this much, or undefined when there is. `held` is given back first; who asks for no more than that is
 * never refused, so that a provider that shrank below its usage can be drained.
 */
export function roomRefusal(inventory: Inventory, amount: number, held = 0): string | undefined {
  const capacity = capacityOf(inventory)
  const free = capacity - inventory.used + held
  if (amount <= free || amount <= held) return undefined
  return `${inventory.name}: wanted ${amount}, free ${Math.max(free, 0)} of ${capacity}`
}
