/**
 * Fair turns of the event loop. Work that never waits for anything outside (a saga whose steps are all in process, requests
 * that came together) would run in one go, and sockets and timers wait for all of it; so each piece asks first whether it is its turn.
 *
 * @see https://nodejs.org/en/learn/asynchronous-work/event-loop-timers-and-nexttick
 */

/** How long pieces of work may follow each other before everything else is let in. */
const sliceMs = 4

/** When the first piece of this turn of the loop asked; null before. */
let begunAt: number | null = null
const waiting: (() => void)[] = []

/** Undefined when the caller may go on at once, which costs no promise; else resolves in a later turn of the loop, first come first served. */
export function turn(): Promise<void> | undefined {
  if (begunAt === null) {
    begin()
    return undefined
  }
  if (waiting.length === 0 && performance.now() - begunAt < sliceMs) return undefined
  return new Promise((resolve) => waiting.push(resolve))
}

function begin(): void {
  begunAt = performance.now()
  setImmediate(end)
}

function end(): void {
  begunAt = null
  const first = waiting.shift()
  if (first === undefined) return
  begin()
  first()
}
