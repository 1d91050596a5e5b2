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
import { filters, type HostState, type ScheduleRequest } from './filters.ts'
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
export type Scheduler = {
  /** @throws {NoValidHost} with each host's reason. */
  select(request: SelectRequest): Selection
}

/** What the user can do about it, by what turned the hosts away. */
const hints: Record<string, string> = {
  Placement:
    'There is not enough free CPU, memory or disk for this flavor; choose a smaller flavor or delete servers that are no longer needed.',
  ComputeFilter: 'No compute host is enabled and up.',
  AvailabilityZoneFilter: 'No host in the requested availability zone can take this server.',
  RequestedHostFilter: 'No further host can be tried.',
  ImagePropertiesFilter: "No host can run this image's architecture or hypervisor type.",
  SameHostFilter: 'The same_host hint cannot be met.',
  DifferentHostFilter: 'The different_host hint cannot be met.',
  TraitFilter: 'No host has all the traits that the flavor or the image requires.',
}

type SchedulerConfig = SectionValues<typeof filterSchedulerConfig>

export function makeScheduler(ground: Pick<Ground, 'config' | 'db'>, model: Model, placement: Placement): Scheduler {
  const limits = ground.config.get(schedulerConfig)
  const config = ground.config.get(filterSchedulerConfig)
  const enabled = config.enabledFilters.flatMap((name) => filters.find((filter) => filter.name === name) ?? [])
  const weighers = weighersOf(config)

  return {
    select(request) {
      return ground.db.transaction(() => {
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

        const scheduled = scheduleRequest(request, model)
        const passed: HostState[] = []
        for (const node of nodes) {
          const service = services.get(node.host)
          if (!service) continue
          const state = hostState(node, service, candidates.get(node.uuid)?.resources)
          const refusal =
            refuse(state, scheduled, enabled) ?? (candidates.has(node.uuid) ? null : placementRefusal(node, placement, question))
          if (refusal) rejections.push(refusal)
          else passed.push(state)
        }
        for (const host of rank(passed, weighers)) {
          try {
            placement.claim({ uuid: request.instanceUuid, projectId: request.projectId, userId: request.userId, type: 'INSTANCE' }, [
              { providerUuid: host.uuid, generation: candidates.get(host.uuid)?.generation, resources: wanted },
            ])
            return { host: host.host, node: host.node, nodeUuid: host.uuid, zone: host.service.availabilityZone }
          } catch (error) {
            if (!(error instanceof CloudError) || error.kind !== 'conflict') throw error
            rejections.push({ host: host.host, filter: 'Placement', reason: error.message })
          }
        }
        throw new NoValidHost(rejections, hintFor(rejections))
      })
    },
  }
}

function refuse(state: HostState, request: ScheduleRequest, enabled: readonly (typeof filters)[number][]): Rejection | null {
  for (const filter of enabled) {
    const reason = filter.why(state, request)
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

function scheduleRequest(request: SelectRequest, model: Model): ScheduleRequest {
  const { schedulerHints, pinnedZone, requestedHost, requestedNode } = request.spec
  const hostsOf = (hint: unknown): string[] | null => {
    if (hint === undefined) return null
    return [hint].flat().flatMap((uuid) => model.instances.find(String(uuid), { projectId: request.projectId, isAdmin: false })?.host ?? [])
  }
  return {
    instanceUuid: request.instanceUuid,
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
  }
}

const weighersOf = (config: SchedulerConfig): Weigher[] => [
  { name: 'RAMWeigher', multiplier: config.ramWeightMultiplier, score: ({ free }) => free.memoryMib },
  { name: 'CPUWeigher', multiplier: config.cpuWeightMultiplier, score: ({ free }) => free.vcpus },
  { name: 'DiskWeigher', multiplier: config.diskWeightMultiplier, score: ({ free }) => free.diskGib },
  { name: 'IoOpsWeigher', multiplier: config.ioOpsWeightMultiplier, score: ({ building }) => building },
]
