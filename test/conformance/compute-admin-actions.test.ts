/** Locks, resets of state, and deleting for later. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type CloudCall, startTestCloud, type TestCloud } from '../support/cloud.ts'

let cloud: TestCloud
let id: string
const call = (method: string, path: string, options: CloudCall = {}) =>
  cloud.call(method, `/compute/v2.1${path}`, { as: 'demo', ...options })

async function make(): Promise<string> {
  const image = (await cloud.call('GET', '/image/v2/images?name=tiny')).body.images[0].id
  const { server } = (await call('POST', '/servers', { body: { server: { name: 'web1', imageRef: image, flavorRef: '42' } } })).body
  await cloud.settle()
  return server.id
}
const act = async (body: Record<string, unknown>, options: CloudCall = {}) => {
  const answer = await call('POST', `/servers/${id}/action`, { body, ...options })
  await cloud.settle()
  return answer
}
const show = async (version = '2.73') => (await call('GET', `/servers/${id}`, { version })).body.server

beforeAll(async () => {
  cloud = await startTestCloud({ flags: { 'DEFAULT.reclaim_instance_interval': '600' } })
  id = await make()
})
afterAll(() => cloud[Symbol.asyncDispose]())

describe('a lock', () => {
  it('is set and taken off by the owner, with a reason from 2.73', async () => {
    expect((await act({ lock: { locked_reason: 'at rest' } }, { version: '2.73' })).status).toBe(202)
    expect(await show()).toMatchObject({ locked: true, locked_reason: 'at rest' })
    const refused = await act({ 'os-stop': null })
    expect([refused.status, refused.body.conflictingRequest.message]).toEqual([409, `Instance ${id} is locked`])
    expect((await act({ unlock: null })).status).toBe(202)
    expect(await show()).toMatchObject({ locked: false, locked_reason: null })
    expect(
      (await call('GET', `/servers/${id}/os-instance-actions`)).body.instanceActions.map((one: { action: string }) => one.action),
    ).toEqual(['unlock', 'lock', 'create'])
  })

  it('of an administrator stays until one takes it off', async () => {
    expect((await act({ lock: null }, { as: 'admin' })).status).toBe(202)
    expect((await act({ lock: null })).status).toBe(202)
    const refused = await act({ unlock: null })
    expect([refused.status, refused.body.forbidden.message]).toEqual([
      403,
      "Policy doesn't allow os_compute_api:os-lock-server:unlock:unlock_override to be performed.",
    ])
    expect((await act({ unlock: null }, { as: 'admin' })).status).toBe(202)
    expect(await show()).toMatchObject({ locked: false })
  })

  it.each([
    ['2.73', { lock: { locked_reason: '' } }],
    ['2.73', { lock: { locked_reason: 'x'.repeat(256) } }],
    ['2.73', { lock: { locked_reason: 'x', by: 'me' } }],
    ['2.73', { lock: 'x' }],
  ])('%s does not take %j', async (version, body) => {
    expect((await act(body, { version })).status).toBe(400)
    expect(await show()).toMatchObject({ locked: false })
  })

  it('takes any value up to 2.72', async () => {
    expect((await act({ lock: { locked_reason: 'not read' } }, { version: '2.72' })).status).toBe(202)
    expect(await show()).toMatchObject({ locked: true, locked_reason: null })
    expect((await act({ unlock: null })).status).toBe(202)
  })
})

describe('a reset of state', () => {
  it('is for administrators', async () => {
    expect((await act({ 'os-resetState': { state: 'error' } })).status).toBe(403)
    expect((await act({ 'os-resetState': { state: 'paused' } }, { as: 'admin' })).status).toBe(400)
    expect((await act({ injectNetworkInfo: null })).status).toBe(403)
    expect((await act({ injectNetworkInfo: null }, { as: 'admin' })).status).toBe(202)
  })

  it('sets active or error and ends the task', async () => {
    expect((await act({ 'os-resetState': { state: 'error' } }, { as: 'admin' })).status).toBe(202)
    expect((await show()).status).toBe('ERROR')
    cloud.cloud.ground.db.prepare("UPDATE instances SET task_state = 'powering-off' WHERE uuid = ?").run(id)
    expect((await act({ 'os-resetState': { state: 'active' } }, { as: 'admin' })).status).toBe(202)
    expect(await show()).toMatchObject({ status: 'ACTIVE', 'OS-EXT-STS:task_state': null })
  })
})

describe('deleting for later', () => {
  it('is undone by restore', async () => {
    expect((await act({ restore: null })).status).toBe(409)
    expect((await call('DELETE', `/servers/${id}`)).status).toBe(204)
    await cloud.settle()
    expect((await show()).status).toBe('SOFT_DELETED')
    expect((await call('GET', '/servers')).body.servers).toEqual([])
    expect((await act({ restore: null })).status).toBe(202)
    expect((await show()).status).toBe('ACTIVE')
  })

  it('hides a server from lists that do not ask for it', async () => {
    const kept = await make()
    await call('DELETE', `/servers/${id}`)
    await cloud.settle()
    const found = async (query: string, as: 'admin' | 'demo' = 'admin') => {
      const { body } = await call('GET', `/servers?${query}${as === 'admin' ? '&all_tenants=1' : ''}`, { as })
      return body.servers.map((server: { id: string }) => server.id).sort()
    }
    const none = ['status=SOFT_DELETED', 'deleted=false&status=SOFT_DELETED', 'vm_state=soft-delete', 'deleted=true&soft_deleted=false']
    for (const query of none) expect(await found(query), query).toEqual([])
    for (const query of ['deleted=true', 'deleted=true&status=SOFT_DELETED', 'soft_deleted=true&status=SOFT_DELETED'])
      expect(await found(query), query).toEqual([id])
    expect(await found('soft_deleted=true')).toEqual([id, kept].sort())
    for (const query of ['soft_deleted=true', 'deleted=true']) expect(await found(query, 'demo'), query).toEqual([kept])
    expect(await found('status=SOFT_DELETED', 'demo')).toEqual([])
    await act({ restore: null })
    id = kept
    await act({ forceDelete: null })
    expect(await found('deleted=true&soft_deleted=false')).toEqual([kept])
    id = (await found('', 'demo'))[0]
  })

  it('is overridden by force', async () => {
    expect((await act({ forceDelete: null })).status).toBe(202)
    expect((await call('GET', `/servers/${id}`)).status).toBe(404)
  })
})
