/** Requests to Compute as people and programs might make them, chosen by a seed: sensible, late, needless, and now and then wrong. */
import type { Database } from '../../src/base/db/index.ts'

/** From 0 to 1. */
export type Random = () => number

/** The same numbers for the same seed (mulberry32). */
export function randomFrom(seed: number): Random {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296
  }
}

/** @throws {RangeError} when there is nothing to pick from */
export function pick<T>(random: Random, from: readonly T[]): T {
  const found = from[Math.floor(random() * from.length)]
  if (found === undefined) throw new RangeError('nothing to pick from')
  return found
}

export type Step = { as: 'admin' | 'demo'; method: string; path: string; version?: string; body?: unknown; server?: string }
/** What is there to ask about. */
export type RandomScene = {
  image: string
  network: string
  group: string
  servers: readonly { uuid: string; owner: Step['as'] }[]
  db: Database
}

/** Beside what every cloud has: a flavor with further disks. */
export const scratchFlavor = { id: 'scratch', name: 'm1.scratch', vcpus: 1, ram: 256, disk: 1, 'OS-FLV-EXT-DATA:ephemeral': 2, swap: 512 }
const flavors = ['42', '84', '42', '84', '1', '2', scratchFlavor.id] as const
type Make = (random: Random, scene: RandomScene, server: string) => Omit<Step, 'as' | 'server'> & { as?: 'admin' }

const act =
  (
    key: string,
    value: unknown | ((random: Random, scene: RandomScene) => unknown) = null,
    more: { version?: string; as?: 'admin' } = {},
  ): Make =>
  (random, scene, server) => ({
    method: 'POST',
    path: `/servers/${server}/action`,
    body: { [key]: typeof value === 'function' ? value(random, scene) : value },
    ...more,
  })
const ports = ({ db }: RandomScene, server: string) =>
  db
    .prepare<{ id: string }>('SELECT id FROM ports WHERE device_id = ? ORDER BY id')
    .all(server)
    .map(({ id }) => id)

/** A live migration of the server, be it over, and what may be asked of it. */
const liveMigration = ({ db }: RandomScene, server: string): number =>
  db
    .prepare<{ id: number }>("SELECT max(id) AS id FROM migrations WHERE instance_uuid = ? AND migration_type = 'live-migration'")
    .get(server)?.id ?? 0
const read =
  (path: (scene: RandomScene, server: string) => string, version: string): Make =>
  (_, scene, server) => ({ method: 'GET', path: path(scene, server), version, as: 'admin' })
const abortLive: Make = (_, scene, server) => ({
  method: 'DELETE',
  path: `/servers/${server}/migrations/${liveMigration(scene, server)}`,
  version: '2.24',
  as: 'admin',
})
const forceLive: Make = (_, scene, server) => ({
  method: 'POST',
  path: `/servers/${server}/migrations/${liveMigration(scene, server)}/action`,
  version: '2.22',
  as: 'admin',
  body: { force_complete: null },
})
const migrateLive = act('os-migrateLive', { host: null, block_migration: 'auto' }, { as: 'admin', version: '2.34' })

/** Each with how often it is asked for. */
const makes: readonly (readonly [weight: number, make: Make])[] = [
  [4, act('os-stop')],
  [4, act('os-start')],
  [2, act('reboot', { type: 'SOFT' })],
  [3, act('reboot', { type: 'HARD' })],
  [2, act('pause')],
  [3, act('unpause')],
  [2, act('suspend')],
  [3, act('resume')],
  [3, act('rescue')],
  [3, act('unrescue')],
  [6, act('resize', (random: Random) => ({ flavorRef: pick(random, flavors) }))],
  [4, act('confirmResize')],
  [4, act('revertResize')],
  [3, act('rebuild', (_: Random, { image }: RandomScene) => ({ imageRef: image }))],
  [4, act('shelve')],
  [2, act('shelveOffload', null, { as: 'admin' })],
  [5, act('unshelve')],
  [2, act('createImage', { name: 'picture' })],
  [2, act('createBackup', (random: Random) => ({ name: 'backup', backup_type: 'daily', rotation: Math.floor(random() * 3) }))],
  [1, act('changePassword', { adminPass: 'secret' })],
  [1, act('trigger_crash_dump', null, { version: '2.17' })],
  [1, act('lock')],
  [2, act('unlock')],
  [1, act('os-resetState', (random: Random) => ({ state: pick(random, ['active', 'error']) }), { as: 'admin' })],
  [5, act('migrate', null, { as: 'admin' })],
  [5, act('os-migrateLive', { host: null, block_migration: 'auto' }, { as: 'admin', version: '2.30' })],
  [1, read(() => '/os-migrations', '2.80')],
  [1, read((_, server) => `/servers/${server}/migrations`, '2.80')],
  [1, read((scene, server) => `/servers/${server}/migrations/${liveMigration(scene, server)}`, '2.59')],
  [1, abortLive],
  [1, forceLive],
  [1, act('evacuate', {}, { as: 'admin', version: '2.95' })],
  [1, act('restore')],
  [1, act('forceDelete')],
  [1, act('injectNetworkInfo', null, { as: 'admin' })],
  [1, act('no-such-action')],
  [1, act('resize', { flavorRef: 'no-such-flavor' })],
  [1, act('rebuild', { imageRef: 'no-uuid' })],
  [1, act('os-getConsoleOutput', {})],
  [3, (_, __, server) => ({ method: 'DELETE', path: `/servers/${server}` })],
  [1, (_, __, server) => ({ method: 'PUT', path: `/servers/${server}`, body: { server: { name: 'renamed' } } })],
  [1, (_, __, server) => ({ method: 'PUT', path: `/servers/${server}/tags`, version: '2.26', body: { tags: ['a', 'b'] } })],
  [1, (_, __, server) => ({ method: 'POST', path: `/servers/${server}/metadata`, body: { metadata: { a: 'b' } } })],
  [
    1,
    (_, __, server) => ({
      method: 'POST',
      path: `/servers/${server}/remote-consoles`,
      version: '2.6',
      body: { remote_console: { protocol: 'vnc', type: 'novnc' } },
    }),
  ],
  [
    3,
    (_, { network }, server) => ({
      method: 'POST',
      path: `/servers/${server}/os-interface`,
      body: { interfaceAttachment: { net_id: network } },
    }),
  ],
  [
    2,
    (random, scene, server) => ({
      method: 'DELETE',
      path: `/servers/${server}/os-interface/${pick(random, [...ports(scene, server), 'e0000000-0000-4000-8000-000000000000'])}`,
    }),
  ],
]
const urn = makes.flatMap(([weight, make]) => Array.from({ length: weight }, () => make))

function create(random: Random, { image, network, group }: RandomScene): Step {
  const as = random() < 0.25 ? 'admin' : 'demo'
  const several = random() < 0.2 ? { min_count: 1, max_count: 3 } : {}
  const nics = pick(random, ['auto', 'none', [{ uuid: network }]] as const)
  const server = {
    name: 'web',
    imageRef: image,
    flavorRef: pick(random, flavors),
    networks: as === 'admin' && nics !== 'none' ? 'none' : nics,
    ...several,
  }
  const hints = as === 'demo' && random() < 0.3 ? { 'os:scheduler_hints': { group } } : {}
  return { as, method: 'POST', path: '/servers', version: '2.52', body: { server, ...hints } }
}

/** A request to the server, or to one that is there, mostly by its owner; now and then for a new one. */
export function randomRequest(random: Random, scene: RandomScene, server?: RandomScene['servers'][number]): Step {
  if (server === undefined && (scene.servers.length === 0 || random() < 0.2)) return create(random, scene)
  const { uuid, owner } = server ?? pick(random, scene.servers)
  const made = pick(random, urn)(random, scene, uuid)
  return { as: random() < 0.9 ? owner : 'demo', ...made, server: uuid }
}

/** Something is begun, the state is reset while it runs, and then it is begun again, or something else. */
export function resetting(random: Random, scene: RandomScene, { uuid, owner }: RandomScene['servers'][number]): Step[] {
  const [first, other] = [pick(random, urn), pick(random, urn)]
  const word = { 'os-resetState': { state: random() < 0.7 ? 'error' : 'active' } }
  const reset: Step = { as: 'admin', method: 'POST', path: `/servers/${uuid}/action`, body: word, server: uuid }
  const again = random() < 0.6 ? first : other
  const made = [first, again].map((make): Step => ({ as: owner, ...make(random, scene, uuid), server: uuid })) as [Step, Step]
  return [made[0], reset, made[1]]
}

/** A live migration, and then what is asked of it while it goes on. */
export const liveMigrating = (random: Random, scene: RandomScene, { uuid, owner }: RandomScene['servers'][number]): (() => Step)[] =>
  [migrateLive, pick(random, [abortLive, forceLive]), pick(random, [abortLive, forceLive, migrateLive])].map((make) => () => ({
    as: owner,
    ...make(random, scene, uuid),
    server: uuid,
  }))

/** Its host is lost: it goes to another. */
export const evacuating = (random: Random, scene: RandomScene, { uuid, owner }: RandomScene['servers'][number]): Step => ({
  as: owner,
  ...act('evacuate', {}, { as: 'admin', version: pick(random, ['2.14', '2.95'] as const) })(random, scene, uuid),
  server: uuid,
})
