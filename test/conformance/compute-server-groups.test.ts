/** Server groups over HTTP, and where their servers go, on three pretended hosts. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type CloudCall, startTestCloud, type TestCloud } from '../support/cloud.ts'
import { samplesIn, samplesMissing, shapeDifferences } from '../support/samples.ts'

let cloud: TestCloud
let image: string
const unknown = '70a599e0-31e7-49b7-b260-868f441e862b'
const call = (method: string, path: string, options: CloudCall = {}) =>
  cloud.call(method, `/compute/v2.1${path}`, { version: '2.71', ...options })
const create = (group: object, options: CloudCall = {}) => call('POST', '/os-server-groups', { body: { server_group: group }, ...options })
const groupOf = async (policy: string, more: object = {}): Promise<string> =>
  (await create({ name: policy, policy, ...more })).body.server_group.id
const boot = async (group: string, more: object = {}, options: CloudCall = {}) =>
  await call('POST', '/servers', {
    body: { server: { name: 's', imageRef: image, flavorRef: '42', networks: 'none', ...more }, 'os:scheduler_hints': { group } },
    ...options,
  })
const show = async (id: string) => (await call('GET', `/servers/${id}`)).body.server
/** Hosts of the group's servers, in the order in which they were made; null for one that found none. */
async function hostsOf(group: string): Promise<(string | null)[]> {
  await cloud.settle()
  const { members } = (await call('GET', `/os-server-groups/${group}`)).body.server_group
  return await Promise.all(members.map(async (id: string) => (await show(id))['OS-EXT-SRV-ATTR:host']))
}
async function clear(group: string): Promise<void> {
  const { members } = (await call('GET', `/os-server-groups/${group}`)).body.server_group
  for (const id of members) await call('DELETE', `/servers/${id}`)
  await cloud.settle()
  await call('DELETE', `/os-server-groups/${group}`)
}

beforeAll(async () => {
  cloud = await startTestCloud({
    flags: {
      'fake.hosts': '3',
      'quota.server_groups': '12',
      'quota.server_group_members': '4',
      'quota.instances': '40',
      'filter_scheduler.soft_affinity_weight_multiplier': '10',
    },
  })
  image = (await cloud.call('GET', '/image/v2/images?name=tiny')).body.images[0].id
})
afterAll(() => cloud[Symbol.asyncDispose]())

describe('server groups', () => {
  it('have a list of one policy up to 2.63, a policy and rules after', async () => {
    const old = await create({ name: 'test', policies: ['anti-affinity'] }, { version: '2.1' })
    expect(old.body.server_group).toEqual({ id: expect.any(String), name: 'test', policies: ['anti-affinity'], members: [], metadata: {} })
    const { id } = old.body.server_group
    expect((await call('GET', `/os-server-groups/${id}`, { version: '2.64' })).body.server_group).toEqual({
      id,
      name: 'test',
      policy: 'anti-affinity',
      rules: {},
      members: [],
      project_id: expect.any(String),
      user_id: expect.any(String),
    })
    expect((await call('DELETE', `/os-server-groups/${id}`)).status).toBe(204)
    expect((await call('GET', `/os-server-groups/${id}`)).status).toBe(404)
    expect((await call('DELETE', `/os-server-groups/${id}`)).status).toBe(404)
  })

  it.each([
    ['2.1', { name: 'x', policies: [] }],
    ['2.1', { name: 'x', policies: ['affinity', 'anti-affinity'] }],
    ['2.1', { name: 'x', policies: ['soft-affinity'] }],
    ['2.1', { name: 'x', policy: 'affinity' }],
    ['2.1', { name: '', policies: ['affinity'] }],
    ['2.1', { policies: ['affinity'] }],
    ['2.63', { name: 'x', policies: ['affinity'], rules: {} }],
    ['2.64', { name: 'x', policies: ['affinity'] }],
    ['2.64', { name: 'x', policy: 'friendship' }],
    ['2.64', { name: 'x', policy: 'affinity', rules: { max_server_per_host: 2 } }],
    ['2.64', { name: 'x', policy: 'anti-affinity', rules: { max_server_per_host: 0 } }],
    ['2.64', { name: 'x', policy: 'anti-affinity', rules: { max_server_per_host: 'many' } }],
    ['2.64', { name: 'x', policy: 'anti-affinity', rules: { colour: 'red' } }],
  ])('refuse at %s %j', async (version, group) => {
    expect((await create(group, { version })).status).toBe(400)
  })

  it('take soft policies from 2.15', async () => {
    const { id } = (await create({ name: 'x', policies: ['soft-affinity'] }, { version: '2.15' })).body.server_group
    await clear(id)
  })

  it('belong to a project', async () => {
    const demo = { as: 'demo' } as const
    const { id } = (await create({ name: 'theirs', policy: 'affinity' }, demo)).body.server_group
    const own = await groupOf('affinity')
    const ids = async (query: string, options: CloudCall = {}) =>
      (await call('GET', `/os-server-groups${query}`, options)).body.server_groups.map((group: { id: string }) => group.id)
    expect(await ids('')).toEqual([own])
    expect(await ids('?all_projects')).toEqual([id, own])
    expect(await ids('?all_projects=1&limit=1&offset=1')).toEqual([own])
    expect(await ids('?all_projects', demo)).toEqual([id])
    expect((await call('GET', `/os-server-groups/${own}`, demo)).status).toBe(404)
    expect((await call('DELETE', `/os-server-groups/${own}`, demo)).status).toBe(404)
    expect((await boot(own, {}, { ...demo, version: '2.37' })).status).toBe(400)
    expect((await call('GET', '/os-server-groups?limit=-1')).status).toBe(400)
    expect((await call('GET', '/os-server-groups?colour=red', { version: '2.75' })).status).toBe(400)
    await clear(id)
    await clear(own)
  })

  it('are counted and limited', async () => {
    const used = async () => (await call('GET', '/limits')).body.limits.absolute.totalServerGroupsUsed
    const before = await used()
    const made: string[] = []
    for (let i = before; i < 12; i += 1) made.push(await groupOf('affinity'))
    expect(await used()).toBe(12)
    expect((await create({ name: 'x', policy: 'affinity' })).status).toBe(403)
    for (const id of made) await clear(id)
    expect(await used()).toBe(before)
  })

  it('limit their members', async () => {
    const group = await groupOf('affinity')
    expect((await boot(group, { min_count: 5 })).status).toBe(403)
    expect(await hostsOf(group)).toEqual([])
    expect((await boot(group, { min_count: 4 })).status).toBe(202)
    expect((await boot(group)).status).toBe(403)
    await hostsOf(group)
    await clear(group)
  })
})

describe('servers of a group', () => {
  it('need a group that exists', async () => {
    expect((await boot(unknown)).status).toBe(400)
    expect((await boot('mine')).status).toBe(400)
  })

  it('name it from 2.71, and leave it when deleted', async () => {
    const group = await groupOf('affinity')
    const { id } = (await boot(group)).body.server
    await cloud.settle()
    expect((await show(id)).server_groups).toEqual([group])
    expect((await call('GET', `/servers/${id}`, { version: '2.70' })).body.server).not.toHaveProperty('server_groups')
    await call('DELETE', `/servers/${id}`)
    expect(await hostsOf(group)).toEqual([])
    await clear(group)
  })

  it('share a host with affinity, even those built at once', async () => {
    const group = await groupOf('affinity')
    await boot(group, { min_count: 3 })
    const hosts = await hostsOf(group)
    expect(hosts).toHaveLength(3)
    expect(new Set(hosts).size).toBe(1)
    await clear(group)
  })

  it('share none with anti-affinity: the fourth of three hosts finds no place', async () => {
    const group = await groupOf('anti-affinity')
    await boot(group, { min_count: 4 })
    const hosts = await hostsOf(group)
    expect(hosts.filter((host) => host !== null)).toHaveLength(3)
    expect(new Set(hosts).size).toBe(4)
    const failed = (await call('GET', `/servers/detail?status=ERROR`)).body.servers[0]
    expect(failed.fault.message).toMatch(/as many servers of the group/)
    await clear(group)
  })

  it('are as many on a host as the rule says', async () => {
    const group = await groupOf('anti-affinity', { rules: { max_server_per_host: '2' } })
    await boot(group, { min_count: 4 })
    const hosts = await hostsOf(group)
    expect(hosts).not.toContain(null)
    for (const host of hosts) expect(hosts.filter((other) => other === host).length).toBeLessThanOrEqual(2)
    await clear(group)
  })

  it('prefer, with soft policies', async () => {
    const [near, far] = [await groupOf('soft-affinity'), await groupOf('soft-anti-affinity')]
    await boot(far, { min_count: 4 })
    const spread = await hostsOf(far)
    expect(spread).not.toContain(null)
    expect(new Set(spread).size).toBe(3)
    await boot(near, { min_count: 2 })
    expect(new Set(await hostsOf(near)).size).toBe(1)
    await clear(near)
    await clear(far)
  })
})

describe.skipIf(samplesMissing)('samples', () => {
  const samples = samplesMissing ? [] : samplesIn('os-server-groups').filter(({ file }) => file.endsWith('-resp.json'))
  it.each(samples.map((sample) => [`${sample.version} ${sample.file}`, sample] as const))(
    '%s',
    async (_name, { version, file, document }) => {
      const isNew = Number(version.slice(2)) >= 64
      const form = isNew ? { policy: 'anti-affinity', rules: { max_server_per_host: 3 } } : { policies: ['anti-affinity'] }
      const created = await create({ name: 'test', ...form }, { version })
      const { id } = created.body.server_group
      const answer = file.includes('post')
        ? created
        : await call('GET', file.includes('list') ? '/os-server-groups' : `/os-server-groups/${id}`, { version })
      expect(shapeDifferences(document, answer.body)).toEqual([])
      await clear(id)
    },
  )
})
