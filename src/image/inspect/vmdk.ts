/**
 * VMDK. One kind is taken: a sparse disk in one file with an embedded descriptor (monolithicSparse, streamOptimized). All others are, or
 * may be, lists of names of files on the reader's host.
 *
 * Two traps are QEMU's: a sparse header of capacity 0 makes it follow the embedded descriptor's extents, and a header that says "at the
 * end" is replaced by the footer, so that the footer must say the same.
 *
 * @see https://www.vmware.com/app/vmdk/?src=vmdk
 */
import type { Finding } from './formats.ts'
import { bytesAt, littleEndian64, type Regions, startsWith } from './regions.ts'

const sectorBytes = 512
const maxDescriptorSectors = 128
const allowedTypes = new Set(['monolithicSparse', 'streamOptimized'])
const gdAtEnd = 0xffffffffffffffffn

export function judgeVmdk(regions: Regions): Finding | null {
  const { head } = regions
  if (startsWith(head, 'COWD')) return { virtualSizeBytes: null, problems: ['an ESX sparse extent (COWD) is not accepted'] }
  if (isDescriptorFile(head)) return { virtualSizeBytes: null, problems: ['a VMDK that lists its extents in other files is not accepted'] }
  if (!startsWith(head, 'KDMV')) return null
  if (head.length < sectorBytes) return { virtualSizeBytes: null, problems: ['the header is cut short'] }

  const problems: string[] = []
  const version = head.readUInt32LE(4)
  if (version < 1 || version > 3) problems.push(`version ${version} is not known`)
  const capacity = littleEndian64(head, 12)
  if (capacity === 0) problems.push('its capacity is 0, which leaves its extents to the descriptor')
  if (head.readBigUInt64LE(56) === gdAtEnd) judgeFooter(regions, problems)
  judgeDescriptor(regions, littleEndian64(head, 28), littleEndian64(head, 36), problems)
  return { virtualSizeBytes: capacity * sectorBytes, problems }
}

/** As QEMU recognises one: comments and blank lines, then `version=`. */
function isDescriptorFile(head: Buffer): boolean {
  const start = head.toString('latin1', 0, 2048)
  if (/^\s*# disk descriptorfile/i.test(start)) return true
  const lines = start.split('\n')
  const line = lines.find((one) => one.trim() !== '' && !one.startsWith('#'))
  return line !== undefined && /^version=\d\s*$/.test(line)
}

function judgeFooter(regions: Regions, problems: string[]): void {
  const { head, tail } = regions
  if (regions.size === null || tail.length < 3 * sectorBytes) {
    problems.push('its footer is missing')
    return
  }
  const footer = tail.subarray(tail.length - 2 * sectorBytes, tail.length - sectorBytes)
  // All fields but flags (8..11) and the grain directory's place (48..63: redundant and primary) must agree.
  const same = [
    [0, 8],
    [12, 48],
  ].every(([from, to]) => footer.subarray(from, to).equals(head.subarray(from, to)))
  if (!startsWith(footer, 'KDMV')) problems.push('its footer is missing')
  else if (!same) problems.push('its footer contradicts its header')
}

function judgeDescriptor(regions: Regions, sector: number, sectors: number, problems: string[]): void {
  if (sector === 0 || sectors === 0) {
    problems.push('it has no embedded descriptor')
    return
  }
  // QEMU reads twenty sectors whatever the header says, so at least those are looked at, as far as the file goes.
  const wanted = Math.max(sectors, 20) * sectorBytes
  const available = Math.min(wanted, regions.head.length - sector * sectorBytes)
  const bytes =
    sectors > maxDescriptorSectors || available < sectors * sectorBytes ? null : bytesAt(regions, sector * sectorBytes, available)
  if (!bytes) {
    problems.push('its descriptor is out of reach')
    return
  }
  const end = bytes.indexOf(0)
  const text = bytes.toString('latin1', 0, end < 0 ? bytes.length : end)
  if (/parentFileNameHint/i.test(bytes.toString('latin1', 0, sectors * sectorBytes))) problems.push('it names a parent file')
  const parent = [...text.matchAll(/^\s*parentCID\s*=\s*([0-9a-f]+)/gim)].map((match) => match[1]?.toLowerCase())
  if (parent.some((cid) => cid !== 'ffffffff')) problems.push('it has a parent')
  const types = [...text.matchAll(/^\s*createType\s*=\s*"([^"\n]*)"/gim)].map((match) => match[1] ?? '')
  if (types.length !== 1) problems.push('it does not say its kind')
  else if (!allowedTypes.has(types[0] ?? '')) problems.push('only monolithicSparse and streamOptimized are accepted')
  const extents = text.split('\n').filter((line) => /^\s*(RW|RDONLY|NOACCESS)\s/i.test(line))
  const ownExtent = /^\s*RW\s+\d+\s+SPARSE\s+"[^"/\\]*"\s*$/i
  if (extents.length !== 1 || !ownExtent.test(extents[0] ?? '')) problems.push('its extents are not one sparse extent of its own')
}
