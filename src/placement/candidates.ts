/**
 * Which providers can take a request now, and why the others can't.
 *
 * One request group is what a single provider must satisfy: amounts, traits, membership. `findProviders` answers for one
 * group with one query; trees and several groups are put together in `combinations.ts`.
 *
 * @see https://docs.openstack.org/placement/latest/user/provider-tree.html
 */
import { aggregatesOf } from './aggregates.ts'
import { classId } from './classes.ts'
import { type Inventory, inventoriesOfMany, roomRefusal, unitRefusal } from './inventories.ts'
import { findProvider, type Provider, providerSelect } from './providers.ts'
import { listParameter, type Store } from './store.ts'
import { traitIds, traitsOfMany } from './traits.ts'

export type Group = {
  resources: Readonly<Record<string, number>>
  /** Of each set the provider must have one trait at least; a set of one is a plain requirement. */
  required: readonly (readonly string[])[]
  forbidden: readonly string[]
  /** Of each set the provider must be in one aggregate at least. */
  memberOf: readonly (readonly string[])[]
  notMemberOf: readonly string[]
  /** A provider's uuid: only its tree is looked at. */
  inTree: string | null
}

export const emptyGroup: Group = { resources: {}, required: [], forbidden: [], memberOf: [], notMemberOf: [], inTree: null }

/**
 * Providers that satisfy the group, in the order they were made.
 * @throws {CloudError} `invalid` for an unknown class or trait.
 */
export function findProviders(store: Store, group: Group, limit = -1, named: { name?: string; uuid?: string } = {}): Provider[] {
  const conditions: string[] = []
  const values: (string | number)[] = []
  const add = (sql: string, ...parameters: (string | number)[]) => {
    conditions.push(sql)
    values.push(...parameters)
  }
  for (const [className, amount] of Object.entries(group.resources)) {
    add(
      `EXISTS (SELECT 1 FROM inventories i WHERE i.resource_provider_id = p.id AND i.resource_class_id = ?
         AND i.used + ? <= (i.total - i.reserved) * i.allocation_ratio AND ? BETWEEN i.min_unit AND i.max_unit AND ? % i.step_size = 0)`,
      classId(store, className),
      amount,
      amount,
      amount,
    )
  }
  const ids = traitIds(store, [...new Set([...group.required.flat(), ...group.forbidden])])
  const idsOf = (names: readonly string[]) => listParameter(names.map((name) => ids.get(name)!))
  const trait =
    'EXISTS (SELECT 1 FROM resource_provider_traits t WHERE t.resource_provider_id = p.id AND t.trait_id IN (SELECT value FROM json_each(?)))'
  for (const names of group.required) add(trait, idsOf(names))
  if (group.forbidden.length > 0) add(`NOT ${trait}`, idsOf(group.forbidden))
  const member = `EXISTS (SELECT 1 FROM resource_provider_aggregates m JOIN placement_aggregates a ON a.id = m.aggregate_id
     WHERE m.resource_provider_id = p.id AND a.uuid IN (SELECT value FROM json_each(?)))`
  for (const uuids of group.memberOf) add(member, listParameter(uuids))
  if (group.notMemberOf.length > 0) add(`NOT ${member}`, listParameter(group.notMemberOf))
  if (group.inTree !== null) add('p.root_provider_id = (SELECT root_provider_id FROM resource_providers WHERE uuid = ?)', group.inTree)
  if (named.name !== undefined) add('p.name = ?', named.name)
  if (named.uuid !== undefined) add('p.uuid = ?', named.uuid)
  const where = conditions.length === 0 ? '' : `WHERE ${conditions.join(' AND ')}`
  return store.db.prepare<Provider>(`${providerSelect} ${where} ORDER BY p.id LIMIT ?`).all(...values, limit)
}

/** One sentence for each provider that can't take the group now: `node-1: VCPU: wanted 4, free 2 of 8`. At most `limit`. */
export function explainGroup(store: Store, group: Group, limit: number): string[] {
  if (group.inTree !== null && !findProvider(store, group.inTree)) return [`there is no resource provider ${group.inTree}`]
  const providers = findProviders(store, { ...emptyGroup, inTree: group.inTree }, limit)
  const ids = providers.map(({ id }) => id)
  const inventories = inventoriesOfMany(store, ids)
  const traits = traitsOfMany(store, ids)
  return providers.flatMap((provider) => {
    const reasons = [
      ...resourceReasons(group, inventories.get(provider.id) ?? []),
      ...traitReasons(group, new Set(traits.get(provider.id))),
      ...aggregateReasons(store, group, provider.id),
    ]
    return reasons.length === 0 ? [] : [`${provider.name}: ${reasons.join('; ')}`]
  })
}

const resourceReasons = ({ resources }: Group, inventories: readonly Inventory[]): string[] =>
  Object.entries(resources).flatMap(([className, amount]) => {
    const inventory = inventories.find(({ name }) => name === className)
    return unitRefusal(inventory, className, amount) ?? roomRefusal(inventory!, amount) ?? []
  })

function traitReasons({ required, forbidden }: Group, traits: ReadonlySet<string>): string[] {
  const lacks = required.filter((names) => !names.some((name) => traits.has(name))).map((names) => `lacks ${names.join(' or ')}`)
  return [...lacks, ...forbidden.filter((name) => traits.has(name)).map((name) => `has ${name}`)]
}

function aggregateReasons(store: Store, { memberOf, notMemberOf }: Group, providerId: number): string[] {
  if (memberOf.length + notMemberOf.length === 0) return []
  const member = new Set(aggregatesOf(store, providerId))
  const outside = memberOf.some((uuids) => !uuids.some((uuid) => member.has(uuid)))
  const inside = notMemberOf.some((uuid) => member.has(uuid))
  return [...(outside ? ['is not in the wanted aggregates'] : []), ...(inside ? ['is in an excluded aggregate'] : [])]
}
