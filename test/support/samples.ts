/**
 * OpenStack's sample documents, and whether an answer has the shape of one: no key missing, none added, each value of the
 * sample's type. `null` on either side says nothing of the type.
 *
 * `sample-claims.json` says which test file exercises which samples. A test file that does less than it claims fails here;
 * what nobody claims is named by `compute-coverage.test.ts`. `SAMPLES_RECORD=1` has the claims of the files that run written anew.
 */
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { basename } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, expect } from 'vitest'

const root = fileURLToPath(new URL('../../../shared/openstack-api/compute-samples', import.meta.url))
const claimsFile = fileURLToPath(new URL('./sample-claims.json', import.meta.url))

/** Why the samples cannot be compared here, or undefined. */
export const samplesMissing: string | undefined = existsSync(root) ? undefined : 'the sample documents are not beside this project'

export type Sample = { folder: string /** The first microversion of this form. */; version: string; file: string; document: unknown }

/** `os-aggregates/aggregate-post-req.json 2.41`. */
export const sampleId = ({ folder, file, version }: Pick<Sample, 'folder' | 'file' | 'version'>): string => `${folder}/${file} ${version}`
/** An answer is exercised when it is compared, a request when it is read to be sent. */
const isAnswer = ({ file }: Pick<Sample, 'file'>): boolean =>
  /-resp|-res\.json$|with-changes|^migrations-|^simple-tenant|^host-get/.test(file)
const exercised = new Set<string>()
const idOf = new WeakMap<object, string>()

function readSample(dir: string, about: Pick<Sample, 'folder' | 'version' | 'file'>): Sample {
  const parsed: unknown = JSON.parse(readFileSync(`${root}/${dir}/${about.file}`, 'utf8'))
  if (typeof parsed === 'object' && parsed !== null) idOf.set(parsed, sampleId(about))
  return {
    ...about,
    get document() {
      if (!isAnswer(about)) exercised.add(sampleId(about))
      return parsed
    },
  }
}

/** Samples of a folder, those of each microversion that has some. */
export function samplesIn(folder: string): Sample[] {
  const read = (dir: string, version: string): Sample[] =>
    readdirSync(`${root}/${dir}`)
      .filter((name) => name.endsWith('.json'))
      .map((file) => readSample(dir, { folder, version, file }))
  const versions = readdirSync(`${root}/${folder}`).filter((name) => /^v2\.\d+$/.test(name))
  return [...read(folder, '2.1'), ...versions.flatMap((name) => read(`${folder}/${name}`, name.slice(1)))]
}

export const allSamples = (): Sample[] => (samplesMissing ? [] : readdirSync(root).flatMap(samplesIn))

/** Test file → the samples that it exercises. */
export const sampleClaims = (): Record<string, string[]> => (existsSync(claimsFile) ? JSON.parse(readFileSync(claimsFile, 'utf8')) : {})

/** Tests chosen by name are not all that a file has. */
const isPartial = (): boolean =>
  (globalThis as { __vitest_worker__?: { config?: { testNamePattern?: unknown } } }).__vitest_worker__?.config?.testNamePattern !==
  undefined

afterAll(() => {
  const test = basename(expect.getState().testPath ?? '')
  if (samplesMissing || isPartial()) return
  const claims = sampleClaims()
  if (process.env.SAMPLES_RECORD) {
    const all = { ...claims, [test]: [...exercised].sort() }
    const kept = Object.entries(all).filter(([, ids]) => ids.length > 0)
    writeFileSync(claimsFile, `${JSON.stringify(Object.fromEntries(kept.sort(([a], [b]) => (a < b ? -1 : 1))), null, 2)}\n`)
  } else expect((claims[test] ?? []).filter((id) => !exercised.has(id))).toEqual([])
})

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
  const id = path === '' && typeof sample === 'object' && sample !== null ? idOf.get(sample) : undefined
  if (id !== undefined) exercised.add(id)
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
