/**
 * Filters: each lets a host pass or says, for the operator, why not. Names are Nova's.
 *
 * @see https://docs.openstack.org/nova/latest/admin/scheduling.html#filters
 */
import type { Service } from '../model/index.ts'
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
}

export type ScheduleRequest = {
  readonly instanceUuid: string
  readonly zone: string | null
  readonly host: string | null
  readonly node: string | null
  /** Hosts that failed this server before. */
  readonly ignoreHosts: readonly string[]
  readonly imageProperties: Readonly<Record<string, string>>
  /** Hosts of the servers that a hint names. */
  readonly sameHosts: readonly string[] | null
  readonly differentHosts: readonly string[] | null
}

/** `why` is `null` for a host that passes. */
export type Filter = { readonly name: string; readonly why: (host: HostState, request: ScheduleRequest) => string | null }

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
      return request.ignoreHosts.includes(host) ? 'an earlier attempt failed there' : null
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
]
