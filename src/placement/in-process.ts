/**
 * Placement as the compute service uses it: calls in this process, synchronous, within the caller's transaction if there is one.
 *
 * The records here speak of amounts in each class's own unit: `MEMORY_MB` is MiB, `DISK_GB` is GiB.
 */
import { invalid } from '../base/errors.ts'
import { aggregatesOf, replaceAggregates } from './aggregates.ts'
import { allocationsOf, type Holding, holdersOn, releaseAllocations, replaceAllocations } from './allocations.ts'
import { emptyGroup, explainGroup, findProviders, type Group } from './candidates.ts'
import { inventoriesOf, replaceInventories, stockOfMany } from './inventories.ts'
import { bumpGeneration, createProvider, deleteProvider, findProvider, requireProvider, updateProvider } from './providers.ts'
import type { Store } from './store.ts'
import { ensureTrait, isCustomName, replaceTraits, traitsOfMany } from './traits.ts'

export type ProviderInventory = {
  total: number
  reserved: number
  minUnit: number
  maxUnit: number
  stepSize: number
  allocationRatio: number
}
export type ProviderUsage = { total: number; reserved: number; allocationRatio: number; used: number }

export type CandidateRequest = {
  resources: Record<string, number>
  required: string[]
  forbidden: string[]
  /** Of each set, one aggregate at least. */
  memberOf: string[][]
  /** A provider's uuid. */
  inTree?: string | null
  limit: number
}
export type Candidate = {
  providerUuid: string
  name: string
  generation: number
  /** Of every class that the provider has, asked for or not. */
  resources: Record<string, { capacity: number; used: number }>
  /** Read when first looked at, then for all candidates of this answer at once. */
  readonly traits: string[]
}

export type ConsumerIdentity = { uuid: string; projectId: string; userId: string; type: string }
export type ConsumerClaim = {
  consumer: ConsumerIdentity
  /** All that it is to hold; none to give back all. */
  allocations: readonly { providerUuid: string; generation?: number; resources: Record<string, number> }[]
}
export type HeldResources = { providerUuid: string; resources: Record<string, number> }

export type InProcess = {
  /** Creates it, or sets name and parent. @throws {CloudError} `conflict` when another provider has the name. */
  ensureProvider(provider: { uuid: string; name: string; parentUuid?: string | null }): void
  /**
   * The provider has these and no others; writes nothing when it has already.
   * @throws {CloudError} `conflict` when one in use would go, `not-found` for an unknown provider.
   */
  setInventory(providerUuid: string, inventories: Record<string, ProviderInventory>): void
  /** Custom traits that don't exist are made. @throws {CloudError} `invalid` for an unknown standard trait, `not-found`. */
  setTraits(providerUuid: string, traits: readonly string[]): void
  /** @throws {CloudError} `not-found` for an unknown provider. */
  traitsOf(providerUuid: string): string[]
  /** @throws {CloudError} `not-found` for an unknown provider. */
  aggregatesOf(providerUuid: string): string[]
  /** @throws {CloudError} `not-found` for an unknown provider. */
  setAggregates(providerUuid: string, aggregates: readonly string[]): void
  /** Nothing happens when there is none. @throws {CloudError} `conflict` while it has allocations or children. */
  removeProvider(uuid: string): void
  /** Providers that can take this now, with what they have left. @throws {CloudError} `invalid` for an unknown class or trait. */
  candidates(request: CandidateRequest): Candidate[]
  /** Why each of the others can't: `node-1: VCPU: wanted 4, free 2 of 8`. At most `limit` sentences. */
  explain(request: CandidateRequest): string[]
  /**
   * Replaces what the consumer holds; the same claim again writes nothing, an amount of 0 asks for none.
   * @throws {CloudError} `conflict` when there is no room, or (code `placement.concurrent_update`) when a provider is no longer of
   * the generation given; `invalid` for an unknown provider or class.
   */
  claim(consumer: ConsumerIdentity, allocations: { providerUuid: string; generation?: number; resources: Record<string, number> }[]): void
  /** As {@link claim} for several consumers, all or nothing; what passes from one to another needs no room for both. @throws as `claim`. */
  claimTogether(claims: readonly ConsumerClaim[]): void
  /** Nothing happens when it holds nothing. */
  release(consumerUuid: string): void
  allocationsOf(consumerUuid: string): HeldResources[]
  /** @throws {CloudError} `not-found` for an unknown provider, as `usage` does. */
  consumersOn(providerUuid: string): { consumerUuid: string; resources: Record<string, number> }[]
  usage(providerUuid: string): Record<string, ProviderUsage>
}

/** A flavor without a disk asks for `DISK_GB: 0`, which is to ask for none. */
const withoutZeros = (resources: Record<string, number>): Record<string, number> =>
  Object.fromEntries(Object.entries(resources).filter(([, amount]) => amount !== 0))

const groupOf = ({ resources, required, forbidden, memberOf, inTree = null }: CandidateRequest): Group => ({
  ...emptyGroup,
  resources: withoutZeros(resources),
  required: required.map((name) => [name]),
  forbidden,
  memberOf,
  inTree,
})

/** Rows of one class each, gathered by what they belong to, in order. */
function gathered<Row extends { class_name: string; used: number }>(rows: readonly Row[], ownerOf: (row: Row) => string) {
  const found = new Map<string, Record<string, number>>()
  for (const row of rows) {
    const resources = found.get(ownerOf(row)) ?? {}
    resources[row.class_name] = row.used
    found.set(ownerOf(row), resources)
  }
  return [...found]
}

const checkAmounts = (inventories: Record<string, ProviderInventory>): void => {
  for (const [className, { total, reserved, minUnit, maxUnit, stepSize, allocationRatio }] of Object.entries(inventories)) {
    const whole = [total, reserved, minUnit, maxUnit, stepSize].every((amount) => Number.isSafeInteger(amount) && amount >= 0)
    if (!whole || minUnit < 1 || stepSize < 1 || reserved > total || !(allocationRatio > 0)) throw invalid(`Bad inventory of ${className}.`)
  }
}

export function inProcess(store: Store): InProcess {
  const { db } = store
  const claimTogether: InProcess['claimTogether'] = (claims) =>
    replaceAllocations(
      store,
      claims.map(({ consumer, allocations }) => ({
        consumer,
        holdings: allocations.map((holding): Holding => ({ ...holding, resources: withoutZeros(holding.resources) })),
      })),
    )
  return {
    claimTogether,
    ensureProvider: (wanted) =>
      db.transaction(() => {
        const present = findProvider(store, wanted.uuid)
        if (!present) createProvider(store, wanted)
        else if (present.name !== wanted.name || (wanted.parentUuid !== undefined && wanted.parentUuid !== present.parent_uuid)) {
          updateProvider(store, present, wanted)
          bumpGeneration(store, present)
        }
      }),

    setInventory: (providerUuid, inventories) =>
      db.transaction(() => {
        checkAmounts(inventories)
        const provider = requireProvider(store, providerUuid)
        const specs = Object.fromEntries(
          Object.entries(inventories).map(([className, { total, reserved, minUnit, maxUnit, stepSize, allocationRatio }]) => [
            className,
            { total, reserved, min_unit: minUnit, max_unit: maxUnit, step_size: stepSize, allocation_ratio: allocationRatio },
          ]),
        )
        if (replaceInventories(store, provider, specs)) bumpGeneration(store, provider)
      }),

    setTraits: (providerUuid, traits) =>
      db.transaction(() => {
        for (const name of traits) if (isCustomName(name)) ensureTrait(store, name)
        replaceTraits(store, requireProvider(store, providerUuid), traits)
      }),

    traitsOf: (providerUuid) => {
      const { id } = requireProvider(store, providerUuid)
      return traitsOfMany(store, [id]).get(id) ?? []
    },

    aggregatesOf: (providerUuid) => aggregatesOf(store, requireProvider(store, providerUuid).id),

    setAggregates: (providerUuid, aggregates) => {
      replaceAggregates(store, requireProvider(store, providerUuid), aggregates)
    },

    removeProvider: (uuid) => {
      const provider = findProvider(store, uuid)
      if (provider) deleteProvider(store, provider)
    },

    candidates: (request) => {
      const providers = findProviders(store, groupOf(request), request.limit)
      const ids = providers.map(({ id }) => id)
      const stock = stockOfMany(store, ids)
      let traits: Map<number, string[]> | undefined
      return providers.map(({ id, uuid, name, generation }) => ({
        providerUuid: uuid,
        name,
        generation,
        resources: stock.get(id) ?? {},
        get traits() {
          traits ??= traitsOfMany(store, ids)
          return traits.get(id) ?? []
        },
      }))
    },

    explain: (request) => explainGroup(store, groupOf(request), request.limit),

    claim: (consumer, allocations) => claimTogether([{ consumer, allocations }]),

    release: (consumerUuid) => {
      releaseAllocations(store, consumerUuid)
    },

    allocationsOf: (consumerUuid) =>
      gathered(allocationsOf(store, consumerUuid), (row) => row.provider_uuid).map(([providerUuid, resources]) => ({
        providerUuid,
        resources,
      })),

    consumersOn: (providerUuid) =>
      gathered(holdersOn(store, requireProvider(store, providerUuid).id), (row) => row.consumer_uuid).map(([consumerUuid, resources]) => ({
        consumerUuid,
        resources,
      })),

    usage: (providerUuid) =>
      Object.fromEntries(
        inventoriesOf(store, requireProvider(store, providerUuid).id).map(({ name, total, reserved, allocation_ratio, used }) => [
          name,
          { total, reserved, allocationRatio: allocation_ratio, used },
        ]),
      ),
  }
}
