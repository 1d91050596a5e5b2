/** Filters that read the metadata of a host's aggregates. */
import { aggregateNumber, aggregateValues, type Filter, type HostState } from './host-state.ts'
import { meetsSpec } from './spec-match.ts'

const specScope = 'aggregate_instance_extra_specs:'
const tenantKey = 'filter_tenant_id'

const keysOf = ({ aggregates }: HostState): string[] => [...new Set(aggregates.flatMap(({ metadata }) => Object.keys(metadata)))]

export const aggregateFilters: readonly Filter[] = [
  {
    name: 'AggregateInstanceExtraSpecsFilter',
    why: (host, { flavor }) => {
      for (const [key, wanted] of Object.entries(flavor.extraSpecs)) {
        if (key === 'group_policy' || key === 'hide_hypervisor_id') continue
        const isScoped = key.startsWith(specScope)
        if (!isScoped && key.includes(':')) continue
        const name = isScoped ? key.slice(specScope.length) : key
        const values = aggregateValues(host, name)
        if (!values.some((value) => meetsSpec(value, wanted)))
          return `the flavor wants ${name} ${wanted}, its aggregates say ${values.join(', ') || 'nothing'}`
      }
      return null
    },
  },
  {
    name: 'AggregateImagePropertiesIsolation',
    why: (host, { imageProperties }, options) => {
      const { aggregateImagePropertiesIsolationNamespace: namespace, aggregateImagePropertiesIsolationSeparator: separator } = options
      for (const key of keysOf(host)) {
        if (namespace !== '' && !key.startsWith(namespace + separator)) continue
        const found = Object.hasOwn(imageProperties, key) ? imageProperties[key] : undefined
        if (found !== undefined && !aggregateValues(host, key).includes(found))
          return `its aggregates take no images whose ${key} is ${found}`
      }
      return null
    },
  },
  {
    name: 'AggregateMultiTenancyIsolation',
    why: (host, { projectId }) => {
      const projects = keysOf(host)
        .filter((key) => key.startsWith(tenantKey))
        .flatMap((key) => aggregateValues(host, key))
      return projects.length === 0 || projects.includes(projectId) ? null : 'its aggregates are for other projects'
    },
  },
  {
    name: 'AggregateTypeAffinityFilter',
    why: (host, { flavor }) => {
      const names = aggregateValues(host, 'instance_type')
      return names.length === 0 || names.includes(flavor.name) ? null : `its aggregates are for the flavors ${names.join(', ')}`
    },
  },
  {
    name: 'AggregateNumInstancesFilter',
    why: (host, _request, { maxInstancesPerHost }) =>
      tooMany(host.servers, aggregateNumber(host, 'max_instances_per_host', maxInstancesPerHost), 'servers'),
  },
  {
    name: 'AggregateIoOpsFilter',
    why: (host, _request, { maxIoOpsPerHost }) =>
      tooMany(host.building, aggregateNumber(host, 'max_io_ops_per_host', maxIoOpsPerHost), 'servers being built'),
  },
]

/** Why a host that has this many takes no more. */
export const tooMany = (count: number, most: number, what: string): string | null =>
  count < most ? null : `it has ${count} ${what}, of at most ${most}`
