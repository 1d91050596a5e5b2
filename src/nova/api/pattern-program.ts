/**
 * Regular expressions as programs: the language of JavaScript's, without what needs memory of the text (references,
 * looking around, word boundaries). Letters match in either case.
 */
import { invalid } from '../../base/errors.ts'

export type Instruction =
  /** One UTF-16 unit, then on to the next instruction. */
  | { readonly op: 'unit'; readonly matches: (unit: number) => boolean }
  | { readonly op: 'fork'; readonly to: readonly number[] }
  | { readonly op: 'start' | 'end' }
  | { readonly op: 'match' }

/** Counted repetitions are written out. */
const maxInstructions = 1000

type Node =
  | { is: 'unit'; source: string }
  | { is: 'start' | 'end' }
  | { is: 'row'; parts: Node[] }
  | { is: 'choice'; parts: Node[] }
  | { is: 'repeat'; part: Node; min: number; max: number }

export function isPattern(source: string): boolean {
  try {
    new RegExp(source, 'i')
    return true
  } catch {
    return false
  }
}

/** Of what is a pattern. @throws {CloudError} `invalid` for one that asks for more than can be had, or is too long when written out. */
export function programOf(source: string): Instruction[] {
  const node = new Reader(source).read()
  const program: Instruction[] = []
  write(node, program)
  program.push({ op: 'match' })
  return program
}

/** The syntax has been checked, so that it need not be here. */
class Reader {
  readonly #source: string
  #at = 0

  constructor(source: string) {
    this.#source = source
  }

  read(): Node {
    const parts = [this.#row()]
    while (this.#takes('|')) parts.push(this.#row())
    return parts.length === 1 ? parts[0]! : { is: 'choice', parts }
  }

  #takes(text: string): boolean {
    if (!this.#source.startsWith(text, this.#at)) return false
    this.#at += text.length
    return true
  }

  #match(pattern: RegExp): string | null {
    pattern.lastIndex = this.#at
    const found = pattern.exec(this.#source)?.[0] ?? null
    if (found !== null) this.#at += found.length
    return found
  }

  #row(): Node {
    const parts: Node[] = []
    while (this.#at < this.#source.length && !/[|)]/.test(this.#source[this.#at]!)) parts.push(this.#repeated(this.#one()))
    return { is: 'row', parts }
  }

  #repeated(part: Node): Node {
    const sign = this.#match(/[*+?]|\{\d+(,\d*)?\}/y)
    if (sign === null) return part
    this.#takes('?') // a lazy one matches the same texts
    if (sign === '*') return { is: 'repeat', part, min: 0, max: Number.POSITIVE_INFINITY }
    if (sign === '+') return { is: 'repeat', part, min: 1, max: Number.POSITIVE_INFINITY }
    if (sign === '?') return { is: 'repeat', part, min: 0, max: 1 }
    const [min = '', max] = sign.slice(1, -1).split(',')
    return {
      is: 'repeat',
      part,
      min: Number(min),
      max: max === undefined ? Number(min) : max === '' ? Number.POSITIVE_INFINITY : Number(max),
    }
  }

  #one(): Node {
    if (this.#takes('^')) return { is: 'start' }
    if (this.#takes('$')) return { is: 'end' }
    if (this.#takes('(')) {
      if (this.#match(/\?(?!:)/y) !== null) throw unsupported()
      this.#takes('?:')
      const inner = this.read()
      this.#takes(')')
      return inner
    }
    const set = this.#match(/\[(\\[\s\S]|[^\]\\])*\]/y)
    if (set !== null) return { is: 'unit', source: set }
    if (this.#match(/\\[1-9kbBpP]/y) !== null) throw unsupported()
    const escaped = this.#match(/\\(x[0-9a-f]{2}|u[0-9a-f]{4}|c[a-z]|[\s\S])/iy)
    if (escaped !== null) return { is: 'unit', source: escaped }
    const sign = this.#source[this.#at++] ?? ''
    return { is: 'unit', source: sign === '.' ? '.' : sign.replace(/[\]{}]/, '\\$&') }
  }
}

const unsupported = () => invalid('Invalid regular expression: references, looking around and word boundaries are not supported.')

function write(node: Node, program: Instruction[]): void {
  if (program.length > maxInstructions) throw invalid('Invalid regular expression: it is too long when its repetitions are written out.')
  switch (node.is) {
    case 'unit':
      program.push({ op: 'unit', matches: unitMatcher(node.source) })
      return
    case 'start':
    case 'end':
      program.push({ op: node.is })
      return
    case 'row':
      for (const part of node.parts) write(part, program)
      return
    case 'choice':
      writeChoice(node.parts, program)
      return
    case 'repeat':
      writeRepeat(node, program)
  }
}

/** A fork whose ways are known only when what follows is written. */
function fork(program: Instruction[]): (...to: number[]) => void {
  const at = program.length
  program.push({ op: 'fork', to: [] })
  return (...to) => {
    program[at] = { op: 'fork', to }
  }
}

function writeChoice(parts: readonly Node[], program: Instruction[]): void {
  const choose = fork(program)
  const beginnings: number[] = []
  const leave = parts.map((part) => {
    beginnings.push(program.length)
    write(part, program)
    return fork(program)
  })
  choose(...beginnings)
  for (const go of leave) go(program.length)
}

function writeRepeat({ part, min, max }: Node & { is: 'repeat' }, program: Instruction[]): void {
  for (let count = 0, written = -1; count < min && program.length > written; count++) {
    written = program.length
    write(part, program) // nothing at all is the same however often
  }
  if (max === Number.POSITIVE_INFINITY) {
    const loop = program.length
    const again = fork(program)
    write(part, program)
    fork(program)(loop)
    again(loop + 1, program.length)
    return
  }
  const skips = Array.from({ length: Math.max(0, Math.min(max - min, maxInstructions)) }, () => {
    const at = program.length + 1
    const skip = fork(program)
    write(part, program)
    return (end: number) => skip(at, end)
  })
  for (const skip of skips) skip(program.length)
}

/** Asked of each unit once. */
function unitMatcher(source: string): (unit: number) => boolean {
  const regex = new RegExp(`^(?:${source})$`, 'i')
  const known = new Map<number, boolean>()
  return (unit) => {
    let answer = known.get(unit)
    if (answer === undefined) {
      answer = regex.test(String.fromCharCode(unit))
      known.set(unit, answer)
    }
    return answer
  }
}
