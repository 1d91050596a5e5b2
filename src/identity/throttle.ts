/**
 * Slows guessing: failures are counted for a user from one address, for the user, and for the address. Past a limit every
 * further attempt waits its turn, each turn twice as long as the one before, and an attempt that would wait too long fails at
 * once. Counts are forgotten after a while; what is remembered is bounded. Times are milliseconds.
 */
import { LRUCache } from 'lru-cache'
import type { Clock } from '../base/clock.ts'

const firstWaitMs = 250
const longestWaitMs = 10_000
const forgetAfterMs = 300_000
/** A whole user or address may fail this many times as often as the pair of both. */
const broader = 20

type Count = { failures: number; lastMs: number; nextTurnMs: number }

export type Attempt = { succeeded(): void }

export class Throttle {
  readonly #counts = new LRUCache<string, Count>({ max: 20_000 })
  readonly #clock: Clock
  readonly #limit: number

  constructor(clock: Clock, { limit }: { limit: number }) {
    this.#clock = clock
    this.#limit = limit
  }

  /** Resolves when the attempt may be made; `null` when it is one too many. */
  async attempt(user: string, address: string | null): Promise<Attempt | null> {
    const nowMs = this.#clock.now()
    const pair = this.#count(`pair ${address} ${user}`, nowMs)
    const keys = [
      { count: pair, limit: this.#limit },
      { count: this.#count(`user ${user}`, nowMs), limit: this.#limit * broader },
      { count: this.#count(`address ${address}`, nowMs), limit: this.#limit * broader },
    ]
    const turnMs = Math.max(nowMs, ...keys.map(({ count, limit }) => (count.failures >= limit ? count.nextTurnMs : 0)))
    if (turnMs - nowMs > longestWaitMs) return null
    for (const { count, limit } of keys) {
      if (count.failures < limit) continue
      count.nextTurnMs = turnMs + Math.min(longestWaitMs / 2, firstWaitMs * 2 ** Math.min(count.failures - limit, 16))
    }
    // Counted before the outcome is known: attempts made at the same time count too.
    for (const { count } of keys) {
      count.failures++
      count.lastMs = turnMs
    }
    if (turnMs > nowMs) await this.#clock.sleep(turnMs - nowMs)
    return {
      succeeded: () => {
        for (const { count } of keys) count.failures = count === pair ? 0 : Math.max(0, count.failures - 1)
      },
    }
  }

  #count(key: string, nowMs: number): Count {
    const found = this.#counts.get(key)
    if (found && nowMs - found.lastMs < forgetAfterMs) return found
    const made = { failures: 0, lastMs: nowMs, nextTurnMs: 0 }
    this.#counts.set(key, made)
    return made
  }
}
