/**
 * Traits: what a provider is like, as opposed to how much it has. Standard ones are fixed; an operator's begin with `CUSTOM_`.
 *
 * @see https://docs.openstack.org/api-ref/placement/#traits
 */
import { conflict, invalid, notFound } from '../base/errors.ts'
import { bumpGeneration, type Provider } from './providers.ts'
import { listParameter, type Store } from './store.ts'

export type Trait = { id: number; name: string; created_at: string | null; updated_at: string | null }

export const isCustomName = (name: string): boolean => /^CUSTOM_[A-Z0-9_]+$/.test(name) && name.length <= 255

const columns = 't.id, t.name, t.created_at, t.updated_at'

export function listTraits(
  { db }: Store,
  { names, prefix, associated }: { names?: readonly string[]; prefix?: string; associated?: boolean } = {},
): Trait[] {
  const all = db.prepare<Trait & { in_use: number }>(
    `SELECT ${columns}, EXISTS (SELECT 1 FROM resource_provider_traits pt WHERE pt.trait_id = t.id) AS in_use FROM traits t ORDER BY t.name`,
  )
  return all
    .all()
    .filter(
      (trait) =>
        (names === undefined || names.includes(trait.name)) &&
        (prefix === undefined || trait.name.startsWith(prefix)) &&
        (associated === undefined || (trait.in_use === 1) === associated),
    )
}

export const findTrait = ({ db }: Store, name: string): Trait | undefined =>
  db.prepare<Trait>(`SELECT ${columns} FROM traits t WHERE name = ?`).get(name)

/** @throws {CloudError} `not-found`. */
export function requireTrait(store: Store, name: string): Trait {
  const found = findTrait(store, name)
  if (!found) throw notFound(`No such trait(s): ${name.slice(0, 255)}.`)
  return found
}

/** Creates it unless it is there; tells whether it did. @throws {CloudError} `invalid` for a name that isn't `CUSTOM_`. */
export function ensureTrait({ db, clock }: Store, name: string): boolean {
  if (!isCustomName(name))
    throw invalid(`The trait is invalid: a custom trait's name must match CUSTOM_[A-Z0-9_]+, got ${name.slice(0, 255)}`)
  return (
    db.prepare('INSERT OR IGNORE INTO traits (created_at, updated_at, name) VALUES (?, ?, ?)').run(clock.text(), clock.text(), name)
      .changes > 0
  )
}

/** @throws {CloudError} `not-found`, `invalid` for a standard trait, `conflict` while some provider has it. */
export function deleteTrait(store: Store, name: string): void {
  const { db } = store
  db.transaction(() => {
    const { id } = requireTrait(store, name)
    if (!name.startsWith('CUSTOM_')) throw invalid(`Cannot delete standard trait ${name}.`)
    if (db.prepare('SELECT 1 FROM resource_provider_traits WHERE trait_id = ? LIMIT 1').get(id)) {
      throw conflict(`The trait ${name} is in use by a resource provider.`)
    }
    db.prepare('DELETE FROM traits WHERE id = ?').run(id)
  })
}

/** The ids of these traits. @throws {CloudError} `invalid` naming those that don't exist. */
export function traitIds({ db }: Store, names: readonly string[]): Map<string, number> {
  if (names.length === 0) return new Map()
  const rows = db
    .prepare<{ id: number; name: string }>('SELECT id, name FROM traits WHERE name IN (SELECT value FROM json_each(?))')
    .all(listParameter(names))
  const found = new Map(rows.map(({ id, name }) => [name, id]))
  const missing = names.filter((name) => !found.has(name))
  if (missing.length > 0) throw invalid(`No such trait(s): ${missing.join(', ').slice(0, 1000)}.`)
  return found
}

export const traitsOf = ({ db }: Store, providerId: number): Trait[] =>
  db
    .prepare<Trait>(
      `SELECT ${columns} FROM resource_provider_traits pt JOIN traits t ON t.id = pt.trait_id WHERE pt.resource_provider_id = ? ORDER BY t.name`,
    )
    .all(providerId)

/** Names by provider, in one query. */
export function traitsOfMany({ db }: Store, providerIds: readonly number[]): Map<number, string[]> {
  const rows = db
    .prepare<{ id: number; names: string }>(
      `SELECT pt.resource_provider_id AS id, group_concat(t.name, ' ') AS names FROM resource_provider_traits pt JOIN traits t ON t.id = pt.trait_id
       WHERE pt.resource_provider_id IN (SELECT value FROM json_each(?)) GROUP BY pt.resource_provider_id`,
    )
    .all(listParameter(providerIds))
  return new Map(rows.map(({ id, names }) => [id, names.split(' ').sort()]))
}

/**
 * The provider has these traits and no others; tells whether anything changed, and then moves the generation on.
 * @throws {CloudError} `invalid` for a trait that doesn't exist.
 */
export function replaceTraits(store: Store, provider: Provider, names: readonly string[]): boolean {
  const { db, clock } = store
  return db.transaction(() => {
    const wanted = traitIds(store, [...new Set(names)])
    const present = traitsOf(store, provider.id)
    const gone = present.filter(({ name }) => !wanted.has(name))
    const added = [...wanted].filter(([name]) => !present.some((trait) => trait.name === name))
    for (const { id } of gone) {
      db.prepare('DELETE FROM resource_provider_traits WHERE trait_id = ? AND resource_provider_id = ?').run(id, provider.id)
    }
    for (const [, id] of added) {
      db.prepare('INSERT INTO resource_provider_traits (created_at, updated_at, trait_id, resource_provider_id) VALUES (?, ?, ?, ?)').run(
        clock.text(),
        clock.text(),
        id,
        provider.id,
      )
    }
    if (gone.length + added.length === 0) return false
    bumpGeneration(store, provider)
    return true
  })
}
