/**
 * OpenStack's sample documents, and whether an answer has the shape of one: no key missing, none added, each value of the
 * sample's type. `null` on either side says nothing of the type.
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('../../../shared/openstack-api/compute-samples', import.meta.url))

/** Why the samples cannot be compared here, or undefined. */
export const samplesMissing: string | undefined = existsSync(root) ? undefined : 'the sample documents are not beside this project'

export type Sample = { folder: string /** The first microversion of this form. */; version: string; file: string; document: unknown }

/** Samples of a folder, those of each microversion that has some. */
export function samplesIn(folder: string): Sample[] {
  const read = (dir: string, version: string): Sample[] =>
    readdirSync(`${root}/${dir}`)
      .filter((name) => name.endsWith('.json'))
      .map((file) => ({ folder, version, file, document: JSON.parse(readFileSync(`${root}/${dir}/${file}`, 'utf8')) }))
  const versions = readdirSync(`${root}/${folder}`).filter((name) => /^v2\.\d+$/.test(name))
  return [...read(folder, '2.1'), ...versions.flatMap((name) => read(`${folder}/${name}`, name.slice(1)))]
}

export type ShapeOptions = {
  /** Names of objects whose keys are free, such as `metadata`: their values are compared with the sample's first one. */
  free?: readonly string[]
  /** Names of keys that may be there or not, such as `links` of a page. */
  optional?: readonly string[]
}

const kindOf = (value: unknown): string => (Array.isArray(value) ? 'array' : value === null ? 'null' : typeof value)

/** An item is like one of the sample's items. */
function leastDifferences(items: readonly unknown[], actual: unknown, options: ShapeOptions, path: string): string[] {
  const found = items.map((item) => shapeDifferences(item, actual, options, path))
  return found.reduce((least, one) => (one.length < least.length ? one : least), found[0] ?? [])
}

/** Differences, as `path: what`; none when the shapes are the same. */
export function shapeDifferences(sample: unknown, actual: unknown, options: ShapeOptions = {}, path = ''): string[] {
  const [wanted, found] = [kindOf(sample), kindOf(actual)]
  if (wanted === 'null' || found === 'null') return []
  if (wanted !== found) return [`${path || '/'}: ${found}, not ${wanted}`]
  if (wanted === 'array') {
    return (actual as unknown[]).flatMap((item, i) => leastDifferences(sample as unknown[], item, options, `${path}/${i}`))
  }
  if (wanted !== 'object') return []
  const [have, want] = [actual as Record<string, unknown>, sample as Record<string, unknown>]
  if (options.free?.includes(path.split('/').at(-1) ?? '')) {
    const [first] = Object.values(want)
    if (first === undefined) return []
    return Object.entries(have).flatMap(([key, value]) => shapeDifferences(first, value, options, `${path}/${key}`))
  }
  const isOptional = (key: string) => options.optional?.includes(key) ?? false
  const missing = Object.keys(want).filter((key) => !(key in have) && !isOptional(key))
  const added = Object.keys(have).filter((key) => !(key in want) && !isOptional(key))
  return [
    ...missing.map((key) => `${path}/${key}: missing`),
    ...added.map((key) => `${path}/${key}: added`),
    ...Object.keys(want)
      .filter((key) => key in have)
      .flatMap((key) => shapeDifferences(want[key], have[key], options, `${path}/${key}`)),
  ]
}
