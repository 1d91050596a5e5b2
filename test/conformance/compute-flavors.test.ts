/** Flavors, their extra specs and who may use them, over HTTP. */
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type CloudCall, startTestCloud, type TestCloud } from '../support/cloud.ts'

let cloud: TestCloud
let demoProject: string
beforeAll(async () => {
  cloud = await startTestCloud()
  demoProject = (await cloud.call('GET', '/identity/v3/auth/projects', { as: 'demo' })).body.projects[0].id
})
afterAll(() => cloud[Symbol.asyncDispose]())

const call = (method: string, path: string, options: CloudCall = {}) => cloud.call(method, `/compute/v2.1${path}`, options)
const ids = async (path: string, options: CloudCall = {}): Promise<string[]> =>
  (await call('GET', path, options)).body.flavors.map(({ id }: { id: string }) => id)
let serial = 0
const make = async (over: Record<string, unknown> = {}, version = '2.1') => {
  serial += 1
  return await call('POST', '/flavors', {
    version,
    body: { flavor: { name: `f${serial}`, id: `f${serial}`, ram: 64, vcpus: 1, disk: 1, ...over } },
  })
}

describe('list', () => {
  it('comes by flavorid, in pages whose links carry the filters', async () => {
    const page = (await call('GET', '/flavors?limit=2&minRam=256')).body
    expect(page.flavors.map(({ id }: { id: string }) => id)).toEqual(['1', '2'])
    expect(page.flavors_links).toEqual([{ rel: 'next', href: 'http://cloud.test/compute/v2.1/flavors?limit=2&marker=2&minRam=256' }])
    expect(await ids('/flavors?limit=2&minRam=256&marker=2')).toEqual(['3', '4'])
    expect(await ids('/flavors?minRam=8192&marker=2')).toEqual(['4', '5'])
  })

  it('sorts by any column, both ways', async () => {
    expect((await ids('/flavors?sort_key=memory_mb&sort_dir=desc&limit=2'))[0]).toBe('5')
    expect((await ids('/flavors/detail?sort_key=memory_mb&minRam=192'))[0]).toBe('42')
  })

  it.each([
    ['?marker=nope', 400],
    ['?limit=-1', 400],
    ['?limit=x', 400],
    ['?minRam=x', 400],
    ['?minDisk=', 400],
    ['?is_public=maybe', 400],
    ['?sort_key=colour', 400],
    ['?sort_key=constructor', 400],
    ['?sort_dir=up', 400],
    ['?colour=red', 200],
    ['?__proto__=1', 200],
  ])('%s answers %i', async (query, status) => {
    expect((await call('GET', `/flavors${query}`)).status).toBe(status)
  })

  it('refuses unknown parameters from 2.75, and knows name from 2.102', async () => {
    expect((await call('GET', '/flavors?colour=red', { version: '2.75' })).status).toBe(400)
    expect((await call('GET', '/flavors?name=nano', { version: '2.101' })).status).toBe(400)
    expect(await ids('/flavors?name=nano', { version: '2.102' })).toEqual(['42'])
  })

  it('shows private flavors to projects that they were granted to', async () => {
    const { id } = (await make({ 'os-flavor-access:is_public': false })).body.flavor
    expect(await ids('/flavors', { as: 'demo' })).not.toContain(id)
    expect((await call('GET', `/flavors/${id}`, { as: 'demo' })).status).toBe(404)
    expect(await ids('/flavors')).not.toContain(id)
    expect(await ids('/flavors?is_public=none')).toContain(id)
    expect(await ids('/flavors?is_public=false')).toEqual([id])
    await call('POST', `/flavors/${id}/action`, { body: { addTenantAccess: { tenant: demoProject } } })
    expect(await ids('/flavors', { as: 'demo' })).toContain(id)
    expect(await ids('/flavors?is_public=false', { as: 'demo' })).toContain('42')
  })
})

describe('create', () => {
  it('makes an id of its own for auto and none', async () => {
    for (const id of ['auto', undefined, null]) {
      const { flavor } = (await make({ id })).body
      expect(flavor.id).toMatch(/^[0-9a-f-]{36}$/)
    }
  })

  it('takes numbers as texts', async () => {
    const { flavor } = (await make({ ram: '128', vcpus: '2', disk: '0', swap: '16', rxtx_factor: '1.5' })).body
    expect(flavor).toMatchObject({ ram: 128, vcpus: 2, disk: 0, swap: 16, rxtx_factor: 1.5 })
  })

  it.each([
    ['a taken name', { name: 'm1.nano' }, 409],
    ['a taken id', { id: '42' }, 409],
    ['no memory', { ram: 0 }, 400],
    ['too much memory', { ram: '99999999999' }, 400],
    ['no name', { name: '' }, 400],
    ['white space around the name', { name: ' x ' }, 400],
    ['an id with a slash', { id: 'a/b' }, 400],
    ['a description before its time', { description: 'x' }, 400],
    ['an unknown key', { colour: 'red' }, 400],
    ['a factor of nothing', { rxtx_factor: 0 }, 400],
  ])('refuses %s', async (_what, over, status) => {
    expect((await make(over)).status).toBe(status)
  })

  it('is for administrators', async () => {
    const answer = await call('POST', '/flavors', { as: 'demo', body: { flavor: { name: 'x', ram: 1, vcpus: 1, disk: 1 } } })
    expect([answer.status, answer.body.forbidden.message]).toEqual([
      403,
      "Policy doesn't allow os_compute_api:os-flavor-manage:create to be performed.",
    ])
  })

  it('answers no body with a fault of the server', async () => {
    const value = fc.oneof(fc.string(), fc.integer(), fc.double(), fc.boolean(), fc.constant(null), fc.constant([]), fc.constant({}))
    const body = fc.record(
      { name: value, id: value, ram: value, vcpus: value, disk: value, swap: value, rxtx_factor: value },
      { requiredKeys: [] },
    )
    await fc.assert(
      fc.asyncProperty(
        fc.oneof(
          body.map((flavor) => ({ flavor })),
          value,
        ),
        async (sent) => {
          expect((await call('POST', '/flavors', { version: '2.1', body: sent })).status).toBeLessThan(500)
        },
      ),
      { numRuns: 150 },
    )
  })
})

describe('update and delete', () => {
  it('changes the description, from 2.55', async () => {
    const { id } = (await make()).body.flavor
    const body = { flavor: { description: 'small' } }
    expect((await call('PUT', `/flavors/${id}`, { version: '2.54', body })).status).toBe(404)
    expect((await call('PUT', `/flavors/${id}`, { version: '2.55', body })).body.flavor.description).toBe('small')
    expect((await call('PUT', `/flavors/${id}`, { version: '2.55', body: { flavor: { name: 'x' } } })).status).toBe(400)
  })

  it('deletes with 202, once', async () => {
    const { id } = (await make()).body.flavor
    expect((await call('DELETE', `/flavors/${id}`)).status).toBe(202)
    expect((await call('DELETE', `/flavors/${id}`)).status).toBe(404)
  })
})

describe('extra specs', () => {
  it('are set, read, changed and deleted one by one', async () => {
    const { id } = (await make()).body.flavor
    const at = `/flavors/${id}/os-extra_specs`
    expect((await call('POST', at, { body: { extra_specs: { a: '1', b: 2 } } })).body).toEqual({ extra_specs: { a: '1', b: '2' } })
    expect((await call('PUT', `${at}/a`, { body: { a: '3' } })).body).toEqual({ a: '3' })
    expect((await call('PUT', `${at}/a`, { body: { b: '3' } })).status).toBe(400)
    expect((await call('GET', `${at}/a`, { as: 'demo' })).body).toEqual({ a: '3' })
    expect((await call('DELETE', `${at}/a`)).status).toBe(200)
    expect((await call('GET', `${at}/a`)).status).toBe(404)
    expect((await call('DELETE', `${at}/a`)).status).toBe(404)
    expect((await call('GET', at)).body).toEqual({ extra_specs: { b: '2' } })
    expect((await call('GET', `${at}/__proto__`)).status).toBe(404)
  })

  it.each([
    ['hw:cpu_policy', 'shared', 200],
    ['hw:cpu_policy', 'sharing', 400],
    ['hw:no_such_thing', '1', 400],
    ['hw:mem_page_size', '2MB', 200],
    ['resources:VCPU', '2', 200],
    ['resources:VCPU', 'two', 400],
    ['resources1:CUSTOM_GOLD', '1', 200],
    ['trait:HW_CPU_X86_AVX2', 'required', 200],
    ['trait:HW_CPU_X86_AVX2', 'yes', 400],
    ['pci_passthrough:alias', 'gpu:1', 200],
    ['pci_passthrough:alias', 'gpu', 400],
    ['quota:disk_read_bytes_sec', '-5', 400],
    ['os:secure_boot', 'required', 200],
    ['mine:anything', 'goes', 200],
  ])('from 2.86 %s=%s answers %i', async (name, value, status) => {
    const { id } = (await make()).body.flavor
    const body = { extra_specs: { [name]: value } }
    expect((await call('POST', `/flavors/${id}/os-extra_specs`, { version: '2.86', body })).status).toBe(status)
    expect((await call('POST', `/flavors/${id}/os-extra_specs`, { version: '2.85', body })).status).toBe(200)
  })
})

describe('access', () => {
  const grant = (id: string, tenant: string, version = '2.1') =>
    call('POST', `/flavors/${id}/action`, { version, body: { addTenantAccess: { tenant } } })

  it('is granted and taken from projects that exist', async () => {
    const { id } = (await make({ 'os-flavor-access:is_public': false })).body.flavor
    expect((await grant(id, 'nobody')).status).toBe(400)
    expect((await grant(id, demoProject)).body).toEqual({ flavor_access: [{ flavor_id: id, tenant_id: demoProject }] })
    expect((await grant(id, demoProject)).status).toBe(409)
    const revoke = () => call('POST', `/flavors/${id}/action`, { body: { removeTenantAccess: { tenant: demoProject } } })
    expect((await revoke()).body).toEqual({ flavor_access: [] })
    expect((await revoke()).status).toBe(404)
  })

  it('has no list for public flavors, and from 2.7 cannot be granted to them', async () => {
    expect((await call('GET', '/flavors/42/os-flavor-access')).status).toBe(404)
    expect((await grant('42', demoProject, '2.7')).status).toBe(409)
  })

  it('knows two actions', async () => {
    expect((await call('POST', '/flavors/42/action', { body: { dance: null } })).body.badRequest.message).toBe(
      'There is no such action: dance',
    )
  })
})
