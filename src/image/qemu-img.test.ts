import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { convert, createDisk, createOverlay, info, QemuImgFailed, resize } from './qemu-img.ts'

const mib = 1 << 20
const here = (() => {
  try {
    execFileSync('qemu-img', ['--version'], { stdio: 'ignore' })
    return true
  } catch {
    return false
  }
})()

describe.skipIf(!here)('qemu-img', () => {
  let directory: string
  const at = (name: string) => join(directory, name)
  beforeAll(() => {
    directory = mkdtempSync(join(tmpdir(), 'qemu img, '))
  })
  afterAll(() => rmSync(directory, { recursive: true, force: true }))

  it('makes a disk, an overlay on it, a larger overlay, and a copy without backing file', async () => {
    const base = { path: at('base, with=signs.raw'), format: 'raw' as const }
    await createDisk({ ...base, sizeBytes: 4 * mib })
    expect(statSync(base.path).size).toBe(4 * mib)
    const overlay = { path: at('overlay.qcow2'), format: 'qcow2' as const }
    await createOverlay({ path: overlay.path, backing: base })
    expect(await info(overlay)).toMatchObject({ virtualSizeBytes: 4 * mib, backingFile: base.path, backingFormat: 'raw' })
    await resize({ ...overlay, sizeBytes: 8 * mib })
    expect((await info(overlay)).virtualSizeBytes).toBe(8 * mib)
    const copy = { path: at('copy.qcow2'), format: 'qcow2' as const }
    await convert({ from: overlay, to: copy, compress: true })
    expect(await info(copy)).toMatchObject({ virtualSizeBytes: 8 * mib, backingFile: null })
  })

  it('takes a file for what it was said to be, and fails otherwise', async () => {
    await createDisk({ path: at('named.raw'), format: 'raw', sizeBytes: mib })
    await expect(info({ path: at('named.raw'), format: 'qcow2' })).rejects.toMatchObject({ name: 'QemuImgFailed', reason: 'failed' })
  })

  it.each(['relative.qcow2', 'json:{"driver":"null-co"}', 'nbd://127.0.0.1/x', ''])('refuses the name %j', async (path) => {
    await expect(createDisk({ path, format: 'qcow2', sizeBytes: mib })).rejects.toMatchObject({ reason: 'invalid' })
    await expect(info({ path, format: 'raw' })).rejects.toMatchObject({ reason: 'invalid' })
  })

  it('refuses formats and sizes that are none', async () => {
    await expect(info({ path: at('x'), format: 'host_device' as 'raw' })).rejects.toBeInstanceOf(QemuImgFailed)
    for (const sizeBytes of [-1, 1.5, Number.NaN, 2 ** 60])
      await expect(createDisk({ path: at('x'), format: 'raw', sizeBytes })).rejects.toMatchObject({ reason: 'invalid' })
    await expect(
      convert({ from: { path: at('x'), format: 'raw' }, to: { path: at('y'), format: 'raw' }, compress: true }),
    ).rejects.toMatchObject({ reason: 'invalid' })
  })

  it('ends at its deadline or when called off', async () => {
    await createDisk({ path: at('large.raw'), format: 'raw', sizeBytes: 1 << 30 })
    const copy = { from: { path: at('large.raw'), format: 'raw' as const }, to: { path: at('large.qcow2'), format: 'qcow2' as const } }
    await expect(convert(copy, { deadlineMs: 1 })).rejects.toMatchObject({ reason: 'deadline' })
    await expect(convert(copy, { signal: AbortSignal.abort() })).rejects.toMatchObject({ reason: 'aborted' })
  })
})
