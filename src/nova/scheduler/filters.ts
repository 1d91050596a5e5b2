/**
 * Filters: each lets a host pass or says, for the operator, why not. Names are Nova's.
 *
 * @see https://docs.openstack.org/nova/latest/admin/scheduling.html#filters
 */
import { messageOf } from '../../base/errors.ts'
import { aggregateFilters, tooMany } from './aggregate-filters.ts'
import { type Filter, factAt, factsOf } from './host-state.ts'
import { type HostQuery, parseQuery } from './json-query.ts'
import { meetsSpec } from './spec-match.ts'

const capabilityScope = 'capabilities'
/** What only a host with a NUMA topology could give, in flavors; images say it with an underscore. */
const numaSpec = /^hw[:_](numa_(nodes|cpus|mem)(\.\d+)?|mem_page_size|cpu_realtime(_mask)?|cpu_dedicated_mask|emulator_threads_policy)$/
const pinnedPolicy = /^hw[:_]cpu_policy$/

/** What cannot be read turns every host away, with the reason. */
function queryOf(hint: unknown): HostQuery | string | null {
  try {
    return parseQuery(hint)
  } catch (error) {
    return messageOf(error)
  }
}

export const filters: readonly Filter[] = [
  {
    name: 'ComputeFilter',
    why: ({ service }) => {
      if (service.disabled) return `the service is disabled (${service.disabledReason ?? 'no reason given'})`
      return service.up ? null : `the service is down, last seen ${service.lastSeenUp ?? 'never'}`
    },
  },
  {
    name: 'AvailabilityZoneFilter',
    why: ({ service }, { zone }) =>
      zone === null || zone === service.availabilityZone ? null : `it is in zone ${service.availabilityZone}, ${zone} was asked for`,
  },
  {
    name: 'RequestedHostFilter',
    why: ({ host, node }, request) => {
      if (request.host !== null && request.host !== host) return `host ${request.host} was asked for`
      if (request.node !== null && request.node !== node) return `node ${request.node} was asked for`
      return request.ignoreHosts.includes(host) ? 'it is not to be tried, or not again' : null
    },
  },
  {
    name: 'ImagePropertiesFilter',
    why: ({ resources }, { imageProperties }) => {
      const { architecture, hw_architecture, img_hv_type, hypervisor_type, hw_vm_mode, vm_mode } = imageProperties
      const wanted = [architecture ?? hw_architecture, img_hv_type ?? hypervisor_type, hw_vm_mode ?? vm_mode]
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
    name: 'NUMATopologyFilter',
    why: (_host, { flavor, imageProperties }) => {
      const wishes = [...Object.entries(flavor.extraSpecs), ...Object.entries(imageProperties)]
      const wish = wishes.find(([key, value]) => numaSpec.test(key) || (pinnedPolicy.test(key) && value !== 'shared'))
      return wish ? `${wish[0]} ${wish[1]} is asked for, and it has no NUMA topology to give` : null
    },
  },
  {
    name: 'PciPassthroughFilter',
    why: (_host, { flavor }) =>
      Object.hasOwn(flavor.extraSpecs, 'pci_passthrough:alias') ? 'the flavor wants PCI devices, and it gives none away' : null,
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
  ...aggregateFilters,
]

/** Enabled unless the operator says otherwise: Nova's, and those whose refusal spares a server that would not be as asked. */
export const defaultFilters: readonly string[] = [
  'ComputeFilter',
  'AvailabilityZoneFilter',
  'RequestedHostFilter',
  'ImagePropertiesFilter',
  'ComputeCapabilitiesFilter',
  'ServerGroupAntiAffinityFilter',
  'ServerGroupAffinityFilter',
  'SameHostFilter',
  'DifferentHostFilter',
  'NUMATopologyFilter',
  'PciPassthroughFilter',
]
