/**
 * What an extra spec of a known namespace may say. Names outside of these namespaces are free.
 *
 * @see https://docs.openstack.org/nova/latest/configuration/extra-specs.html
 */
import { invalid } from '../../base/errors.ts'

type Rule = { name: RegExp; value: (text: string) => boolean; expected: string }

const words = (...list: string[]): Omit<Rule, 'name'> => ({ value: (text) => list.includes(text), expected: `one of ${list.join(', ')}` })
const integer = (min = 0): Omit<Rule, 'name'> => ({
  value: (text) => /^-?\d{1,15}$/.test(text) && Number(text) >= min,
  expected: `a whole number of at least ${min}`,
})
const boolean = { value: (text: string) => /^(1|0|t|f|true|false|y|n|yes|no|on|off)$/i.test(text), expected: 'a boolean' }
const matching = (pattern: RegExp, expected: string) => ({ value: (text: string) => pattern.test(text), expected })
const anything = { value: () => true, expected: 'a text' }
const list = /^\^?\d+(-\d+)?(,\^?\d+(-\d+)?)*$/

const rule = (name: RegExp | string, value: Omit<Rule, 'name'>): Rule => ({
  name: typeof name === 'string' ? new RegExp(`^${name}$`) : name,
  ...value,
})

const rules: readonly Rule[] = [
  rule('hw:cpu_(sockets|cores|threads|max_sockets|max_cores|max_threads)', integer(1)),
  rule('hw:cpu_policy', words('shared', 'dedicated', 'mixed')),
  rule('hw:cpu_thread_policy', words('prefer', 'isolate', 'require')),
  rule('hw:emulator_threads_policy', words('isolate', 'share')),
  rule('hw:cpu_dedicated_mask', matching(/^\^?\d+((-\d+)?(,\^?\d+(-\d+)?)?)*$|^all$/, 'a list of processors')),
  rule(
    'hw:(cpu_realtime|hide_hypervisor_id|boot_menu|mem_encryption|pmu|viommu_enabled|locked_memory|tpm_secret_security_off|virtio_packed_ring|sound_enabled)',
    boolean,
  ),
  rule('hw:cpu_realtime_mask', matching(/^\^?\d+(-\d+)?(,\^?\d+(-\d+)?)*$/, 'a list of processors')),
  rule('hw:numa_nodes', integer(1)),
  rule('hw:numa_cpus\\.\\d+', matching(list, 'a list of processors')),
  rule('hw:numa_mem\\.\\d+', integer(1)),
  rule('hw:pci_numa_affinity_policy', words('required', 'preferred', 'legacy', 'socket')),
  rule('hw:vif_multiqueue_enabled', boolean),
  rule('hw:mem_page_size', matching(/^(small|large|any|\d+([kKMGT]i?)?(b|bit|B)?)$/, 'small, large, any or a size')),
  rule('hw:mem_encryption_model', words('amd-sev', 'amd-sev-es')),
  rule('hw:maxphysaddr_mode', words('passthrough', 'emulate')),
  rule('hw:maxphysaddr_bits', integer(0)),
  rule('hw:watchdog_action', words('none', 'pause', 'poweroff', 'reset', 'disabled')),
  rule('hw:serial_port_count', integer(0)),
  rule('hw:tpm_version', words('1.2', '2.0')),
  rule('hw:tpm_model', words('tpm-tis', 'tpm-crb')),
  rule('hw:tpm_secret_security', words('user', 'host', 'deployment')),
  rule('hw:viommu_model', words('auto', 'intel', 'smmuv3', 'virtio')),
  rule('hw:vtpm_.+', anything),
  rule('hw:pmem', anything),
  rule('hw:(sound_model|usb_model|redirected_usb_ports)', anything),
  rule('hw_rng:allowed', boolean),
  rule('hw_rng:(rate_bytes|rate_period)', integer(0)),
  rule('hw_video:ram_max_mb', integer(0)),
  rule('quota:cpu_(shares|shares_level|limit|reservation|quota)', integer(-1)),
  rule('quota:cpu_period', integer(0)),
  rule('quota:cpu_shares_(level|share)', anything),
  rule('quota:(memory|disk_io|vif)_(limit|reservation|shares_share)', integer(0)),
  rule('quota:(memory|disk_io|vif)_shares_level', words('low', 'normal', 'high', 'custom')),
  rule('quota:disk_(read|write|total)_(bytes|iops)_sec(_max)?', integer(0)),
  rule('quota:vif_(inbound|outbound)_(peak|average|burst)', integer(0)),
  rule('resources(_?[a-zA-Z0-9_-]{1,64})?:(CUSTOM_[A-Z0-9_]+|[A-Z][A-Z0-9_]*)', integer(0)),
  rule('trait(_?[a-zA-Z0-9_-]{1,64})?:[A-Z][A-Z0-9_]*', words('required', 'forbidden')),
  rule('group_policy', words('isolate', 'none')),
  rule('same_subtree[a-zA-Z0-9_-]*', anything),
  rule('in_tree[a-zA-Z0-9_-]*', anything),
  rule('member_of[a-zA-Z0-9_-]*', anything),
  rule('os:secure_boot', words('required', 'disabled', 'optional')),
  rule('os:(hw|spl).*', anything),
  rule('pci_passthrough:alias', matching(/^[^:,]{1,255}:\d+(,[^:,]{1,255}:\d+)*$/, 'names with counts, such as gpu:1')),
  rule('accel:device_profile', anything),
  rule('powervm:.+', anything),
  rule('vmware:.+', anything),
  rule('hide_hypervisor_id', boolean),
]

const known = /^(accel|aggregate_instance_extra_specs|capabilities|hw|hw_rng|hw_video|os|pci_passthrough|quota|resources\w*|trait\w*):/
const free = /^(aggregate_instance_extra_specs|capabilities):/

/** @throws {CloudError} `invalid` for a name that its namespace does not have, or a value that the name does not take. */
export function checkExtraSpec(name: string, value: string): void {
  if (free.test(name)) return
  const found = rules.find((candidate) => candidate.name.test(name))
  if (!found) {
    if (known.test(name)) throw invalid(`Validation failed; extra spec '${name}' does not appear to be a valid extra spec.`)
    return
  }
  if (!found.value(value))
    throw invalid(`Validation failed; '${value}' is not a valid value for extra spec '${name}': expected ${found.expected}.`)
}
