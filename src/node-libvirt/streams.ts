/**
 * Streams: bytes beside the calls, for consoles, screenshots and volumes. A call opens one; its packets carry the call's serial.
 *
 * Reading is iterating: `for await (const chunk of stream)`. The end is confirmed to the daemon by the iteration itself; leaving
 * the loop early aborts. Writing waits until the socket has taken the bytes. What has arrived but isn't read yet is counted, and
 * the connection pauses above {@link highWater}, unless a call waits for its answer behind those bytes.
 *
 * @see https://libvirt.org/kbase/internals/rpc.html#streams
 */
import { maxStreamBytes } from './framing.ts'

/** Bytes held for a slow reader before the connection pauses. */
export const highWater = 4 * 1024 * 1024

/** What a stream asks of the connection that carries it. */
export type StreamCarrier = {
  /** Sends a packet of this stream; resolves when the socket can take more. */
  send: (status: 'continue' | 'ok' | 'error', data?: Uint8Array) => Promise<void>
  /** The count of unread bytes has changed. */
  flow: () => void
  /** The stream is over: its serial means nothing any more. */
  forget: () => void
}

export class Stream implements AsyncIterable<Buffer>, AsyncDisposable {
  readonly #carrier: StreamCarrier
  readonly #chunks: Buffer[] = []
  #unread = 0
  #ended = false
  #confirmed = false
  #closing = false
  #failure: Error | undefined
  #waiters: (() => void)[] = []

  constructor(carrier: StreamCarrier) {
    this.#carrier = carrier
  }

  /** Bytes that have arrived and wait for the reader. */
  get unread(): number {
    return this.#unread
  }

  get closed(): boolean {
    return this.#confirmed || this.#failure !== undefined
  }

  /**
   * @throws {LibvirtError} when the daemon gives up on the stream
   * @throws {ConnectionLost} when the connection ends
   */
  async *[Symbol.asyncIterator](): AsyncGenerator<Buffer, void, void> {
    try {
      for (;;) {
        const chunk = this.#chunks.shift()
        if (chunk) {
          this.#unread -= chunk.length
          this.#carrier.flow()
          yield chunk
          continue
        }
        if (this.#failure) throw this.#failure
        if (this.#ended || this.closed || this.#closing) break
        await this.#change()
      }
      await this.finish()
    } finally {
      if (!this.closed) await this.abort()
    }
  }

  /**
   * Sends bytes to the daemon, in packets of a size that it takes.
   * @throws {LibvirtError} when the daemon has given up on the stream
   * @throws {ConnectionLost} when the connection ends
   */
  async write(data: Uint8Array): Promise<void> {
    for (let at = 0; at < data.length; at += maxStreamBytes) {
      if (this.#failure) throw this.#failure
      if (this.#closing || this.closed) throw new Error('the stream is closed')
      await this.#carrier.send('continue', data.subarray(at, at + maxStreamBytes))
    }
  }

  /**
   * Ends the stream and waits until the daemon says that all went well.
   * @throws {LibvirtError} when it didn't
   */
  async finish(): Promise<void> {
    await this.#end('ok')
  }

  /** Breaks the stream off. A failure that comes back is of no interest any more. */
  async abort(): Promise<void> {
    if (this.closed) return
    await this.#end('error').catch(() => undefined)
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.abort()
  }

  async #end(status: 'ok' | 'error'): Promise<void> {
    if (!this.#closing && !this.closed) {
      this.#closing = true
      this.#drop()
      await this.#carrier.send(status)
    }
    while (!this.#confirmed) {
      if (this.#failure) throw this.#failure
      await this.#change()
    }
  }

  /** For the connection: bytes came; an empty chunk is the end of the daemon's side. */
  push(chunk: Buffer): void {
    if (chunk.length === 0) this.#ended = true
    else if (!this.#closing) {
      this.#chunks.push(chunk)
      this.#unread += chunk.length
      this.#carrier.flow()
    }
    this.#wake()
  }

  /** For the connection: the daemon confirms the end. */
  confirm(): void {
    this.#confirmed = true
    this.#close()
  }

  /** For the connection: the daemon, or the connection itself, has given up. */
  fail(error: Error): void {
    if (this.closed) return
    this.#failure = error
    this.#close()
  }

  #close(): void {
    this.#carrier.forget()
    this.#wake()
  }

  #drop(): void {
    this.#chunks.length = 0
    this.#unread = 0
    this.#carrier.flow()
  }

  #change(): Promise<void> {
    return new Promise((resolve) => this.#waiters.push(resolve))
  }

  #wake(): void {
    const waiters = this.#waiters
    this.#waiters = []
    for (const wake of waiters) wake()
  }
}
