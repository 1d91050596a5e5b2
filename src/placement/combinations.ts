/**
 * Allocation candidates: requests of several groups put together over provider trees.
 *
 * A numbered or named group is satisfied by one provider. The unnamed group may, where trees are spanned, take each class from
 * another provider of the tree, and its traits from any of those it takes something from. All groups of a candidate share a tree.
 * Sharing providers (storage pools joined by an aggregate) are not looked at.
 *
 * @see https://docs.openstack.org/placement/latest/user/provider-tree.html
 */
import { emptyGroup, findProviders, type Group } from './candidates.ts'
import { type Inventory, inventoriesOfMany, roomRefusal } from './inventories.ts'
import { type Provider, providerSelect } from './providers.ts'
import { listParameter, type Store } from './store.ts'
import { traitIds, traitsOfMany } from './traits.ts'

export type CandidateQuery = {
  /** By suffix; the unnamed group's is empty. */
  groups: ReadonlyMap<string, Group>
  /** No two named groups on one provider. */
  isolate: boolean
  limit: number
  spansTrees: boolean
  rootRequired: readonly string[]
  rootForbidden: readonly string[]
  /** Each a list of suffixes whose providers must lie below one of them. */
  sameSubtree: readonly (readonly string[])[]
}

/** What one provider gives to one group. */
type Part = { suffix: string; provider: Provider; resources: Readonly<Record<string, number>> }
export type Combination = {
  /** By provider's uuid. */
  allocations: Map<string, Record<string, number>>
  /** Providers by group. */
  mappings: Map<string, string[]>
}
export type Summary = { provider: Provider; inventories: Inventory[]; traits: string[] }

/** Combinations tried before the search ends, found or not. */
const maxTries = 50_000

/**
 * Candidates, at most `limit`, with all providers that matter to them.
 * @throws {CloudError} `invalid` for an unknown class or trait.
 */
export function combine(store: Store, query: CandidateQuery): { combinations: Combination[]; summaries: Summary[] } {
  traitIds(store, [...new Set([...query.rootRequired, ...query.rootForbidden])])
  const choices = [...query.groups].flatMap(([suffix, group]) => choicesOf(store, suffix, group, query.spansTrees))
  const trees = byTree(choices)
  const found: Combination[] = []
  const involved = new Map<number, Provider>()
  const facts = factsOf(store, [...trees.keys()])
  let tries = 0
  search: for (const [rootId, options] of trees) {
    if (!rootFits(query, facts.traits.get(rootId) ?? [])) continue
    const seen = new Set<string>()
    for (const parts of product(options)) {
      if (++tries > maxTries) break search
      if (!fits(query, parts, facts)) continue
      const combination = combinationOf(parts)
      const key = JSON.stringify([
        [...combination.allocations].sort(),
        query.sameSubtree.length > 0 ? [...combination.mappings].sort() : null,
      ])
      if (seen.has(key)) continue
      seen.add(key)
      found.push(combination)
      for (const { provider } of parts) involved.set(provider.id, provider)
      if (found.length >= query.limit) break search
    }
  }
  const roots = new Set([...involved.values()].map(({ root_provider_id }) => root_provider_id))
  const shown = query.spansTrees
    ? [...facts.providers.values()].filter(({ root_provider_id }) => roots.has(root_provider_id))
    : [...involved.values()]
  const summaries = shown.map((provider) => ({
    provider,
    inventories: facts.inventories.get(provider.id) ?? [],
    traits: facts.traits.get(provider.id) ?? [],
  }))
  return { combinations: found, summaries }
}

/** One choice that a combination must make, and the parts that it may choose from. */
type Choice = Part[]

function choicesOf(store: Store, suffix: string, group: Group, spansTrees: boolean): Choice[] {
  const classes = Object.entries(group.resources)
  if (suffix !== '' || !spansTrees || classes.length < 2) {
    return [findProviders(store, group).map((provider) => ({ suffix, provider, resources: group.resources }))]
  }
  return classes.map(([className, amount]) => {
    const resources = { [className]: amount }
    return findProviders(store, { ...group, resources, required: [] }).map((provider) => ({ suffix, provider, resources }))
  })
}

/** For each tree that has a part for every choice: its choices. */
function byTree(choices: readonly Choice[]): Map<number, Choice[]> {
  const trees = new Map<number, Choice[]>()
  for (const [i, choice] of choices.entries()) {
    for (const part of choice) {
      const root = part.provider.root_provider_id
      const options = trees.get(root) ?? choices.map((): Choice => [])
      options[i]!.push(part)
      trees.set(root, options)
    }
  }
  return new Map([...trees].filter(([, options]) => options.every((choice) => choice.length > 0)))
}

function* product(options: readonly Choice[], at = 0, taken: readonly Part[] = []): Generator<readonly Part[]> {
  const choice = options[at]
  if (!choice) yield taken
  else for (const part of choice) yield* product(options, at + 1, [...taken, part])
}

type Facts = { providers: Map<number, Provider>; inventories: Map<number, Inventory[]>; traits: Map<number, string[]> }

function factsOf(store: Store, rootIds: readonly number[]): Facts {
  const rows = store.db
    .prepare<Provider>(`${providerSelect} WHERE p.root_provider_id IN (SELECT value FROM json_each(?)) ORDER BY p.id`)
    .all(listParameter(rootIds))
  const ids = rows.map(({ id }) => id)
  return {
    providers: new Map(rows.map((provider) => [provider.id, provider])),
    inventories: inventoriesOfMany(store, ids),
    traits: traitsOfMany(store, ids),
  }
}

const rootFits = ({ rootRequired, rootForbidden }: CandidateQuery, traits: readonly string[]): boolean =>
  rootRequired.every((name) => traits.includes(name)) && !rootForbidden.some((name) => traits.includes(name))

function fits(query: CandidateQuery, parts: readonly Part[], facts: Facts): boolean {
  const unnamed = parts.filter(({ suffix }) => suffix === '')
  const traits = new Set(unnamed.flatMap(({ provider }) => facts.traits.get(provider.id) ?? []))
  const { required } = query.groups.get('') ?? emptyGroup
  if (!required.every((names) => names.some((name) => traits.has(name)))) return false
  const named = parts.filter(({ suffix }) => suffix !== '').map(({ provider }) => provider.id)
  if (query.isolate && new Set(named).size < named.length) return false
  for (const suffixes of query.sameSubtree) {
    const ids = parts.filter(({ suffix }) => suffixes.includes(suffix)).map(({ provider }) => provider.id)
    if (!ids.some((top) => ids.every((id) => isBelow(facts, id, top)))) return false
  }
  return hasRoom(parts, facts)
}

function isBelow({ providers }: Facts, id: number, top: number): boolean {
  for (let at: number | null = id, depth = 0; at !== null && depth < 100; depth++) {
    if (at === top) return true
    at = providers.get(at)?.parent_provider_id ?? null
  }
  return false
}

/** Each part has room by itself; several on one provider must have it together, and keep to its largest unit. */
function hasRoom(parts: readonly Part[], facts: Facts): boolean {
  if (new Set(parts.map(({ provider }) => provider.id)).size === parts.length) return true
  for (const [id, resources] of summed(parts, ({ provider }) => provider.id)) {
    for (const [className, amount] of Object.entries(resources)) {
      const inventory = facts.inventories.get(id)?.find(({ name }) => name === className)
      if (!inventory || amount > inventory.max_unit || roomRefusal(inventory, amount) !== undefined) return false
    }
  }
  return true
}

function summed<Key>(parts: readonly Part[], keyOf: (part: Part) => Key): Map<Key, Record<string, number>> {
  const sums = new Map<Key, Record<string, number>>()
  for (const part of parts) {
    const sum = sums.get(keyOf(part)) ?? {}
    for (const [className, amount] of Object.entries(part.resources)) sum[className] = (sum[className] ?? 0) + amount
    sums.set(keyOf(part), sum)
  }
  return sums
}

function combinationOf(parts: readonly Part[]): Combination {
  const giving = parts.filter(({ resources }) => Object.keys(resources).length > 0)
  const mappings = new Map<string, string[]>()
  for (const { suffix, provider } of parts) mappings.set(suffix, [...new Set([...(mappings.get(suffix) ?? []), provider.uuid])])
  return { allocations: summed(giving, ({ provider }) => provider.uuid), mappings }
}
