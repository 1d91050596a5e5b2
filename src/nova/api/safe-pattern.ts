/**
 * A client's regular expression, made harmless: plain text is matched by the database, a pattern is compiled only if it
 * cannot run away (no repetition of what repeats, no backreference, bounded length).
 */
import { invalid } from '../../base/errors.ts'

const maxLength = 255
const special = /[\\^$.*+?()[\]{}|]/

export class SafePattern {
  /** The text to look for, when the pattern is no more than that. */
  readonly literal: string | null
  readonly #regex: RegExp | null

  /** @throws {CloudError} `invalid` for a pattern that does not compile or could run for ever. */
  constructor(source: string) {
    if (source.length > maxLength) throw invalid(`Invalid regular expression: longer than ${maxLength} characters.`)
    this.literal = special.test(source) ? null : source
    if (this.literal !== null) {
      this.#regex = null
      return
    }
    if (mayRunAway(source)) throw invalid(`Invalid regular expression: nested repetition and backreferences are not supported.`)
    try {
      this.#regex = new RegExp(source, 'i')
    } catch (error) {
      throw invalid('Invalid regular expression.', { cause: error })
    }
  }

  test(text: string): boolean {
    return this.#regex ? this.#regex.test(text) : text.toLowerCase().includes((this.literal ?? '').toLowerCase())
  }
}

/** A repeated group that holds a repetition or an alternation, a backreference, or many open repetitions in a row. */
function mayRunAway(source: string): boolean {
  if (/\\[1-9k]/.test(source)) return true
  const bare = source.replace(/\\./g, 'x').replace(/\[[^\]]*\]/g, 'c')
  if ((bare.match(/[*+]|\{\d*,\d*\}/g) ?? []).length > 3) return true
  const groups: { repeats: boolean }[] = []
  for (let i = 0; i < bare.length; i += 1) {
    const sign = bare[i] ?? ''
    if (sign === '(') groups.push({ repeats: false })
    else if (sign === ')') {
      const group = groups.pop()
      if (group?.repeats && /[*+?{]/.test(bare[i + 1] ?? '')) return true
      const outer = groups.at(-1)
      if (outer && group?.repeats) outer.repeats = true
    } else if (/[*+{|]/.test(sign)) {
      const group = groups.at(-1)
      if (group) group.repeats = true
    }
  }
  return false
}
