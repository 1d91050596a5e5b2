/**
 * An open console: one WebSocket and one connection to the guest's console, and the bytes between them.
 *
 * Each side is read only as fast as the other takes: the guest's side pauses while more than {@link highWaterBytes} wait for the
 * browser, the browser's while the guest's socket is full. A browser that answers no ping is cut off.
 */
import type { Socket } from 'node:net'
import type { WebSocket } from 'ws'
import type { Clock, Timer } from '../../base/clock.ts'
import type { Log } from '../../base/log.ts'

/** Above this much waiting for the browser the guest is not read; below the low mark it is again. */
export const highWaterBytes = 512 * 1024
const lowWaterBytes = 128 * 1024
const pingEveryMs = 30_000
/** The hypervisor's socket may end a moment before the word comes that the guest has stopped, which is the better reason. */
const reasonGraceMs = 3000
const closeGraceMs = 1000

export type SessionDeps = {
  clock: Clock
  log: Log
  instanceUuid: string
  /** Milliseconds since the epoch; `null`: as long as it lasts. */
  endsAtMs: number | null
}

export class Session {
  readonly instanceUuid: string
  /** Resolves when both sides are closed. */
  readonly ended: Promise<void>
  readonly #ws: WebSocket
  readonly #guest: Socket
  readonly #clock: Clock
  readonly #timers = new Set<Timer>()
  #isAlive = true

  constructor(ws: WebSocket, guest: Socket, { clock, log, instanceUuid, endsAtMs }: SessionDeps) {
    this.instanceUuid = instanceUuid
    this.#ws = ws
    this.#guest = guest
    this.#clock = clock
    this.#relay()
    this.#watch()
    if (endsAtMs !== null) this.#after(Math.max(0, endsAtMs - clock.now()), () => this.close(1000, 'session timeout'))
    ws.on('error', (error) => log.debug({ instance: instanceUuid, err: error }, 'console connection error'))
    guest.on('error', (error) => log.debug({ instance: instanceUuid, err: error }, 'guest console error'))
    this.ended = new Promise((resolve) => {
      ws.on('close', () => {
        for (const timer of this.#timers) timer.cancel()
        guest.destroy()
        resolve()
      })
    })
  }

  /** Says why, and cuts the connection if the browser does not answer. */
  close(code: number, reason: string): void {
    this.#ws.close(code, reason)
    // A paused WebSocket would not read the answer.
    this.#ws.resume()
    this.#guest.destroy()
    this.#after(closeGraceMs, () => this.#ws.terminate())
  }

  terminate(): void {
    this.#ws.terminate()
  }

  #relay(): void {
    const ws = this.#ws
    const guest = this.#guest
    const sent = () => {
      if (guest.isPaused() && ws.bufferedAmount <= lowWaterBytes) guest.resume()
    }
    guest.on('data', (chunk: Buffer) => {
      if (ws.readyState !== ws.OPEN) return
      ws.send(chunk, sent)
      if (ws.bufferedAmount > highWaterBytes) guest.pause()
    })
    ws.on('message', (data: Buffer) => {
      this.#isAlive = true
      if (guest.writable && !guest.write(data)) ws.pause()
    })
    guest.on('drain', () => ws.resume())
    guest.on('close', () => {
      if (ws.readyState === ws.OPEN) this.#after(reasonGraceMs, () => this.close(1000, 'console closed'))
    })
  }

  #watch(): void {
    const ws = this.#ws
    ws.on('pong', () => {
      this.#isAlive = true
    })
    const check = () => {
      if (!this.#isAlive && !ws.isPaused) return ws.terminate()
      this.#isAlive = false
      ws.ping()
      this.#after(pingEveryMs, check)
    }
    this.#after(pingEveryMs, check)
  }

  #after(delayMs: number, call: () => void): void {
    const timer = this.#clock.after(delayMs, () => {
      this.#timers.delete(timer)
      call()
    })
    this.#timers.add(timer)
  }
}
