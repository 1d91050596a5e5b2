/**
 * What an extra spec of a known namespace may say. Names outside of these namespaces are free.
 *
 * @see https://docs.openstack.org/nova/latest/configuration/extra-specs.html
 */
import { invalid } from '../../base/errors.ts'
import { standardClasses, standardTraits } from '../../placement/index.ts'

/** Why a text will not do, or `null`. */
type Check = (text: string) => string | null

const words =
  (...list: string[]): Check =>
  (text) =>
    list.includes(text) ? null : `'${text}' is not one of: ${list.join(', ')}.`
const integer =
  (min = Number.NEGATIVE_INFINITY, max = Number.POSITIVE_INFINITY): Check =>
  (text) => {
    if (!/^\s*[+-]?\d{1,18}\s*$/.test(text)) return `'${text}' is not a valid integer value.`
    if (Number(text) > max) return `'${text}' is greater than the max value of '${max}'.`
    return Number(text) < min ? `'${text}' is less than the min value of '${min}'.` : null
  }
const boolean: Check = (text) =>
  /^\s*(1|0|t|f|true|false|y|n|yes|no|on|off)\s*$/i.test(text) ? null : `'${text}' is not a valid boolean-like value.`
/** In Nova's words; `same` says the same without a choice of ways through a long text. */
const format = (pattern: string, same = pattern): Check => {
  const whole = new RegExp(`^(?:${same})$`)
  return (text) => (whole.test(text) ? null : `'${text}' is not of the format '${pattern}'.`)
}
const anything: Check = () => null
const count = integer(0)
const atLeastOne = integer(1)
const processors = format('\\^?\\d+((-\\d+)?(,\\^?\\d+(-\\d+)?)?)*', '\\^?\\d+(?:-\\d+|,\\^?\\d+)*')

const hw: Record<string, Check> = {
  boot_menu: boolean,
  cpu_cores: atLeastOne,
  cpu_dedicated_mask: processors,
  cpu_max_cores: atLeastOne,
  cpu_max_sockets: atLeastOne,
  cpu_max_threads: atLeastOne,
  cpu_policy: words('dedicated', 'shared', 'mixed'),
  cpu_realtime: boolean,
  cpu_realtime_mask: processors,
  cpu_sockets: atLeastOne,
  cpu_thread_policy: words('prefer', 'isolate', 'require'),
  cpu_threads: atLeastOne,
  emulator_threads_policy: words('isolate', 'share'),
  ephemeral_encryption: boolean,
  ephemeral_encryption_format: words('plain', 'luks', 'luksv2'),
  hide_hypervisor_id: boolean,
  locked_memory: boolean,
  maxphysaddr_bits: count,
  maxphysaddr_mode: words('passthrough', 'emulate'),
  mem_encryption: boolean,
  mem_encryption_model: words('amd-sev', 'amd-sev-es', 'amd-sev-snp'),
  mem_page_size: format('(large|small|any|\\d+([kKMGT]i?)?(b|bit|B)?)'),
  numa_nodes: atLeastOne,
  pci_numa_affinity_policy: words('required', 'preferred', 'legacy', 'socket'),
  pmem: format('([a-zA-Z0-9_]+(,)?)+', '\\w+(?:,\\w+)*,?'),
  pmu: boolean,
  redirected_usb_ports: integer(0, 15),
  serial_port_count: count,
  sound_model: words('sb16', 'es1370', 'pcspk', 'ac97', 'ich6', 'ich9', 'usb', 'virtio'),
  tpm_model: words('tpm-tis', 'tpm-crb'),
  tpm_secret_security: words('user', 'host', 'deployment'),
  tpm_version: words('1.2', '2.0'),
  usb_model: words('none', 'nec-xhci', 'qemu-xhci'),
  vif_multiqueue_enabled: boolean,
  viommu_model: words('intel', 'smmuv3', 'virtio', 'auto'),
  virtio_packed_ring: boolean,
  watchdog_action: words('none', 'pause', 'poweroff', 'reset', 'disabled'),
}

/** What a host says of itself; a value may begin with an operator, and any text is one. */
const capabilities = `id uuid service_id host vcpus memory_mb local_gb vcpus_used memory_mb_used local_gb_used hypervisor_type
  hypervisor_version hypervisor_hostname free_ram_mb free_disk_gb current_workload running_vms disk_available_least host_ip mapped
  cpu_allocation_ratio ram_allocation_ratio disk_allocation_ratio total_usable_ram_mb total_usable_disk_gb disk_mb_used free_disk_mb
  vcpus_total num_instances num_io_ops failed_builds aggregates cell_uuid updated`.split(/\s+/)

const nestedCapability =
  /^(cpu_info|metrics|stats|numa_topology|supported_hv_specs|pci_device_pools|nodename|pci_stats|supported_instances|limits|instances)(:\w+)*$/

const quota: Record<string, Check> = { cpu_shares: count, cpu_period: count, cpu_quota: integer() }
for (const key of ['cpu', 'memory', 'disk_io', 'vif']) {
  quota[`${key}_limit`] = count
  quota[`${key}_reservation`] = integer()
  quota[`${key}_shares_level`] = words('custom', 'high', 'normal', 'low')
  quota[`${key}_shares_share`] = count
}
for (const stat of ['read', 'write', 'total']) for (const metric of ['bytes', 'iops']) quota[`disk_${stat}_${metric}_sec`] = count
for (const stat of ['inbound', 'outbound']) for (const metric of ['average', 'peak', 'burst']) quota[`vif_${stat}_${metric}`] = count

const own = (table: Record<string, Check>, name: string): Check | null => (Object.hasOwn(table, name) ? (table[name] ?? null) : null)
const oneOf = (list: readonly string[], check: Check) => (name: string) =>
  list.includes(name) || /^CUSTOM_[A-Z0-9_]+$/.test(name) ? check : null
const classes = oneOf(standardClasses, integer())
const traits = oneOf(standardTraits, words('required', 'forbidden'))

/** By namespace: the check of a name in it, `null` for a name that it does not have. */
const namespaces: readonly [RegExp, (name: string) => Check | null][] = [
  [/^accel$/, (name) => (name === 'device_profile' ? anything : null)],
  [/^aggregate_instance_extra_specs$/, (name) => (name === '' ? null : anything)],
  [/^capabilities$/, (name) => (capabilities.includes(name) || nestedCapability.test(name) ? anything : null)],
  [/^hw$/, (name) => own(hw, name) ?? (/^numa_cpus\.\d+$/.test(name) ? processors : /^numa_mem\.\d+$/.test(name) ? atLeastOne : null)],
  [/^hw_rng$/, (name) => own({ allowed: boolean, rate_bytes: count, rate_period: count }, name)],
  [/^hw_video$/, (name) => own({ ram_max_mb: count }, name)],
  [/^os$/, (name) => own({ secure_boot: words('disabled', 'required') }, name)],
  [/^pci_passthrough$/, (name) => own({ alias: format('[^:]+:\\d+(?:\\s*,\\s*[^:]+:\\d+)*') }, name)],
  [/^quota$/, (name) => own(quota, name)],
  [/^resources[a-zA-Z0-9_-]{0,64}$/, classes],
  [/^trait[a-zA-Z0-9_-]{0,64}$/, traits],
  [/^vmware$/, (name) => own({ hw_version: anything, storage_policy: anything }, name)],
]

const withoutNamespace: Record<string, Check> = { hide_hypervisor_id: boolean, group_policy: words('isolate', 'none') }

function checkOf(name: string): Check | null {
  const at = name.indexOf(':')
  if (at < 0) return own(withoutNamespace, name) ?? anything
  const found = namespaces.find(([pattern]) => pattern.test(name.slice(0, at)))
  return found ? found[1](name.slice(at + 1)) : anything
}

/** @throws {CloudError} `invalid`, in Nova's words, for a name that its namespace does not have, or a value that the name does not take. */
export function checkExtraSpec(name: string, value: string): void {
  const check = checkOf(name)
  if (!check) throw invalid(`Validation failed; extra spec '${name}' does not appear to be a valid extra spec.`)
  const wrong = check(value)
  if (wrong !== null) throw invalid(`Validation failed; ${wrong}`)
}
