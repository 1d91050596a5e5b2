/** Shelving, offloading and unshelving. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type CloudCall, startTestCloud } from '../support/cloud.ts'

const open = async (flags: Record<string, string>) => {
  const cloud = await startTestCloud({ flags })
  const call = (method: string, path: string, options: CloudCall = {}) => cloud.call(method, path, { as: 'demo', ...options })
  const imageRef = (await call('GET', '/image/v2/images?name=tiny')).body.images[0].id
  const server = { name: 'web1', imageRef, flavorRef: '42' }
  const id: string = (await call('POST', '/compute/v2.1/servers', { body: { server } })).body.server.id
  await cloud.settle()
  const act = async (body: Record<string, unknown>, options: CloudCall = {}) => {
    const answer = await call('POST', `/compute/v2.1/servers/${id}/action`, { body, ...options })
    await cloud.settle()
    return answer
  }
  const show = async (as: 'admin' | 'demo' = 'demo') =>
    (await call('GET', `/compute/v2.1/servers/${id}`, { as, version: '2.96' })).body.server
  const images = async () => (await call('GET', '/image/v2/images?name=web1-shelved')).body.images
  return { cloud, id, imageRef, act, show, images }
}

describe('shelving, to leave the host at once', () => {
  let world: Awaited<ReturnType<typeof open>>
  beforeAll(async () => {
    world = await open({})
  })
  afterAll(() => world.cloud[Symbol.asyncDispose]())

  it('keeps an image, the ports and no room; unshelving takes it back', async () => {
    const { act, show, images, imageRef } = world
    const { addresses } = await show()
    expect((await act({ shelve: null })).status).toBe(202)
    expect(await show('admin')).toMatchObject({ status: 'SHELVED_OFFLOADED', addresses, 'OS-EXT-SRV-ATTR:host': null })
    expect(await images()).toMatchObject([{ status: 'active', image_type: 'snapshot' }])
    expect((await act({ 'os-start': null })).status).toBe(409)
    expect((await act({ unshelve: null })).status).toBe(202)
    expect(await show('admin')).toMatchObject({
      status: 'ACTIVE',
      addresses,
      image: { id: imageRef },
      'OS-EXT-SRV-ATTR:host': 'host1',
    })
    expect(await images()).toEqual([])
    expect((await act({ unshelve: null })).status).toBe(409)
  })

  it('takes a zone from 2.77 and a host from 2.91', async () => {
    const { act, show } = world
    await act({ shelve: null })
    expect((await act({ unshelve: { availability_zone: 'mars' } }, { version: '2.77' })).status).toBe(400)
    expect((await act({ unshelve: { host: 'host1' } }, { version: '2.77' })).status).toBe(400)
    expect((await act({ unshelve: {} }, { version: '2.90' })).status).toBe(400)
    expect((await act({ unshelve: { host: 'host1' } }, { version: '2.91' })).status).toBe(403)
    expect((await act({ unshelve: { host: 'nobody' } }, { version: '2.91', as: 'admin' })).status).toBe(400)
    expect((await act({ unshelve: { availability_zone: 'nova' } }, { version: '2.77' })).status).toBe(202)
    expect(await show()).toMatchObject({ status: 'ACTIVE', pinned_availability_zone: 'nova' })
    await act({ shelve: null })
    expect((await act({ unshelve: {} }, { version: '2.91' })).status).toBe(202)
    await act({ shelve: null })
    const body = { unshelve: { availability_zone: null, host: 'host1' } }
    expect((await act(body, { version: '2.91', as: 'admin' })).status).toBe(202)
    expect(await show()).toMatchObject({ status: 'ACTIVE', pinned_availability_zone: null })
  })
})

describe('shelving, to stay on the host', () => {
  let world: Awaited<ReturnType<typeof open>>
  beforeAll(async () => {
    world = await open({ 'DEFAULT.shelved_offload_time': '-1' })
  })
  afterAll(() => world.cloud[Symbol.asyncDispose]())

  it('is undone without a new guest', async () => {
    const { act, show, images } = world
    await act({ shelve: null })
    expect(await show('admin')).toMatchObject({ status: 'SHELVED', 'OS-EXT-SRV-ATTR:host': 'host1' })
    expect((await act({ unshelve: { availability_zone: 'nova' } }, { version: '2.77' })).status).toBe(409)
    expect((await act({ unshelve: null }, { version: '2.77' })).status).toBe(202)
    expect((await show()).status).toBe('ACTIVE')
    expect(await images()).toEqual([])
  })

  it('is followed by an administrator’s offloading', async () => {
    const { act, show } = world
    expect((await act({ shelveOffload: null }, { as: 'admin' })).status).toBe(409)
    await act({ shelve: null })
    expect((await act({ shelveOffload: null })).status).toBe(403)
    expect((await act({ shelveOffload: null }, { as: 'admin' })).status).toBe(202)
    expect((await show()).status).toBe('SHELVED_OFFLOADED')
    expect((await act({ unshelve: null })).status).toBe(202)
    expect((await show()).status).toBe('ACTIVE')
  })
})
