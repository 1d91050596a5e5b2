/** What a client saw of a real Nova when both were asked the same: the order of checks, and corners of lists and bodies. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type CloudCall, startTestCloud, type TestCloud } from '../support/cloud.ts'

let cloud: TestCloud
let image: string
let suspended: string
const nobody = '70a599e0-31e7-49b7-b260-868f441e862b'
const call = (method: string, path: string, options: CloudCall = {}) => cloud.call(method, `/compute/v2.1${path}`, options)
const server = (over: Record<string, unknown> = {}) => ({ server: { name: 'web1', imageRef: image, flavorRef: '42', ...over } })
const made = async (over: Record<string, unknown> = {}, version = '2.1'): Promise<string> => {
  const answer = await call('POST', '/servers', { body: server(over), version })
  expect(answer.status, answer.text).toBe(202)
  await cloud.settle()
  return answer.body.server.id
}
const act = (id: string, body: unknown, version = '2.93') => call('POST', `/servers/${id}/action`, { body, version })

beforeAll(async () => {
  cloud = await startTestCloud({ flags: { 'fake.hosts': '2', 'quota.instances': '-1' } })
  image = (await cloud.call('GET', '/image/v2/images?name=tiny')).body.images[0].id
  suspended = await made({ name: 'suspended' })
  await act(suspended, { suspend: null })
  await cloud.settle()
})
afterAll(() => cloud[Symbol.asyncDispose]())

describe('the state is judged before what the request names', () => {
  it.each([
    ['a flavor', { resize: { flavorRef: 'nope' } }],
    ['a host', { migrate: { host: 'nope' } }],
    ['an image to rescue with', { rescue: { rescue_image_ref: nobody } }],
    ['an image to rebuild from', { rebuild: { imageRef: nobody } }],
    ['a zone', { unshelve: { availability_zone: 'nope' } }],
  ])('%s', async (_what, body) => {
    expect((await act(suspended, body)).status).toBe(409)
  })

  it('a network', async () => {
    const path = `/servers/${suspended}/os-interface`
    expect((await call('POST', path, { body: { interfaceAttachment: { net_id: nobody } } })).status).toBe(409)
    expect((await call('POST', path, { body: { interfaceAttachment: { net_id: nobody, port_id: nobody } } })).status).toBe(400)
  })
})

describe("another project's server", () => {
  it('is missed before anything is said of policies', async () => {
    for (const body of [{ migrate: null }, { 'os-resetState': { state: 'error' } }, { pause: null }])
      expect((await call('POST', `/servers/${suspended}/action`, { body, as: 'demo' })).status).toBe(404)
    expect((await call('GET', `/servers/${suspended}/migrations`, { as: 'demo', version: '2.23' })).status).toBe(404)
    expect((await call('POST', `/servers/${suspended}/action`, { body: { 'os-resetState': {} }, as: 'demo' })).status).toBe(400)
  })
})

describe("a refusal says in Nova's words what is wrong", () => {
  const field = (name: string, value: string, why: string) => `Invalid input for field/attribute ${name}. Value: ${value}. ${why}`
  const long = 'x'.repeat(256)
  const printable = "An invalid 'name' value was provided. The name must be: printable characters. Can not start or end with whitespace."
  const safe = (signs: string) =>
    `An invalid 'name' value was provided. The name must be: Only expected characters: [${signs} 0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ]`

  it.each<[string, object, string]>([
    ['/servers', server({ name: 'a\tb' }), printable],
    ['/servers', server({ min_count: 0 }), field('min_count', '0', '0 is less than the minimum of 1')],
    ['/servers', server({ flavorRef: '' }), field('flavorRef', '', "'' is too short")],
    ['/servers', server({ description: long }), field('description', long, `'${long}' is too long`)],
    ['/servers', server({ key_name: 1 }), field('key_name', '1', "1 is not of type 'string', 'null'")],
    ['/servers', server({ tags: [null] }), field('0', 'None', "None is not of type 'string'")],
    [
      '/servers',
      server({ trusted_image_certificates: ['a', 'a'] }),
      field('trusted_image_certificates', "['a', 'a']", "['a', 'a'] has non-unique elements"),
    ],
    ['/servers', { server: {}, x: 1 }, field('server', '{}', "'name' is a required property")],
    ['/flavors', { flavor: { name: ' f', ram: 1, vcpus: 1, disk: 1 } }, printable],
    [
      '/flavors',
      { flavor: { name: 'f', ram: 1, vcpus: 1, disk: 1, rxtx_factor: 0 } },
      field('rxtx_factor', '0', '0 is less than or equal to the minimum of 0'),
    ],
    ['/os-keypairs', { keypair: { name: ' k' } }, printable],
    ['/os-keypairs', { keypair: { name: 'k$' } }, safe('@._-')],
    ['/os-server-groups', { server_group: { name: '' } }, field('name', '', "'' is too short")],
  ])('POST %s %j', async (path, body, message) => {
    const answer = await call('POST', path, { body, version: '2.93' })
    expect([answer.status, answer.body.badRequest?.message]).toEqual([400, message])
  })

  it.each<[object, string]>([
    [{ 'os-getConsoleOutput': { length: 'abc' } }, field('length', 'abc', "'abc' does not match '^-?[0-9]+$'")],
    [{ 'os-getConsoleOutput': { length: -5 } }, field('length', '-5', '-5 is less than the minimum of -1')],
    [{ rescue: { rescue_image_ref: 'x' } }, field('rescue_image_ref', 'x', "'x' is not a 'uuid'")],
    [{ rescue: { foo: 1 } }, field('rescue', "{'foo': 1}", "Additional properties are not allowed ('foo' was unexpected)")],
    [{ lock: { locked_reason: long } }, field('locked_reason', long, `'${long}' is too long`)],
    [{ 'os-migrateLive': { host: null, block_migration: 1 } }, field('block_migration', '1', "1 is not of type 'boolean', 'string'")],
  ])('of the action %j', async (body, message) => {
    const answer = await act(suspended, body)
    expect([answer.status, answer.body.badRequest?.message]).toEqual([400, message])
  })

  it.each([
    ['name=*', "Invalid input for query parameters name. Value: *. '*' is not a 'regex'"],
    ['sort_key=id', /^Invalid input for query parameters sort_key\. Value: id\. 'id' is not one of \['access_ip_v4', .*, 'locked'\]$/],
    ['sort_dir=up', "Invalid input received: Unknown sort direction, must be 'desc' or 'asc'"],
    ['foo=bar', "'foo' does not match any of the regexes: '^_'"],
    [
      'locked=maybe',
      "Unrecognized value 'maybe', acceptable values are: '0', '1', 'f', 'false', 'n', 'no', 'off', 'on', 't', 'true', 'y', 'yes'",
    ],
  ])('of the list with %s', async (query, message) => {
    const answer = await call('GET', `/servers?${query}`, { version: '2.90' })
    expect([answer.status, answer.body.badRequest?.message]).toEqual([
      400,
      typeof message === 'string' ? message : expect.stringMatching(message),
    ])
  })

  it('of what is gone', async () => {
    const answer = await act(suspended, { resetNetwork: null })
    expect([answer.status, answer.body.computeFault?.message]).toEqual([
      410,
      'This resource is no longer available. No forwarding address is given.',
    ])
  })
})

it('a tag that is put has no body', async () => {
  const id = await made()
  const put = (body?: unknown) => call('PUT', `/servers/${id}/tags/red`, { version: '2.26', ...(body === undefined ? {} : { body }) })
  expect(await put({ red: 1 })).toMatchObject({ status: 400, body: { badRequest: { message: "{'red': 1} is not of type 'null'" } } })
  expect((await put()).status).toBe(201)
})

it('a deleted server is missed as well, but not what was asked of it', async () => {
  const { body } = await call('POST', '/servers', { body: { ...server({ networks: 'none' }) }, as: 'demo', version: '2.37' })
  const path = `/servers/${body.server.id}`
  await cloud.settle()
  await call('DELETE', path)
  await cloud.settle()
  expect((await call('POST', `${path}/action`, { body: { migrate: null }, as: 'demo' })).status).toBe(404)
  expect((await call('GET', `${path}/os-instance-actions`, { as: 'demo', version: '2.21' })).status).toBe(200)
  expect((await call('GET', `${path}/os-instance-actions`, { as: 'demo', version: '2.20' })).status).toBe(404)
})

describe('lists of servers', () => {
  it('go on behind a marker that was deleted meanwhile', async () => {
    const ids = []
    for (const name of ['page1', 'page2', 'page3']) ids.push(await made({ name }))
    const page = async (marker: string) =>
      (await call('GET', `/servers?name=%5Epage&limit=1&marker=${marker}`)).body.servers.map(({ id }: { id: string }) => id)
    await call('DELETE', `/servers/${ids[2]}`)
    await cloud.settle()
    expect(await page(ids[2] ?? '')).toEqual([ids[1]])
    expect((await call('GET', `/servers?marker=${ids[2]}`, { as: 'demo' })).status).toBe(400)
  })

  it('take the last of what is given twice', async () => {
    expect((await call('GET', '/servers?limit=1&limit=2')).body.servers).toHaveLength(2)
    const twice = (await call('GET', '/servers?name=page1&name=page2')).body.servers
    expect(twice.map(({ name }: { name: string }) => name)).toEqual(['page2'])
  })

  it('pass over names with an underline before them, but not for administrators', async () => {
    for (const version of ['2.1', '2.90']) {
      expect((await call('GET', '/servers?_x=1', { as: 'demo', version })).status).toBe(200)
      expect((await call('GET', '/servers?_x=1', { version })).status).toBe(400)
    }
  })

  it('are not at a path that ends with a slash', async () => {
    expect((await call('GET', '/servers/')).status).toBe(404)
  })

  it.each(['tags=', 'tags-any=', 'name=', 'key_name=', 'flavor=', 'tags=(', 'ip6=', 'locked='])('do not take %s', async (query) => {
    const answer = await call('GET', `/servers?${query}`, { version: '2.90' })
    expect([answer.status, answer.text]).toEqual([400, expect.stringMatching(/is not a 'regex'|Unrecognized value/)])
  })

  it.each(['marker=', 'deleted=', 'all_tenants=', 'host=', 'user_id='])('take %s', async (query) => {
    expect((await call('GET', `/servers?${query}`, { version: '2.90' })).status).toBe(200)
  })

  it('name in the link to the next page what they know, once', async () => {
    await made()
    const hrefs = (path: string) => call('GET', `${path}?limit=1&limit=1&foo=bar&name=nobody&name=w`)
    const { servers_links: servers } = (await hrefs('/servers')).body
    expect([...new URL(servers[0].href).searchParams.keys()]).toEqual(['limit', 'marker', 'name'])
    const { flavors_links: flavors } = (await hrefs('/flavors')).body
    expect([...new URL(flavors[0].href).searchParams.keys()]).toEqual(['limit', 'marker'])
  })

  it('know no filter for locks before 2.73', async () => {
    expect((await call('GET', '/servers?locked=maybe', { version: '2.72' })).body.servers.length).toBeGreaterThan(0)
    expect((await call('GET', '/servers?locked=1', { version: '2.73' })).body.servers).toEqual([])
  })
})

describe('a server made where no description can be given', () => {
  it('is described by its name', async () => {
    const description = async (id: string) => (await call('GET', `/servers/${id}`, { version: '2.19' })).body.server.description
    expect(await description(await made({ name: 'plain' }, '2.18'))).toBe('plain')
    expect(await description(await made({ name: 'plain' }, '2.19'))).toBeNull()
  })
})

describe('whether the partition follows the disk', () => {
  const config = async (over: Record<string, unknown>) => {
    const answer = await call('POST', '/servers', { body: server(over) })
    await cloud.settle()
    const { id } = answer.body.server
    expect((await call('GET', `/servers/${id}`)).body.server['OS-DCF:diskConfig']).toBe(answer.body.server['OS-DCF:diskConfig'])
    return answer.body.server['OS-DCF:diskConfig']
  }
  const told = (auto_disk_config: string) =>
    cloud.call('PATCH', `/image/v2/images/${image}`, {
      body: [{ op: 'add', path: '/auto_disk_config', value: auto_disk_config }],
      headers: { 'content-type': 'application/openstack-images-v2.1-json-patch' },
    })

  it('is as asked, else as the image says, else no', async () => {
    expect(await config({})).toBe('MANUAL')
    expect(await config({ 'OS-DCF:diskConfig': 'AUTO' })).toBe('AUTO')
    expect((await told('true')).status).toBe(200)
    expect(await config({})).toBe('AUTO')
    expect(await config({ 'OS-DCF:diskConfig': 'MANUAL' })).toBe('MANUAL')
    await told('disabled')
    expect(await config({})).toBe('MANUAL')
    expect((await call('POST', '/servers', { body: server({ 'OS-DCF:diskConfig': 'AUTO' }) })).status).toBe(400)
    await told('false')
  })
})

describe('administration', () => {
  it('takes no empty zone into the metadata of an aggregate', async () => {
    const { id } = (await call('POST', '/os-aggregates', { body: { aggregate: { name: 'rack', availability_zone: 'london' } } })).body
      .aggregate
    for (const zone of ['', null]) {
      const answer = await call('POST', `/os-aggregates/${id}/action`, {
        body: { set_metadata: { metadata: { availability_zone: zone } } },
      })
      expect([answer.status, answer.body.badRequest.message]).toEqual([
        400,
        `Cannot update metadata of aggregate ${id}. Reason: Aggregate rack does not support empty named availability zone.`,
      ])
    }
    await call('DELETE', `/os-aggregates/${id}`)
  })

  it('changes compute services only, with a reason or without', async () => {
    const [{ host }] = (await call('GET', '/os-services?binary=nova-compute')).body.services
    const enable = (body: object) => call('PUT', '/os-services/enable', { body })
    expect((await enable({ host, binary: 'nova-scheduler' })).status).toBe(400)
    expect((await enable({ host: 'nope', binary: 'nova-compute' })).status).toBe(404)
    expect((await enable({ host, binary: 'nova-compute', disabled_reason: 'none' })).body.service).toEqual({
      host,
      binary: 'nova-compute',
      status: 'enabled',
    })
  })

  it('records a reset of the state among the actions', async () => {
    const id = await made()
    await act(id, { 'os-resetState': { state: 'error' } })
    expect((await call('GET', `/servers/${id}/os-instance-actions`)).body.instanceActions[0].action).toBe('resetState')
  })

  it('misses a console token before it is told that its kind is not shown', async () => {
    expect((await call('GET', '/os-console-auth-tokens/nope')).status).toBe(404)
  })

  it('has no other parameter of limits than the project from 2.75 on', async () => {
    expect((await call('GET', '/limits?reserved=1', { version: '2.74' })).status).toBe(200)
    expect((await call('GET', '/limits?reserved=1', { version: '2.75' })).status).toBe(400)
  })
})
