/**
 * What is known of an instance and only its guest asks for: its key pair as it was at boot, its disks under their device
 * names, and its devices as the hypervisor recorded them.
 *
 * Nova's serialised objects are read as they stand in the database: `{'nova_object.name', 'nova_object.data'}`.
 */
import type { Ground } from '../../base/ground.ts'

export type GuestKey = { readonly name: string; readonly type: 'ssh' | 'x509'; readonly publicKey: string }

export type GuestDisk = {
  readonly sourceType: string
  readonly destinationType: string
  readonly guestFormat: string | null
  readonly deviceName: string | null
  readonly bus: string | null
  readonly volumeId: string | null
  readonly tag: string | null
}

export type RootDevices = { readonly root: string | null; readonly ephemeral: string | null; readonly swap: string | null }

type Bus = { readonly bus: string; readonly address: string }
export type GuestDevice = Bus &
  (
    | {
        readonly type: 'nic'
        readonly mac: string
        readonly tags: readonly string[] | null
        readonly vlan: number | null
        readonly vfTrusted: boolean
      }
    | { readonly type: 'disk'; readonly tags: readonly string[] | null; readonly serial: string | null; readonly path: string | null }
    | { readonly type: 'share'; readonly shareId: string; readonly tag: string }
  )

type NovaObject<D> = { 'nova_object.name': string; 'nova_object.data': D }
type DeviceData = {
  mac?: string
  tags?: string[] | null
  vlan?: number | null
  vf_trusted?: boolean | null
  serial?: string | null
  path?: string | null
  share_id?: string
  tag?: string
  bus?: NovaObject<{ address?: string }> | null
}

const busNames: Record<string, string> = {
  PCIDeviceBus: 'pci',
  USBDeviceBus: 'usb',
  SCSIDeviceBus: 'scsi',
  IDEDeviceBus: 'ide',
  XenDeviceBus: 'xen',
}

export class GuestRecords {
  readonly #db: Ground['db']

  constructor({ db }: Pick<Ground, 'db'>) {
    this.#db = db
  }

  isLive(uuid: string): boolean {
    return this.#db.prepare('SELECT 1 FROM instances WHERE uuid = ? AND deleted = 0').get(uuid) !== undefined
  }

  keys(uuid: string): GuestKey[] {
    type List = NovaObject<{ objects: NovaObject<{ name: string; public_key: string; type?: string }>[] }>
    return (this.#extra<List>(uuid, 'keypairs')?.['nova_object.data'].objects ?? []).map(({ 'nova_object.data': key }) => ({
      name: key.name,
      type: key.type === 'x509' ? 'x509' : 'ssh',
      publicKey: key.public_key,
    }))
  }

  rootDevices(uuid: string): RootDevices {
    const row = this.#db
      .prepare<RootDevices>(
        `SELECT nullif(root_device_name, '') AS root, nullif(default_ephemeral_device, '') AS ephemeral, nullif(default_swap_device, '') AS swap
         FROM instances WHERE uuid = ?`,
      )
      .get(uuid)
    return row ?? { root: null, ephemeral: null, swap: null }
  }

  /** Its block device mappings, oldest first. */
  disks(uuid: string): GuestDisk[] {
    return this.#db
      .prepare<GuestDisk>(
        `SELECT source_type AS sourceType, destination_type AS destinationType, guest_format AS guestFormat, device_name AS deviceName, disk_bus AS bus,
           volume_id AS volumeId, tag FROM block_device_mapping WHERE instance_uuid = ? AND deleted = 0 ORDER BY id`,
      )
      .all(uuid)
  }

  /** Null when nothing was recorded. */
  devices(uuid: string): GuestDevice[] | null {
    const recorded = this.#extra<NovaObject<{ devices: NovaObject<DeviceData>[] }>>(uuid, 'device_metadata')
    return recorded === null ? null : recorded['nova_object.data'].devices.flatMap(toDevice)
  }

  #extra<T>(uuid: string, column: 'keypairs' | 'device_metadata'): T | null {
    const row = this.#db
      .prepare<{ text: string | null }>(`SELECT ${column} AS text FROM instance_extra WHERE instance_uuid = ? AND deleted = 0`)
      .get(uuid)
    return row?.text ? (JSON.parse(row.text) as T) : null
  }
}

function toDevice({ 'nova_object.name': name, 'nova_object.data': data }: NovaObject<DeviceData>): GuestDevice[] {
  const bus = busNames[data.bus?.['nova_object.name'] ?? ''] ?? 'none'
  const address = data.bus?.['nova_object.data'].address ?? 'none'
  const tags = data.tags ?? null
  switch (name) {
    case 'NetworkInterfaceMetadata':
      return [{ type: 'nic', bus, address, tags, mac: data.mac ?? '', vlan: data.vlan ?? null, vfTrusted: data.vf_trusted ?? false }]
    case 'DiskMetadata':
      return [{ type: 'disk', bus, address, tags, serial: data.serial ?? null, path: data.path ?? null }]
    case 'ShareMetadata':
      return [{ type: 'share', bus, address, shareId: data.share_id ?? '', tag: data.tag ?? '' }]
    default:
      return []
  }
}
