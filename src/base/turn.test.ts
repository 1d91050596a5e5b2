import { describe, expect, it } from 'vitest'
import { turn } from './turn.ts'

/** Keeps the event loop for so long. */
const work = (ms: number) => {
  const until = performance.now() + ms
  while (performance.now() < until);
}

describe('turns of the event loop', () => {
  it('let others in between pieces of work that never wait', async () => {
    let ended = false
    let others = 0
    const other = () => {
      if (ended) return
      others += 1
      setImmediate(other)
    }
    setImmediate(other)
    const worker = async () => {
      for (let piece = 0; piece < 5; piece++) {
        await turn()
        work(2)
      }
    }
    await Promise.all([worker(), worker(), worker(), worker()])
    ended = true
    // 40 ms of work in slices of some four.
    expect(others).toBeGreaterThanOrEqual(5)
  })

  it('go first come, first served', async () => {
    const order: number[] = []
    await Promise.all(
      Array.from({ length: 20 }, async (_, n) => {
        await turn()
        work(1)
        order.push(n)
      }),
    )
    expect(order).toEqual(Array.from({ length: 20 }, (_, n) => n))
  })

  it('cost nothing while there is time', async () => {
    await new Promise((resolve) => setImmediate(resolve))
    expect(turn()).toBeUndefined()
    expect(turn()).toBeUndefined()
  })
})
