/**
 * A rescued guest's definition, from its own: the rescue disk boots. In the plain form it takes the root disk's place, which comes
 * second, and no other disk is there. In the stable form, where the image names its device, all disks keep their places.
 *
 * @see https://docs.openstack.org/nova/latest/user/rescue.html
 */
import type { GuestSpec, RescueSpec } from '../specs.ts'
import { childOf, childrenOf, disksOf, type Element, fileOf, parseElement, printElement, removeChildren, targetOf } from './definition.ts'
import { type DiskFile, type DomainSettings, diskXml, hasPcie } from './domain-xml.ts'

export type RescueParts = {
  readonly root: DiskFile
  readonly configDrive: DiskFile | null
  readonly kernel: GuestSpec['kernel']
  readonly device: RescueSpec['device']
  /** The files of the guest's own root disk and config drive. */
  readonly guestRoot: string
  readonly guestConfigDrive: string
  readonly settings: Pick<DomainSettings, 'cacheMode' | 'discard' | 'keepBaseOwner'>
}

const letters = 'bcdefghijklmnopqrstuvwxy'

/** @throws {Error} when the definition has no such root disk */
export function rescueXml(definition: string, parts: RescueParts): string {
  const domain = parseElement(definition)
  const os = childOf(domain, 'os')
  const devices = childOf(domain, 'devices')
  const disks = disksOf(domain)
  const own = disks.find((disk) => fileOf(disk) === parts.guestRoot)
  if (!os || !devices || !own) throw new Error('a definition without its root disk')
  removeChildren(os, 'boot', 'kernel', 'initrd', 'cmdline')
  if (parts.kernel) os.children.push(...kernelElements(parts.kernel))
  for (const device of [...disks, ...childrenOf(devices, 'interface')]) removeChildren(device, 'boot')

  const isPcie = hasPcie(childOf(os, 'type')?.attributes.machine ?? '')
  const madeOf = (file: DiskFile) => parseElement(diskXml(file, parts.settings, isPcie).xml)
  const ownDrive = disks.find((disk) => fileOf(disk) === parts.guestConfigDrive)
  const others = parts.device ? disks.filter((disk) => disk !== own && (disk !== ownDrive || !parts.configDrive)) : []
  const rescue = madeOf(parts.root)
  if (parts.device) takeFree(rescue, disks)
  else takePlace(rescue, own)
  removeChildren(devices, 'disk')
  devices.children.push(
    rescue,
    own,
    ...others,
    ...(parts.configDrive ? [madeOf(parts.configDrive)] : []),
    ...(childOf(rescue, 'target')?.attributes.bus === 'scsi' && !hasScsi(devices) ? [scsiController] : []),
  )
  return printElement(domain)
}

/** The first letter that no disk of this bus has. */
function takeFree(rescue: Element, disks: readonly Element[]): void {
  const target = childOf(rescue, 'target')
  if (!target) return
  const prefix = { virtio: 'vd', ide: 'hd' }[target.attributes.bus ?? ''] ?? 'sd'
  const used = disks.map(targetOf)
  const free = [...`a${letters}`].map((letter) => prefix + letter).find((name) => !used.includes(name))
  target.attributes = { ...target.attributes, dev: free ?? `${prefix}z` }
}

/** Name, bus and address, by which the guest tells which disk is first, go to the rescue disk. */
function takePlace(rescue: Element, own: Element): void {
  const place = childOf(own, 'target')
  const target = childOf(rescue, 'target')
  if (!place || !target) return
  target.attributes = { ...place.attributes }
  rescue.children.push(...childrenOf(own, 'address'))
  removeChildren(own, 'address')
  const name = targetOf(own)
  place.attributes = {
    ...place.attributes,
    dev: `${name.slice(0, -1)}${letters[Math.max(0, name.charCodeAt(name.length - 1) - 97)] ?? 'b'}`,
  }
}

const kernelElements = (kernel: NonNullable<GuestSpec['kernel']>): Element[] =>
  Object.entries({ kernel: kernel.file, initrd: kernel.initrd, cmdline: kernel.cmdline }).flatMap(([tag, text]) =>
    text === null ? [] : [{ tag, attributes: {}, children: [text] }],
  )

const hasScsi = (devices: Element): boolean => childrenOf(devices, 'controller').some((each) => each.attributes.type === 'scsi')
const scsiController: Element = { tag: 'controller', attributes: { type: 'scsi', model: 'virtio-scsi' }, children: [] }
