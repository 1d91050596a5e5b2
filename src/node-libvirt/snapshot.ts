/** A snapshot that libvirt keeps account of. @see https://libvirt.org/html/libvirt-libvirt-domain-snapshot.html */
import type { Connection } from './connection.ts'
import { procedures } from './procedures.ts'
import type { SnapshotRef } from './protocol.ts'

export class DomainSnapshot {
  readonly #connection: Connection
  readonly ref: SnapshotRef

  constructor(connection: Connection, ref: SnapshotRef) {
    this.#connection = connection
    this.ref = ref
  }

  get name(): string {
    return this.ref.name
  }

  async xml(flags = 0): Promise<string> {
    return (await this.#connection.call(procedures.domainSnapshotGetXmlDesc, { snapshot: this.ref, flags })).xml
  }

  async revert(flags = 0): Promise<void> {
    await this.#connection.call(procedures.domainRevertToSnapshot, { snapshot: this.ref, flags })
  }

  async delete(flags = 0): Promise<void> {
    await this.#connection.call(procedures.domainSnapshotDelete, { snapshot: this.ref, flags })
  }
}
