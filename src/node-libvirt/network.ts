/** A virtual network that libvirt runs. @see https://libvirt.org/html/libvirt-libvirt-network.html */
import type { Connection } from './connection.ts'
import { procedures } from './procedures.ts'
import type { NetworkRef } from './protocol.ts'

export class Network {
  readonly #connection: Connection
  readonly ref: NetworkRef

  constructor(connection: Connection, ref: NetworkRef) {
    this.#connection = connection
    this.ref = ref
  }

  get uuid(): string {
    return this.ref.uuid
  }

  get name(): string {
    return this.ref.name
  }

  /** Starts it. */
  async create(): Promise<void> {
    await this.#connection.call(procedures.networkCreate, { network: this.ref })
  }

  async destroy(): Promise<void> {
    await this.#connection.call(procedures.networkDestroy, { network: this.ref })
  }

  async undefine(): Promise<void> {
    await this.#connection.call(procedures.networkUndefine, { network: this.ref })
  }

  async isActive(): Promise<boolean> {
    return (await this.#connection.call(procedures.networkIsActive, { network: this.ref })).active
  }

  async setAutostart(autostart: boolean): Promise<void> {
    await this.#connection.call(procedures.networkSetAutostart, { network: this.ref, autostart })
  }

  async bridgeName(): Promise<string> {
    return (await this.#connection.call(procedures.networkGetBridgeName, { network: this.ref })).name
  }

  async xml(flags = 0): Promise<string> {
    return (await this.#connection.call(procedures.networkGetXmlDesc, { network: this.ref, flags })).xml
  }
}
