/** The formats with little to judge: VDI, ISO 9660 and UDF, and those that are recognised only to be refused. */
import type { Finding, ImageFormat, Judge } from './formats.ts'
import { littleEndian64, type Regions, startsWith } from './regions.ts'

const vdiSignature = 0xbeda107f

/** VirtualBox: dynamic (1) and fixed (2) images stand alone; undo and differencing ones have a parent. */
export function judgeVdi(regions: Regions): Finding | null {
  const { head } = regions
  if (head.length < 0x44 || head.readUInt32LE(0x40) !== vdiSignature) return null
  if (head.length < 0x200) return { virtualSizeBytes: null, problems: ['the header is cut short'] }
  const problems: string[] = []
  const type = head.readUInt32LE(0x4c)
  if (type !== 1 && type !== 2) problems.push('only dynamic and fixed disks without a parent are accepted')
  if (head.readUInt32LE(0x44) >>> 16 !== 1) problems.push('its version is not known')
  // Links to other images: 16 bytes each, the previous snapshot's and the parent's.
  if (head.subarray(0x1a8, 0x1c8).some((byte) => byte !== 0)) problems.push('it has a parent')
  return { virtualSizeBytes: littleEndian64(head, 0x170), problems }
}

const volumeDescriptors = 32 << 10
const isoSectorBytes = 2048
const isoSignatures = new Set(['CD001', 'BEA01', 'NSR02', 'NSR03'])

/** Looks through the first volume descriptors, as a CD may be of UDF alone. */
export function judgeIso(regions: Regions): Finding | null {
  for (let i = 0; i < 16; i++) {
    const at = volumeDescriptors + i * isoSectorBytes + 1
    if (isoSignatures.has(regions.head.toString('latin1', at, at + 5))) return { virtualSizeBytes: regions.size, problems: [] }
  }
  return null
}

function refused(name: string, matches: (regions: Regions) => boolean): Judge {
  return (regions) => (matches(regions) ? { virtualSizeBytes: null, problems: [`the format ${name} is not accepted`] } : null)
}

export const refusedFormats: [ImageFormat, Judge][] = [
  ['qed', refused('QED', ({ head }) => startsWith(head, 'QED\0'))],
  ['luks', refused('LUKS', ({ head }) => startsWith(head, 'LUKS\xba\xbe') || startsWith(head, 'SKUL\xba\xbe'))],
  ['ploop', refused('Parallels', ({ head }) => startsWith(head, 'WithoutFreeSpace') || startsWith(head, 'WithouFreSpacExt'))],
  ['bochs', refused('Bochs', ({ head }) => startsWith(head, 'Bochs Virtual HD Image'))],
  ['cloop', refused('cloop', ({ head }) => startsWith(head, '#!/bin/sh\n#V2.0 Format\n'))],
  ['dmg', refused('DMG', ({ tail }) => startsWith(tail, 'koly', Math.max(0, tail.length - 512)))],
]

/** A raw disk's own partition table, if it has one. */
export function partitionTable(head: Buffer): 'gpt' | 'mbr' | null {
  if (startsWith(head, 'EFI PART', 512) || startsWith(head, 'EFI PART', 4096)) return 'gpt'
  if (head.length < 512 || head.readUInt16LE(510) !== 0xaa55) return null
  const entries = [446, 462, 478, 494].map((at) => ({
    status: head.readUInt8(at),
    type: head.readUInt8(at + 4),
    sectors: head.readUInt32LE(at + 12),
  }))
  const sane = entries.every(({ status }) => status === 0 || status === 0x80)
  return sane && entries.some(({ type, sectors }) => type !== 0 && sectors > 0) ? 'mbr' : null
}
