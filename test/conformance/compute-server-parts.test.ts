/** What hangs on a server: metadata, tags, addresses, interfaces, groups and the log of its actions. */
import fc from 'fast-check'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { type CloudCall, startTestCloud, type TestCloud } from '../support/cloud.ts'

let cloud: TestCloud
let id: string
const call = (method: string, path: string, options: CloudCall = {}) =>
  cloud.call(method, `/compute/v2.1${path}`, { as: 'demo', ...options })
const at = (path: string) => `/servers/${id}${path}`

async function makeServer(): Promise<string> {
  const image = (await cloud.call('GET', '/image/v2/images?name=tiny')).body.images[0].id
  const { server } = (await call('POST', '/servers', { body: { server: { name: 'web1', imageRef: image, flavorRef: '42' } } })).body
  await cloud.settle()
  return server.id
}
const act = async (body: Record<string, unknown>) => {
  const answer = await call('POST', at('/action'), { body })
  await cloud.settle()
  return answer.headers.get('x-compute-request-id') ?? ''
}

beforeAll(async () => {
  cloud = await startTestCloud({ flags: { 'quota.metadata_items': '4' } })
  id = await makeServer()
})
afterAll(() => cloud[Symbol.asyncDispose]())

describe('metadata', () => {
  beforeEach(() => call('PUT', at('/metadata'), { body: { metadata: { foo: 'Foo Value' } } }))
  const all = async () => (await call('GET', at('/metadata'))).body.metadata

  it('is merged by POST, replaced by PUT', async () => {
    expect((await call('POST', at('/metadata'), { body: { metadata: { bar: '1' } } })).body).toEqual({
      metadata: { foo: 'Foo Value', bar: '1' },
    })
    expect((await call('PUT', at('/metadata'), { body: { metadata: { x: 'y' } } })).body).toEqual({ metadata: { x: 'y' } })
    expect(await all()).toEqual({ x: 'y' })
  })

  it('is set, read and deleted one by one', async () => {
    expect((await call('PUT', at('/metadata/a'), { body: { meta: { a: '1' } } })).body).toEqual({ meta: { a: '1' } })
    expect((await call('PUT', at('/metadata/a'), { body: { meta: { b: '1' } } })).status).toBe(400)
    expect((await call('PUT', at('/metadata/a'), { body: { meta: { a: '1', b: '1' } } })).status).toBe(400)
    expect((await call('GET', at('/metadata/a'))).body).toEqual({ meta: { a: '1' } })
    expect((await call('DELETE', at('/metadata/a'))).status).toBe(204)
    expect((await call('DELETE', at('/metadata/a'))).body.itemNotFound.message).toBe('Metadata item was not found')
    expect((await call('GET', at('/metadata/constructor'))).status).toBe(404)
  })

  it('keeps a key that is called __proto__', async () => {
    await cloud.call('PUT', `/compute/v2.1${at('/metadata')}`, { as: 'demo', body: JSON.parse('{"metadata": {"__proto__": "x"}}') })
    expect(Object.entries(await all())).toEqual([['__proto__', 'x']])
  })

  it.each([
    ['a value that is no text', { metadata: { a: 1 } }, 400],
    ['a value too long', { metadata: { a: 'x'.repeat(256) } }, 400],
    ['a key with a slash', { metadata: { 'a/b': 'x' } }, 400],
    ['an empty key', { metadata: { '': 'x' } }, 400],
    ['an unknown key beside', { metadata: {}, colour: 'red' }, 400],
    ['more than the quota', { metadata: { a: '1', b: '2', c: '3', d: '4' } }, 403],
  ])('refuses %s, and changes nothing', async (_what, body, status) => {
    expect((await call('POST', at('/metadata'), { body })).status).toBe(status)
    expect(await all()).toEqual({ foo: 'Foo Value' })
  })

  it('of a locked server is changed by administrators alone', async () => {
    const lock = (locked: 0 | 1) => cloud.cloud.ground.db.prepare('UPDATE instances SET locked = ? WHERE uuid = ?').run(locked, id)
    lock(1)
    const put = (as: 'admin' | 'demo') => call('PUT', at('/metadata'), { as, body: { metadata: {} } })
    expect((await put('demo')).body.conflictingRequest.message).toBe(`Instance ${id} is locked`)
    expect((await put('admin')).status).toBe(200)
    lock(0)
  })

  it('of a failed server stays as it is', async () => {
    cloud.cloud.ground.db.prepare("UPDATE instances SET vm_state = 'error' WHERE uuid = ?").run(id)
    const answer = await call('POST', at('/metadata'), { body: { metadata: { a: '1' } } })
    expect([answer.status, answer.body.conflictingRequest?.message]).toEqual([
      409,
      `Cannot 'update metadata' instance ${id} while it is in vm_state error`,
    ])
    cloud.cloud.ground.db.prepare("UPDATE instances SET vm_state = 'active' WHERE uuid = ?").run(id)
  })

  it('answers no body with a fault of the server', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.oneof(fc.dictionary(fc.string(), fc.oneof(fc.string(), fc.integer(), fc.constant(null))), fc.string()),
        async (metadata) => {
          expect((await call('POST', at('/metadata'), { body: { metadata } })).status).toBeLessThan(500)
        },
      ),
      { numRuns: 100 },
    )
  })
})

describe('tags', () => {
  const version = '2.26'
  const tag = (method: string, name: string) => call(method, at(`/tags/${name}`), { version })
  const put = (tags: unknown) => call('PUT', at('/tags'), { version, body: { tags } })
  beforeEach(() => put([]))

  it('begin at 2.26', async () => {
    expect((await call('GET', at('/tags'), { version: '2.25' })).status).toBe(404)
  })

  it('are added with 201 and a Location, and again with 204', async () => {
    const added = await tag('PUT', 'blue')
    expect([added.status, added.headers.get('location')]).toEqual([201, `http://cloud.test/compute/v2.1/servers/${id}/tags/blue`])
    expect((await tag('PUT', 'blue')).status).toBe(204)
    expect([(await tag('GET', 'blue')).status, (await tag('GET', 'red')).status]).toEqual([204, 404])
    expect([(await tag('DELETE', 'blue')).status, (await tag('DELETE', 'blue')).status]).toEqual([204, 404])
  })

  it('are replaced and deleted together', async () => {
    expect((await put(['b', 'a', 'b'])).body).toEqual({ tags: ['a', 'b'] })
    expect((await call('DELETE', at('/tags'), { version })).status).toBe(204)
    expect((await call('GET', at('/tags'), { version })).body).toEqual({ tags: [] })
  })

  it('are at most 50, of 1 to 60 characters without comma and slash', async () => {
    const fifty = Array.from({ length: 50 }, (_, i) => `t${i}`)
    expect((await put([...fifty, 'one more'])).status).toBe(400)
    expect((await put(fifty)).status).toBe(200)
    expect((await tag('PUT', 'one-more')).status).toBe(400)
    for (const bad of ['a,b', 'a%2Fb', 'x'.repeat(61)]) expect((await tag('PUT', bad)).status).toBe(400)
    expect((await put([''])).status).toBe(400)
  })
})

describe('addresses, interfaces and groups', () => {
  it('are those of the ports', async () => {
    const { addresses } = (await call('GET', at('/ips'))).body
    const [label = ''] = Object.keys(addresses)
    expect((await call('GET', at(`/ips/${label}`))).body).toEqual({ [label]: addresses[label] })
    expect((await call('GET', at('/ips/moon'))).status).toBe(404)
    const [port] = (await call('GET', at('/os-interface'))).body.interfaceAttachments
    expect(port.fixed_ips[0].ip_address).toBe(addresses[label][0].addr)
    expect((await call('GET', at(`/os-interface/${port.port_id}`))).body.interfaceAttachment).toEqual(port)
    expect((await call('GET', at('/os-interface/moon'))).status).toBe(404)
    const [group] = (await call('GET', at('/os-security-groups'))).body.security_groups
    expect(group.name).toBe('default')
    const own = { name: 'default', tenant_id: group.tenant_id }
    expect(group.rules.map((rule: { group: unknown }) => rule.group)).toContainEqual(own)
  })

  it("are hidden with the server from others' eyes", async () => {
    const { server } = (
      await call('POST', '/servers', {
        as: 'admin',
        body: {
          server: { name: 'a', imageRef: (await cloud.call('GET', '/image/v2/images?name=tiny')).body.images[0].id, flavorRef: '42' },
        },
      })
    ).body
    await cloud.settle()
    for (const part of ['metadata', 'ips', 'os-interface', 'os-security-groups', 'os-instance-actions'])
      expect((await call('GET', `/servers/${server.id}/${part}`)).status).toBe(404)
  })
})

describe('actions', () => {
  const list = async (query = '', version = '2.58', server = id) =>
    (await call('GET', `/servers/${server}/os-instance-actions${query}`, { version })).body
  const actions = async (...args: Parameters<typeof list>) =>
    (await list(...args)).instanceActions.map((one: { action: string }) => one.action)

  it('come newest first, in pages from 2.58', async () => {
    const stop = await act({ 'os-stop': null })
    await act({ 'os-start': null })
    expect((await actions()).slice(0, 2)).toEqual(['start', 'stop'])
    const page = await list('?limit=1')
    expect(page.links[0].href).toContain(`/servers/${id}/os-instance-actions?limit=1&marker=${page.instanceActions[0].request_id}`)
    expect((await actions(`?marker=${stop}`)).at(-1)).toBe('create')
    expect((await actions('?limit=1', '2.57')).length).toBeGreaterThan(2)
  })

  it.each([
    ['?marker=nope', '2.58'],
    ['?limit=x', '2.58'],
    ['?changes-since=yesterday', '2.58'],
    ['?changes-before=2026-01-01', '2.65'],
    ['?colour=red', '2.58'],
    ['?changes-since=2030-01-01T00:00:00Z&changes-before=2020-01-01T00:00:00Z', '2.66'],
  ])('%s is refused at %s', async (query, version) => {
    expect((await call('GET', at(`/os-instance-actions${query}`), { version })).status).toBe(400)
  })

  it('show events to their owners from 2.51, tracebacks and hosts to administrators', async () => {
    const { request_id } = (await list()).instanceActions[0]
    const show = async (version: string, as: 'admin' | 'demo') =>
      (await call('GET', at(`/os-instance-actions/${request_id}`), { version, as })).body.instanceAction.events
    expect(await show('2.50', 'demo')).toBeUndefined()
    expect(await show('2.50', 'admin')).toBeDefined()
    expect(Object.keys((await show('2.62', 'demo'))[0])).not.toContain('host')
    expect((await show('2.62', 'admin'))[0].host).toBe('host1')
    expect((await call('GET', at('/os-instance-actions/req-1'))).status).toBe(404)
  })

  it('outlive their server from 2.21', async () => {
    const gone = await makeServer()
    await call('DELETE', `/servers/${gone}`)
    await cloud.settle()
    expect((await call('GET', `/servers/${gone}/os-instance-actions`, { version: '2.20' })).status).toBe(404)
    expect(await actions('', '2.21', gone)).toEqual(['delete', 'create'])
  })
})
