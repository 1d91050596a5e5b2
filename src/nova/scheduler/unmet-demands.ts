/**
 * What flavors and images may ask for that hosts here cannot give: such a server finds no host, with the reason, instead of
 * running without it. Flavors say it as `hw:numa_nodes`, images as `hw_numa_nodes`.
 *
 * What some hosts can give and others not is asked of placement as traits.
 *
 * @see https://docs.openstack.org/nova/latest/configuration/extra-specs.html
 */
import { saysYes } from '../model/index.ts'

type Pairs = Readonly<Record<string, string>>
type Demand = { name: RegExp; isMade: (value: string) => boolean }

const always = () => true
const demand = (name: RegExp, isMade: Demand['isMade'] = always): Demand => ({ name, isMade })

const demands: Record<'numa' | 'feature', readonly Demand[]> = {
  numa: [
    demand(/^hw[:_]numa_(nodes|cpus|mem)(\.\d+)?$/),
    demand(/^hw[:_]cpu_policy$/, (value) => value !== 'shared'),
    demand(/^hw[:_]cpu_thread_policy$/, (value) => value !== 'prefer'),
    demand(/^hw[:_]cpu_realtime$/, saysYes),
    demand(/^hw[:_](cpu_realtime_mask|cpu_dedicated_mask)$/),
    demand(/^hw[:_]emulator_threads_policy$/),
    // Guests have the host's ordinary, small pages.
    demand(/^hw[:_]mem_page_size$/, (value) => value !== 'small' && value !== 'any'),
    demand(/^hw:pmem$/),
  ],
  feature: [
    demand(/^hw[:_]locked_memory$/, saysYes),
    demand(/^hw[:_]redirected_usb_ports$/, (value) => Number(value) > 0),
    demand(/^hw[:_]usb_model$/, (value) => value === 'none'),
    demand(/^hw[:_]serial_port_count$/, (value) => Number(value) !== 1),
  ],
}

/** The first wish of that kind, as it was written, or `null`. */
export function unmetDemand(kind: keyof typeof demands, extraSpecs: Pairs, imageProperties: Pairs): string | null {
  for (const [key, value] of [...Object.entries(extraSpecs), ...Object.entries(imageProperties)]) {
    if (demands[kind].some(({ name, isMade }) => name.test(key) && isMade(value))) return `${key} ${value}`
  }
  return null
}

type Wish = { flavor?: string; image?: string; trait: (value: string) => string | null }
const asTrait = (prefix: string) => (value: string) => `${prefix}_${value.trim().toUpperCase().replaceAll(/[-.]/g, '_')}`
const when = (trait: string) => (value: string) => (saysYes(value) ? trait : null)
const both = (name: string, trait: Wish['trait']): Wish => ({ flavor: `hw:${name}`, image: `hw_${name}`, trait })

const wishes: readonly Wish[] = [
  both('tpm_version', asTrait('COMPUTE_SECURITY_TPM')),
  both('tpm_model', (value) => `COMPUTE_SECURITY_${value.trim().toUpperCase().replace('-', '_')}`),
  {
    flavor: 'os:secure_boot',
    image: 'os_secure_boot',
    trait: (value) => (value === 'required' ? 'COMPUTE_SECURITY_UEFI_SECURE_BOOT' : null),
  },
  both('mem_encryption', when('HW_CPU_X86_AMD_SEV')),
  both('virtio_packed_ring', when('COMPUTE_NET_VIRTIO_PACKED')),
  both('viommu_model', asTrait('COMPUTE_VIOMMU_MODEL')),
  both('sound_model', asTrait('COMPUTE_SOUND_MODEL')),
  both('usb_model', (value) => (value === 'none' ? null : asTrait('COMPUTE_USB_MODEL')(value))),
  both('maxphysaddr_mode', (value) => (value === 'passthrough' ? 'COMPUTE_ADDRESS_SPACE_PASSTHROUGH' : 'COMPUTE_ADDRESS_SPACE_EMULATED')),
  both('ephemeral_encryption', when('COMPUTE_EPHEMERAL_ENCRYPTION')),
  { image: 'hw_firmware_stateless', trait: when('COMPUTE_SECURITY_STATELESS_FIRMWARE') },
  { image: 'hw_emulation_architecture', trait: asTrait('COMPUTE_ARCH') },
  { flavor: 'accel:device_profile', trait: () => 'COMPUTE_ACCELERATORS' },
]

/** By `[scheduler] image_metadata_prefilter`. */
const prefilters: readonly Wish[] = [
  { image: 'hw_cdrom_bus', trait: asTrait('COMPUTE_STORAGE_BUS') },
  { image: 'hw_disk_bus', trait: asTrait('COMPUTE_STORAGE_BUS') },
  { image: 'hw_video_model', trait: asTrait('COMPUTE_GRAPHICS_MODEL') },
  { image: 'hw_vif_model', trait: asTrait('COMPUTE_NET_VIF_MODEL') },
  { image: 'hw_architecture', trait: asTrait('HW_ARCH') },
]

/** What an image asks that a guest which stays on its host, with these traits, cannot have, or `null`. */
export function imageObstacle(imageProperties: Pairs, hostTraits: readonly string[]): string | null {
  const trait = guestTraits({}, imageProperties, { prefilter: false }).find((name) => !hostTraits.includes(name))
  return unmetDemand('feature', {}, imageProperties) ?? (trait === undefined ? null : `what needs the trait ${trait}`)
}

/** Whether an image asks for a NUMA topology. */
export const wantsNuma = (imageProperties: Pairs): boolean => unmetDemand('numa', {}, imageProperties) !== null

/** Traits that a host needs for what flavor and image ask of the guest. */
export function guestTraits(extraSpecs: Pairs, imageProperties: Pairs, { prefilter }: { prefilter: boolean }): string[] {
  const traits = [...wishes, ...(prefilter ? prefilters : [])].flatMap(({ flavor, image, trait }) => {
    const values = [flavor === undefined ? undefined : extraSpecs[flavor], image === undefined ? undefined : imageProperties[image]]
    return values.flatMap((value) => (value === undefined ? [] : (trait(value) ?? [])))
  })
  return [...new Set(traits)]
}
