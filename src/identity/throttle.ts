/**
 * Slows guessing: failures are counted for a user from one address, for the user, and for the address. Past a limit every
 * further attempt waits its turn, each turn twice as long as the one before, and an attempt that would wait too long fails at
 * once. Counts are forgotten after a while; what is remembered is bounded. Times are milliseconds.
 *
 * Attempts at the same time count as failures until their outcome is known: those beyond the limit wait for it, so that many
 * clients of one user may log in at once, and many guesses may not.
 */
import { LRUCache } from 'lru-cache'
import type { Clock } from '../base/clock.ts'

const firstWaitMs = 250
const longestWaitMs = 10_000
const forgetAfterMs = 300_000
/** A whole user or address may fail this many times as often as the pair of both. */
const broader = 20

/** Attempts of one user from one address that may wait for the outcome of others. */
const mostWaiting = 200

type Count = { failures: number; lastMs: number; nextTurnMs: number }
type Pair = Count & { inFlight: number; waiting: (() => void)[] }

/** One of the two must be called, once. */
export type Attempt = { succeeded(): void; failed(): void }

export class Throttle {
  readonly #counts = new LRUCache<string, Pair>({ max: 20_000 })
  readonly #clock: Clock
  readonly #limit: number

  constructor(clock: Clock, { limit }: { limit: number }) {
    this.#clock = clock
    this.#limit = limit
  }

  /** Resolves when the attempt may be made; `null` when it is one too many. */
  async attempt(user: string, address: string | null): Promise<Attempt | null> {
    const pair = this.#count(`pair ${address} ${user}`)
    const givesUpMs = this.#clock.now() + longestWaitMs
    while (pair.failures >= this.#limit && pair.inFlight > 0) {
      if (pair.waiting.length >= mostWaiting || this.#clock.now() > givesUpMs) return null
      await new Promise<void>((resolve) => pair.waiting.push(resolve))
    }
    const nowMs = this.#clock.now()
    const keys = [
      { count: pair, limit: this.#limit },
      { count: this.#count(`user ${user}`), limit: this.#limit * broader },
      { count: this.#count(`address ${address}`), limit: this.#limit * broader },
    ]
    const turnMs = Math.max(nowMs, ...keys.map(({ count, limit }) => (count.failures >= limit ? count.nextTurnMs : 0)))
    if (turnMs - nowMs > longestWaitMs) return null
    for (const { count, limit } of keys) {
      if (count.failures < limit) continue
      count.nextTurnMs = turnMs + Math.min(longestWaitMs / 2, firstWaitMs * 2 ** Math.min(count.failures - limit, 16))
    }
    for (const { count } of keys) {
      count.failures++
      count.lastMs = turnMs
    }
    pair.inFlight++
    if (turnMs > nowMs) await this.#clock.sleep(turnMs - nowMs)
    const settle = () => {
      pair.inFlight--
      for (const next of pair.waiting.splice(0)) next()
    }
    return {
      succeeded: () => {
        for (const { count } of keys) count.failures = count === pair ? pair.inFlight - 1 : Math.max(0, count.failures - 1)
        settle()
      },
      failed: settle,
    }
  }

  #count(key: string): Pair {
    const nowMs = this.#clock.now()
    const found = this.#counts.get(key)
    if (found && (found.inFlight > 0 || nowMs - found.lastMs < forgetAfterMs)) return found
    const made = { failures: 0, lastMs: nowMs, nextTurnMs: 0, inFlight: 0, waiting: [] }
    this.#counts.set(key, made)
    return made
  }
}
