/** A reset of the state under the laws, and beside work that nobody asked for by a request, that was begun elsewhere, or that deletes. */
import { randomUUID } from 'node:crypto'
import { expect, it } from 'vitest'
import { beginEvacuation, caller, type TestCompute, type TestComputeOptions, testCompute } from '../../../test/support/compute.ts'
import { sagaLaws } from '../../../test/support/saga-laws.ts'
import { serverWorld } from '../../../test/support/server-laws.ts'
import { silentLog } from '../../base/log.ts'
import { SagaRunner } from '../../base/saga/index.ts'
import type { Instance } from '../model/index.ts'
import { type FakeDriver, PowerState } from '../virt/index.ts'
import type { ConductorDeps } from './deps.ts'
import { evacuateRule, evacuateServer } from './evacuate.ts'
import { powerServer } from './power.ts'
import { rescueRule, rescueServer } from './rescue.ts'
import { type ResetInput, resetServer } from './reset.ts'

const anew = () => ({ ...caller, isAdmin: true, requestId: `req-${randomUUID()}` })
const image = { id: '70a599e0-31e7-49b7-b260-868f441e862b', properties: {}, kernelId: null, ramdiskId: null }

async function open(options: TestComputeOptions = {}) {
  const cloud = await testCompute(options)
  const { uuid } = await cloud.build({ spec: { schedulerHints: {}, pinnedZone: null, requestedHost: 'host1', requestedNode: null } })
  const { model, db } = cloud.deps
  const now = (): Instance => model.instances.get(uuid)
  const [driver] = cloud.drivers
  if (!driver) throw new Error('no host')
  return {
    cloud,
    uuid,
    model,
    now,
    driver,
    actions: () => model.actions.list(uuid).map(({ action, message, finishTime }) => [action, message, finishTime !== null]),
    sagas: () => db.prepare<{ name: string; state: string }>('SELECT name, state FROM minicloud_sagas ORDER BY id').all(),
    [Symbol.asyncDispose]: () => cloud[Symbol.asyncDispose](),
  }
}

/** Something that a host does waits for `gate`; `asked` tells that it has been told. */
function held<A extends 'powerOff' | 'spawn' | 'destroy' | 'pause'>(driver: FakeDriver, action: A) {
  const [asked, gate] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()]
  const does = driver[action] as (...args: never[]) => Promise<void>
  Object.assign(driver, {
    [action]: async (...args: never[]) => {
      asked.resolve()
      await gate.promise
      Object.assign(driver, { [action]: does })
      await does(...args)
    },
  })
  return { asked: asked.promise, letGo: gate.resolve }
}

sagaLaws<ResetInput, ConductorDeps>(
  'resetting the state',
  resetServer,
  () =>
    serverWorld({
      async prepare(cloud: TestCompute) {
        const { uuid } = await cloud.build()
        cloud.deps.model.instances.update(uuid, { task_state: 'pausing' })
        return { uuid, input: { uuid, vmState: 'error' } }
      },
      done: (_cloud, instance) => expect(instance).toMatchObject({ vmState: 'error', taskState: null, powerState: PowerState.running }),
      undone: () => undefined,
    }),
  { forwardOnly: true },
)

it('what a reconciler began does not end the task of who came after it', async () => {
  await using scene = await open()
  const { cloud, uuid, model, now, driver } = scene
  const first = held(driver, 'powerOff')
  model.instances.update(uuid, { task_state: 'powering-off' })
  const outcome = cloud.deps.sagas.start(powerServer, { uuid, action: 'stop', host: 'host1' }, { key: uuid })
  await first.asked
  const reset = cloud.conductor.reset(now(), 'error')
  expect(await outcome).toMatchObject({ state: 'undone' })
  expect(now()).toMatchObject({ vmState: 'active', taskState: 'powering-off' })
  first.letGo()
  await reset
  expect(now()).toMatchObject({ vmState: 'error', taskState: null, powerState: PowerState.shutdown })
})

it('a second reset has the last word', async () => {
  await using scene = await open()
  const { cloud, now, driver } = scene
  const first = held(driver, 'pause')
  cloud.conductor.power(now(), 'pause', anew())
  await first.asked
  const resets = [cloud.conductor.reset(now(), 'error'), cloud.conductor.reset(now(), 'active')]
  first.letGo()
  await Promise.all(resets)
  expect(now()).toMatchObject({ vmState: 'paused', taskState: null, powerState: PowerState.paused })
  expect(scene.sagas().map(({ state }) => state)).toEqual(['done', 'undone', 'undone', 'done'])
})

it('an evacuation turns back, and the server is on its lost host as before', async () => {
  await using scene = await open({ hosts: 2 })
  const { cloud, uuid, model, now } = scene
  const [, there] = cloud.drivers
  if (!there) throw new Error('no second host')
  model.hosts
    .services({ host: 'host1', binary: 'nova-compute' })
    .forEach(({ id }) => void model.hosts.updateService(id, { forcedDown: true }))
  const first = held(there, 'spawn')
  const input = { uuid, source: 'host1', migrationId: 0, host: null, forced: false, stopped: false }
  const rows = () => {
    input.migrationId = beginEvacuation(model, now())
  }
  const work = { saga: evacuateServer, input, supersedes: true, rows, secret: 'sesame' }
  void cloud.conductor.begin(now(), evacuateRule, anew(), work)
  await first.asked
  const reset = cloud.conductor.reset(now(), 'error')
  first.letGo()
  await reset
  expect(now()).toMatchObject({ vmState: 'error', taskState: null, host: 'host1' })
  expect([await there.info(uuid), model.migrations.latest(uuid)?.status]).toEqual([null, 'error'])
  expect(cloud.deps.placement.allocationsOf(uuid)).toHaveLength(1)
  expect([cloud.deps.adminPasswords.size, scene.actions()[0]]).toEqual([0, ['evacuate', 'Error', true]])
})

it('a deletion goes on, for now or for good, and nothing takes its place', async () => {
  for (const isSoft of [true, false]) {
    await using scene = await open({ flags: { 'DEFAULT.reclaim_instance_interval': isSoft ? '3600' : '0' } })
    const { cloud, uuid, model, now, driver } = scene
    const first = held(driver, isSoft ? 'powerOff' : 'destroy')
    cloud.conductor.delete(now(), anew())
    await first.asked
    await cloud.conductor.reset(now(), 'error')
    const work = { saga: evacuateServer, input: {}, supersedes: true }
    expect(() => cloud.conductor.begin(now(), evacuateRule, anew(), work)).toThrow(
      /^Cannot 'evacuate' instance .* task_state (soft-)?deleting$/,
    )
    first.letGo()
    await cloud.settle()
    expect(model.instances.find(uuid)?.vmState).toBe(isSoft ? 'soft-delete' : undefined)
    expect(scene.actions()[0]).toEqual(['delete', null, true])
  }
})

it('is remembered by the next life of the process', async () => {
  await using scene = await open()
  const { cloud, uuid, now } = scene
  const { sagas, db, clock } = cloud.deps
  const input = { uuid, host: 'host1', image, was: 'active' } as const
  void cloud.conductor.begin(now(), rescueRule, anew(), { saga: rescueServer, input })
  const stopped = sagas.stop(0)
  const reset = cloud.conductor.reset(now(), 'error')
  await stopped
  await reset
  expect(now()).toMatchObject({ vmState: 'active', taskState: 'rescuing' })
  const next = new SagaRunner({ db, clock, log: silentLog() })
  for (const definition of [rescueServer, resetServer]) next.register(definition as typeof rescueServer, cloud.deps)
  expect(next.resume()).toBe(2)
  await next.settled()
  await next.stop(0)
  expect(now()).toMatchObject({ vmState: 'error', taskState: null })
  expect(scene.actions()[0]).toEqual(['rescue', 'Error', true])
})
