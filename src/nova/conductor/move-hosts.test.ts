/** Moves between hosts under the laws: what is where, and who holds what. */
import { describe, expect, it } from 'vitest'
import { beginEvacuation, caller, type TestCompute, type TestComputeOptions, testCompute } from '../../../test/support/compute.ts'
import { sagaLaws } from '../../../test/support/saga-laws.ts'
import { serverWorld } from '../../../test/support/server-laws.ts'
import { manualClock } from '../../base/clock.ts'
import type { Instance } from '../model/index.ts'
import { PowerState } from '../virt/index.ts'
import type { ConductorDeps } from './deps.ts'
import { type EvacuateInput, evacuateServer } from './evacuate.ts'
import { holdNewFlavor, type MoveInput, moveServer } from './move.ts'
import { confirmResize, type MoveEndInput, revertResize, takeUp } from './move-ends.ts'

const options: TestComputeOptions = { hosts: 2 }
const nano = { VCPU: 1, MEMORY_MB: 192, DISK_GB: 1 }

/** A server on host1. */
const built = (cloud: TestCompute, over = {}) =>
  cloud.build({ spec: { schedulerHints: {}, pinnedZone: null, requestedHost: 'host1', requestedNode: null }, ...over })

function migration(cloud: TestCompute, instance: Instance, host: string | null = null): MoveInput {
  const { model } = cloud.deps
  holdNewFlavor({ model }, instance, instance.flavor)
  const migrationId = model.migrations.begin({
    instance,
    type: 'migration',
    newFlavor: instance.flavor,
    destination: null,
    by: caller,
  })
  model.instances.update(instance.uuid, { task_state: 'resize_prep' })
  return { uuid: instance.uuid, host, migrationId, was: instance.vmState }
}
async function begun(cloud: TestCompute): Promise<{ uuid: string; input: MoveInput }> {
  const instance = await built(cloud)
  return { uuid: instance.uuid, input: migration(cloud, instance) }
}
async function migrated(cloud: TestCompute): Promise<string> {
  const { uuid, input } = await begun(cloud)
  await cloud.deps.sagas.start(moveServer, input, { key: uuid })
  expect(cloud.deps.model.instances.get(uuid)).toMatchObject({ vmState: 'resized', host: 'host2' })
  return uuid
}
async function ending(cloud: TestCompute, to: 'confirming' | 'reverting'): Promise<{ uuid: string; input: MoveEndInput }> {
  const uuid = await migrated(cloud)
  const migrationId = takeUp(cloud.deps, uuid, to)
  if (to === 'reverting') cloud.deps.model.instances.update(uuid, { task_state: 'resize_reverting' })
  return { uuid, input: { uuid, host: 'host2', migrationId } }
}
async function lost(cloud: TestCompute, known?: string): Promise<{ uuid: string; input: EvacuateInput }> {
  const { model } = cloud.deps
  const instance = known === undefined ? await built(cloud) : model.instances.get(known)
  const { uuid } = instance
  forceDown(cloud, 'host1', true)
  const migrationId = beginEvacuation(model, instance)
  model.instances.update(uuid, { task_state: 'rebuilding' })
  return { uuid, input: { uuid, source: 'host1', migrationId, host: null, forced: false, stopped: false } }
}
function forceDown({ deps: { model } }: TestCompute, host: string, forcedDown: boolean): void {
  for (const { id } of model.hosts.services({ host, binary: 'nova-compute' })) model.hosts.updateService(id, { forcedDown })
}

/** Power of the guest on each host; `null` where there is none. */
const guests = async ({ drivers }: TestCompute, uuid: string) =>
  await Promise.all(drivers.map(async (driver) => (await driver.info(uuid))?.power ?? null))
/** Who holds what on each host: the server or its migration. */
function holders({ deps: { model, placement } }: TestCompute, uuid: string) {
  const names = new Map([
    [uuid, 'server'],
    [model.migrations.latest(uuid)?.uuid, 'migration'],
  ])
  return model.hosts
    .nodes()
    .map((node) => Object.fromEntries(placement.consumersOn(node.uuid).map((one) => [names.get(one.consumerUuid), one.resources])))
}
const status = ({ deps }: TestCompute, uuid: string) => deps.model.migrations.latest(uuid)?.status
const boundTo = ({ deps }: TestCompute, uuid: string) => deps.networks.portsOf(uuid).map(({ host }) => host)
/** What a crash leaves on another host goes at the next comparison. */
async function tidied(cloud: TestCompute): Promise<void> {
  await cloud.settle()
  for (const host of ['host1', 'host2']) await cloud.conductor.watch.reconcile(host, { resumeGuests: false })
}

sagaLaws<MoveInput, ConductorDeps>('migrating', moveServer, () =>
  serverWorld({
    options,
    prepare: begun,
    async done(cloud, instance) {
      const { uuid } = instance
      await tidied(cloud)
      expect(instance).toMatchObject({ vmState: 'resized', taskState: null, powerState: PowerState.running, host: 'host2' })
      expect(await guests(cloud, uuid)).toEqual([PowerState.shutdown, PowerState.running])
      expect(holders(cloud, uuid)).toEqual([{ migration: nano }, { server: nano }])
      expect(boundTo(cloud, uuid)).toEqual(['host2'])
      expect(cloud.deps.model.migrations.latest(uuid)).toMatchObject({ status: 'finished', dest_compute: 'host2' })
    },
    async undone(cloud, instance) {
      const { uuid } = instance
      await tidied(cloud)
      expect(instance).toMatchObject({ vmState: 'active', taskState: null, host: 'host1' })
      expect(await guests(cloud, uuid)).toEqual([PowerState.running, null])
      expect(holders(cloud, uuid)).toEqual([{ server: nano }, {}])
      expect(boundTo(cloud, uuid)).toEqual(['host1'])
      expect(status(cloud, uuid)).toBe('error')
    },
  }),
)

/** The move still waits for its end, with the guest that it left kept on its host. */
async function expectUnended(cloud: TestCompute, instance: Instance): Promise<void> {
  const { uuid } = instance
  await tidied(cloud)
  expect(instance).toMatchObject({ vmState: 'resized', taskState: null, host: 'host2' })
  expect(await guests(cloud, uuid)).toEqual([PowerState.shutdown, PowerState.running])
  expect(holders(cloud, uuid)).toEqual([{ migration: nano }, { server: nano }])
  expect(status(cloud, uuid)).toBe('finished')
}

sagaLaws<MoveEndInput, ConductorDeps>('confirming a migration', confirmResize, () =>
  serverWorld({
    options,
    prepare: (cloud) => ending(cloud, 'confirming'),
    async done(cloud, instance) {
      const { uuid } = instance
      await tidied(cloud)
      expect(instance).toMatchObject({ vmState: 'active', taskState: null, host: 'host2' })
      expect(await guests(cloud, uuid)).toEqual([null, PowerState.running])
      expect(holders(cloud, uuid)).toEqual([{}, { server: nano }])
      expect(status(cloud, uuid)).toBe('confirmed')
    },
    undone: expectUnended,
  }),
)

sagaLaws<MoveEndInput, ConductorDeps>('reverting a migration', revertResize, () =>
  serverWorld({
    options,
    prepare: (cloud) => ending(cloud, 'reverting'),
    async done(cloud, instance) {
      const { uuid } = instance
      await tidied(cloud)
      expect(instance).toMatchObject({ vmState: 'active', taskState: null, host: 'host1' })
      expect(await guests(cloud, uuid)).toEqual([PowerState.running, null])
      expect(holders(cloud, uuid)).toEqual([{ server: nano }, {}])
      expect(boundTo(cloud, uuid)).toEqual(['host1'])
      expect(status(cloud, uuid)).toBe('reverted')
    },
    undone: expectUnended,
  }),
)

sagaLaws<EvacuateInput, ConductorDeps>('evacuating', evacuateServer, () =>
  serverWorld({
    options,
    prepare: (cloud) => lost(cloud),
    async done(cloud, instance) {
      const { uuid } = instance
      await tidied(cloud)
      expect(instance).toMatchObject({ vmState: 'active', taskState: null, host: 'host2' })
      expect(await guests(cloud, uuid)).toEqual([PowerState.running, PowerState.running])
      expect(holders(cloud, uuid)).toEqual([{ server: nano }, { server: nano }])
      expect(boundTo(cloud, uuid)).toEqual(['host2'])
      expect(status(cloud, uuid)).toBe('done')
      forceDown(cloud, 'host1', false)
      await tidied(cloud)
      expect(await guests(cloud, uuid)).toEqual([null, PowerState.running])
      expect(holders(cloud, uuid)).toEqual([{}, { server: nano }])
      expect(status(cloud, uuid)).toBe('completed')
    },
    async undone(cloud, instance) {
      const { uuid } = instance
      await tidied(cloud)
      expect(instance).toMatchObject({ vmState: 'error', taskState: null, host: 'host1' })
      expect(instance.fault).not.toBeNull()
      expect(await guests(cloud, uuid)).toEqual([PowerState.running, null])
      expect(holders(cloud, uuid)).toEqual([{ server: nano }, {}])
      expect(status(cloud, uuid)).toBe('error')
    },
  }),
)

describe('a migration', () => {
  it('that a host refuses is tried on the next, and ends on the source when all refuse', async () => {
    await using cloud = await testCompute({ hosts: 3 })
    const instance = await built(cloud)
    const { uuid } = instance
    for (const driver of cloud.drivers) driver.failNext('arrive', 'no-resources')
    await cloud.deps.sagas.start(moveServer, migration(cloud, instance), { key: uuid })
    expect(cloud.deps.model.instances.get(uuid)).toMatchObject({ vmState: 'active', taskState: null, host: 'host1' })
    expect(await guests(cloud, uuid)).toEqual([PowerState.running, null, null])
    expect(status(cloud, uuid)).toBe('error')
    const [, , third] = cloud.drivers
    cloud.drivers[1]?.failNext('arrive')
    const next = migration(cloud, cloud.deps.model.instances.get(uuid))
    await cloud.deps.sagas.start(moveServer, next, { key: uuid })
    expect(cloud.deps.model.instances.get(uuid)).toMatchObject({ vmState: 'resized' })
    expect([await third?.info(uuid), (await cloud.drivers[1]?.info(uuid)) ?? null].filter(Boolean)).toHaveLength(1)
  })

  it('finds no host where there is no other, or the hypervisors cannot move guests', async () => {
    for (const [hosts, capabilities] of [
      [1, null],
      [2, ['resize']],
    ] as const) {
      await using cloud = await testCompute({ hosts })
      const instance = await built(cloud)
      const { uuid } = instance
      const { queue, model } = cloud.deps
      const call = queue.call.bind(queue)
      queue.call = async (topic, message) =>
        message.method === 'capabilities' && capabilities ? (capabilities as never) : await call(topic, message)
      const outcome = await cloud.deps.sagas.start(moveServer, migration(cloud, instance), { key: uuid })
      expect(outcome.error?.message).toBe('No valid host was found. There is no other host that can be tried.')
      expect(model.instances.get(uuid)).toMatchObject({ vmState: 'active', taskState: null, host: 'host1' })
      expect(holders(cloud, uuid)[0]).toEqual({ server: nano })
    }
  })

  it('whose source goes down on the way is given up, and the server can be evacuated', async () => {
    await using cloud = await testCompute(options)
    const instance = await built(cloud)
    const { uuid } = instance
    const [source, destination] = cloud.drivers
    destination?.failNext('arrive')
    source?.failNext('powerOn', 'host-down', 3)
    expect(await cloud.deps.sagas.start(moveServer, migration(cloud, instance), { key: uuid })).toMatchObject({ state: 'undone' })
    expect(status(cloud, uuid)).toBe('error')
    expect(holders(cloud, uuid)).toEqual([{ server: nano }, {}])
    const { input } = await lost(cloud, uuid)
    await cloud.deps.sagas.start(evacuateServer, input, { key: uuid })
    expect(cloud.deps.model.instances.get(uuid)).toMatchObject({ vmState: 'active', host: 'host2' })
    forceDown(cloud, 'host1', false)
    await tidied(cloud)
    expect(await guests(cloud, uuid)).toEqual([null, PowerState.running])
  })

  it('is not reverted while the source does not have the guest', async () => {
    await using cloud = await testCompute(options)
    const { uuid, input } = await ending(cloud, 'reverting')
    await cloud.drivers[0]?.destroy(uuid)
    expect(await cloud.deps.sagas.start(revertResize, input, { key: uuid })).toMatchObject({ state: 'undone' })
    expect(cloud.deps.model.instances.get(uuid)).toMatchObject({ vmState: 'resized', taskState: null, host: 'host2' })
    expect(await guests(cloud, uuid)).toEqual([null, PowerState.running])
    expect(status(cloud, uuid)).toBe('finished')
  })

  it('is not reverted while the source cannot start the guest', async () => {
    await using cloud = await testCompute(options)
    const { uuid, input } = await ending(cloud, 'reverting')
    cloud.drivers[0]?.failNext('powerOn', 'host-down')
    expect(await cloud.deps.sagas.start(revertResize, input, { key: uuid })).toMatchObject({ state: 'undone' })
    expect(cloud.deps.model.instances.get(uuid)).toMatchObject({ vmState: 'resized', taskState: null, host: 'host2' })
    expect(await guests(cloud, uuid)).toEqual([PowerState.shutdown, PowerState.running])
    const again = { ...input, migrationId: takeUp(cloud.deps, uuid, 'reverting') }
    cloud.deps.model.instances.update(uuid, { task_state: 'resize_reverting' })
    expect(await cloud.deps.sagas.start(revertResize, again, { key: uuid })).toMatchObject({ state: 'done' })
    await cloud.settle()
    expect(await guests(cloud, uuid)).toEqual([PowerState.running, null])
  })

  it('that is confirmed while the source does not answer leaves nothing there when it does', async () => {
    await using cloud = await testCompute(options)
    const { uuid, input } = await ending(cloud, 'confirming')
    cloud.drivers[0]?.failNext('destroy', 'host-down')
    await cloud.deps.sagas.start(confirmResize, input, { key: uuid })
    await cloud.settle()
    expect(await guests(cloud, uuid)).toEqual([PowerState.shutdown, PowerState.running])
    await tidied(cloud)
    expect(await guests(cloud, uuid)).toEqual([null, PowerState.running])
  })

  it('is needed for a guest elsewhere to be a leftover', async () => {
    await using cloud = await testCompute(options)
    const { uuid } = await built(cloud)
    cloud.deps.model.instances.update(uuid, { host: 'old-name-of-host1' })
    await tidied(cloud)
    expect(await guests(cloud, uuid)).toEqual([PowerState.running, null])
  })

  it('is confirmed by itself after its window', async () => {
    const clock = manualClock()
    await using cloud = await testCompute({ ...options, clock, flags: { 'DEFAULT.resize_confirm_window': '300' } })
    await cloud.conductor.watch.recover()
    const uuid = await migrated(cloud)
    await clock.advance('6 min')
    await cloud.settle()
    expect(cloud.deps.model.instances.get(uuid)).toMatchObject({ vmState: 'active', host: 'host2' })
    expect(await guests(cloud, uuid)).toEqual([null, PowerState.running])
    expect(status(cloud, uuid)).toBe('confirmed')
  })

  it('keeps the rule of its group', async () => {
    await using cloud = await testCompute(options)
    const { model } = cloud.deps
    const group = model.serverGroups.create({
      name: 'apart',
      policy: 'anti-affinity',
      maxServerPerHost: null,
      projectId: '0b0b0b0b0b0b4b0b8b0b0b0b0b0b0b0b',
      userId: 'user-demo',
    })
    const spec = (host: string) => ({
      spec: { schedulerHints: { group: group.uuid }, pinnedZone: null, requestedHost: host, requestedNode: null },
    })
    const instance = await built(cloud, spec('host1'))
    await cloud.build({ ...spec('host2'), name: 'web2' })
    const input = migration(cloud, instance)
    expect(await cloud.deps.sagas.start(moveServer, input, { key: instance.uuid })).toMatchObject({ state: 'undone' })
    expect(model.instances.get(instance.uuid)).toMatchObject({ vmState: 'active', host: 'host1' })
  })
})

describe('a resize', () => {
  it('leaves its host for want of room, and comes back', async () => {
    await using cloud = await testCompute({ ...options, flags: { 'fake.memory_mb': '2048' } })
    const { model } = cloud.deps
    const instance = await built(cloud)
    const { uuid } = instance
    await built(cloud, { name: 'web2', flavor: big(cloud, '50', 1024) })
    const next = big(cloud, '51', 1280)
    holdNewFlavor({ model }, instance, next)
    const migrationId = model.migrations.begin({ instance, type: 'resize', newFlavor: next, destination: null, by: caller })
    model.instances.update(uuid, { task_state: 'resize_prep' })
    await cloud.deps.sagas.start(moveServer, { uuid, host: null, migrationId, was: 'active' }, { key: uuid })
    expect(model.instances.get(uuid)).toMatchObject({ vmState: 'resized', host: 'host2', flavor: { memoryMib: 1280 } })
    takeUp(cloud.deps, uuid, 'reverting')
    model.instances.update(uuid, { task_state: 'resize_reverting' })
    await cloud.deps.sagas.start(revertResize, { uuid, host: 'host2', migrationId }, { key: uuid })
    await cloud.settle()
    expect(model.instances.get(uuid)).toMatchObject({ vmState: 'active', host: 'host1', flavor: { memoryMib: 192 } })
    expect(cloud.deps.placement.allocationsOf(uuid)).toMatchObject([{ resources: nano }])
    expect(await guests(cloud, uuid)).toEqual([PowerState.running, null])
  })
})

describe('a server that is deleted', () => {
  it('while its move waits to be confirmed leaves nothing on either host', async () => {
    await using cloud = await testCompute(options)
    const uuid = await migrated(cloud)
    cloud.conductor.delete(cloud.deps.model.instances.get(uuid), caller)
    await cloud.settle()
    expect(await cloud.leaks()).toEqual([])
    expect(status(cloud, uuid)).toBe('confirmed')
  })

  it('softly while its move waits to be confirmed is restored where it is now', async () => {
    await using cloud = await testCompute({ ...options, flags: { 'DEFAULT.reclaim_instance_interval': '3600' } })
    const uuid = await migrated(cloud)
    cloud.conductor.delete(cloud.deps.model.instances.get(uuid), caller)
    await cloud.settle()
    expect(await guests(cloud, uuid)).toEqual([null, PowerState.shutdown])
    expect(holders(cloud, uuid)).toEqual([{}, { server: nano }])
    cloud.conductor.restore(cloud.deps.model.instances.get(uuid), caller)
    await cloud.settle()
    expect(cloud.deps.model.instances.get(uuid)).toMatchObject({ vmState: 'active', host: 'host2' })
  })

  it('at any moment of a migration leaves nothing on either host', async () => {
    for (const action of ['powerOff', 'depart', 'arrive', 'info'] as const) {
      await using cloud = await testCompute(options)
      const { uuid, input } = await begun(cloud)
      const { queue, sagas } = cloud.deps
      const call = queue.call.bind(queue)
      const methods = { powerOff: 'power', depart: 'depart', arrive: 'arrive', info: 'info' }
      let isDeleted = false
      queue.call = async (topic, message) => {
        if (!isDeleted && message.method === methods[action]) {
          isDeleted = true
          cloud.conductor.delete(cloud.deps.model.instances.get(uuid), caller)
        }
        return await call(topic, message)
      }
      void sagas.start(moveServer, input, { key: uuid })
      await cloud.settle()
      expect(isDeleted).toBe(true)
      expect(cloud.deps.model.instances.find(uuid)).toBeNull()
      expect(await cloud.leaks(), action).toEqual([])
    }
  })

  it('after an evacuation is gone from the lost host when that is back', async () => {
    await using cloud = await testCompute(options)
    const { uuid, input } = await lost(cloud)
    await cloud.deps.sagas.start(evacuateServer, input, { key: uuid })
    expect(cloud.deps.model.instances.get(uuid)).toMatchObject({ vmState: 'active', host: 'host2' })
    cloud.conductor.delete(cloud.deps.model.instances.get(uuid), caller)
    await cloud.settle()
    forceDown(cloud, 'host1', false)
    await tidied(cloud)
    expect(await cloud.leaks()).toEqual([])
    expect(status(cloud, uuid)).toBe('completed')
  })
})

function big({ deps: { model } }: TestCompute, flavorId: string, memoryMib: number) {
  const size = { vcpus: 1, memoryMib, rootGib: 1, ephemeralGib: 0, swapMib: 0 }
  return model.flavors.create({
    ...size,
    flavorId,
    name: `m1.${flavorId}`,
    rxtxFactor: 1,
    isPublic: true,
    description: null,
    extraSpecs: {},
  })
}
