import { execFileSync } from 'node:child_process'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type CpioEntry, writeCpio } from './cpio.ts'

/** Reads an archive by the format's description, not by the writer. */
function readCpio(archive: Buffer): { path: string; mode: number; body: Buffer }[] {
  const found: { path: string; mode: number; body: Buffer }[] = []
  for (let at = 0; ; ) {
    expect(at % 4).toBe(0)
    expect(archive.toString('latin1', at, at + 6)).toBe('070701')
    const field = (i: number) => Number.parseInt(archive.toString('latin1', at + 6 + 8 * i, at + 14 + 8 * i), 16)
    const [mode, size, nameLength] = [field(1), field(6), field(11)]
    const path = archive.toString('utf8', at + 110, at + 110 + nameLength - 1)
    const bodyAt = Math.ceil((at + 110 + nameLength) / 4) * 4
    at = Math.ceil((bodyAt + size) / 4) * 4
    if (path === 'TRAILER!!!') {
      expect(at).toBe(archive.length)
      return found
    }
    found.push({ path, mode, body: archive.subarray(bodyAt, bodyAt + size) })
  }
}

const name = fc.stringMatching(/^[a-zA-Z0-9_é-]{1,20}$/)
const path = fc.array(name, { minLength: 1, maxLength: 4 }).map((parts) => parts.join('/'))
const entry: fc.Arbitrary<CpioEntry> = fc.oneof(
  fc.record({ path, kind: fc.constant('directory' as const), mode: fc.integer({ min: 0, max: 0o7777 }) }),
  fc.record({
    path,
    kind: fc.constant('file' as const),
    mode: fc.integer({ min: 0, max: 0o7777 }),
    content: fc.uint8Array({ maxLength: 300 }).map((bytes) => Buffer.from(bytes)),
  }),
  fc.record({ path, kind: fc.constant('symlink' as const), target: path }),
)

describe('writeCpio', () => {
  it('keeps names, modes and contents of any list of entries', () => {
    fc.assert(
      fc.property(fc.array(entry, { maxLength: 12 }), (entries) => {
        const expected = entries.map((one) => {
          if (one.kind === 'directory') return { path: one.path, mode: 0o040000 | one.mode, body: Buffer.alloc(0) }
          if (one.kind === 'file') return { path: one.path, mode: 0o100000 | one.mode, body: one.content }
          return { path: one.path, mode: 0o120777, body: Buffer.from(one.target) }
        })
        expect(readCpio(writeCpio(entries))).toEqual(expected)
      }),
    )
  })

  it('refuses a path that leaves the archive', () => {
    for (const bad of ['/etc/passwd', '../x', 'a/../../x', '', 'a\0b'])
      expect(() => writeCpio([{ path: bad, kind: 'directory', mode: 0o755 }])).toThrow(RangeError)
  })

  it('is read by another reader too', ({ skip }) => {
    const archive = writeCpio([
      { path: 'a', kind: 'directory', mode: 0o755 },
      { path: 'a/file', kind: 'file', mode: 0o640, content: Buffer.from('hello') },
      { path: 'a/link', kind: 'symlink', target: 'file' },
    ])
    let listed: string
    try {
      listed = execFileSync('busybox', ['cpio', '-t'], { input: archive, encoding: 'utf8', stdio: ['pipe', 'pipe', 'ignore'] })
    } catch (cause) {
      if ((cause as NodeJS.ErrnoException).code === 'ENOENT') skip()
      throw cause
    }
    expect(listed.trim().split('\n')).toEqual(['a', 'a/file', 'a/link'])
  })
})
