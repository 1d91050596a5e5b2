/**
 * Orders the hosts that passed, best first.
 *
 * A weigher's raw scores are stretched to 0..1 over the hosts at hand, so that a multiplier means the same for free
 * memory (MiB) as for a count of servers. Equals keep the order they came in.
 *
 * @see https://docs.openstack.org/nova/latest/admin/scheduling.html#weights
 */
import { aggregateNumber, type HostState, type ScheduleRequest } from './host-state.ts'

export type Weigher = {
  readonly name: string
  readonly multiplier: number
  /** What an aggregate's metadata calls the multiplier, to say another for its hosts. */
  readonly key: string
  readonly score: (host: HostState, request: ScheduleRequest) => number
}

export type WeigherOptions = {
  readonly ramWeightMultiplier: number
  readonly cpuWeightMultiplier: number
  readonly diskWeightMultiplier: number
  readonly ioOpsWeightMultiplier: number
  readonly softAffinityWeightMultiplier: number
  readonly softAntiAffinityWeightMultiplier: number
  readonly buildFailureWeightMultiplier: number
  readonly hypervisorVersionWeightMultiplier: number
  readonly numInstancesWeightMultiplier: number
  readonly imagePropsWeightMultiplier: number
  readonly imagePropsWeightSetting: readonly string[]
  readonly metrics: { readonly weightMultiplier: number; readonly weightSetting: readonly string[]; readonly weightOfUnavailable: number }
}

/** Hosts with what they weigh, best first. */
export function weigh(
  hosts: readonly HostState[],
  weighers: readonly Weigher[],
  request: ScheduleRequest,
): { host: HostState; weight: number }[] {
  const ranked = hosts.map((host) => ({ host, weight: 0 }))
  for (const { multiplier, key, score } of weighers) {
    const multipliers = hosts.map((host) => aggregateNumber(host, key, multiplier))
    if (multipliers.every((each) => each === 0)) continue
    const scores = hosts.map((host) => score(host, request))
    const low = Math.min(...scores)
    const span = Math.max(...scores) - low
    if (span <= 0) continue
    for (const [i, entry] of ranked.entries()) entry.weight += ((multipliers[i] ?? 0) * ((scores[i] ?? low) - low)) / span
  }
  return ranked.sort((a, b) => b.weight - a.weight)
}

export const rank = (hosts: readonly HostState[], weighers: readonly Weigher[], request: ScheduleRequest): HostState[] =>
  weigh(hosts, weighers, request).map(({ host }) => host)

export type Chance = { readonly shuffleBestSameWeighedHosts: boolean; readonly hostSubsetSize: number; readonly random: () => number }

/** Lets chance have its say among the best, so that schedulers and requests at once don't all fall upon one host. */
export function withChance(
  ranked: readonly { host: HostState; weight: number }[],
  { shuffleBestSameWeighedHosts, hostSubsetSize, random }: Chance,
): HostState[] {
  const hosts = ranked.map(({ host }) => host)
  const swap = (i: number, j: number) => {
    const [a, b] = [hosts[i], hosts[j]]
    if (a && b) [hosts[i], hosts[j]] = [b, a]
  }
  const below = (count: number) => Math.min(count - 1, Math.floor(random() * count))
  if (shuffleBestSameWeighedHosts) {
    const equals = ranked.filter(({ weight }) => weight === ranked[0]?.weight).length
    for (let i = equals - 1; i > 0; i -= 1) swap(i, below(i + 1))
  }
  const subset = Math.min(hostSubsetSize, hosts.length)
  if (subset > 1) hosts.unshift(...hosts.splice(below(subset), 1))
  return hosts
}

const membersOn = ({ host }: HostState, { group }: ScheduleRequest, policy: string): number =>
  group?.policy === policy ? (group.members.get(host) ?? 0) : 0

/** `name=number`, as settings of weighers have it. @throws {Error} for what is none. */
function ratio(item: string, what: string): [string, number] {
  const [name = '', value = '', ...rest] = item.split('=').map((part) => part.trim())
  if (name === '' || value === '' || rest.length > 0 || !Number.isFinite(Number(value)))
    throw new Error(`expected ${what}=number, got "${item}"`)
  return [name, Number(value)]
}
export const metricRatio = (item: string): [string, number] => ratio(item, 'metric')
export const propertyWeight = (item: string): [string, number] => ratio(item, 'property')

function likeness(settings: readonly string[]): Weigher['score'] {
  const weights = new Map(settings.map(propertyWeight))
  return (host, { imageProperties, likeImages }) => {
    let sum = 0
    for (const [name, value] of Object.entries(imageProperties)) {
      const weight = weights.size === 0 ? 1 : (weights.get(name) ?? 0)
      if (weight !== 0) sum += weight * likeImages(host.host, `${name}=${value}`)
    }
    return sum
  }
}

function metricSum({ weightSetting, weightOfUnavailable }: WeigherOptions['metrics']): Weigher['score'] {
  const ratios = weightSetting.map(metricRatio)
  return ({ resources: { metrics = {} } }) => {
    let sum = 0
    for (const [name, factor] of ratios) {
      const value = Object.hasOwn(metrics, name) ? metrics[name] : undefined
      if (value === undefined) return weightOfUnavailable
      sum += value * factor
    }
    return sum
  }
}

const weighersOf = (options: WeigherOptions): Weigher[] => [
  { name: 'RAMWeigher', key: 'ram_weight_multiplier', multiplier: options.ramWeightMultiplier, score: ({ free }) => free.memoryMib },
  { name: 'CPUWeigher', key: 'cpu_weight_multiplier', multiplier: options.cpuWeightMultiplier, score: ({ free }) => free.vcpus },
  { name: 'DiskWeigher', key: 'disk_weight_multiplier', multiplier: options.diskWeightMultiplier, score: ({ free }) => free.diskGib },
  { name: 'IoOpsWeigher', key: 'io_ops_weight_multiplier', multiplier: options.ioOpsWeightMultiplier, score: ({ building }) => building },
  {
    name: 'ServerGroupSoftAffinityWeigher',
    key: 'soft_affinity_weight_multiplier',
    multiplier: options.softAffinityWeightMultiplier,
    score: (host, request) => membersOn(host, request, 'soft-affinity'),
  },
  {
    name: 'ServerGroupSoftAntiAffinityWeigher',
    key: 'soft_anti_affinity_weight_multiplier',
    multiplier: options.softAntiAffinityWeightMultiplier,
    score: (host, request) => -membersOn(host, request, 'soft-anti-affinity'),
  },
  {
    name: 'BuildFailureWeigher',
    key: 'build_failure_weight_multiplier',
    multiplier: options.buildFailureWeightMultiplier,
    score: ({ failedBuilds }) => -failedBuilds,
  },
  {
    name: 'HypervisorVersionWeigher',
    key: 'hypervisor_version_weight_multiplier',
    multiplier: options.hypervisorVersionWeightMultiplier,
    score: ({ resources }) => resources.hypervisorVersion,
  },
  {
    name: 'NumInstancesWeigher',
    key: 'num_instances_weight_multiplier',
    multiplier: options.numInstancesWeightMultiplier,
    score: ({ servers }) => servers,
  },
  {
    name: 'ImagePropertiesWeigher',
    key: 'image_props_weight_multiplier',
    multiplier: options.imagePropsWeightMultiplier,
    score: likeness(options.imagePropsWeightSetting),
  },
  {
    name: 'MetricsWeigher',
    key: 'metrics_weight_multiplier',
    multiplier: options.metrics.weightSetting.length === 0 ? 0 : options.metrics.weightMultiplier,
    score: metricSum(options.metrics),
  },
]

export const allWeighers = 'nova.scheduler.weights.all_weighers'
/** Named by Nova, and here always without a say: no host gives PCI devices away, and there is one cell. */
const silentWeighers = ['PCIWeigher', 'CrossCellWeigher']
const weigherNames: readonly string[] = [
  'RAMWeigher',
  'CPUWeigher',
  'DiskWeigher',
  'IoOpsWeigher',
  'ServerGroupSoftAffinityWeigher',
  'ServerGroupSoftAntiAffinityWeigher',
  'BuildFailureWeigher',
  'HypervisorVersionWeigher',
  'NumInstancesWeigher',
  'ImagePropertiesWeigher',
  'MetricsWeigher',
]

/** A class's name without its module. @throws {Error} for a weigher that nobody knows. */
export function weigherName(item: string): string {
  const name = item.split('.').at(-1) ?? ''
  if (item !== allWeighers && !weigherNames.includes(name) && !silentWeighers.includes(name))
    throw new Error(`there is no weigher ${item}; there are ${weigherNames.join(', ')}`)
  return name
}

/** Those that the operator wants. */
export const chosenWeighers = (options: WeigherOptions, classes: readonly string[]): Weigher[] =>
  weighersOf(options).filter(({ name }) => classes.some((item) => item === allWeighers || weigherName(item) === name))
