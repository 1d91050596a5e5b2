/**
 * One socket to one daemon: calls by serial, streams, events and keep-alive over it. A channel lives once; it doesn't reconnect.
 *
 * A daemon stops reading from a client that has `max_client_requests` (5 as delivered) calls under way, and then can't hear its
 * pings either. So at most {@link defaultMaxInFlight} calls are out at a time; further ones wait here in their order.
 *
 * @see https://libvirt.org/kbase/internals/rpc.html
 */
import type { Duplex } from 'node:stream'
import { ConnectionLost, ErrorCode, LibvirtError } from './errors.ts'
import { encode, encodeRaw, MessageStatus, MessageType, type Packet, PacketSplitter } from './framing.ts'
import { type KeepAliveOptions, KeepAliveTimer } from './keep-alive.ts'
import { errorBody, KeepAlive, keepAliveProgram, type Procedure } from './protocol.ts'
import { highWater, Stream } from './streams.ts'
import { XdrReader } from './xdr.ts'

export const defaultMaxInFlight = 4

export type ChannelOptions = {
  maxInFlight?: number
  /** 0 or absent: a call may take as long as it likes; keep-alive still finds a dead daemon. */
  callTimeoutMs?: number
  onMessage?: (packet: Packet) => void
  onLost?: (cause: ConnectionLost) => void
}
export type CallOptions = { timeoutMs?: number }
type Wire = { program: { id: number; version: number }; number: number }
type Pending = { settle: (packet: Packet) => void; fail: (error: Error) => void }

export class Channel {
  readonly #socket: Duplex
  readonly #options: ChannelOptions
  readonly #splitter = new PacketSplitter()
  /** Calls that the daemon has; an entry whose caller has given up stays until the daemon answers, as it holds a place there. */
  readonly #pending = new Map<number, Pending>()
  readonly #waiting: { serial: number; bytes: Buffer }[] = []
  readonly #streams = new Map<number, Stream>()
  /** Streams that the daemon may still open, but whose caller has given up. */
  readonly #abandoned = new Map<number, Wire>()
  #serial = 0
  #inFlight = 0
  #keepAlive: KeepAliveTimer | undefined
  #paused = false
  #lost: ConnectionLost | undefined

  constructor(socket: Duplex, options: ChannelOptions = {}) {
    this.#socket = socket
    this.#options = options
    socket.on('data', (chunk: Buffer) => this.#receive(chunk))
    socket.on('error', (error) => this.#lose(`connection to the daemon failed: ${error.message}`, error))
    socket.on('close', () => this.#lose('the daemon closed the connection'))
    socket.on('end', () => this.#lose('the daemon closed the connection'))
  }

  get open(): boolean {
    return this.#lost === undefined
  }

  /**
   * @throws {LibvirtError} what the daemon answered, or OPERATION_TIMEOUT when it took too long to
   * @throws {ConnectionLost} when the connection ended first
   * @throws {XdrError} when the arguments don't fit the protocol, or the answer doesn't
   */
  async call<A, R>(procedure: Procedure<A, R>, args: A, options?: CallOptions): Promise<R> {
    return this.#decode(procedure, await this.#request(procedure, args, options).reply)
  }

  /** Makes a call that opens a stream. Throws what {@link call} does. */
  async openStream<A, R>(procedure: Procedure<A, R>, args: A, options?: CallOptions): Promise<{ result: R; stream: Stream }> {
    const { serial, reply } = this.#request(procedure, args, options)
    const stream = new Stream({
      send: (status, data) => this.#sendStream(procedure, serial, MessageStatus[status], data),
      flow: () => this.#adjustFlow(),
      forget: () => {
        this.#streams.delete(serial)
        this.#adjustFlow()
      },
    })
    this.#streams.set(serial, stream)
    try {
      return { result: this.#decode(procedure, await reply), stream }
    } catch (error) {
      this.#streams.delete(serial)
      if (this.#pending.has(serial)) this.#abandoned.set(serial, procedure)
      throw error
    }
  }

  startKeepAlive(options: KeepAliveOptions): void {
    this.#keepAlive = new KeepAliveTimer(options, {
      ping: () => this.#sendKeepAlive(KeepAlive.ping),
      lost: () => this.#lose(`the daemon gave no sign of life for ${(options.intervalMs * options.count) / 1000} s`),
      deaf: () => this.#paused,
    })
  }

  /** Ends the connection; what is under way fails with {@link ConnectionLost}. */
  destroy(reason = 'the connection was closed'): void {
    this.#lose(reason)
  }

  #request<A, R>(procedure: Procedure<A, R>, args: A, options?: CallOptions): { serial: number; reply: Promise<Packet> } {
    if (this.#lost) throw new ConnectionLost(this.#lost.message, { cause: this.#lost })
    this.#serial = (this.#serial % 0xffff_ffff) + 1
    const serial = this.#serial
    const bytes = encode({ ...headerOf(procedure), type: MessageType.call, serial, status: MessageStatus.ok }, procedure.args, args)
    const timeoutMs = options?.timeoutMs ?? this.#options.callTimeoutMs ?? 0
    const reply = new Promise<Packet>((settle, fail) => {
      const timer =
        timeoutMs > 0
          ? setTimeout(
              () => fail(new LibvirtError(ErrorCode.OPERATION_TIMEOUT, `${procedure.name}: no answer after ${timeoutMs} ms`)),
              timeoutMs,
            )
          : undefined
      this.#pending.set(serial, {
        settle: (packet) => {
          clearTimeout(timer)
          settle(packet)
        },
        fail: (error) => {
          clearTimeout(timer)
          fail(error)
        },
      })
    })
    this.#waiting.push({ serial, bytes })
    this.#sendWaiting()
    return { serial, reply }
  }

  #sendWaiting(): void {
    const max = this.#options.maxInFlight ?? defaultMaxInFlight
    while (this.#inFlight < max) {
      const next = this.#waiting.shift()
      if (!next) break
      this.#inFlight++
      this.#socket.write(next.bytes)
    }
    this.#adjustFlow()
  }

  #decode<A, R>(procedure: Procedure<A, R>, packet: Packet): R {
    const reader = new XdrReader(packet.payload)
    if (packet.status === MessageStatus.error) throw readError(reader)
    const result = procedure.ret.read(reader)
    reader.end()
    return result
  }

  #receive(chunk: Buffer): void {
    this.#keepAlive?.heard()
    try {
      for (const packet of this.#splitter.push(chunk)) if (!this.#lost) this.#dispatch(packet)
    } catch (error) {
      this.#lose('the daemon sent what is not the protocol', error)
    }
  }

  #dispatch(packet: Packet): void {
    if (packet.program === keepAliveProgram.id) {
      if (packet.procedure === KeepAlive.ping) this.#sendKeepAlive(KeepAlive.pong)
    } else if (packet.type === MessageType.message) this.#options.onMessage?.(packet)
    else if (packet.type === MessageType.reply && this.#pending.has(packet.serial)) {
      const pending = this.#pending.get(packet.serial)
      this.#pending.delete(packet.serial)
      this.#inFlight--
      pending?.settle(packet)
      this.#abortAbandoned(packet)
      this.#sendWaiting()
    } else this.#dispatchStream(packet)
  }

  #abortAbandoned(packet: Packet): void {
    const procedure = this.#abandoned.get(packet.serial)
    if (!procedure) return
    this.#abandoned.delete(packet.serial)
    // When even this can't be sent the connection is lost, and the stream with it.
    if (packet.status === MessageStatus.ok) this.#sendStream(procedure, packet.serial, MessageStatus.error).catch(() => undefined)
  }

  #dispatchStream(packet: Packet): void {
    const stream = this.#streams.get(packet.serial)
    if (!stream) return
    if (packet.status === MessageStatus.error) stream.fail(readError(new XdrReader(packet.payload)))
    else if (packet.type === MessageType.stream && packet.status === MessageStatus.continue) stream.push(packet.payload)
    else stream.confirm()
  }

  #sendStream(procedure: Wire, serial: number, status: number, data?: Uint8Array): Promise<void> {
    if (this.#lost) return Promise.reject(this.#lost)
    const bytes = encodeRaw({ ...headerOf(procedure), type: MessageType.stream, serial, status }, data)
    return new Promise((resolve, reject) => this.#socket.write(bytes, (error) => (error ? reject(this.#lost ?? error) : resolve())))
  }

  #sendKeepAlive(procedure: number): void {
    const { id: program, version } = keepAliveProgram
    this.#socket.write(encodeRaw({ program, version, procedure, type: MessageType.message, serial: 0, status: MessageStatus.ok }))
  }

  /** Stops reading while a stream's reader is far behind, but never while an answer is due: its caller may be that reader. */
  #adjustFlow(): void {
    const behind = this.#pending.size === 0 && [...this.#streams.values()].some((stream) => stream.unread > highWater)
    if (behind === this.#paused || this.#lost) return
    this.#paused = behind
    if (behind) this.#socket.pause()
    else this.#socket.resume()
  }

  #lose(message: string, cause?: unknown): void {
    if (this.#lost) return
    const lost = new ConnectionLost(message, { cause })
    this.#lost = lost
    this.#keepAlive?.stop()
    this.#waiting.length = 0
    for (const pending of this.#pending.values()) pending.fail(lost)
    this.#pending.clear()
    for (const stream of [...this.#streams.values()]) stream.fail(lost)
    this.#socket.destroy()
    this.#options.onLost?.(lost)
  }
}

function headerOf(procedure: Wire): { program: number; version: number; procedure: number } {
  return { program: procedure.program.id, version: procedure.program.version, procedure: procedure.number }
}

function readError(reader: XdrReader): LibvirtError {
  const body = errorBody.read(reader)
  return new LibvirtError(body.code, body.message ?? 'the daemon gave no reason', body.domain, body.level)
}
