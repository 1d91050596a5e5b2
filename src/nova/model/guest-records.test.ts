import { expect, it } from 'vitest'
import { startMetadata } from '../../../test/support/metadata.ts'
import { Ec2Ids, GuestRecords } from './index.ts'

const object = (name: string, data: unknown) => ({ 'nova_object.name': name, 'nova_object.data': data })

it('gives each server and each image an integer of its own, for ever', () => {
  const ids = new Ec2Ids(startMetadata().ground)
  expect([ids.ofInstance('a'), ids.ofInstance('b'), ids.ofInstance('a')]).toEqual([1, 2, 1])
  expect([ids.ofImage('b'), ids.ofImage('a'), ids.ofImage('b')]).toEqual([1, 2, 1])
})

it('reads devices as Nova writes them', () => {
  const { ground, boot } = startMetadata()
  const { uuid } = boot()
  const records = new GuestRecords(ground)
  expect(records.devices(uuid)).toBeNull()
  const devices = [
    object('NetworkInterfaceMetadata', {
      mac: 'm',
      tags: ['t'],
      vlan: 5,
      vf_trusted: true,
      bus: object('PCIDeviceBus', { address: '0000:00:02.0' }),
    }),
    object('DiskMetadata', { serial: 's', path: '/dev/sda', bus: object('SCSIDeviceBus', { address: '1:0:2:0' }) }),
    object('DiskMetadata', { tags: ['d'], bus: object('USBDeviceBus', {}) }),
    object('ShareMetadata', { share_id: 'x', tag: 'y' }),
    object('SomethingNewer', {}),
  ]
  ground.db
    .prepare('UPDATE instance_extra SET device_metadata = ? WHERE instance_uuid = ?')
    .run(JSON.stringify(object('InstanceDeviceMetadata', { devices })), uuid)
  expect(records.devices(uuid)).toEqual([
    { type: 'nic', bus: 'pci', address: '0000:00:02.0', mac: 'm', tags: ['t'], vlan: 5, vfTrusted: true },
    { type: 'disk', bus: 'scsi', address: '1:0:2:0', tags: null, serial: 's', path: '/dev/sda' },
    { type: 'disk', bus: 'usb', address: 'none', tags: ['d'], serial: null, path: null },
    { type: 'share', bus: 'none', address: 'none', shareId: 'x', tag: 'y' },
  ])
})

it('reads the disks that are still there, and the key of the boot', () => {
  const { ground, boot } = startMetadata()
  const { uuid } = boot({ keyName: 'k', keyData: 'ssh-rsa A', keyType: 'ssh' })
  const records = new GuestRecords(ground)
  const add = ground.db.prepare(
    `INSERT INTO block_device_mapping (deleted, instance_uuid, uuid, source_type, destination_type, device_name, tag) VALUES (?, ?, ?, 'volume', 'volume', ?, 't')`,
  )
  add.run(0, uuid, 'u1', '/dev/vdb')
  add.run(2, uuid, 'u2', '/dev/vdc')
  expect(records.disks(uuid)).toEqual([
    { sourceType: 'image', destinationType: 'local', guestFormat: null, deviceName: '/dev/vda', bus: 'virtio', tag: null, volumeId: null },
    { sourceType: 'volume', destinationType: 'volume', guestFormat: null, deviceName: '/dev/vdb', bus: null, volumeId: null, tag: 't' },
  ])
  expect(records.keys(uuid)).toEqual([{ name: 'k', type: 'ssh', publicKey: 'ssh-rsa A' }])
  expect(records.rootDevices(uuid)).toEqual({ root: '/dev/vda', ephemeral: null, swap: null })
})
