/**
 * A guest's definition for libvirt, from typed fields alone.
 *
 * Hot-plug needs a free PCIe port for each device, so ports are made ahead. A processor's model is named only where it is more than the
 * hypervisor's default. Serial port and screen are UNIX sockets, reachable for nobody but this host's root and QEMU itself.
 *
 * @see https://libvirt.org/formatdomain.html
 */
import type { DiskSpec, GuestSpec, GuestTuning, NicSpec } from '../specs.ts'
import { oneLine } from '../text.ts'
import { bandwidthXml, cpuTuneXml, ioTuneXml, processorFeaturesXml, rngRateXml, topologyXml, untuned, watchdogXml } from './tuning-xml.ts'
import { el, type Xml } from './xml.ts'

const metadataNamespace = 'https://minicloud.invalid/xmlns/instance/1'

export type DiskFile = {
  readonly spec: Pick<DiskSpec, 'device' | 'bus' | 'kind' | 'bootIndex' | 'serial'>
  readonly path: string
  readonly format: 'raw' | 'qcow2'
  readonly backing: { readonly path: string; readonly format: 'raw' | 'qcow2' } | null
  readonly readonly: boolean
  /** Other guests use the same file. */
  readonly shared: boolean
}

export type DomainSettings = {
  readonly cloud: string
  readonly arch: string
  /** `kvm`, `qemu`, or `test` of libvirt's own test driver. */
  readonly domainType: string
  readonly machineType: string
  readonly cpu: { readonly mode: 'host-model' | 'host-passthrough' | 'custom' | 'none' | 'maximum'; readonly model: string | null }
  readonly cacheMode: string
  readonly discard: 'ignore' | 'unmap'
  readonly pciePorts: number
  readonly maxQueues: number
  readonly rngDevice: string
  readonly tbCacheMib: number
  readonly firmware: { readonly code: string; readonly vars: string; readonly nvram: string } | null
  readonly vncSocket: string
  /** A second screen by SPICE: at a socket or an address, with the channel of its agent or without. */
  readonly spice: { readonly socket: string; readonly address: string; readonly agent: boolean } | null
  readonly serialSocket: string
  readonly serialLog: string
  /** Base images are shared and read-only: libvirt must leave their owners alone. */
  readonly keepBaseOwner: boolean
}

/** Of a tap device, since Linux 4.0. */
const tapQueues = 256

export const hasPcie = (machineType: string): boolean => /q35|virt/.test(machineType)

/** The name of a guest at libvirt, where other clouds' guests may be too. */
export const domainName = (cloud: string, name: string): string => `${cloud}-${name}`

/** @throws {TypeError} when a text holds what XML cannot */
export function domainXml(spec: GuestSpec, disks: readonly DiskFile[], settings: DomainSettings): string {
  const { arch, domainType, machineType } = settings
  const isPcie = hasPcie(machineType)
  const tuning = spec.tuning ?? untuned
  return el(
    'domain',
    { type: domainType },
    el('name', {}, domainName(settings.cloud, spec.name)),
    el('uuid', {}, spec.uuid),
    about(spec, settings.cloud),
    el('memory', { unit: 'MiB' }, spec.memoryMib),
    el('vcpu', {}, spec.vcpus),
    cpuTuneXml(tuning.cpu),
    arch === 'x86_64' && smbios(spec.uuid),
    os(spec, settings),
    features(spec, settings),
    cpu(settings, tuning),
    el('clock', { offset: 'utc' }),
    el('on_poweroff', {}, 'destroy'),
    el('on_reboot', {}, 'restart'),
    el('on_crash', {}, 'preserve'),
    el(
      'devices',
      {},
      isPcie && domainType !== 'test' && pciePorts(settings.pciePorts),
      disks.some((disk) => disk.spec.bus === 'scsi') && el('controller', { type: 'scsi', model: 'virtio-scsi' }),
      el('controller', { type: 'usb', model: 'qemu-xhci' }),
      disks.map((disk) => diskXml(disk, settings, isPcie, tuning.disk)),
      spec.nics.map((nic) => nicXml(nic, settings.maxQueues)),
      el(
        'serial',
        { type: 'unix' },
        el('source', { mode: 'bind', path: settings.serialSocket }),
        el('log', { file: settings.serialLog, append: 'on' }),
        el('target', { port: 0 }),
      ),
      spec.guestAgent && el('channel', { type: 'unix' }, el('target', { type: 'virtio', name: 'org.qemu.guest_agent.0' })),
      spec.video !== 'none' && el('graphics', { type: 'vnc' }, el('listen', { type: 'socket', socket: settings.vncSocket })),
      spec.video !== 'none' && settings.spice && spiceXml(settings.spice),
      spec.video !== 'none' && el('input', { type: 'tablet', bus: 'usb' }),
      el('video', {}, videoModel(spec, arch)),
      spec.rng && el('rng', { model: 'virtio' }, rngRateXml(tuning.rngRate), el('backend', { model: 'random' }, settings.rngDevice)),
      watchdogXml(tuning.watchdog),
      el('memballoon', { model: 'none' }),
    ),
  ).xml
}

function spiceXml({ socket, address, agent }: NonNullable<DomainSettings['spice']>): Xml[] {
  const listen =
    address === ''
      ? el('graphics', { type: 'spice' }, el('listen', { type: 'socket', socket }))
      : el('graphics', { type: 'spice', autoport: 'yes' }, el('listen', { type: 'address', address }))
  return [listen, ...(agent ? [el('channel', { type: 'spicevmc' }, el('target', { type: 'virtio', name: 'com.redhat.spice.0' }))] : [])]
}

function about(spec: GuestSpec, cloud: string): Xml {
  const mine = (name: string, text: string | null) => text !== null && el(`minicloud:${name}`, {}, oneLine(text))
  return el(
    'metadata',
    {},
    el(
      'minicloud:instance',
      { 'xmlns:minicloud': metadataNamespace },
      mine('cloud', cloud),
      mine('name', spec.name),
      mine('displayName', spec.about.displayName),
      mine('project', spec.about.projectId),
      mine('user', spec.about.userId),
      mine('flavor', spec.about.flavor),
      mine('image', spec.about.imageId),
    ),
  )
}

/** cloud-init knows an OpenStack guest by these. */
const smbios = (uuid: string): Xml =>
  el(
    'sysinfo',
    { type: 'smbios' },
    el(
      'system',
      {},
      el('entry', { name: 'manufacturer' }, 'OpenStack Foundation'),
      el('entry', { name: 'product' }, 'OpenStack Nova'),
      el('entry', { name: 'serial' }, uuid),
      el('entry', { name: 'uuid' }, uuid),
      el('entry', { name: 'family' }, 'Virtual Machine'),
    ),
  )

function os(spec: GuestSpec, { arch, machineType, firmware }: DomainSettings): Xml {
  return el(
    'os',
    {},
    el('type', { arch, machine: machineType }, 'hvm'),
    firmware && el('loader', { readonly: 'yes', type: 'pflash' }, firmware.code),
    firmware && el('nvram', { template: firmware.vars }, firmware.nvram),
    spec.kernel && [
      el('kernel', {}, spec.kernel.file),
      spec.kernel.initrd !== null && el('initrd', {}, spec.kernel.initrd),
      el('cmdline', {}, spec.kernel.cmdline),
    ],
    spec.tuning?.bootMenu && el('bootmenu', { enable: 'yes' }),
    arch === 'x86_64' && el('smbios', { mode: 'sysinfo' }),
  )
}

function features(spec: GuestSpec, { arch, domainType, tbCacheMib }: DomainSettings): Xml {
  return el(
    'features',
    {},
    (arch === 'x86_64' || spec.firmware === 'uefi') && el('acpi'),
    arch === 'x86_64' && el('apic'),
    processorFeaturesXml(spec.tuning ?? untuned, domainType),
    domainType === 'qemu' && tbCacheMib > 0 && el('tcg', {}, el('tb-cache', { unit: 'MiB' }, tbCacheMib)),
  )
}

function cpu({ cpu: { mode, model } }: DomainSettings, tuning: GuestTuning): Xml | null {
  const topology = topologyXml(tuning.topology)
  if (mode === 'none') return topology && el('cpu', {}, topology)
  if (mode === 'custom') return el('cpu', { mode, match: 'exact' }, el('model', { fallback: 'forbid' }, model ?? 'qemu64'), topology)
  return el('cpu', { mode, check: mode === 'host-model' ? 'partial' : 'none' }, topology)
}

/** Of the models, those of fixed memory take no size. */
function videoModel({ video, tuning }: GuestSpec, arch: string): Xml {
  const type = arch === 'x86_64' || video === 'none' ? video : 'virtio'
  const mib = type === 'virtio' || type === 'none' ? null : (tuning?.videoRamMib ?? null)
  return el('model', { type, vram: mib === null ? null : mib * 1024 })
}

function pciePorts(count: number): Xml[] {
  return [
    el('controller', { type: 'pci', model: 'pcie-root' }),
    ...Array.from({ length: count }, () => el('controller', { type: 'pci', model: 'pcie-root-port' })),
  ]
}

export function diskXml(
  disk: DiskFile,
  { cacheMode, discard, keepBaseOwner }: Pick<DomainSettings, 'cacheMode' | 'discard' | 'keepBaseOwner'>,
  isPcie: boolean,
  limits: GuestTuning['disk'] = {},
): Xml {
  const { spec, backing } = disk
  // The q35 machine has no IDE.
  const bus = spec.bus === 'ide' && isPcie ? 'sata' : spec.bus
  return el(
    'disk',
    { type: 'file', device: spec.kind },
    el('driver', { name: 'qemu', type: disk.format, cache: cacheMode, discard: disk.readonly ? 'ignore' : discard }),
    el('source', { file: disk.path }, disk.shared && keepBaseOwner && el('seclabel', { model: 'dac', relabel: 'no' })),
    // Said in full, so that nobody probes what a guest can write.
    backing
      ? el(
          'backingStore',
          { type: 'file' },
          el('format', { type: backing.format }),
          el('source', { file: backing.path }, keepBaseOwner && el('seclabel', { model: 'dac', relabel: 'no' })),
          el('backingStore'),
        )
      : el('backingStore'),
    el('target', { dev: spec.device, bus }),
    spec.serial !== null && el('serial', {}, oneLine(spec.serial, 20)),
    ioTuneXml(limits),
    disk.readonly && el('readonly'),
    spec.bootIndex !== null && spec.bootIndex >= 0 && el('boot', { order: spec.bootIndex + 1 }),
  )
}

/** @param maxQueues 0 leaves it to what the kernel can do */
export function nicXml(nic: NicSpec, maxQueues: number): Xml {
  const queues = nic.model === 'virtio' ? Math.min(nic.queues ?? 1, maxQueues || tapQueues) : 1
  return el(
    'interface',
    { type: 'bridge' },
    el('mac', { address: nic.mac }),
    el('source', { bridge: nic.bridge }),
    el('target', { dev: nic.tap }),
    el('model', { type: nic.model }),
    queues > 1 && el('driver', { queues }),
    el('mtu', { size: nic.mtu }),
    bandwidthXml(nic.bandwidth ?? null),
  )
}
