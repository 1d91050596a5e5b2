/**
 * Reshaping: inventories move from one provider to another, and the allocations with them, all or nothing. New inventories come
 * first, then the allocations, and what nobody holds any more goes last, so that a claim always finds the inventory that it needs.
 *
 * @see https://docs.openstack.org/api-ref/placement/#reshaper
 */
import { type Claim, replaceAllocations } from './allocations.ts'
import { type InventorySpec, replaceInventories, writeInventory } from './inventories.ts'
import { bumpGeneration, checkGeneration, requireProvider } from './providers.ts'
import type { Store } from './store.ts'

export type Shape = { providerUuid: string; generation: number; inventories: Record<string, InventorySpec> }

/**
 * @throws {CloudError} `conflict` when a provider or consumer has moved on, when there is no room, or when an inventory that is
 * still held would go; `not-found` for an unknown provider, `invalid` for an unknown class.
 */
export function reshape(store: Store, shapes: readonly Shape[], claims: readonly Claim[]): void {
  store.db.transaction(() => {
    const targets = shapes.map((shape) => ({ shape, provider: requireProvider(store, shape.providerUuid) }))
    for (const { shape, provider } of targets) {
      checkGeneration(provider, shape.generation)
      for (const [className, spec] of Object.entries(shape.inventories)) writeInventory(store, provider, className, spec)
    }
    replaceAllocations(store, claims)
    for (const { shape, provider } of targets) {
      replaceInventories(store, provider, shape.inventories)
      bumpGeneration(store, provider)
    }
  })
}
