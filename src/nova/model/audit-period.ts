/**
 * Periods whose usage is audited: `hour`, `day`, `month` or `year`, or one with where it begins, as in `month@15`: a minute of
 * the hour, an hour of the day, a day of the month, a month of the year. UTC.
 *
 * @see https://docs.openstack.org/nova/latest/configuration/config.html#DEFAULT.instance_usage_audit_period
 */

/** Both in milliseconds since the epoch. */
export type Period = { beginning: number; ending: number }

const bounds = { hour: [0, 59], day: [0, 23], month: [1, 31], year: [1, 12] } as const
type Unit = keyof typeof bounds

/** @throws {Error} for what is no period. */
function parsed(text: string): { unit: Unit; offset: number } {
  const [, word = '', given] = /^(hour|day|month|year)(?:@(\d{1,2}))?$/.exec(text) ?? []
  if (word === '') throw new Error(`expected hour, day, month or year, or one with an offset such as month@15, got "${text}"`)
  const unit = word as Unit
  const [least, most] = bounds[unit]
  const offset = given === undefined ? least : Number(given)
  if (offset < least || offset > most) throw new Error(`expected an offset from ${least} to ${most} of the ${unit}, got "${text}"`)
  return { unit, offset }
}

/** The text itself, if it is a period. @throws {Error} */
export function auditPeriod(text: string): string {
  parsed(text)
  return text
}

/** When the period begins that is `back` periods before the one that a time's calendar says. */
function beginningOf(at: Date, unit: Unit, offset: number, back: number): number {
  const [year, month, day, hour] = [at.getUTCFullYear(), at.getUTCMonth(), at.getUTCDate(), at.getUTCHours()]
  if (unit === 'hour') return Date.UTC(year, month, day, hour - back, offset)
  if (unit === 'day') return Date.UTC(year, month, day - back, offset)
  if (unit === 'year') return Date.UTC(year - back, offset - 1)
  // A month that is too short has its last day for it.
  const days = new Date(Date.UTC(year, month - back + 1, 0)).getUTCDate()
  return Date.UTC(year, month - back, Math.min(offset, days))
}

/** The last period that was over before a time, in milliseconds since the epoch. @throws {Error} for what is no period. */
export function lastPeriod(at: number, text: string): Period {
  const { unit, offset } = parsed(text)
  const date = new Date(at)
  const back = beginningOf(date, unit, offset, 0) >= at ? 1 : 0
  return { beginning: beginningOf(date, unit, offset, back + 1), ending: beginningOf(date, unit, offset, back) }
}
