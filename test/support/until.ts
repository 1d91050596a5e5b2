/**
 * Looks again and again until there is something to see: anything but null, undefined, false, 0 and the empty text.
 * @throws {Error} after `withinMs`, naming what did not come.
 */
export async function until<T>(what: string | (() => string), look: () => T | Promise<T>, withinMs = 60_000): Promise<NonNullable<T>> {
  const deadline = performance.now() + withinMs
  for (;;) {
    const found = await look()
    if (found) return found
    if (performance.now() > deadline) throw new Error(`not within ${withinMs} ms: ${typeof what === 'string' ? what : what()}`)
    await new Promise((resolve) => setTimeout(resolve, everyMs))
  }
}

const everyMs = 20
