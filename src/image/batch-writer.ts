/**
 * Writes a new file in batches of 1 MiB: while one batch goes to the disk the next one is filled, so that small chunks cost
 * no call each and the disk is not waited for. Batches of zeroes become holes, as raw disks are mostly empty.
 */
import type { FileHandle } from 'node:fs/promises'

const batchBytes = 1024 * 1024
const zeroes = Buffer.alloc(batchBytes)

export class BatchWriter {
  readonly #file: FileHandle
  #batch = Buffer.allocUnsafeSlow(batchBytes)
  #spare = Buffer.allocUnsafeSlow(batchBytes)
  #used = 0
  #position = 0
  #writing: Promise<void> = Promise.resolve()

  constructor(file: FileHandle) {
    this.#file = file
  }

  /** Copies the bytes; they stay the caller's. @throws what the file system throws, for earlier bytes too. */
  async write(bytes: Uint8Array): Promise<void> {
    for (let at = 0; at < bytes.length; ) {
      const part = bytes.subarray(at, at + batchBytes - this.#used)
      this.#batch.set(part, this.#used)
      this.#used += part.length
      at += part.length
      if (this.#used === batchBytes) await this.#flush()
    }
  }

  /** All is with the operating system when it resolves. @throws what the file system throws. */
  async end(): Promise<void> {
    await this.#flush()
    await this.#writing
    await this.#file.truncate(this.#position)
  }

  /** What was begun has come to its end when it resolves, well or not: then the file may be closed. */
  async settled(): Promise<void> {
    await this.#writing.catch(() => undefined)
  }

  async #flush(): Promise<void> {
    await this.#writing
    const bytes = this.#batch.subarray(0, this.#used)
    if (!bytes.equals(zeroes.subarray(0, bytes.length))) {
      this.#writing = writeAt(this.#file, bytes, this.#position)
      this.#writing.catch(() => undefined)
    }
    this.#position += bytes.length
    const full = this.#batch
    this.#batch = this.#spare
    this.#spare = full
    this.#used = 0
  }
}

/** All of the bytes: one call may write fewer. */
async function writeAt(file: FileHandle, bytes: Uint8Array, position: number): Promise<void> {
  for (let done = 0; done < bytes.length; ) {
    const { bytesWritten } = await file.write(bytes, done, bytes.length - done, position + done)
    done += bytesWritten
  }
}
