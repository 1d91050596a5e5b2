import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { Aggregate, Flavor } from '../model/index.ts'
import { defaultFilters, filters } from './filters.ts'
import type { FilterOptions, HostState, ScheduleRequest } from './host-state.ts'
import { parseQuery } from './json-query.ts'
import { meetsSpec } from './spec-match.ts'
import { rank } from './weighers.ts'

const options: FilterOptions = {
  maxInstancesPerHost: 50,
  maxIoOpsPerHost: 8,
  aggregateImagePropertiesIsolationNamespace: '',
  aggregateImagePropertiesIsolationSeparator: '.',
}
const aggregate = (metadata: Record<string, string>) => ({ metadata }) as unknown as Aggregate
const resources = {
  hypervisorType: 'QEMU',
  hypervisorVersion: 8002000,
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
    query: undefined,
    flavor: { extraSpecs } as unknown as Flavor,
    ...over,
  }) as ScheduleRequest
const passes = (name: string, at: HostState, of: ScheduleRequest, more: Partial<FilterOptions> = {}): boolean => {
  const filter = filters.find((one) => one.name === name)
  if (!filter) throw new Error(`no filter ${name}`)
  return filter.why(at, of, { ...options, ...more }) === null
}

it('the default filters exist', () => {
  const known = new Set(filters.map(({ name }) => name))
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
