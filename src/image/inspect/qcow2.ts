/**
 * qcow2 (and its forerunner qcow, always refused). A qcow2 may name other files of this host, as backing file or external data file:
 * exactly that is refused, along with encryption and features that nobody here knows.
 *
 * @see https://www.qemu.org/docs/master/interop/qcow2.html
 */
import type { Finding } from './formats.ts'
import { bigEndian64, bytesAt, type Regions, startsWith } from './regions.ts'

const magic = 'QFI\xfb'
const version2HeaderBytes = 72
const version3HeaderBytes = 104
/** Bits of incompatible features: 0 dirty, 3 compression type, 4 extended L2 are harmless to a reader that knows them. */
const corruptBit = 1n << 1n
const dataFileBit = 1n << 2n
const compressionBit = 1n << 3n
const extendedL2Bit = 1n << 4n
const knownBits = 0b11111n
const dataFileExtension = 0x44415441
const encryptionExtension = 0x0537be77
const maxL1Bytes = 32 << 20
const maxExtensions = 64

export function judgeQcow(regions: Regions): Finding | null {
  const { head } = regions
  if (!startsWith(head, magic) || head.length < 8 || head.readUInt32BE(4) !== 1) return null
  return { virtualSizeBytes: head.length >= 32 ? bigEndian64(head, 24) : null, problems: ['the format qcow (version 1) is not accepted'] }
}

export function judgeQcow2(regions: Regions): Finding | null {
  const { head, size } = regions
  if (!startsWith(head, magic) || (head.length >= 8 && head.readUInt32BE(4) === 1)) return null
  const problems: string[] = []
  if (head.length < version2HeaderBytes) return { virtualSizeBytes: null, problems: ['the header is cut short'] }
  const version = head.readUInt32BE(4)
  if (version !== 2 && version !== 3) problems.push(`version ${version} is not known`)
  const virtualSizeBytes = bigEndian64(head, 24)
  if (bigEndian64(head, 8) !== 0) problems.push('it names a backing file')
  if (head.readUInt32BE(32) !== 0) problems.push('it is encrypted')
  const clusterBits = head.readUInt32BE(20)
  if (clusterBits < 9 || clusterBits > 21) {
    problems.push('its cluster size is out of range')
    return { virtualSizeBytes, problems }
  }
  let extendedL2 = false
  if (version === 3) {
    if (head.length < version3HeaderBytes) return { virtualSizeBytes, problems: [...problems, 'the header is cut short'] }
    extendedL2 = judgeFeatures(head, problems)
  }
  judgeTables(head, size, clusterBits, extendedL2, virtualSizeBytes, problems)
  judgeExtensions(regions, version === 3 ? head.readUInt32BE(100) : version2HeaderBytes, 1 << clusterBits, problems)
  return { virtualSizeBytes, problems }
}

function judgeFeatures(head: Buffer, problems: string[]): boolean {
  const features = head.readBigUInt64BE(72)
  if (features & dataFileBit) problems.push('it keeps its data in another file')
  if (features & corruptBit) problems.push('it is marked as corrupt')
  if (features & ~knownBits) problems.push('it needs features that are not known')
  if (head.readUInt32BE(96) > 6) problems.push('its reference counts are out of range')
  if (features & compressionBit && (head.readUInt32BE(100) < 105 || head.readUInt8(104) > 1)) problems.push('its compression is not known')
  return (features & extendedL2Bit) !== 0n
}

function judgeTables(
  head: Buffer,
  size: number | null,
  clusterBits: number,
  extendedL2: boolean,
  virtualSize: number,
  problems: string[],
): void {
  const clusterBytes = 2 ** clusterBits
  const l1Entries = head.readUInt32BE(36)
  const bytesPerL1Entry = (clusterBytes / (extendedL2 ? 16 : 8)) * clusterBytes
  if (l1Entries * 8 > maxL1Bytes) problems.push('its L1 table is too large')
  else if (l1Entries < Math.ceil(virtualSize / bytesPerL1Entry)) problems.push('its L1 table is too small for its size')
  for (const [name, offset] of [
    ['L1 table', bigEndian64(head, 40)],
    ['reference count table', bigEndian64(head, 48)],
  ] as const) {
    if (offset % clusterBytes !== 0) problems.push(`its ${name} is not aligned`)
    else if (size !== null && offset > size) problems.push(`its ${name} lies outside the file`)
  }
  if (head.readUInt32BE(60) > 65536) problems.push('it has too many snapshots')
}

/** Extensions stand between header and the end of the first cluster: type, length, data padded to 8 bytes; type 0 ends them. */
function judgeExtensions(regions: Regions, headerBytes: number, clusterBytes: number, problems: string[]): void {
  if (headerBytes < version2HeaderBytes || headerBytes % 8 !== 0 || headerBytes > clusterBytes) {
    problems.push('its header length is out of range')
    return
  }
  let at = headerBytes
  for (let count = 0; at + 8 <= clusterBytes; count++) {
    const extension = bytesAt(regions, at, 8)
    if (!extension || count > maxExtensions) {
      problems.push('its header extensions have no end')
      return
    }
    const type = extension.readUInt32BE(0)
    const length = extension.readUInt32BE(4)
    if (type === 0) return
    if (type === dataFileExtension) problems.push('it names an external data file')
    if (type === encryptionExtension) problems.push('it is encrypted')
    if (length > clusterBytes - at - 8) {
      problems.push('a header extension is longer than its cluster')
      return
    }
    at += 8 + Math.ceil(length / 8) * 8
  }
}
