/**
 * Resource providers: what has something to give. They may form trees; a root's `root_provider_id` is its own id.
 *
 * The generation guards against lost updates: who changes a provider says which generation was seen, and a change moves it on.
 *
 * @see https://docs.openstack.org/api-ref/placement/#resource-providers
 */
import { conflict, invalid, notFound } from '../base/errors.ts'
import { codes, type Store } from './store.ts'

export type Provider = {
  id: number
  uuid: string
  name: string
  generation: number
  root_provider_id: number
  parent_provider_id: number | null
  root_uuid: string
  parent_uuid: string | null
  created_at: string
  updated_at: string | null
}

export const providerSelect = `SELECT p.id, p.uuid, p.name, p.generation, p.root_provider_id, p.parent_provider_id, p.created_at, p.updated_at,
    root.uuid AS root_uuid, parent.uuid AS parent_uuid
  FROM resource_providers p
  JOIN resource_providers root ON root.id = p.root_provider_id
  LEFT JOIN resource_providers parent ON parent.id = p.parent_provider_id`

export const findProvider = ({ db }: Store, uuid: string): Provider | undefined =>
  db.prepare<Provider>(`${providerSelect} WHERE p.uuid = ?`).get(uuid)

/** @throws {CloudError} `not-found`. */
export function requireProvider(store: Store, uuid: string): Provider {
  const found = findProvider(store, uuid)
  if (!found) throw notFound(`No resource provider with uuid ${uuid.slice(0, 64)} found`, { code: codes.providerNotFound })
  return found
}

/**
 * @throws {CloudError} `conflict` when the name or the uuid is taken, `invalid` for an unknown parent.
 */
export function createProvider(store: Store, wanted: { uuid: string; name: string; parentUuid?: string | null }): Provider {
  const { db, clock } = store
  return db.transaction(() => {
    const taken = db
      .prepare<{ uuid: string; name: string }>('SELECT uuid, name FROM resource_providers WHERE uuid = ? OR name = ?')
      .get(wanted.uuid, wanted.name)
    if (taken) {
      const what = taken.name === wanted.name ? `name: ${taken.name}` : `uuid: ${taken.uuid}`
      throw conflict(`Conflicting resource provider ${what} already exists.`, { code: codes.duplicateName })
    }
    const parent = parentOf(store, wanted.parentUuid ?? null)
    const { lastInsertRowid: id } = db
      .prepare(
        'INSERT INTO resource_providers (created_at, updated_at, uuid, name, root_provider_id, parent_provider_id) VALUES (?, ?, ?, ?, ?, ?)',
      )
      .run(clock.text(), clock.text(), wanted.uuid, wanted.name, parent?.root_provider_id ?? null, parent?.id ?? null)
    if (!parent) db.prepare('UPDATE resource_providers SET root_provider_id = id WHERE id = ?').run(id)
    return requireProvider(store, wanted.uuid)
  })
}

function parentOf(store: Store, uuid: string | null): Provider | null {
  if (uuid === null) return null
  const found = findProvider(store, uuid)
  if (!found) throw invalid(`The parent resource provider ${uuid} does not exist.`)
  return found
}

/**
 * Renames, and moves to another parent when `parentUuid` is given. Before microversion 1.37 a parent may be set once and
 * never changed: `mayMove` false.
 * @throws {CloudError} `conflict` when the name is taken, `invalid` for a parent that cannot be.
 */
export function updateProvider(
  store: Store,
  provider: Provider,
  wanted: { name: string; parentUuid?: string | null },
  mayMove = true,
): Provider {
  const { db, clock } = store
  return db.transaction(() => {
    const taken = db.prepare<{ id: number }>('SELECT id FROM resource_providers WHERE name = ?').get(wanted.name)
    if (taken && taken.id !== provider.id) {
      throw conflict(`Conflicting resource provider name: ${wanted.name} already exists.`, { code: codes.duplicateName })
    }
    db.prepare('UPDATE resource_providers SET name = ?, updated_at = ? WHERE id = ?').run(wanted.name, clock.text(), provider.id)
    if (wanted.parentUuid !== undefined && wanted.parentUuid !== provider.parent_uuid) move(store, provider, wanted.parentUuid, mayMove)
    return requireProvider(store, provider.uuid)
  })
}

const subtree = `WITH RECURSIVE subtree(id) AS (SELECT ? UNION SELECT p.id FROM resource_providers p JOIN subtree s ON p.parent_provider_id = s.id)`

function move(store: Store, provider: Provider, parentUuid: string | null, mayMove: boolean): void {
  const { db } = store
  const parent = parentOf(store, parentUuid)
  if (provider.parent_provider_id !== null && !mayMove) {
    throw invalid(parent ? 'Re-parenting a provider is not allowed.' : 'Un-parenting a provider is not allowed.')
  }
  const below = db.prepare<{ id: number }>(`${subtree} SELECT id FROM subtree`).all(provider.id)
  if (parent && below.some(({ id }) => id === parent.id)) {
    throw invalid('Creating a loop in the provider tree is not allowed.')
  }
  db.prepare('UPDATE resource_providers SET parent_provider_id = ? WHERE id = ?').run(parent?.id ?? null, provider.id)
  db.prepare(`${subtree} UPDATE resource_providers SET root_provider_id = ? WHERE id IN (SELECT id FROM subtree)`).run(
    provider.id,
    parent?.root_provider_id ?? provider.id,
  )
}

/** @throws {CloudError} `conflict` while it has allocations or children. */
export function deleteProvider({ db }: Store, provider: Provider): void {
  db.transaction(() => {
    if (db.prepare('SELECT 1 FROM allocations WHERE resource_provider_id = ? LIMIT 1').get(provider.id)) {
      throw conflict(`Unable to delete resource provider ${provider.uuid}: Resource provider has allocations.`, {
        code: codes.providerInUse,
      })
    }
    if (db.prepare('SELECT 1 FROM resource_providers WHERE parent_provider_id = ? LIMIT 1').get(provider.id)) {
      throw conflict(`Unable to delete parent resource provider ${provider.uuid}: It has child resource providers.`, {
        code: codes.cannotDeleteParent,
      })
    }
    for (const table of ['inventories', 'resource_provider_traits', 'resource_provider_aggregates']) {
      db.prepare(`DELETE FROM ${table} WHERE resource_provider_id = ?`).run(provider.id)
    }
    db.prepare('DELETE FROM resource_providers WHERE id = ?').run(provider.id)
  })
}

/** @throws {CloudError} `conflict` when the provider has moved on since `seen`. */
export function checkGeneration(provider: Pick<Provider, 'uuid' | 'generation'>, seen: number): void {
  if (provider.generation !== seen) {
    throw conflict(
      `Resource provider generation conflict: provider ${provider.uuid} has generation ${provider.generation}, ${seen} was given.`,
      { code: codes.concurrentUpdate },
    )
  }
}

/** Moves the generation on; gives the new one. */
export function bumpGeneration({ db, clock }: Store, provider: Pick<Provider, 'id' | 'generation'>): number {
  db.prepare('UPDATE resource_providers SET generation = generation + 1, updated_at = ? WHERE id = ?').run(clock.text(), provider.id)
  return provider.generation + 1
}
