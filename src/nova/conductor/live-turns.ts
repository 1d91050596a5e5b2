/** Who may leave a host: so many guests at a time are copied away from it, the others wait in the order they came. */
export class LiveTurns {
  readonly #hosts = new Map<string, { running: number; waiting: Set<() => void> }>()

  /**
   * Waits for a turn; `limit` 0 is none to wait for. Returns the call that ends the turn.
   * @throws the signal's reason when it fires first; then there is no turn.
   */
  async take(host: string, limit: number, signal: AbortSignal): Promise<() => void> {
    signal.throwIfAborted()
    const line = this.#hosts.get(host) ?? { running: 0, waiting: new Set() }
    this.#hosts.set(host, line)
    // Who ends hands its place to the next in line; only an empty line frees it.
    if (limit === 0 || line.running < limit) line.running += 1
    else await this.#wait(line.waiting, signal)
    return () => {
      const [next] = line.waiting
      if (next) next()
      else line.running -= 1
    }
  }

  async #wait(waiting: Set<() => void>, signal: AbortSignal): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      const leave = () => {
        waiting.delete(go)
        signal.removeEventListener('abort', stop)
      }
      const go = () => {
        leave()
        resolve()
      }
      const stop = () => {
        leave()
        reject(signal.reason)
      }
      waiting.add(go)
      signal.addEventListener('abort', stop, { once: true })
    })
  }
}
