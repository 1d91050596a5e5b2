/**
 * Queries of the `query` hint: lists such as `["and", [">=", "$free_ram_mb", 1024], ["in", "$hypervisor_type", "QEMU", "KVM"]]`,
 * where `$name.part` stands for what a host says of itself. They are data, walked with a bound on size and depth.
 *
 * @see https://docs.openstack.org/nova/latest/admin/scheduling.html#jsonfilter
 */
import { factAt } from './host-state.ts'

const maxDepth = 16
const maxItems = 256
const maxText = 16_384

export type HostQuery = (facts: Record<string, unknown>) => boolean

class BadQuery extends Error {}

const comparable = (a: unknown, b: unknown): boolean => typeof a === typeof b && (typeof a === 'number' || typeof a === 'string')
type Scalar = string | number

const operators = new Map<string, (first: unknown, other: unknown) => boolean>([
  ['=', (a, b) => a === b],
  ['<', (a, b) => comparable(a, b) && (a as Scalar) < (b as Scalar)],
  ['>', (a, b) => comparable(a, b) && (a as Scalar) > (b as Scalar)],
  ['<=', (a, b) => comparable(a, b) && (a as Scalar) <= (b as Scalar)],
  ['>=', (a, b) => comparable(a, b) && (a as Scalar) >= (b as Scalar)],
])

/** `null` when there is nothing to ask. @throws {Error} for what is no query, saying why. */
export function parseQuery(hint: unknown): HostQuery | null {
  if (hint === undefined || hint === null || hint === '') return null
  const tree = typeof hint === 'string' ? read(hint) : hint
  if (Array.isArray(tree) && tree.length === 0) return null
  let items = 0
  const evaluate = (part: unknown, facts: Record<string, unknown>, depth: number): unknown => {
    items += 1
    if (depth > maxDepth || items > maxItems) throw new BadQuery('it is too large')
    if (typeof part === 'string') return part.startsWith('$') ? factAt(facts, part.slice(1).split('.')) : part
    if (!Array.isArray(part)) return part
    const [operator, ...rest] = part as unknown[]
    const values = rest.map((one) => evaluate(one, facts, depth + 1))
    if (operator === 'and') return values.every(Boolean)
    if (operator === 'or') return values.some(Boolean)
    if (operator === 'not') return values.some((value) => !value)
    if (values.length < 2) return false
    const [first, ...others] = values
    if (operator === 'in') return others.flat().includes(first)
    const compare = operators.get(String(operator))
    if (!compare) throw new BadQuery(`it has the unknown operator ${String(operator).slice(0, 32)}`)
    return others.every((other) => compare(first, other))
  }
  return (facts) => {
    items = 0
    return Boolean(evaluate(tree, facts, 0))
  }
}

function read(text: string): unknown {
  if (text.length > maxText) throw new BadQuery('it is too large')
  try {
    return JSON.parse(text)
  } catch {
    throw new BadQuery('it is no JSON')
  }
}
