import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { loadConfig } from '../../base/config/index.ts'
import type { Aggregate, Flavor } from '../model/index.ts'
import { filterSchedulerConfig, metricsConfig } from './config.ts'
import { chosenFilters, defaultFilters, filters } from './filters.ts'
import { guards } from './guards.ts'
import type { FilterOptions, HostState, ScheduleRequest } from './host-state.ts'
import { parseQuery } from './json-query.ts'
import { meetsSpec, meetsVersion } from './spec-match.ts'
import { chosenWeighers, rank, type WeigherOptions, weigh, withChance } from './weighers.ts'

const options: FilterOptions = {
  maxInstancesPerHost: 50,
  maxIoOpsPerHost: 8,
  isolatedHosts: [],
  isolatedImages: [],
  restrictIsolatedHostsToIsolatedImages: true,
  imagePropertiesDefaultArchitecture: '',
  metrics: [],
  aggregateImagePropertiesIsolationNamespace: '',
  aggregateImagePropertiesIsolationSeparator: '.',
}
const aggregate = (metadata: Record<string, string>) => ({ id: 1, metadata }) as unknown as Aggregate
const resources = {
  hypervisorType: 'QEMU',
  hypervisorVersion: 8002000,
  hostIp: '192.0.2.7',
  vcpus: 8,
  memoryMib: 8192,
  memoryUsedMib: 4096,
  diskGib: 100,
  diskUsedGib: 10,
  cpuInfo: { arch: 'x86_64', features: ['sse', 'avx2'] },
  supportedInstances: [['x86_64', 'qemu', 'hvm']],
}
const host = (over: Partial<HostState> = {}, ...metadata: Record<string, string>[]): HostState =>
  ({
    host: 'host1',
    node: 'host1',
    service: { disabled: false, up: true, availabilityZone: 'nova' },
    resources,
    building: 0,
    servers: 0,
    failedBuilds: 0,
    free: { vcpus: 4, memoryMib: 1024, diskGib: 10 },
    aggregates: metadata.map(aggregate),
    ...over,
  }) as unknown as HostState
const request = (over: Partial<ScheduleRequest> = {}, extraSpecs: Record<string, string> = {}): ScheduleRequest =>
  ({
    projectId: 'p1',
    imageProperties: {},
    group: null,
    nearIp: null,
    imageId: null,
    tenantAggregates: null,
    isolatingTraits: null,
    likeImages: () => 0,
    query: undefined,
    flavor: { extraSpecs } as unknown as Flavor,
    ...over,
  }) as ScheduleRequest
const passes = (name: string, at: HostState, of: ScheduleRequest, more: Partial<FilterOptions> = {}): boolean => {
  const filter = [...guards, ...filters].find((one) => one.name === name)
  if (!filter) throw new Error(`no filter ${name}`)
  return filter.why(at, of, { ...options, ...more }) === null
}

it('the default filters exist', () => {
  const known = new Set([...guards, ...filters].map(({ name }) => name))
  expect(defaultFilters.filter((name) => !known.has(name))).toEqual([])
})

describe('extra specs', () => {
  it.each([
    ['4', '= 2', true],
    ['4', '>= 5', false],
    ['4', '<= 4', true],
    ['4', '== 4.0', true],
    ['4', '!= 4', false],
    ['x', '>= 1', false],
    ['', '>= 0', false],
    ['abc', 's== abc', true],
    ['abc', 's!= abc', false],
    ['abc', 's< abd', true],
    ['abc', 's>= abd', false],
    ['abc', '<in> b', true],
    [['sse', 'avx2'], '<in> ss', false],
    [['sse', 'avx2'], '<all-in> avx2 sse', true],
    [['sse'], '<all-in> avx2 sse', false],
    ['b', '<or> a <or> b', true],
    ['c', '<or> a <or> b', false],
    ['true', 'true', true],
    ['true', 'false', false],
    ['x y', 'x y', true],
  ])('%j meets %s: %s', (value, spec, expected) => {
    expect(meetsSpec(value, spec)).toBe(expected)
  })
})

describe('capabilities', () => {
  const meets = (specs: Record<string, string>) => passes('ComputeCapabilitiesFilter', host(), request({}, specs))
  it.each([
    [{}, true],
    [{ 'hw:cpu_policy': 'dedicated' }, true],
    [{ 'capabilities:hypervisor_type': 's== QEMU' }, true],
    [{ 'capabilities:hypervisor_type': 's== fake' }, false],
    [{ 'capabilities:cpu_info:features': '<in> avx2' }, true],
    [{ 'capabilities:cpu_info:features': '<in> avx512f' }, false],
    [{ hypervisor_version: '>= 8000000' }, true],
    [{ ssd: 'true' }, false],
    [{ 'capabilities:constructor': '<in> O' }, false],
    [{ 'capabilities:cpu_info:features:length': '== 2' }, false],
  ])('%j: %s', (specs, expected) => {
    expect(meets(specs as Record<string, string>)).toBe(expected)
  })
})

describe('aggregates', () => {
  it('have what the flavor asks for', () => {
    const name = 'AggregateInstanceExtraSpecsFilter'
    const wants = (specs: Record<string, string>, ...metadata: Record<string, string>[]) =>
      passes(name, host({}, ...metadata), request({}, specs))
    expect(wants({})).toBe(true)
    expect(wants({ ssd: 'true' })).toBe(false)
    expect(wants({ ssd: 'true' }, { ssd: 'true' })).toBe(true)
    expect(wants({ 'aggregate_instance_extra_specs:ssd': 'true' }, { rack: '1' }, { ssd: 'false, true' })).toBe(true)
    expect(wants({ 'hw:cpu_policy': 'shared' })).toBe(true)
  })

  it('isolate images and projects', () => {
    const takes = (metadata: Record<string, string>, imageProperties: Record<string, string>, more: Partial<FilterOptions> = {}) =>
      passes('AggregateImagePropertiesIsolation', host({}, metadata), request({ imageProperties }), more)
    expect(takes({ os_distro: 'windows' }, { os_distro: 'linux' })).toBe(false)
    expect(takes({ os_distro: 'windows,linux' }, { os_distro: 'linux' })).toBe(true)
    expect(takes({ os_distro: 'windows' }, {})).toBe(true)
    expect(takes({ os_distro: 'windows' }, { os_distro: 'linux' }, { aggregateImagePropertiesIsolationNamespace: 'os' })).toBe(true)
    const open = (metadata: Record<string, string>) => passes('AggregateMultiTenancyIsolation', host({}, metadata), request())
    expect([open({}), open({ filter_tenant_id: 'p1' }), open({ filter_tenant_id: 'p2' }), open({ filter_tenant_id2: 'p2,p1' })]).toEqual([
      true,
      true,
      false,
      true,
    ])
  })

  it('say how many servers a host has', () => {
    const busy = host({ servers: 3, building: 2 }, { max_instances_per_host: '3', max_io_ops_per_host: '2' })
    expect(passes('NumInstancesFilter', busy, request())).toBe(true)
    expect(passes('NumInstancesFilter', busy, request(), { maxInstancesPerHost: 3 })).toBe(false)
    expect(passes('AggregateNumInstancesFilter', busy, request())).toBe(false)
    expect(passes('IoOpsFilter', busy, request())).toBe(true)
    expect(passes('AggregateIoOpsFilter', busy, request())).toBe(false)
  })

  it('change the multipliers of weighers', () => {
    const weigher = { name: 'RAMWeigher', key: 'ram_weight_multiplier', multiplier: 1, score: ({ free }: HostState) => free.memoryMib }
    const large = { vcpus: 0, diskGib: 0, memoryMib: 4096 }
    const best = (...metadata: Record<string, string>[]) =>
      rank([host({ host: 'small' }), host({ host: 'large', free: large }, ...metadata)], [weigher], request())[0]?.host
    expect(best()).toBe('large')
    expect(best({ ram_weight_multiplier: '-1' }, { ram_weight_multiplier: '5' })).toBe('small')
    expect(best({ ram_weight_multiplier: 'much' })).toBe('large')
  })
})

it.each([
  [{ 'hw:numa_nodes': '2' }, 'NUMATopologyFilter', false],
  [{ 'hw:cpu_policy': 'dedicated' }, 'NUMATopologyFilter', false],
  [{ 'hw:cpu_policy': 'shared' }, 'NUMATopologyFilter', true],
  [{ 'hw:mem_page_size': 'large' }, 'NUMATopologyFilter', false],
  [{ 'hw:mem_page_size': 'small' }, 'NUMATopologyFilter', true],
  [{ 'hw:cpu_realtime': 'no' }, 'NUMATopologyFilter', true],
  [{ 'hw:cpu_thread_policy': 'isolate' }, 'NUMATopologyFilter', false],
  [{ 'hw:locked_memory': 'true' }, 'GuestFeatureFilter', false],
  [{ 'hw:locked_memory': 'false' }, 'GuestFeatureFilter', true],
  [{ 'resources1:VCPU': '1', 'resources2:VCPU': '1', group_policy: 'isolate' }, 'ResourceGroupFilter', false],
  [{ 'resources1:VCPU': '1', 'resources2:VCPU': '1', group_policy: 'none' }, 'ResourceGroupFilter', true],
  [{ 'resources:VCPU': '1', 'resources2:VCPU': '1', group_policy: 'isolate' }, 'ResourceGroupFilter', true],
  [{ group_policy: 'none', hide_hypervisor_id: 'true' }, 'ComputeCapabilitiesFilter', true],
  [{ group_policy: 'none' }, 'AggregateInstanceExtraSpecsFilter', true],
  [{ 'hw:cpu_cores': '2' }, 'NUMATopologyFilter', true],
  [{ 'pci_passthrough:alias': 'gpu:1' }, 'PciPassthroughFilter', false],
  [{}, 'PciPassthroughFilter', true],
])('%j passes %s: %s', (specs, name, expected) => {
  expect(passes(name, host(), request({}, specs as Record<string, string>))).toBe(expected)
})

describe('the query hint', () => {
  const matches = (query: unknown) => passes('JsonFilter', host(), request({ query }))
  it.each([
    [undefined, true],
    ['', true],
    ['[]', true],
    ['["=", "$hypervisor_type", "QEMU"]', true],
    [['>=', '$free_ram_mb', 4096], true],
    [['>', '$free_ram_mb', 4096], false],
    [['and', ['>=', '$free_ram_mb', 1024], ['<', '$free_disk_mb', 100]], false],
    [['or', ['>=', '$free_ram_mb', 999_999], ['not', ['=', '$host', 'host2']]], true],
    [['in', '$hypervisor_type', 'KVM', 'QEMU'], true],
    [['=', '$service.availability_zone', 'nova'], false],
    [['=', '$constructor', null], false],
    ['{', false],
    [['shutdown', 1, 2], false],
  ])('%j: %s', (query, expected) => {
    const at = passes(
      'JsonFilter',
      host({ service: { disabled: false, host: 'host1', availabilityZone: 'paris' } as HostState['service'] }),
      request({ query }),
    )
    expect(at).toBe(expected)
  })

  it('never throws, whatever it is', () => {
    fc.assert(
      fc.property(fc.oneof(fc.jsonValue(), fc.string()), (query) => {
        expect([true, false]).toContain(matches(query))
      }),
    )
  })

  it('is bounded', () => {
    let deep: unknown = ['=', 1, 1]
    for (let i = 0; i < 10_000; i += 1) deep = ['not', deep]
    expect(matches(deep)).toBe(false)
    expect(matches(['or', ...Array.from({ length: 1000 }, () => 1)])).toBe(false)
    expect(() => parseQuery('x'.repeat(20_000))).toThrow('too large')
  })
})

describe('images', () => {
  it.each([
    [{}, '', true],
    [{ hw_architecture: 'x86_64' }, '', true],
    [{ architecture: 'AMD64' }, '', true],
    [{ hw_architecture: 'aarch64' }, '', false],
    [{}, 'aarch64', false],
    [{ hw_architecture: 'x86_64' }, 'aarch64', true],
    [{ img_hv_type: 'qemu', hw_vm_mode: 'hvm' }, '', true],
    [{ img_hv_type: 'xen' }, '', false],
    [{ hw_vm_mode: 'xen' }, '', false],
    [{ img_hv_requested_version: '>=8.2,<9' }, '', true],
    [{ hypervisor_version_requires: '<8.0' }, '', false],
  ])('%j with %s: %s', (imageProperties, imagePropertiesDefaultArchitecture, expected) => {
    const asked = request({ imageProperties: imageProperties as Record<string, string> })
    expect(passes('ImagePropertiesFilter', host(), asked, { imagePropertiesDefaultArchitecture })).toBe(expected)
  })

  it.each([
    ['==8.2.0', true],
    ['!=8.2', false],
    ['>8.1.9, <=8.2', true],
    ['newest', false],
    ['', false],
  ])('version 8.2 meets %s: %s', (wanted, expected) => expect(meetsVersion(8_002_000, wanted)).toBe(expected))

  it.each([
    [['a'], [], 'a', true, false],
    [['host1'], [], 'a', true, false],
    [['host1'], [], 'a', false, true],
    [['host1'], ['a'], 'a', true, true],
    [['host2'], ['a'], 'a', true, false],
    [['host2'], ['a'], 'a', false, false],
    [['host2'], ['a'], 'b', true, true],
    [['host1'], ['a'], 'b', true, false],
    [['host1'], ['a'], null, false, true],
  ])('isolated to %j: %j, image %s, restricted %s: %s', (isolatedHosts, isolatedImages, imageId, restrict, expected) => {
    const more = { isolatedHosts, isolatedImages, restrictIsolatedHostsToIsolatedImages: restrict }
    const isolated = isolatedHosts[0] === 'a' ? host({ host: 'a' }) : host()
    expect(passes('IsolatedHostsFilter', isolated, request({ imageId }), more)).toBe(expected)
  })
})

it.each([
  [null, true],
  [{ address: '192.0.2.1', prefix: '24' }, true],
  [{ address: '192.0.2.128', prefix: '25' }, false],
  [{ address: '2001:db8::1', prefix: '64' }, false],
  [{ address: 'moon', prefix: '24' }, false],
  [{ address: '192.0.2.1', prefix: '33' }, false],
])('near %j: %s', (nearIp, expected) => expect(passes('SimpleCIDRAffinityFilter', host(), request({ nearIp }))).toBe(expected))

it('aggregates are for flavors, projects and traits', () => {
  const type = (metadata: Record<string, string>) =>
    passes('AggregateTypeAffinityFilter', host({}, metadata), request({ flavor: { name: 'm1.tiny', extraSpecs: {} } as Flavor }))
  expect([type({}), type({ instance_type: 'm1.large, m1.tiny' }), type({ instance_type: 'm1.large' })]).toEqual([true, true, false])
  const project = (ids: number[] | null) =>
    passes('TenantAggregateFilter', host({}, {}), request({ tenantAggregates: ids && new Set(ids) }))
  expect([project(null), project([1]), project([2]), project([])]).toEqual([true, true, false, false])
  const traits = (names: string[] | null, value = 'required') =>
    passes('IsolatedAggregateFilter', host({}, { 'trait:CUSTOM_SSD': value }), request({ isolatingTraits: names && new Set(names) }))
  expect([traits(null), traits(['CUSTOM_SSD']), traits([]), traits([], 'wanted')]).toEqual([true, true, false, true])
})

it('metrics have to be reported', () => {
  const asked = { metrics: ['cpu.percent'] }
  expect(passes('MetricsFilter', host(), request(), asked)).toBe(false)
  expect(passes('MetricsFilter', host({ resources: { ...host().resources, metrics: { 'cpu.percent': 3 } } }), request(), asked)).toBe(true)
  expect(passes('AllHostsFilter', host(), request())).toBe(true)
})

it('guards stay whatever is enabled, and what is not available cannot be', () => {
  const chosen = chosenFilters({
    enabledFilters: ['ComputeFilter', 'JsonFilter'],
    availableFilters: ['nova.scheduler.filters.all_filters'],
  })
  expect(chosen.guards).toBe(guards)
  expect(chosen.enabled.map(({ name }) => name)).toEqual(['JsonFilter'])
  const narrow = { enabledFilters: ['JsonFilter'], availableFilters: ['nova.scheduler.filters.compute_filter.ComputeFilter'] }
  expect(() => chosenFilters(narrow)).toThrow('JsonFilter is not among available_filters')
})

it.each([
  ['filter_scheduler.enabled_filters', 'ComputeFilter,MoonFilter', 'no filter MoonFilter'],
  ['filter_scheduler.enabled_filters', 'RetryFilter', 'gone from Nova'],
  ['filter_scheduler.available_filters', 'mine.filters.MyFilter', 'no filter MyFilter'],
  ['filter_scheduler.weight_classes', 'nova.scheduler.weights.moon.MoonWeigher', 'no weigher'],
  ['filter_scheduler.image_props_weight_setting', 'os_distro', 'property=number'],
  ['metrics.weight_setting', 'cpu.percent=much', 'metric=number'],
])('%s = %s is refused: %s', (name, value, words) => {
  expect(() => loadConfig([filterSchedulerConfig, metricsConfig], { flags: { [name]: value } })).toThrow(words)
})

describe('weighers', () => {
  const none: WeigherOptions = {
    ramWeightMultiplier: 0,
    cpuWeightMultiplier: 0,
    diskWeightMultiplier: 0,
    ioOpsWeightMultiplier: 0,
    softAffinityWeightMultiplier: 0,
    softAntiAffinityWeightMultiplier: 0,
    buildFailureWeightMultiplier: 0,
    hypervisorVersionWeightMultiplier: 0,
    numInstancesWeightMultiplier: 0,
    imagePropsWeightMultiplier: 0,
    imagePropsWeightSetting: [],
    metrics: { weightMultiplier: 0, weightSetting: [], weightOfUnavailable: -10_000 },
  }
  const all = ['nova.scheduler.weights.all_weighers']
  const better = { vcpus: 8, memoryMib: 8192, diskGib: 100 }
  const group = (policy: string) => ({ policy, maxServerPerHost: 1, members: new Map([['b', 1]]) }) as unknown as ScheduleRequest['group']
  const measured = (value: number) => ({ ...host().resources, metrics: { 'cpu.percent': value } })
  it.each<[Partial<WeigherOptions>, Partial<HostState>, Partial<ScheduleRequest>, string]>([
    [{}, { free: better }, {}, 'a'],
    [{ ramWeightMultiplier: 1 }, { free: better }, {}, 'b'],
    [{ ramWeightMultiplier: -1 }, { free: better }, {}, 'a'],
    [{ cpuWeightMultiplier: 1 }, { free: better }, {}, 'b'],
    [{ diskWeightMultiplier: 1 }, { free: better }, {}, 'b'],
    [{ ioOpsWeightMultiplier: 1 }, { building: 1 }, {}, 'b'],
    [{ numInstancesWeightMultiplier: 1 }, { servers: 1 }, {}, 'b'],
    [{ buildFailureWeightMultiplier: -1 }, { failedBuilds: 1 }, {}, 'b'],
    [{ hypervisorVersionWeightMultiplier: 1 }, { resources: { ...host().resources, hypervisorVersion: 9_000_000 } }, {}, 'b'],
    [{ softAffinityWeightMultiplier: 1 }, {}, { group: group('soft-affinity') }, 'b'],
    [{ softAffinityWeightMultiplier: 1 }, {}, { group: group('soft-anti-affinity') }, 'a'],
    [{ softAntiAffinityWeightMultiplier: -1 }, {}, { group: group('soft-anti-affinity') }, 'b'],
    [{ imagePropsWeightMultiplier: 1 }, {}, { imageProperties: { os_distro: 'debian' } }, 'b'],
    [{ imagePropsWeightMultiplier: 1, imagePropsWeightSetting: ['os_distro=2'] }, {}, { imageProperties: { os_distro: 'debian' } }, 'b'],
    [{ imagePropsWeightMultiplier: 1, imagePropsWeightSetting: ['os_type=2'] }, {}, { imageProperties: { os_distro: 'debian' } }, 'a'],
    [{ metrics: { weightMultiplier: 1, weightSetting: ['cpu.percent=1'], weightOfUnavailable: 0 } }, { resources: measured(3) }, {}, 'b'],
    [{ metrics: { weightMultiplier: 1, weightSetting: ['cpu.percent=-1'], weightOfUnavailable: 0 } }, { resources: measured(3) }, {}, 'a'],
  ])('%j prefers, of a plain host a and b with %j, for %j: %s', (options, over, asked, best) => {
    const likeImages = (at: string, property: string) => (at === 'b' && property === 'os_distro=debian' ? 2 : 0)
    const hosts = [host({ host: 'a' }), host({ host: 'b', ...over })]
    expect(rank(hosts, chosenWeighers({ ...none, ...options }, all), request({ likeImages, ...asked }))[0]?.host).toBe(best)
  })

  it('are chosen by class, and those without a say are silent', () => {
    const names = chosenWeighers(none, ['nova.scheduler.weights.ram.RAMWeigher', 'nova.scheduler.weights.pci.PCIWeigher']).map(
      ({ name }) => name,
    )
    expect(names).toEqual(['RAMWeigher'])
  })

  it('leave something to chance where the operator wants it', () => {
    const entries = weigh(
      ['a', 'b', 'c'].map((name) => host({ host: name, servers: name === 'c' ? 1 : 0 })),
      chosenWeighers({ ...none, numInstancesWeightMultiplier: -1 }, all),
      request(),
    )
    const order = (over: object, random: number) =>
      withChance(entries, { shuffleBestSameWeighedHosts: false, hostSubsetSize: 1, random: () => random, ...over })
        .map(({ host: name }) => name)
        .join('')
    expect(order({}, 0.99)).toBe('abc')
    expect(order({ shuffleBestSameWeighedHosts: true }, 0)).toBe('bac')
    expect(order({ hostSubsetSize: 3 }, 0.99)).toBe('cab')
    expect(order({ hostSubsetSize: 100 }, 0.5)).toBe('bac')
  })
})
