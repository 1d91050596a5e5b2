/** Pools and the volumes in them; sizes are bytes. @see https://libvirt.org/html/libvirt-libvirt-storage.html */
import type { Connection } from './connection.ts'
import { procedures } from './procedures.ts'
import type { PoolRef, VolumeRef } from './protocol.ts'
import type { Stream } from './streams.ts'

export class StoragePool {
  readonly #connection: Connection
  readonly ref: PoolRef

  constructor(connection: Connection, ref: PoolRef) {
    this.#connection = connection
    this.ref = ref
  }

  get uuid(): string {
    return this.ref.uuid
  }

  get name(): string {
    return this.ref.name
  }

  /** Makes the directory, or whatever the pool lives in. */
  async build(flags = 0): Promise<void> {
    await this.#connection.call(procedures.storagePoolBuild, { pool: this.ref, flags })
  }

  /** Starts it. */
  async create(flags = 0): Promise<void> {
    await this.#connection.call(procedures.storagePoolCreate, { pool: this.ref, flags })
  }

  /** Stops it; what it holds stays. */
  async destroy(): Promise<void> {
    await this.#connection.call(procedures.storagePoolDestroy, { pool: this.ref })
  }

  async undefine(): Promise<void> {
    await this.#connection.call(procedures.storagePoolUndefine, { pool: this.ref })
  }

  async refresh(): Promise<void> {
    await this.#connection.call(procedures.storagePoolRefresh, { pool: this.ref, flags: 0 })
  }

  async info(): Promise<{ state: number; capacity: number; allocation: number; available: number }> {
    return this.#connection.call(procedures.storagePoolGetInfo, { pool: this.ref })
  }

  async listVolumes(): Promise<StorageVolume[]> {
    const { volumes } = await this.#connection.call(procedures.storagePoolListAllVolumes, { pool: this.ref, needResults: 1, flags: 0 })
    return volumes.map((ref) => new StorageVolume(this.#connection, ref))
  }

  /** @throws {LibvirtError} NO_STORAGE_VOL */
  async volume(name: string): Promise<StorageVolume> {
    return new StorageVolume(
      this.#connection,
      (await this.#connection.call(procedures.storageVolLookupByName, { pool: this.ref, name })).volume,
    )
  }

  async createVolumeXml(xml: string, flags = 0): Promise<StorageVolume> {
    return new StorageVolume(
      this.#connection,
      (await this.#connection.call(procedures.storageVolCreateXml, { pool: this.ref, xml, flags })).volume,
    )
  }
}

export class StorageVolume {
  readonly #connection: Connection
  readonly ref: VolumeRef

  constructor(connection: Connection, ref: VolumeRef) {
    this.#connection = connection
    this.ref = ref
  }

  get name(): string {
    return this.ref.name
  }

  async path(): Promise<string> {
    return (await this.#connection.call(procedures.storageVolGetPath, { volume: this.ref })).path
  }

  async info(): Promise<{ type: number; capacity: number; allocation: number }> {
    return this.#connection.call(procedures.storageVolGetInfo, { volume: this.ref })
  }

  async delete(flags = 0): Promise<void> {
    await this.#connection.call(procedures.storageVolDelete, { volume: this.ref, flags })
  }

  /** @param length 0 for everything from `offset` on */
  async download(offset = 0, length = 0): Promise<Stream> {
    return (await this.#connection.openStream(procedures.storageVolDownload, { volume: this.ref, offset, length, flags: 0 })).stream
  }

  /** Write to the stream, then `finish()` it. */
  async upload(offset = 0, length = 0): Promise<Stream> {
    return (await this.#connection.openStream(procedures.storageVolUpload, { volume: this.ref, offset, length, flags: 0 })).stream
  }
}
