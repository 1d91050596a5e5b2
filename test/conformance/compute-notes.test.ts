/** What OpenStack's tables of routes and of microversions say in passing: names of parameters, edges of numbers, headers. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type CloudCall, startTestCloud, type TestCloud } from '../support/cloud.ts'

let cloud: TestCloud
let server: string
beforeAll(async () => {
  cloud = await startTestCloud({ flags: { 'fake.hosts': '3' } })
  const image = (await cloud.call('GET', '/image/v2/images')).body.images[0].id
  const body = { server: { name: 'noted', imageRef: image, flavorRef: '42', networks: 'none' } }
  server = (await call('POST', '/servers', { version: '2.37', body })).body.server.id
  await cloud.settle()
})
afterAll(() => cloud[Symbol.asyncDispose]())

const call = (method: string, path: string, options: CloudCall = {}) => cloud.call(method, `/compute/v2.1${path}`, options)
const status = async (path: string, version: string) => (await call('GET', path, { version })).status

describe('queries', () => {
  it('of one server know nothing, which 2.102 says', async () => {
    expect(await status(`/servers/${server}?colour=red`, '2.101')).toBe(200)
    expect(await status(`/servers/${server}?colour=red`, '2.102')).toBe(400)
  })

  it.each(['/servers', '/flavors', '/os-keypairs', '/os-hypervisors', '/os-migrations'])(
    'of %s cap whatever limit there is',
    async (path) => {
      for (const limit of ['2147483648', '9223372036854775808', '9'.repeat(300)])
        expect(await status(`${path}?limit=${limit}`, '2.104')).toBe(200)
      for (const limit of ['-1', '1.5', 'x', '', '+1', '%201']) expect(await status(`${path}?limit=${limit}`, '2.104')).toBe(400)
    },
  )

  it('look for hypervisors by a part of their name', async () => {
    const found = (await call('GET', '/os-hypervisors?hypervisor_hostname_pattern=host1-2', { version: '2.53' })).body.hypervisors
    expect(found.map(({ hypervisor_hostname }: { hypervisor_hostname: string }) => hypervisor_hostname)).toEqual(['host1-2'])
    expect(await status('/os-hypervisors?hypervisor_hostname_pattern=moon', '2.53')).toBe(404)
    expect(await status('/os-hypervisors?hypervisor_hostname_pattern=host1&limit=1', '2.53')).toBe(400)
  })

  it('sort by no more directions than keys; the first direction stands for those that lack', async () => {
    expect(await status('/servers?sort_dir=asc', '2.1')).toBe(200)
    expect(await status('/servers?sort_dir=asc&sort_dir=desc', '2.1')).toBe(400)
    expect(await status('/servers?sort_key=uuid&sort_dir=asc&sort_dir=desc', '2.1')).toBe(400)
  })
})

describe('filters of servers', () => {
  const demo = async (query: string, version: string) => (await call('GET', `/servers?${query}`, { as: 'demo', version })).status
  it.each(['block_device_mapping', 'info_cache', 'metadata', 'pci_devices', 'security_groups', 'services', 'system_metadata'])(
    '%s is known in every version: no filter for administrators, ignored for others',
    async (name) => {
      for (const version of ['2.1', '2.75', '2.104']) {
        expect(await status(`/servers?${name}=x`, version)).toBe(400)
        expect(await demo(`${name}=x`, version)).toBe(200)
      }
    },
  )

  it('image_ref is an exact one of administrators', async () => {
    const found = async (ref: string) => (await call('GET', `/servers?image_ref=${ref}`, { version: '2.75' })).body.servers.length
    const { image } = (await call('GET', `/servers/${server}`)).body.server
    expect([await found(image.id), await found(image.id.slice(1))]).toEqual([1, 0])
    expect(await demo('image_ref=x', '2.75')).toBe(200)
  })
})

describe('bodies', () => {
  const nobody = '7f2e9b5e-9d0c-4b3f-8f50-3f9d8b7b3b1c'
  const long = 'p'.repeat(300)
  const zone = { unshelve: { availability_zone: ' z' } }
  it.each<[string, string, string, unknown, number]>([
    // Of a server that is not there: 404 once its body has passed.
    ['a password of any length', '2.1', '/action', { changePassword: { adminPass: long } }, 404],
    ['a password of any length', '2.1', '/action', { rescue: { adminPass: long } }, 404],
    ['a password of any length', '2.1', '/action', { rebuild: { imageRef: nobody, adminPass: long } }, 404],
    ['a password of any length', '2.95', '/action', { evacuate: { adminPass: long } }, 404],
    ['a lock without a reason', '2.73', '/action', { lock: {} }, 404],
    ['a lock with an empty one', '2.73', '/action', { lock: { locked_reason: '' } }, 400],
    ['no host to move to', '2.56', '/action', { migrate: { host: null } }, 404],
    ['a zone with a space before it', '2.77', '/action', zone, 400],
    ['a description with a control character', '2.19', '/action', { rebuild: { imageRef: nobody, description: 'a\0' } }, 400],
    ['a label with a hyphen last', '2.90', '/action', { rebuild: { imageRef: nobody, hostname: 'ab-' } }, 400],
    ['a short name of a host', '2.94', '/action', { rebuild: { imageRef: nobody, hostname: 'x' } }, 404],
    ['a short label', '2.93', '/action', { rebuild: { imageRef: nobody, hostname: 'x' } }, 400],
  ])('%s at %s: POST %s', async (_name, version, path, body, expected) => {
    expect((await call('POST', `/servers/${nobody}${path}`, { version, body })).status).toBe(expected)
  })

  it.each<[string, unknown, number]>([
    ['2.1', { accessIPv4: '' }, 400],
    ['2.1', { accessIPv6: '' }, 400],
    ['2.1', { accessIPv6: 'fe80::1' }, 404],
    ['2.90', { hostname: 'x' }, 400],
    ['2.90', { hostname: 'ab-' }, 400],
    ['2.94', { hostname: 'a_b.c' }, 404],
  ])('at %s a server is changed to %j', async (version, change, expected) => {
    expect((await call('PUT', `/servers/${nobody}`, { version, body: { server: change } })).status).toBe(expected)
  })

  it('limits of server groups are taken for classes in every version', async () => {
    for (const version of ['2.1', '2.49', '2.50']) {
      const body = { quota_class_set: { server_groups: 7 } }
      expect((await call('PUT', '/os-quota-class-sets/other', { version, body })).status).toBe(200)
    }
  })

  it('a new name of an aggregate loses the white space around it', async () => {
    const { id } = (await call('POST', '/os-aggregates', { body: { aggregate: { name: 'racks' } } })).body.aggregate
    const renamed = await call('PUT', `/os-aggregates/${id}`, { body: { aggregate: { name: '  shelves ' } } })
    expect([renamed.status, renamed.body.aggregate.name]).toEqual([200, 'shelves'])
    expect((await call('PUT', `/os-aggregates/${id}`, { body: { aggregate: { name: '  ' } } })).status).toBe(400)
  })
})

describe('headers', () => {
  const bare = async (path: string, init: RequestInit = {}) => await cloud.cloud.server.fetch(new Request(`http://cloud.test${path}`, init))

  it('carry a request id behind a version, not at the root', async () => {
    for (const path of ['/compute', '/compute/', '/compute/elsewhere'])
      for (const name of ['x-openstack-request-id', 'x-compute-request-id']) expect((await bare(path)).headers.get(name)).toBeNull()
    for (const path of ['/compute/v2.1/', '/compute/v2/', '/compute/v2.1/servers'])
      for (const name of ['x-openstack-request-id', 'x-compute-request-id']) expect((await bare(path)).headers.get(name)).toMatch(/^req-/)
  })

  it('that announce too large a body are refused before a token is asked for', async () => {
    const big = await bare('/compute/v2.1/servers', { method: 'POST', headers: { 'content-length': '114689' }, body: 'x' })
    expect([big.status, await big.json()]).toMatchObject([413, { overLimit: { code: 413 } }])
    expect((await bare('/compute/v2.1/servers', { method: 'POST', headers: { 'content-length': '114688' }, body: 'x' })).status).toBe(401)
  })
})

describe('diagnostics', () => {
  it('from 2.48 name a driver of the list that OpenStack closed', async () => {
    const told = (await call('GET', `/servers/${server}/diagnostics`, { version: '2.48' })).body
    expect(['ironic', 'libvirt', 'vmwareapi', 'xenapi']).toContain(told.driver)
  })
})
