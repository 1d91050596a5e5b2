/**
 * Proof of life: a ping after each silent interval; after `count` of them without any sign the connection counts as lost.
 *
 * @see https://libvirt.org/html/libvirt-libvirt-host.html#virConnectSetKeepAlive
 */
export type KeepAliveOptions = { intervalMs: number; count: number }

export class KeepAliveTimer {
  readonly #timer: NodeJS.Timeout
  #silent = 0
  #heard = true

  /** @param deaf says whether the connection doesn't listen just now: then silence proves nothing, and the pings only speak for us. */
  constructor(options: KeepAliveOptions, actions: { ping: () => void; lost: () => void; deaf: () => boolean }) {
    this.#timer = setInterval(() => {
      if (this.#heard || actions.deaf()) this.#silent = 0
      else this.#silent++
      this.#heard = false
      if (this.#silent >= options.count) {
        this.stop()
        actions.lost()
      } else actions.ping()
    }, options.intervalMs)
    this.#timer.unref()
  }

  /** Anything that arrives is a sign of life. */
  heard(): void {
    this.#heard = true
  }

  stop(): void {
    clearInterval(this.#timer)
  }
}
