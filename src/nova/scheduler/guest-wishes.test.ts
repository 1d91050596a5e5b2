import fc from 'fast-check'
import { expect, it } from 'vitest'
import { CloudError } from '../../base/errors.ts'
import type { Flavor } from '../model/index.ts'
import { checkGuestWishes } from './guest-wishes.ts'

type Pairs = Record<string, string>
function wrong(extraSpecs: Pairs, properties: Pairs = {}): string | null {
  try {
    checkGuestWishes({ name: 'm1', vcpus: 4, memoryMib: 1024, extraSpecs } as unknown as Flavor, { name: 'cirros', properties })
    return null
  } catch (error) {
    if (!(error instanceof CloudError) || error.kind !== 'invalid') throw error
    return error.message
  }
}
const dedicated = { 'hw:cpu_policy': 'dedicated' }
const mixed = { 'hw:cpu_policy': 'mixed' }

it.each<[Pairs, Pairs]>([
  [{}, {}],
  [dedicated, { hw_cpu_policy: 'shared' }],
  [{}, { hw_cpu_policy: 'dedicated', hw_cpu_thread_policy: 'isolate' }],
  [{ ...dedicated, 'hw:cpu_thread_policy': 'prefer' }, { hw_cpu_thread_policy: 'isolate' }],
  [{ ...mixed, 'hw:cpu_dedicated_mask': '0-1' }, {}],
  [{ ...mixed, 'hw:cpu_realtime': 'yes', 'hw:cpu_realtime_mask': '^0' }, {}],
  [{ 'hw:mem_page_size': 'large' }, { hw_mem_page_size: '2MB' }],
  [{ 'hw:numa_nodes': '2', 'hw:numa_cpus.0': '0-2', 'hw:numa_cpus.1': '3', 'hw:numa_mem.0': '512', 'hw:numa_mem.1': '512' }, {}],
  [{ 'hw:cpu_max_cores': '4' }, { hw_cpu_cores: '4', hw_cpu_max_cores: '4' }],
  [{ 'hw:pmu': 'yes' }, { hw_pmu: 'true' }],
  [{ 'resources:VCPU': '2' }, {}],
])('%j with %j makes sense', (specs, properties) => expect(wrong(specs, properties)).toBeNull())

it.each<[Pairs, Pairs, string]>([
  [{ 'hw:cpu_policy': 'x' }, {}, "CPU policy requested from 'flavor extra specs' is invalid, given: 'x'"],
  [{}, { hw_cpu_policy: 'x' }, "from 'image properties' is invalid"],
  [{ 'hw:cpu_policy': 'shared' }, { hw_cpu_policy: 'dedicated' }, "'hw_cpu_policy' is not permitted"],
  [{ ...dedicated, 'hw:cpu_thread_policy': 'isolate' }, { hw_cpu_thread_policy: 'require' }, "'hw_cpu_thread_policy' is not permitted"],
  [{ 'hw:cpu_thread_policy': 'isolate' }, {}, 'Cannot set cpu thread pinning policy'],
  [{ 'hw:emulator_threads_policy': 'isolate' }, {}, 'requires a dedicated CPU policy'],
  [{ ...dedicated, 'hw:emulator_threads_policy': 'x' }, {}, 'CPU emulator threads option requested is invalid'],
  [{ ...dedicated, 'hw:cpu_dedicated_mask': '0' }, {}, "without the 'mixed' policy"],
  [mixed, {}, 'Dedicated CPU set can be specified from either'],
  [{ ...mixed, 'hw:cpu_dedicated_mask': '0-3' }, {}, 'at least 1 pinned vCPU'],
  [{ ...mixed, 'hw:cpu_dedicated_mask': '0,9' }, {}, 'not a subset of vCPUs'],
  [{ ...mixed, 'hw:cpu_dedicated_mask': '3-1' }, {}, 'Invalid range expression'],
  [{ 'hw:cpu_realtime': 'true', 'hw:cpu_realtime_mask': '^0' }, {}, 'Cannot set realtime policy'],
  [{ ...dedicated, 'hw:cpu_realtime': 'true' }, {}, 'one or more non-realtime'],
  [{ ...dedicated, 'hw:cpu_realtime': 'true', 'hw:cpu_realtime_mask': '7' }, {}, 'RT vCPUs'],
  [{ ...dedicated, 'resources:VCPU': '4' }, {}, "'hw:cpu_policy' extra spec or"],
  [{ 'resources:PCPU': '2', 'resources1:VCPU': '2' }, {}, 'It is not possible to specify both'],
  [{ ...dedicated, 'hw:cpu_thread_policy': 'prefer', 'trait:HW_CPU_HYPERTHREADING': 'required' }, {}, 'HW_CPU_HYPERTHREADING'],
  [{}, { hw_mem_page_size: '2MB' }, "Page size 2MB forbidden against '<empty>'"],
  [{ 'hw:mem_page_size': 'small' }, { hw_mem_page_size: '2MB' }, "forbidden against 'small'"],
  [{ 'hw:mem_page_size': 'big' }, {}, "Invalid memory page size 'big'"],
  [{ 'hw:locked_memory': 'true' }, {}, 'forbidden when mem_page_size is not set'],
  [{ 'hw:numa_nodes': '0' }, {}, "The property 'numa_nodes' cannot be '0'"],
  [{ 'hw:numa_nodes': '3' }, {}, 'cannot be evenly distributed'],
  [{ 'hw:numa_nodes': '2' }, { hw_numa_nodes: '2' }, "Image property 'hw_numa_nodes' is not permitted"],
  [{ 'hw:numa_nodes': '2', 'hw:numa_cpus.0': '0' }, {}, 'must be provided for all NUMA nodes'],
  [{ 'hw:numa_nodes': '1', 'hw:numa_cpus.0': '0-4', 'hw:numa_mem.0': '1024' }, {}, 'CPU number 4 is larger than max 3'],
  [{ 'hw:numa_nodes': '1', 'hw:numa_cpus.0': '0-1', 'hw:numa_mem.0': '1024' }, {}, 'CPU number 2,3 is not assigned'],
  [{ 'hw:numa_nodes': '1', 'hw:numa_cpus.0': '0-3', 'hw:numa_mem.0': '1' }, {}, '1 MB of memory assigned, but expected 1024 MB'],
  [
    { 'hw:numa_nodes': '2', 'hw:numa_cpus.0': '0-3', 'hw:numa_cpus.1': '3', 'hw:numa_mem.0': '1', 'hw:numa_mem.1': '1' },
    {},
    'assigned to two nodes',
  ],
  [{ 'hw:cpu_max_cores': '2' }, { hw_cpu_max_cores: '3' }, 'exceeds the limits of the flavor (sockets=0, cores=2, threads=0)'],
  [{ 'hw:cpu_max_cores': '2' }, { hw_cpu_cores: '3' }, 'Image vCPU topology (sockets=0, cores=3, threads=0) exceeds'],
  [{ 'hw:cpu_cores': 'x' }, {}, 'Invalid flavor extra spec'],
  [
    { 'hw:cpu_max_sockets': '1', 'hw:cpu_max_cores': '1', 'hw:cpu_max_threads': '1' },
    {},
    'limits 1:1:1 are impossible to satisfy for vcpus count 4',
  ],
  [{ 'hw_video:ram_max_mb': '8' }, { hw_video_ram: '9' }, 'video memory 9 is higher than the maximum allowed by flavor 8'],
  [{ 'hw:serial_port_count': 'x' }, {}, 'Number of serial ports'],
  [{ 'hw:serial_port_count': '1' }, { hw_serial_port_count: '2' }, 'Forbidden to exceed'],
  [{ 'hw:pmu': 'true' }, { hw_pmu: 'false' }, 'Flavor m1 has hw:pmu extra spec explicitly set to true, conflicting with image cirros'],
  [{ 'hw:tpm_version': '2.0' }, { hw_tpm_version: '1.2' }, 'hw:tpm_version extra spec'],
  [{ 'pci_passthrough:alias': 'gpu:1' }, {}, 'PCI alias gpu is not defined'],
])('%j with %j: %s', (specs, properties, words) => expect(wrong(specs, properties)).toContain(words))

it('answers whatever they say', () => {
  const names = [
    'cpu_policy',
    'numa_nodes',
    'numa_cpus.0',
    'numa_mem.0',
    'cpu_dedicated_mask',
    'cpu_realtime',
    'cpu_realtime_mask',
    'cpu_cores',
    'mem_page_size',
  ]
  const value = fc.oneof(fc.string(), fc.constantFrom('mixed', 'true', '0-3', '1', '^0', '0-99999', '1024'))
  const pairs = (prefix: string) => fc.dictionary(fc.constantFrom(...names.map((name) => prefix + name)), value)
  fc.assert(fc.property(pairs('hw:'), pairs('hw_'), (specs, properties) => void wrong(specs, properties)))
})
