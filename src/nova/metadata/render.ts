/**
 * Trees of values and the paths into them: a map lists its keys, one a line and sorted, those of maps with a slash at the
 * end; a list has one item a line; texts and bytes are sent as they are. Nothing ends in a newline of ours.
 */
import { posix } from 'node:path'

export type Tree = string | number | Uint8Array | readonly string[] | TreeMap
/** `_name` stands for the map's own key in listings and is no path. */
export type TreeMap = { readonly [key: string]: Tree }

const isMap = (tree: Tree): tree is TreeMap => typeof tree === 'object' && !Array.isArray(tree) && !(tree instanceof Uint8Array)

export function render(tree: Tree): string | Uint8Array {
  if (tree instanceof Uint8Array) return tree
  if (Array.isArray(tree)) return tree.join('\n')
  if (!isMap(tree)) return String(tree)
  return Object.entries(tree)
    .filter(([key]) => key !== '_name')
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([key, value]) => (isMap(value) ? String(value._name ?? `${key}/`) : key))
    .join('\n')
}

/** What lies at the end of a path; null for nothing. */
export function find(tree: Tree, path: readonly string[]): Tree | null {
  let at = tree
  for (const key of path) {
    if (!isMap(at) || key === '_name' || !Object.hasOwn(at, key)) return null
    at = at[key]!
  }
  return at
}

/**
 * The segments of a request's target: decoded, without query, doubled or trailing slashes, and with dots followed.
 * Null for what is no path.
 */
export function segmentsOf(target: string): string[] | null {
  const path = target.replace(/^https?:\/\/[^/?#]*/i, '').split(/[?#]/, 1)[0] ?? ''
  let decoded: string
  try {
    decoded = decodeURIComponent(path)
  } catch {
    return null
  }
  return posix
    .normalize(`/${decoded}`)
    .split('/')
    .filter((segment) => segment !== '')
}
