import { expect, it } from 'vitest'
import { type Flavor, type InstanceDisk, planDisks } from '../model/index.ts'
import { guestSpec } from './guest-spec.ts'

const flavor: Flavor = {
  id: 1,
  flavorId: '1',
  name: 'm1',
  vcpus: 1,
  memoryMib: 64,
  rootGib: 2,
  ephemeralGib: 10,
  swapMib: 512,
  rxtxFactor: 1,
  disabled: false,
  isPublic: true,
  description: null,
  extraSpecs: {},
}
const args = (disks: readonly InstanceDisk[]) => ({
  uuid: 'u',
  name: 'instance-00000001',
  displayName: 'web',
  projectId: 'p',
  userId: 'u',
  flavor,
  imageId: 'i',
  imageProperties: {},
  kernelId: null,
  ramdiskId: null,
  disks,
  ports: [],
  configDrive: null,
})
const files = { root: { file: '/base', format: 'raw' }, kernel: null, ramdisk: null } as const

it('gives a guest its disks with their buses, kinds and sizes', () => {
  const blank = {
    source: 'blank',
    destination: 'local',
    uuid: null,
    bootIndex: null,
    guestFormat: null,
    deviceName: null,
    deviceType: null,
    bus: null,
    size: null,
    tag: null,
  } as const
  const mapped = [
    { ...blank, source: 'image', uuid: 'i', bootIndex: 0 } as const,
    { ...blank, size: 4, bus: 'scsi', guestFormat: 'ext3' },
    { ...blank, size: 6, deviceType: 'cdrom', bus: 'sata' },
    { ...blank, guestFormat: 'swap', size: 256 },
  ]
  const blankOf = (type: string | null, nth: number) => ({ kind: 'blank', fileSystem: { type, os: 'linux', label: `ephemeral${nth}` } })
  const disks = planDisks({ imageId: 'i', bus: undefined, flavor, mapped, maxLocal: -1 })
  expect(guestSpec({ ...args(disks), imageProperties: { os_type: 'linux' } }, files, []).disks).toEqual([
    {
      name: 'root',
      device: 'vda',
      bus: 'virtio',
      kind: 'disk',
      source: { kind: 'image', file: '/base', format: 'raw' },
      sizeGib: 2,
      bootIndex: 1,
      serial: null,
    },
    { name: 'ephemeral0', device: 'sda', bus: 'scsi', kind: 'disk', source: blankOf('ext3', 0), sizeGib: 4, bootIndex: null, serial: null },
    { name: 'ephemeral1', device: 'sdb', bus: 'sata', kind: 'cdrom', source: blankOf(null, 1), sizeGib: 6, bootIndex: null, serial: null },
    { name: 'swap', device: 'vdb', bus: 'virtio', kind: 'disk', source: { kind: 'blank' }, sizeGib: 0.25, bootIndex: null, serial: null },
  ])
})
