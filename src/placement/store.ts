/**
 * What the nouns work on, the codes that clients switch on, and the standard names that every database must hold.
 *
 * @see https://docs.openstack.org/api-ref/placement/#errors
 */
import type { Ground } from '../base/ground.ts'
import { standardClasses } from './standard-classes.ts'
import { standardTraits } from './standard-traits.ts'

export type Store = Pick<Ground, 'db' | 'clock'>

/** Placement's machine-readable error codes. */
export const codes = {
  concurrentUpdate: 'placement.concurrent_update',
  inventoryInUse: 'placement.inventory.inuse',
  providerInUse: 'placement.resource_provider.inuse',
  cannotDeleteParent: 'placement.resource_provider.cannot_delete_parent',
  providerNotFound: 'placement.resource_provider.not_found',
  duplicateName: 'placement.duplicate_name',
  badQueryValue: 'placement.query.bad_value',
  missingQueryValue: 'placement.query.missing_value',
  duplicateQueryKey: 'placement.query.duplicate_key',
} as const

/** Writes the standard classes and traits that the database lacks. */
export function syncStandardNames({ db, clock }: Store): void {
  db.transaction(() => {
    const now = clock.text()
    db.prepare('INSERT OR IGNORE INTO resource_classes (created_at, id, name) SELECT ?, key, value FROM json_each(?)').run(
      now,
      JSON.stringify(standardClasses),
    )
    db.prepare('INSERT OR IGNORE INTO traits (created_at, name) SELECT ?, value FROM json_each(?)').run(now, JSON.stringify(standardTraits))
  })
}

/** The JSON text of a list, for `IN (SELECT value FROM json_each(?))`: one statement whatever its length. */
export const listParameter = (values: readonly (string | number)[]): string => JSON.stringify(values)
