import { describe, expect, it } from 'vitest'
import { manualClock } from '../base/clock.ts'
import { Throttle } from './throttle.ts'

describe('the throttle', () => {
  it('lets the first few through at once, then makes each wait longer than the last, then refuses', async () => {
    const clock = manualClock(0)
    const throttle = new Throttle(clock, { limit: 2 })
    for (let i = 0; i < 3; i++) expect(await throttle.attempt('u', 'a')).not.toBeNull()
    const passedAt: number[] = []
    const waiting: Promise<unknown>[] = []
    let refused = 0
    for (let i = 0; i < 20; i++)
      waiting.push(throttle.attempt('u', 'a').then((attempt) => (attempt ? passedAt.push(clock.now()) : refused++)))
    for (let second = 0; second < 20; second++) await clock.advance('1 s')
    await Promise.all(waiting)
    expect(passedAt[0]).toBeGreaterThan(0)
    const gaps = passedAt.slice(1).map((at, i) => at - passedAt[i]!)
    expect(gaps.every((gap, i) => i === 0 || gap >= gaps[i - 1]!)).toBe(true)
    expect(passedAt.at(-1)).toBeLessThanOrEqual(10_000)
    expect(refused).toBe(20 - passedAt.length)
    expect(refused).toBeGreaterThan(10)
  })
  it('counts attempts that run at the same time', async () => {
    const clock = manualClock(0)
    const throttle = new Throttle(clock, { limit: 3 })
    let through = 0
    for (let i = 0; i < 50; i++)
      void throttle.attempt('u', 'a').then((attempt) => {
        if (attempt) through++
      })
    await clock.advance(0)
    expect(through).toBe(4)
  })
  it('forgets after success and after a while, and keeps other users and addresses apart', async () => {
    const clock = manualClock(0)
    const throttle = new Throttle(clock, { limit: 1 })
    const isImmediate = async (user: string, address: string) => {
      let done = false
      void throttle.attempt(user, address).then(() => {
        done = true
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
