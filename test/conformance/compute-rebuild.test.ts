/** Rebuilding: what stays, what changes, and what each version takes. */
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { type CloudCall, startTestCloud, type TestCloud } from '../support/cloud.ts'

let cloud: TestCloud
let image: string
let other: string
let id: string
const compute = '/compute/v2.1'
const call = (method: string, path: string, options: CloudCall = {}) => cloud.call(method, path, { as: 'demo', ...options })
const act = async (body: Record<string, unknown>, options: CloudCall = {}) => {
  const answer = await call('POST', `${compute}/servers/${id}/action`, { body, ...options })
  await cloud.settle()
  return answer
}
const show = async (version = '2.100') => (await call('GET', `${compute}/servers/${id}`, { version })).body.server

beforeAll(async () => {
  cloud = await startTestCloud({ flags: { 'quota.instances': '-1', 'quota.cores': '-1', 'quota.metadata_items': '2' } })
  image = (await call('GET', '/image/v2/images?name=tiny')).body.images[0].id
})
afterAll(() => cloud[Symbol.asyncDispose]())
beforeEach(async () => {
  const server = { name: 'web1', imageRef: image, flavorRef: '42', metadata: { a: 'b' } }
  id = (await call('POST', `${compute}/servers`, { body: { server } })).body.server.id
  await cloud.settle()
  other ??= (await act({ createImage: { name: 'other', metadata: { os_distro: 'alpine' } } }, { version: '2.45' })).body.image_id
})

describe('a rebuild', () => {
  it('changes what it names, and keeps addresses', async () => {
    const { addresses } = await show()
    const answer = await act(
      {
        rebuild: {
          imageRef: other,
          name: 'web2',
          adminPass: 'sesame',
          metadata: { c: 'd' },
          accessIPv4: '1.2.3.4',
          description: 'anew',
          user_data: 'aGVsbG8=',
          trusted_image_certificates: ['one'],
          hostname: 'web2.example.com',
        },
      },
      { version: '2.100' },
    )
    expect([answer.status, answer.headers.get('location')]).toEqual([202, `http://cloud.test/compute/v2.1/servers/${id}`])
    expect(answer.body.server).toMatchObject({ id, status: 'REBUILD', adminPass: 'sesame', user_data: 'aGVsbG8=' })
    expect(await show()).toMatchObject({
      status: 'ACTIVE',
      name: 'web2',
      addresses,
      image: { id: other, properties: { os_distro: 'alpine', base_image_ref: other } },
      metadata: { c: 'd' },
      accessIPv4: '1.2.3.4',
      description: 'anew',
      trusted_image_certificates: ['one'],
      'OS-EXT-SRV-ATTR:hostname': 'web2.example.com',
    })
    expect((await call('GET', `${compute}/servers/${id}/os-instance-actions`)).body.instanceActions[0].action).toBe('rebuild')
  })

  it('keeps what it does not name, and makes a password', async () => {
    const answer = await act({ rebuild: { imageRef: other } })
    expect(answer.body.server.adminPass).toMatch(/^\w{12}$/)
    expect(await show()).toMatchObject({ status: 'ACTIVE', name: 'web1', metadata: { a: 'b' }, image: { id: other } })
  })

  it('leaves a stopped server stopped', async () => {
    await act({ 'os-stop': null })
    expect((await act({ rebuild: { imageRef: image } })).status).toBe(202)
    expect((await show()).status).toBe('SHUTOFF')
  })

  it('is refused while the server is paused or locked', async () => {
    await act({ pause: null })
    const refused = await act({ rebuild: { imageRef: image } })
    expect(refused.body.conflictingRequest.message).toBe(`Cannot 'rebuild' instance ${id} while it is in vm_state paused`)
    await act({ lock: null }, { as: 'admin' })
    expect((await act({ rebuild: { imageRef: image } })).body.conflictingRequest.message).toBe(`Instance ${id} is locked`)
  })

  it.each<[string, object, number]>([
    ['2.1', { imageRef: 'x' }, 400],
    ['2.1', {}, 400],
    ['2.1', { imageRef: '70a599e0-31e7-49b7-b260-868f441e862b' }, 400],
    ['2.1', { description: 'x' }, 400],
    ['2.53', { key_name: null }, 400],
    ['2.56', { user_data: null }, 400],
    ['2.57', { personality: [] }, 400],
    ['2.62', { trusted_image_certificates: null }, 400],
    ['2.89', { hostname: 'web2' }, 400],
    ['2.90', { hostname: 'web2.example.com' }, 400],
    ['2.54', { key_name: 'nobody' }, 400],
    ['2.1', { preserve_ephemeral: true }, 400],
    ['2.1', { metadata: { a: '1', b: '2', c: '3' } }, 403],
  ])('in %s does not take %j', async (version, over, status) => {
    const rebuild = 'imageRef' in over || Object.keys(over).length === 0 ? over : { imageRef: image, ...over }
    expect((await act({ rebuild }, { version })).status).toBe(status)
    expect(await show()).toMatchObject({ status: 'ACTIVE', 'OS-EXT-STS:task_state': null, metadata: { a: 'b' } })
  })
})
