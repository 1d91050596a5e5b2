/**
 * Long work on a domain's disks. A job starts at once and ends with a `block-job-2` event; a copy or an active commit becomes
 * *ready* first and ends by {@link BlockJobs.abort}, with the flag `pivot` to use the new disk.
 *
 * @see https://libvirt.org/kbase/live_full_disk_backup.html
 */
import type { Connection } from './connection.ts'
import { procedures } from './procedures.ts'
import type { DomainRef, TypedParam } from './protocol.ts'

export type BlockJobInfo = { type: number; bandwidth: number; current: number; end: number }

export class BlockJobs {
  readonly #connection: Connection
  readonly #domain: DomainRef

  constructor(connection: Connection, domain: DomainRef) {
    this.#connection = connection
    this.#domain = domain
  }

  /** @param destinationXml a `<disk>` element */
  async copy(disk: string, destinationXml: string, flags = 0, params: TypedParam[] = []): Promise<void> {
    await this.#connection.call(procedures.domainBlockCopy, { domain: this.#domain, disk, destinationXml, params, flags })
  }

  /** Writes what `top` holds into `base`; null means the ends of the chain. */
  async commit(disk: string, base: string | null, top: string | null, flags = 0, bandwidth = 0): Promise<void> {
    await this.#connection.call(procedures.domainBlockCommit, { domain: this.#domain, disk, base, top, bandwidth, flags })
  }

  /** Copies everything from below into the disk. */
  async pull(disk: string, flags = 0, bandwidth = 0): Promise<void> {
    await this.#connection.call(procedures.domainBlockPull, { domain: this.#domain, disk, bandwidth, flags })
  }

  /** Copies into the disk what lies between it and `base`. */
  async rebase(disk: string, base: string | null, flags = 0, bandwidth = 0): Promise<void> {
    await this.#connection.call(procedures.domainBlockRebase, { domain: this.#domain, disk, base, bandwidth, flags })
  }

  /** Undefined when the disk has no job. `current` of `end` is the progress; the unit depends on the job. */
  async info(disk: string, flags = 0): Promise<BlockJobInfo | undefined> {
    const { found, ...info } = await this.#connection.call(procedures.domainGetBlockJobInfo, { domain: this.#domain, disk, flags })
    return found ? info : undefined
  }

  async abort(disk: string, flags = 0): Promise<void> {
    await this.#connection.call(procedures.domainBlockJobAbort, { domain: this.#domain, disk, flags })
  }
}
