/** Times that requests name, as the database writes them. */
import { timeText } from '../../base/clock.ts'
import { wrongQuery } from './wrong-query.ts'

/** An ISO 8601 time of a filter, UTC unless it says otherwise. @throws {CloudError} `invalid`. */
export function filterTime(name: string, text: string | undefined): string | undefined {
  if (text === undefined) return undefined
  const ms = Date.parse(/(z|[+-]\d\d:?\d\d)$/i.test(text) ? text : `${text}Z`)
  if (Number.isNaN(ms)) throw wrongQuery(name, text, "is not a 'date-time'")
  return timeText(ms)
}

/** Milliseconds since the epoch of `2026-01-02T03:04:05`, with a fraction or a space between if wanted; `null` for another form. */
export function plainTime(text: string): number | null {
  const found = /^(\d{4}-\d\d-\d\d)[T ](\d\d:\d\d:\d\d)(\.\d{1,6})?$/.exec(text)
  if (!found) return null
  const ms = Date.parse(`${found[1]}T${found[2]}${(found[3] ?? '').slice(0, 4)}Z`)
  return Number.isNaN(ms) ? null : ms
}
