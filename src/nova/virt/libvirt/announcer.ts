/** Tells what happens to guests. What an action of ours brings along is kept back, and a reset that is told twice is told once. */
import type { Clock } from '../../../base/clock.ts'
import { messageOf } from '../../../base/errors.ts'
import type { Log } from '../../../base/log.ts'
import { type DomainEvent, DomainEventType } from '../../../node-libvirt/index.ts'
import type { GuestEvent } from '../driver.ts'
import { changeOf } from './events.ts'

type Change = GuestEvent['change']

const sameRebootMs = 1_000

export class Announcer {
  readonly #clock: Clock
  readonly #log: Log
  readonly #listeners = new Set<(event: GuestEvent) => void>()
  readonly #muted = new Map<string, readonly Change[]>()
  readonly #stops = new Map<string, () => void>()
  readonly #rebootedAtMs = new Map<string, number>()

  constructor(clock: Clock, log: Log) {
    this.#clock = clock
    this.#log = log
  }

  listen(listener: (event: GuestEvent) => void): () => void {
    const own = (event: GuestEvent) => listener(event)
    this.#listeners.add(own)
    return () => this.#listeners.delete(own)
  }

  /** The news in an event of libvirt's, or null. */
  news(event: DomainEvent): Change | null {
    const { uuid } = event.domain
    if (event.kind === 'lifecycle' && event.event === DomainEventType.stopped) this.#stops.get(uuid)?.()
    const change = changeOf(event)
    if (change === null || this.#muted.get(uuid)?.includes(change)) return null
    if (change !== 'rebooted') return change
    const nowMs = this.#clock.now()
    if (nowMs - (this.#rebootedAtMs.get(uuid) ?? -Infinity) < sameRebootMs) return null
    this.#rebootedAtMs.set(uuid, nowMs)
    return change
  }

  tell(uuid: string, change: Change): void {
    for (const listener of [...this.#listeners]) {
      try {
        listener({ uuid, change })
      } catch (error) {
        this.#log.error({ err: error, uuid, change }, `a listener failed: ${messageOf(error)}`)
      }
    }
  }

  /** Keeps `changes` of a guest back while `work` goes on. */
  async quietly(uuid: string, changes: readonly Change[], work: () => Promise<void>): Promise<void> {
    this.#muted.set(uuid, changes)
    try {
      await work()
    } finally {
      this.#muted.delete(uuid)
    }
  }

  /** Hands `work` a promise that resolves when the guest stops. */
  async watchingStop<T>(uuid: string, work: (stopped: Promise<void>) => Promise<T>): Promise<T> {
    const { promise, resolve } = Promise.withResolvers<void>()
    this.#stops.set(uuid, resolve)
    try {
      return await work(promise)
    } finally {
      this.#stops.delete(uuid)
    }
  }

  forget(uuid: string): void {
    this.#rebootedAtMs.delete(uuid)
  }
}
