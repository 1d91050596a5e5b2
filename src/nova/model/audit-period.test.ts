import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { auditPeriod, lastPeriod } from './audit-period.ts'

const shown = (at: string, text: string) => {
  const { beginning, ending } = lastPeriod(Date.parse(at), text)
  return [beginning, ending].map((ms) => new Date(ms).toISOString().slice(0, 16))
}

describe('the last period', () => {
  it.each([
    ['2031-05-17T12:30:00Z', 'month', '2031-04-01T00:00', '2031-05-01T00:00'],
    ['2031-05-17T12:30:00Z', 'month@15', '2031-04-15T00:00', '2031-05-15T00:00'],
    ['2031-05-14T12:30:00Z', 'month@15', '2031-03-15T00:00', '2031-04-15T00:00'],
    ['2031-03-30T12:30:00Z', 'month@31', '2031-01-31T00:00', '2031-02-28T00:00'],
    ['2031-01-01T00:00:00Z', 'year', '2029-01-01T00:00', '2030-01-01T00:00'],
    ['2031-05-17T12:30:00Z', 'year@6', '2029-06-01T00:00', '2030-06-01T00:00'],
    ['2031-05-17T12:30:00Z', 'day@18', '2031-05-15T18:00', '2031-05-16T18:00'],
    ['2031-05-17T12:30:00Z', 'hour', '2031-05-17T11:00', '2031-05-17T12:00'],
    ['2031-05-17T00:10:00Z', 'hour@20', '2031-05-16T22:20', '2031-05-16T23:20'],
  ])('at %s by %s is %s to %s', (at, text, beginning, ending) => {
    expect(shown(at, text)).toEqual([beginning, ending])
  })

  it('is over, is not empty, and is followed by the next one', () => {
    const unit = fc.constantFrom('hour', 'hour@59', 'day', 'day@23', 'month', 'month@31', 'year', 'year@12')
    fc.assert(
      fc.property(fc.date({ min: new Date('1990-01-01'), max: new Date('2100-01-01'), noInvalidDate: true }), unit, (date, text) => {
        const { beginning, ending } = lastPeriod(date.getTime(), text)
        expect([beginning < ending, ending < date.getTime()]).toEqual([true, true])
        expect(lastPeriod(ending, text).ending).toBe(beginning)
        expect(lastPeriod(ending + 1, text)).toEqual({ beginning, ending })
      }),
    )
  })

  it.each(['week', 'month@0', 'month@32', 'day@24', 'year@', '', 'hour@-1'])('cannot be of "%s"', (text) => {
    expect(() => auditPeriod(text)).toThrow('expected')
  })
})
