/**
 * VHD (QEMU's `vpc`) and VHDX. Differencing disks name a parent file and are refused.
 *
 * @see https://learn.microsoft.com/openspecs/windows_protocols/ms-vhdx
 */
import type { Finding } from './formats.ts'
import { bigEndian64, bytesAt, headBytes, littleEndian64, type Regions, startsWith, type Window } from './regions.ts'

const fixed = 2
const dynamic = 3
const sectorBytes = 512
const largestGeometry = 65535 * 16 * 255

export function judgeVhd(regions: Regions): Finding | null {
  const { head, tail } = regions
  const last = tail.subarray(Math.max(0, tail.length - sectorBytes))
  const atEnd = startsWith(last, 'conectix')
  const atStart = startsWith(head, 'conectix')
  if (!atStart && !atEnd) return null
  const footer = atStart ? head : last
  if (footer.length < sectorBytes) return { virtualSizeBytes: null, problems: ['the header is cut short'] }
  const type = footer.readUInt32BE(60)
  const problems: string[] = []
  if (type !== fixed && type !== dynamic) problems.push('only fixed and dynamic disks without a parent are accepted')
  if (type === dynamic) {
    if (!atStart) problems.push('its header is missing')
    const header = bytesAt(regions, bigEndian64(footer, 16), 1024)
    if (!header || !startsWith(header, 'cxsparse')) problems.push('its dynamic header is missing')
    else if (header.subarray(40, 56).some((byte) => byte !== 0)) problems.push('it has a parent')
  }
  // A reader may go by the geometry or by the size, so the larger of the two counts. The largest geometry only says: see the size.
  const geometry = footer.readUInt16BE(56) * footer.readUInt8(58) * footer.readUInt8(59)
  const size = bigEndian64(footer, 48)
  return { virtualSizeBytes: geometry === largestGeometry ? size : Math.max(size, geometry * sectorBytes), problems }
}

const metadataRegion = guid('8b7ca206-4790-4b9a-b8fe-575f050f886e')
const fileParameters = guid('caa16737-fa36-4d43-b3b6-33f0aa44e76b')
const virtualDiskSize = guid('2fa54224-cd1b-4876-b211-5dbed83bf4b8')
const parentLocator = guid('a8d35f2d-b30b-454d-abf7-d3d84834ab0c')
const regionTables = [192 << 10, 256 << 10]
const maxRegions = 2047
const metadataTableBytes = 64 << 10
/** The table and, behind it, room for the small items that matter here. */
const metadataWindowBytes = 2 * metadataTableBytes

/** Where a VHDX keeps its metadata, by its rules at 1 MiB or beyond; null if it is no VHDX, or has two tables that disagree. */
export function vhdxMetadataWindow(head: Buffer): Window | null {
  if (!startsWith(head, 'vhdxfile')) return null
  const found = regionTables.map((at) => regionOffset(head, at)).filter((offset) => offset !== null)
  const [offset] = found
  if (offset === undefined || found.some((one) => one !== offset)) return null
  if (offset < headBytes || !Number.isSafeInteger(offset)) return null
  return { offset, length: metadataWindowBytes }
}

export function judgeVhdx(regions: Regions): Finding | null {
  if (!startsWith(regions.head, 'vhdxfile')) return null
  const window = vhdxMetadataWindow(regions.head)
  const table = window && bytesAt(regions, window.offset, metadataTableBytes)
  if (!window || !table || !startsWith(table, 'metadata')) return { virtualSizeBytes: null, problems: ['its metadata is out of reach'] }
  const problems: string[] = []
  const count = table.readUInt16LE(10)
  if (count > maxRegions) return { virtualSizeBytes: null, problems: ['its metadata is out of range'] }
  let sizes = 0
  let virtualSizeBytes: number | null = null
  let parameters = 0
  for (let i = 0; i < count; i++) {
    const entry = table.subarray(32 + 32 * i, 64 + 32 * i)
    const id = entry.subarray(0, 16)
    if (id.equals(parentLocator)) problems.push('it names a parent file')
    if (!id.equals(fileParameters) && !id.equals(virtualDiskSize)) continue
    const item = bytesAt(regions, window.offset + entry.readUInt32LE(16), 8)
    if (!item) problems.push('its metadata is out of reach')
    else if (id.equals(virtualDiskSize)) {
      sizes++
      virtualSizeBytes = littleEndian64(item, 0)
    } else {
      parameters++
      if (item.readUInt32LE(4) & 2) problems.push('it has a parent')
    }
  }
  if (sizes !== 1 || parameters !== 1) problems.push('its metadata is incomplete')
  return { virtualSizeBytes, problems }
}

function regionOffset(head: Buffer, at: number): number | null {
  if (head.length < at + (64 << 10) || !startsWith(head, 'regi', at)) return null
  const count = head.readUInt32LE(at + 8)
  if (count > maxRegions) return null
  for (let i = 0; i < count; i++) {
    const entry = at + 16 + 32 * i
    if (entry + 32 > at + (64 << 10)) return null
    if (head.subarray(entry, entry + 16).equals(metadataRegion)) return littleEndian64(head, entry + 16)
  }
  return null
}

/** Microsoft's order of bytes: the first three groups little-endian. */
function guid(text: string): Buffer {
  const [a = '', b = '', c = '', d = '', e = ''] = text.split('-')
  const reversed = (group: string) => Buffer.from(group, 'hex').reverse()
  return Buffer.concat([reversed(a), reversed(b), reversed(c), Buffer.from(d + e, 'hex')])
}
