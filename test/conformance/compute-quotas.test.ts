/** Quotas of projects and classes, and limits, over HTTP. */
import fc from 'fast-check'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { type CloudCall, startTestCloud, type TestCloud } from '../support/cloud.ts'

let cloud: TestCloud
let demoProject: string
let adminProject: string
const call = (method: string, path: string, options: CloudCall = {}) => cloud.call(method, `/compute/v2.1${path}`, options)

beforeAll(async () => {
  cloud = await startTestCloud()
  demoProject = (await cloud.call('GET', '/identity/v3/auth/projects', { as: 'demo' })).body.projects[0].id
  const projects = (await cloud.call('GET', '/identity/v3/projects')).body.projects as { id: string; name: string }[]
  adminProject = projects.find(({ name }) => name === 'admin')?.id ?? ''
  const image = (await cloud.call('GET', '/image/v2/images?name=tiny')).body.images[0].id
  await call('POST', '/servers', { as: 'demo', body: { server: { name: 'web1', imageRef: image, flavorRef: '42' } } })
  await cloud.settle()
})
afterAll(() => cloud[Symbol.asyncDispose]())
beforeEach(() => call('DELETE', `/os-quota-sets/${demoProject}`))

const set = (quota_set: Record<string, unknown>, options: CloudCall = {}) =>
  call('PUT', `/os-quota-sets/${demoProject}`, { ...options, body: { quota_set } })

describe('a quota set', () => {
  it('is changed in part and reset whole', async () => {
    expect((await set({ cores: 45, ram: '1024' })).body.quota_set).toMatchObject({ cores: 45, ram: 1024, instances: 10 })
    const shown = (await call('GET', `/os-quota-sets/${demoProject}`, { as: 'demo' })).body.quota_set
    expect(shown).toMatchObject({ id: demoProject, cores: 45, ram: 1024 })
    expect((await call('DELETE', `/os-quota-sets/${demoProject}`)).status).toBe(202)
    expect((await call('GET', `/os-quota-sets/${demoProject}`)).body.quota_set).toMatchObject({ cores: 20, ram: 51200 })
  })

  it('counts what is in use', async () => {
    const { quota_set } = (await call('GET', `/os-quota-sets/${demoProject}/detail`, { as: 'demo' })).body
    expect(quota_set.instances).toEqual({ in_use: 1, limit: 10, reserved: 0 })
    expect(quota_set.ram).toEqual({ in_use: 192, limit: 51200, reserved: 0 })
  })

  it('goes below what is in use by force alone', async () => {
    expect((await set({ instances: 0 })).body.badRequest.message).toBe(
      'Quota limit 0 for instances must be greater than or equal to already used and reserved 1.',
    )
    expect((await set({ instances: 0, force: 'True' })).body.quota_set.instances).toBe(0)
    expect((await set({ instances: -1 })).body.quota_set.instances).toBe(-1)
  })

  it.each([
    ['below -1', { cores: -2 }, '2.1', 400],
    ['below -1 as a text', { cores: '-2' }, '2.1', 400],
    ['no number', { cores: 'many' }, '2.1', 400],
    ['too large', { cores: 0x80000000 }, '2.1', 400],
    ['an unknown resource', { moons: 1 }, '2.1', 400],
    ['networks at 2.35', { floating_ips: 5 }, '2.35', 200],
    ['networks at 2.36', { floating_ips: 5 }, '2.36', 400],
    ['files at 2.56', { injected_files: 5 }, '2.56', 200],
    ['files at 2.57', { injected_files: 5 }, '2.57', 400],
  ])('takes or refuses %s', async (_what, quota, version, status) => {
    const before = (await call('GET', `/os-quota-sets/${demoProject}`)).body
    expect((await set(quota, { version })).status).toBe(status)
    if (status === 400) expect((await call('GET', `/os-quota-sets/${demoProject}`)).body).toEqual(before)
  })

  it('belongs to a project that exists', async () => {
    const answer = await call('GET', '/os-quota-sets/nowhere')
    expect([answer.status, answer.body.badRequest.message]).toEqual([400, 'Project ID nowhere is not a valid project.'])
  })

  it("is its project's and administrators' to see, and administrators' to change", async () => {
    expect((await call('GET', `/os-quota-sets/${adminProject}`, { as: 'demo' })).status).toBe(403)
    expect((await call('GET', `/os-quota-sets/${adminProject}/defaults`, { as: 'demo' })).status).toBe(200)
    expect((await set({ cores: 1 }, { as: 'demo' })).status).toBe(403)
  })

  it('answers no body with a fault of the server', async () => {
    const value = fc.oneof(fc.string(), fc.integer(), fc.double(), fc.constant(null), fc.constant([]))
    const body = fc.record({ cores: value, ram: value, force: value, instances: value }, { requiredKeys: [] })
    await fc.assert(
      fc.asyncProperty(body, async (quota) => {
        expect((await set(quota)).status).toBeLessThan(500)
      }),
      { numRuns: 100 },
    )
  })
})

describe('the quota set of one user', () => {
  let image: string
  let demoUser: string
  beforeAll(async () => {
    image = (await cloud.call('GET', '/image/v2/images?name=tiny')).body.images[0].id
    demoUser = (await cloud.call('GET', '/identity/v3/users?name=demo')).body.users[0].id
  })
  const path = (user: string, more = '') => `/os-quota-sets/${demoProject}${more}?user_id=${user}`
  const setUser = (user: string, quota_set: Record<string, unknown>, options: CloudCall = {}) =>
    call('PUT', path(user), { ...options, body: { quota_set } })
  const limits = async (user: string) => (await call('GET', path(user))).body.quota_set
  const boot = (name: string, more: Record<string, unknown> = {}) =>
    call('POST', '/servers', { as: 'demo', body: { server: { name, imageRef: image, flavorRef: '42', ...more } } })

  it("is the project's until it has its own, which go with it or with the project's", async () => {
    await set({ cores: 30 })
    expect(await limits('una')).toMatchObject({ id: demoProject, cores: 30, ram: 51200 })
    const put = await setUser('una', { cores: 5 })
    expect([put.status, put.body.quota_set.cores, 'id' in put.body.quota_set]).toEqual([200, 5, false])
    expect([(await limits('una')).cores, (await limits('bea')).cores]).toEqual([5, 30])
    expect((await call('GET', `/os-quota-sets/${demoProject}`)).body.quota_set.cores).toBe(30)
    expect((await call('DELETE', path('una'))).status).toBe(202)
    expect((await limits('una')).cores).toBe(30)
    await setUser('una', { cores: 5 })
    await call('DELETE', `/os-quota-sets/${demoProject}`)
    expect((await limits('una')).cores).toBe(20)
  })

  it('counts what that user has', async () => {
    const detail = async (user: string) => (await call('GET', path(user, '/detail'))).body.quota_set
    expect((await detail(demoUser)).instances).toEqual({ in_use: 1, limit: 10, reserved: 0 })
    expect((await detail('una')).instances).toEqual({ in_use: 0, limit: 10, reserved: 0 })
  })

  it('has room between what the user uses and what the project has left', async () => {
    await setUser('una', { instances: 4 })
    const said = async (user: string, instances: number) => (await setUser(user, { instances })).body.badRequest?.message
    expect(await said(demoUser, 0)).toBe('Quota limit 0 for instances must be greater than or equal to already used and reserved 1.')
    expect(await said(demoUser, 7)).toBe('Quota limit 7 for instances must be less than or equal to 6.')
    expect(await said(demoUser, -1)).toBe('Quota limit -1 for instances must be less than or equal to 6.')
    expect(await said(demoUser, 6)).toBeUndefined()
    expect(await said('una', 4)).toBeUndefined()
    expect((await set({ instances: 9 })).body.badRequest.message).toBe(
      'Quota limit 9 for instances must be greater than or equal to already used and reserved 10.',
    )
    expect((await setUser('una', { instances: 50, force: true })).body.quota_set.instances).toBe(50)
    expect((await set({ instances: -1 })).status).toBe(200)
    expect(await said('bea', 5000)).toBeUndefined()
  })

  it.each([
    ['2.35', { floating_ips: 3 }, 200],
    ['2.36', { floating_ips: 3 }, 400],
    ['2.56', { injected_files: 3, force: 'True' }, 200],
    ['2.57', { injected_files: 3 }, 400],
    ['2.104', { cores: 3, force: 'True' }, 200],
  ])('at %s takes or refuses %j', async (version, quota, status) => {
    expect((await setUser('una', quota, { version })).status).toBe(status)
  })

  it('limits what the user makes', async () => {
    await setUser(demoUser, { instances: 1, cores: 2, metadata_items: 1, server_groups: 0, key_pairs: 0 })
    const message = 'Quota exceeded for instances: Requested 1, but already used 1 of 1 instances'
    expect((await boot('two')).body.forbidden.message).toBe(message)
    expect((await boot('two', { metadata: { a: '1', b: '2' } })).body.forbidden.message).toContain('metadata items exceeds 1')
    const keypair = await call('POST', '/os-keypairs', { as: 'demo', body: { keypair: { name: 'k' } } })
    expect(keypair.body.forbidden.message).toBe('Quota exceeded, too many key pairs.')
    const group = await call('POST', '/os-server-groups', { as: 'demo', body: { server_group: { name: 'g', policies: ['affinity'] } } })
    expect(group.body.forbidden.message).toBe('Quota exceeded, too many server groups.')
    await setUser(demoUser, { instances: 2 })
    const tooMany = await boot('some', { min_count: 2, max_count: 5 })
    expect(tooMany.body.forbidden.message).toBe(
      'Quota exceeded for instances, cores: Requested 2-5, 2-5, but already used 1, 1 of 2, 2 instances, cores',
    )
    const several = await boot('some', { min_count: 1, max_count: 5 })
    expect(several.status).toBe(202)
    await cloud.settle()
    const mine = (await call('GET', '/servers', { as: 'demo' })).body.servers as { id: string; name: string }[]
    expect(mine.map(({ name }) => name).sort()).toEqual(['some-1', 'web1'])
    await call('DELETE', `/servers/${mine.find(({ name }) => name === 'some-1')?.id}`, { as: 'demo' })
    await cloud.settle()
  })

  it('is for administrators to change, and for the project to see', async () => {
    expect((await setUser(demoUser, { cores: 1 }, { as: 'demo' })).status).toBe(403)
    expect((await call('DELETE', path(demoUser), { as: 'demo' })).status).toBe(403)
    expect((await call('GET', path(demoUser), { as: 'demo' })).status).toBe(200)
    expect((await call('GET', path('x'.repeat(256)))).status).toBe(400)
  })
})

describe('a class', () => {
  it('sets the default of projects without limits of their own', async () => {
    const body = { quota_class_set: { instances: '7' } }
    expect((await call('PUT', '/os-quota-class-sets/default', { body })).body.quota_class_set.instances).toBe(7)
    expect((await call('GET', `/os-quota-sets/${demoProject}`)).body.quota_set.instances).toBe(7)
    expect((await call('GET', `/os-quota-sets/${demoProject}/defaults`)).body.quota_set.instances).toBe(7)
    await call('PUT', '/os-quota-class-sets/default', { body: { quota_class_set: { instances: 10 } } })
  })

  it('of another name has no effect', async () => {
    await call('PUT', '/os-quota-class-sets/gold', { body: { quota_class_set: { instances: 99 } } })
    expect((await call('GET', '/os-quota-class-sets/gold')).body.quota_class_set).toMatchObject({ id: 'gold', instances: 99 })
    expect((await call('GET', '/os-quota-class-sets/default')).body.quota_class_set.instances).toBe(10)
  })

  it('takes limits of server groups in every version', async () => {
    const put = (version: string) => call('PUT', '/os-quota-class-sets/gold', { version, body: { quota_class_set: { server_groups: 3 } } })
    expect([(await put('2.49')).status, (await put('2.50')).status]).toEqual([200, 200])
  })

  it('is for administrators', async () => {
    expect((await call('GET', '/os-quota-class-sets/default', { as: 'demo' })).status).toBe(403)
  })
})

describe('limits', () => {
  it("are the project's own, and another's for administrators", async () => {
    expect((await call('GET', '/limits', { as: 'demo' })).body.limits.absolute).toMatchObject({ totalInstancesUsed: 1, maxTotalCores: 20 })
    expect((await call('GET', `/limits?tenant_id=${demoProject}&reserved=1`)).body.limits.absolute.totalRAMUsed).toBe(192)
    expect((await call('GET', `/limits?tenant_id=${adminProject}`, { as: 'demo' })).status).toBe(403)
    expect((await call('GET', '/limits?colour=red', { version: '2.75' })).status).toBe(400)
  })
})
