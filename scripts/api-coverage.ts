/**
 * Writes `docs/api-coverage.md`: which of OpenStack's Compute routes answer here, in which versions, and what each
 * microversion comes to. The routes are those of `shared/openstack-api`, beside this repository.
 */
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { type AnyOperation, operationId } from '../src/base/http/index.ts'
import { apiVersions } from '../src/nova/api/api-versions.ts'
import { computeOperations } from '../src/nova/api/index.ts'

const facts = fileURLToPath(new URL('../../shared/openstack-api/', import.meta.url))
const sources = fileURLToPath(new URL('../src/nova/api/', import.meta.url))
export const coverageFile = fileURLToPath(new URL('../docs/api-coverage.md', import.meta.url))
/** Why the page cannot be made here, or undefined. */
export const factsMissing: string | undefined = existsSync(facts) ? undefined : 'the tables of routes are not beside this repository'

/** Answers, but not to everything that OpenStack's does. */
export const partial: Readonly<Record<string, string>> = {
  'POST /servers': 'boots from an image: no volumes',
  'POST /os-volumes': 'always refused: no volume service',
  'POST /os-snapshots': 'always refused: no volume service',
  'POST /servers/{server_id}/os-volume_attachments': 'no volume can be found: no volume service',
  'PUT /servers/{server_id}/os-volume_attachments/{volume_id}': 'no volume migrates: no volume service',
  'DELETE /servers/{server_id}/os-volume_attachments/{volume_id}': 'no volume can be found: no volume service',
  'POST /os-volumes_boot': 'boots from an image: no volumes',
  'POST /servers/{server_id}/shares': 'no share can be found: no share service',
  'POST /servers/{server_id}/remote-consoles': 'RDP and MKS on the fake host alone',
  'POST /servers/{server_id}/action#os-getRDPConsole': 'on the fake host alone',
  'POST /os-assisted-volume-snapshots': 'always refused: no server has such a volume',
  'DELETE /os-assisted-volume-snapshots/{snapshot_id}': 'always refused: no server has such a volume',
}

/** Routes left of the versions, or that the dispatcher answers. */
const special: Readonly<Record<string, Coverage>> = {
  '(unversioned) /': { is: 'whole' },
  '(unversioned) /{anything else}': { is: 'whole' },
  '(legacy) /v2': { is: 'whole' },
  '(versioned root without trailing slash)': { is: 'whole' },
}

/** Microversions that no operation here has to know, and why. */
export const nothingToSee: Readonly<Record<string, string>> = {
  '2.4': 'the API is gone',
  '2.12': 'the API is gone',
  '2.18': 'a path may have a project id and needs none, whatever the version',
  '2.27': 'read and answered for every route alike',
  '2.46': 'sent with every answer, whatever the version',
  '2.60': 'no volumes',
  '2.69': 'one cell, which is up as long as its API',
  '2.72': 'no port asks for a bandwidth',
}

type Coverage = { is: 'whole' } | { is: 'partial'; why: string } | { is: 'absent' }
export type Route = {
  method: string
  path: string
  action: string
  since: string
  until: string
  statuses: string
  error: string
  /** Who passes by default, and the rules that are asked. */
  word: string
  rules: string[]
}

const rows = (file: string): string[][] =>
  readFileSync(facts + file, 'utf8')
    .trimEnd()
    .split('\n')
    .slice(1)
    .map((line) => line.split('\t'))

/** A route that stands there twice is one operation, which answers in all versions of both. */
export function routes(): Route[] {
  const windows = new Map<string, Pick<Route, 'since' | 'until'>>()
  return allRows().map((route) => {
    const { since, until } = windows.get(routeId(route)) ?? route
    windows.set(routeId(route), { since, until })
    return { ...route, since, until }
  })
}

const allRows = (): Route[] =>
  rows('compute-routes.tsv').map((cells) => {
    const [method = '', path = '', action = '', since = '', until = '', statuses = '', error = '', word = ''] = cells
    const rules = (cells[11] ?? '').split(',').filter((rule) => rule !== '')
    return { method, path, action, since, until, statuses, error, word, rules }
  })

const routeId = ({ method, path, action }: Route): string => `${method} ${path}${action === '' ? '' : `#${action}`}`
const table = new Map((computeOperations as readonly AnyOperation[]).map((operation) => [operationId(operation), operation]))

/** `200@2.1;201@2.2` of an operation, as the table of routes writes it. */
const statusesOf = ({ status }: AnyOperation): string =>
  typeof status === 'number'
    ? String(status)
    : Object.entries(status)
        .map(([since, code]) => `${code}@${since}`)
        .join(';')

/** What differs between an operation and its route, in words; nothing when they agree. */
export function differences(route: Route): string[] {
  const operation = table.get(routeId(route))
  if (!operation) return []
  const found: string[] = []
  const differ = (what: string, here: string, there: string) => here !== there && found.push(`${what} ${here}, not ${there}`)
  differ('since', operation.since ?? '2.1', route.since || '2.1')
  differ('until', operation.until ?? 'now', route.until || 'now')
  const status = statusesOf(operation)
  // Where several statuses are possible in one version, or none is a success, the handler decides.
  if (route.statuses !== '' && (!route.statuses.includes(';') || route.statuses.includes('@'))) differ('status', status, route.statuses)
  return found
}

export function coverageOf(route: Route): Coverage {
  const known = special[route.path]
  if (known) return known
  if (!table.has(routeId(route))) return { is: 'absent' }
  const why = [...differences(route), partial[routeId(route)] ?? ''].filter((text) => text !== '').join('; ')
  return why === '' ? { is: 'whole' } : { is: 'partial', why }
}

/** Whether a window, a rung or a field begins with the version, or a window ends right before it. */
export function isNamed(version: string, text = apiSources()): boolean {
  const before = `2.${Number(version.slice(2)) - 1}`
  return text.includes(`'${version}'`) || new RegExp(`until\\w* ?[:=] '${before.replace('.', '\\.')}'`).test(text)
}

let read: string | undefined
function apiSources(): string {
  read ??= readdirSync(sources)
    .filter((name) => name.endsWith('.ts') && name !== 'api-versions.ts')
    .map((name) => readFileSync(sources + name, 'utf8'))
    .join('\n')
  return read
}

export type VersionCoverage = { version: string; sentence: string; here: 'named' | 'quiet' | 'awaits' | 'forgotten'; why: string }

/** The routes that a microversion changes, as `METHOD path (action)`. */
const affected = (text: string): string[] => text.match(/(GET|POST|PUT|DELETE) \/[^\s,;|]*( \(\w[\w-]*\))?/g) ?? []
const isHere = (name: string): boolean => {
  const [, method, path, action] = /^(\w+) (\S+)(?: \(([\w-]+)\))?$/.exec(name) ?? []
  return table.has(`${method} ${path}${action === undefined ? '' : `#${action}`}`)
}

export const versions = (): VersionCoverage[] =>
  rows('compute-microversions.tsv').map(([version = '', , , changed = '']) => {
    const sentence = apiVersions[version] ?? ''
    const quiet = nothingToSee[version]
    if (quiet !== undefined) return { version, sentence, here: 'quiet', why: quiet }
    if (isNamed(version)) return { version, sentence, here: 'named', why: '' }
    const names = affected(changed)
    const isAbsent = names.length > 0 && names.every((name) => !isHere(name))
    return { version, sentence, here: isAbsent ? 'awaits' : 'forgotten', why: '' }
  })

const cell = (text: string): string => text.replaceAll('|', '\\|')

export function coveragePage(): string {
  const all = routes().map((route) => ({ route, coverage: coverageOf(route) }))
  const count = (is: Coverage['is']) => all.filter(({ coverage }) => coverage.is === is).length
  const windowOf = ({ since, until }: Route) =>
    since && until ? `${since} to ${until}` : since ? `from ${since}` : until ? `to ${until}` : ''
  const line = ({ route, coverage }: (typeof all)[number]) => {
    const goneText = coverage.is === 'whole' && route.statuses === '' && route.error === '410' ? 'whole: answers 410' : coverage.is
    const words = coverage.is === 'partial' ? `partial: ${coverage.why}` : goneText
    return `| ${route.method} | \`${route.path}\` | ${route.action} | ${windowOf(route)} | ${cell(words)} |`
  }
  const words = { named: 'yes', quiet: 'nothing to see', awaits: 'absent, with its routes', forgotten: 'no' } as const
  const versionLine = ({ version, sentence, here, why }: VersionCoverage) =>
    `| ${version} | ${cell(sentence)} | ${words[here]}${why === '' ? '' : `: ${cell(why)}`} |`
  return `# Coverage of the Compute API

<!-- Written by \`node scripts/api-coverage.ts\` from the table of operations; do not edit. -->

Of OpenStack's ${all.length} routes ${count('whole')} answer whole, ${count('partial')} in part, ${count('absent')} not yet. A route without a window answers in every
version from 2.1 to 2.104.

| method | path | action | versions | here |
|---|---|---|---|---|
${all.map(line).join('\n')}

## Microversions

| version | what it brings | here |
|---|---|---|
${versions().map(versionLine).join('\n')}
`
}

if (import.meta.main) writeFileSync(coverageFile, coveragePage())
