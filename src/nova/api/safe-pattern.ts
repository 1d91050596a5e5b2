/**
 * A client's regular expression, made harmless: plain text is matched by the database, a pattern by a machine that goes once
 * over the text with all ways to match at the same time. It never goes back, so no pattern makes it slow, and what all texts
 * of one list may cost has a bound.
 *
 * @see https://swtch.com/~rsc/regexp/regexp1.html
 */
import { invalid } from '../../base/errors.ts'
import { type Instruction, isPattern, programOf } from './pattern-program.ts'
import { wrongQuery } from './wrong-query.ts'

const maxLength = 255
const special = /[\\^$.*+?()[\]{}|]/
/** Instructions that one pattern may take for all the texts it is asked about: some hundred milliseconds. */
const defaultSteps = 50_000_000

export class SafePattern {
  /** The text to look for, when the pattern is no more than that. */
  readonly literal: string | null
  readonly #program: readonly Instruction[]
  #stepsLeft: number

  /**
   * @param parameter where the client wrote it.
   * @throws {CloudError} `invalid` for a pattern that does not compile, or that asks for what cannot be had in one go.
   */
  constructor(source: string, { steps = defaultSteps, parameter = 'name' } = {}) {
    if (source.length > maxLength) throw invalid(`Invalid regular expression: longer than ${maxLength} characters.`)
    this.#stepsLeft = steps
    this.literal = special.test(source) ? null : source
    if (this.literal === null && !isPattern(source)) throw wrongQuery(parameter, source, "is not a 'regex'")
    this.#program = this.literal === null ? programOf(source) : []
  }

  /** @throws {CloudError} `invalid` when the pattern has become too costly. */
  test(text: string): boolean {
    if (this.literal !== null) return text.toLowerCase().includes(this.literal.toLowerCase())
    return this.#run(text)
  }

  #run(text: string): boolean {
    const program = this.#program
    // At which place of the text an instruction was last reached: each counts once a place.
    const seen = new Int32Array(program.length).fill(-1)
    let current: number[] = []
    let next: number[] = []
    const reach = (into: number[], from: number, at: number): boolean => {
      const open = [from]
      for (let index = open.pop(); index !== undefined; index = open.pop()) {
        if (seen[index] === at) continue
        seen[index] = at
        this.#stepsLeft -= 1
        const instruction = program[index]!
        if (instruction.op === 'match') return true
        if (instruction.op === 'unit') into.push(index)
        else if (instruction.op === 'fork') open.push(...instruction.to)
        else if (instruction.op === 'start' ? at === 0 : at === text.length) open.push(index + 1)
      }
      return false
    }
    for (let at = 0; at <= text.length; at++) {
      // Those that came over from the place before are in `current` already; another attempt begins here.
      if (reach(current, 0, at)) return true
      if (this.#stepsLeft < 0) throw invalid('The regular expression is too costly here: ask for less of it, or for fewer servers.')
      if (at === text.length) return false
      const unit = text.charCodeAt(at)
      for (const index of current) {
        const instruction = program[index]!
        this.#stepsLeft -= 1
        if (instruction.op === 'unit' && instruction.matches(unit) && reach(next, index + 1, at + 1)) return true
      }
      ;[current, next] = [next, current]
      next.length = 0
    }
    return false
  }
}
