/**
 * Filters that nobody can switch off: without them a server would be where it was not to be, or would lack what was asked
 * for without a word. Zones, projects and traits of aggregates are what Nova asks of placement before any filter.
 *
 * @see https://docs.openstack.org/nova/latest/admin/scheduling.html#prefilters
 */
import { type Aggregate, groupedSpecs } from '../model/index.ts'
import type { Filter } from './host-state.ts'
import { unmetDemand } from './unmet-demands.ts'

const traitKey = 'trait:'

const isolated = ({ metadata }: Aggregate, traits: ReadonlySet<string>): string[] =>
  Object.entries(metadata).flatMap(([key, value]) => {
    const name = key.slice(traitKey.length)
    return key.startsWith(traitKey) && value === 'required' && !traits.has(name) ? [name] : []
  })

const computeFilter: Filter = {
  name: 'ComputeFilter',
  why: ({ service }) => {
    if (service.disabled) return `the service is disabled (${service.disabledReason ?? 'no reason given'})`
    return service.up ? null : `the service is down, last seen ${service.lastSeenUp ?? 'never'}`
  },
}

export const guards: readonly Filter[] = [
  computeFilter,
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
    name: 'TenantAggregateFilter',
    why: ({ aggregates }, { tenantAggregates }) =>
      tenantAggregates === null || aggregates.some(({ id }) => tenantAggregates.has(id))
        ? null
        : "it is in none of the project's aggregates",
  },
  {
    name: 'IsolatedAggregateFilter',
    why: ({ aggregates }, { isolatingTraits }) => {
      if (isolatingTraits === null) return null
      const traits = aggregates.flatMap((aggregate) => isolated(aggregate, isolatingTraits))
      return traits.length === 0 ? null : `its aggregates are for servers that require ${traits.join(', ')}`
    },
  },
  {
    name: 'NUMATopologyFilter',
    why: (_host, { flavor, imageProperties }) => {
      const wish = unmetDemand('numa', flavor.extraSpecs, imageProperties)
      return wish === null ? null : `${wish} is asked for, and it has no NUMA topology to give`
    },
  },
  {
    name: 'PciPassthroughFilter',
    why: (_host, { flavor }) =>
      Object.hasOwn(flavor.extraSpecs, 'pci_passthrough:alias') ? 'the flavor wants PCI devices, and it gives none away' : null,
  },
  {
    name: 'GuestFeatureFilter',
    why: (_host, { flavor, imageProperties }) => {
      const wish = unmetDemand('feature', flavor.extraSpecs, imageProperties)
      return wish === null ? null : `${wish} is asked for, and no driver here can give it`
    },
  },
  {
    name: 'ResourceGroupFilter',
    why: (_host, { flavor }) => {
      const groups = groupedSpecs(flavor)
      return groups.length > 1 && flavor.extraSpecs.group_policy === 'isolate'
        ? `the flavor wants ${groups.length} groups of resources from providers apart, and it is one provider`
        : null
    },
  },
]
