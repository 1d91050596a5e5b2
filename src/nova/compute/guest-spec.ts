/**
 * From a server and its image's properties to what the hypervisor is asked for.
 *
 * @see https://docs.openstack.org/glance/latest/admin/useful-image-properties.html
 */
import { booleanWord, saysYes } from '../model/index.ts'
import type { ConfigDrive, DiskSpec, GuestSpec, NicSpec, RescueSpec } from '../virt/index.ts'
import { guestTuning, nicTuning } from './guest-tuning.ts'
import type { RescueArgs, SpawnArgs } from './messages.ts'

export type GuestFiles = {
  root: { file: string; format: 'raw' | 'qcow2' }
  kernel: string | null
  ramdisk: string | null
}
export type Plugged = { portId: string; mac: string; tap: string; bridge: string; mtu: number }

const oneOf = <const T extends string>(value: string | undefined, allowed: readonly T[], otherwise: T): T =>
  allowed.find((item) => item === value) ?? otherwise

/** Whether the image says that an agent answers in its guests. */
export const wantsAgent = ({ hw_qemu_guest_agent }: Properties): boolean => saysYes(hw_qemu_guest_agent)

export function guestSpec(args: SpawnArgs, files: GuestFiles, plugged: readonly Plugged[]): GuestSpec {
  const properties = args.imageProperties
  return {
    uuid: args.uuid,
    name: args.name,
    vcpus: args.flavor.vcpus,
    memoryMib: args.flavor.memoryMib,
    firmware: oneOf(properties.hw_firmware_type, ['bios', 'uefi'], 'bios'),
    machineType: properties.hw_machine_type ?? null,
    kernel: kernelOf(files, properties),
    disks: disksOf(args, files.root),
    nics: plugged.map((port) => nicOf(port, args.flavor, properties)),
    configDrive: driveOf(args.configDrive),
    video: oneOf(properties.hw_video_model, ['vga', 'virtio', 'qxl', 'cirrus', 'none'], 'vga'),
    guestAgent: wantsAgent(properties),
    rng: properties.hw_rng_model !== 'none' && booleanWord(args.flavor.extraSpecs['hw_rng:allowed'] ?? '') !== false,
    tuning: guestTuning(args.flavor.vcpus, args.flavor.extraSpecs, properties),
    about: {
      displayName: args.displayName,
      projectId: args.projectId,
      userId: args.userId,
      flavor: args.flavor.name,
      imageId: args.imageId,
    },
  }
}

type Properties = SpawnArgs['imageProperties']

const kernelOf = ({ kernel, ramdisk }: Pick<GuestFiles, 'kernel' | 'ramdisk'>, properties: Properties): GuestSpec['kernel'] =>
  kernel === null ? null : { file: kernel, initrd: ramdisk, cmdline: properties.os_command_line ?? 'console=tty0 console=ttyS0' }

export const nicOf = ({ portId, mac, tap, bridge, mtu }: Plugged, flavor: SpawnArgs['flavor'], properties: Properties): NicSpec => ({
  portId,
  mac,
  tap,
  bridge,
  mtu,
  model: oneOf(properties.hw_vif_model, ['virtio', 'e1000', 'e1000e', 'rtl8139'], 'virtio'),
  ...nicTuning(flavor.vcpus, flavor.extraSpecs, properties),
})

const driveOf = (drive: SpawnArgs['configDrive']): ConfigDrive | null =>
  drive && { format: drive.format, files: drive.files.map(({ path, base64 }) => ({ path, data: Buffer.from(base64, 'base64') })) }

/** @see https://docs.openstack.org/nova/latest/user/rescue.html */
export function rescueSpec(args: RescueArgs, files: GuestFiles): RescueSpec {
  const { hw_rescue_bus: bus, hw_rescue_device: device } = args.imageProperties
  return {
    root: files.root,
    kernel: kernelOf(files, args.imageProperties),
    configDrive: driveOf(args.configDrive),
    device:
      bus === undefined && device === undefined
        ? null
        : { bus: oneOf(bus, ['virtio', 'scsi', 'sata', 'ide', 'usb'], 'virtio'), kind: oneOf(device, ['disk', 'cdrom'], 'disk') },
  }
}

/** The root disk is named so whatever it is called in the guest; the others by what they are and their order. */
function disksOf({ flavor, disks, imageProperties }: SpawnArgs, root: GuestFiles['root']): DiskSpec[] {
  let ephemerals = 0
  return disks.map(({ source, guestFormat, size, deviceName, bus, kind, bootIndex }) => {
    const isSwap = guestFormat === 'swap'
    const about = { bus, kind, device: deviceName.replace(/^\/dev\//, ''), bootIndex: bootIndex < 0 ? null : bootIndex + 1, serial: null }
    if (source === 'image') return { ...about, name: 'root', source: { kind: 'image', ...root }, sizeGib: flavor.rootGib }
    if (isSwap) return { ...about, name: 'swap', source: { kind: 'blank' }, sizeGib: (size ?? 0) / 1024 }
    const name = `ephemeral${ephemerals++}`
    const fileSystem = { type: guestFormat, os: imageProperties.os_type ?? null, label: name }
    return { ...about, name, source: { kind: 'blank', fileSystem }, sizeGib: size ?? 0 }
  })
}
