/**
 * Limits and small wishes of a guest in its definition.
 *
 * @see https://libvirt.org/formatdomain.html
 */
import type { GuestTuning, NicBandwidth } from '../specs.ts'
import { el, type Xml } from './xml.ts'

type Maybe = Xml | null

export const untuned: GuestTuning = {
  topology: null,
  watchdog: null,
  hidesHypervisor: false,
  pmu: null,
  bootMenu: false,
  videoRamMib: null,
  rngRate: null,
  cpu: { shares: null, periodUs: null, quotaUs: null },
  disk: {},
}

export const topologyXml = (topology: GuestTuning['topology']): Maybe => topology && el('topology', { ...topology })

export function cpuTuneXml({ shares, periodUs, quotaUs }: GuestTuning['cpu']): Maybe {
  if (shares === null && periodUs === null && quotaUs === null) return null
  return el(
    'cputune',
    {},
    shares !== null && el('shares', {}, shares),
    periodUs !== null && el('period', {}, periodUs),
    quotaUs !== null && el('quota', {}, quotaUs),
  )
}

export function ioTuneXml(disk: GuestTuning['disk']): Maybe {
  const limits = Object.entries(disk)
  return limits.length === 0
    ? null
    : el(
        'iotune',
        {},
        limits.map(([name, limit]) => el(name, {}, limit)),
      )
}

/** In KiB a second; `burst` in KiB. */
export function bandwidthXml(bandwidth: NicBandwidth | null): Maybe {
  if (!bandwidth) return null
  const way = (name: 'inbound' | 'outbound') => {
    const limit = bandwidth[name]
    if (!limit) return null
    const { average, peak, burst } = limit
    return el(name, { average, peak, burst })
  }
  return el('bandwidth', {}, way('inbound'), way('outbound'))
}

export const rngRateXml = (rate: GuestTuning['rngRate']): Maybe => rate && el('rate', { bytes: rate.bytes, period: rate.periodMs })

export const watchdogXml = (action: GuestTuning['watchdog']): Maybe => action && el('watchdog', { model: 'i6300esb', action })

/** Of real processors alone: under emulation a guest sees neither. */
export const processorFeaturesXml = ({ hidesHypervisor, pmu }: GuestTuning, domainType: string): Maybe[] =>
  domainType === 'kvm'
    ? [
        hidesHypervisor ? el('kvm', {}, el('hidden', { state: 'on' })) : null,
        pmu === null ? null : el('pmu', { state: pmu ? 'on' : 'off' }),
      ]
    : []
