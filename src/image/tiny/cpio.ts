/**
 * Writes the `newc` form of a cpio archive, which is what the kernel unpacks as its first root file system.
 *
 * Everything belongs to root, has the same time and gets its inode number from its place in the list, so equal content makes equal bytes.
 *
 * @see https://www.kernel.org/doc/html/latest/driver-api/early-userspace/buffer-format.html
 */
export type CpioEntry =
  | { path: string; kind: 'directory'; mode: number }
  | { path: string; kind: 'file'; mode: number; content: Buffer }
  | { path: string; kind: 'symlink'; target: string }

const typeBits = { directory: 0o040000, file: 0o100000, symlink: 0o120000 } as const

/** Paths are relative, with no leading slash. Directories must come before what they hold. @throws {RangeError} on a bad path or a file of 4 GiB. */
export function writeCpio(entries: readonly CpioEntry[]): Buffer {
  const parts: Buffer[] = []
  entries.forEach((entry, index) => {
    if (entry.path === '' || entry.path.startsWith('/') || entry.path.includes('\0') || entry.path.split('/').includes('..'))
      throw new RangeError(`not a path for an archive: ${JSON.stringify(entry.path)}`)
    const body = entry.kind === 'file' ? entry.content : entry.kind === 'symlink' ? Buffer.from(entry.target) : Buffer.alloc(0)
    const mode = typeBits[entry.kind] | (entry.kind === 'symlink' ? 0o777 : entry.mode)
    append(parts, index + 1, mode, entry.kind === 'directory' ? 2 : 1, entry.path, body)
  })
  append(parts, 0, 0, 1, 'TRAILER!!!', Buffer.alloc(0))
  return Buffer.concat(parts)
}

function append(parts: Buffer[], inode: number, mode: number, links: number, path: string, body: Buffer): void {
  if (body.length > 0xffffffff) throw new RangeError(`too large for an archive: ${path}`)
  const name = Buffer.from(`${path}\0`)
  // Magic, then: inode, mode, uid, gid, links, mtime, size, device and rdevice numbers, name length, checksum (none).
  const fields = [inode, mode, 0, 0, links, 0, body.length, 0, 0, 0, 0, name.length, 0]
  const header = Buffer.from(`070701${fields.map((field) => field.toString(16).padStart(8, '0')).join('')}`)
  parts.push(header, name, padding(header.length + name.length), body, padding(body.length))
}

function padding(length: number): Buffer {
  return Buffer.alloc((4 - (length % 4)) % 4)
}
