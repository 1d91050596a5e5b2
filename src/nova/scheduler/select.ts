/**
 * Finds a host for a server and claims its room: placement's candidates → filters → weighers → claim, by the provider's
 * generation. Who loses the race for the last room tries the next host.
 *
 * When no host will do, every host's reason goes to the operator and a sentence without names to the user.
 */
import type { SectionValues } from '../../base/config/index.ts'
import { CloudError } from '../../base/errors.ts'
import type { Ground } from '../../base/ground.ts'
import type { Placement } from '../../placement/index.ts'
import {
  type Aggregate,
  type ComputeNode,
  type Flavor,
  type Model,
  NoValidHost,
  type Rejection,
  type RequestSpec,
  resourcesOf,
  traitsOf,
} from '../model/index.ts'
import { filterSchedulerConfig, schedulerConfig } from './config.ts'
import { filters } from './filters.ts'
import type { Filter, HostState, ScheduleRequest } from './host-state.ts'
import { rank, type Weigher } from './weighers.ts'

export type SelectRequest = {
  instanceUuid: string
  projectId: string
  userId: string
  flavor: Flavor
  spec: RequestSpec
  imageProperties: Readonly<Record<string, string>>
  ignoreHosts: readonly string[]
}

export type Selection = { host: string; node: string; nodeUuid: string; zone: string }
type Ranked = HostState & { generation: number | undefined }
export type Scheduler = {
  /** Hosts that may take a server, best first; claims nothing. @throws {NoValidHost} with each host's reason. */
  rank(request: SelectRequest): Selection[]
  /** @throws {NoValidHost} with each host's reason. */
  select(request: SelectRequest): Selection
  /** Hosts whose builds fail come last until one succeeds; kept in memory only. */
  noteBuild(host: string, succeeded: boolean): void
}

/** What the user can do about it, by what turned the hosts away. */
const hints: Record<string, string> = {
  Placement:
    'There is not enough free CPU, memory or disk for this flavor; choose a smaller flavor or delete servers that are no longer needed.',
  ComputeFilter: 'No compute host is enabled and up.',
  AvailabilityZoneFilter: 'No host in the requested availability zone can take this server.',
  RequestedHostFilter: 'There is no other host that can be tried.',
  ImagePropertiesFilter: "No host can run this image's architecture or hypervisor type.",
  SameHostFilter: 'The same_host hint cannot be met.',
  DifferentHostFilter: 'The different_host hint cannot be met.',
  ComputeCapabilitiesFilter: 'No host has the capabilities that the flavor asks for.',
  ServerGroupAntiAffinityFilter: 'Every host has as many servers of the group as it may have.',
  ServerGroupAffinityFilter: 'The host of the other servers of the group cannot take this one.',
  NUMATopologyFilter: 'No host can give the NUMA topology, pinned processors or memory pages that are asked for.',
  PciPassthroughFilter: 'No host can give the PCI devices that are asked for.',
  NumInstancesFilter: 'Every host has as many servers as it may have.',
  AggregateNumInstancesFilter: 'Every host has as many servers as it may have.',
  IoOpsFilter: 'Every host is busy building servers; try again later.',
  AggregateIoOpsFilter: 'Every host is busy building servers; try again later.',
  JsonFilter: 'The query hint matches no host.',
  AggregateInstanceExtraSpecsFilter: 'No host is in an aggregate that has what the flavor asks for.',
  AggregateImagePropertiesIsolation: 'No host is in an aggregate that takes this image.',
  AggregateMultiTenancyIsolation: 'No host is open to this project.',
  TraitFilter: 'No host has all the traits that the flavor or the image requires.',
}

type SchedulerConfig = SectionValues<typeof filterSchedulerConfig>

export function makeScheduler(ground: Pick<Ground, 'config' | 'db'>, model: Model, placement: Placement): Scheduler {
  const limits = ground.config.get(schedulerConfig)
  const config = ground.config.get(filterSchedulerConfig)
  const enabled = config.enabledFilters.flatMap((name) => filters.find((filter) => filter.name === name) ?? [])
  const weighers = weighersOf(config)
  const failures = new Map<string, number>()

  return {
    noteBuild(host, succeeded) {
      if (succeeded) failures.delete(host)
      else failures.set(host, (failures.get(host) ?? 0) + 1)
    },
    rank: (request) => {
      const { ranked, rejections } = survey(request)
      if (ranked.length === 0) throw new NoValidHost(rejections, hintFor(rejections))
      return ranked.map(selectionOf)
    },
    select: (request) =>
      ground.db.transaction(() => {
        const { ranked, rejections } = survey(request)
        for (const host of ranked) {
          try {
            placement.claim({ uuid: request.instanceUuid, projectId: request.projectId, userId: request.userId, type: 'INSTANCE' }, [
              { providerUuid: host.uuid, generation: host.generation, resources: resourcesOf(request.flavor) },
            ])
            return selectionOf(host)
          } catch (error) {
            if (!(error instanceof CloudError) || error.kind !== 'conflict') throw error
            rejections.push({ host: host.host, filter: 'Placement', reason: error.message })
          }
        }
        throw new NoValidHost(rejections, hintFor(rejections))
      }),
  }

  /** Every host: those that may take the server, best first, and what turned away the others. */
  function survey(request: SelectRequest): { ranked: Ranked[]; rejections: Rejection[] } {
    const wanted = resourcesOf(request.flavor)
    const { required, forbidden } = traitsOf(request.flavor)
    const imageTraits = Object.entries(request.imageProperties).flatMap(([key, value]) =>
      key.startsWith('trait:') && value === 'required' ? [key.slice('trait:'.length)] : [],
    )
    const question = {
      resources: wanted,
      required: [...required, ...imageTraits],
      forbidden,
      memberOf: [],
      limit: limits.maxPlacementResults,
    }
    const candidates = new Map(placement.candidates(question).map((candidate) => [candidate.providerUuid, candidate]))
    const nodes = model.hosts.nodes()
    const services = new Map(model.hosts.services({ binary: 'nova-compute' }).map((service) => [service.host, service]))
    const rejections: Rejection[] = []

    const aggregates = model.aggregates.byHost()
    const scheduled = scheduleRequest(request, model, groupOf(request, nodes, model, placement))
    const passed: HostState[] = []
    for (const node of nodes) {
      const service = services.get(node.host)
      if (!service) continue
      const about = { aggregates: aggregates.get(node.host) ?? [], failedBuilds: failures.get(node.host) ?? 0 }
      const state = hostState(node, service, candidates.get(node.uuid)?.resources, about)
      const refusal =
        refuse(state, scheduled, enabled, config) ?? (candidates.has(node.uuid) ? null : placementRefusal(node, placement, question))
      if (refusal) rejections.push(refusal)
      else passed.push(state)
    }
    const ranked = rank(passed, weighers, scheduled).map((host) => ({ ...host, generation: candidates.get(host.uuid)?.generation }))
    return { ranked, rejections }
  }
}

const selectionOf = ({ host, node, uuid, service }: HostState): Selection => ({
  host,
  node,
  nodeUuid: uuid,
  zone: service.availabilityZone,
})

function refuse(state: HostState, request: ScheduleRequest, enabled: readonly Filter[], config: SchedulerConfig): Rejection | null {
  for (const filter of enabled) {
    const reason = filter.why(state, request, config)
    if (reason !== null) return { host: state.host, filter: filter.name, reason }
  }
  return null
}

function placementRefusal(node: ComputeNode, placement: Placement, question: Parameters<Placement['explain']>[0]): Rejection {
  const reasons = placement.explain({ ...question, inTree: node.uuid })
  const isTrait = reasons.length > 0 && reasons.every((reason) => /trait/i.test(reason))
  return { host: node.host, filter: isTrait ? 'TraitFilter' : 'Placement', reason: reasons.join('; ') || 'not enough room' }
}

/** The last thing that stood in the way: of the hosts that came furthest. */
function hintFor(rejections: readonly Rejection[]): string {
  if (rejections.length === 0) return 'No compute host has reported itself yet.'
  const order = [...Object.keys(hints)]
  const furthest = ['Placement', 'TraitFilter', ...order].find((name) => rejections.some(({ filter }) => filter === name))
  return hints[furthest ?? 'Placement'] ?? ''
}

/**
 * Where the other members of the server's group are: what they claimed counts as soon as it is claimed, so that two builds
 * at once see each other.
 */
function groupOf(
  { instanceUuid }: SelectRequest,
  nodes: readonly ComputeNode[],
  model: Model,
  placement: Placement,
): ScheduleRequest['group'] {
  const group = model.serverGroups.ofServer(instanceUuid)
  if (!group) return null
  const hostOfProvider = new Map(nodes.map(({ uuid, host }) => [uuid, host]))
  const hosts = model.serverGroups.hostsOf(group)
  const members = new Map<string, number>()
  for (const member of group.members) {
    if (member === instanceUuid) continue
    const claimed = placement.allocationsOf(member).flatMap(({ providerUuid }) => hostOfProvider.get(providerUuid) ?? [])
    for (const host of new Set([...claimed, ...(hosts.get(member) ?? [])])) members.set(host, (members.get(host) ?? 0) + 1)
  }
  return { policy: group.policy, maxServerPerHost: group.maxServerPerHost ?? 1, members }
}

function scheduleRequest(request: SelectRequest, model: Model, group: ScheduleRequest['group']): ScheduleRequest {
  const { schedulerHints, pinnedZone, requestedHost, requestedNode } = request.spec
  const hostsOf = (hint: unknown): string[] | null => {
    if (hint === undefined) return null
    return [hint].flat().flatMap((uuid) => model.instances.find(String(uuid), { projectId: request.projectId, isAdmin: false })?.host ?? [])
  }
  return {
    instanceUuid: request.instanceUuid,
    projectId: request.projectId,
    flavor: request.flavor,
    group,
    query: schedulerHints.query,
    zone: pinnedZone,
    host: requestedHost,
    node: requestedNode,
    ignoreHosts: request.ignoreHosts,
    imageProperties: request.imageProperties,
    sameHosts: hostsOf(schedulerHints.same_host),
    differentHosts: hostsOf(schedulerHints.different_host),
  }
}

function hostState(
  node: ComputeNode,
  service: HostState['service'],
  left: Record<string, { capacity: number; used: number }> | undefined,
  about: { aggregates: readonly Aggregate[]; failedBuilds: number },
): HostState {
  const free = (name: string) => (left?.[name] ? left[name].capacity - left[name].used : 0)
  return {
    host: node.host,
    node: node.hypervisorHostname,
    uuid: node.uuid,
    service,
    resources: node.resources,
    free: { vcpus: free('VCPU'), memoryMib: free('MEMORY_MB'), diskGib: free('DISK_GB') },
    building: node.building,
    servers: node.runningVms,
    ...about,
  }
}

const membersOn = ({ host }: HostState, { group }: ScheduleRequest, policy: string): number =>
  group?.policy === policy ? (group.members.get(host) ?? 0) : 0

const weighersOf = (config: SchedulerConfig): Weigher[] => [
  { name: 'RAMWeigher', key: 'ram_weight_multiplier', multiplier: config.ramWeightMultiplier, score: ({ free }) => free.memoryMib },
  { name: 'CPUWeigher', key: 'cpu_weight_multiplier', multiplier: config.cpuWeightMultiplier, score: ({ free }) => free.vcpus },
  { name: 'DiskWeigher', key: 'disk_weight_multiplier', multiplier: config.diskWeightMultiplier, score: ({ free }) => free.diskGib },
  { name: 'IoOpsWeigher', key: 'io_ops_weight_multiplier', multiplier: config.ioOpsWeightMultiplier, score: ({ building }) => building },
  {
    name: 'ServerGroupSoftAffinityWeigher',
    key: 'soft_affinity_weight_multiplier',
    multiplier: config.softAffinityWeightMultiplier,
    score: (host, request) => membersOn(host, request, 'soft-affinity'),
  },
  {
    name: 'ServerGroupSoftAntiAffinityWeigher',
    key: 'soft_anti_affinity_weight_multiplier',
    multiplier: config.softAntiAffinityWeightMultiplier,
    score: (host, request) => -membersOn(host, request, 'soft-anti-affinity'),
  },
  {
    name: 'BuildFailureWeigher',
    key: 'build_failure_weight_multiplier',
    multiplier: config.buildFailureWeightMultiplier,
    score: ({ failedBuilds }) => -failedBuilds,
  },
]
