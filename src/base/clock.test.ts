import { describe, expect, it } from 'vitest'
import { isoMicros, isoMicrosZ, isoSeconds, type ManualClock, manualClock, systemClock, timeOf, timeText } from './clock.ts'

describe('the manual clock', () => {
  it('fires what falls due in the order of the times, and of the calls among equals', async () => {
    const clock = manualClock(0)
    const fired: string[] = []
    clock.after(300, () => fired.push(`c${clock.now()}`))
    clock.after(100, () => fired.push(`a${clock.now()}`))
    clock.after(100, () => fired.push(`b${clock.now()}`))
    clock.after(301, () => fired.push('too late'))
    await clock.advance(300)
    expect(fired).toEqual(['a100', 'b100', 'c300'])
    expect(clock.now()).toBe(300)
  })

  it('fires timers that a fired timer, or a promise behind it, has set', async () => {
    const clock = manualClock(0)
    const fired: number[] = []
    const again = (): void => {
      fired.push(clock.now())
      if (fired.length < 3) clock.after(10, again)
    }
    clock.after(10, again)
    const slept = (async () => {
      await clock.sleep(5)
      await clock.sleep(5)
      return clock.now()
    })()
    await clock.advance('1 s')
    expect(fired).toEqual([10, 20, 30])
    expect(await slept).toBe(10)
  })

  it('does not fire what was cancelled', async () => {
    const clock = manualClock()
    let fired = 0
    const timer = clock.after(10, () => fired++)
    clock.after(5, () => timer.cancel())
    await clock.advance(20)
    expect(fired).toBe(0)
  })

  it.each([
    ['30 s', 30_000],
    ['5min', 300_000],
    ['1.5 h', 5_400_000],
    ['2 d', 172_800_000],
    [7, 7],
  ])('moves by %s', async (by, ms) => {
    const clock = manualClock(0)
    await clock.advance(by)
    expect(clock.now()).toBe(ms)
  })

  it('refuses what is no duration', async () => {
    await expect(manualClock().advance('soon')).rejects.toThrow(RangeError)
  })
})

describe.each([
  ['manual', () => manualClock()],
  ['system', () => systemClock()],
])('sleep on the %s clock', (_name, make) => {
  it('ends with the reason of the signal, before and during', async () => {
    const clock = make()
    await expect(clock.sleep(60_000, AbortSignal.abort(new Error('gone')))).rejects.toThrow('gone')
    const controller = new AbortController()
    const sleeping = clock.sleep(60_000, controller.signal)
    controller.abort(new Error('enough'))
    await expect(sleeping).rejects.toThrow('enough')
  })

  it('is not disturbed by an abort after its end', async () => {
    const clock = make()
    const controller = new AbortController()
    const sleeping = clock.sleep(0, controller.signal)
    if ('advance' in clock) await (clock as ManualClock).advance(1)
    await sleeping
    controller.abort(new Error('late'))
    await expect(sleeping).resolves.toBeUndefined()
  })
})

describe('times as texts', () => {
  const text = '2026-01-02 03:04:05.678000'
  it('go there and back, and sort as times do', () => {
    expect(timeText(Date.UTC(2026, 0, 2, 3, 4, 5, 678))).toBe(text)
    expect(timeOf(text)).toBe(Date.UTC(2026, 0, 2, 3, 4, 5, 678))
    expect(timeText(1e12) < timeText(1e12 + 1)).toBe(true)
  })
  it('have the forms of the wire', () => {
    expect([isoSeconds(text), isoMicros(text), isoMicrosZ(text)]).toEqual([
      '2026-01-02T03:04:05Z',
      '2026-01-02T03:04:05.678000',
      '2026-01-02T03:04:05.678000Z',
    ])
  })
})
