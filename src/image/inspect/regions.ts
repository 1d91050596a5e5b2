/**
 * What of an image is looked at, and no more: its first MiB, its last sectors, and for VHDX one window whose place its header tells.
 * So inspecting costs the same memory and reading for a floppy and for a petabyte, whatever the headers claim.
 */
export const headBytes = 1 << 20
/** A stream-optimised VMDK ends in marker, footer, marker: three sectors. VHD and DMG have the last one. */
export const tailBytes = 3 * 512

export type Window = { offset: number; length: number }
export type Regions = {
  head: Buffer
  /** The last `tailBytes` of the image (or all of it, if it is shorter). */
  tail: Buffer
  window: { offset: number; bytes: Buffer } | null
  /** Bytes of the file; null if nobody knows. */
  size: number | null
}

/** The bytes at an offset, fewer at the end of the file; null where that place was not kept. */
export function bytesAt(regions: Regions, offset: number, length: number): Buffer | null {
  const { head, window } = regions
  if (offset < 0 || length < 0) return null
  if (offset + length <= head.length) return head.subarray(offset, offset + length)
  if (window && offset >= window.offset && offset + length <= window.offset + window.bytes.length)
    return window.bytes.subarray(offset - window.offset, offset - window.offset + length)
  return null
}

/** A 64-bit number as a JavaScript one; beyond 2^53 the nearest, which is enough to refuse it. */
export function bigEndian64(bytes: Buffer, at: number): number {
  return Number(bytes.readBigUInt64BE(at))
}

export function littleEndian64(bytes: Buffer, at: number): number {
  return Number(bytes.readBigUInt64LE(at))
}

export function startsWith(bytes: Buffer, text: string, at = 0): boolean {
  return bytes.toString('latin1', at, at + text.length) === text
}
