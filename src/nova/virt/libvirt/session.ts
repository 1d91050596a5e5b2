/**
 * The driver's connection to libvirtd, which may not be there yet, or may go and come again. Whoever asks meanwhile is told at once;
 * only the first try at the start is waited for.
 */
import type { Clock, Timer } from '../../../base/clock.ts'
import { messageOf } from '../../../base/errors.ts'
import type { Log } from '../../../base/log.ts'
import { type Connection, ConnectionLost, connect, type DomainEvent } from '../../../node-libvirt/index.ts'

export type SessionDeps = {
  uri: string
  clock: Clock
  log: Log
  onEvent: (event: DomainEvent) => void
  /** The daemon answers; `isReturn` when it was asked in vain before. */
  onUp: (connection: Connection, isReturn: boolean) => void
}

const firstRetryMs = 500
const lastRetryMs = 15_000

export class Session implements AsyncDisposable {
  readonly #deps: SessionDeps
  #first: Promise<void>
  #connection: Connection | undefined
  #retry: Timer | undefined
  #closed = false
  #trouble = 'not connected yet'
  #wasAway = false

  constructor(deps: SessionDeps) {
    this.#deps = deps
    this.#first = this.#open(firstRetryMs)
  }

  get connected(): boolean {
    return this.#connection?.connected ?? false
  }

  /** Why it isn't connected. */
  get trouble(): string {
    return this.#trouble
  }

  /** @throws {ConnectionLost} when libvirtd doesn't answer at present */
  async use(): Promise<Connection> {
    await this.#first
    if (!this.#connection) throw new ConnectionLost(`libvirt at ${this.#deps.uri}: ${this.#trouble}`)
    return this.#connection
  }

  async #open(retryMs: number): Promise<void> {
    const { uri, clock, log, onEvent, onUp } = this.#deps
    try {
      const connection = await connect({ uri, reconnect: true })
      connection.onEvent(onEvent)
      connection.onConnection((state) => {
        log.info({ uri, state }, 'libvirt connection')
        if (state === 'connected') return onUp(connection, true)
        this.#trouble = 'the connection was lost'
        this.#wasAway = true
      })
      await connection.eventsReady()
      if (this.#closed) return await connection.close()
      this.#connection = connection
      onUp(connection, this.#wasAway)
    } catch (error) {
      this.#trouble = messageOf(error)
      this.#wasAway = true
      log.warn({ uri, err: error }, `libvirt does not answer: ${this.#trouble}`)
      if (this.#closed) return
      this.#retry = clock.after(retryMs, () => void this.#open(Math.min(retryMs * 2, lastRetryMs)))
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true
    this.#retry?.cancel()
    await this.#first
    await this.#connection?.close()
  }
}
