import { describe, expect, it } from 'vitest'
import { aPort } from '../../../test/support/metadata.ts'
import type { GuestDevice, GuestDisk } from '../model/index.ts'
import { blockDevices, deviceEntries, devicesOf } from './devices.ts'

const disk = (change: Partial<GuestDisk>): GuestDisk => ({
  sourceType: 'image',
  destinationType: 'local',
  guestFormat: null,
  deviceName: '/dev/vda',
  bus: 'virtio',
  volumeId: null,
  tag: null,
  ...change,
})
const nic: GuestDevice = {
  type: 'nic',
  bus: 'pci',
  address: '0000:00:03.0',
  mac: 'fa:16:3e:00:00:01',
  tags: null,
  vlan: null,
  vfTrusted: false,
}
const share: GuestDevice = { type: 'share', bus: 'none', address: 'none', shareId: 's-1', tag: 'data' }

describe('devices', () => {
  it('are those that were recorded, else what ports and tagged disks know', () => {
    expect(devicesOf([nic], [aPort()], [])).toEqual([nic])
    const found = devicesOf(null, [aPort({ tag: 'front' })], [disk({}), disk({ tag: 'db', volumeId: 'v-1', deviceName: '/dev/vdb' })])
    expect(found).toEqual([
      { type: 'nic', bus: 'pci', address: 'none', mac: 'fa:16:3e:00:00:01', tags: ['front'], vlan: null, vfTrusted: false },
      { type: 'disk', bus: 'pci', address: 'none', tags: ['db'], serial: 'v-1', path: '/dev/vdb' },
    ])
  })

  it('tell a nic without tags from the version on that tells something of it', () => {
    const told = (device: GuestDevice, version: string) => deviceEntries([device], version)[0]
    expect(told(nic, '2017-02-22')).toBeUndefined()
    expect(told(nic, '2018-08-27')).toEqual({ type: 'nic', mac: nic.mac, vf_trusted: false, bus: 'pci', address: '0000:00:03.0' })
    expect(told({ ...nic, vlan: 7 }, '2016-10-06')).toBeUndefined()
    expect(told({ ...nic, vlan: 7 }, '2017-02-22')).toEqual({ type: 'nic', mac: nic.mac, vlan: 7, bus: 'pci', address: '0000:00:03.0' })
    expect(told({ ...nic, tags: ['a'], vfTrusted: true }, '2016-06-30')).toEqual({
      type: 'nic',
      mac: nic.mac,
      tags: ['a'],
      bus: 'pci',
      address: '0000:00:03.0',
    })
    expect(told({ ...nic, vfTrusted: true }, '2025-04-04')).toMatchObject({ vf_trusted: true })
  })

  it('tell shares from 2025-04-04', () => {
    expect(deviceEntries([share], '2020-10-14')).toEqual([])
    expect(deviceEntries([share], '2025-04-04')).toEqual([{ type: 'share', bus: 'none', address: 'none', share_id: 's-1', tag: 'data' }])
  })
})

describe('block-device-mapping', () => {
  it('has names of its own without a root device', () => {
    expect(blockDevices({ root: null, ephemeral: null, swap: null }, [])).toEqual({
      ami: 'sda1',
      ephemeral0: 'sda2',
      root: '/dev/sda1',
      swap: 'sda3',
    })
  })

  it('numbers volumes by their names, and blank disks as they come', () => {
    const blank = { sourceType: 'blank' }
    const volume = { sourceType: 'volume', destinationType: 'volume' }
    const disks = [
      disk({}),
      disk({ ...volume, deviceName: '/dev/vdz' }),
      disk({ ...volume, deviceName: '/dev/vdy' }),
      disk({ ...blank, deviceName: '/dev/vdb' }),
      disk({ ...blank, deviceName: '/dev/vdc' }),
      disk({ ...blank, guestFormat: 'swap', deviceName: '/dev/vdd' }),
    ]
    expect(blockDevices({ root: '/dev/vda', ephemeral: null, swap: null }, disks)).toEqual({
      ami: 'vda',
      root: '/dev/vda',
      ephemeral0: '/dev/vdb',
      ephemeral1: '/dev/vdc',
      swap: '/dev/vdd',
      ebs0: '/dev/vdy',
      ebs1: '/dev/vdz',
    })
    expect(blockDevices({ root: '/dev/vda', ephemeral: '/dev/vdb', swap: '/dev/vdc' }, [])).toEqual({
      ami: 'vda',
      root: '/dev/vda',
      ephemeral0: '/dev/vdb',
      swap: '/dev/vdc',
    })
  })
})
