/** The Placement API, traits and resource classes. @see https://docs.openstack.org/api-ref/placement/#traits */
import { describe, expect, it } from 'vitest'
import { errorOf, nobody, one, startPlacement, stockedPlacement } from '../support/placement.ts'

describe('/traits', () => {
  it('custom ones come and go, standard ones stay', async () => {
    const { say, placement } = await stockedPlacement()
    const statuses = [
      await say('PUT /traits/CUSTOM_A @1.6'),
      await say('PUT /traits/CUSTOM_A @1.6'),
      await say('GET /traits/CUSTOM_A @1.6'),
    ]
    expect(statuses.map(({ status }) => status)).toEqual([201, 204, 204])
    expect(statuses[0]!.headers.get('location')).toBe('http://cloud.test/placement/traits/CUSTOM_A')
    expect([(await say('PUT /traits/custom_a @1.6')).status, (await say('PUT /traits/HW_X @1.6')).status]).toEqual([400, 400])
    expect((await say('GET /traits/CUSTOM_B @1.6')).status).toBe(404)
    placement.setTraits(one, ['CUSTOM_A'])
    expect((await say('DELETE /traits/CUSTOM_A @1.6')).status).toBe(409)
    placement.setTraits(one, [])
    expect((await say('DELETE /traits/CUSTOM_A @1.6')).status).toBe(204)
    expect([(await say('DELETE /traits/CUSTOM_A @1.6')).status, (await say('DELETE /traits/COMPUTE_NODE @1.6')).status]).toEqual([404, 400])
  })
  it('are listed by name, prefix and use', async () => {
    const { say, placement } = await stockedPlacement()
    placement.setTraits(one, ['CUSTOM_A', 'STORAGE_DISK_SSD'])
    const list = async (query: string) => (await say(`GET /traits?${query} @1.6`)).body?.traits
    expect((await list('')).length).toBeGreaterThan(300)
    expect(await list('name=startswith:STORAGE_')).toEqual(['STORAGE_DISK_HDD', 'STORAGE_DISK_SSD'])
    expect(await list('name=in:CUSTOM_A,COMPUTE_NODE,NOPE')).toEqual(['COMPUTE_NODE', 'CUSTOM_A'])
    expect(await list('associated=true')).toEqual(['CUSTOM_A', 'STORAGE_DISK_SSD'])
    expect((await list('associated=false')).includes('CUSTOM_A')).toBe(false)
    expect([(await say('GET /traits?name=x @1.6')).status, (await say('GET /traits?associated=x @1.6')).status]).toEqual([400, 400])
    expect((await say('GET /traits @1.5')).status).toBe(404)
  })
  it('are set on a provider by generation', async () => {
    const { say } = await stockedPlacement()
    const path = `/resource_providers/${one}/traits`
    const body = { traits: ['STORAGE_DISK_SSD', 'COMPUTE_NODE'], resource_provider_generation: 1 }
    expect((await say(`PUT ${path} @1.6`, body)).body).toEqual({
      traits: ['COMPUTE_NODE', 'STORAGE_DISK_SSD'],
      resource_provider_generation: 2,
    })
    expect(errorOf(await say(`PUT ${path} @1.6`, body))).toEqual([409, 'placement.concurrent_update'])
    expect((await say(`PUT ${path} @1.6`, { traits: ['CUSTOM_NO_SUCH'], resource_provider_generation: 2 })).status).toBe(400)
    expect((await say(`DELETE ${path} @1.6`)).status).toBe(204)
    expect((await say(`GET ${path} @1.6`)).body).toEqual({ traits: [], resource_provider_generation: 3 })
    expect((await say(`GET /resource_providers/${nobody}/traits @1.6`)).status).toBe(404)
  })
})

describe('/resource_classes', () => {
  it('GET: standard ones first', async () => {
    const { say } = startPlacement()
    const { body } = await say('GET /resource_classes @1.2')
    expect(body.resource_classes[0]).toEqual({ name: 'VCPU', links: [{ rel: 'self', href: '/placement/resource_classes/VCPU' }] })
    expect((await say('GET /resource_classes/VCPU @1.2')).body).toEqual(body.resource_classes[0])
    expect([(await say('GET /resource_classes/NOPE @1.2')).status, (await say('GET /resource_classes @1.1')).status]).toEqual([404, 404])
  })
  it('POST, PUT and DELETE: custom ones', async () => {
    const { say } = await stockedPlacement()
    const created = await say('POST /resource_classes @1.2', { name: 'CUSTOM_A' })
    expect([created.status, created.headers.get('location')]).toEqual([201, 'http://cloud.test/placement/resource_classes/CUSTOM_A'])
    expect((await say('POST /resource_classes @1.2', { name: 'CUSTOM_A' })).status).toBe(409)
    expect((await say('POST /resource_classes @1.2', { name: 'VCPU' })).status).toBe(400)
    expect((await say('PUT /resource_classes/CUSTOM_A @1.6', { name: 'CUSTOM_B' })).body.name).toBe('CUSTOM_B')
    expect((await say('PUT /resource_classes/VCPU @1.6', { name: 'CUSTOM_C' })).status).toBe(400)
    expect((await say('PUT /resource_classes/CUSTOM_A @1.6', { name: 'CUSTOM_C' })).status).toBe(404)
    const put = async (name: string) => (await say(`PUT /resource_classes/${name} @1.7`)).status
    expect([await put('CUSTOM_B'), await put('CUSTOM_C'), await put('VCPU'), await put('custom_d')]).toEqual([204, 201, 400, 400])
    await say(`POST /resource_providers/${one}/inventories`, { resource_class: 'CUSTOM_B', total: 1 })
    const remove = async (name: string) => (await say(`DELETE /resource_classes/${name} @1.2`)).status
    expect([await remove('CUSTOM_B'), await remove('CUSTOM_C'), await remove('CUSTOM_C'), await remove('VCPU')]).toEqual([
      409, 204, 404, 400,
    ])
  })
})
