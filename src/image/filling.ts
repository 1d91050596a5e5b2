/**
 * Fills an image: bytes go to a part file while they are inspected and hashed on the way, then the file becomes the
 * image's and the row `active`. Whatever goes wrong, the image is `queued` again and nothing is left of the bytes.
 *
 * Hashing and writing go in slices of 256 KiB, less than 2 ms of the event loop each, with a turn for others in between.
 */
import { createHash } from 'node:crypto'
import type { FileHandle } from 'node:fs/promises'
import { CloudError, conflict, invalid } from '../base/errors.ts'
import type { Log } from '../base/log.ts'
import { BatchWriter } from './batch-writer.ts'
import { type Catalog, noImage } from './catalog.ts'
import { type ImageFiles, readSlice } from './files.ts'
import type { Image, ImageStatus } from './image.ts'
import { checkUpload, ImageRefused, InspectionStream } from './inspect/index.ts'

const sliceBytes = 256 * 1024

const nextTurn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

export type FillLimits = {
  imageSizeCap: number
  maxVirtualSizeGb: number
  /** 0 is none. */
  userStorageQuota: number
}

export const tooLarge = (message: string): CloudError => new CloudError('too-large', message)

export class Filling implements AsyncDisposable {
  readonly #catalog: Catalog
  readonly #files: ImageFiles
  readonly #limits: FillLimits
  readonly #log: Log
  readonly #running = new Map<string, AbortController>()
  readonly #imports = new Set<Promise<void>>()

  constructor(deps: { catalog: Catalog; files: ImageFiles; limits: FillLimits; log: Log }) {
    this.#catalog = deps.catalog
    this.#files = deps.files
    this.#limits = deps.limits
    this.#log = deps.log
  }

  /**
   * @param contentLength bytes that the sender announced, if it did
   * @throws {CloudError} `conflict` unless the image is queued, `invalid` for bytes that are refused or end early,
   * `too-large` over a limit, `gone` when the image is deleted meanwhile.
   */
  async fill(id: string, source: AsyncIterable<Uint8Array>, contentLength: number | null = null): Promise<Image> {
    const image = this.#claim(id, ['queued'], 'saving')
    return await this.#guarded(image, async (signal) => {
      this.#refuseEarly(image, contentLength)
      return await this.#take(image, source, contentLength, signal)
    })
  }

  /** Keeps bytes as they come for a later {@link importStaged}. @throws as {@link fill}. */
  async stage(id: string, source: AsyncIterable<Uint8Array>, contentLength: number | null): Promise<void> {
    const image = this.#claim(id, ['queued'], 'uploading')
    await this.#guarded(image, async (signal) => {
      this.#refuseEarly(image, contentLength)
      await using part = await this.#files.openPart(id, '.staged')
      const size = await this.#copy(image, source, part, signal, () => undefined)
      requireWhole(size, contentLength)
    })
  }

  /** Begins to fill the image from what was staged; goes on after it returns. @throws {CloudError} `conflict` when nothing is staged. */
  importStaged(id: string): void {
    if (this.#running.has(id)) throw conflict(`Data is still being staged for image ${id}.`)
    const image = this.#claim(id, ['uploading'], 'importing')
    const work = this.#guarded(image, async (signal) => {
      const size = await this.#files.sizeOf(id, '.staged')
      if (size === null) throw conflict(`Nothing is staged for image ${id}.`)
      await this.#take(image, readSlice(this.#files.path(id, '.staged'), 0, size - 1), size, signal)
      await this.#files.remove(id, '.staged')
    }).catch((error: unknown) => {
      this.#log.warn({ image: id, err: error }, 'an image was not imported')
    })
    this.#imports.add(work)
    void work.finally(() => this.#imports.delete(work))
  }

  /** Ends what fills this image; it finds the image deleted. */
  callOff(id: string): void {
    this.#running.get(id)?.abort()
  }

  /** Resolves when no import runs. */
  async settled(): Promise<void> {
    await Promise.all(this.#imports)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const running of this.#running.values()) running.abort()
    await this.settled()
  }

  #claim(id: string, from: readonly ImageStatus[], to: ImageStatus): Image {
    const image = this.#catalog.find(id, null)
    if (!image.diskFormat || !image.containerFormat)
      throw invalid('Properties disk_format, container_format must be set prior to saving data.')
    if (!this.#catalog.move(id, from, to)) throw conflict(`Image status transition from ${image.status} to ${to} is not allowed`)
    return image
  }

  /** Runs the work with a way to call it off, and puts the image back when it fails. */
  async #guarded<T>(image: Image, work: (signal: AbortSignal) => Promise<T>): Promise<T> {
    const { id } = image
    const controller = new AbortController()
    this.#running.set(id, controller)
    try {
      return await work(controller.signal)
    } catch (error) {
      for (const suffix of ['', '.part', '.staged'] as const) await this.#files.remove(id, suffix)
      this.#catalog.move(id, ['saving', 'uploading', 'importing'], 'queued')
      throw controller.signal.aborted ? gone(id) : explained(error)
    } finally {
      this.#running.delete(id)
    }
  }

  async #take(image: Image, source: AsyncIterable<Uint8Array>, contentLength: number | null, signal: AbortSignal): Promise<Image> {
    const { id } = image
    const inspection = new InspectionStream()
    const md5 = createHash('md5')
    const sha512 = createHash('sha512')
    let sizeBytes: number
    {
      await using part = await this.#files.openPart(id, '.part')
      sizeBytes = await this.#copy(image, source, part, signal, (slice) => {
        inspection.write(slice)
        md5.update(slice)
        sha512.update(slice)
      })
      requireWhole(sizeBytes, contentLength)
      await part.sync()
    }
    const inspected = inspection.end()
    checkUpload({
      declaredDiskFormat: image.diskFormat ?? '',
      inspection: inspected,
      maxVirtualBytes: this.#limits.maxVirtualSizeGb * 1024 ** 3,
    })
    await this.#files.settle(id)
    this.#requireRoom(image, sizeBytes)
    const isActive = this.#catalog.activate(id, {
      sizeBytes,
      virtualSizeBytes: inspected.virtualSizeBytes,
      checksum: md5.digest('hex'),
      hashAlgo: 'sha512',
      hashValue: sha512.digest('hex'),
      location: `file://${this.#files.path(id)}`,
    })
    if (!isActive) throw gone(id)
    return this.#catalog.find(id, null)
  }

  /** @returns bytes copied. */
  async #copy(
    image: Image,
    source: AsyncIterable<Uint8Array>,
    part: FileHandle,
    signal: AbortSignal,
    see: (slice: Uint8Array) => void,
  ): Promise<number> {
    let size = 0
    let sinceTurn = 0
    const writer = new BatchWriter(part)
    try {
      for await (const chunk of source) {
        for (let at = 0; at < chunk.length; at += sliceBytes) {
          const slice = chunk.subarray(at, at + sliceBytes)
          size += slice.length
          this.#requireRoom(image, size)
          see(slice)
          await writer.write(slice)
          if (signal.aborted) throw gone(image.id)
          sinceTurn += slice.length
          if (sinceTurn >= sliceBytes) {
            sinceTurn = 0
            await nextTurn()
          }
        }
      }
      await writer.end()
    } finally {
      await writer.settled()
    }
    return size
  }

  #refuseEarly(image: Image, contentLength: number | null): void {
    if (contentLength !== null) this.#requireRoom(image, contentLength)
  }

  #requireRoom(image: Image, size: number): void {
    const { imageSizeCap, userStorageQuota } = this.#limits
    if (size > imageSizeCap) throw tooLarge(`The image is larger than the ${imageSizeCap} bytes that this cloud takes.`)
    if (userStorageQuota > 0 && this.#catalog.usage(image.ownerId).bytes + size > userStorageQuota)
      throw tooLarge(`The size of the data would exceed the project's limit of ${userStorageQuota} bytes for all its images.`)
  }
}

const gone = (id: string): CloudError => new CloudError('gone', `${noImage(id).message}: it was deleted while its data came in.`)

function requireWhole(size: number, announced: number | null): void {
  if (announced !== null && size !== announced) throw invalid(`${announced} bytes were announced, ${size} came.`)
}

function explained(error: unknown): unknown {
  if (error instanceof CloudError) return error
  if (error instanceof ImageRefused) return invalid(error.message, { cause: error })
  const code = error instanceof Error && 'code' in error ? String(error.code) : ''
  if (code === 'ENOSPC' || code === 'EDQUOT')
    return new CloudError('too-large', 'There is not enough disk space on the image store.', { cause: error })
  const isClient =
    code.startsWith('ERR_') || code === 'ECONNRESET' || code === 'ABORT_ERR' || (error instanceof Error && error.name === 'AbortError')
  return isClient ? invalid('The upload ended before all of its data had come.', { cause: error }) : error
}
