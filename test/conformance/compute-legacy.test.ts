/** The tree that knows no microversions, under `/v2`, and how clients find their way from a bare root. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type CloudCall, startTestCloud, type TestCloud } from '../support/cloud.ts'

let cloud: TestCloud
let image: string
let project: string
const call = async (method: string, path: string, options: CloudCall = {}) =>
  await cloud.call(method, `/compute/v2${path}`, { as: 'demo', ...options })
const server = async (body: Record<string, unknown>, options: CloudCall = {}, path = '/servers') => {
  const answer = await call('POST', path, { body: { server: { imageRef: image, flavorRef: '42', ...body } }, ...options })
  await cloud.settle()
  return answer
}
/** As a client without a token asks, which follows nothing. */
const bare = async (method: string, path: string) => await cloud.cloud.server.fetch(new Request(`http://cloud.test${path}`, { method }))

beforeAll(async () => {
  cloud = await startTestCloud()
  image = (await cloud.call('GET', '/image/v2/images?name=tiny')).body.images[0].id
  project = (await cloud.call('GET', '/identity/v3/auth/projects', { as: 'demo' })).body.projects[0].id
})
afterAll(() => cloud[Symbol.asyncDispose]())

describe('a bare root', () => {
  it.each([
    ['/compute/v2.1', 'v2.1'],
    ['/compute/v2', 'v2.0'],
  ])('%s leads to its document, which needs no token', async (path, id) => {
    const sent = await bare('GET', `${path}?a=b`)
    expect([sent.status, sent.headers.get('location')]).toEqual([302, `http://cloud.test${path}/?a=b`])
    const found = await bare('GET', `${path}/`)
    expect(found.status).toBe(200)
    const { version } = (await found.json()) as { version: { id: string; links: { href: string }[] } }
    expect([version.id, version.links[0]?.href]).toEqual([id, `http://cloud.test${path}/`])
    expect((await bare('POST', path)).status).not.toBe(302)
  })

  it('of the old tree has no versions to choose from', async () => {
    const { version } = (await call('GET', '/')).body
    expect(version).toMatchObject({ status: 'DEPRECATED', version: '', min_version: '' })
    expect((await call('GET', '/versions/v2.1')).body.version.id).toBe('v2.1')
  })
})

describe('the tree under /v2', () => {
  it('answers as 2.1, whatever version is asked for, and names none', async () => {
    const { id } = (await server({ name: 'web1' })).body.server
    for (const version of [undefined, '2.1', '2.104', '3.7', 'x']) {
      const headers: Record<string, string> = version === undefined ? {} : { 'x-openstack-nova-api-version': version }
      const answer = await call('GET', `/servers/${id}`, { headers, ...(version === undefined ? {} : { version }) })
      expect(answer.status).toBe(200)
      expect(answer.body.server).not.toHaveProperty('description')
      expect(answer.body.server.flavor).toHaveProperty('id')
      expect([answer.headers.get('openstack-api-version'), answer.headers.get('x-openstack-nova-api-version')]).toEqual([null, null])
      expect(answer.headers.get('x-compute-request-id')).toMatch(/^req-/)
    }
    expect((await call('GET', '/os-floating-ips', { version: '2.104' })).status).toBe(200)
    expect((await call('GET', `/servers/${id}/tags`, { version: '2.104' })).status).toBe(404)
  })

  it('links to itself', async () => {
    const { servers } = (await call('GET', '/servers')).body
    const [self, bookmark] = servers[0].links
    expect(self.href).toMatch(/\/compute\/v2\/servers\//)
    expect(bookmark.href).toMatch(/\/compute\/servers\//)
  })

  it.each(['v2', 'v2.1'])('may have the project in its path, as %s', async (tree) => {
    const at = async (path: string, options: CloudCall = {}) =>
      await cloud.call('GET', `/compute/${tree}${path}`, { as: 'demo', ...options })
    const { servers } = (await at(`/${project}/servers`)).body
    expect(servers[0].links[0].href).toContain(`/compute/${tree}/${project}/servers/`)
    expect((await at(`/${project}/flavors/42`)).status).toBe(200)
    expect((await at(`/${project}/os-networks`)).status).toBe(200)
    expect((await at('/70a599e031e749b7b260868f441e862b/servers')).status).toBe(400)
  })

  it('ignores keys that nothing knows, where 2.1 refuses them', async () => {
    const body = { name: 'web2', colour: 'red', metadata: { a: 'b' } }
    const strict = await cloud.call('POST', '/compute/v2.1/servers', {
      as: 'demo',
      body: { server: { imageRef: image, flavorRef: '42', ...body } },
    })
    expect(strict.status).toBe(400)
    const made = await server(body)
    expect([made.status, made.text]).toEqual([202, expect.any(String)])
    const { id } = made.body.server
    expect((await call('GET', `/servers/${id}`)).body.server).toMatchObject({ status: 'ACTIVE', metadata: { a: 'b' } })
    expect((await call('POST', `/servers/${id}/action`, { body: { reboot: { type: 'HARD', colour: 'red' } } })).status).toBe(202)
    await cloud.settle()
    expect((await call('PUT', `/servers/${id}`, { body: { server: { name: ' web3 ', colour: 'red' }, more: 1 } })).body.server.name).toBe(
      'web3',
    )
  })

  it('cuts white space of the names of other things too', async () => {
    const admin = { as: 'admin' } as const
    const flavor = { name: ' old ', id: ' old1 ', ram: 64, vcpus: 1, disk: 1, colour: 'red' }
    expect((await call('POST', '/flavors', { ...admin, body: { flavor } })).body.flavor).toMatchObject({ name: 'old', id: 'old1' })
    expect(
      (await cloud.call('POST', '/compute/v2.1/flavors', { body: { flavor: { ...flavor, name: ' x', colour: undefined } } })).status,
    ).toBe(400)
    const aggregate = { name: ' rack ', availability_zone: ' zone1 ' }
    expect((await call('POST', '/os-aggregates', { ...admin, body: { aggregate } })).body.aggregate).toMatchObject({
      name: 'rack',
      availability_zone: 'zone1',
    })
    expect((await call('POST', '/os-keypairs', { body: { keypair: { name: ' mine ' } } })).body.keypair.name).toBe('mine')
  })

  it('still refuses what is wrong', async () => {
    expect((await server({ name: 1 })).status).toBe(400)
    expect((await server({ name: '  ' })).status).toBe(400)
    expect((await server({ name: 'web4', metadata: { 'a/b': 'c' } })).status).toBe(400)
    expect((await call('POST', '/servers', { body: { colour: 'red' } })).status).toBe(400)
    expect((await call('GET', '/moon')).status).toBe(404)
    expect((await bare('GET', '/compute/v2/servers')).status).toBe(401)
  })

  it('asks the same policies', async () => {
    expect((await call('GET', '/os-hypervisors')).status).toBe(403)
    expect((await call('GET', '/os-hypervisors', { as: 'admin' })).status).toBe(200)
  })
})
