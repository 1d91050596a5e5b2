/**
 * Judges an image by its headers, in our own bounded code, before any other program sees it. Every judge is asked: bytes that are two
 * formats at once have been made to deceive one of two readers.
 */
import type { Finding, ImageFormat, Judge } from './formats.ts'
import { judgeVhd, judgeVhdx, vhdxMetadataWindow } from './microsoft.ts'
import { judgeIso, judgeVdi, partitionTable, refusedFormats } from './others.ts'
import { judgeQcow, judgeQcow2 } from './qcow2.ts'
import { headBytes, type Regions, tailBytes } from './regions.ts'
import { judgeVmdk } from './vmdk.ts'

export type Inspection = {
  format: ImageFormat
  /** Bytes a guest would see; for raw and ISO the file's. Null if the header doesn't tell. */
  virtualSizeBytes: number | null
  partitionTable: 'gpt' | 'mbr' | null
  safe: boolean
  /** For the client: each completes "the image is refused: …". Never text from the image itself. */
  problems: string[]
}

/** `read` gives fewer bytes than asked only at the end of the image. `size` null: not known. */
export type ImageReader = { size: number | null; read(offset: number, length: number): Promise<Buffer> }

const judges: [ImageFormat, Judge][] = [
  ['qcow2', judgeQcow2],
  ['qcow', judgeQcow],
  ['vmdk', judgeVmdk],
  ['vdi', judgeVdi],
  ['vhdx', judgeVhdx],
  ['vhd', judgeVhd],
  ...refusedFormats,
  ['iso', judgeIso],
]

/** Reads at most three times, some 1.2 MB. @throws what `read` throws. */
export async function inspect(reader: ImageReader): Promise<Inspection> {
  const { size } = reader
  const head = (await reader.read(0, headBytes)).subarray(0, headBytes)
  const known = size ?? (head.length < headBytes ? head.length : null)
  const tail =
    known === null
      ? Buffer.alloc(0)
      : (await reader.read(Math.max(0, known - tailBytes), Math.min(known, tailBytes))).subarray(0, tailBytes)
  const wanted = vhdxMetadataWindow(head)
  const inFile = wanted && (known === null || wanted.offset < known)
  const window = inFile
    ? { offset: wanted.offset, bytes: (await reader.read(wanted.offset, wanted.length)).subarray(0, wanted.length) }
    : null
  return judge({ head, tail, window, size: known })
}

/** The same for an upload as it passes: give it every chunk, then ask for the verdict. Keeps no more than `inspect` reads. */
export class InspectionStream {
  #head: Buffer[] = []
  #headLength = 0
  #tail: Buffer = Buffer.alloc(0)
  #window: { offset: number; length: number; parts: Buffer[] } | null = null
  #windowLooked = false
  #position = 0

  /** Bytes seen so far. */
  get size(): number {
    return this.#position
  }

  /** Copies what it keeps; the chunk stays the caller's. */
  write(chunk: Uint8Array): void {
    const bytes = Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength)
    const start = this.#position
    this.#position += bytes.length
    if (this.#headLength < headBytes && bytes.length > 0) {
      const part = Buffer.from(bytes.subarray(0, headBytes - this.#headLength))
      this.#head.push(part)
      this.#headLength += part.length
    }
    if (this.#headLength === headBytes && !this.#windowLooked) this.#lookForWindow()
    this.#fillWindow(bytes, start)
    this.#tail =
      bytes.length >= tailBytes
        ? Buffer.from(bytes.subarray(bytes.length - tailBytes))
        : Buffer.concat([this.#tail.subarray(Math.max(0, this.#tail.length + bytes.length - tailBytes)), bytes])
  }

  /** The verdict over all that was written. May be asked once more after further writes. */
  end(): Inspection {
    const window = this.#window && { offset: this.#window.offset, bytes: Buffer.concat(this.#window.parts) }
    return judge({ head: this.#joinedHead(), tail: this.#tail, window, size: this.#position })
  }

  #joinedHead(): Buffer {
    if (this.#head.length > 1) this.#head = [Buffer.concat(this.#head)]
    return this.#head[0] ?? Buffer.alloc(0)
  }

  #lookForWindow(): void {
    this.#windowLooked = true
    const wanted = vhdxMetadataWindow(this.#joinedHead())
    if (wanted) this.#window = { ...wanted, parts: [] }
  }

  #fillWindow(bytes: Buffer, start: number): void {
    if (!this.#window) return
    const { offset, length, parts } = this.#window
    const from = Math.max(offset, start)
    const to = Math.min(offset + length, start + bytes.length)
    if (from < to) parts.push(Buffer.from(bytes.subarray(from - start, to - start)))
  }
}

function judge(regions: Regions): Inspection {
  const found: { format: ImageFormat; finding: Finding }[] = []
  for (const [format, ask] of judges) {
    const finding = ask(regions)
    if (finding) found.push({ format, finding })
  }
  const [first, ...more] = found
  const table = partitionTable(regions.head)
  if (!first) return verdict('raw', regions.size, table, regions.size === null ? ['its size is not known'] : [])
  const problems = [...first.finding.problems]
  if (more.length > 0) problems.push(`it is ${[first, ...more].map(({ format }) => format).join(' and ')} at once`)
  if (regions.size === null) problems.push('its size is not known')
  const size = first.finding.virtualSizeBytes
  if (size !== null && !Number.isSafeInteger(size)) problems.push('its size is out of range')
  return verdict(first.format, size, table, problems)
}

function verdict(
  format: ImageFormat,
  virtualSizeBytes: number | null,
  table: Inspection['partitionTable'],
  problems: string[],
): Inspection {
  return { format, virtualSizeBytes, partitionTable: table, safe: problems.length === 0, problems: [...new Set(problems)] }
}
