/** What filters and weighers see of a host, and of what is asked. */
import type { Aggregate, Flavor, GroupPolicy, Service } from '../model/index.ts'
import type { HostResources } from '../virt/index.ts'

export type HostState = {
  readonly host: string
  readonly node: string
  /** The compute node's and its resource provider's. */
  readonly uuid: string
  readonly service: Service
  readonly resources: HostResources
  /** What placement has left to give. */
  readonly free: { readonly vcpus: number; readonly memoryMib: number; readonly diskGib: number }
  /** Servers being built on it now. */
  readonly building: number
  readonly servers: number
  /** Builds that failed there since the last that succeeded. */
  readonly failedBuilds: number
  readonly aggregates: readonly Aggregate[]
}

export type ScheduleRequest = {
  readonly instanceUuid: string
  readonly projectId: string
  readonly flavor: Flavor
  readonly imageId: string | null
  readonly zone: string | null
  readonly host: string | null
  readonly node: string | null
  /** Hosts that failed this server before. */
  readonly ignoreHosts: readonly string[]
  readonly imageProperties: Readonly<Record<string, string>>
  /** Hosts of the servers that a hint names. */
  readonly sameHosts: readonly string[] | null
  readonly differentHosts: readonly string[] | null
  /** The server's group, with how many of its other members each host has. */
  readonly group: {
    readonly policy: GroupPolicy
    readonly maxServerPerHost: number
    readonly members: ReadonlyMap<string, number>
  } | null
  /** The `query` hint. */
  readonly query: unknown
  /** The `build_near_host_ip` and `cidr` hints. */
  readonly nearIp: { readonly address: string; readonly prefix: string } | null
  /** For the project, when aggregates name any projects: their ids; `null` for no such limit. */
  readonly tenantAggregates: ReadonlySet<number> | null
  /** Traits that flavor and image require; `null` where aggregates don't isolate by them. */
  readonly isolatingTraits: ReadonlySet<string> | null
  /** How many servers of a host come from images with the same property. */
  readonly likeImages: (host: string, property: string) => number
}

/** What the operator sets for some filters. */
export type FilterOptions = {
  readonly maxInstancesPerHost: number
  readonly maxIoOpsPerHost: number
  readonly isolatedHosts: readonly string[]
  readonly isolatedImages: readonly string[]
  readonly restrictIsolatedHostsToIsolatedImages: boolean
  readonly imagePropertiesDefaultArchitecture: string
  readonly aggregateImagePropertiesIsolationNamespace: string
  readonly aggregateImagePropertiesIsolationSeparator: string
  /** Metrics that a host must report. */
  readonly metrics: readonly string[]
}

/** `why` is `null` for a host that passes. */
export type Filter = {
  readonly name: string
  readonly why: (host: HostState, request: ScheduleRequest, options: FilterOptions) => string | null
}

/** Under the names that Nova gives them, for queries and capabilities. Sizes are MiB where the name says `mb`, GiB where `gb`. */
export function factsOf({ host, node, uuid, service, resources, building, servers, failedBuilds }: HostState): Record<string, unknown> {
  return {
    host,
    uuid,
    nodename: node,
    hypervisor_hostname: node,
    hypervisor_type: resources.hypervisorType,
    hypervisor_version: resources.hypervisorVersion,
    host_ip: resources.hostIp,
    vcpus_total: resources.vcpus,
    total_usable_ram_mb: resources.memoryMib,
    free_ram_mb: resources.memoryMib - resources.memoryUsedMib,
    total_usable_disk_gb: resources.diskGib,
    free_disk_mb: (resources.diskGib - resources.diskUsedGib) * 1024,
    disk_mb_used: resources.diskUsedGib * 1024,
    cpu_info: resources.cpuInfo,
    supported_instances: resources.supportedInstances,
    num_instances: servers,
    num_io_ops: building,
    failed_builds: failedBuilds,
    service: { disabled: service.disabled, host: service.host, availability_zone: service.availabilityZone },
  }
}

/** Follows names into nested facts, own properties only; `undefined` for what is not there. */
export function factAt(facts: unknown, path: readonly string[]): unknown {
  let at = facts
  for (const name of path) {
    if (typeof at !== 'object' || at === null || Array.isArray(at) || !Object.hasOwn(at, name)) return undefined
    at = (at as Record<string, unknown>)[name]
  }
  return at
}

/** What the host's aggregates say of a key: a value may be a list with commas. */
export const aggregateValues = ({ aggregates }: Pick<HostState, 'aggregates'>, key: string): string[] =>
  aggregates.flatMap(({ metadata }) => (Object.hasOwn(metadata, key) ? (metadata[key] ?? '').split(',').map((value) => value.trim()) : []))

/** The least number that the host's aggregates say of a key, else what is configured. */
export function aggregateNumber(host: Pick<HostState, 'aggregates'>, key: string, configured: number): number {
  const numbers = aggregateValues(host, key).flatMap((text) => (text !== '' && Number.isFinite(Number(text)) ? [Number(text)] : []))
  return numbers.length === 0 ? configured : Math.min(...numbers)
}
