/** Servers over HTTP: one transcript a promise, on pretended hosts. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { startTestCloud, type TestCloud } from '../support/cloud.ts'

let cloud: TestCloud
let image: string
let network: string
beforeAll(async () => {
  cloud = await startTestCloud()
  image = (await cloud.call('GET', '/image/v2/images?name=tiny')).body.images[0].id
  network = (await cloud.call('GET', '/network/v2.0/networks?name=private')).body.networks[0].id
})
afterAll(() => cloud[Symbol.asyncDispose]())

const compute = '/compute/v2.1'
const create = async (over: Record<string, unknown> = {}, options: { version?: string; as?: 'admin' | 'demo' } = {}) =>
  await cloud.call('POST', `${compute}/servers`, {
    ...options,
    body: { server: { name: 'web1', imageRef: image, flavorRef: '42', ...over } },
  })
const made = async (over: Record<string, unknown> = {}, options: { version?: string; as?: 'admin' | 'demo' } = {}) => {
  const answer = await create(over, options)
  expect(answer.status, answer.text).toBe(202)
  await cloud.settle()
  return answer.body.server.id as string
}
const show = async (id: string, version?: string, as?: 'admin' | 'demo') =>
  (await cloud.call('GET', `${compute}/servers/${id}`, { ...(version ? { version } : {}), ...(as ? { as } : {}) })).body.server

describe('POST /servers', () => {
  it('answers 202 with id, links, password and groups, and a Location', async () => {
    const answer = await create()
    expect(answer.status).toBe(202)
    expect(Object.keys(answer.body.server).sort()).toEqual(['OS-DCF:diskConfig', 'adminPass', 'id', 'links', 'security_groups'])
    expect(answer.headers.get('location')).toBe(`http://cloud.test/compute/v2.1/servers/${answer.body.server.id}`)
    await cloud.settle()
    expect(await show(answer.body.server.id)).toMatchObject({ status: 'ACTIVE', 'OS-EXT-STS:power_state': 1, name: 'web1' })
  })

  it.each([
    ['no name', { name: undefined }, 400],
    ['white space around the name', { name: ' x' }, 400],
    ['unknown key', { colour: 'red' }, 400],
    ['unknown image', { imageRef: '70a599e0-31e7-49b7-b260-868f441e862b' }, 400],
    ['unknown flavor', { flavorRef: 'nope' }, 400],
    ['unknown key pair', { key_name: 'nope' }, 400],
    ['unknown group', { security_groups: [{ name: 'nope' }] }, 400],
    ['unknown network', { networks: [{ uuid: '70a599e0-31e7-49b7-b260-868f441e862b' }] }, 400],
    ['unknown zone', { availability_zone: 'moon' }, 400],
    ['user data that is no base64', { user_data: '%%%' }, 400],
    ['min above max', { min_count: 3, max_count: 2 }, 400],
    ['boot from a volume', { block_device_mapping_v2: [{ source_type: 'volume', uuid: 'x', boot_index: 0 }] }, 400],
    ['more than the quota', { min_count: 500 }, 403],
  ])('refuses %s and makes nothing', async (_what, over, status) => {
    const before = (await cloud.call('GET', `${compute}/servers`)).body.servers.length
    const answer = await create(over)
    expect(answer.status, answer.text).toBe(status)
    expect((await cloud.call('GET', `${compute}/servers`)).body.servers).toHaveLength(before)
  })

  it('wants networks from 2.37 on, and knows auto and none', async () => {
    expect((await create({}, { version: '2.37' })).status).toBe(400)
    expect(Object.keys((await show(await made({ networks: 'auto' }, { version: '2.37' }))).addresses)).toEqual(['private'])
    expect((await show(await made({ networks: 'none' }, { version: '2.37' }))).addresses).toEqual({})
  })

  it('takes an address and a port of the user, and leaves that port when the server goes', async () => {
    const port = (await cloud.call('POST', '/network/v2.0/ports', { body: { port: { network_id: network } } })).body.port
    const id = await made({ networks: [{ port: port.id }] })
    expect((await show(id)).addresses.private[0].addr).toBe(port.fixed_ips[0].ip_address)
    expect((await create({ networks: [{ port: port.id }] })).status).toBe(409)
    await cloud.call('DELETE', `${compute}/servers/${id}`)
    await cloud.settle()
    expect((await cloud.call('GET', `/network/v2.0/ports/${port.id}`)).body.port).toMatchObject({ device_id: '', device_owner: '' })
    await cloud.call('DELETE', `/network/v2.0/ports/${port.id}`)
  })

  it('keeps metadata, tags, description and hostname as their versions have them', async () => {
    const id = await made(
      { metadata: { role: 'db' }, tags: ['blue'], description: 'first', hostname: 'db-1', networks: 'none' },
      { version: '2.90' },
    )
    expect(await show(id, '2.90')).toMatchObject({
      metadata: { role: 'db' },
      tags: ['blue'],
      description: 'first',
      'OS-EXT-SRV-ATTR:hostname': 'db-1',
    })
    expect(await show(id)).not.toHaveProperty('tags')
    expect((await create({ description: 'x' })).status).toBe(400)
  })

  it('answers a reservation when asked, for several servers named by number', async () => {
    const answer = await create({ name: 'many', min_count: 2, max_count: 2, return_reservation_id: true })
    expect(answer.body.reservation_id).toMatch(/^r-[0-9a-z]{8}$/)
    await cloud.settle()
    const found = (await cloud.call('GET', `${compute}/servers?name=many&sort_key=display_name&sort_dir=asc`)).body.servers
    expect(found.map(({ name }: { name: string }) => name)).toEqual(['many-1', 'many-2'])
    for (const { id } of found) await cloud.call('DELETE', `${compute}/servers/${id}`)
    await cloud.settle()
  })
})

describe('reading', () => {
  it('hides other projects, and host attributes from who is no administrator', async () => {
    const id = await made({ networks: 'none' }, { version: '2.37', as: 'admin' })
    expect((await cloud.call('GET', `${compute}/servers/${id}`, { as: 'demo' })).status).toBe(404)
    const own = await made({}, { as: 'demo' })
    const shown = await show(own, undefined, 'demo')
    expect(Object.keys(shown).filter((key) => key.startsWith('OS-EXT-SRV-ATTR'))).toEqual([])
    expect(await show(own)).toMatchObject({ 'OS-EXT-SRV-ATTR:host': 'host1' })
    expect((await cloud.call('GET', `${compute}/servers?all_tenants=1`, { as: 'demo' })).status).toBe(403)
    const all = (await cloud.call('GET', `${compute}/servers?all_tenants=1`)).body.servers.map((server: { id: string }) => server.id)
    expect(all).toContain(own)
  })

  it('pages newest first, with a next link while pages are full', async () => {
    const first = (await cloud.call('GET', `${compute}/servers?limit=2`)).body
    expect(first.servers).toHaveLength(2)
    const next = new URL(first.servers_links[0].href)
    const second = (await cloud.call('GET', next.pathname + next.search)).body
    const ids = [...first.servers, ...second.servers].map(({ id }: { id: string }) => id)
    expect(new Set(ids).size).toBe(ids.length)
    expect((await cloud.call('GET', `${compute}/servers?marker=70a599e0-31e7-49b7-b260-868f441e862b`)).body.badRequest.message).toContain(
      'marker [',
    )
    expect((await cloud.call('GET', `${compute}/servers?limit=0`)).body).toEqual({ servers: [] })
  })

  it.each([
    ['limit=-1', 400],
    ['limit=x', 400],
    ['sort_key=nope', 400],
    ['changes-since=yesterday', 400],
    ['name=(a%2B)%2B%24', 200],
    ['name=(?=a)', 400],
    ['_secret=1', 400],
    ['nonsense=1', 200],
    ['status=nonsense', 200],
  ])('GET /servers?%s → %i', async (query, status) => {
    expect((await cloud.call('GET', `${compute}/servers?${query}`)).status).toBe(status)
  })

  it('filters by status, name and tag', async () => {
    const id = await made({ name: 'needle', tags: ['rare'], networks: 'none' }, { version: '2.52' })
    const ids = async (query: string) =>
      (await cloud.call('GET', `${compute}/servers?${query}`, { version: '2.52' })).body.servers.map((server: { id: string }) => server.id)
    expect(await ids('name=eedl')).toEqual([id])
    expect(await ids('name=%5Enee.le%24')).toEqual([id])
    expect(await ids('tags=rare')).toEqual([id])
    expect(await ids('status=ACTIVE')).toContain(id)
    expect(await ids('status=SHUTOFF')).not.toContain(id)
  })
})

describe('actions and the end', () => {
  it('stops, refuses to stop again, starts, reboots', async () => {
    const id = await made()
    const act = (body: unknown) => cloud.call('POST', `${compute}/servers/${id}/action`, { body })
    expect((await act({ 'os-stop': null })).status).toBe(202)
    await cloud.settle()
    expect((await show(id)).status).toBe('SHUTOFF')
    const refused = await act({ 'os-stop': null })
    expect([refused.status, refused.body.conflictingRequest.message]).toEqual([
      409,
      `Cannot 'stop' instance ${id} while it is in vm_state stopped`,
    ])
    await act({ 'os-start': null })
    await cloud.settle()
    expect((await act({ reboot: { type: 'SOFT' } })).status).toBe(202)
    await cloud.settle()
    expect((await show(id)).status).toBe('ACTIVE')
    expect((await act({ 'os-getConsoleOutput': { length: 5 } })).body.output).toEqual(expect.any(String))
    expect((await act({ reboot: {} })).status).toBe(400)
    expect((await act({ fly: null })).body.badRequest.message).toBe('There is no such action: fly')
  })

  it('updates name and description, and deletes', async () => {
    const id = await made()
    const renamed = await cloud.call('PUT', `${compute}/servers/${id}`, { body: { server: { name: 'new' } } })
    expect(renamed.body.server.name).toBe('new')
    expect((await cloud.call('DELETE', `${compute}/servers/${id}`)).status).toBe(204)
    await cloud.settle()
    expect((await cloud.call('GET', `${compute}/servers/${id}`)).body.itemNotFound.message).toBe(`Instance ${id} could not be found.`)
  })
})
