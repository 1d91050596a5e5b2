/**
 * A guest's devices by the tags their owner gave them, so that software inside can tell one from another; and the device
 * names of its disks in EC2's words.
 *
 * Where the hypervisor recorded devices with their addresses, these are told; otherwise what the ports and disks know.
 */
import type { GuestDevice, GuestDisk, InstancePort, RootDevices } from '../model/index.ts'
import { since } from './versions.ts'

const diskBuses: Record<string, string> = { virtio: 'pci', scsi: 'scsi', ide: 'ide', usb: 'usb', xen: 'xen' }

export function devicesOf(recorded: readonly GuestDevice[] | null, ports: readonly InstancePort[], disks: readonly GuestDisk[]) {
  if (recorded !== null) return recorded
  const nics = ports.map(
    (port): GuestDevice => ({
      type: 'nic',
      bus: 'pci',
      address: 'none',
      mac: port.mac,
      tags: port.tag === null ? null : [port.tag],
      vlan: null,
      vfTrusted: false,
    }),
  )
  const tagged = disks.flatMap((disk): GuestDevice[] =>
    disk.tag === null
      ? []
      : [
          {
            type: 'disk',
            bus: diskBuses[disk.bus ?? ''] ?? 'none',
            address: 'none',
            tags: [disk.tag],
            serial: disk.volumeId,
            path: disk.deviceName,
          },
        ],
  )
  return [...nics, ...tagged]
}

/** The `devices` of a version's meta_data.json. A nic that has nothing to tell but its address is left out. */
export function deviceEntries(devices: readonly GuestDevice[], version: string): Record<string, unknown>[] {
  return devices.flatMap((device): Record<string, unknown>[] => {
    const { type, bus, address } = device
    if (device.type === 'share') {
      return version < since.shares ? [] : [{ type, bus, address, share_id: device.shareId, tag: device.tag }]
    }
    const tags = device.tags === null ? {} : { tags: device.tags }
    if (device.type === 'disk') {
      const serial = device.serial === null ? {} : { serial: device.serial }
      const path = device.path === null ? {} : { path: device.path }
      return [{ type, ...serial, ...path, bus, address, ...tags }]
    }
    const vlan = version < since.vlan || device.vlan === null ? {} : { vlan: device.vlan }
    const vfTrusted = version < since.vfTrusted ? {} : { vf_trusted: device.vfTrusted }
    const about = { ...vlan, ...vfTrusted, ...tags }
    return Object.keys(about).length === 0 ? [] : [{ type, mac: device.mac, ...about, bus, address }]
  })
}

/** @see https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/block-device-mapping-concepts.html */
export function blockDevices({ root, ephemeral, swap }: RootDevices, disks: readonly GuestDisk[]): Record<string, string> {
  if (root === null) return { ami: 'sda1', ephemeral0: 'sda2', root: '/dev/sda1', swap: 'sda3' }
  const blanks = disks.filter((disk) => disk.sourceType === 'blank' && disk.destinationType !== 'volume')
  const swaps = blanks.filter(({ guestFormat }) => guestFormat === 'swap')
  const volumes = disks.filter(({ destinationType }) => destinationType === 'volume')
  const namesOf = (found: readonly GuestDisk[]) => found.map(({ deviceName }) => deviceName ?? '').filter((name) => name !== '')
  const named: [string, string | null | undefined][] = [
    ['ami', root.replace(/^\/dev\//, '')],
    ['root', root],
    ['ephemeral0', ephemeral],
    ['swap', namesOf(swaps).at(-1) ?? swap],
    ...namesOf(blanks.filter((disk) => !swaps.includes(disk))).map((name, i): [string, string] => [`ephemeral${i}`, name]),
    ...namesOf(volumes)
      .sort()
      .map((name, i): [string, string] => [`ebs${i}`, name]),
  ]
  return Object.fromEntries(named.filter((entry): entry is [string, string] => typeof entry[1] === 'string'))
}
