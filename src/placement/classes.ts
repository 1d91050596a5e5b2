/**
 * Resource classes: kinds of things that can be given out. The standard ones are fixed; an operator's begin with `CUSTOM_`.
 *
 * @see https://docs.openstack.org/api-ref/placement/#resource-classes
 */
import { conflict, invalid, notFound } from '../base/errors.ts'
import { firstCustomClassId, standardClasses } from './standard-classes.ts'
import { codes, type Store } from './store.ts'

export type ResourceClass = { id: number; name: string; created_at: string | null; updated_at: string | null }

const standardIds = new Map(standardClasses.map((name, id) => [name, id]))

export const listClasses = ({ db }: Store): ResourceClass[] =>
  db.prepare<ResourceClass>('SELECT id, name, created_at, updated_at FROM resource_classes ORDER BY id').all()

const findClass = ({ db }: Store, name: string): ResourceClass | undefined =>
  db.prepare<ResourceClass>('SELECT id, name, created_at, updated_at FROM resource_classes WHERE name = ?').get(name)

/** @throws {CloudError} `not-found`. */
export function requireClass(store: Store, name: string): ResourceClass {
  const found = findClass(store, name)
  if (!found) throw notFound(`No such resource class ${name.slice(0, 255)}.`)
  return found
}

/** The class's id; a standard class costs no query. @throws {CloudError} `invalid` for one that doesn't exist. */
export function classId(store: Store, name: string): number {
  const id = standardIds.get(name) ?? findClass(store, name)?.id
  if (id === undefined) throw invalid(`Unknown resource class in request: ${name.slice(0, 255)}`)
  return id
}

/** @throws {CloudError} `conflict` when it exists. */
export function createClass(store: Store, name: string): void {
  const { db, clock } = store
  db.transaction(() => {
    if (findClass(store, name)) throw conflict(`Conflicting resource class already exists: ${name}`)
    db.prepare(
      'INSERT INTO resource_classes (created_at, updated_at, id, name) SELECT ?, ?, max(?, coalesce(max(id), 0) + 1), ? FROM resource_classes',
    ).run(clock.text(), clock.text(), firstCustomClassId, name)
  })
}

/** Creates it unless it is there; tells whether it did. */
export function ensureClass(store: Store, name: string): boolean {
  if (findClass(store, name)) return false
  createClass(store, name)
  return true
}

/** @throws {CloudError} `not-found`, `invalid` for a standard class, `conflict` when the new name is taken. */
export function renameClass(store: Store, name: string, newName: string): ResourceClass {
  const { db, clock } = store
  return db.transaction(() => {
    const { id } = requireClass(store, name)
    if (standardIds.has(name)) throw invalid(`Cannot update standard resource class ${name}`)
    const taken = findClass(store, newName)
    if (taken && taken.id !== id) throw conflict(`Resource class already exists: ${newName}`)
    db.prepare('UPDATE resource_classes SET name = ?, updated_at = ? WHERE id = ?').run(newName, clock.text(), id)
    return requireClass(store, newName)
  })
}

/** @throws {CloudError} `not-found`, `invalid` for a standard class, `conflict` while some provider has an inventory of it. */
export function deleteClass(store: Store, name: string): void {
  const { db } = store
  db.transaction(() => {
    const { id } = requireClass(store, name)
    if (standardIds.has(name)) throw invalid(`Cannot delete standard resource class ${name}`)
    if (db.prepare('SELECT 1 FROM inventories WHERE resource_class_id = ? LIMIT 1').get(id)) {
      throw conflict(`Cannot delete resource class ${name}: it is in use in inventory.`, { code: codes.inventoryInUse })
    }
    db.prepare('DELETE FROM resource_classes WHERE id = ?').run(id)
  })
}
