/**
 * Who wants to hear of domains, over all the channels that a connection has in its life. The daemon is told once for each kind of
 * event and channel, when the first listener comes; later listeners share that.
 */
import type { Channel } from './channel.ts'
import { ConnectionLost, LibvirtError } from './errors.ts'
import { type DomainEvent, eventTypes, readEvent } from './events.ts'
import type { Packet } from './framing.ts'
import { emit } from './listeners.ts'
import { procedures } from './procedures.ts'

export class EventHub {
  readonly #listeners = new Set<(event: DomainEvent) => void>()
  #channel: Channel | undefined
  #wanted = false
  #ready: Promise<void> = Promise.resolve()

  subscribe(listener: (event: DomainEvent) => void): () => void {
    // One function given twice is two subscriptions, each with its own end.
    const own = (event: DomainEvent) => listener(event)
    this.#listeners.add(own)
    if (!this.#wanted) {
      this.#wanted = true
      if (this.#channel) this.#register(this.#channel)
    }
    return () => this.#listeners.delete(own)
  }

  /** @throws {ConnectionLost} when there is no channel to register on */
  async ready(): Promise<void> {
    if (!this.#channel) throw new ConnectionLost('there is no connection to the daemon')
    await this.#ready
  }

  /** @throws what registering does */
  async attach(channel: Channel): Promise<void> {
    this.#channel = channel
    if (this.#wanted) await this.#register(channel)
  }

  detach(): void {
    this.#channel = undefined
  }

  /** @throws {XdrError} */
  receive(packet: Packet): void {
    const event = readEvent(packet)
    if (event) emit(this.#listeners, event)
  }

  #register(channel: Channel): Promise<void> {
    this.#ready = registerAll(channel)
    this.#ready.catch(() => undefined)
    return this.#ready
  }
}

async function registerAll(channel: Channel): Promise<void> {
  await Promise.all(
    Object.values(eventTypes).map(async ({ id: event }) => {
      try {
        await channel.call(procedures.connectDomainEventCallbackRegisterAny, { event, domain: null })
      } catch (error) {
        // An older daemon or another driver doesn't have this kind; the rest still counts.
        const unknownKind =
          error instanceof LibvirtError && error.is('NO_SUPPORT', 'INVALID_ARG', 'OPERATION_UNSUPPORTED', 'INTERNAL_ERROR')
        if (!unknownKind) throw error
      }
    }),
  )
}
