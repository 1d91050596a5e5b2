/**
 * Flavor and image together: what they ask of the guest must make sense before a server is made of them, whether or not a
 * host could give it. Flavors say `hw:name`, images `hw_name`; where both do, an image may narrow what its flavor says.
 *
 * @see https://docs.openstack.org/nova/latest/configuration/extra-specs.html
 */
import { invalid } from '../../base/errors.ts'
import { topologyFor } from '../compute/index.ts'
import { type Flavor, saysYes } from '../model/index.ts'
import { processorSet } from './processor-set.ts'

export type WishingImage = { readonly name: string; readonly properties: Readonly<Record<string, string>> }
type Wishes = { readonly flavor: Flavor; readonly image: WishingImage | null }
type Pair = { readonly flavor: string | undefined; readonly image: string | undefined }

const noLimit = 65_536

const wishOf = ({ flavor, image }: Wishes, name: string, namespace = 'hw'): Pair => ({
  flavor: flavor.extraSpecs[`${namespace}:${name}`],
  image: image?.properties[`${namespace}_${name}`],
})

/** @throws {CloudError} `invalid`, in Nova's words. */
export function checkGuestWishes(flavor: Flavor, image: WishingImage | null): void {
  const wishes = { flavor, image }
  for (const name of ['pmu', 'vif_multiqueue_enabled', 'virtio_packed_ring', 'mem_encryption', 'locked_memory'])
    checkSame(wishes, name, saysYes)
  for (const name of ['mem_encryption_model', 'tpm_version', 'tpm_model', 'sound_model', 'usb_model', 'maxphysaddr_mode', 'viommu_model'])
    checkSame(wishes, name, (text) => text)
  checkSame(wishes, 'secure_boot', (text) => text, 'os')
  checkProcessors(wishes)
  checkMemory(wishes)
  checkNuma(wishes)
  checkTopology(wishes)
  checkVideo(wishes)
  checkSerialPorts(wishes)
  const alias = flavor.extraSpecs['pci_passthrough:alias']
  if (alias !== undefined) throw invalid(`PCI alias ${alias.split(':')[0]?.trim()} is not defined`)
}

function checkSame(wishes: Wishes, name: string, meaning: (text: string) => unknown, namespace = 'hw'): void {
  const { flavor, image } = wishOf(wishes, name, namespace)
  if (flavor === undefined || image === undefined || meaning(flavor) === meaning(image)) return
  throw invalid(
    `Flavor ${wishes.flavor.name} has ${namespace}:${name} extra spec explicitly set to ${flavor}, conflicting with image ${wishes.image?.name} which has ${namespace}_${name} explicitly set to ${image}.`,
  )
}

const policies = ['dedicated', 'shared', 'mixed']
const threadPolicies = ['prefer', 'isolate', 'require']

/** What the flavor says, or the image, each among those allowed. */
function choiceOf(wishes: Wishes, name: string, allowed: readonly string[], what: string): Pair {
  const found = wishOf(wishes, name)
  for (const [source, value] of [
    ['flavor extra specs', found.flavor],
    ['image properties', found.image],
  ]) {
    if (value !== undefined && !allowed.includes(value))
      throw invalid(`${what} requested from '${source}' is invalid, given: '${value}', available: '${allowed.join(', ')}'.`)
  }
  return found
}

function policyOf(wishes: Wishes): string | null {
  const { flavor, image } = choiceOf(wishes, 'cpu_policy', policies, 'CPU policy')
  const overrides =
    (flavor === 'shared' && (image === 'dedicated' || image === 'mixed')) ||
    (flavor === 'mixed' && image === 'dedicated') ||
    (flavor === 'dedicated' && image === 'mixed')
  if (overrides) throw invalid("Image property 'hw_cpu_policy' is not permitted to override CPU pinning policy set against the flavor")
  return flavor ?? image ?? null
}

function threadPolicyOf(wishes: Wishes): string | null {
  const { flavor, image } = choiceOf(wishes, 'cpu_thread_policy', threadPolicies, 'CPU thread policy')
  if (flavor !== undefined && flavor !== 'prefer' && image !== undefined && image !== flavor)
    throw invalid("Image property 'hw_cpu_thread_policy' is not permitted to override CPU thread pinning policy set against the flavor")
  return flavor === undefined || flavor === 'prefer' ? (image ?? flavor ?? null) : flavor
}

/** A list such as `0-2` or `^0`, of the flavor's processors. */
const maskOf = (mask: string, vcpus: number): Set<number> => processorSet(mask.trim().startsWith('^') ? `0-${vcpus - 1},${mask}` : mask)
const isWithin = (part: ReadonlySet<number>, vcpus: number): boolean => [...part].every((each) => each < vcpus)

function checkProcessors(wishes: Wishes): void {
  const { flavor } = wishes
  const specs = flavor.extraSpecs
  const named = policyOf(wishes)
  const threads = threadPolicyOf(wishes)
  const emulator = specs['hw:emulator_threads_policy']
  if (emulator !== undefined && emulator !== 'isolate' && emulator !== 'share')
    throw invalid(`CPU emulator threads option requested is invalid, given: '${emulator}', available: 'isolate, share'.`)
  const realtime = realtimeOf(wishes, emulator)
  const dedicated = specs['hw:cpu_dedicated_mask']
  const hasMask = dedicated !== undefined && dedicated !== ''
  if (hasMask) checkDedicated(dedicated, flavor.vcpus)
  const amounts = (name: string) =>
    Object.entries(specs).reduce(
      (sum, [key, value]) => (key.startsWith('resources') && key.endsWith(`:${name}`) ? sum + (Number(value) || 0) : sum),
      0,
    )
  const [vcpus, pcpus] = [amounts('VCPU'), amounts('PCPU')]
  if (named !== null && (vcpus > 0 || pcpus > 0))
    throw invalid(
      "It is not possible to use the 'resources:VCPU' or 'resources:PCPU' extra specs in combination with the 'hw:cpu_policy' extra spec or 'hw_cpu_policy' image metadata property; use one or the other",
    )
  if (vcpus > 0 && pcpus > 0)
    throw invalid("It is not possible to specify both 'resources:VCPU' and 'resources:PCPU' extra specs; use one or the other")
  if (threads !== null && [specs['trait:HW_CPU_HYPERTHREADING'], wishes.image?.properties['trait:HW_CPU_HYPERTHREADING']].some(Boolean))
    throw invalid(
      "It is not possible to use the 'trait:HW_CPU_HYPERTHREADING' extra spec in combination with the 'hw:cpu_thread_policy' extra spec or 'hw_cpu_thread_policy' image metadata property; use one or the other",
    )
  const policy = pcpus > 0 ? 'dedicated' : (named ?? 'shared')
  if (policy === 'shared') {
    if (threads !== null) throw invalid('Cannot set cpu thread pinning policy in a non dedicated cpu pinning policy')
    if (emulator === 'isolate') throw invalid('An isolated CPU emulator threads option requires a dedicated CPU policy option.')
  }
  if (hasMask && policy !== 'mixed') throw invalid("Cannot specify 'hw:cpu_dedicated_mask' without the 'mixed' policy.")
  if (realtime && policy === 'shared') throw invalid('Cannot set realtime policy in a non dedicated cpu pinning policy')
  if (policy === 'mixed' && realtime === hasMask)
    throw invalid(
      "Dedicated CPU set can be specified from either 'hw:cpu_dedicated_mask' or 'hw:cpu_realtime_mask' when using 'mixed' CPU policy. 'hw:cpu_dedicated_mask' and 'hw:cpu_realtime_mask' can not be specified at the same time, or be specified with none of them.",
    )
}

function checkDedicated(mask: string, vcpus: number): void {
  const pinned = maskOf(mask, vcpus)
  const unpinned = Array.from({ length: vcpus }, (_, i) => i).filter((each) => !pinned.has(each))
  if (pinned.size === 0 || unpinned.length === 0)
    throw invalid("Mixed instance must have at least 1 pinned vCPU and 1 unpinned vCPU. See 'hw:cpu_dedicated_mask'.")
  if (!isWithin(pinned, vcpus))
    throw invalid('Mixed instance dedicated vCPU(s) mask is not a subset of vCPUs in the flavor. See "hw:cpu_dedicated_mask"')
}

function realtimeOf(wishes: Wishes, emulator: string | undefined): boolean {
  const { vcpus, extraSpecs } = wishes.flavor
  if (!saysYes(extraSpecs['hw:cpu_realtime'])) return false
  const masks = wishOf(wishes, 'cpu_realtime_mask')
  const mask = masks.image ?? masks.flavor
  const chosen = mask ? maskOf(mask, vcpus) : processorSet(`0-${vcpus - 1}`)
  if (chosen.size === 0 || (chosen.size === vcpus && isWithin(chosen, vcpus) && emulator === undefined))
    throw invalid('Use of realtime CPUs requires either one or more non-realtime CPU(s) or offloaded emulator threads.')
  if (!isWithin(chosen, vcpus))
    throw invalid(
      'Realtime policy vCPU(s) mask is configured with RT vCPUs that are not a subset of the vCPUs in the flavor. See hw:cpu_realtime_mask or hw_cpu_realtime_mask',
    )
  return true
}

const pageSize = /^(any|large|small|\d+([kKMGT]i?)?(b|bit|B)?)$/

function checkMemory(wishes: Wishes): void {
  const { flavor, image } = wishOf(wishes, 'mem_page_size')
  for (const size of [flavor, image]) if (size !== undefined && !pageSize.test(size)) throw invalid(`Invalid memory page size '${size}'`)
  if (image !== undefined && flavor !== 'any' && flavor !== 'large')
    throw invalid(`Page size ${image} forbidden against '${flavor ?? '<empty>'}'`)
  const locked = wishOf(wishes, 'locked_memory')
  if ((saysYes(locked.flavor) || saysYes(locked.image)) && flavor === undefined)
    throw invalid('locked_memory value in image or flavor is forbidden when mem_page_size is not set.')
}

/** `hw:numa_cpus.0`, `hw:numa_cpus.1` … of the flavor, else of the image. */
function listOf(wishes: Wishes, name: string): string[] {
  const flavor = series((i) => wishes.flavor.extraSpecs[`hw:${name}.${i}`])
  const image = series((i) => wishes.image?.properties[`hw_${name}.${i}`])
  if (flavor.length > 0 && image.length > 0) throw overriding(`hw_${name}`)
  return flavor.length > 0 ? flavor : image
}
const overriding = (name: string) =>
  invalid(`Image property '${name}' is not permitted to override NUMA configuration set against the flavor`)

function series(at: (index: number) => string | undefined): string[] {
  const found: string[] = []
  for (let value = at(0); value !== undefined; value = at(found.length)) found.push(value)
  return found
}

function checkNuma(wishes: Wishes): void {
  const { vcpus, memoryMib } = wishes.flavor
  const asked = wishOf(wishes, 'numa_nodes')
  if (asked.flavor !== undefined && asked.image !== undefined) throw overriding('hw_numa_nodes')
  const text = asked.flavor ?? asked.image
  if (text === undefined) return
  const nodes = /^\d{1,5}$/.test(text) ? Number(text) : 0
  if (nodes < 1) throw invalid(`The property 'numa_nodes' cannot be '${text}'. It must be a number greater than 0`)
  const [cpus, memory] = [listOf(wishes, 'numa_cpus'), listOf(wishes, 'numa_mem')]
  if (cpus.length === 0 && memory.length === 0) {
    if (vcpus % nodes === 0 && memoryMib % nodes === 0) return
    throw invalid(
      'Instance CPUs and/or memory cannot be evenly distributed across instance NUMA nodes. Explicit assignment of CPUs and memory to nodes is required',
    )
  }
  if (cpus.length !== nodes || memory.length !== nodes) throw invalid('CPU and memory allocation must be provided for all NUMA nodes')
  const given = new Set<number>()
  for (const cpu of cpus.flatMap((each) => [...processorSet(each)])) {
    if (cpu >= vcpus) throw invalid(`CPU number ${cpu} is larger than max ${vcpus - 1}`)
    if (given.has(cpu)) throw invalid(`CPU number ${cpu} is assigned to two nodes`)
    given.add(cpu)
  }
  const left = Array.from({ length: vcpus }, (_, i) => i).filter((each) => !given.has(each))
  if (left.length > 0) throw invalid(`CPU number ${left.join(',')} is not assigned to any node`)
  const total = memory.reduce((sum, each) => sum + Number(each), 0)
  if (total !== memoryMib) throw invalid(`${total} MB of memory assigned, but expected ${memoryMib} MB`)
}

const parts = ['sockets', 'cores', 'threads'] as const
type Topology = readonly [number, number, number]

function topologyOf(wishes: Wishes, prefix: string): { flavor: Topology; image: Topology } {
  const read = (text: string | undefined): number => {
    if (text === undefined || text === '') return 0
    if (!/^\d{1,9}$/.test(text)) throw invalid(`Invalid flavor extra spec. Error: invalid literal for int() with base 10: '${text}'`)
    return Number(text)
  }
  const of = (side: 'flavor' | 'image') => parts.map((part) => read(wishOf(wishes, `${prefix}${part}`)[side])) as unknown as Topology
  return { flavor: of('flavor'), image: of('image') }
}

const inWords = ([sockets, cores, threads]: Topology): string => `(sockets=${sockets}, cores=${cores}, threads=${threads})`
const exceeds = (one: Topology, limits: Topology): boolean => one.some((each, i) => each > (limits[i] ?? 0))

function checkTopology(wishes: Wishes): void {
  const most = topologyOf(wishes, 'cpu_max_')
  if (most.image.some((each, i) => (most.flavor[i] ?? 0) > 0 && each > (most.flavor[i] ?? 0)))
    throw invalid(`Image vCPU topology limits ${inWords(most.image)} exceeds the limits of the flavor ${inWords(most.flavor)}`)
  const limits = parts.map((_, i) => most.image[i] || most.flavor[i] || noLimit) as unknown as Topology
  const { image } = topologyOf(wishes, 'cpu_')
  if (topologyFor(wishes.flavor.vcpus, wishes.flavor.extraSpecs, wishes.image?.properties ?? {}) === 'impossible')
    throw invalid(`Requested vCPU limits ${limits.join(':')} are impossible to satisfy for vcpus count ${wishes.flavor.vcpus}`)
  if (exceeds(image, limits))
    throw invalid(`Image vCPU topology ${inWords(image)} exceeds the limits of the flavor or image ${inWords(limits)}`)
}

function checkVideo({ flavor, image }: Wishes): void {
  const [asked, most] = [Number(image?.properties.hw_video_ram ?? 0), Number(flavor.extraSpecs['hw_video:ram_max_mb'] ?? 0)]
  if (asked > most) throw invalid(`The requested amount of video memory ${asked} is higher than the maximum allowed by flavor ${most}.`)
}

function checkSerialPorts(wishes: Wishes): void {
  const { flavor, image } = wishOf(wishes, 'serial_port_count')
  if (flavor !== undefined && !/^\d{1,9}$/.test(flavor))
    throw invalid(`Number of serial ports specified in flavor is invalid: expected an integer, got '${flavor}'`)
  if (Number(flavor) > 0 && Number(image) > Number(flavor))
    throw invalid('Forbidden to exceed flavor value of number of serial ports passed in image meta.')
}
