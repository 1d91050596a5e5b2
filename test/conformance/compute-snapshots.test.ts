/** Images from servers. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { FakeDriver } from '../../src/nova/virt/fake/index.ts'
import { type CloudCall, startTestCloud, type TestCloud } from '../support/cloud.ts'

let cloud: TestCloud
let id: string
const call = (method: string, path: string, options: CloudCall = {}) => cloud.call(method, path, { as: 'demo', ...options })
const act = async (body: Record<string, unknown>, options: CloudCall = {}) => {
  const answer = await call('POST', `/compute/v2.1/servers/${id}/action`, { body, ...options })
  await cloud.settle()
  return answer
}

beforeAll(async () => {
  cloud = await startTestCloud({ flags: { 'quota.metadata_items': '2' } })
  const image = (await call('GET', '/image/v2/images?name=tiny')).body.images[0].id
  const server = { name: 'web1', imageRef: image, flavorRef: '42' }
  id = (await call('POST', '/compute/v2.1/servers', { body: { server } })).body.server.id
  await cloud.settle()
})
afterAll(() => cloud[Symbol.asyncDispose]())

describe('createImage', () => {
  it('names the image in a header to 2.44, in a body from 2.45', async () => {
    const old = await act({ createImage: { name: 'old', metadata: { colour: 'red' } } }, { version: '2.44' })
    expect([old.status, old.text]).toEqual([202, ''])
    const location = old.headers.get('location') ?? ''
    const image = await call('GET', new URL(location).pathname)
    expect(image.body).toMatchObject({
      name: 'old',
      status: 'active',
      visibility: 'private',
      image_type: 'snapshot',
      instance_uuid: id,
      colour: 'red',
    })
    const young = await act({ createImage: { name: 'young' } }, { version: '2.45' })
    expect([young.status, Object.keys(young.body), young.headers.get('location')]).toEqual([202, ['image_id'], null])
    expect((await call('GET', `/image/v2/images/${young.body.image_id}`)).body).toMatchObject({ name: 'young', status: 'active' })
  })

  it('makes images that servers boot from, whose address names them', async () => {
    const { image_id: imageRef } = (await act({ createImage: { name: 'boot me' } }, { version: '2.45' })).body
    const server = { name: 'web2', imageRef, flavorRef: '42' }
    const made = (await call('POST', '/compute/v2.1/servers', { body: { server } })).body.server.id
    await cloud.settle()
    expect((await call('GET', `/compute/v2.1/servers/${made}`)).body.server).toMatchObject({ status: 'ACTIVE', image: { id: imageRef } })
  })

  it('works on a locked server, and not on one at work', async () => {
    await act({ lock: null })
    expect((await act({ createImage: { name: 'locked' } })).status).toBe(202)
    await act({ unlock: null })
    cloud.cloud.ground.db.prepare("UPDATE instances SET task_state = 'image_uploading' WHERE uuid = ?").run(id)
    const refused = await act({ createImage: { name: 'second' } })
    expect([refused.status, refused.body.conflictingRequest.message]).toEqual([
      409,
      `Cannot 'createImage' instance ${id} while it is in task_state image_uploading`,
    ])
    cloud.cloud.ground.db.prepare('UPDATE instances SET task_state = NULL WHERE uuid = ?').run(id)
  })

  it('leaves no image when the host fails', async () => {
    const driver = cloud.cloud.drivers[0] as FakeDriver
    driver.failNext('snapshot')
    expect((await act({ createImage: { name: 'failed' } })).status).toBe(202)
    expect((await call('GET', '/image/v2/images?name=failed')).body.images).toEqual([])
    expect((await call('GET', `/compute/v2.1/servers/${id}`)).body.server).toMatchObject({ status: 'ACTIVE' })
    expect((await call('GET', `/compute/v2.1/servers/${id}/os-instance-actions`)).body.instanceActions[0]).toMatchObject({
      action: 'createImage',
      message: 'Error',
    })
  })

  it.each([
    [{ createImage: {} }, 400],
    [{ createImage: { name: '' } }, 400],
    [{ createImage: { name: ' x' } }, 400],
    [{ createImage: { name: 'x', metadata: { a: 1 } } }, 400],
    [{ createImage: { name: 'x', metadata: { status: 'active' } } }, 403],
    [{ createImage: { name: 'x', metadata: { a: '1', b: '2', c: '3' } } }, 403],
    [{ createImage: { name: 'x', size: 1 } }, 400],
  ])('%j is refused with %i, and begins nothing', async (body, status) => {
    const answer = await act(body)
    expect([answer.status, answer.text]).toEqual([status, expect.any(String)])
    expect((await call('GET', '/image/v2/images?name=x')).body.images).toEqual([])
    expect((await call('GET', `/compute/v2.1/servers/${id}`)).body.server['OS-EXT-STS:task_state']).toBeNull()
  })
})

describe('createBackup', () => {
  const backup = (rotation: unknown, over = {}) => ({ createBackup: { name: 'Backup', backup_type: 'daily', rotation, ...over } })
  const count = async () => (await call('GET', '/image/v2/images?name=Backup')).body.images.length

  it('keeps as many as are asked for', async () => {
    for (const rotation of [2, '2', 2]) expect((await act(backup(rotation), { version: '2.45' })).body.image_id).toEqual(expect.any(String))
    expect(await count()).toBe(2)
    const none = await act(backup(0, { backup_type: '' }), { version: '2.45' })
    expect([none.status, none.body]).toEqual([202, { image_id: expect.any(String) }])
    expect(await count()).toBe(2)
    const unnamed = await act(backup(0))
    expect([unnamed.status, unnamed.headers.get('location'), unnamed.text]).toEqual([202, null, ''])
    expect(await count()).toBe(0)
  })

  it.each([backup(-1), backup('x'), backup(1, { backup_type: undefined }), backup(1, { name: undefined }), backup(1, { more: 1 })])(
    '%j is refused',
    async (body) => {
      expect((await act(body)).status).toBe(400)
    },
  )
})
