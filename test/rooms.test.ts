/**
 * The walls of the house: who may import whom. A room looks left only, and of another room sees the front door.
 *
 * Front doors are each room's `index.ts`; the whole of `base/`; and `network/drivers/index.ts`, since a driver is
 * chosen by whoever starts the cloud and then handed to the network room. Tests and the files at the top of `src/` may look anywhere,
 * the latter through front doors alone; except that `main.ts` starts the network's child by its own file, and that rooms' options
 * and the hashing of passwords are needed before the rooms are loaded.
 */
import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join, posix } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, test } from 'vitest'

const root = fileURLToPath(new URL('..', import.meta.url))

/** From left to right; rooms of one step do not see each other. */
const steps = [
  ['base', 'node-libvirt'],
  ['identity', 'placement', 'image', 'network', 'volume'],
  ['nova/virt'],
  ['nova/model'],
  ['nova/compute'],
  ['nova/scheduler'],
  ['nova/conductor'],
  ['nova/metadata', 'nova/console'],
  ['nova/api'],
  ['dashboard'],
]
const rooms = steps.flat()
const stepOf = (room: string): number => steps.findIndex((step) => step.includes(room))

const files = readdirSync(join(root, 'src'), { recursive: true, encoding: 'utf8' })
  .filter((name) => name.endsWith('.ts') && !name.endsWith('.test.ts'))
  .sort()
const sources = new Map(files.map((file) => [file, readFileSync(join(root, 'src', file), 'utf8')]))

/** Undefined: a file at the top, or of the command line. */
const roomOf = (file: string): string | undefined => rooms.find((room) => file.startsWith(`${room}/`))

type Import = { from: string; to: string; typeOnly: boolean }

const importForm = /^(?:import|export)\s+(type\s)?[^'"`]*?\bfrom\s+'([^']+)'|^import\s+'([^']+)'|\bimport\('([^']+)'\)/gm

/** Every import of a file of ours, and by their own name of packages. */
const imports: Import[] = files.flatMap((from) =>
  [...(sources.get(from) ?? '').matchAll(importForm)].map(([, type, ...specifiers]) => {
    const specifier = specifiers.find((one) => one !== undefined) ?? ''
    const to = specifier.startsWith('.') ? posix.join(posix.dirname(from), specifier) : specifier
    return { from, to, typeOnly: type !== undefined }
  }),
)
const ours = imports.filter(({ to }) => sources.has(to))
const said = ({ from, to }: Pick<Import, 'from' | 'to'>) => `${from} → ${to}`

const isFrontDoor = (file: string): boolean => {
  const room = roomOf(file)
  return room === undefined || room === 'base' || file === `${room}/index.ts` || file === 'network/drivers/index.ts'
}
/** What the top reads before it loads the rooms. */
const isEarlyDoor = (file: string): boolean => file === `${roomOf(file)}/config.ts` || file === 'identity/passwords.ts'

test('the imports were found', () => {
  expect(files.length).toBeGreaterThan(200)
  expect(ours.map(said)).toContain('cloud.ts → nova/conductor/index.ts')
  expect(ours.map(said)).toContain('main.ts → cli/index.ts')
  expect(imports.filter(({ to }) => to.startsWith('.') || to.startsWith('..')).map(said)).toEqual([])
})

describe('every file', () => {
  test('imports files that exist', () => {
    const missing = imports.filter(({ to }) => (to.endsWith('.ts') || to.includes('/..')) && !sources.has(to))
    expect(missing.map(said)).toEqual([])
  })

  test('stands in a room, at the top, or belongs to the command line', () => {
    const strays = files.filter((file) => file.includes('/') && !file.startsWith('cli/') && roomOf(file) === undefined)
    expect(strays).toEqual([])
  })

  test('takes part in no cycle', () => {
    expect(cyclesOf(ours.filter(({ typeOnly }) => !typeOnly))).toEqual([])
  })
})

describe('a room', () => {
  const between = ours.filter(({ from, to }) => roomOf(from) !== undefined && roomOf(from) !== roomOf(to))

  test('imports from rooms on its left only', () => {
    const wrong = between.filter(({ from, to }) => {
      const target = roomOf(to)
      return target === undefined || stepOf(target) >= stepOf(roomOf(from) ?? '')
    })
    expect(wrong.map(said)).toEqual([])
  })

  test('sees of another room the front door only', () => {
    expect(between.filter(({ to }) => !isFrontDoor(to)).map(said)).toEqual([])
  })

  test('that drives hypervisors does not see the database, nor the network room', () => {
    const wrong = between.filter(({ from, to }) => roomOf(from) === 'nova/virt' && (to.startsWith('base/db') || roomOf(to) === 'network'))
    expect(wrong.map(said)).toEqual([])
  })

  test('that could be published on its own imports nothing of ours', () => {
    expect(ours.filter(({ from, to }) => roomOf(from) === 'node-libvirt' && roomOf(to) !== 'node-libvirt').map(said)).toEqual([])
  })
})

const child = 'main.ts → network/drivers/netns-listener.ts'

test('what stands at the top enters rooms by the front door', () => {
  const wrong = ours.filter(
    ({ from, to }) => roomOf(from) === undefined && !isFrontDoor(to) && !isEarlyDoor(to) && said({ from, to }) !== child,
  )
  expect(wrong.map(said)).toEqual([])
})

test('hono is known to base/http alone', () => {
  const knowing = imports.filter(({ to }) => /^(@hono\/|hono(\/|$))/.test(to) && !to.endsWith('.ts')).map(({ from }) => dirname(from))
  expect([...new Set(knowing)]).toEqual(['base/http'])
})

test('drizzle is known to the declarations of tables alone, which the running cloud does not load', () => {
  const knowing = imports.filter(({ to }) => to.startsWith('drizzle-orm')).map(({ from }) => from)
  expect(knowing.filter((file) => !/(^|\/)tables\.ts$/.test(file) && file !== 'base/db/columns.ts')).toEqual([])
  const loading = ours.filter(({ from, to, typeOnly }) => !typeOnly && knowing.includes(to) && !knowing.includes(from))
  expect(loading.map(said)).toEqual([])
})

test('the environment is read by base/config and main alone', () => {
  const reading = files.filter((file) => /\bprocess\.env\b|\{[^}]*\benv\b[^}]*\} = process\b/.test(sources.get(file) ?? ''))
  expect(reading.filter((file) => !file.startsWith('base/config/') && file !== 'main.ts')).toEqual([])
})

/** Each as the files along it; found once, from its first file in order. */
function cyclesOf(edges: readonly Import[]): string[] {
  const next = new Map<string, string[]>()
  for (const { from, to } of edges) next.set(from, [...(next.get(from) ?? []), to])
  const done = new Set<string>()
  const cycles: string[] = []
  const visit = (file: string, path: readonly string[]): void => {
    const at = path.indexOf(file)
    if (at >= 0) cycles.push([...path.slice(at), file].join(' → '))
    if (at >= 0 || done.has(file)) return
    for (const target of next.get(file) ?? []) visit(target, [...path, file])
    done.add(file)
  }
  for (const file of next.keys()) visit(file, [])
  return cycles
}
