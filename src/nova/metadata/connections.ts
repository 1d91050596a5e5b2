/**
 * Limits on connections, since what is at their other end is untrusted: how many one guest and all together may hold, how
 * long a request may take to arrive, and its answer to be fetched. Times are milliseconds of the ground's clock.
 */
import type { Socket } from 'node:net'
import type { Clock, Timer } from '../../base/clock.ts'

export const limits = { perGuest: 16, total: 1024, requestMs: 15_000, answerMs: 60_000 }

export class Connections {
  readonly #clock: Clock
  readonly #open = new Map<Socket, { guest: string | null; timer: Timer }>()
  readonly #perGuest = new Map<string, number>()

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** False, and the connection is cut, when there are too many; one of nobody's (null) counts for the total alone. */
  admit(socket: Socket, guest: string | null): boolean {
    const held = guest === null ? 0 : (this.#perGuest.get(guest) ?? 0)
    if (held >= limits.perGuest || this.#open.size >= limits.total) {
      socket.destroy()
      return false
    }
    if (guest !== null) this.#perGuest.set(guest, held + 1)
    this.#open.set(socket, { guest, timer: this.#cutAfter(socket, limits.requestMs) })
    socket.once('close', () => this.#forget(socket))
    return true
  }

  /** A request has come in whole. */
  answering(socket: Socket): void {
    this.#restart(socket, limits.answerMs)
  }

  /** The next request may come. */
  waiting(socket: Socket): void {
    this.#restart(socket, limits.requestMs)
  }

  cutAll(): void {
    for (const socket of [...this.#open.keys()]) socket.destroy()
  }

  #cutAfter(socket: Socket, delayMs: number): Timer {
    return this.#clock.after(delayMs, () => socket.destroy())
  }

  #restart(socket: Socket, delayMs: number): void {
    const entry = this.#open.get(socket)
    if (!entry) return
    entry.timer.cancel()
    entry.timer = this.#cutAfter(socket, delayMs)
  }

  #forget(socket: Socket): void {
    const entry = this.#open.get(socket)
    if (!entry) return
    entry.timer.cancel()
    this.#open.delete(socket)
    if (entry.guest === null) return
    const held = (this.#perGuest.get(entry.guest) ?? 1) - 1
    if (held === 0) this.#perGuest.delete(entry.guest)
    else this.#perGuest.set(entry.guest, held)
  }
}
