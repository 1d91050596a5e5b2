/**
 * Finds a host for a server and claims its room: placement's candidates → filters → weighers → claim, by the provider's
 * generation. Who loses the race for the last room tries the next host.
 *
 * When no host will do, every host's reason goes to the operator and a sentence without names to the user.
 */
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
} from '../model/index.ts'
import { filterSchedulerConfig, metricsConfig, schedulerConfig } from './config.ts'
import { chosenFilters, metricsFilter } from './filters.ts'
import { hintFor } from './hints.ts'
import type { Filter, FilterOptions, HostState, ScheduleRequest } from './host-state.ts'
import { ask, isolationOf, likeImagesOn, placementRefusal, questionOf } from './question.ts'
import { chosenWeighers, metricRatio, weigh, withChance } from './weighers.ts'

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

/** @throws {Error} for filters that are enabled and not available. */
export function makeScheduler(
  ground: Pick<Ground, 'config' | 'db'>,
  model: Model,
  placement: Placement,
  { random = Math.random }: { random?: () => number } = {},
): Scheduler {
  const limits = ground.config.get(schedulerConfig)
  const config = ground.config.get(filterSchedulerConfig)
  const metrics = ground.config.get(metricsConfig)
  const { guards, enabled } = chosenFilters(config)
  const weighers = chosenWeighers({ ...config, metrics }, config.weightClasses)
  const needed = metrics.weightSetting.map((item) => metricRatio(item)[0])
  const options: FilterOptions = { ...config, metrics: needed }
  const compares = metrics.required && needed.length > 0 && weighers.some(({ name }) => name === 'MetricsWeigher')
  const always = compares ? [...guards, metricsFilter] : guards
  const order = [...always, ...enabled].map(({ name }) => name)
  const knowsImages = enabled.some(({ name }) => name === 'IsolatedHostsFilter')
  const failures = new Map<string, number>()

  return {
    noteBuild(host, succeeded) {
      if (succeeded) failures.delete(host)
      else failures.set(host, (failures.get(host) ?? 0) + 1)
    },
    rank: (request) => {
      const { ranked, rejections } = survey(request)
      if (ranked.length === 0) throw new NoValidHost(rejections, hintFor(rejections, order))
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
        throw new NoValidHost(rejections, hintFor(rejections, order))
      }),
  }

  /** Every host: those that may take the server, best first, and what turned away the others. */
  function survey(request: SelectRequest): { ranked: Ranked[]; rejections: Rejection[] } {
    const nodes = model.hosts.nodes()
    const services = new Map(model.hosts.services({ binary: 'nova-compute' }).map((service) => [service.host, service]))
    const aggregates = model.aggregates.list()
    const instance = model.instances.find(request.instanceUuid)
    const question = questionOf(
      request,
      limits.queryPlacementForImageTypeSupport ? instance?.imageProperties.disk_format : undefined,
      limits,
    )
    const answer = ask(placement, question)
    const scheduled = scheduleRequest(request, model, groupOf(request, nodes, model, placement), {
      ...isolationOf(request, aggregates, question.required, limits),
      likeImages: likeImagesOn(model, request.instanceUuid),
      imageId: knowsImages ? (instance?.imageId ?? null) : null,
    })
    const { requestedHost, requestedNode, isForced } = request.spec
    const asked = isForced && (requestedHost !== null || requestedNode !== null) ? always : [...always, ...enabled]
    const rejections: Rejection[] = []
    const passed: HostState[] = []
    for (const node of nodes) {
      const service = services.get(node.host)
      if (!service) continue
      const about = { aggregates: aggregates.filter(({ hosts }) => hosts.includes(node.host)), failedBuilds: failures.get(node.host) ?? 0 }
      const candidate = answer.candidates.get(node.uuid)
      const state = hostState(node, service, candidate?.resources, about)
      const refusal =
        refuse(state, scheduled, asked, options) ?? (candidate ? null : placementRefusal(node, placement, question, answer.refusal))
      if (refusal) rejections.push(refusal)
      else passed.push(state)
    }
    const ranked = withChance(weigh(passed, weighers, scheduled), { ...config, random })
    return { ranked: ranked.map((host) => ({ ...host, generation: answer.candidates.get(host.uuid)?.generation })), rejections }
  }
}

const selectionOf = ({ host, node, uuid, service }: HostState): Selection => ({
  host,
  node,
  nodeUuid: uuid,
  zone: service.availabilityZone,
})

function refuse(state: HostState, request: ScheduleRequest, asked: readonly Filter[], options: FilterOptions): Rejection | null {
  for (const filter of asked) {
    const reason = filter.why(state, request, options)
    if (reason !== null) return { host: state.host, filter: filter.name, reason }
  }
  return null
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

function scheduleRequest(
  request: SelectRequest,
  model: Model,
  group: ScheduleRequest['group'],
  rest: Pick<ScheduleRequest, 'tenantAggregates' | 'isolatingTraits' | 'likeImages' | 'imageId'>,
): ScheduleRequest {
  const { schedulerHints, pinnedZone, requestedHost, requestedNode } = request.spec
  const { query, same_host: same, different_host: different, build_near_host_ip: near, cidr = '/24' } = schedulerHints
  const viewer = { projectId: request.projectId, isAdmin: false }
  const hostsOf = (hint: unknown): string[] | null =>
    hint === undefined ? null : [hint].flat().flatMap((uuid) => model.instances.find(String(uuid), viewer)?.host ?? [])
  return {
    instanceUuid: request.instanceUuid,
    projectId: request.projectId,
    flavor: request.flavor,
    group,
    query,
    nearIp: near === undefined ? null : { address: String(near), prefix: String(cidr).replace(/^\//, '') },
    zone: pinnedZone,
    host: requestedHost,
    node: requestedNode,
    ignoreHosts: request.ignoreHosts,
    imageProperties: request.imageProperties,
    sameHosts: hostsOf(same),
    differentHosts: hostsOf(different),
    ...rest,
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
