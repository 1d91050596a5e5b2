import { describe, expect, it } from 'vitest'
import { guestTuning, nicTuning, topologyFor } from './guest-tuning.ts'

describe('topologies', () => {
  it.each<[number, Record<string, string>, Record<string, string>, unknown]>([
    [4, {}, {}, null],
    [4, { 'hw:cpu_sockets': '2' }, {}, { sockets: 2, cores: 2, threads: 1 }],
    [4, { 'hw:cpu_max_sockets': '1' }, {}, { sockets: 1, cores: 4, threads: 1 }],
    [4, { 'hw:cpu_max_sockets': '1', 'hw:cpu_max_cores': '2' }, {}, { sockets: 1, cores: 2, threads: 2 }],
    [8, { 'hw:cpu_cores': '4', 'hw:cpu_threads': '2' }, {}, { sockets: 1, cores: 4, threads: 2 }],
    [8, { 'hw:cpu_cores': '4' }, { hw_cpu_sockets: '4' }, { sockets: 4, cores: 2, threads: 1 }],
    [3, { 'hw:cpu_threads': '2' }, {}, { sockets: 3, cores: 1, threads: 1 }],
    [4, { 'hw:cpu_max_sockets': '1', 'hw:cpu_max_cores': '1', 'hw:cpu_max_threads': '2' }, {}, 'impossible'],
  ])('%i processors with %j and %j: %j', (vcpus, specs, image, expected) => expect(topologyFor(vcpus, specs, image)).toEqual(expected))
})

it('reads limits and wishes, the image before its flavor', () => {
  const specs = {
    'hw:watchdog_action': 'reset',
    'quota:cpu_quota': '-1',
    'quota:disk_write_iops_sec': '10',
    'hw_rng:rate_bytes': '5',
    hide_hypervisor_id: 'true',
  }
  expect(guestTuning(1, specs, { hw_watchdog_action: 'pause', hw_pmu: 'false', hw_boot_menu: 'yes', hw_video_ram: '8' })).toEqual({
    topology: null,
    watchdog: 'pause',
    hidesHypervisor: true,
    pmu: false,
    bootMenu: true,
    videoRamMib: 8,
    rngRate: { bytes: 5, periodMs: null },
    cpu: { shares: null, periodUs: null, quotaUs: -1 },
    disk: { write_iops_sec: 10 },
  })
  expect(guestTuning(1, {}, { hw_watchdog_action: 'disabled' }).watchdog).toBeNull()
})

it.each<[Record<string, string>, Record<string, string>, unknown]>([
  [{}, {}, { queues: 1, bandwidth: null }],
  [{ 'hw:vif_multiqueue_enabled': 'true' }, {}, { queues: 4, bandwidth: null }],
  [{}, { hw_vif_multiqueue_enabled: 'yes' }, { queues: 4, bandwidth: null }],
  [
    { 'quota:vif_outbound_average': '7', 'quota:vif_inbound_peak': '9' },
    {},
    { queues: 1, bandwidth: { inbound: null, outbound: { average: 7, peak: null, burst: null } } },
  ],
])('an interface of a guest with four processors, %j and %j: %j', (specs, image, expected) =>
  expect(nicTuning(4, specs, image)).toEqual(expected),
)
