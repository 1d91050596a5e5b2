/**
 * The life of a connection: opening, losing and reopening its channel. What is asked over it is connection.ts's business.
 *
 * On loss the calls under way fail with {@link ConnectionLost}, calls in between fail at once, and after a growing delay the daemon
 * is tried again. Events are registered before the link says `connected`, so who lists everything then misses nothing.
 */
import { authenticate, type Credentials } from './auth.ts'
import { type CallOptions, Channel } from './channel.ts'
import { ConnectionLost } from './errors.ts'
import { EventHub } from './event-hub.ts'
import type { KeepAliveOptions } from './keep-alive.ts'
import { emit } from './listeners.ts'
import { procedures } from './procedures.ts'
import { Feature, type Procedure } from './protocol.ts'
import type { Stream } from './streams.ts'
import { openTransport } from './transport.ts'
import { type ConnectionUri, parseUri } from './uri.ts'

export type ConnectOptions = {
  uri: string
  readonly?: boolean
  /** As delivered a ping each 5 s, lost after 5 unanswered; false sends none. */
  keepAlive?: KeepAliveOptions | false
  reconnect?: boolean
  /** For each call; 0, the default, waits as long as the daemon lives. */
  callTimeoutMs?: number
  connectTimeoutMs?: number
  /** Calls that the daemon gets at a time; keep it below its `max_client_requests`. */
  maxInFlight?: number
  auth?: Credentials
}

export type ConnectionState = 'connected' | 'disconnected'

const firstDelayMs = 100
const lastDelayMs = 5_000
const readonlyFlag = 1

export class Link {
  readonly options: ConnectOptions
  readonly hub = new EventHub()
  readonly #uri: ConnectionUri
  readonly #stateListeners = new Set<(state: ConnectionState) => void>()
  #channel: Channel | undefined
  #retry: NodeJS.Timeout | undefined
  #closed = false

  /** @throws {TypeError} when the URI is not one */
  constructor(options: ConnectOptions) {
    this.options = options
    this.#uri = parseUri(options.uri)
  }

  get connected(): boolean {
    return this.#channel?.open ?? false
  }

  /** @throws what `connect()` does */
  async open(): Promise<void> {
    const { transport, remote } = this.#uri
    const timeoutMs = this.options.connectTimeoutMs ?? 10_000
    const socket = await openTransport(transport, timeoutMs)
    let ready = false
    const channel: Channel = new Channel(socket, {
      maxInFlight: this.options.maxInFlight,
      callTimeoutMs: this.options.callTimeoutMs,
      onMessage: (packet) => this.hub.receive(packet),
      onLost: () => {
        if (ready && this.#channel === channel) this.#onLost()
      },
    })
    const patience = setTimeout(() => channel.destroy(`the daemon said nothing for ${timeoutMs} ms`), timeoutMs)
    try {
      await authenticate(channel, this.options.auth, transport.kind !== 'tcp')
      const keepAlive = this.options.keepAlive ?? { intervalMs: 5_000, count: 5 }
      if (keepAlive !== false) {
        const { supported } = await channel.call(procedures.connectSupportsFeature, { feature: Feature.programKeepAlive })
        if (supported) channel.startKeepAlive(keepAlive)
      }
      clearTimeout(patience)
      await channel.call(procedures.connectOpen, { name: remote, flags: this.options.readonly ? readonlyFlag : 0 }, { timeoutMs: 60_000 })
      await this.hub.attach(channel)
      if (this.#closed || !channel.open) throw new ConnectionLost('the connection was closed')
    } catch (error) {
      clearTimeout(patience)
      this.hub.detach()
      channel.destroy()
      throw error
    }
    ready = true
    this.#channel = channel
    emit(this.#stateListeners, 'connected')
  }

  #onLost(): void {
    this.#channel = undefined
    this.hub.detach()
    emit(this.#stateListeners, 'disconnected')
    if (this.options.reconnect && !this.#closed) this.#reopenAfter(firstDelayMs)
  }

  #reopenAfter(delayMs: number): void {
    this.#retry = setTimeout(() => {
      this.open().catch(() => {
        if (!this.#closed) this.#reopenAfter(Math.min(delayMs * 2, lastDelayMs))
      })
    }, delayMs)
  }

  /** Ends the connection for good. */
  async close(): Promise<void> {
    if (this.#closed) return
    this.#closed = true
    clearTimeout(this.#retry)
    const channel = this.#channel
    if (!channel) return
    await channel.call(procedures.connectClose, undefined, { timeoutMs: 2_000 }).catch(() => undefined)
    channel.destroy()
  }

  onConnection(listener: (state: ConnectionState) => void): () => void {
    const own = (state: ConnectionState) => listener(state)
    this.#stateListeners.add(own)
    return () => this.#stateListeners.delete(own)
  }

  /** @throws what {@link Channel.call} does */
  async call<A, R>(procedure: Procedure<A, R>, args: A, options?: CallOptions): Promise<R> {
    return this.#current().call(procedure, args, options)
  }

  /** @throws what {@link Channel.call} does */
  async openStream<A, R>(procedure: Procedure<A, R>, args: A, options?: CallOptions): Promise<{ result: R; stream: Stream }> {
    return this.#current().openStream(procedure, args, options)
  }

  #current(): Channel {
    if (!this.#channel) throw new ConnectionLost(this.#closed ? 'the connection was closed' : 'there is no connection to the daemon')
    return this.#channel
  }
}
