/** Rescue, passwords, interrupts, diagnostics and topology. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { FakeDriver } from '../../src/nova/virt/fake/index.ts'
import { type CloudCall, startTestCloud, type TestCloud } from '../support/cloud.ts'
import { samplesIn, samplesMissing, shapeDifferences } from '../support/samples.ts'

let cloud: TestCloud
let image: string
let id: string
const call = (method: string, path: string, options: CloudCall = {}) =>
  cloud.call(method, `/compute/v2.1${path}`, { as: 'demo', ...options })
const act = async (body: Record<string, unknown>, options: CloudCall = {}) => {
  const answer = await call('POST', `/servers/${id}/action`, { body, ...options })
  await cloud.settle()
  return answer
}
const show = async () => (await call('GET', `/servers/${id}`)).body.server
const driver = () => cloud.cloud.drivers[0] as FakeDriver
const lastAction = async () => (await call('GET', `/servers/${id}/os-instance-actions`)).body.instanceActions[0]

beforeAll(async () => {
  cloud = await startTestCloud()
  image = (await cloud.call('GET', '/image/v2/images?name=tiny')).body.images[0].id
  id = (await call('POST', '/servers', { body: { server: { name: 'web1', imageRef: image, flavorRef: '42' } } })).body.server.id
  await cloud.settle()
})
afterAll(() => cloud[Symbol.asyncDispose]())

describe('a rescue', () => {
  it('answers the password, and ends with unrescue', async () => {
    const answer = await act({ rescue: { adminPass: 'MySecretPass', rescue_image_ref: image } })
    expect([answer.status, answer.body]).toEqual([200, { adminPass: 'MySecretPass' }])
    expect(await show()).toMatchObject({ status: 'RESCUE', 'OS-EXT-STS:vm_state': 'rescued' })
    expect((await act({ rescue: null })).body.conflictingRequest.message).toBe(
      `Cannot 'rescue' instance ${id} while it is in vm_state rescued`,
    )
    expect((await act({ unrescue: null })).status).toBe(202)
    expect((await show()).status).toBe('ACTIVE')
    expect((await act({ unrescue: null })).status).toBe(409)
  })

  it('makes a password, and takes the server’s own image', async () => {
    await act({ 'os-stop': null })
    expect((await act({ rescue: null })).body.adminPass).toMatch(/^\w{12}$/)
    expect((await act({ unrescue: null })).status).toBe(202)
    expect((await show()).status).toBe('ACTIVE')
  })

  it.each([
    { rescue: { rescue_image_ref: 'x' } },
    { rescue: { rescue_image_ref: '70a599e0-31e7-49b7-b260-868f441e862b' } },
    { rescue: { x: 1 } },
  ])('does not take %j', async (body) => {
    expect((await act(body)).status).toBe(400)
    expect((await show()).status).toBe('ACTIVE')
  })

  it('that fails leaves the server as it was', async () => {
    driver().failNext('rescue')
    expect((await act({ rescue: null })).status).toBe(200)
    expect(await show()).toMatchObject({ status: 'ACTIVE', 'OS-EXT-STS:task_state': null })
    expect(await lastAction()).toMatchObject({ action: 'rescue', message: 'Error' })
  })
})

describe('changePassword', () => {
  it('sets it inside the guest', async () => {
    expect((await act({ changePassword: { adminPass: 'foo' } })).status).toBe(202)
    expect((await act({ 'os-getConsoleOutput': {} })).body.output).toContain('password of root was changed')
    expect(await lastAction()).toMatchObject({ action: 'changePassword', message: null })
    expect((await act({ changePassword: {} })).status).toBe(400)
    await act({ pause: null })
    expect((await act({ changePassword: { adminPass: 'foo' } })).status).toBe(409)
    await act({ unpause: null })
  })

  it.each([
    ['wrong-state', 'No agent answers in the guest.'],
    ['failed', 'The hypervisor could not do it.'],
  ] as const)('that %s is told so, and leaves the server as it was', async (reason, sentence) => {
    driver().failNext('setPassword', reason)
    const answer = await act({ changePassword: { adminPass: 'foo' } })
    expect([answer.status, answer.body.conflictingRequest?.message]).toEqual([
      409,
      `Failed to set the password of instance ${id}: ${sentence}`,
    ])
    expect(await show()).toMatchObject({ status: 'ACTIVE', 'OS-EXT-STS:task_state': null })
    expect(await lastAction()).toMatchObject({ action: 'changePassword', message: 'Error' })
  })

  it('of a server that is deleted meanwhile is refused, and nobody waits for the agent', async () => {
    const body = { server: { name: 'gone', imageRef: image, flavorRef: '42', networks: 'none' } }
    const { server } = (await call('POST', '/servers', { body, version: '2.37' })).body
    await cloud.settle()
    const { setPassword } = driver()
    const [asked, gate] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()]
    Object.assign(driver(), {
      setPassword: async () => {
        asked.resolve()
        await gate.promise
      },
    })
    const answer = call('POST', `/servers/${server.id}/action`, { body: { changePassword: { adminPass: 'foo' } } })
    await asked.promise
    expect((await call('DELETE', `/servers/${server.id}`)).status).toBe(204)
    expect((await answer).body.conflictingRequest?.message).toContain('Another request has taken the server over.')
    Object.assign(driver(), { setPassword })
    gate.resolve()
    await cloud.settle()
    expect((await call('GET', `/servers/${server.id}`)).status).toBe(404)
  })

  it('is refused at once where the image names no agent, and leaves no action', async () => {
    const properties = [
      { op: 'remove', path: '/hw_qemu_guest_agent' },
      { op: 'add', path: '/hw_qemu_guest_agent', value: 'yes' },
    ]
    const [without, again] = properties.map(
      (change) => () =>
        cloud.call('PATCH', `/image/v2/images/${image}`, {
          headers: { 'content-type': 'application/openstack-images-v2.1-json-patch' },
          body: [change],
        }),
    )
    await without?.()
    const body = { server: { name: 'mute', imageRef: image, flavorRef: '42', networks: 'none' } }
    const { server } = (await call('POST', '/servers', { body, version: '2.37' })).body
    await cloud.settle()
    await again?.()
    const answer = await call('POST', `/servers/${server.id}/action`, { body: { changePassword: { adminPass: 'foo' } } })
    expect([answer.status, answer.body.conflictingRequest?.message]).toEqual([409, 'QEMU guest agent is not enabled'])
    const now = (await call('GET', `/servers/${server.id}`)).body.server
    expect(now).toMatchObject({ status: 'ACTIVE', 'OS-EXT-STS:task_state': null })
    const { instanceActions } = (await call('GET', `/servers/${server.id}/os-instance-actions`)).body
    expect(instanceActions.map(({ action }: { action: string }) => action)).toEqual(['create'])
    await call('POST', `/servers/${server.id}/action`, { body: { 'os-stop': null } })
    await cloud.settle()
    const stopped = await call('POST', `/servers/${server.id}/action`, { body: { changePassword: { adminPass: 'foo' } } })
    expect(stopped.body.conflictingRequest?.message).toContain('while it is in vm_state stopped')
  })
})

describe('trigger_crash_dump', () => {
  it('interrupts the guest, from 2.17', async () => {
    expect((await act({ trigger_crash_dump: null }, { version: '2.16' })).status).toBe(404)
    expect((await act({ trigger_crash_dump: null }, { version: '2.17' })).status).toBe(202)
    expect((await act({ 'os-getConsoleOutput': {} })).body.output).toContain('NMI received')
    expect((await act({ trigger_crash_dump: {} }, { version: '2.17' })).status).toBe(400)
  })
})

describe('a host that cannot', () => {
  it('says so at once, and the server is let alone', async () => {
    const host = driver() as unknown as Record<string, unknown>
    const kept = {
      rescue: host.rescue,
      setPassword: host.setPassword,
      injectNmi: host.injectNmi,
      diagnostics: host.diagnostics,
      snapshots: host.snapshots,
    }
    for (const name of Object.keys(kept)) host[name] = undefined
    for (const [body, version] of [
      [{ rescue: null }, '2.1'],
      [{ changePassword: { adminPass: 'foo' } }, '2.1'],
      [{ trigger_crash_dump: null }, '2.17'],
      [{ createImage: { name: 'x' } }, '2.1'],
    ] as const) {
      const answer = await act(body, { version })
      expect([answer.status, Object.keys(answer.body)]).toEqual([501, ['notImplemented']])
    }
    expect((await call('GET', `/servers/${id}/diagnostics`, { as: 'admin' })).status).toBe(501)
    Object.assign(host, kept)
    expect(await show()).toMatchObject({ status: 'ACTIVE', 'OS-EXT-STS:task_state': null })
  })
})

describe('diagnostics', () => {
  it('are for administrators', async () => {
    expect((await call('GET', `/servers/${id}/diagnostics`)).status).toBe(403)
  })

  it('are free in form to 2.47', async () => {
    const { body } = await call('GET', `/servers/${id}/diagnostics`, { as: 'admin' })
    expect(body).toMatchObject({ cpu0_time: expect.any(Number), memory: 196_608, vda_read: 0 })
    expect(Object.keys(body).filter((key) => /^tap.*_rx$/.test(key))).toHaveLength(1)
  })

  it.skipIf(samplesMissing)('have the form of the sample from 2.48', async () => {
    const answer = await call('GET', `/servers/${id}/diagnostics`, { as: 'admin', version: '2.48' })
    const sample = samplesIn('os-server-diagnostics').find(({ version }) => version === '2.48')
    expect(shapeDifferences(sample?.document, answer.body)).toEqual([])
    expect(answer.body).toMatchObject({ state: 'running', num_cpus: 1, num_nics: 1 })
  })

  it('of a server that is off are a conflict', async () => {
    await act({ 'os-stop': null })
    expect((await call('GET', `/servers/${id}/diagnostics`, { as: 'admin' })).status).toBe(409)
    await act({ 'os-start': null })
  })
})

describe('what the record tells', () => {
  it('the password that the guest made, until it is cleared', async () => {
    expect((await call('GET', `/servers/${id}/os-server-password`)).body).toEqual({ password: '' })
    const rows = cloud.cloud.ground.db.prepare(
      "INSERT INTO instance_system_metadata (created_at, deleted, instance_uuid, key, value) VALUES ('2026-01-01 00:00:00.000000', 0, ?, ?, ?)",
    )
    rows.run(id, 'password_0', 'abc')
    rows.run(id, 'password_1', 'def')
    expect((await call('GET', `/servers/${id}/os-server-password`)).body).toEqual({ password: 'abcdef' })
    expect((await call('DELETE', `/servers/${id}/os-server-password`)).status).toBe(204)
    expect((await call('GET', `/servers/${id}/os-server-password`)).body).toEqual({ password: '' })
  })

  it('a topology of no nodes, from 2.78', async () => {
    expect((await call('GET', `/servers/${id}/topology`, { version: '2.77' })).status).toBe(404)
    expect((await call('GET', `/servers/${id}/topology`, { version: '2.78' })).body).toEqual({ nodes: [], pagesize_kb: null })
  })
})
