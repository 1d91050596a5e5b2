import { describe, expect, it } from 'vitest'
import { manualClock } from '../base/clock.ts'
import { type Attempt, Throttle } from './throttle.ts'

const fails = async (made: Promise<Attempt | null>): Promise<void> => {
  const attempt = await made
  expect(attempt).not.toBeNull()
  attempt?.failed()
}

describe('the throttle', () => {
  it('lets the first few through at once, then makes each wait longer than the last, then refuses', async () => {
    const clock = manualClock(0)
    const throttle = new Throttle(clock, { limit: 2 })
    for (let i = 0; i < 3; i++) await fails(throttle.attempt('u', 'a'))
    const passedAt: number[] = []
    const waiting: Promise<unknown>[] = []
    let refused = 0
    for (let i = 0; i < 20; i++)
      waiting.push(
        throttle.attempt('u', 'a').then((attempt) => {
          if (attempt) passedAt.push(clock.now())
          else refused++
          attempt?.failed()
        }),
      )
    for (let second = 0; second < 20; second++) await clock.advance('1 s')
    await Promise.all(waiting)
    expect(passedAt[0]).toBeGreaterThan(0)
    const gaps = passedAt.slice(1).map((at, i) => at - passedAt[i]!)
    expect(gaps.every((gap, i) => i === 0 || gap >= gaps[i - 1]!)).toBe(true)
    expect(passedAt.at(-1)).toBeLessThanOrEqual(20_000)
    expect(refused).toBe(20 - passedAt.length)
    expect(refused).toBeGreaterThan(10)
  })
  it('lets as many guesses run at the same time as may fail, and the rest wait for their outcome', async () => {
    const clock = manualClock(0)
    const throttle = new Throttle(clock, { limit: 3 })
    const running: Attempt[] = []
    for (let i = 0; i < 50; i++) void throttle.attempt('u', 'a').then((attempt) => attempt && running.push(attempt))
    await clock.advance(0)
    expect(running).toHaveLength(3)
    for (const attempt of running.splice(0)) attempt.failed()
    await clock.advance(0)
    expect(running).toHaveLength(1)
  })
  it('lets many clients of one user in at once', async () => {
    const clock = manualClock(0)
    const throttle = new Throttle(clock, { limit: 5 })
    let through = 0
    const clients = Array.from({ length: 60 }, async () => {
      const attempt = await throttle.attempt('u', 'a')
      await Promise.resolve()
      attempt?.succeeded()
      if (attempt) through++
    })
    await Promise.all(clients)
    expect([through, clock.now()]).toEqual([60, 0])
  })
  it('forgets after success and after a while, and keeps other users and addresses apart', async () => {
    const clock = manualClock(0)
    const throttle = new Throttle(clock, { limit: 1 })
    const isImmediate = async (user: string, address: string) => {
      let done = false
      void throttle.attempt(user, address).then((attempt) => {
        done = true
        attempt?.failed()
      })
      await clock.advance(0)
      return done
    }
    expect(await isImmediate('u', 'a')).toBe(true)
    expect(await isImmediate('u', 'a')).toBe(true)
    expect(await isImmediate('u', 'a')).toBe(false)
    expect(await isImmediate('u', 'b')).toBe(true)
    expect(await isImmediate('v', 'a')).toBe(true)
    await clock.advance('6 min')
    expect(await isImmediate('u', 'a')).toBe(true)
    const attempt = await throttle.attempt('w', 'c')
    attempt?.succeeded()
    expect(await isImmediate('w', 'c')).toBe(true)
    expect(await isImmediate('w', 'c')).toBe(true)
  })
})
