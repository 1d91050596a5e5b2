/**
 * Reads the few things about a 64-bit little-endian ELF file that an initial root file system needs: what a kernel module says of itself
 * (`.modinfo`), which shared libraries a program wants, and which loader starts it.
 *
 * @see https://refspecs.linuxfoundation.org/elf/gabi4+/contents.html
 */
export type ElfFile = {
  /** `key=value` pairs of a kernel module, in order; a key may repeat. */
  modinfo: [key: string, value: string][]
  needed: string[]
  interpreter: string | null
}

const dtNull = 0n
const dtNeeded = 1n

/** @throws {RangeError} if the bytes are not such a file or point outside themselves. */
export function readElf(bytes: Buffer): ElfFile {
  if (bytes.length < 64 || bytes.toString('latin1', 0, 6) !== '\x7fELF\x02\x01') throw new RangeError('not a 64-bit little-endian ELF file')
  const tableAt = Number(bytes.readBigUInt64LE(40))
  const entrySize = bytes.readUInt16LE(58)
  const count = bytes.readUInt16LE(60)
  const sections = Array.from({ length: count }, (_, i) => {
    const at = tableAt + i * entrySize
    return {
      name: bytes.readUInt32LE(at),
      offset: Number(bytes.readBigUInt64LE(at + 24)),
      size: Number(bytes.readBigUInt64LE(at + 32)),
    }
  })
  const names = sections[bytes.readUInt16LE(62)]
  const section = (wanted: string): Buffer => {
    const found = names && sections.find((one) => textAt(bytes, names.offset + one.name) === wanted)
    return found ? bytes.subarray(found.offset, found.offset + found.size) : Buffer.alloc(0)
  }
  const interp = section('.interp')
  return {
    modinfo: section('.modinfo')
      .toString('utf8')
      .split('\0')
      .filter((line) => line.includes('='))
      .map((line) => [line.slice(0, line.indexOf('=')), line.slice(line.indexOf('=') + 1)]),
    needed: neededOf(section('.dynamic'), section('.dynstr')),
    interpreter: interp.length > 0 ? textAt(interp, 0) : null,
  }
}

function neededOf(dynamic: Buffer, strings: Buffer): string[] {
  const needed: string[] = []
  for (let at = 0; at + 16 <= dynamic.length; at += 16) {
    const tag = dynamic.readBigUInt64LE(at)
    if (tag === dtNull) break
    if (tag === dtNeeded) needed.push(textAt(strings, Number(dynamic.readBigUInt64LE(at + 8))))
  }
  return needed
}

function textAt(bytes: Buffer, at: number): string {
  const end = bytes.indexOf(0, at)
  return bytes.toString('latin1', at, end < 0 ? bytes.length : end)
}
