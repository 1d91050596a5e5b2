/**
 * Placement: who has how much of what, who holds how much of it, and who could take more.
 *
 * @see https://docs.openstack.org/placement/latest/
 */
import type { Ground } from '../base/ground.ts'
import { placementDialect, type Service } from '../base/http/index.ts'
import { maxVersion, minVersion, operations, policies } from './api/index.ts'
import { type InProcess, inProcess } from './in-process.ts'
import { codes, type Store, syncStandardNames } from './store.ts'

export type {
  Candidate,
  CandidateRequest,
  ConsumerClaim,
  ConsumerIdentity,
  HeldResources,
  ProviderInventory,
  ProviderUsage,
} from './in-process.ts'

/** The names that every Placement knows. */
export { standardClasses } from './standard-classes.ts'
export { standardTraits } from './standard-traits.ts'

/** The code of a `conflict` that another writer's haste caused, not a lack of room. */
export const concurrentUpdate = codes.concurrentUpdate

export type Placement = InProcess & { root: Service<Store> }

/** Its policies, for whoever lists them all. */
export const placementPolicies = { service: 'placement', policies, scopes: ['project'] as const, operations }

/** Mounted at `/placement`; the database gets the standard names that it lacks. */
export function makePlacement({ db, clock }: Pick<Ground, 'db' | 'clock'>): Placement {
  const store: Store = { db, clock }
  syncStandardNames(store)
  const root: Service<Store> = {
    name: 'placement',
    dialect: placementDialect,
    operations,
    deps: store,
    policies,
    scopes: placementPolicies.scopes,
    microversions: { service: 'placement', min: minVersion, max: maxVersion },
    jsonOnly: true,
  }
  return { root, ...inProcess(store) }
}
