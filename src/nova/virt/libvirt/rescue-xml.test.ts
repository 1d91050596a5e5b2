import { expect, test } from 'vitest'
import { blankGuest } from '../../../../test/contract/driver.ts'
import type { DiskSpec, GuestSpec, RescueSpec } from '../specs.ts'
import { childOf, childrenOf, disksOf, fileOf, parseElement, printElement, targetOf } from './definition.ts'
import { type DiskFile, type DomainSettings, domainXml } from './domain-xml.ts'
import { rescueXml } from './rescue-xml.ts'

const settings: DomainSettings = {
  cloud: 'mc',
  arch: 'x86_64',
  domainType: 'qemu',
  machineType: 'q35',
  cpu: { mode: 'none', model: null },
  cacheMode: 'none',
  discard: 'unmap',
  pciePorts: 4,
  maxQueues: 0,
  rngDevice: '/dev/urandom',
  tbCacheMib: 32,
  firmware: null,
  spice: null,
  vncSocket: '/run/x.vnc',
  serialSocket: '/run/x.tty',
  serialLog: '/d/console.log',
  keepBaseOwner: true,
}
const stored = (path: string, spec: Partial<DiskSpec>): DiskFile => ({
  spec: { device: 'vda', bus: 'virtio', kind: 'disk', bootIndex: null, serial: null, ...spec },
  path,
  format: 'qcow2',
  backing: { path: '/b/1', format: 'raw' },
  readonly: false,
  shared: false,
})
const guestDisks = [
  stored('/d/root', { bootIndex: 0 }),
  stored('/d/ephemeral0', { device: 'vdb' }),
  stored('/d/disk.config', { device: 'vdz' }),
]
/** As libvirt would tell it, which gives the root disk an address. */
const defined = (spec: Partial<GuestSpec> = {}, disks = guestDisks) =>
  domainXml(blankGuest(spec), disks, settings).replace(
    '<target dev="vda" bus="virtio"/>',
    '<target dev="vda" bus="virtio"/><address type="pci" bus="0x03"/>',
  )

const rescued = (
  changes: { device?: RescueSpec['device']; kernel?: GuestSpec['kernel']; configDrive?: DiskFile | null; from?: string } = {},
) => {
  const { device = null, kernel = null, configDrive = null, from = defined() } = changes
  const bus = device?.bus ?? 'virtio'
  const root = stored('/d/rescue/root', { bus, kind: device?.kind ?? 'disk', bootIndex: 0 })
  const parts = { root, configDrive, kernel, device, guestRoot: '/d/root', guestConfigDrive: '/d/disk.config', settings }
  const domain = parseElement(rescueXml(from, parts))
  const disks = disksOf(domain).map((disk) => [targetOf(disk), fileOf(disk), childOf(disk, 'boot')?.attributes.order])
  return { domain, disks }
}

test('the rescue disk takes the place and the address of the root disk, which comes second, and nothing else is there', () => {
  const { domain, disks } = rescued()
  expect(disks).toEqual([
    ['vda', '/d/rescue/root', '1'],
    ['vdb', '/d/root', undefined],
  ])
  const [rescue, own] = disksOf(domain)
  expect(childOf(rescue, 'address')?.attributes.bus).toBe('0x03')
  expect(childOf(own, 'address')).toBeUndefined()
})

test("the guest's kernel gives way to the rescue's, or to a boot loader", () => {
  const from = defined({ kernel: { file: '/k/own', initrd: '/k/initrd', cmdline: 'quiet' } })
  const os = (kernel: GuestSpec['kernel']) => childOf(rescued({ from, kernel }).domain, 'os')
  expect(childrenOf(os(null), 'kernel')).toEqual([])
  expect(childrenOf(os(null), 'initrd')).toEqual([])
  const given = os({ file: '/k/rescue', initrd: null, cmdline: 'a "b" & <c>' })
  expect(childOf(given, 'kernel')?.children).toEqual(['/k/rescue'])
  expect(childOf(given, 'cmdline')?.children).toEqual(['a "b" & <c>'])
  expect(childrenOf(given, 'initrd')).toEqual([])
})

test.each([
  [{ bus: 'virtio', kind: 'disk' }, 'vdc'],
  [{ bus: 'sata', kind: 'cdrom' }, 'sda'],
  [{ bus: 'ide', kind: 'cdrom' }, 'sda'],
  [{ bus: 'usb', kind: 'disk' }, 'sda'],
  [{ bus: 'scsi', kind: 'disk' }, 'sda'],
] as const)('on a device of its own, %j, the guest’s disks keep their places', (device, letter) => {
  const { domain, disks } = rescued({ device })
  expect(disks).toEqual([
    [letter, '/d/rescue/root', '1'],
    ['vda', '/d/root', undefined],
    ['vdb', '/d/ephemeral0', undefined],
    ['vdz', '/d/disk.config', undefined],
  ])
  const controllers = childrenOf(childOf(domain, 'devices'), 'controller').filter((each) => each.attributes.type === 'scsi')
  expect(controllers.length).toBe(device.bus === 'scsi' ? 1 : 0)
})

test("the rescue's config drive stands for the guest's", () => {
  const configDrive = stored('/d/rescue/disk.config', { device: 'vdz' })
  expect(rescued({ configDrive }).disks.at(-1)).toEqual(['vdz', '/d/rescue/disk.config', undefined])
  const stable = rescued({ configDrive, device: { bus: 'usb', kind: 'disk' } }).disks.filter(([target]) => target === 'vdz')
  expect(stable).toEqual([['vdz', '/d/rescue/disk.config', undefined]])
})

test('a definition that is read and printed says the same', () => {
  const about = { displayName: `one & <two> "three" 'four'`, projectId: 'p', userId: 'u', flavor: 'f', imageId: null }
  const xml = defined({ about })
  expect(printElement(parseElement(xml))).toBe(xml)
})

test('a guest without root disk cannot be rescued', () => {
  expect(() => rescued({ from: defined({}, [stored('/elsewhere', {})]) })).toThrow('root disk')
})
