/** Host aggregates over HTTP, on three pretended hosts: zones follow their metadata, placement their memberships. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type CloudCall, startTestCloud, type TestCloud } from '../support/cloud.ts'
import { samplesIn, samplesMissing, shapeDifferences } from '../support/samples.ts'

let cloud: TestCloud
let hosts: string[]
let image: string
let serial = 0
const call = (method: string, path: string, options: CloudCall = {}) =>
  cloud.call(method, `/compute/v2.1${path}`, { version: '2.81', ...options })
const create = async (zone: string | null = null, name = `aggregate${++serial}`) =>
  (await call('POST', '/os-aggregates', { body: { aggregate: { name, ...(zone === null ? {} : { availability_zone: zone }) } } })).body
    .aggregate
const act = (id: number, name: string, body: unknown) => call('POST', `/os-aggregates/${id}/action`, { body: { [name]: body } })
const add = (id: number, host = hosts[0]) => act(id, 'add_host', { host })
const remove = (id: number, host = hosts[0]) => act(id, 'remove_host', { host })
const zoneOf = async (host = hosts[0]) =>
  (await call('GET', `/os-services?host=${host}&binary=nova-compute`)).body.services[0].zone as string
async function boot(zone: string | undefined, expected = 'ACTIVE'): Promise<{ id: string; host: string; zone: string }> {
  const server = { name: 's', imageRef: image, flavorRef: '42', networks: 'none', ...(zone ? { availability_zone: zone } : {}) }
  const { id } = (await call('POST', '/servers', { body: { server } })).body.server
  await cloud.settle()
  const made = (await call('GET', `/servers/${id}`)).body.server
  expect(made.status).toBe(expected)
  return { id, host: made['OS-EXT-SRV-ATTR:host'], zone: made['OS-EXT-AZ:availability_zone'] }
}
async function destroy(id: string): Promise<void> {
  await call('DELETE', `/servers/${id}`)
  await cloud.settle()
}

beforeAll(async () => {
  cloud = await startTestCloud({ flags: { 'fake.hosts': '3' } })
  hosts = (await call('GET', '/os-services?binary=nova-compute')).body.services.map(({ host }: { host: string }) => host)
  image = (await cloud.call('GET', '/image/v2/images?name=tiny')).body.images[0].id
})
afterAll(() => cloud[Symbol.asyncDispose]())

describe('aggregates', () => {
  it('are made, shown, renamed and deleted', async () => {
    const made = await create(null, 'fast')
    expect(made).toEqual({
      id: expect.any(Number),
      uuid: expect.any(String),
      name: 'fast',
      availability_zone: null,
      created_at: expect.any(String),
      updated_at: null,
      deleted: false,
      deleted_at: null,
    })
    const renamed = await call('PUT', `/os-aggregates/${made.id}`, { body: { aggregate: { name: 'faster' } } })
    expect(renamed.body.aggregate).toMatchObject({ name: 'faster', hosts: [], metadata: {}, updated_at: expect.any(String) })
    expect((await call('GET', '/os-aggregates')).body.aggregates.map(({ name }: { name: string }) => name)).toContain('faster')
    expect((await call('DELETE', `/os-aggregates/${made.id}`)).status).toBe(200)
    expect((await call('GET', `/os-aggregates/${made.id}`)).status).toBe(404)
  })

  it('show their uuid from 2.41', async () => {
    const { id } = await create()
    expect((await call('GET', `/os-aggregates/${id}`, { version: '2.40' })).body.aggregate).not.toHaveProperty('uuid')
    expect((await call('GET', `/os-aggregates/${id}`, { version: '2.41' })).body.aggregate).toHaveProperty('uuid')
  })

  it.each([
    ['no name', { aggregate: {} }],
    ['an empty name', { aggregate: { name: '' } }],
    ['a colon in the zone', { aggregate: { name: 'x', availability_zone: 'a:b' } }],
    ['an empty zone', { aggregate: { name: 'x', availability_zone: '' } }],
    ['an unknown key', { aggregate: { name: 'x', colour: 'red' } }],
    ['nothing', {}],
  ])('are not made of %s', async (_what, body) => {
    expect((await call('POST', '/os-aggregates', { body })).status).toBe(400)
  })

  it('have names of their own', async () => {
    const [one, two] = [await create(null, 'mine'), await create(null, 'yours')]
    expect((await call('POST', '/os-aggregates', { body: { aggregate: { name: 'mine' } } })).status).toBe(409)
    expect((await call('PUT', `/os-aggregates/${two.id}`, { body: { aggregate: { name: 'mine' } } })).status).toBe(409)
    expect((await call('PUT', `/os-aggregates/${one.id}`, { body: { aggregate: { name: 'mine' } } })).status).toBe(200)
    expect((await call('PUT', `/os-aggregates/${one.id}`, { body: { aggregate: {} } })).status).toBe(400)
  })

  it('are known by number', async () => {
    expect((await call('GET', '/os-aggregates/one')).status).toBe(400)
    expect((await call('GET', '/os-aggregates/4242')).status).toBe(404)
    expect((await add(4242)).status).toBe(404)
    expect((await call('DELETE', '/os-aggregates/-1')).status).toBe(400)
  })

  it('are for administrators', async () => {
    const { id } = await create()
    const demo = { as: 'demo' } as const
    expect((await call('GET', '/os-aggregates', demo)).status).toBe(403)
    expect((await call('POST', '/os-aggregates', { ...demo, body: { aggregate: { name: 'x' } } })).status).toBe(403)
    expect((await call('DELETE', `/os-aggregates/${id}`, demo)).status).toBe(403)
  })

  it('keep metadata: values change, null removes', async () => {
    const { id } = await create()
    await act(id, 'set_metadata', { metadata: { ssd: 'true', rack: '1' } })
    const changed = await act(id, 'set_metadata', { metadata: { ssd: null, rack: '2' } })
    expect(changed.body.aggregate.metadata).toEqual({ rack: '2' })
    expect((await act(id, 'set_metadata', { metadata: { 'no/slash': 'x' } })).status).toBe(400)
    expect((await act(id, 'set_metadata', { metadata: { availability_zone: '' } })).status).toBe(400)
    expect((await act(id, 'set_metadata', { metadata: { rack: 2 } })).status).toBe(400)
  })
})

describe('hosts of aggregates', () => {
  it('must exist, and are in an aggregate once', async () => {
    const { id } = await create()
    expect((await add(id, 'moon')).status).toBe(404)
    expect((await add(id)).body.aggregate.hosts).toEqual([hosts[0]])
    expect((await add(id)).status).toBe(409)
    expect((await call('DELETE', `/os-aggregates/${id}`)).status).toBe(400)
    expect((await remove(id)).body.aggregate.hosts).toEqual([])
    expect((await remove(id)).status).toBe(404)
    expect((await act(id, 'add_host', { host: 'a b' })).status).toBe(400)
  })

  it('are in one zone at most', async () => {
    const [paris, london, plain] = [await create('paris'), await create('london'), await create()]
    expect(await zoneOf()).toBe('nova')
    await add(paris.id)
    expect(await zoneOf()).toBe('paris')
    expect((await add(london.id)).status).toBe(409)
    await add(plain.id)
    expect((await act(plain.id, 'set_metadata', { metadata: { availability_zone: 'london' } })).status).toBe(400)
    expect((await act(plain.id, 'set_metadata', { metadata: { availability_zone: 'paris' } })).status).toBe(200)
    await remove(paris.id)
    expect(await zoneOf()).toBe('paris')
    await remove(plain.id)
    expect(await zoneOf()).toBe('nova')
  })

  it('stay in their zone while they have servers', async () => {
    const { id } = await create('rome')
    await add(id, hosts[1])
    const server = await boot('rome')
    expect(server).toMatchObject({ host: hosts[1], zone: 'rome' })
    expect((await remove(id, hosts[1])).status).toBe(409)
    expect((await call('PUT', `/os-aggregates/${id}`, { body: { aggregate: { availability_zone: 'oslo' } } })).status).toBe(400)
    expect((await act(id, 'set_metadata', { metadata: { availability_zone: null } })).status).toBe(400)
    expect((await act(id, 'set_metadata', { metadata: { availability_zone: 'rome', rack: '7' } })).status).toBe(200)
    await destroy(server.id)
    expect((await remove(id, hosts[1])).status).toBe(200)
    const busy = await boot(`nova:${hosts[1]}`)
    expect((await add(id, hosts[1])).status).toBe(409)
    await destroy(busy.id)
    expect(
      (
        await call('POST', '/servers', {
          body: { server: { name: 's', imageRef: image, flavorRef: '42', networks: 'none', availability_zone: 'rome' } },
        })
      ).status,
    ).toBe(400)
  })

  it('are mirrored into placement, beside what others put there', async () => {
    const { id, uuid } = await create()
    const [{ id: node }] = (await call('GET', `/os-hypervisors?hypervisor_hostname_pattern=${hosts[2]}`)).body.hypervisors
    const path = `/placement/resource_providers/${node}/aggregates`
    const foreign = '70a599e0-31e7-49b7-b260-868f441e862b'
    await cloud.call('PUT', path, { body: [foreign], headers: { 'openstack-api-version': 'placement 1.18' } })
    const members = async () => (await cloud.call('GET', path, { headers: { 'openstack-api-version': 'placement 1.18' } })).body.aggregates
    await add(id, hosts[2])
    expect(await members()).toEqual([foreign, uuid])
    await remove(id, hosts[2])
    expect(await members()).toEqual([foreign])
  })

  it('fetch images before they are needed', async () => {
    const { id } = await create()
    await add(id)
    const cache = (cached: unknown, version = '2.81') => call('POST', `/os-aggregates/${id}/images`, { version, body: { cache: cached } })
    expect((await cache([{ id: image }])).status).toBe(202)
    expect((await cache([{ id: image }], '2.80')).status).toBe(404)
    expect((await cache([{ id: image }, { id: image }])).status).toBe(400)
    expect((await cache([])).status).toBe(400)
    expect((await cache([{ id: '70a599e0-31e7-49b7-b260-868f441e862b' }])).status).toBe(404)
    await cloud.settle()
    await remove(id)
  })

  it('leave them when their service is deleted', async () => {
    const { id } = await create('paris')
    await add(id, hosts[2])
    const [{ id: service }] = (await call('GET', `/os-services?host=${hosts[2]}&binary=nova-compute`)).body.services
    expect((await call('DELETE', `/os-services/${service}`)).status).toBe(204)
    expect((await call('GET', `/os-aggregates/${id}`)).body.aggregate.hosts).toEqual([])
    expect((await call('DELETE', `/os-aggregates/${id}`)).status).toBe(200)
  })
})

describe.skipIf(samplesMissing)('samples', () => {
  const requests: Record<string, (version: string, id: number) => ReturnType<typeof call>> = {
    'aggregate-post-resp.json': (version) =>
      call('POST', '/os-aggregates', { version, body: { aggregate: { name: `n${++serial}`, availability_zone: 'london' } } }),
    'aggregate-update-post-resp.json': (version, id) =>
      call('PUT', `/os-aggregates/${id}`, { version, body: { aggregate: { availability_zone: 'nova2' } } }),
    'aggregates-add-host-post-resp.json': (version, id) =>
      call('POST', `/os-aggregates/${id}/action`, { version, body: { add_host: { host: hosts[0] } } }),
    'aggregates-get-resp.json': (version, id) => call('GET', `/os-aggregates/${id}`, { version }),
    'aggregates-list-get-resp.json': (version) => call('GET', '/os-aggregates', { version }),
    'aggregates-metadata-post-resp.json': (version, id) =>
      call('POST', `/os-aggregates/${id}/action`, { version, body: { set_metadata: { metadata: { key: 'value' } } } }),
    'aggregates-remove-host-post-resp.json': async (version, id) => {
      await add(id)
      return await call('POST', `/os-aggregates/${id}/action`, { version, body: { remove_host: { host: hosts[0] } } })
    },
  }
  const samples = samplesMissing ? [] : samplesIn('os-aggregates').filter(({ file }) => file.endsWith('-resp.json'))
  it.each(samples.map((sample) => [`${sample.version} ${sample.file}`, sample] as const))('%s', async (_name, sample) => {
    const { id } = await create('london')
    const answer = await requests[sample.file]!(sample.version, id)
    expect(answer.status, answer.text).toBe(200)
    expect(shapeDifferences(sample.document, answer.body, { free: ['metadata'] })).toEqual([])
    await remove(id)
  })
})
