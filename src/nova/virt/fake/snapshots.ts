/** Snapshots of fake guests: small raw disks that name their guest, so that they can become images and be told apart. */
import { randomUUID } from 'node:crypto'
import { mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { SnapshotFile } from '../driver.ts'
import type { FakeGuest } from './guests.ts'

const sizeBytes = 64 * 1024

export class FakeSnapshots {
  readonly #dir: string

  /** What an earlier life left there belongs to nobody. */
  constructor(dir: string) {
    rmSync(dir, { recursive: true, force: true })
    mkdirSync(dir, { recursive: true, mode: 0o700 })
    this.#dir = dir
  }

  take(guest: FakeGuest): SnapshotFile {
    const file = join(this.#dir, `${guest.uuid}.${randomUUID()}`)
    const disk = Buffer.alloc(sizeBytes)
    disk.write(`snapshot of ${guest.uuid} (${guest.name}) after ${guest.boots} starts\n`)
    // The mark of a boot sector.
    disk.set([0x55, 0xaa], 510)
    writeFileSync(file, disk, { mode: 0o600 })
    return { file, format: 'raw', virtualSizeBytes: sizeBytes, [Symbol.asyncDispose]: async () => rmSync(file, { force: true }) }
  }

  /** Those of one guest. */
  remove(uuid: string): void {
    for (const path of this.names()) if (path.startsWith(join(this.#dir, uuid))) rmSync(path, { force: true })
  }

  names(): string[] {
    return readdirSync(this.#dir).map((name) => join(this.#dir, name))
  }
}
