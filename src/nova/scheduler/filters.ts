/**
 * Filters: each lets a host pass or says, for the operator, why not. Names are Nova's.
 *
 * @see https://docs.openstack.org/nova/latest/admin/scheduling.html#filters
 */
import { BlockList, isIP } from 'node:net'
import { messageOf } from '../../base/errors.ts'
import { aggregateFilters, tooMany } from './aggregate-filters.ts'
import { guards } from './guards.ts'
import { type Filter, factAt, factsOf } from './host-state.ts'
import { type HostQuery, parseQuery } from './json-query.ts'
import { meetsSpec, meetsVersion, versionText } from './spec-match.ts'

const capabilityScope = 'capabilities'
/** Without a namespace, and yet no capabilities. */
const plainSpecs = ['group_policy', 'hide_hypervisor_id']

/** What cannot be read turns every host away, with the reason. */
function queryOf(hint: unknown): HostQuery | string | null {
  try {
    return parseQuery(hint)
  } catch (error) {
    return messageOf(error)
  }
}

/** Other names of the same architecture. */
const architectures: Record<string, string> = { amd64: 'x86_64', x86: 'i686', i386: 'i686', i486: 'i686', i586: 'i686', arm64: 'aarch64' }
const canonical = (name: string): string => architectures[name.toLowerCase()] ?? name.toLowerCase()

export const metricsFilter: Filter = {
  name: 'MetricsFilter',
  why: ({ resources: { metrics = {} } }, _request, { metrics: wanted }) => {
    const missing = wanted.filter((name) => !Object.hasOwn(metrics, name))
    return missing.length === 0 ? null : `it reports no metric ${missing.join(', ')}`
  },
}

export const filters: readonly Filter[] = [
  {
    name: 'ImagePropertiesFilter',
    why: ({ resources }, { imageProperties }, { imagePropertiesDefaultArchitecture: defaultArchitecture }) => {
      const { architecture, hw_architecture, img_hv_type, hypervisor_type, hw_vm_mode, vm_mode } = imageProperties
      const named = hw_architecture ?? architecture ?? (defaultArchitecture || undefined)
      const wanted = [named && canonical(named), img_hv_type ?? hypervisor_type, hw_vm_mode ?? vm_mode]
      const version = imageProperties.img_hv_requested_version ?? imageProperties.hypervisor_version_requires
      if (version !== undefined && !meetsVersion(resources.hypervisorVersion, version))
        return `the image wants hypervisor version ${version}, it has ${versionText(resources.hypervisorVersion)}`
      if (wanted.every((item) => item === undefined)) return null
      const fits = resources.supportedInstances.some((supported) =>
        wanted.every((item, i) => item === undefined || item.toLowerCase() === supported[i]?.toLowerCase()),
      )
      return fits ? null : `the image wants ${wanted.filter((item) => item !== undefined).join(' ')}, which it cannot run`
    },
  },
  {
    name: 'SameHostFilter',
    why: ({ host }, { sameHosts }) =>
      sameHosts === null || sameHosts.includes(host) ? null : 'the servers of the same_host hint are elsewhere',
  },
  {
    name: 'DifferentHostFilter',
    why: ({ host }, { differentHosts }) => (differentHosts?.includes(host) ? 'a server of the different_host hint is here' : null),
  },
  {
    name: 'ComputeCapabilitiesFilter',
    why: (host, { flavor }) => {
      const facts = factsOf(host)
      for (const [key, wanted] of Object.entries(flavor.extraSpecs)) {
        if (plainSpecs.includes(key)) continue
        const path = key.split(':')
        if (path.length > 1 && path[0] !== capabilityScope) continue
        const name = path[0] === capabilityScope ? path.slice(1) : path
        const value = factAt(facts, name)
        if (value === undefined || !meetsSpec(value, wanted)) return `the flavor wants ${name.join(':')} ${wanted}, which it has not`
      }
      return null
    },
  },
  {
    name: 'ServerGroupAntiAffinityFilter',
    why: ({ host }, { group }) => {
      if (group?.policy !== 'anti-affinity') return null
      const count = group.members.get(host) ?? 0
      return count < group.maxServerPerHost ? null : `it has ${count} servers of the group, of at most ${group.maxServerPerHost}`
    },
  },
  {
    name: 'ServerGroupAffinityFilter',
    why: ({ host }, { group }) =>
      group?.policy !== 'affinity' || group.members.size === 0 || group.members.has(host) ? null : 'the servers of the group are elsewhere',
  },
  {
    name: 'NumInstancesFilter',
    why: ({ servers }, _request, { maxInstancesPerHost }) => tooMany(servers, maxInstancesPerHost, 'servers'),
  },
  {
    name: 'IoOpsFilter',
    why: ({ building }, _request, { maxIoOpsPerHost }) => tooMany(building, maxIoOpsPerHost, 'servers being built'),
  },
  {
    name: 'JsonFilter',
    why: (host, { query }) => {
      const asks = queryOf(query)
      if (typeof asks === 'string') return `the query hint cannot be read: ${asks}`
      try {
        return asks === null || asks(factsOf(host)) ? null : 'the query hint does not match'
      } catch (error) {
        return `the query hint cannot be read: ${messageOf(error)}`
      }
    },
  },
  {
    name: 'AllHostsFilter',
    why: () => null,
  },
  {
    name: 'IsolatedHostsFilter',
    why: ({ host }, { imageId }, { isolatedHosts, isolatedImages, restrictIsolatedHostsToIsolatedImages: restrict }) => {
      const isForImage = imageId !== null && isolatedImages.includes(imageId)
      const isIsolated = isolatedHosts.includes(host)
      if (isForImage && !isIsolated) return 'the image runs on isolated hosts alone'
      return isIsolated && !isForImage && restrict ? 'it is for isolated images alone' : null
    },
  },
  {
    name: 'SimpleCIDRAffinityFilter',
    why: ({ resources }, { nearIp }) => {
      if (nearIp === null) return null
      const { address, prefix } = nearIp
      const bits = Number(prefix)
      const family = isIP(address)
      if (family === 0 || !/^\d{1,3}$/.test(prefix) || bits > (family === 4 ? 32 : 128))
        return 'the build_near_host_ip or cidr hint cannot be read'
      const near = new BlockList()
      near.addSubnet(address, bits, family === 4 ? 'ipv4' : 'ipv6')
      const isNear = near.check(resources.hostIp, isIP(resources.hostIp) === 6 ? 'ipv6' : 'ipv4')
      return isNear ? null : `its address ${resources.hostIp} is not in ${address}/${prefix}`
    },
  },
  metricsFilter,
  ...aggregateFilters,
]

/** Enabled unless the operator says otherwise: Nova's, and those of hints. */
export const defaultFilters: readonly string[] = [
  'ComputeFilter',
  'ComputeCapabilitiesFilter',
  'ImagePropertiesFilter',
  'ServerGroupAntiAffinityFilter',
  'ServerGroupAffinityFilter',
  'SameHostFilter',
  'DifferentHostFilter',
]

export const allFilters = 'nova.scheduler.filters.all_filters'
const known: ReadonlyMap<string, Filter> = new Map([...guards, ...filters].map((filter) => [filter.name, filter]))
/** Of older releases: placement counts and remembers what they did. */
const gone = /^(Aggregate|Exact)?(Ram|Core|Disk)Filter$|^(Retry|TypeAffinity|Trusted|BaremetalExact.*)Filter$/

/** @throws {Error} for a filter that nobody knows. */
export function filterName(name: string): string {
  if (known.has(name)) return name
  throw new Error(
    gone.test(name)
      ? `the filter ${name} is gone from Nova, placement does its work: leave it out`
      : `there is no filter ${name}; there are ${[...known.keys()].sort().join(', ')}`,
  )
}

/** The filters of an item of `available_filters`: a class's name, or all. @throws {Error} as {@link filterName}. */
export const availableFilterNames = (item: string): string[] =>
  item === allFilters || item === 'nova.scheduler.filters.standard_filters' ? [...known.keys()] : [filterName(item.split('.').at(-1) ?? '')]

/**
 * What is looked at for each server: first what nobody can switch off, then what the operator enables.
 * @throws {Error} for a filter that is enabled and not available.
 */
export function chosenFilters({
  enabledFilters,
  availableFilters,
}: {
  enabledFilters: readonly string[]
  availableFilters: readonly string[]
}): {
  guards: readonly Filter[]
  enabled: readonly Filter[]
} {
  const available = new Set(availableFilters.flatMap(availableFilterNames))
  const wrong = enabledFilters.find((name) => !available.has(filterName(name)))
  if (wrong !== undefined) throw new Error(`[filter_scheduler] enabled_filters: ${wrong} is not among available_filters`)
  const isGuard = new Set(guards.map(({ name }) => name))
  return { guards, enabled: enabledFilters.flatMap((name) => (isGuard.has(name) ? [] : (known.get(name) ?? []))) }
}
