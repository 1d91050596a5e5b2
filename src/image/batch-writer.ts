/**
 * Writes a file in batches of 1 MiB: while one batch goes to the disk the next one is filled, so that small chunks cost no
 * call each and the disk is not waited for.
 */
import type { FileHandle } from 'node:fs/promises'

const batchBytes = 1024 * 1024

export class BatchWriter {
  readonly #file: FileHandle
  #batch = Buffer.allocUnsafeSlow(batchBytes)
  #spare = Buffer.allocUnsafeSlow(batchBytes)
  #used = 0
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
  }

  /** What was begun has come to its end when it resolves, well or not: then the file may be closed. */
  async settled(): Promise<void> {
    await this.#writing.catch(() => undefined)
  }

  async #flush(): Promise<void> {
    await this.#writing
    this.#writing = this.#file.appendFile(this.#batch.subarray(0, this.#used))
    this.#writing.catch(() => undefined)
    const full = this.#batch
    this.#batch = this.#spare
    this.#spare = full
    this.#used = 0
  }
}
