import fc from 'fast-check'
import { expect, it } from 'vitest'
import { CloudError } from '../../base/errors.ts'
import { checkExtraSpec } from './extra-spec-rules.ts'

function wrong(name: string, value: string): string | null {
  try {
    checkExtraSpec(name, value)
    return null
  } catch (error) {
    if (!(error instanceof CloudError) || error.kind !== 'invalid') throw error
    return error.message.replace('Validation failed; ', '')
  }
}

it.each([
  ['hw:cpu_policy', 'mixed'],
  ['hw:cpu_realtime_mask', '^0-1,3'],
  ['hw:numa_cpus.0', '0-3,^2'],
  ['hw:numa_mem.12', '1024'],
  ['hw:mem_page_size', '1GB'],
  ['hw:mem_page_size', '2048'],
  ['hw:pmu', 'No'],
  ['hw:tpm_version', '2.0'],
  ['hw:redirected_usb_ports', '15'],
  ['hw_rng:allowed', 'true'],
  ['hw_video:ram_max_mb', '64'],
  ['quota:cpu_quota', '-1'],
  ['quota:vif_shares_level', 'custom'],
  ['quota:vif_inbound_burst', '10'],
  ['resources:VCPU', '0'],
  ['resources_A:CUSTOM_GOLD', '1'],
  ['trait1:HW_CPU_X86_AVX2', 'forbidden'],
  ['trait:CUSTOM_SSD', 'required'],
  ['group_policy', 'isolate'],
  ['pci_passthrough:alias', 'gpu:1, nic:2'],
  ['capabilities:hypervisor_version', '>= 8000000'],
  ['capabilities:cpu_info:features', '<in> avx2'],
  ['aggregate_instance_extra_specs:ssd', 'true'],
  ['vmware:hw_version', 'vmx-13'],
  ['accel:device_profile', 'gpu'],
  ['mine:anything', 'goes'],
  ['powervm:anything', 'goes'],
  ['plain', ''],
])('%s = %s', (name, value) => expect(wrong(name, value)).toBeNull())

const unknown = (name: string) => `extra spec '${name}' does not appear to be a valid extra spec.`
it.each([
  ['hw:cpu_policy', 'sharing', "'sharing' is not one of: dedicated, shared, mixed."],
  ['hw:cpu_cores', 'two', "'two' is not a valid integer value."],
  ['hw:cpu_cores', '0', "'0' is less than the min value of '1'."],
  ['hw:redirected_usb_ports', '16', "'16' is greater than the max value of '15'."],
  ['hw:boot_menu', 'maybe', "'maybe' is not a valid boolean-like value."],
  ['pci_passthrough:alias', 'gpu', "'gpu' is not of the format '[^:]+:\\d+(?:\\s*,\\s*[^:]+:\\d+)*'."],
  ['os:secure_boot', 'optional', "'optional' is not one of: disabled, required."],
  ['group_policy', 'both', "'both' is not one of: isolate, none."],
  ['trait:CUSTOM_SSD', 'yes', "'yes' is not one of: required, forbidden."],
  ['hw:colour', 'red', unknown('hw:colour')],
  ['hw:constructor', 'red', unknown('hw:constructor')],
  ['hw:numa_mem.x', '1', unknown('hw:numa_mem.x')],
  ['resources:GOLD', '1', unknown('resources:GOLD')],
  ['trait:HW_CPU_X86_MOON', 'required', unknown('trait:HW_CPU_X86_MOON')],
  ['capabilities:colour', 'red', unknown('capabilities:colour')],
  ['quota:disk_read_bytes_sec_max', '1', unknown('quota:disk_read_bytes_sec_max')],
  ['vmware:colour', 'red', unknown('vmware:colour')],
  ['os:colour', 'red', unknown('os:colour')],
])('%s = %s: %s', (name, value, words) => expect(wrong(name, value)).toBe(words))

it('answers any pair, and soon', () => {
  const names = fc.constantFrom('hw:pmem', 'hw:cpu_realtime_mask', 'hw:numa_cpus.0', 'pci_passthrough:alias', 'hw:mem_page_size')
  fc.assert(fc.property(fc.oneof(names, fc.string()), fc.string(), (name, value) => void wrong(name, value)))
  for (const [name, part] of [
    ['hw:pmem', 'a'],
    ['hw:cpu_realtime_mask', '1,'],
    ['pci_passthrough:alias', ' '],
    ['hw:cpu_realtime_mask', '1-1'],
  ] as const)
    expect(wrong(name, `${part.repeat(Math.floor(250 / part.length))}!`)).toContain('is not of the format')
})
