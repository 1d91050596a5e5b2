/**
 * The Placement API as clients see it: a transcript for each route, with the version that the client asked for. Traits and
 * classes are in `placement-names.test.ts`, allocations and what rests on them in `placement-claims.test.ts`.
 *
 * @see https://docs.openstack.org/api-ref/placement/
 */
import { existsSync, readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { version } from '../../src/base/http/index.ts'
import { blue, errorOf, inventoryDefaults, nobody, one, red, server, startPlacement, stockedPlacement, two } from '../support/placement.ts'

describe('versions and errors', () => {
  it('GET / tells the versions without a token', async () => {
    const { say } = startPlacement()
    const { status, body } = await say('GET /', undefined, null)
    expect(status).toBe(200)
    expect(body.versions).toEqual([
      { id: 'v1.0', min_version: '1.0', max_version: '1.39', status: 'CURRENT', links: [{ rel: 'self', href: '/placement' }] },
    ])
  })
  it('speaks 1.0 to a client that names no version, echoes the one named, refuses 1.40', async () => {
    const { say } = startPlacement()
    expect((await say('GET /resource_providers')).headers.get('openstack-api-version')).toBe('placement 1.0')
    expect((await say('GET /resource_providers @latest')).headers.get('openstack-api-version')).toBe('placement 1.39')
    expect((await say('GET /resource_providers @1.40')).status).toBe(406)
  })
  it('answers in its own dialect', async () => {
    const { say } = startPlacement()
    const answer = await say(`GET /resource_providers/${nobody} @1.39`)
    expect(answer.status).toBe(404)
    expect(answer.body.errors).toEqual([
      {
        status: 404,
        title: 'Not Found',
        detail: `No resource provider with uuid ${nobody} found`,
        code: 'placement.resource_provider.not_found',
        request_id: answer.headers.get('x-openstack-request-id'),
      },
    ])
    expect((await say('PUT /resource_providers @1.39', {})).status).toBe(405)
    expect((await say('GET /no_such_thing @1.39')).status).toBe(404)
    expect((await say('GET /resource_providers', undefined, null)).status).toBe(401)
  })
  it('is for administrators and services', async () => {
    const { say } = await stockedPlacement()
    expect((await say('GET /resource_providers @1.39', undefined, 'demo')).status).toBe(403)
    expect((await say('GET /resource_providers @1.39', undefined, 'service')).status).toBe(200)
    expect((await say('POST /reshaper @1.30', { inventories: {}, allocations: {} }, 'demo')).status).toBe(403)
    const own = '0b0b0b0b0b0b4b0b8b0b0b0b0b0b0b0b'
    expect((await say(`GET /usages?project_id=${own} @1.9`, undefined, 'reader')).status).toBe(200)
    expect((await say('GET /usages?project_id=another @1.9', undefined, 'reader')).status).toBe(403)
  })
  it('sends times and forbids caching from 1.15', async () => {
    const { say } = await stockedPlacement()
    for (const path of [
      `/resource_providers/${one}`,
      '/resource_providers',
      '/traits',
      '/traits/STORAGE_DISK_SSD',
      '/resource_classes',
      '/resource_classes/VCPU',
      '/usages?project_id=p',
      `/allocations/${server}`,
      '/allocation_candidates?resources=VCPU:1',
      ...['inventories', 'inventories/VCPU', 'aggregates', 'traits', 'usages', 'allocations'].map(
        (below) => `/resource_providers/${one}/${below}`,
      ),
    ]) {
      const [before, since] = [await say(`GET ${path} @1.14`), await say(`GET ${path} @1.15`)]
      expect([path, before.headers.get('last-modified'), before.headers.get('cache-control')]).toEqual([path, null, null])
      expect([path, since.headers.get('last-modified'), since.headers.get('cache-control')]).toEqual([
        path,
        'Thu, 01 Jan 2026 00:00:00 GMT',
        'no-cache',
      ])
    }
  })
})

describe('/resource_providers', () => {
  it('POST: 201 and an address, from 1.20 the provider', async () => {
    const { say } = startPlacement()
    const early = await say('POST /resource_providers', { uuid: one, name: 'node-1' })
    expect([early.status, early.text, early.headers.get('location')]).toEqual([
      201,
      '',
      `http://cloud.test/placement/resource_providers/${one}`,
    ])
    const late = await say('POST /resource_providers @1.20', { name: 'node-2', parent_provider_uuid: one })
    expect(late.status).toBe(200)
    expect(late.body).toMatchObject({ name: 'node-2', generation: 0, parent_provider_uuid: one, root_provider_uuid: one })
    expect(errorOf(await say('POST /resource_providers', { name: 'node-1' }))).toEqual([409, 'placement.duplicate_name'])
    expect(errorOf(await say('POST /resource_providers', { name: 'x', uuid: one }))).toEqual([409, 'placement.duplicate_name'])
    for (const body of [
      {},
      { name: '' },
      { name: 'x'.repeat(201) },
      { name: 'x', uuid: 'y' },
      { name: 'x', parent_provider_uuid: one },
      [],
      'x',
    ]) {
      expect([body, (await say('POST /resource_providers @1.13', body)).status]).toEqual([body, 400])
    }
    expect((await say('POST /resource_providers @1.14', { name: 'x', parent_provider_uuid: nobody })).status).toBe(400)
  })

  it('GET: links and tree by version', async () => {
    const { say } = await stockedPlacement()
    const { body } = await say(`GET /resource_providers/${one}`)
    const href = `/placement/resource_providers/${one}`
    expect(body).toEqual({
      uuid: one,
      name: 'node-1',
      generation: 1,
      links: [
        { rel: 'self', href },
        { rel: 'inventories', href: `${href}/inventories` },
        { rel: 'usages', href: `${href}/usages` },
      ],
    })
    const rels = async (at: string) =>
      (await say(`GET /resource_providers/${one} @${at}`)).body.links.map(({ rel }: { rel: string }) => rel)
    expect(await rels('1.1')).toEqual(['self', 'inventories', 'usages', 'aggregates'])
    expect(await rels('1.39')).toEqual(['self', 'inventories', 'usages', 'aggregates', 'traits', 'allocations'])
    expect((await say(`GET /resource_providers/${one} @1.14`)).body).toMatchObject({ parent_provider_uuid: null, root_provider_uuid: one })
  })

  it('GET list: filters, each from its version', async () => {
    const { say, placement } = await stockedPlacement()
    placement.setTraits(one, ['STORAGE_DISK_SSD', 'CUSTOM_A'])
    placement.setAggregates(one, [blue])
    placement.setAggregates(two, [red])
    placement.claim({ uuid: server, projectId: 'p', userId: 'u', type: 'INSTANCE' }, [{ providerUuid: one, resources: { VCPU: 6 } }])
    const names = async (query: string, at = '1.39') => {
      const { status, body } = await say(`GET /resource_providers?${query} @${at}`)
      return status === 200 ? body.resource_providers.map(({ name }: { name: string }) => name).join(' ') : status
    }
    expect(await names('', '1.0')).toBe('node-1 node-2')
    expect(await names('name=node-2', '1.0')).toBe('node-2')
    expect(await names(`uuid=${one}`, '1.0')).toBe('node-1')
    expect(await names('uuid=x', '1.0')).toBe(400)
    expect([await names(`member_of=${blue}`, '1.2'), await names(`member_of=${blue}`, '1.3')]).toEqual([400, 'node-1'])
    expect(await names(`member_of=in:${blue},${red}`)).toBe('node-1 node-2')
    expect([await names(`member_of=!${blue}`, '1.31'), await names(`member_of=!${blue}`)]).toEqual([400, 'node-2'])
    expect(await names(`member_of=!in:${blue},${red}`)).toBe('')
    expect([await names(`member_of=${blue}&member_of=${red}`, '1.23'), await names(`member_of=${blue}&member_of=${red}`, '1.24')]).toEqual([
      400,
      '',
    ])
    expect([await names('resources=VCPU:3', '1.3'), await names('resources=VCPU:3', '1.4')]).toEqual([400, 'node-2'])
    expect([await names('resources=VCPU:0'), await names('resources=VCPU'), await names('resources=NO_SUCH:1')]).toEqual([400, 400, 400])
    expect([await names(`in_tree=${two}`, '1.13'), await names(`in_tree=${two}`, '1.14'), await names(`in_tree=${nobody}`)]).toEqual([
      400,
      'node-2',
      '',
    ])
    expect([await names('required=CUSTOM_A', '1.17'), await names('required=CUSTOM_A', '1.18')]).toEqual([400, 'node-1'])
    expect([await names('required=!CUSTOM_A', '1.21'), await names('required=!CUSTOM_A', '1.22')]).toEqual([400, 'node-2'])
    expect([await names('required=in:CUSTOM_A,HW_NUMA_ROOT', '1.38'), await names('required=in:CUSTOM_A,HW_NUMA_ROOT')]).toEqual([
      400,
      'node-1',
    ])
    expect([
      await names('required=CUSTOM_A&required=STORAGE_DISK_SSD', '1.38'),
      await names('required=CUSTOM_A&required=STORAGE_DISK_SSD'),
    ]).toEqual([400, 'node-1'])
    expect([await names('required=CUSTOM_A,!CUSTOM_A'), await names('required=NO_SUCH'), await names('colour=red')]).toEqual([
      400, 400, 400,
    ])
  })

  it('PUT: renames; a parent is set once before 1.37, freely from then on', async () => {
    const { say } = await stockedPlacement()
    expect((await say(`PUT /resource_providers/${one}`, { name: 'renamed' })).body).toMatchObject({ name: 'renamed', uuid: one })
    expect((await say(`PUT /resource_providers/${one}`, { name: 'node-2' })).status).toBe(409)
    expect((await say(`PUT /resource_providers/${nobody}`, { name: 'x' })).status).toBe(404)
    const put = async (uuid: string, name: string, parent_provider_uuid: string | null, at: string) => {
      const { status, body } = await say(`PUT /resource_providers/${uuid} @${at}`, { name, parent_provider_uuid })
      return status === 200 ? [body.parent_provider_uuid, body.root_provider_uuid] : status
    }
    expect(await put(two, 'node-2', one, '1.14')).toEqual([one, one])
    expect(await put(two, 'node-2', null, '1.36')).toBe(400)
    expect(await put(one, 'node-1', two, '1.37')).toBe(400)
    expect(await put(one, 'node-1', nobody, '1.37')).toBe(400)
    expect(await put(two, 'node-2', null, '1.37')).toEqual([null, two])
  })

  it('DELETE: not with allocations or children', async () => {
    const { say, placement } = await stockedPlacement()
    placement.ensureProvider({ uuid: two, name: 'node-2', parentUuid: one })
    placement.claim({ uuid: server, projectId: 'p', userId: 'u', type: 'INSTANCE' }, [{ providerUuid: two, resources: { VCPU: 1 } }])
    expect(errorOf(await say(`DELETE /resource_providers/${one}`))).toEqual([409, 'placement.resource_provider.cannot_delete_parent'])
    expect(errorOf(await say(`DELETE /resource_providers/${two}`))).toEqual([409, 'placement.resource_provider.inuse'])
    placement.release(server)
    expect([(await say(`DELETE /resource_providers/${two}`)).status, (await say(`DELETE /resource_providers/${one}`)).status]).toEqual([
      204, 204,
    ])
    expect((await say(`DELETE /resource_providers/${one}`)).status).toBe(404)
  })
})

describe('/resource_providers/{uuid}/inventories', () => {
  it('PUT replaces all, by generation', async () => {
    const { say } = await stockedPlacement()
    const path = `/resource_providers/${one}/inventories`
    const answer = await say(`PUT ${path}`, {
      resource_provider_generation: 1,
      inventories: { DISK_GB: { total: 100, allocation_ratio: 1.5 } },
    })
    expect(answer.body).toEqual({
      resource_provider_generation: 2,
      inventories: { DISK_GB: { ...inventoryDefaults, total: 100, allocation_ratio: 1.5 } },
    })
    expect((await say(`GET ${path}`)).body).toEqual(answer.body)
    const stale = await say(`PUT ${path} @1.23`, { resource_provider_generation: 1, inventories: {} })
    expect(errorOf(stale)).toEqual([409, 'placement.concurrent_update'])
    for (const inventories of [
      { VCPU: {} },
      { VCPU: { total: 0 } },
      { VCPU: { total: 2 ** 31 } },
      { VCPU: { total: 1, colour: 'red' } },
      { VCPU: { total: 1, step_size: 0 } },
      { vcpu: { total: 1 } },
      { CUSTOM_NO_SUCH: { total: 1 } },
    ]) {
      expect([inventories, (await say(`PUT ${path}`, { resource_provider_generation: 2, inventories })).status]).toEqual([inventories, 400])
    }
    const full = { resource_provider_generation: 2, inventories: { VCPU: { total: 1, reserved: 1 } } }
    expect([(await say(`PUT ${path} @1.25`, full)).status, (await say(`PUT ${path} @1.26`, full)).status]).toEqual([400, 200])
    expect((await say(`PUT /resource_providers/${nobody}/inventories`, full)).status).toBe(404)
  })

  it('POST adds one, GET, PUT and DELETE take one', async () => {
    const { say } = await stockedPlacement()
    const path = `/resource_providers/${one}/inventories`
    const added = await say(`POST ${path}`, { resource_class: 'DISK_GB', total: 10 })
    expect([added.status, added.headers.get('location')]).toEqual([201, `http://cloud.test/placement${path}/DISK_GB`])
    expect(added.body).toEqual({ ...inventoryDefaults, total: 10, resource_provider_generation: 2 })
    expect((await say(`POST ${path}`, { resource_class: 'DISK_GB', total: 10 })).status).toBe(409)
    expect((await say(`PUT ${path}/DISK_GB`, { total: 20, resource_provider_generation: 2 })).body).toMatchObject({ total: 20 })
    expect(errorOf(await say(`PUT ${path}/DISK_GB`, { total: 20, resource_provider_generation: 2 }))).toEqual([
      409,
      'placement.concurrent_update',
    ])
    expect((await say(`PUT ${path}/PCPU`, { total: 20, resource_provider_generation: 3 })).status).toBe(400)
    expect((await say(`GET ${path}/DISK_GB`)).body).toEqual({ ...inventoryDefaults, total: 20, resource_provider_generation: 3 })
    expect([(await say(`DELETE ${path}/DISK_GB`)).status, (await say(`DELETE ${path}/DISK_GB`)).status]).toEqual([204, 404])
    expect((await say(`GET ${path}/DISK_GB`)).status).toBe(404)
  })

  it('none goes while in use; all at once can from 1.5', async () => {
    const { say, placement } = await stockedPlacement()
    const path = `/resource_providers/${one}/inventories`
    placement.claim({ uuid: server, projectId: 'p', userId: 'u', type: 'INSTANCE' }, [{ providerUuid: one, resources: { VCPU: 1 } }])
    const inUse = [409, 'placement.inventory.inuse']
    expect(errorOf(await say(`DELETE ${path}/VCPU`))).toEqual(inUse)
    expect(errorOf(await say(`PUT ${path}`, { resource_provider_generation: 2, inventories: {} }))).toEqual(inUse)
    expect(errorOf(await say(`DELETE ${path} @1.5`))).toEqual(inUse)
    placement.release(server)
    expect([(await say(`DELETE ${path} @1.4`)).status, (await say(`DELETE ${path} @1.5`)).status]).toEqual([405, 204])
    expect((await say(`GET ${path}`)).body.inventories).toEqual({})
  })
})

describe('/resource_providers/{uuid}/aggregates', () => {
  it('is a list to 1.18, guarded by the generation from 1.19', async () => {
    const { say } = await stockedPlacement()
    const path = `/resource_providers/${one}/aggregates`
    expect((await say(`GET ${path} @1.0`)).status).toBe(404)
    expect((await say(`PUT ${path} @1.1`, [blue])).body).toEqual({ aggregates: [blue] })
    expect((await say(`GET ${path} @1.19`)).body).toEqual({ aggregates: [blue], resource_provider_generation: 1 })
    const body = { aggregates: [red], resource_provider_generation: 1 }
    expect((await say(`PUT ${path} @1.19`, body)).body).toEqual({ aggregates: [red], resource_provider_generation: 2 })
    expect(errorOf(await say(`PUT ${path} @1.19`, body))).toEqual([409, 'placement.concurrent_update'])
    expect([(await say(`PUT ${path} @1.18`, body)).status, (await say(`PUT ${path} @1.1`, ['x'])).status]).toEqual([400, 400])
    expect((await say(`PUT ${path} @1.1`, [blue, blue])).status).toBe(400)
  })
})

const tsv = new URL('../../../shared/openstack-api/placement-routes.tsv', import.meta.url)

describe('coverage', () => {
  it.skipIf(!existsSync(tsv))('has an operation for each route of the table, in its versions, with its status', () => {
    const { placement } = startPlacement()
    const { operations } = placement.root
    const [, ...lines] = readFileSync(tsv, 'utf8').trim().split('\n')
    const routes = lines.map((line) => {
      const [method, path, since, , statuses] = line.split('\t') as [string, string, string, string, string]
      return { method, path, since, codes: [...statuses.matchAll(/(\d{3})/g)].map(([code]) => Number(code)) }
    })
    expect(routes).toHaveLength(36)
    const key = (route: { method: string; path: string }) => `${route.method} ${route.path}`
    expect([...new Set(operations.map(key))].sort()).toEqual(routes.map(key).sort())
    for (const route of routes) {
      const own = operations.filter((operation) => key(operation) === key(route) && !operation.errors?.includes(405))
      const first = Math.min(...own.map(({ since }) => (since === undefined ? 0 : version(since))))
      expect([key(route), first]).toEqual([key(route), route.since === '' ? 0 : version(route.since)])
      const statuses = own.flatMap(({ status }) => (typeof status === 'number' ? [status] : Object.values(status)))
      expect([key(route), statuses.some((status) => route.codes.includes(status))]).toEqual([key(route), true])
    }
  })
})
