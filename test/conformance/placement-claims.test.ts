/** The Placement API, allocations and what rests on them: usages, candidates, reshaping. @see https://docs.openstack.org/api-ref/placement/ */
import { describe, expect, it } from 'vitest'
import { blue, errorOf, nobody, one, other, owner, server, stockedPlacement, two } from '../support/placement.ts'

describe('/allocations', () => {
  it('PUT: the list form to 1.11', async () => {
    const { say } = await stockedPlacement()
    const allocations = [{ resource_provider: { uuid: one }, resources: { VCPU: 2 } }]
    expect((await say(`PUT /allocations/${server}`, { allocations })).status).toBe(204)
    expect((await say(`GET /allocations/${server}`)).body).toEqual({ allocations: { [one]: { generation: 2, resources: { VCPU: 2 } } } })
    expect((await say(`GET /allocations/${server} @1.12`)).body.project_id).toBe('00000000-0000-0000-0000-000000000000')
    expect((await say(`PUT /allocations/${server} @1.8`, { allocations })).status).toBe(400)
    expect((await say(`PUT /allocations/${server} @1.8`, { allocations, ...owner })).status).toBe(204)
    expect((await say(`GET /allocations/${server} @1.12`)).body.project_id).toBe('project-a')
    expect((await say(`PUT /allocations/${server} @1.12`, { allocations, ...owner })).status).toBe(400)
    expect((await say(`PUT /allocations/${server}`, { allocations: [...allocations, ...allocations] })).status).toBe(400)
  })

  it('PUT: the object form, with consumer generation from 1.28 and type from 1.38', async () => {
    const { say } = await stockedPlacement()
    const path = `/allocations/${server}`
    const allocations = { [one]: { resources: { VCPU: 2, MEMORY_MB: 64 } } }
    expect((await say(`PUT ${path} @1.12`, { allocations, ...owner })).status).toBe(204)
    expect((await say(`PUT ${path} @1.12`, { allocations: {}, ...owner })).status).toBe(400)
    const at28 = { allocations, ...owner, consumer_generation: null }
    expect(errorOf(await say(`PUT ${path} @1.28`, at28))).toEqual([409, 'placement.concurrent_update'])
    expect((await say(`PUT ${path} @1.28`, { allocations, ...owner })).status).toBe(400)
    expect((await say(`PUT ${path} @1.28`, { ...at28, consumer_generation: 1 })).status).toBe(204)
    expect((await say(`PUT ${path} @1.33`, { ...at28, consumer_generation: 2, mappings: { '': [one] } })).status).toBe(400)
    expect((await say(`PUT ${path} @1.34`, { ...at28, consumer_generation: 2, mappings: { '': [one] } })).status).toBe(204)
    expect((await say(`PUT ${path} @1.38`, { ...at28, consumer_generation: 3 })).status).toBe(400)
    expect((await say(`PUT ${path} @1.38`, { ...at28, consumer_generation: 3, consumer_type: 'INSTANCE' })).status).toBe(204)
    const { body } = await say(`GET ${path} @1.38`)
    expect(body).toEqual({
      allocations: { [one]: { generation: 5, resources: { VCPU: 2, MEMORY_MB: 64 } } },
      ...owner,
      consumer_generation: 4,
      consumer_type: 'INSTANCE',
    })
    expect((await say(`PUT ${path} @1.28`, { ...at28, allocations: {}, consumer_generation: 4 })).status).toBe(204)
    expect((await say(`GET ${path} @1.38`)).body).toEqual({ allocations: {} })
    expect((await say(`PUT ${path} @1.28`, { ...at28, consumer_generation: 4 })).status).toBe(409)
  })

  it('PUT: refusals leave nothing behind', async () => {
    const { say } = await stockedPlacement()
    const put = async (allocations: unknown, uuid = server) =>
      errorOf(await say(`PUT /allocations/${uuid} @1.12`, { allocations, ...owner }))[0]
    expect(await put({ [one]: { resources: { VCPU: 1 } }, [two]: { resources: { VCPU: 9 } } })).toBe(409)
    expect(await put({ [one]: { resources: { DISK_GB: 1 } } })).toBe(409)
    expect(await put({ [nobody]: { resources: { VCPU: 1 } } })).toBe(400)
    expect(await put({ [one]: { resources: { CUSTOM_NO_SUCH: 1 } } })).toBe(400)
    expect(await put({ [one]: { resources: { VCPU: 0 } } })).toBe(400)
    expect(await put({ [one]: { resources: {} } })).toBe(400)
    expect(await put({ x: { resources: { VCPU: 1 } } })).toBe(400)
    expect(await put({ [one]: { resources: { VCPU: 1 } } }, 'x')).toBe(400)
    expect((await say(`GET /resource_providers/${one}/usages`)).body).toEqual({
      resource_provider_generation: 1,
      usages: { VCPU: 0, MEMORY_MB: 0 },
    })
  })

  it('POST: several at once; a move between two needs no room for both', async () => {
    const { say } = await stockedPlacement()
    const vcpus = (uuid: string, VCPU: number) => ({ allocations: { [uuid]: { resources: { VCPU } } }, ...owner })
    expect((await say(`PUT /allocations/${server} @1.12`, vcpus(one, 8))).status).toBe(204)
    const nothing = { allocations: {}, ...owner }
    expect((await say('POST /allocations @1.13', { [server]: nothing, [other]: vcpus(one, 8) })).status).toBe(204)
    expect((await say(`GET /allocations/${server}`)).body).toEqual({ allocations: {} })
    expect((await say('POST /allocations @1.13', { [server]: vcpus(two, 1), [other]: vcpus(two, 8) })).status).toBe(409)
    expect((await say(`GET /resource_providers/${two}/usages`)).body.usages.VCPU).toBe(0)
    const generation = { ...vcpus(two, 1), consumer_generation: 7 }
    expect(errorOf(await say('POST /allocations @1.28', { [server]: generation }))).toEqual([409, 'placement.concurrent_update'])
    expect((await say('POST /allocations @1.38', { [server]: { ...generation, consumer_generation: null } })).status).toBe(400)
    expect([(await say('POST /allocations @1.13', {})).status, (await say('POST /allocations @1.12', {})).status]).toEqual([400, 404])
  })

  it('DELETE gives back, once; GET of none is empty', async () => {
    const { say } = await stockedPlacement()
    await say(`PUT /allocations/${server} @1.12`, { allocations: { [one]: { resources: { VCPU: 2 } } }, ...owner })
    const at27 = (await say(`GET /resource_providers/${one}/allocations @1.27`)).body
    expect(at27).toEqual({ allocations: { [server]: { resources: { VCPU: 2 } } }, resource_provider_generation: 2 })
    expect((await say(`GET /resource_providers/${one}/allocations @1.28`)).body.allocations[server].consumer_generation).toBe(1)
    expect([(await say(`DELETE /allocations/${server}`)).status, (await say(`DELETE /allocations/${server}`)).status]).toEqual([204, 404])
    expect((await say(`GET /allocations/${server} @1.38`)).body).toEqual({ allocations: {} })
    expect((await say(`GET /resource_providers/${one}/usages`)).body.usages.VCPU).toBe(0)
  })
})

describe('/usages', () => {
  it('sums a project; by consumer type from 1.38', async () => {
    const { say } = await stockedPlacement()
    const put = (uuid: string, VCPU: number, consumer_type: string, user_id = 'user-a') =>
      say(`PUT /allocations/${uuid} @1.38`, {
        allocations: { [one]: { resources: { VCPU } } },
        ...owner,
        user_id,
        consumer_generation: null,
        consumer_type,
      })
    await put(server, 2, 'INSTANCE')
    await put(other, 3, 'MIGRATION', 'user-b')
    await say(`PUT /allocations/${nobody} @1.12`, { allocations: { [two]: { resources: { VCPU: 1 } } }, ...owner })
    const usages = async (query: string, at: string) => (await say(`GET /usages?${query} @${at}`)).body.usages
    expect(await usages('project_id=project-a', '1.9')).toEqual({ VCPU: 6 })
    expect(await usages('project_id=project-a&user_id=user-b', '1.9')).toEqual({ VCPU: 3 })
    expect(await usages('project_id=project-b', '1.9')).toEqual({})
    expect(await usages('project_id=project-a', '1.38')).toEqual({
      INSTANCE: { VCPU: 2, consumer_count: 1 },
      MIGRATION: { VCPU: 3, consumer_count: 1 },
      unknown: { VCPU: 1, consumer_count: 1 },
    })
    expect(await usages('project_id=project-a&consumer_type=all', '1.38')).toEqual({ all: { VCPU: 6, consumer_count: 3 } })
    expect(await usages('project_id=project-a&consumer_type=INSTANCE', '1.38')).toEqual({ INSTANCE: { VCPU: 2, consumer_count: 1 } })
    expect((await say('GET /usages @1.9')).status).toBe(400)
    expect((await say('GET /usages?project_id=a&consumer_type=all @1.37')).status).toBe(400)
    expect((await say('GET /usages?project_id=a @1.8')).status).toBe(404)
  })
})

describe('/allocation_candidates', () => {
  it('grows with its versions', async () => {
    const { say, placement } = await stockedPlacement()
    placement.setTraits(one, ['CUSTOM_A'])
    placement.claim({ uuid: server, projectId: 'p', userId: 'u', type: 'INSTANCE' }, [{ providerUuid: two, resources: { VCPU: 8 } }])
    const get = async (at: string) => (await say(`GET /allocation_candidates?resources=VCPU:1 @${at}`)).body
    expect(await get('1.10')).toEqual({
      allocation_requests: [{ allocations: [{ resource_provider: { uuid: one }, resources: { VCPU: 1 } }] }],
      provider_summaries: { [one]: { resources: { VCPU: { capacity: 8, used: 0 } } } },
    })
    expect((await get('1.12')).allocation_requests).toEqual([{ allocations: { [one]: { resources: { VCPU: 1 } } } }])
    expect((await get('1.17')).provider_summaries[one].traits).toEqual(['CUSTOM_A'])
    expect((await get('1.27')).provider_summaries[one].resources.MEMORY_MB).toEqual({ capacity: 3584, used: 0 })
    expect((await get('1.29')).provider_summaries[one]).toMatchObject({ parent_provider_uuid: null, root_provider_uuid: one })
    expect((await get('1.34')).allocation_requests[0].mappings).toEqual({ '': [one] })
    expect((await say('GET /allocation_candidates?resources=VCPU:1 @1.9')).status).toBe(404)
  })

  it('filters, each from its version', async () => {
    const { say, placement } = await stockedPlacement()
    placement.setTraits(one, ['CUSTOM_A'])
    placement.setAggregates(two, [blue])
    const found = async (query: string, at: string) => {
      const { status, body } = await say(`GET /allocation_candidates?resources=VCPU:1&${query} @${at}`)
      return status === 200
        ? body.allocation_requests.map((request: { allocations: object }) => Object.keys(request.allocations)[0])
        : status
    }
    expect([await found('limit=1', '1.15'), await found('limit=1', '1.16'), await found('limit=0', '1.16')]).toEqual([400, [one], 400])
    expect([await found('required=CUSTOM_A', '1.16'), await found('required=CUSTOM_A', '1.17')]).toEqual([400, [one]])
    expect([await found(`member_of=${blue}`, '1.20'), await found(`member_of=${blue}`, '1.21')]).toEqual([400, [two]])
    expect([await found('required=!CUSTOM_A', '1.21'), await found('required=!CUSTOM_A', '1.22')]).toEqual([400, [two]])
    expect([await found(`in_tree=${two}`, '1.30'), await found(`in_tree=${two}`, '1.31')]).toEqual([400, [two]])
    expect([await found(`member_of=!${blue}`, '1.31'), await found(`member_of=!${blue}`, '1.32')]).toEqual([400, [one]])
    expect([await found('root_required=!CUSTOM_A', '1.34'), await found('root_required=!CUSTOM_A', '1.35')]).toEqual([400, [two]])
    expect([await found('required=in:CUSTOM_A,HW_NUMA_ROOT', '1.38'), await found('required=in:CUSTOM_A,HW_NUMA_ROOT', '1.39')]).toEqual([
      400,
      [one],
    ])
    for (const query of ['required=NO_SUCH', 'colour=red', 'resources=VCPU:2', 'required1=CUSTOM_A', 'group_policy=x']) {
      expect([query, await found(query, '1.39')]).toEqual([query, 400])
    }
    expect((await say('GET /allocation_candidates @1.39')).status).toBe(400)
  })

  it('puts numbered groups together on one provider or keeps them apart', async () => {
    const { say, placement } = await stockedPlacement()
    const child = '33333333-3333-4333-8333-333333333333'
    placement.ensureProvider({ uuid: child, name: 'gpu', parentUuid: one })
    const vgpu = { total: 4, reserved: 0, minUnit: 1, maxUnit: 4, stepSize: 1, allocationRatio: 1 }
    placement.setInventory(child, { VGPU: vgpu, VCPU: vgpu })
    const get = async (query: string, at = '1.39') => (await say(`GET /allocation_candidates?${query} @${at}`)).body.allocation_requests
    expect(await get('resources1=VCPU:2&resources2=VCPU:6&group_policy=none', '1.34')).toEqual([
      { allocations: { [one]: { resources: { VCPU: 8 } } }, mappings: { 1: [one], 2: [one] } },
      { allocations: { [one]: { resources: { VCPU: 6 } }, [child]: { resources: { VCPU: 2 } } }, mappings: { 1: [child], 2: [one] } },
      { allocations: { [two]: { resources: { VCPU: 8 } } }, mappings: { 1: [two], 2: [two] } },
    ])
    expect(await get('resources1=VCPU:2&resources2=VCPU:6&group_policy=isolate')).toHaveLength(1)
    expect(await get('resources1=VCPU:3&resources2=VCPU:6&group_policy=none')).toHaveLength(1)
    expect(await get('resources=MEMORY_MB:64,VGPU:1')).toEqual([
      { allocations: { [one]: { resources: { MEMORY_MB: 64 } }, [child]: { resources: { VGPU: 1 } } }, mappings: { '': [one, child] } },
    ])
    expect(await get('resources=MEMORY_MB:64,VGPU:1', '1.28')).toEqual([])
    expect(await get('resources=MEMORY_MB:64&resources_GPU=VGPU:1')).toHaveLength(1)
    expect(await get('resources_CPU=VCPU:1&resources_GPU=VGPU:1&group_policy=none&same_subtree=_CPU,_GPU')).toHaveLength(2)
    expect((await say(`GET /allocation_candidates?resources=MEMORY_MB:64,VGPU:1 @1.29`)).body.provider_summaries[child]).toMatchObject({
      parent_provider_uuid: one,
      root_provider_uuid: one,
    })
    const status = async (query: string, at: string) => (await say(`GET /allocation_candidates?${query} @${at}`)).status
    expect(await status('resources1=VCPU:1&resources2=VCPU:1', '1.25')).toBe(400)
    expect([
      await status('resources1=VCPU:1', '1.24'),
      await status('resources_A=VCPU:1', '1.32'),
      await status('resources_A=VCPU:1', '1.33'),
    ]).toEqual([400, 400, 200])
    expect(await status('resources=VCPU:1&same_subtree=_X', '1.36')).toBe(400)
    expect(await status('resources=VCPU:1&required_X=COMPUTE_NODE', '1.36')).toBe(400)
    expect(await status('resources_A=VCPU:1&required_X=COMPUTE_NODE&same_subtree=_A,_X', '1.36')).toBe(200)
  })
})

describe('/reshaper', () => {
  it('moves inventory and what is held of it, or nothing', async () => {
    const { say, placement } = await stockedPlacement()
    await say(`PUT /allocations/${server} @1.12`, { allocations: { [one]: { resources: { VCPU: 8, MEMORY_MB: 64 } } }, ...owner })
    const shape = (resource_provider_generation: number, inventories: object) => ({ resource_provider_generation, inventories })
    const memory = { MEMORY_MB: { total: 4096 } }
    const body = (held: object) => ({
      inventories: { [one]: shape(2, memory), [two]: shape(1, { ...memory, VCPU: { total: 16 } }) },
      allocations: held,
    })
    expect(errorOf(await say('POST /reshaper @1.30', body({})))).toEqual([409, 'placement.inventory.inuse'])
    expect(placement.usage(two).VCPU?.total).toBe(8)
    const split = { [one]: { resources: { MEMORY_MB: 64 } }, [two]: { resources: { VCPU: 9 } } }
    expect((await say('POST /reshaper @1.30', body({ [server]: { allocations: split, ...owner, consumer_generation: 1 } }))).status).toBe(
      204,
    )
    expect([placement.usage(one).VCPU, placement.usage(two).VCPU?.used]).toEqual([undefined, 9])
    expect(errorOf(await say('POST /reshaper @1.30', body({})))).toEqual([409, 'placement.concurrent_update'])
    expect((await say('POST /reshaper @1.30', { inventories: { [nobody]: shape(0, {}) }, allocations: {} })).status).toBe(404)
    expect([(await say('POST /reshaper @1.30', {})).status, (await say('POST /reshaper @1.29', body({}))).status]).toEqual([400, 404])
  })
})
