/**
 * A state that is reset while something works on the server: what works turns back or has done what cannot be taken back, its
 * action has an end, and what is begun next is its own. Records, guests, allocations and ports tell one story throughout.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { type Clock, systemClock } from '../../src/base/clock.ts'
import type { FakeDriver } from '../../src/nova/virt/fake/index.ts'
import { startTestCloud, type TestCloud } from '../support/cloud.ts'
import { brokenInvariants, leftovers, misnamed } from '../support/compute-invariants.ts'

const compute = '/compute/v2.1'
const flags = {
  'fake.hosts': '2',
  'quota.instances': '100',
  'fake.operation_delay_ms': '1',
  'fake.boot_delay_ms': '1',
  'fake.shutdown_delay_ms': '1',
  'fake.live_migration_delay_ms': '4',
  'DEFAULT.shelved_offload_time': '-1',
  'DEFAULT.allow_resize_to_same_host': 'true',
}
let dataDir: string
let cloud: TestCloud
let image: string
beforeAll(async () => {
  dataDir = mkdtempSync(join(tmpdir(), 'minicloud-resets-'))
  cloud = await startTestCloud({ flags, dataDir, clock: haltingClock() })
  image = (await cloud.call('GET', '/image/v2/images?name=tiny')).body.images[0].id
})
afterAll(async () => {
  await cloud[Symbol.asyncDispose]()
  rmSync(dataDir, { recursive: true, force: true })
})

/** Where time stands still: at which of the short waits of hosts, and until when. */
let hold: { left: number; reached: PromiseWithResolvers<void>; gate: PromiseWithResolvers<void> } | null = null
function haltingClock(): Clock {
  const clock = systemClock()
  return {
    ...clock,
    async sleep(ms, signal) {
      const here = hold
      if (here && ms < 50) {
        here.left -= 1
        if (here.left === 0) {
          here.reached.resolve()
          await here.gate.promise
        }
      }
      await clock.sleep(ms, signal)
    },
  }
}

type Body = Record<string, unknown>
const act = async (id: string, body: Body) =>
  (await cloud.call('POST', `${compute}/servers/${id}/action`, { body, version: '2.30' })).status
const reset = (id: string, state: 'active' | 'error') => act(id, { 'os-resetState': { state } })
const show = async (id: string) => (await cloud.call('GET', `${compute}/servers/${id}`)).body.server
/** Newest first, without the resets themselves. */
async function actions(id: string): Promise<{ action: string; message: string | null }[]> {
  const { body } = await cloud.call('GET', `${compute}/servers/${id}/os-instance-actions`, { version: '2.58' })
  return body.instanceActions.filter(({ action }: { action: string }) => action !== 'resetState')
}
async function create(): Promise<string> {
  const networks = [{ uuid: (await cloud.call('GET', '/network/v2.0/networks?name=private')).body.networks[0].id }]
  const body = { server: { name: 'web', imageRef: image, flavorRef: '42', networks } }
  return (await cloud.call('POST', `${compute}/servers`, { body })).body.server.id
}
async function built(...before: Body[]): Promise<string> {
  const id = await create()
  await cloud.settle()
  for (const body of before) {
    expect([200, 202]).toContain(await act(id, body))
    await cloud.settle()
  }
  return id
}
async function turns(count: number): Promise<void> {
  for (let i = 0; i < count; i += 1) await new Promise((resolve) => setImmediate(resolve))
}
const halt = () => {
  hold = { left: 1, reached: Promise.withResolvers(), gate: Promise.withResolvers() }
  return hold
}
/** Begins work, and resets the state when a host has begun the nth part of it; tells whether the work was on still. */
async function overtake(id: string, request: Body, nth: number, state: 'active' | 'error'): Promise<boolean> {
  const here = halt()
  here.left = nth
  const begun = act(id, request)
  await Promise.race([here.reached.promise, begun.then(() => cloud.settle())])
  hold = null
  const isOn = (await show(id))['OS-EXT-STS:task_state'] !== null
  if (isOn) await resetAndLetGo(id, state, here.gate)
  here.gate.resolve()
  expect([200, 202, 409]).toContain(await begun)
  await expectOneStory()
  if (isOn) expect((await actions(id))[0]?.message).toBe('Error')
  return isOn
}
async function resetAndLetGo(id: string, state: 'active' | 'error', gate: PromiseWithResolvers<void>): Promise<void> {
  const done = reset(id, state)
  let isDone = false
  void done.then(() => {
    isDone = true
  })
  for (let i = 0; i < 1000 && !isDone && (await actions(id))[0]?.message !== 'Error'; i += 1) await turns(1)
  gate.resolve()
  expect(await done).toBe(202)
}
async function expectOneStory(): Promise<void> {
  await cloud.settle()
  await turns(2)
  await cloud.settle()
  expect(brokenInvariants(cloud, { dataDir, untrue: new Set(misnamed(cloud)) })).toEqual([])
}
async function deleteAll(): Promise<void> {
  const { servers } = (await cloud.call('GET', `${compute}/servers`)).body
  for (const { id } of servers) expect(await act(id, { forceDelete: null })).toBe(202)
  await cloud.settle()
  expect(await leftovers(cloud)).toEqual([])
}

const resize = { resize: { flavorRef: '84' } }
const rebuild = () => ({ rebuild: { imageRef: image } })
/** What begins at an active server, and its status afterwards. */
const ofActive: readonly (readonly [string, Body | (() => Body), string])[] = [
  ['os-stop', { 'os-stop': null }, 'SHUTOFF'],
  ['reboot', { reboot: { type: 'SOFT' } }, 'ACTIVE'],
  ['reboot hard', { reboot: { type: 'HARD' } }, 'ACTIVE'],
  ['pause', { pause: null }, 'PAUSED'],
  ['suspend', { suspend: null }, 'SUSPENDED'],
  ['rescue', { rescue: null }, 'RESCUE'],
  ['resize', resize, 'VERIFY_RESIZE'],
  ['migrate', { migrate: null }, 'VERIFY_RESIZE'],
  ['live-migrate', { 'os-migrateLive': { host: null, block_migration: 'auto' } }, 'ACTIVE'],
  ['rebuild', rebuild, 'ACTIVE'],
  ['shelve', { shelve: null }, 'SHELVED'],
  ['createImage', { createImage: { name: 'picture' } }, 'ACTIVE'],
  ['createBackup', { createBackup: { name: 'backup', backup_type: 'daily', rotation: 1 } }, 'ACTIVE'],
  ['changePassword', { changePassword: { adminPass: 'foo' } }, 'ACTIVE'],
]
/** What is left of work that does not turn back. */
const withoutWayBack: Readonly<Record<string, string>> = { 'os-stop': 'SHUTOFF', pause: 'PAUSED', suspend: 'SUSPENDED', rebuild: 'ERROR' }
const parts = [1, 2, 3]

describe('a reset to active while', () => {
  afterEach(deleteAll)
  it.each(ofActive)('%s runs: the same is begun again and comes to its end', async (name, body, status) => {
    const request = typeof body === 'function' ? body() : body
    for (const nth of parts) {
      const id = await built()
      const isOvertaken = await overtake(id, request, nth, 'active')
      expect(isOvertaken || nth > 1).toBe(true)
      if (!isOvertaken) break
      const now = await show(id)
      expect(now['OS-EXT-STS:task_state']).toBeNull()
      expect(['ACTIVE', withoutWayBack[name]]).toContain(now.status)
      if (now.status === 'ERROR') expect(now.fault.message).toBe('The guest is gone from its host.')
      if (now.status === 'ACTIVE') {
        expect([200, 202]).toContain(await act(id, request))
        await expectOneStory()
        expect((await show(id)).status).toBe(status)
      }
    }
  })
})

describe('a reset to error while', () => {
  afterEach(deleteAll)
  /** What comes before, what is overtaken, and where it may end. */
  const others: readonly (readonly [string, readonly Body[], Body])[] = [
    ['start', [{ 'os-stop': null }], { 'os-start': null }],
    ['unpause', [{ pause: null }], { unpause: null }],
    ['resume', [{ suspend: null }], { resume: null }],
    ['unrescue', [{ rescue: null }], { unrescue: null }],
    ['resize of a stopped server', [{ 'os-stop': null }], resize],
    ['revertResize', [resize], { revertResize: null }],
    ['revert of a migration', [{ migrate: null }], { revertResize: null }],
    ['shelving a paused server', [{ pause: null }], { shelve: null }],
    ['unshelve', [{ shelve: null }], { unshelve: null }],
    ['shelveOffload', [{ shelve: null }], { shelveOffload: null }],
    ['unshelve of an offloaded server', [{ shelve: null }, { shelveOffload: null }], { unshelve: null }],
  ]
  it.each(others)('%s runs: nothing is between two states', async (_name, before, request) => {
    for (const nth of parts) {
      const id = await built(...before)
      const isOvertaken = await overtake(id, request, nth, 'error')
      expect(isOvertaken || nth > 1).toBe(true)
      if (!isOvertaken) break
      expect(await show(id)).toMatchObject({ status: 'ERROR', 'OS-EXT-STS:task_state': null })
    }
  })

  it('a build runs: it is undone, and the server says why it is in error, whatever was said', async () => {
    for (const state of ['error', 'active'] as const) {
      const { gate, reached } = halt()
      const id = await create()
      await reached.promise
      hold = null
      await resetAndLetGo(id, state, gate)
      await expectOneStory()
      expect(await show(id)).toMatchObject({ status: 'ERROR', fault: { message: 'The guest is gone from its host.' } })
      expect(await actions(id)).toMatchObject([{ action: 'create', message: 'Error' }])
      expect((await cloud.call('GET', `/placement/allocations/${id}`)).body.allocations).toEqual({})
    }
  })

  it('a deletion runs: it goes on', async () => {
    const id = await built()
    const { gate, reached } = halt()
    expect((await cloud.call('DELETE', `${compute}/servers/${id}`)).status).toBe(204)
    await reached.promise
    hold = null
    expect(await reset(id, 'error')).toBe(202)
    expect(await act(id, { reboot: { type: 'HARD' } })).toBe(409)
    gate.resolve()
    await cloud.settle()
    expect((await cloud.call('GET', `${compute}/servers/${id}`)).status).toBe(404)
    expect(await actions(id)).toMatchObject([
      { action: 'delete', message: null },
      { action: 'create', message: null },
    ])
  })
})

async function driverOf(id: string): Promise<FakeDriver> {
  const { 'OS-EXT-SRV-ATTR:host': host } = await show(id)
  const driver = cloud.cloud.drivers.find((each) => each.host === host)
  if (!driver) throw new Error(`no host of server ${id}`)
  return driver as FakeDriver
}

it('a confirmation, which holds no task, goes on beside a reset', async () => {
  const id = await built(resize)
  const { resize: capability } = await driverOf(id)
  if (!capability) throw new Error('cannot resize')
  const { confirm } = capability
  const [asked, gate] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()]
  Object.assign(capability, {
    confirm: async (uuid: string) => {
      asked.resolve()
      await gate.promise
      await confirm(uuid)
    },
  })
  expect(await act(id, { confirmResize: null })).toBe(204)
  await asked.promise
  expect(await reset(id, 'error')).toBe(202)
  gate.resolve()
  await expectOneStory()
  Object.assign(capability, { confirm })
  expect((await show(id)).status).toBe('ERROR')
  expect((await actions(id))[0]).toMatchObject({ action: 'confirmResize', message: null })
  expect((await cloud.call('GET', `${compute}/os-migrations?instance_uuid=${id}`)).body.migrations[0].status).toBe('confirmed')
  await deleteAll()
})

it('a server whose state is reset is nobody else’s until what works on it has let go', async () => {
  const id = await built()
  const driver = await driverOf(id)
  const { powerOff } = driver
  const gate = Promise.withResolvers<void>()
  driver.powerOff = async (...args) => {
    await gate.promise
    await powerOff(...args)
  }
  expect(await act(id, { 'os-stop': null })).toBe(202)
  const done = reset(id, 'active')
  for (let i = 0; i < 1000 && (await actions(id))[0]?.message !== 'Error'; i += 1) await turns(1)
  expect(await act(id, { pause: null })).toBe(409)
  driver.powerOff = powerOff
  gate.resolve()
  expect(await done).toBe(202)
  expect(await show(id)).toMatchObject({ status: 'SHUTOFF', 'OS-EXT-STS:task_state': null })
  await expectOneStory()
  await deleteAll()
})
