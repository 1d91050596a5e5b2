/**
 * Bases: what guests' disks are overlays of, one file an image and format, shared by all its guests. A raw image's base
 * is a hard link to the image itself, so it costs nothing and outlives the image; others are converted once.
 *
 * The time of last use is the file's modification time, by our clock; unused bases go when they are old enough.
 */
import { randomUUID } from 'node:crypto'
import { copyFile, link, open, readdir, rename, rm, stat, utimes } from 'node:fs/promises'
import { join } from 'node:path'
import type { Clock } from '../base/clock.ts'
import { conflict, notFound, unavailable } from '../base/errors.ts'
import type { Log } from '../base/log.ts'
import type { Catalog } from './catalog.ts'
import { type ImageFiles, isImageId, syncDirectory } from './files.ts'
import type { Image } from './image.ts'
import { inspect } from './inspect/index.ts'
import { convert, type DiskFormat, QemuImgFailed } from './qemu-img.ts'

export type BaseFormat = 'raw' | 'qcow2'
export type BaseFile = { file: string; format: BaseFormat; virtualSizeBytes: number }

/** The format in qemu-img's words of each that is a disk. */
const qemuFormats: Record<string, DiskFormat> = {
  raw: 'raw',
  iso: 'raw',
  ami: 'raw',
  aki: 'raw',
  ari: 'raw',
  qcow2: 'qcow2',
  vmdk: 'vmdk',
  vdi: 'vdi',
  vhd: 'vpc',
  vhdx: 'vhdx',
}
const inspectedAs: Record<string, string> = { ami: 'raw', aki: 'raw', ari: 'raw' }
const bootableContainers = new Set(['bare', 'ami', 'aki', 'ari', 'ovf'])

type Work = { id: string; done: Promise<BaseFile>; controller: AbortController; waiting: number }

export type BaseOptions = { forceRaw: boolean; removeUnused: boolean; minimumAgeSeconds: number }

export class BaseFiles implements AsyncDisposable {
  readonly #catalog: Catalog
  readonly #files: ImageFiles
  readonly #clock: Clock
  readonly #log: Log
  readonly #options: BaseOptions
  readonly #work = new Map<string, Work>()

  constructor(deps: { catalog: Catalog; files: ImageFiles; clock: Clock; log: Log; options: BaseOptions }) {
    this.#catalog = deps.catalog
    this.#files = deps.files
    this.#clock = deps.clock
    this.#log = deps.log
    this.#options = deps.options
  }

  /**
   * Those who ask for the same image while its base is made wait for the one making; it is called off when the last of
   * them gives up. The base of a deleted image is found as long as it is there.
   * @throws {CloudError} `not-found`; `conflict` for an image that is no disk or not active; `unavailable` when it cannot
   * be made here.
   */
  async get(id: string, signal?: AbortSignal): Promise<BaseFile> {
    const image = isImageId(id) ? this.#catalog.remembered(id) : null
    if (!image) throw notFound(`Image ${id.slice(0, 64)} could not be found.`)
    signal?.throwIfAborted()
    const work = this.#work.get(id) ?? this.#begin(image)
    work.waiting += 1
    const { promise: left, reject: leave } = Promise.withResolvers<never>()
    const onAbort = () => leave(signal?.reason)
    signal?.addEventListener('abort', onAbort, { once: true })
    try {
      return await Promise.race([work.done, left])
    } finally {
      signal?.removeEventListener('abort', onAbort)
      work.waiting -= 1
      if (work.waiting === 0) {
        work.controller.abort()
        this.#forget(work)
      }
    }
  }

  /** @param inUse ids of images that some guest's disk stands on. @returns ids of images whose base went. */
  async collectGarbage(inUse: ReadonlySet<string>): Promise<string[]> {
    if (!this.#options.removeUnused) return []
    const removed = new Set<string>()
    for (const name of await this.#names()) {
      const id = imageOf(name)
      if (id === null || inUse.has(id) || this.#work.has(id)) continue
      const path = join(this.#files.bases, name)
      const { mtimeMs } = await stat(path)
      if (this.#clock.now() - mtimeMs < this.#options.minimumAgeSeconds * 1000 || this.#work.has(id)) continue
      await rm(path, { force: true })
      removed.add(id)
      this.#log.info({ image: id }, 'an unused base image was removed')
    }
    return [...removed]
  }

  async list(): Promise<string[]> {
    return [...new Set((await this.#names()).flatMap((name) => imageOf(name) ?? []))]
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const all = [...this.#work.values()]
    for (const { controller } of all) controller.abort()
    await Promise.allSettled(all.map(({ done }) => done))
  }

  async #names(): Promise<string[]> {
    return await readdir(this.#files.bases)
  }

  #begin(image: Image): Work {
    const controller = new AbortController()
    const work: Work = { id: image.id, done: this.#make(image, controller.signal), controller, waiting: 0 }
    this.#work.set(image.id, work)
    work.done.then(
      () => this.#forget(work),
      () => this.#forget(work),
    )
    return work
  }

  #forget(work: Work): void {
    if (this.#work.get(work.id) === work) this.#work.delete(work.id)
  }

  async #make(image: Image, signal: AbortSignal): Promise<BaseFile> {
    const from = this.#sourceFormat(image)
    const format: BaseFormat = from === 'qcow2' && !this.#options.forceRaw ? 'qcow2' : 'raw'
    const file = join(this.#files.bases, `${image.id}.${format}`)
    if (!(await exists(file))) {
      if (image.status === 'deleted') throw notFound(`Image ${image.id} could not be found.`)
      if (image.status !== 'active') throw conflict(`Image ${image.id} is not active.`)
      await this.#verify(image)
      const part = `${file}.${randomUUID()}.part`
      try {
        if (from === format) await linkOrCopy(this.#files.path(image.id), part)
        else await this.#convert({ path: this.#files.path(image.id), format: from }, { path: part, format }, signal)
        await rename(part, file)
        await syncDirectory(this.#files.bases)
      } finally {
        await rm(part, { force: true })
      }
    }
    const now = this.#clock.now() / 1000
    await utimes(file, now, now)
    return { file, format, virtualSizeBytes: image.virtualSizeBytes ?? image.sizeBytes ?? 0 }
  }

  #sourceFormat(image: Image): DiskFormat {
    const format = qemuFormats[image.diskFormat ?? '']
    if (format === undefined || !bootableContainers.has(image.containerFormat ?? ''))
      throw conflict(`Image ${image.id} is no disk: its format is ${image.diskFormat} in ${image.containerFormat}.`)
    return format
  }

  /** What lies on the disk is still what was taken in: a check of size and headers, not of every byte. */
  async #verify(image: Image): Promise<void> {
    let handle: Awaited<ReturnType<typeof open>>
    try {
      handle = await open(this.#files.path(image.id), 'r')
    } catch (error) {
      throw unavailable(`The data of image ${image.id} is missing.`, { cause: error })
    }
    await using _closing = handle
    const { size } = await handle.stat()
    const inspection = await inspect({
      size,
      read: async (offset, length) => {
        const buffer = Buffer.alloc(length)
        const { bytesRead } = await handle.read(buffer, 0, length, offset)
        return buffer.subarray(0, bytesRead)
      },
    })
    const expected = inspectedAs[image.diskFormat ?? ''] ?? image.diskFormat
    if (
      size !== image.sizeBytes ||
      inspection.format !== expected ||
      !inspection.safe ||
      inspection.virtualSizeBytes !== image.virtualSizeBytes
    )
      throw unavailable(`The data of image ${image.id} is damaged: upload it anew.`)
  }

  async #convert(from: { path: string; format: DiskFormat }, to: { path: string; format: BaseFormat }, signal: AbortSignal): Promise<void> {
    try {
      await convert({ from, to }, { signal })
    } catch (error) {
      if (signal.aborted) throw signal.reason
      if (error instanceof QemuImgFailed) throw unavailable(`The image could not be made into a disk: ${error.message}`, { cause: error })
      throw error
    }
    await using handle = await open(to.path, 'r+')
    await handle.sync()
  }
}

const imageOf = (name: string): string | null => {
  const match = /^(.{36})\.(raw|qcow2)$/.exec(name)
  return match?.[1] !== undefined && isImageId(match[1]) ? match[1] : null
}

const exists = async (path: string): Promise<boolean> =>
  await stat(path).then(
    () => true,
    () => false,
  )

/** A file system without hard links gets a copy. */
async function linkOrCopy(from: string, to: string): Promise<void> {
  try {
    await link(from, to)
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : ''
    if (code !== 'EPERM' && code !== 'EMLINK' && code !== 'ENOTSUP') throw error
    await copyFile(from, to)
  }
}
