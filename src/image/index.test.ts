/** The front door as other rooms use it: seeding, bases of guests' disks, and what a restart finds. */
import { execFile } from 'node:child_process'
import { hash } from 'node:crypto'
import { existsSync, linkSync, mkdtempSync, readdirSync, readFileSync, statSync, truncateSync, writeFileSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { testGround } from '../../test/support/ground.ts'
import { type ManualClock, manualClock } from '../base/clock.ts'
import { type Images, imageCacheConfig, imageConfig, imageDiskConfig, makeImages, type NewImage } from './index.ts'

const sections = [imageConfig, imageCacheConfig, imageDiskConfig]
const hasQemuImg = existsSync('/usr/bin/qemu-img')
const mib = 1024 * 1024

let clock: ManualClock
let ground: ReturnType<typeof testGround>
let images: Images

function start(flags: Record<string, string> = {}): void {
  clock = manualClock()
  ground = testGround({ sections, flags, clock })
  images = makeImages(ground)
}
beforeEach(() => start())
afterEach(async () => {
  await images[Symbol.asyncDispose]()
  ground[Symbol.dispose]()
})

const image = (more: Partial<NewImage> = {}): NewImage => ({
  name: 'i',
  diskFormat: 'raw',
  containerFormat: 'bare',
  visibility: 'public',
  ownerId: null,
  minDiskGib: 0,
  minRamMib: 0,
  properties: {},
  ...more,
})
async function* of(...chunks: (string | Uint8Array)[]): AsyncIterable<Uint8Array> {
  for (const chunk of chunks) yield Buffer.from(chunk)
}
const disk = (name: string) => join(ground.dataDir, 'images', name)

/** A disk of 1 MiB that begins with `hello`, in a format of qemu-img's. */
async function madeBy(format: string, ...options: string[]): Promise<Buffer> {
  const dir = mkdtempSync(join(tmpdir(), 'minicloud-test-'))
  writeFileSync(join(dir, 'raw'), 'hello')
  truncateSync(join(dir, 'raw'), mib)
  await promisify(execFile)('qemu-img', ['convert', '-f', 'raw', '-O', format, ...options, join(dir, 'raw'), join(dir, 'made')])
  return await readFile(join(dir, 'made'))
}

describe('adding', () => {
  it('registers and fills', async () => {
    const { id } = await images.add(image({ name: 'tiny', properties: { os_distro: 'tiny' }, tags: ['t'] }), of('hel', 'lo'))
    expect(images.get(id, null)).toMatchObject({
      status: 'active',
      sizeBytes: 5,
      checksum: '5d41402abc4b2a76b9719d911017c592',
      tags: ['t'],
    })
    expect(images.findByName('tiny').map((found) => found.id)).toEqual([id])
    expect(images.get(id, { projectId: 'p', isAdmin: false })?.properties).toEqual({ os_distro: 'tiny' })
  })
  it('leaves nothing of what is refused', async () => {
    await expect(images.add(image({ name: 'bad', diskFormat: 'qcow2' }), of('hello'))).rejects.toMatchObject({ kind: 'invalid' })
    expect(images.findByName('bad')).toEqual([])
    expect(await images.inventory()).toEqual({ images: [], bases: [], partial: [] })
  })
  it('fills what was registered before, for a snapshot', async () => {
    const { id } = images.register(image({ visibility: 'private', ownerId: 'p' }))
    expect(images.get(id, { projectId: 'q', isAdmin: false })).toBeNull()
    expect(images.get(id, { projectId: 'p', isAdmin: false })?.status).toBe('queued')
    expect((await images.fill(id, of('hello'))).status).toBe('active')
    await images.remove(id)
    await images.remove(id)
    expect(images.get(id, null)).toBeNull()
  })
  it('lets others have a turn while it hashes large chunks', async () => {
    let turns = 0
    let isDone = false
    const turn = () => {
      turns += 1
      if (!isDone) setImmediate(turn)
    }
    setImmediate(turn)
    await images.add(image(), of(Buffer.alloc(16 * mib, 1)))
    isDone = true
    expect(turns).toBeGreaterThanOrEqual(32)
  })
})

describe('bytes', () => {
  it('arrive as they were sent, in chunks of whatever size', async () => {
    const sizes = [1, 255 * 1024, mib - 1, mib, mib + 1, 3 * mib + 7, 0, 5]
    const chunks = sizes.map((size, i) => Buffer.alloc(size, i + 1))
    const { id, sizeBytes, hashValue } = await images.add(image(), of(...chunks))
    const stored = readFileSync(disk(id))
    expect(sizeBytes).toBe(sizes.reduce((sum, size) => sum + size, 0))
    expect(stored.equals(Buffer.concat(chunks))).toBe(true)
    expect(hash('sha512', stored)).toBe(hashValue)
  })
  it('take no room on the disk where they are zero, at the end too', async () => {
    const { id, hashValue } = await images.add(image(), of(Buffer.alloc(4 * mib), 'middle', Buffer.alloc(4 * mib)))
    expect(statSync(disk(id)).size).toBe(8 * mib + 6)
    expect(statSync(disk(id)).blocks * 512).toBeLessThan(2 * mib)
    expect(hash('sha512', readFileSync(disk(id)))).toBe(hashValue)
  })
})

describe('bases', () => {
  it('of a raw image are the same bytes on the disk', async () => {
    const { id } = await images.add(image(), of('hello'))
    const [one, two] = await Promise.all([images.baseFile(id), images.baseFile(id)])
    expect(one).toEqual(two)
    expect(one).toMatchObject({ format: 'raw', virtualSizeBytes: 5 })
    expect(statSync(one.file).ino).toBe(statSync(disk(id)).ino)
  })
  it('outlive the image, and are not made after its end', async () => {
    const [kept, lost] = [await images.add(image(), of('hello')), await images.add(image(), of('hello'))]
    const { file } = await images.baseFile(kept.id)
    await images.remove(kept.id)
    await images.remove(lost.id)
    expect(readFileSync((await images.baseFile(kept.id)).file, 'utf8')).toBe('hello')
    expect(file).toBe((await images.baseFile(kept.id)).file)
    await expect(images.baseFile(lost.id)).rejects.toMatchObject({ kind: 'not-found' })
    await expect(images.baseFile('../../etc/passwd')).rejects.toMatchObject({ kind: 'not-found' })
  })
  it('are refused for what is no disk or has no bytes', async () => {
    const packed = await images.add(image({ containerFormat: 'docker' }), of('hello'))
    await expect(images.baseFile(packed.id)).rejects.toMatchObject({ kind: 'conflict' })
    await expect(images.baseFile(images.register(image()).id)).rejects.toMatchObject({ kind: 'conflict' })
  })
  it('are refused when the bytes are no longer those that were taken in', async () => {
    const { id } = await images.add(image(), of('hello, this is a disk'))
    writeFileSync(disk(id), `QFI\u00fb${'x'.repeat(17)}`, 'latin1')
    await expect(images.baseFile(id)).rejects.toMatchObject({ kind: 'unavailable', message: expect.stringContaining('damaged') })
  })
  it('go when nobody needs them and they are old', async () => {
    const [used, unused, young] = [
      await images.add(image(), of('a')),
      await images.add(image(), of('b')),
      await images.add(image(), of('c')),
    ]
    await images.baseFile(used.id)
    await images.baseFile(unused.id)
    await images.baseFile(young.id)
    await clock.advance('12 h')
    await images.baseFile(young.id)
    await clock.advance('13 h')
    expect(await images.collectGarbage(new Set([used.id]))).toEqual([unused.id])
    expect((await images.inventory()).bases.sort()).toEqual([used.id, young.id].sort())
    expect((await images.inventory()).images).toHaveLength(3)
  })
  it('stay when the configuration says so', async () => {
    start({ 'image_cache.remove_unused_base_images': 'false' })
    const { id } = await images.add(image(), of('a'))
    await images.baseFile(id)
    await clock.advance('1000 d')
    expect(await images.collectGarbage(new Set())).toEqual([])
  })
})

describe.runIf(hasQemuImg)('bases by qemu-img', () => {
  it.each([
    ['qcow2', 'qcow2', []],
    ['vmdk', 'vmdk', ['-o', 'subformat=streamOptimized']],
    ['vmdk', 'vmdk', ['-o', 'subformat=monolithicSparse']],
    ['vdi', 'vdi', []],
    ['vhdx', 'vhdx', []],
    ['vhd', 'vpc', ['-o', 'force_size=on']],
  ])('of %s are raw', async (diskFormat, qemuFormat, options) => {
    const { id } = await images.add(image({ diskFormat }), of(await madeBy(qemuFormat, ...options)))
    const base = await images.baseFile(id)
    expect(base).toMatchObject({ format: 'raw', virtualSizeBytes: mib })
    const content = readFileSync(base.file)
    expect([content.length, content.subarray(0, 5).toString()]).toEqual([mib, 'hello'])
    expect((await images.inventory()).partial).toEqual([])
  })
  it('of qcow2 stay qcow2 where that is wanted', async () => {
    start({ 'DEFAULT.force_raw_images': 'false' })
    const { id } = await images.add(image({ diskFormat: 'qcow2' }), of(await madeBy('qcow2')))
    const base = await images.baseFile(id)
    expect(base.format).toBe('qcow2')
    expect(statSync(base.file).ino).toBe(statSync(disk(id)).ino)
  })
  it('are called off when the last who waits gives up, not before', async () => {
    const { id } = await images.add(image({ diskFormat: 'qcow2' }), of(await madeBy('qcow2')))
    const [one, two] = [new AbortController(), new AbortController()]
    const [first, second] = [images.baseFile(id, one.signal), images.baseFile(id, two.signal)]
    one.abort(new Error('one gave up'))
    await expect(first).rejects.toThrow('one gave up')
    expect((await second).format).toBe('raw')
    const third = await images.add(image({ diskFormat: 'qcow2' }), of(await madeBy('qcow2')))
    const alone = images.baseFile(third.id, AbortSignal.timeout(1))
    await alone.catch(() => undefined)
    expect((await images.baseFile(third.id)).virtualSizeBytes).toBe(mib)
    await images[Symbol.asyncDispose]()
    expect((await images.inventory()).partial).toEqual([])
  })
})

describe('a restart', () => {
  it('releases interrupted uploads and clears away what nobody owns', async () => {
    const whole = await images.add(image(), of('hello'))
    await images.baseFile(whole.id)
    const cut = images.register(image())
    ground.db.prepare("UPDATE images SET status = 'saving' WHERE id = ?").run(cut.id)
    writeFileSync(disk(`${cut.id}.part`), 'hel')
    writeFileSync(disk(cut.id), 'hello')
    linkSync(disk(whole.id), disk('7f9e2b1a-0c1d-4e5f-8a9b-0123456789ab'))
    writeFileSync(disk(`_base/${whole.id}.raw.x.part`), 'hel')
    images = makeImages(ground)
    expect(images.get(cut.id, null)?.status).toBe('queued')
    expect(await images.inventory()).toEqual({ images: [whole.id], bases: [whole.id], partial: [] })
    expect(readdirSync(disk('_base'))).toEqual([`${whole.id}.raw`])
    expect((await images.fill(cut.id, of('hello'))).status).toBe('active')
  })
})
