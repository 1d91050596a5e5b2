/**
 * What compute asks a hypervisor for: a guest with its disks, interfaces and limits, as plain data. The driver decides how.
 *
 * @see https://docs.openstack.org/nova/latest/user/flavors.html
 */

export type DiskSpec = {
  /** `root`, `ephemeral0`, `swap`, or a volume's id: unique within the guest, and its file's name. */
  readonly name: string
  /** `vda`. The guest may letter it otherwise. */
  readonly device: string
  readonly bus: 'virtio' | 'scsi' | 'sata' | 'ide' | 'usb'
  readonly kind: 'disk' | 'cdrom'
  /** What it starts as: a copy-on-write overlay of a cached base image, or empty, with a file system or without. */
  readonly source:
    | { readonly kind: 'image'; readonly file: string; readonly format: 'raw' | 'qcow2' }
    | { readonly kind: 'blank'; readonly fileSystem?: FileSystem }
  /** The guest sees at least this much; 0 keeps the image's own size. */
  readonly sizeGib: number
  readonly bootIndex: number | null
  /** Shown to the guest as the disk's serial number, at most 20 characters. */
  readonly serial: string | null
}

/** What an empty disk is formatted with: by name, or as the host does it for guests of this system. */
export type FileSystem = { readonly type: string | null; readonly os: string | null; readonly label: string }

export type NicSpec = {
  readonly portId: string
  readonly mac: string
  readonly tap: string
  readonly bridge: string
  readonly mtu: number
  readonly model: 'virtio' | 'e1000' | 'e1000e' | 'rtl8139'
  /** More than one lets several processors of the guest send and receive at the same time; of virtio alone. */
  readonly queues?: number
  readonly bandwidth?: NicBandwidth | null
}

export type ConfigDrive = {
  readonly format: 'iso9660' | 'vfat'
  readonly files: readonly { readonly path: string; readonly data: Uint8Array }[]
}

export type CpuTopology = { readonly sockets: number; readonly cores: number; readonly threads: number }
/** Kilobytes a second, and kilobytes at once. */
type BandwidthLimit = { readonly average: number; readonly peak: number | null; readonly burst: number | null }
export type NicBandwidth = { readonly inbound: BandwidthLimit | null; readonly outbound: BandwidthLimit | null }

/** What flavors and images ask for beyond sizes; `null` leaves it to the hypervisor. */
export type GuestTuning = {
  readonly topology: CpuTopology | null
  /** What happens when the guest no longer feeds it; no device when `null`. */
  readonly watchdog: 'none' | 'pause' | 'poweroff' | 'reset' | null
  readonly hidesHypervisor: boolean
  readonly pmu: boolean | null
  readonly bootMenu: boolean
  readonly videoRamMib: number | null
  readonly rngRate: { readonly bytes: number; readonly periodMs: number | null } | null
  readonly cpu: { readonly shares: number | null; readonly periodUs: number | null; readonly quotaUs: number | null }
  /** Of each disk, under libvirt's names such as `read_bytes_sec`. */
  readonly disk: Readonly<Record<string, number>>
}

export type GuestSpec = {
  readonly uuid: string
  /** `instance-00000001`: the hypervisor's name of the guest. */
  readonly name: string
  readonly vcpus: number
  readonly memoryMib: number
  readonly firmware: 'bios' | 'uefi'
  readonly machineType: string | null
  /** Boot these files instead of a boot loader on the disk. */
  readonly kernel: { readonly file: string; readonly initrd: string | null; readonly cmdline: string } | null
  readonly disks: readonly DiskSpec[]
  readonly nics: readonly NicSpec[]
  readonly configDrive: ConfigDrive | null
  readonly video: 'vga' | 'virtio' | 'qxl' | 'cirrus' | 'none'
  readonly guestAgent: boolean
  readonly rng: boolean
  readonly tuning?: GuestTuning
  /** For people who look at the host: written into the guest's description. */
  readonly about: {
    readonly displayName: string
    readonly projectId: string
    readonly userId: string
    readonly flavor: string
    readonly imageId: string | null
  }
}

/** Another disk to boot from, with the guest's own as the second one. */
export type RescueSpec = {
  readonly root: { readonly file: string; readonly format: 'raw' | 'qcow2' }
  readonly kernel: GuestSpec['kernel']
  readonly configDrive: ConfigDrive | null
  /** The rescue disk's bus and kind, by the image's `hw_rescue_bus` and `hw_rescue_device`; with them the guest's disks keep their places. */
  readonly device: { readonly bus: DiskSpec['bus']; readonly kind: DiskSpec['kind'] } | null
}
