/**
 * What flavor and image ask of a guest beyond its sizes: processors' topology, a watchdog, limits.
 *
 * @see https://docs.openstack.org/nova/latest/configuration/extra-specs.html
 */
import { saysYes } from '../model/index.ts'
import type { CpuTopology, GuestTuning, NicSpec } from '../virt/index.ts'

type Pairs = Readonly<Record<string, string>>

const noLimit = 65_536
const positive = (text: string | undefined): number | null =>
  text !== undefined && /^\d{1,15}$/.test(text) && Number(text) > 0 ? Number(text) : null

/**
 * Sockets × cores × threads, as near to what is preferred as the limits and the number of processors let; rather sockets
 * than cores than threads. Of nothing asked `null`, where nothing fits `'impossible'`.
 */
export function topologyFor(vcpus: number, specs: Pairs, image: Pairs): CpuTopology | 'impossible' | null {
  const at = (prefix: string, part: string) => positive(image[`hw_${prefix}${part}`]) ?? positive(specs[`hw:${prefix}${part}`])
  const parts = ['sockets', 'cores', 'threads'] as const
  const most = parts.map((part) => at('cpu_max_', part) ?? noLimit)
  const ofImage = parts.map((part) => positive(image[`hw_cpu_${part}`]))
  const wanted = ofImage.some((each) => each !== null) ? ofImage : parts.map((part) => positive(specs[`hw:cpu_${part}`]))
  if ([...most.filter((each) => each !== noLimit), ...wanted.filter((each) => each !== null)].length === 0) return null
  let best: CpuTopology | null = null
  let bestScore = -1
  for (let threads = 1; threads <= Math.min(vcpus, most[2] ?? noLimit); threads += 1) {
    if (vcpus % threads !== 0) continue
    for (let cores = 1; cores <= Math.min(vcpus / threads, most[1] ?? noLimit); cores += 1) {
      const sockets = vcpus / threads / cores
      if (!Number.isInteger(sockets) || sockets > (most[0] ?? noLimit)) continue
      const score = [sockets, cores, threads].filter((each, i) => each === wanted[i]).length
      if (score <= bestScore) continue
      best = { sockets, cores, threads }
      bestScore = score
    }
  }
  return best ?? 'impossible'
}

const diskLimits = ['read_bytes', 'read_iops', 'write_bytes', 'write_iops', 'total_bytes', 'total_iops'].map((name) => `${name}_sec`)
const watchdogs = ['none', 'pause', 'poweroff', 'reset'] as const

export function guestTuning(vcpus: number, specs: Pairs, image: Pairs): GuestTuning {
  const topology = topologyFor(vcpus, specs, image)
  const action = image.hw_watchdog_action ?? specs['hw:watchdog_action']
  const pmu = image.hw_pmu ?? specs['hw:pmu']
  const rate = positive(specs['hw_rng:rate_bytes'])
  return {
    topology: topology === 'impossible' ? null : topology,
    watchdog: watchdogs.find((each) => each === action) ?? null,
    hidesHypervisor: [image.img_hide_hypervisor_id, specs['hw:hide_hypervisor_id'], specs.hide_hypervisor_id].some(saysYes),
    pmu: pmu === undefined ? null : saysYes(pmu),
    bootMenu: saysYes(image.hw_boot_menu) || saysYes(specs['hw:boot_menu']),
    videoRamMib: positive(image.hw_video_ram),
    rngRate: rate === null ? null : { bytes: rate, periodMs: positive(specs['hw_rng:rate_period']) },
    cpu: {
      shares: positive(specs['quota:cpu_shares']),
      periodUs: positive(specs['quota:cpu_period']),
      quotaUs: specs['quota:cpu_quota'] === '-1' ? -1 : positive(specs['quota:cpu_quota']),
    },
    disk: Object.fromEntries(
      diskLimits.flatMap((name) => {
        const limit = positive(specs[`quota:disk_${name}`])
        return limit === null ? [] : [[name, limit] as const]
      }),
    ),
  }
}

/** Of each interface, there from the start or attached later. */
export function nicTuning(vcpus: number, specs: Pairs, image: Pairs): Pick<NicSpec, 'queues' | 'bandwidth'> {
  const limit = (way: string) => {
    const average = positive(specs[`quota:vif_${way}_average`])
    return average === null
      ? null
      : { average, peak: positive(specs[`quota:vif_${way}_peak`]), burst: positive(specs[`quota:vif_${way}_burst`]) }
  }
  const [inbound, outbound] = [limit('inbound'), limit('outbound')]
  const hasMany = saysYes(specs['hw:vif_multiqueue_enabled']) || saysYes(image.hw_vif_multiqueue_enabled)
  return { queues: hasMany ? vcpus : 1, bandwidth: inbound || outbound ? { inbound, outbound } : null }
}
