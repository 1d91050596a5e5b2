/** Security groups that a server joins and leaves. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type CloudCall, startTestCloud, type TestCloud } from '../support/cloud.ts'

let cloud: TestCloud
let id: string
let group: string
const call = (method: string, path: string, options: CloudCall = {}) => cloud.call(method, path, { as: 'demo', ...options })
const act = async (body: Record<string, unknown>) => {
  const answer = await call('POST', `/compute/v2.1/servers/${id}/action`, { body })
  await cloud.settle()
  return answer
}
const names = async () =>
  ((await call('GET', `/compute/v2.1/servers/${id}`)).body.server.security_groups ?? []).map(({ name }: { name: string }) => name).sort()

beforeAll(async () => {
  cloud = await startTestCloud()
  const imageRef = (await call('GET', '/image/v2/images?name=tiny')).body.images[0].id
  const network = (await call('GET', '/network/v2.0/networks?name=private')).body.networks[0].id
  const server = { name: 'web1', imageRef, flavorRef: '42', networks: [{ uuid: network }] }
  id = (await call('POST', '/compute/v2.1/servers', { body: { server } })).body.server.id
  group = (await call('POST', '/network/v2.0/security-groups', { body: { security_group: { name: 'web' } } })).body.security_group.id
  await cloud.settle()
})
afterAll(() => cloud[Symbol.asyncDispose]())

describe('a group', () => {
  it('is joined by name or id, and left', async () => {
    expect((await act({ addSecurityGroup: { name: 'web' } })).status).toBe(202)
    expect(await names()).toEqual(['default', 'web'])
    expect((await act({ addSecurityGroup: { name: group } })).status).toBe(202)
    expect(await names()).toEqual(['default', 'web'])
    expect((await act({ removeSecurityGroup: { name: group } })).status).toBe(202)
    expect(await names()).toEqual(['default'])
  })

  it.each<[Record<string, unknown>, number]>([
    [{ removeSecurityGroup: { name: 'web' } }, 404],
    [{ addSecurityGroup: { name: 'nobody' } }, 404],
    [{ removeSecurityGroup: { name: 'nobody' } }, 404],
    [{ addSecurityGroup: {} }, 400],
    [{ addSecurityGroup: null }, 400],
    [{ addSecurityGroup: { name: '' } }, 400],
    [{ addSecurityGroup: { name: 'web', more: 1 } }, 400],
  ])('%j is refused with %i', async (body, status) => {
    expect((await act(body)).status).toBe(status)
    expect(await names()).toEqual(['default'])
  })
})
