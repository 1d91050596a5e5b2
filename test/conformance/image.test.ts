/** Image v2 as clients speak it: transcripts through the real dispatcher. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { CallOptions } from '../support/api.ts'
import { bytes, demo, type ImageWorld, imageCalls, raw, startImages } from '../support/image.ts'

const oldPatchType = { 'content-type': 'application/openstack-images-v2.0-json-patch' }
const demoProject = '0b0b0b0b0b0b4b0b8b0b0b0b0b0b0b0b'
const otherProject = '0c0c0c0c0c0c4c0c8c0c0c0c0c0c0c0c'
const uuid = '7f9e2b1a-0c1d-4e5f-8a9b-0123456789ab'
const replace = (path: string, value: unknown) => [{ op: 'replace', path, value }]

let world: ImageWorld
beforeEach(() => {
  world = startImages()
})
afterEach(() => world[Symbol.asyncDispose]())
const { create, upload, patch } = imageCalls(() => world.api)

describe('versions', () => {
  it('lists them with 300 at the root and 200 below, without a token', async () => {
    const root = await world.api.fetch(new Request('http://cloud.test/image/'))
    const list = await world.api.fetch(new Request('http://cloud.test/image/versions'))
    expect([root.status, list.status]).toEqual([300, 200])
    const document = (await root.json()) as { versions: { status: string; links: { href: string }[] }[] }
    expect(document.versions[0]).toMatchObject({ status: 'CURRENT', links: [{ href: 'http://cloud.test/image/v2/' }] })
    expect(await list.json()).toEqual(document)
  })
})

describe('create', () => {
  it('answers 201 with the image, queued, its properties beside its fields', async () => {
    const answer = await world.api.call('POST', '/images', {
      ...demo,
      body: { id: uuid, name: 'tiny', ...raw, min_ram: 64, tags: ['b', 'a', 'a'], os_distro: 'debian' },
    })
    expect(answer.status).toBe(201)
    expect(answer.headers.get('location')).toBe(`http://cloud.test/image/v2/images/${uuid}`)
    expect(answer.headers.get('openstack-image-import-methods')).toBe('glance-direct')
    expect(answer.body).toEqual({
      id: uuid,
      name: 'tiny',
      status: 'queued',
      disk_format: 'raw',
      container_format: 'bare',
      visibility: 'shared',
      size: null,
      virtual_size: null,
      checksum: null,
      os_hash_algo: null,
      os_hash_value: null,
      min_ram: 64,
      min_disk: 0,
      owner: demoProject,
      protected: false,
      os_hidden: false,
      tags: ['a', 'b'],
      os_distro: 'debian',
      created_at: '2026-01-01T00:00:00Z',
      updated_at: '2026-01-01T00:00:00Z',
      self: `/v2/images/${uuid}`,
      file: `/v2/images/${uuid}/file`,
      schema: '/v2/schemas/image',
    })
  })
  it.each<[string, object, CallOptions, number]>([
    ['a read-only field', { status: 'active' }, demo, 403],
    ['a reserved field', { locations: [] }, demo, 403],
    ["the service's own namespace", { os_glance_x: '1' }, demo, 403],
    ['an id that is none', { id: '../../etc/passwd' }, demo, 400],
    ['a property that is no text', { color: 7 }, demo, 400],
    ['an unknown format', { disk_format: 'exe' }, demo, 400],
    ['public by a member', { visibility: 'public' }, demo, 403],
    ['an owner that is another', { owner: otherProject }, demo, 403],
    ['too many tags', { tags: Array.from({ length: 129 }, (_, i) => `t${i}`) }, demo, 413],
    ['too many properties', Object.fromEntries(Array.from({ length: 129 }, (_, i) => [`p${i}`, ''])), demo, 413],
    ['by a reader', {}, { token: 'reader' }, 403],
    ['by nobody', {}, { token: null }, 401],
  ])('refuses %s', async (_what, body, options, status) => {
    expect((await world.api.call('POST', '/images', { ...options, body })).status).toBe(status)
    expect((await world.api.call('GET', '/images')).body.images).toEqual([])
  })
  it('refuses an id that is taken, and one that was', async () => {
    await create({ id: uuid })
    expect((await world.api.call('POST', '/images', { ...demo, body: { id: uuid } })).status).toBe(409)
    await world.api.call('DELETE', `/images/${uuid}`, demo)
    expect((await world.api.call('POST', '/images', { ...demo, body: { id: uuid } })).status).toBe(409)
  })
  it('answers in the words of HTML', async () => {
    const answer = await world.api.call('POST', '/images', { ...demo, body: { name: 7 } })
    expect(answer.headers.get('content-type')).toContain('text/html')
    expect(answer.text).toContain('Provided object does not match schema &#39;image&#39;')
  })
})

describe('change', () => {
  it('adds, replaces and removes', async () => {
    const { id } = await create({ os_distro: 'debian', gone: 'x' })
    const answer = await patch(id, [
      { op: 'replace', path: '/name', value: 'new' },
      { op: 'add', path: '/a~1b', value: 'slash' },
      { op: 'add', path: '/os_distro', value: 'ubuntu' },
      { op: 'remove', path: '/gone' },
      { op: 'replace', path: '/tags', value: ['x', 'y'] },
      { op: 'replace', path: '/protected', value: true },
    ])
    expect(answer.status).toBe(200)
    expect(answer.body).toMatchObject({ name: 'new', 'a/b': 'slash', os_distro: 'ubuntu', tags: ['x', 'y'], protected: true })
    expect(answer.body).not.toHaveProperty('gone')
    expect((await world.api.call('GET', `/images/${id}`, demo)).body).toEqual(answer.body)
  })
  it('knows the older form, which does not add what is there', async () => {
    const { id } = await create({ color: 'red' })
    const old = (changes: unknown) => patch(id, changes, { ...demo, headers: oldPatchType })
    expect((await old([{ replace: '/color', value: 'blue' }])).body.color).toBe('blue')
    expect((await old([{ add: '/color', value: 'green' }])).status).toBe(409)
    expect((await old([{ remove: '/color' }])).status).toBe(200)
  })
  it.each<[string, unknown, CallOptions, number]>([
    ['a read-only field', replace('/status', 'active'), demo, 403],
    ['the id', replace('/id', uuid), demo, 403],
    ['the loss of a field', [{ op: 'remove', path: '/name' }], demo, 403],
    ['a property that is not there', replace('/nope', 'x'), demo, 409],
    ['the removal of one that is not there', [{ op: 'remove', path: '/nope' }], demo, 409],
    ['a value that is no text', [{ op: 'add', path: '/x', value: 1 }], demo, 400],
    ['a path without slash', replace('name', 'x'), demo, 400],
    ['a path too deep', replace('/a/b', 'x'), demo, 400],
    ['a change without value', [{ op: 'add', path: '/x' }], demo, 400],
    ['another operation', [{ op: 'move', path: '/x', from: '/y' }], demo, 400],
    ['what is no list', { op: 'add' }, demo, 400],
    ['going public', replace('/visibility', 'public'), demo, 403],
    ['another owner', replace('/owner', otherProject), demo, 403],
    ['plain JSON', replace('/name', 'x'), { ...demo, headers: { 'content-type': 'application/json' } }, 415],
    ['by a reader', replace('/name', 'x'), { token: 'reader' }, 403],
    ['by another project', replace('/name', 'x'), { token: 'other' }, 404],
  ])('refuses %s, all of it', async (_what, changes, options, status) => {
    const before = await create()
    const list = Array.isArray(changes) ? [{ op: 'replace', path: '/min_ram', value: 9 }, ...changes] : changes
    expect((await patch(before.id, list, options)).status).toBe(status)
    expect((await world.api.call('GET', `/images/${before.id}`, demo)).body).toEqual(before)
  })
  it('keeps the formats of what has bytes', async () => {
    const { id } = await create()
    expect((await patch(id, replace('/disk_format', 'iso'))).status).toBe(200)
    expect((await patch(id, replace('/disk_format', 'raw'))).status).toBe(200)
    await upload(id, bytes('a'))
    expect((await patch(id, replace('/disk_format', 'qcow2'))).status).toBe(403)
  })
  it('lets a foreigner see a public image and not change it', async () => {
    const { id } = await create({}, { token: 'admin' })
    await patch(id, replace('/visibility', 'public'), { token: 'admin' })
    expect((await world.api.call('GET', `/images/${id}`, demo)).status).toBe(200)
    expect((await patch(id, replace('/name', 'mine'))).status).toBe(403)
    expect((await world.api.call('DELETE', `/images/${id}`, demo)).status).toBe(403)
  })
})

describe('delete', () => {
  it('takes the bytes with it', async () => {
    const { id } = await create()
    await upload(id, bytes('a'))
    expect((await world.api.call('DELETE', `/images/${id}`, demo)).status).toBe(204)
    expect((await world.api.call('GET', `/images/${id}`, demo)).status).toBe(404)
    expect((await world.api.call('DELETE', `/images/${id}`, demo)).status).toBe(404)
    expect(world.filesOnDisk()).toEqual([])
  })
  it('is refused while the image is protected', async () => {
    const { id } = await create({ protected: true })
    expect((await world.api.call('DELETE', `/images/${id}`, demo)).status).toBe(403)
  })
})

describe('list', () => {
  const names = async (query: string, options: CallOptions = demo): Promise<string[]> =>
    (await world.api.call('GET', `/images?${query}`, options)).body.images.map(({ name }: { name: string }) => name)
  const fill = async () => {
    for (const [i, name] of ['a', 'b', 'c', 'd', 'e'].entries()) {
      await create({ name, tags: i % 2 ? ['odd', 'all'] : ['all'], color: i < 2 ? 'red' : 'blue', min_ram: i })
      await world.clock.advance('1 s')
    }
  }
  it('walks by pages in any order', async () => {
    await fill()
    for (const [order, expected] of [
      ['', 'edcba'],
      ['&sort=name:asc', 'abcde'],
      ['&sort_key=name&sort_dir=desc', 'edcba'],
      ['&sort=size:asc,name:desc', 'edcba'],
      ['&sort_key=created_at&sort_dir=asc', 'abcde'],
    ] as const) {
      let seen = ''
      let next: string | undefined = `/v2/images?limit=2${order}`
      for (let page = 0; next && page < 5; page += 1) {
        const { body }: { body: { images: { name: string }[]; next?: string; first: string } } = await world.api.call(
          'GET',
          next.slice(3),
          demo,
        )
        expect(body.first).not.toContain('marker')
        seen += body.images.map(({ name }) => name).join('')
        next = body.next
      }
      expect(seen, order).toBe(expected)
    }
  })
  it.each([
    ['name=c', 'c'],
    ['name=in:a,%22b%22', 'ab'],
    ['name=eq:a', 'a'],
    ['color=red', 'ab'],
    ['tag=odd&tag=all', 'bd'],
    ['min_ram=3', 'd'],
    ['created_at=gte:2026-01-01T00:00:03Z', 'de'],
    ['created_at=lt:2026-01-01T00:00:01Z', 'a'],
    ['created_at=2026-01-01T00:00:01', 'b'],
    ['status=active', ''],
    ['status=in:queued,active', 'abcde'],
    ['protected=true', ''],
    ['os_hidden=true', ''],
    ['visibility=private', ''],
    ['visibility=all', 'abcde'],
    [`owner=${demoProject}`, 'abcde'],
    ['size_max=0', ''],
    ['limit=0', ''],
    ["name=x' OR '1'='1", ''],
  ])('filters by %s', async (query, expected) => {
    await fill()
    expect((await names(`${query}&sort=name:asc`)).join('')).toBe(expected)
  })
  it.each([
    'limit=-1',
    'limit=x',
    'marker=nope',
    `marker=${uuid}`,
    'sort_key=owner',
    'sort=name:up',
    'sort_dir=asc&sort_dir=desc',
    'sort=name&sort_key=name',
    'visibility=x',
    'member_status=x',
    'protected=maybe',
    'size_min=x',
    'created_at=soon',
    'created_at=in:2026-01-01',
    'name=neq:a',
    'name=in:%22a',
  ])('refuses %s', async (query) => {
    expect((await world.api.call('GET', `/images?${query}`, demo)).status).toBe(400)
  })
  it('shows each what it may see', async () => {
    await create({ name: 'own' })
    await create({ name: 'hidden', os_hidden: true })
    await create({ name: 'community', visibility: 'community' }, { token: 'other' })
    await create({ name: 'private', visibility: 'private' }, { token: 'other' })
    await create({ name: 'public', visibility: 'public' }, { token: 'admin' })
    expect(await names('sort=name:asc')).toEqual(['own', 'public'])
    expect(await names('sort=name:asc&visibility=all')).toEqual(['community', 'own', 'public'])
    expect(await names('visibility=community')).toEqual(['community'])
    expect(await names('os_hidden=true')).toEqual(['hidden'])
    expect(await names('sort=name:asc', { token: 'admin' })).toEqual(['community', 'own', 'private', 'public'])
  })
})

describe('members', () => {
  const call = (method: string, path: string, token: string, body?: unknown) =>
    world.api.call(method, path, { token, ...(body ? { body } : {}) })
  it('are offered an image, and take it or not', async () => {
    const { id } = await create()
    const at = `/images/${id}/members`
    expect((await call('GET', `/images/${id}`, 'other')).status).toBe(404)
    const added = await call('POST', at, 'demo', { member: otherProject })
    expect([added.status, added.body]).toEqual([
      200,
      {
        image_id: id,
        member_id: otherProject,
        status: 'pending',
        created_at: '2026-01-01T00:00:00Z',
        updated_at: '2026-01-01T00:00:00Z',
        schema: '/v2/schemas/member',
      },
    ])
    expect((await call('POST', at, 'demo', { member: otherProject })).status).toBe(409)
    expect((await call('GET', `/images/${id}`, 'other')).status).toBe(200)
    expect((await call('GET', '/images', 'other')).body.images).toEqual([])
    expect((await call('PUT', `${at}/${otherProject}`, 'demo', { status: 'accepted' })).status).toBe(403)
    expect((await call('PUT', `${at}/${otherProject}`, 'other', { status: 'perhaps' })).status).toBe(400)
    expect((await call('PUT', `${at}/${otherProject}`, 'other', { status: 'accepted' })).body.status).toBe('accepted')
    expect((await call('GET', '/images', 'other')).body.images).toHaveLength(1)
    expect((await call('GET', at, 'other')).body).toMatchObject({ schema: '/v2/schemas/members', members: [{ member_id: otherProject }] })
    expect((await call('POST', at, 'other', { member: 'x' })).status).toBe(403)
    expect((await call('DELETE', `${at}/${otherProject}`, 'other')).status).toBe(403)
    expect((await call('DELETE', `${at}/${otherProject}`, 'demo')).status).toBe(204)
    expect((await call('DELETE', `${at}/${otherProject}`, 'demo')).status).toBe(404)
    expect((await call('POST', at, 'demo', { member: otherProject })).status).toBe(200)
    expect((await call('DELETE', `${at}/${otherProject}`, 'demo')).status).toBe(204)
    expect((await call('GET', `/images/${id}`, 'other')).status).toBe(404)
  })
  it('belong to shared images only', async () => {
    const { id } = await create({ visibility: 'private' })
    expect((await call('POST', `/images/${id}/members`, 'demo', { member: otherProject })).status).toBe(403)
    expect((await call('GET', `/images/${id}/members`, 'demo')).status).toBe(403)
  })
})

describe('tags, deactivation, information', () => {
  it('tags one by one', async () => {
    const { id } = await create()
    const tag = (method: string, name: string) => world.api.call(method, `/images/${id}/tags/${name}`, demo)
    expect((await tag('PUT', 'x')).status).toBe(204)
    expect((await tag('PUT', 'x')).status).toBe(204)
    expect((await tag('PUT', 'y'.repeat(256))).status).toBe(400)
    expect((await world.api.call('GET', `/images/${id}`, demo)).body.tags).toEqual(['x'])
    expect((await tag('DELETE', 'x')).status).toBe(204)
    expect((await tag('DELETE', 'x')).status).toBe(404)
  })
  it('deactivates and back', async () => {
    const { id } = await create()
    const act = (action: string) => world.api.call('POST', `/images/${id}/actions/${action}`, demo)
    expect((await act('deactivate')).status).toBe(403)
    await upload(id, bytes('a'))
    expect([(await act('deactivate')).status, (await act('deactivate')).status]).toEqual([204, 204])
    expect((await world.api.call('GET', `/images/${id}/file`, demo)).status).toBe(403)
    expect((await world.api.call('GET', `/images/${id}/file`)).status).toBe(200)
    expect((await act('reactivate')).status).toBe(204)
    expect((await world.api.call('GET', `/images/${id}/file`, demo)).text).toBe('a')
  })
  it.each([
    ['/schemas/image', 200],
    ['/schemas/images', 200],
    ['/schemas/member', 200],
    ['/schemas/members', 200],
    ['/info/import', 200],
    ['/info/stores', 404],
    ['/info/usage', 200],
    ['/metadefs/namespaces', 200],
    ['/metadefs/namespaces/x', 404],
    ['/metadefs/resource_types', 200],
    ['/schemas/metadefs/namespaces', 200],
    ['/tasks', 403],
    ['/nothing', 404],
  ])('GET %s is %i', async (path, status) => {
    expect((await world.api.call('GET', path, demo)).status).toBe(status)
  })
  it('has a schema that clients can build a model of', async () => {
    const { body } = await world.api.call('GET', '/schemas/image', demo)
    expect(body.name).toBe('image')
    expect(body.additionalProperties).toEqual({ type: 'string' })
    expect(body.properties.disk_format).toMatchObject({ type: ['string', 'null'], enum: expect.arrayContaining([null, 'qcow2']) })
  })
  it('tells services where the bytes lie, and nobody else', async () => {
    const { id } = await create({ visibility: 'community' })
    await upload(id, bytes('a'))
    expect((await world.api.call('GET', `/images/${id}/locations`)).body).toMatchObject([{ metadata: { store: 'file' } }])
    expect((await world.api.call('GET', `/images/${id}/locations`, demo)).status).toBe(403)
  })
})
