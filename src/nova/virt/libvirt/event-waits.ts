/** Waiting for what an action sets off in a guest. Events wake those who wait, who look for themselves: a lost event costs one poll. */
import type { Clock } from '../../../base/clock.ts'
import type { DomainEvent } from '../../../node-libvirt/index.ts'

const pollMs = 1_000

export class EventWaits {
  readonly #clock: Clock
  readonly #waiting = new Map<string, Set<() => void>>()

  constructor(clock: Clock) {
    this.#clock = clock
  }

  happened(event: DomainEvent): void {
    for (const wake of this.#waiting.get(event.domain.uuid) ?? []) wake()
  }

  /**
   * @returns whether `look` came true within `deadlineMs`
   * @throws what `look` does, or the signal's reason
   */
  async until(uuid: string, look: () => Promise<boolean>, deadlineMs: number, signal?: AbortSignal): Promise<boolean> {
    const untilMs = this.#clock.now() + deadlineMs
    for (;;) {
      signal?.throwIfAborted()
      const woken = Promise.withResolvers<void>()
      const waiting = this.#waiting.get(uuid) ?? new Set()
      this.#waiting.set(uuid, waiting.add(woken.resolve))
      const calledOff = new AbortController()
      const onAbort = () => woken.resolve()
      signal?.addEventListener('abort', onAbort, { once: true })
      try {
        if (await look()) return true
        const leftMs = untilMs - this.#clock.now()
        if (leftMs <= 0) return false
        const slept = this.#clock.sleep(Math.min(pollMs, leftMs), calledOff.signal).catch(() => undefined)
        await Promise.race([woken.promise, slept])
      } finally {
        calledOff.abort()
        signal?.removeEventListener('abort', onAbort)
        waiting.delete(woken.resolve)
        if (waiting.size === 0) this.#waiting.delete(uuid)
      }
    }
  }
}
