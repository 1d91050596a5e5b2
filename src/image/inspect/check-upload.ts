/** Decides on an upload: what the client declared must be what was found, sound, and not too large. */
import type { Inspection } from './inspection.ts'

/** `message` is for the client: it holds no bytes of the image and no names of this host. */
export class ImageRefused extends Error {
  constructor(message: string) {
    super(message)
    this.name = 'ImageRefused'
  }
}

/** Kernels, ramdisks and Amazon's machine images have no header of their own: they are raw. */
const rawFormats = new Set(['raw', 'ami', 'aki', 'ari'])
const accepted = new Set([...rawFormats, 'qcow2', 'vmdk', 'vdi', 'vhd', 'vhdx', 'iso'])

/** @throws {ImageRefused} */
export function checkUpload(upload: { declaredDiskFormat: string; inspection: Inspection; maxVirtualBytes: number }): void {
  const { declaredDiskFormat: declared, inspection, maxVirtualBytes } = upload
  if (!accepted.has(declared)) throw new ImageRefused(`Images of disk_format ${shown(declared)} are not accepted here.`)
  const expected = rawFormats.has(declared) ? 'raw' : declared
  if (inspection.format !== expected)
    throw new ImageRefused(`The image was declared as ${declared}, but its content is ${inspection.format}${hint(inspection.format)}.`)
  if (!inspection.safe || inspection.problems.length > 0) throw new ImageRefused(`The image is refused: ${inspection.problems.join('; ')}.`)
  if (inspection.virtualSizeBytes === null) throw new ImageRefused('The image does not tell its size.')
  if (inspection.virtualSizeBytes > maxVirtualBytes)
    throw new ImageRefused(`The image is a disk of ${inspection.virtualSizeBytes} bytes; at most ${maxVirtualBytes} are allowed.`)
}

function hint(format: string): string {
  return accepted.has(format) ? `: declare it as disk_format ${format}` : ', which is not accepted here'
}

function shown(declared: string): string {
  return JSON.stringify(declared.slice(0, 32))
}
