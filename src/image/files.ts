/**
 * Images' bytes on disk: `<id>` is whole and never changes, `<id>.part` is being written, `<id>.staged` waits for its
 * import, and `_base` holds what guests' disks stand on. Files are 0600, directories 0700.
 */
import { mkdirSync, readdirSync, rmSync } from 'node:fs'
import { type FileHandle, open, rename, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'

const idPattern = /^[0-9a-f]{8}-([0-9a-f]{4}-){3}[0-9a-f]{12}$/i

/** The form in which an image's id may name a file: anything else could climb out of the directory. */
export const isImageId = (text: string): boolean => idPattern.test(text)

/** Makes a rename in this directory survive a power cut. */
export async function syncDirectory(path: string): Promise<void> {
  await using directory = await open(path, 'r')
  await directory.sync()
}

export class ImageFiles {
  readonly directory: string
  readonly bases: string

  constructor(dataDir: string) {
    this.directory = join(dataDir, 'images')
    this.bases = join(this.directory, '_base')
    mkdirSync(this.bases, { recursive: true, mode: 0o700 })
  }

  /** @throws {RangeError} for an id that is none. */
  path(id: string, suffix: '' | '.part' | '.staged' = ''): string {
    if (!isImageId(id)) throw new RangeError('not an image id')
    return join(this.directory, id + suffix)
  }

  /** Removes what no image owns: interrupted uploads and imports, and the bytes of images that are gone. */
  sweep(owned: ReadonlySet<string>): void {
    for (const entry of readdirSync(this.directory, { withFileTypes: true }))
      if (entry.isFile() && !owned.has(entry.name)) rmSync(join(this.directory, entry.name), { force: true })
    for (const name of readdirSync(this.bases)) if (name.endsWith('.part')) rmSync(join(this.bases, name), { force: true })
  }

  async openPart(id: string, suffix: '.part' | '.staged'): Promise<FileHandle> {
    return await open(this.path(id, suffix), 'w', 0o600)
  }

  /** The part becomes the image. */
  async settle(id: string): Promise<void> {
    await rename(this.path(id, '.part'), this.path(id))
    await syncDirectory(this.directory)
  }

  async remove(id: string, suffix: '' | '.part' | '.staged' = ''): Promise<void> {
    await rm(this.path(id, suffix), { force: true })
  }

  async sizeOf(id: string, suffix: '' | '.staged' = ''): Promise<number | null> {
    return await stat(this.path(id, suffix)).then(
      ({ size }) => size,
      () => null,
    )
  }

  /** Ids of images' files, and names of files that are being written. */
  list(): { images: string[]; partial: string[] } {
    const names = readdirSync(this.directory, { withFileTypes: true }).flatMap((entry) => (entry.isFile() ? [entry.name] : []))
    const partial = [...names.filter((name) => !isImageId(name)), ...readdirSync(this.bases).filter((name) => name.endsWith('.part'))]
    return { images: names.filter(isImageId), partial }
  }
}

/** Bytes `start` up to and including `end`, opened when they are first asked for. */
export async function* readSlice(path: string, start: number, end: number): AsyncIterable<Uint8Array> {
  if (end < start) return
  await using handle = await open(path, 'r')
  const step = 256 * 1024
  for (let at = start; at <= end; ) {
    const chunk = Buffer.allocUnsafe(Math.min(step, end - at + 1))
    const { bytesRead } = await handle.read(chunk, 0, chunk.length, at)
    if (bytesRead === 0) return
    yield chunk.subarray(0, bytesRead)
    at += bytesRead
  }
}
