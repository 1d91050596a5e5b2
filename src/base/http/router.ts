/**
 * From method, path and version to an operation: a tree of path segments, built once a service. A literal segment wins
 * over a parameter.
 */

import { type Version, version } from './microversion.ts'
import type { AnyOperation, Method } from './operation.ts'

export type Windowed = { operation: AnyOperation; since: Version; until: Version; status: (at: Version) => number; id: string }

type Node = {
  literals: Map<string, Node>
  parameter: Node | null
  rest: Node | null
  methods: Map<Method, { entries: Windowed[]; names: string[] }>
}

const newNode = (): Node => ({ literals: new Map(), parameter: null, rest: null, methods: new Map() })

export type Found = { entries: Windowed[]; params: Record<string, string> }

/** `POST /servers/{server_id}/action#pause`: how an operation is named in metrics, logs and the coverage test. */
export const operationId = ({ method, path, action }: AnyOperation): string =>
  `${method} ${path}${action === undefined ? '' : `#${action}`}`

function statusBy({ status }: AnyOperation): (at: Version) => number {
  if (typeof status === 'number') return () => status
  const steps = Object.entries(status)
    .map(([since, code]) => ({ since: version(since), code }))
    .sort((a, b) => b.since - a.since)
  return (at) => (steps.find(({ since }) => since <= at) ?? steps.at(-1))?.code ?? 200
}

export class Router {
  readonly #root = newNode()

  constructor(operations: readonly AnyOperation[]) {
    for (const operation of operations) this.#add(operation)
  }

  #add(operation: AnyOperation): void {
    const names: string[] = []
    let node = this.#root
    for (const segment of operation.path.split('/').filter((part) => part !== '')) {
      const parameter = /^\{(\*?)([a-z_]+)\}$/.exec(segment)
      if (!parameter) {
        const next = node.literals.get(segment) ?? newNode()
        node.literals.set(segment, next)
        node = next
      } else {
        names.push(parameter[2] ?? '')
        if (parameter[1] === '*') {
          node.rest ??= newNode()
          node = node.rest
        } else {
          node.parameter ??= newNode()
          node = node.parameter
        }
      }
    }
    const entry: Windowed = {
      operation,
      since: operation.since === undefined ? 0 : version(operation.since),
      until: operation.until === undefined ? Number.MAX_SAFE_INTEGER : version(operation.until),
      status: statusBy(operation),
      id: operationId(operation),
    }
    const at = node.methods.get(operation.method)
    const overlap = at?.entries.find(
      (other) => other.operation.action === operation.action && other.since <= entry.until && entry.since <= other.until,
    )
    if (overlap) throw new Error(`two operations answer ${entry.id} in the same versions`)
    if (at) at.entries.push(entry)
    else node.methods.set(operation.method, { entries: [entry], names })
  }

  /** The operations of a method and path; `wrong-method` for a path that only others have, `null` for an unknown one. */
  match(method: Method, path: string): Found | 'wrong-method' | null {
    const segments = segmentsOf(path)
    const found =
      walk(this.#root, segments, 0, [], (node) => node.methods.has(method)) ??
      (method === 'HEAD' ? walk(this.#root, segments, 0, [], (node) => node.methods.has('GET')) : null)
    if (!found) return walk(this.#root, segments, 0, [], hasMethods) ? 'wrong-method' : null
    const at = found.node.methods.get(method) ?? found.node.methods.get('GET')
    if (!at) return 'wrong-method'
    const params: Record<string, string> = {}
    for (const [i, name] of at.names.entries()) params[name] = found.values[i] ?? ''
    return { entries: at.entries, params }
  }

  /** The methods that a path answers, sorted: what `Allow` says. */
  methods(path: string): string[] {
    const found = walk(this.#root, segmentsOf(path), 0, [], hasMethods)
    const all = new Set<string>(found?.node.methods.keys())
    if (all.has('GET')) all.add('HEAD')
    return [...all].sort()
  }

  /** Whether the tree has this first segment, to tell `/servers` from `/<project id>/servers`. */
  knows(segment: string): boolean {
    return this.#root.literals.has(segment)
  }
}

const segmentsOf = (path: string): string[] => path.split('/').filter((part) => part !== '')
const hasMethods = (node: Node): boolean => node.methods.size > 0

type Reached = { node: Node; values: string[] }

/** The first node, literals before parameters before the rest, that answers. */
function walk(node: Node, segments: string[], at: number, values: string[], answers: (node: Node) => boolean): Reached | null {
  if (at === segments.length) return answers(node) ? { node, values } : null
  const segment = segments[at]!
  const literal = node.literals.get(segment)
  const direct = literal ? walk(literal, segments, at + 1, values, answers) : null
  if (direct) return direct
  if (node.parameter) {
    const value = decode(segment)
    const found = value === null ? null : walk(node.parameter, segments, at + 1, [...values, value], answers)
    if (found) return found
  }
  if (node.rest && answers(node.rest)) {
    const value = decode(segments.slice(at).join('/'))
    if (value !== null) return { node: node.rest, values: [...values, value] }
  }
  return null
}

function decode(segment: string): string | null {
  try {
    return decodeURIComponent(segment)
  } catch {
    return null
  }
}
