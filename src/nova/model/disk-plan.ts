/**
 * Which disks a server has: what its request maps, completed by what its flavor gives, under names and letters; and what
 * becomes of them when the flavor changes.
 *
 * Sizes are as in Nova's block device mappings: GiB, but MiB for swap.
 *
 * @see https://docs.openstack.org/nova/latest/user/block-device-mapping.html
 */
import { invalid } from '../../base/errors.ts'
import type { Flavor } from './flavors.ts'

export const diskBuses = ['virtio', 'scsi', 'sata', 'ide', 'usb'] as const
export type DiskBus = (typeof diskBuses)[number]
/** Buses that OpenStack knows and no guest here has. */
const foreignBuses = ['fdc', 'xen', 'lxc', 'uml']

export type InstanceDisk = {
  readonly source: 'image' | 'blank'
  /** What the root disk begins as. */
  readonly imageId: string | null
  /** `swap`, or the file system that is wished for. */
  readonly guestFormat: string | null
  /** `/dev/vdb`. The guest may letter it otherwise. */
  readonly deviceName: string
  readonly bus: DiskBus
  readonly kind: 'disk' | 'cdrom'
  /** 0 is the root disk, -1 is never booted from. */
  readonly bootIndex: number
  /** `null`: the flavor's root disk. */
  readonly size: number | null
  readonly tag: string | null
}

/** One entry of a request, the same for both syntaxes. */
export type BlockDevice = {
  readonly source: 'image' | 'volume' | 'snapshot' | 'blank'
  readonly destination: 'local' | 'volume'
  /** Of the image, volume or snapshot. */
  readonly uuid: string | null
  readonly bootIndex: number | null
  readonly guestFormat: string | null
  readonly deviceName: string | null
  readonly deviceType: string | null
  readonly bus: string | null
  readonly size: number | null
  readonly tag: string | null
}

export type DiskWish = {
  /** `null`: no image is named. */
  readonly imageId: string | null
  /** `hw_disk_bus` of the image. */
  readonly bus: string | undefined
  readonly flavor: Pick<Flavor, 'ephemeralGib' | 'swapMib'>
  /** `null`: the image alone. */
  readonly mapped: readonly BlockDevice[] | null
  readonly maxLocal: number
}

const isSwap = ({ guestFormat }: Pick<InstanceDisk, 'guestFormat'>): boolean => guestFormat === 'swap'
const isBlank = ({ source, destination }: BlockDevice): boolean => source === 'blank' && destination === 'local'
const wrong = (details: string) => invalid(`Block Device Mapping is Invalid: ${details}`)
const busOf = (text: string | null | undefined): DiskBus | undefined => diskBuses.find((bus) => bus === text)

/**
 * The disks that a server begins with: root, ephemeral disks, swap.
 * @throws {CloudError} `invalid`, as Nova refuses a mapping; for volumes, of which there are none.
 */
export function planDisks({ imageId, bus, flavor, mapped, maxLocal }: DiskWish): InstanceDisk[] {
  const fallback = busOf(bus) ?? 'virtio'
  const devices = withFlavors(mapped ?? [rootOf(imageId)], flavor)
  checkBootOrder(devices)
  for (const device of devices) checkDevice(device, imageId)
  checkSizes(devices, flavor)
  if (maxLocal >= 0 && devices.length > maxLocal) throw wrong('You specified more local devices than the limit allows')
  const [roots, ephemerals, swaps] = [
    devices.filter(({ source }) => source === 'image'),
    devices.filter((device) => isBlank(device) && !isSwap(device)),
    devices.filter((device) => isBlank(device) && isSwap(device)),
  ]
  const disks = [...roots, ...ephemerals, ...swaps].map((device) => ({
    source: device.source === 'image' ? ('image' as const) : ('blank' as const),
    imageId: device.source === 'image' ? imageId : null,
    guestFormat: device.guestFormat,
    deviceName: '',
    bus: busOf(device.bus) ?? fallback,
    kind: device.deviceType === 'cdrom' ? ('cdrom' as const) : ('disk' as const),
    bootIndex: device.bootIndex ?? -1,
    size: device.source === 'image' ? null : (device.size ?? (isSwap(device) ? flavor.swapMib : flavor.ephemeralGib)),
    tag: device.tag,
  }))
  return lettered(disks.filter(({ size }) => size !== 0))
}

const plain = { guestFormat: null, deviceName: null, deviceType: 'disk', bus: null, size: null, tag: null }
const rootOf = (uuid: string | null): BlockDevice => ({ ...plain, source: 'image', destination: 'local', uuid, bootIndex: 0 })
const blankOf = (guestFormat: string | null): BlockDevice => ({
  ...plain,
  source: 'blank',
  destination: 'local',
  uuid: null,
  bootIndex: -1,
  guestFormat,
})

/** What the flavor gives and nobody mapped is there too. */
function withFlavors(devices: readonly BlockDevice[], { ephemeralGib, swapMib }: DiskWish['flavor']): BlockDevice[] {
  const blanks = devices.filter(isBlank)
  return [
    ...devices,
    ...(ephemeralGib > 0 && !blanks.some((device) => !isSwap(device)) ? [blankOf(null)] : []),
    ...(swapMib > 0 && !blanks.some(isSwap) ? [blankOf('swap')] : []),
  ]
}

function checkBootOrder(devices: readonly BlockDevice[]): void {
  const order = devices.flatMap(({ bootIndex }) => (bootIndex !== null && bootIndex >= 0 ? [bootIndex] : [])).sort((a, b) => a - b)
  const isEmptyRoot = devices.some((device) => device.bootIndex === 0 && isBlank(device))
  if (order.length === 0 || isEmptyRoot || order.some((bootIndex, i) => bootIndex !== i))
    throw wrong('Boot sequence for the instance and image/block device mapping combination is not valid.')
}

function checkDevice({ source, destination, size, bus, uuid }: BlockDevice, imageId: string | null): void {
  if (destination === 'volume') {
    if (source === 'image' && !size) throw invalid("Images with destination_type 'volume' need to have a non-zero size specified")
    if (source === 'blank' && !size) throw invalid("Blank volumes (source: 'blank', dest: 'volume') need to have non-zero size")
  }
  if (destination === 'volume' || source === 'volume' || source === 'snapshot')
    throw wrong('this cloud has no volume service; a server boots from its image.')
  if (source === 'image' && uuid !== imageId) throw wrong('The boot disk and imageRef name different images.')
  if (!bus || busOf(bus)) return
  if (foreignBuses.includes(bus)) throw wrong(`The hypervisor of this cloud has no disk bus ${bus}.`)
  throw invalid(`Block Device Mapping is invalid: The provided disk bus ${bus} is not valid.`)
}

function checkSizes(devices: readonly BlockDevice[], { ephemeralGib, swapMib }: DiskWish['flavor']): void {
  const blanks = devices.filter(isBlank)
  const ephemeral = blanks.filter((device) => !isSwap(device)).reduce((sum, { size }) => sum + (size || ephemeralGib), 0)
  if (ephemeral > ephemeralGib)
    throw invalid(
      'Ephemeral disks requested are larger than the instance type allows. If no size is given in one block device mapping, flavor ephemeral size will be used.',
    )
  const [swap, ...others] = blanks.filter(isSwap)
  if (others.length > 0) throw wrong('More than one swap drive requested.')
  if ((swap?.size ?? 0) > swapMib) throw invalid('Swap drive requested is larger than instance type allows.')
}

const prefixes: Record<DiskBus, string> = { virtio: 'vd', scsi: 'sd', sata: 'sd', usb: 'sd', ide: 'hd' }
const letters = 'abcdefghijklmnopqrstuvwxyz'

/**
 * Disks that have no name yet get the first letters of their buses that nobody has. `sd` and `hd` share theirs, since an IDE disk
 * is a SATA one where a machine has no IDE, and a disk's place on its bus follows from its letter.
 */
function lettered(disks: readonly InstanceDisk[]): InstanceDisk[] {
  const placeOf = (name: string) => name.replace(/^\/dev\/[sh]d/, '').replace(/^\/dev\//, '')
  const taken = new Set(disks.map(({ deviceName }) => placeOf(deviceName)))
  return disks.map((disk) => {
    if (disk.deviceName !== '') return disk
    const names = [...letters].map((letter) => `/dev/${prefixes[disk.bus]}${letter}`)
    const deviceName = names.find((name) => !taken.has(placeOf(name))) ?? ''
    taken.add(placeOf(deviceName))
    return { ...disk, deviceName }
  })
}

type Sizes = DiskWish['flavor']

/**
 * The disks under another flavor: one that has all that the old flavor gives goes with it, one that was mapped smaller
 * stays as it is. No swap is larger than the flavor's.
 */
export function refit(disks: readonly InstanceDisk[], before: Sizes, after: Sizes): InstanceDisk[] {
  const bus = disks[0]?.bus ?? 'virtio'
  const made = (guestFormat: string | null, size: number): InstanceDisk[] =>
    size > 0 ? [{ source: 'blank', imageId: null, guestFormat, deviceName: '', bus, kind: 'disk', bootIndex: -1, size, tag: null }] : []
  const blanks = disks.filter(({ source }) => source === 'blank')
  const ephemerals = blanks.filter((disk) => !isSwap(disk))
  const swap = blanks.find(isSwap)
  const fitted = ephemerals.map((disk) => (disk.size === before.ephemeralGib ? { ...disk, size: after.ephemeralGib } : disk))
  const swapSize = swap?.size === before.swapMib ? after.swapMib : Math.min(swap?.size ?? 0, after.swapMib)
  return lettered(
    [
      ...disks.filter(({ source }) => source === 'image'),
      ...(ephemerals.length > 0 ? fitted : made(null, after.ephemeralGib)),
      ...(swap ? [{ ...swap, size: swapSize }] : made('swap', after.swapMib)),
    ].filter(({ source, size }) => source === 'image' || size !== 0),
  )
}
