/** Hypervisors on the wire, by microversion. Memory is MiB, disk GiB. */
import { atLeast, field, type RequestContext, view } from '../../base/http/index.ts'
import type { ComputeNode, Service } from '../model/index.ts'

export type ShownHypervisor = {
  readonly node: ComputeNode
  readonly service: Service
  readonly vcpusUsed: number
  /** `null` when nobody asked for them. */
  readonly servers: readonly { name: string; uuid: string }[] | null
}

const idOf = (thing: { id: number; uuid: string }, context: RequestContext) => (atLeast(context, '2.53') ? thing.uuid : thing.id)

const summaryFields = {
  id: ({ node }: ShownHypervisor, context: RequestContext) => idOf(node, context),
  hypervisor_hostname: ({ node }: ShownHypervisor) => node.hypervisorHostname,
  state: ({ service }: ShownHypervisor) => (service.up ? 'up' : 'down'),
  status: ({ service }: ShownHypervisor) => (service.disabled ? 'disabled' : 'enabled'),
  /** An empty list is left out before 2.75. */
  servers: ({ servers }: ShownHypervisor, context: RequestContext) =>
    servers === null || (servers.length === 0 && !atLeast(context, '2.75')) ? undefined : servers,
}

export const hypervisorSummary = view<ShownHypervisor>(summaryFields)

const untilResources = { until: '2.87' }
const resource = (of: (shown: ShownHypervisor) => number) => field(of, untilResources)

export const hypervisorView = view<ShownHypervisor>({
  ...summaryFields,
  hypervisor_type: ({ node }) => node.resources.hypervisorType,
  hypervisor_version: ({ node }) => node.resources.hypervisorVersion,
  host_ip: ({ node }) => node.resources.hostIp,
  service: ({ service }, context) => ({ id: idOf(service, context), host: service.host, disabled_reason: service.disabledReason }),
  uptime: field(({ node, service }) => (service.up ? node.resources.uptime : null), { since: '2.88' }),
  cpu_info: field(
    ({ node: { resources } }, context) => (atLeast(context, '2.28') ? resources.cpuInfo : JSON.stringify(resources.cpuInfo)),
    untilResources,
  ),
  vcpus: resource(({ node }) => node.resources.vcpus),
  vcpus_used: resource(({ vcpusUsed }) => vcpusUsed),
  memory_mb: resource(({ node }) => node.resources.memoryMib),
  memory_mb_used: resource(({ node }) => node.resources.memoryUsedMib),
  free_ram_mb: resource(({ node: { resources } }) => resources.memoryMib - resources.memoryUsedMib),
  local_gb: resource(({ node }) => node.resources.diskGib),
  local_gb_used: resource(({ node }) => node.resources.diskUsedGib),
  free_disk_gb: resource(({ node: { resources } }) => resources.diskGib - resources.diskUsedGib),
  disk_available_least: resource(({ node }) => node.resources.diskAvailableLeastGib),
  current_workload: resource(({ node }) => node.building),
  running_vms: resource(({ node }) => node.runningVms),
})
