import fc from 'fast-check'
import { XMLValidator } from 'fast-xml-parser'
import { expect, test } from 'vitest'
import { blankGuest } from '../../../../test/contract/driver.ts'
import type { GuestSpec, GuestTuning } from '../specs.ts'
import { spicePortOf } from './definition.ts'
import { type DomainSettings, domainXml } from './domain-xml.ts'
import { offersSpice, parseXml, readOwner } from './host-facts.ts'
import { el } from './xml.ts'

const settings: DomainSettings = {
  cloud: 'mc',
  arch: 'x86_64',
  domainType: 'qemu',
  machineType: 'q35',
  cpu: { mode: 'none', model: null },
  cacheMode: 'none',
  discard: 'unmap',
  pciePorts: 16,
  maxQueues: 0,
  rngDevice: '/dev/urandom',
  tbCacheMib: 32,
  firmware: null,
  vncSocket: '/run/x.vnc',
  spice: null,
  serialSocket: '/run/x.tty',
  serialLog: '/d/console.log',
  keepBaseOwner: true,
}
const root = { path: '/d/root', format: 'qcow2', backing: { path: '/b/1', format: 'raw' }, readonly: false, shared: false } as const
const xmlOf = (spec: Partial<GuestSpec> = {}, changed: Partial<DomainSettings> = {}) => {
  const guest = blankGuest(spec)
  return domainXml(guest, [{ ...root, spec: guest.disks[0]! }], { ...settings, ...changed })
}

test('whatever people call things, the document is whole and says who owns it', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary', maxLength: 300 }), fc.string({ maxLength: 40 }), (displayName, flavor) => {
      const about = { displayName: displayName.replace(/[\ud800-\udfff]/g, ''), projectId: 'p', userId: 'u', flavor, imageId: null }
      const xml = xmlOf({ name: 'instance-1', about })
      expect(XMLValidator.validate(xml)).toBe(true)
      expect(readOwner(xml)).toEqual({ cloud: 'mc', name: 'instance-1' })
      expect(xml.match(/<disk /g)?.length).toBe(1)
    }),
  )
})

test.each(['\u0000', '\u001b', '\u0085', '\uffff', '\ud800', '\udc00x'])('%j is refused in a value', (text) => {
  expect(() => el('a', { b: text })).toThrow(TypeError)
  expect(() => el('a', {}, text)).toThrow(TypeError)
  expect(() => xmlOf({ kernel: { file: '/k', initrd: null, cmdline: `quiet${text}` } })).toThrow(TypeError)
})

test('values come back from a parser, but for the blanks around them', () => {
  fc.assert(
    fc.property(fc.string({ minLength: 1 }), (text) => {
      const doc = parseXml(el('a', { b: text }).xml) as { a: { '@b': string } }
      expect(doc.a['@b']).toBe(text.trim())
    }),
  )
})

test('a disk names its format and all that lies under it, so that nobody probes', () => {
  const xml = xmlOf()
  expect(xml).toContain('<driver name="qemu" type="qcow2" cache="none" discard="unmap"/>')
  expect(xml).toContain(
    '<backingStore type="file"><format type="raw"/><source file="/b/1"><seclabel model="dac" relabel="no"/></source><backingStore/></backingStore>',
  )
  expect(xml).toContain('<boot order="1"/>')
})

test('emulation has its cache bounded, KVM has none', () => {
  expect(xmlOf()).toContain('<tcg><tb-cache unit="MiB">32</tb-cache></tcg>')
  expect(xmlOf({}, { domainType: 'kvm', cpu: { mode: 'host-model', model: null } })).not.toContain('tcg')
  expect(xmlOf({}, { domainType: 'kvm', cpu: { mode: 'host-model', model: null } })).toContain('<cpu mode="host-model" check="partial"/>')
})

test('a guest without a screen has no VNC', () => {
  expect(xmlOf({ video: 'none' })).not.toContain('graphics')
  expect(xmlOf({ video: 'virtio' })).toContain('<listen type="socket" socket="/run/x.vnc"/>')
})

test('the older machine has no PCIe ports and keeps IDE', () => {
  const disk = { ...blankGuest().disks[0]!, bus: 'ide' as const }
  expect(xmlOf({ disks: [disk] })).toContain('bus="sata"')
  const pc = xmlOf({ disks: [disk] }, { machineType: 'pc' })
  expect(pc).toContain('bus="ide"')
  expect(pc).not.toContain('pcie')
})

test('SPICE is at a socket, or at a port where an address is given, and never where there is no screen', () => {
  const spice = { socket: '/run/x.spice', address: '', agent: true }
  expect(xmlOf({}, { spice })).toContain('<graphics type="spice"><listen type="socket" socket="/run/x.spice"/></graphics>')
  expect(xmlOf({}, { spice })).toContain('name="com.redhat.spice.0"')
  const open = xmlOf({}, { spice: { ...spice, address: '127.0.0.1', agent: false } })
  expect(open).toContain('<graphics type="spice" autoport="yes"><listen type="address" address="127.0.0.1"/></graphics>')
  expect(open).not.toContain('spicevmc')
  expect(xmlOf({ video: 'none' }, { spice })).not.toContain('spice')
  expect(spicePortOf(xmlOf({}, { spice }))).toBeNull()
  expect(spicePortOf(open.replace('type="spice"', 'type="spice" port="5901" tlsPort="5902"'))).toEqual({
    kind: 'tcp',
    host: '127.0.0.1',
    port: 5901,
    tlsPort: 5902,
  })
})

test('a QEMU without SPICE is known by its capabilities', () => {
  const capabilities = (...kinds: string[]) =>
    `<domainCapabilities><devices><graphics supported='yes'><enum name='type'>${kinds.map((kind) => `<value>${kind}</value>`).join('')}</enum></graphics></devices></domainCapabilities>`
  expect([offersSpice(capabilities('vnc', 'spice')), offersSpice(capabilities('vnc')), offersSpice('<domainCapabilities/>')]).toEqual([
    true,
    false,
    false,
  ])
})

const tuning: GuestTuning = {
  topology: { sockets: 1, cores: 2, threads: 2 },
  watchdog: 'reset',
  hidesHypervisor: true,
  pmu: false,
  bootMenu: true,
  videoRamMib: 16,
  rngRate: { bytes: 1000, periodMs: 2000 },
  cpu: { shares: 512, periodUs: 10_000, quotaUs: 5000 },
  disk: { read_bytes_sec: 1_000_000 },
}
const nic = { portId: 'p', mac: '52:54:00:00:00:01', tap: 't', bridge: 'b', mtu: 1500, model: 'virtio' } as const
const bandwidth = { inbound: { average: 100, peak: 200, burst: null }, outbound: null }

test.each([
  '<cputune><shares>512</shares><period>10000</period><quota>5000</quota></cputune>',
  '<topology sockets="1" cores="2" threads="2"/>',
  '<kvm><hidden state="on"/></kvm><pmu state="off"/>',
  '<bootmenu enable="yes"/>',
  '<iotune><read_bytes_sec>1000000</read_bytes_sec></iotune>',
  '<bandwidth><inbound average="100" peak="200"/></bandwidth>',
  '<driver queues="4"/>',
  '<rate bytes="1000" period="2000"/>',
  '<watchdog model="i6300esb" action="reset"/>',
  '<model type="vga" vram="16384"/>',
])('what a flavor asks for is in the definition: %s', (part) => {
  expect(xmlOf({ vcpus: 4, nics: [{ ...nic, bandwidth, queues: 4 }], tuning }, { domainType: 'kvm' })).toContain(part)
  expect(xmlOf({ vcpus: 4, nics: [nic] }, { domainType: 'kvm' })).not.toContain(part)
})

test.each([
  [4, 'virtio', 2, '<driver queues="2"/>'],
  [400, 'virtio', 0, '<driver queues="256"/>'],
  [4, 'e1000', 0, ''],
  [4, 'virtio', 1, ''],
  [1, 'virtio', 0, ''],
] as const)('of %i queues an interface of the model %s has, where %i is the most: %s', (queues, model, maxQueues, expected) => {
  expect(/<driver queues[^>]*>/.exec(xmlOf({ nics: [{ ...nic, model, queues }] }, { maxQueues }))?.[0] ?? '').toBe(expected)
})
