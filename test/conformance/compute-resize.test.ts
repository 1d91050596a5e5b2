/** Resizing: up, confirmed, reverted, and what is refused. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { FakeDriver } from '../../src/nova/virt/fake/index.ts'
import { type CloudCall, startTestCloud, type TestCloud } from '../support/cloud.ts'

let cloud: TestCloud
let id: string
const compute = '/compute/v2.1'
const call = (method: string, path: string, options: CloudCall = {}) =>
  cloud.call(method, `${compute}${path}`, { as: 'demo', version: '2.47', ...options })
const act = async (body: Record<string, unknown>, options: CloudCall = {}) => {
  const answer = await call('POST', `/servers/${id}/action`, { body, ...options })
  await cloud.settle()
  return answer
}
const show = async () => (await call('GET', `/servers/${id}`)).body.server
const flavor = async (flavorId: string, ram: number, disk: number, vcpus = 1) =>
  await call('POST', '/flavors', { as: 'admin', body: { flavor: { id: flavorId, name: `test.${flavorId}`, ram, disk, vcpus } } })

beforeAll(async () => {
  cloud = await startTestCloud({ flags: { 'quota.cores': '4' } })
  await flavor('small', 128, 1)
  await flavor('large', 256, 2, 2)
  await flavor('huge', 256, 2, 8)
  await flavor('diskless', 256, 0)
  const image = (await cloud.call('GET', '/image/v2/images?name=tiny')).body.images[0].id
  const server = { name: 'web1', imageRef: image, flavorRef: 'small', networks: 'auto' }
  id = (await call('POST', '/servers', { body: { server } })).body.server.id
  await cloud.settle()
})
afterAll(() => cloud[Symbol.asyncDispose]())

describe('a resize', () => {
  it('is reverted', async () => {
    expect((await act({ resize: { flavorRef: 'large' } })).status).toBe(202)
    expect(await show()).toMatchObject({ status: 'VERIFY_RESIZE', flavor: { original_name: 'test.large', vcpus: 2 } })
    const answer = await act({ revertResize: null })
    expect([answer.status, answer.text]).toEqual([202, ''])
    expect(await show()).toMatchObject({ status: 'ACTIVE', flavor: { original_name: 'test.small' } })
  })

  it('of a stopped server leaves it stopped, and is confirmed', async () => {
    await act({ 'os-stop': null })
    expect((await act({ resize: { flavorRef: 'large', 'OS-DCF:diskConfig': 'MANUAL' } })).status).toBe(202)
    expect(await show()).toMatchObject({ status: 'VERIFY_RESIZE', 'OS-EXT-STS:power_state': 4, 'OS-DCF:diskConfig': 'MANUAL' })
    expect((await act({ 'os-start': null })).status).toBe(409)
    const answer = await act({ confirmResize: null })
    expect([answer.status, answer.text]).toEqual([204, ''])
    expect(await show()).toMatchObject({ status: 'SHUTOFF', flavor: { original_name: 'test.large' } })
    const { instanceActions } = (await call('GET', `/servers/${id}/os-instance-actions`)).body
    expect(instanceActions.slice(0, 2).map(({ action }: { action: string }) => action)).toEqual(['confirmResize', 'resize'])
  })

  it('needs its end first', async () => {
    for (const end of ['confirmResize', 'revertResize'])
      expect((await act({ [end]: null })).body.conflictingRequest.message).toBe(
        `Cannot '${end}' instance ${id} while it is in vm_state stopped`,
      )
  })

  it.each<[object, number, string]>([
    [{ flavorRef: 'large' }, 400, 'When resizing, instances must change flavor!'],
    [{ flavorRef: 'nobody' }, 400, 'Flavor nobody could not be found.'],
    [{ flavorRef: 'diskless' }, 400, 'Resize to zero disk flavor is not allowed.'],
    [{ flavorRef: 'small' }, 400, 'Unable to resize disk down: the flavor has less disk than the server.'],
    [{ flavorRef: 'huge' }, 403, 'Quota exceeded for cores: Requested 6, but already used 2 of 4 cores'],
  ])('%j is refused with %i', async (resize, status, message) => {
    const answer = await act({ resize })
    expect([answer.status, (answer.body.badRequest ?? answer.body.forbidden).message]).toEqual([status, message])
    expect(await show()).toMatchObject({ status: 'SHUTOFF', 'OS-EXT-STS:task_state': null })
  })

  it.each([{ resize: {} }, { resize: null }, { resize: { flavorRef: '' } }, { resize: { flavorRef: 'huge', more: 1 } }])(
    'does not take %j',
    async (body) => {
      expect((await act(body)).status).toBe(400)
    },
  )

  it('that the host cannot do leaves the server as it was', async () => {
    const driver = cloud.cloud.drivers[0] as FakeDriver
    await flavor('wide', 512, 2, 2)
    driver.failNext('resize')
    expect((await act({ resize: { flavorRef: 'wide' } })).status).toBe(202)
    expect(await show()).toMatchObject({ status: 'SHUTOFF', flavor: { original_name: 'test.large' } })
    expect((await call('GET', `/servers/${id}/os-instance-actions`)).body.instanceActions[0]).toMatchObject({ message: 'Error' })
  })
})
