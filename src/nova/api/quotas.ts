/** What the quota resources have in common: which of them a version shows, and how a request names limits. */
import { field, type RequestContext, type TSchema, Type, view } from '../../base/http/index.ts'
import { type Limits, type QuotaResource, quotaResources } from '../model/index.ts'

/** Resources that the network service limits: Compute shows them as unlimited up to 2.35 (for classes up to 2.49). */
const networkResources = ['fixed_ips', 'floating_ips', 'security_groups', 'security_group_rules'] as const
const injected: ReadonlySet<QuotaResource> = new Set(['injected_files', 'injected_file_content_bytes', 'injected_file_path_bytes'])
const ofGroups: ReadonlySet<QuotaResource> = new Set(['server_groups', 'server_group_members'])

export type QuotaKind = 'project' | 'class'
const lastOfNetwork = { project: '2.35', class: '2.49' } as const
const lastOfInjected = '2.56'

/** A view of a value for each resource; `unlimited` stands for the network's. */
export function quotaView<T>(
  kind: QuotaKind,
  unlimited: T,
): (of: Record<QuotaResource, T>, context: RequestContext) => Record<string, unknown> {
  const own = quotaResources.map((name) => {
    const since = kind === 'class' && ofGroups.has(name) ? '2.50' : '2.1'
    const until = injected.has(name) ? lastOfInjected : '2.999'
    return [name, field<Record<QuotaResource, T>>((of) => of[name], { since, until })] as const
  })
  const foreign = networkResources.map((name) => [name, field(() => unlimited, { until: lastOfNetwork[kind] })] as const)
  return view(Object.fromEntries([...own, ...foreign]))
}

const limit = Type.Optional(
  Type.Unsafe<number | string>({ type: ['integer', 'string'], pattern: '^-?[0-9]+$', minimum: -1, maximum: 0x7fffffff, maxLength: 11 }),
)

/** Schemas of limits for each range of versions that takes the same names. */
export function limitProperties(kind: QuotaKind): Record<string, Record<string, TSchema>> {
  const properties = (names: readonly string[]) => Object.fromEntries(names.map((name) => [name, limit]))
  const withoutInjected = quotaResources.filter((name) => !injected.has(name))
  return {
    '2.1': properties([...quotaResources, ...networkResources]),
    [kind === 'project' ? '2.36' : '2.50']: properties(quotaResources),
    '2.57': properties(withoutInjected),
  }
}

/** The limits that Compute keeps itself, as numbers; those of the network are taken and left. */
export const limitsIn = (given: Readonly<Record<string, unknown>>): Partial<Limits> =>
  Object.fromEntries(quotaResources.flatMap((name) => (given[name] === undefined ? [] : [[name, Number(given[name])]])))
