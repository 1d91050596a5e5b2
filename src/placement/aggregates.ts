/** Aggregates: groups of providers, known by uuid alone. A provider's membership is all there is of one. */
import { bumpGeneration, type Provider } from './providers.ts'
import type { Store } from './store.ts'

type Membership = { id: number; uuid: string; created_at: string | null }

const memberships = ({ db }: Store, providerId: number): Membership[] =>
  db
    .prepare<Membership>(
      `SELECT a.id, a.uuid, pa.created_at FROM resource_provider_aggregates pa JOIN placement_aggregates a ON a.id = pa.aggregate_id
       WHERE pa.resource_provider_id = ? ORDER BY a.id`,
    )
    .all(providerId)

export const aggregatesOf = (store: Store, providerId: number): string[] => memberships(store, providerId).map(({ uuid }) => uuid)

/** When the newest membership began; undefined without any. */
export const aggregatesChangedAt = (store: Store, providerId: number): string | undefined =>
  memberships(store, providerId)
    .map(({ created_at }) => created_at ?? '')
    .sort()
    .at(-1)

/** The provider is in these aggregates and no others; tells whether anything changed, and then moves the generation on if asked. */
export function replaceAggregates(store: Store, provider: Provider, uuids: readonly string[], bumps = true): boolean {
  const { db, clock } = store
  return db.transaction(() => {
    const wanted = new Set(uuids)
    const present = memberships(store, provider.id)
    const gone = present.filter(({ uuid }) => !wanted.has(uuid))
    const added = [...wanted].filter((uuid) => !present.some((membership) => membership.uuid === uuid))
    for (const { id } of gone) {
      db.prepare('DELETE FROM resource_provider_aggregates WHERE resource_provider_id = ? AND aggregate_id = ?').run(provider.id, id)
    }
    for (const uuid of added) {
      const now = clock.text()
      db.prepare('INSERT OR IGNORE INTO placement_aggregates (created_at, updated_at, uuid) VALUES (?, ?, ?)').run(now, now, uuid)
      db.prepare(
        `INSERT INTO resource_provider_aggregates (created_at, updated_at, resource_provider_id, aggregate_id)
         SELECT ?, ?, ?, id FROM placement_aggregates WHERE uuid = ?`,
      ).run(now, now, provider.id, uuid)
    }
    if (gone.length + added.length === 0) return false
    if (bumps) bumpGeneration(store, provider)
    return true
  })
}
