/** Work whose place is taken while it goes on: what takes it finds guest, record and room telling one story. */
import { randomUUID } from 'node:crypto'
import { expect, it } from 'vitest'
import { beginEvacuation, caller, type TestCompute, type TestComputeOptions, testCompute } from '../../../test/support/compute.ts'
import { silentLog } from '../../base/log.ts'
import { SagaRunner } from '../../base/saga/index.ts'
import type { Instance, TaskState } from '../model/index.ts'
import { PowerState } from '../virt/index.ts'
import { evacuateServer } from './evacuate.ts'
import { holdNewFlavor, migrateRule, moveServer, resizeRule } from './move.ts'
import { revertResize, revertResizeRule, takeUp } from './move-ends.ts'
import { rescueRule, rescueServer } from './rescue.ts'
import { offloadRule, offloadServer, removeShelvedImage, shelveRule, shelveServer, unshelveRule, unshelveServer } from './shelve.ts'
import { registerSnapshot } from './snapshot-image.ts'

const anew = () => ({ ...caller, requestId: `req-${randomUUID()}` })
const nano = { VCPU: 1, MEMORY_MB: 192, DISK_GB: 1 }

async function open(options: TestComputeOptions = {}) {
  const cloud = await testCompute({ ...options, flags: { 'fake.operation_delay_ms': '2', 'fake.boot_delay_ms': '2', ...options.flags } })
  const { uuid } = await cloud.build({ spec: { schedulerHints: {}, pinnedZone: null, requestedHost: 'host1', requestedNode: null } })
  const { model, placement } = cloud.deps
  const now = (): Instance => model.instances.get(uuid)
  return {
    cloud,
    uuid,
    model,
    now,
    /** As a deletion does, once a host has been told what it is to do. */
    takePlace: async (task: TaskState | null = null) => {
      for (let turns = 0; turns < 2; turns += 1) await new Promise((resolve) => setImmediate(resolve))
      model.instances.update(uuid, { task_state: task })
      cloud.deps.sagas.supersede(uuid)
    },
    power: async () => await Promise.all(cloud.drivers.map(async (driver) => (await driver.info(uuid))?.power ?? null)),
    held: () =>
      placement
        .allocationsOf(uuid)
        .map(({ providerUuid, resources }) => [model.hosts.nodes().find((node) => node.uuid === providerUuid)?.host, resources]),
    [Symbol.asyncDispose]: () => cloud[Symbol.asyncDispose](),
  }
}
type Scene = Awaited<ReturnType<typeof open>>

function shelving({ cloud, uuid, now }: Scene, was: 'active' | 'paused' = 'active') {
  const imageId = registerSnapshot({ images: cloud.images }, now(), 'u', { name: 'web1-shelved', kind: 'snapshot', properties: {} })
  const input = { uuid, host: 'host1', imageId, was, offload: false }
  return { imageId, outcome: cloud.conductor.begin(now(), shelveRule, anew(), { saga: shelveServer, input }) }
}
const shelvedImages = ({ images }: TestCompute) => images.findByName('web1-shelved').length

it('a shelving leaves no image, and the guest runs again', async () => {
  await using scene = await open()
  const { outcome } = shelving(scene)
  await scene.takePlace()
  expect(await outcome).toMatchObject({ state: 'undone' })
  expect(shelvedImages(scene.cloud)).toBe(0)
  expect(await scene.power()).toEqual([PowerState.running])
})

it('an offloading tells that the guest has left its host', async () => {
  await using scene = await open()
  const { cloud, uuid, now } = scene
  await shelving(scene).outcome
  const outcome = cloud.conductor.begin(now(), offloadRule, anew(), { saga: offloadServer, input: { uuid, host: 'host1' } })
  await scene.takePlace('soft-deleting')
  await outcome
  expect(now()).toMatchObject({ vmState: 'shelved_offloaded', taskState: 'soft-deleting', host: null })
  expect([await scene.power(), scene.held()]).toEqual([[null], []])
})

it('an unshelving leaves the server as it was, with its image; one that ends takes it along', async () => {
  await using scene = await open()
  const { cloud, uuid, now } = scene
  const { imageId, outcome } = shelving(scene)
  await outcome
  await cloud.conductor.begin(now(), offloadRule, anew(), { saga: offloadServer, input: { uuid, host: 'host1' } })
  const input = { uuid, host: null, imageId, spec: now().spec }
  const unshelve = () => cloud.conductor.begin(now(), unshelveRule, anew(), { saga: unshelveServer, input })
  const overtaken = unshelve()
  await scene.takePlace('soft-deleting')
  expect(await overtaken).toMatchObject({ state: 'undone' })
  await cloud.settle()
  expect(now()).toMatchObject({ vmState: 'shelved_offloaded', taskState: 'soft-deleting', host: null })
  expect([await scene.power(), scene.held(), shelvedImages(cloud)]).toEqual([[null], [], 1])
  await scene.takePlace()
  expect(await unshelve()).toMatchObject({ state: 'done' })
  await cloud.settle()
  expect(shelvedImages(cloud)).toBe(0)
})

it('the image of an unshelved server goes after a restart too', async () => {
  await using scene = await open()
  const { cloud, uuid, now } = scene
  const { imageId, outcome } = shelving(scene)
  await outcome
  // The process ends as soon as the server is active.
  const { sagas, db, clock, queue } = cloud.deps
  const input = { uuid, host: 'host1', imageId, spec: now().spec }
  queue.subscribe('notification.instance.unshelve.end', () => void sagas.stop(0))
  void cloud.conductor.begin(now(), unshelveRule, anew(), { saga: unshelveServer, input })
  await cloud.settle()
  expect([now().vmState, shelvedImages(cloud)]).toEqual(['active', 1])
  const next = new SagaRunner({ db, clock, log: silentLog() })
  next.register(removeShelvedImage, cloud.deps)
  expect(next.resume()).toBe(1)
  await next.settled()
  expect(shelvedImages(cloud)).toBe(0)
  await next.stop()
})

it('a migration leaves the server where it was', async () => {
  await using scene = await open({ hosts: 2 })
  const { cloud, uuid, model, now } = scene
  const migrationId = model.migrations.begin({
    instance: now(),
    type: 'migration',
    newFlavor: now().flavor,
    destination: null,
    by: caller,
  })
  const input = { uuid, migrationId, was: 'active', host: null } as const
  const outcome = cloud.conductor.begin(now(), migrateRule, anew(), { saga: moveServer, input })
  await scene.takePlace('soft-deleting')
  expect(await outcome).toMatchObject({ state: 'undone' })
  expect([await scene.power(), scene.held()]).toEqual([[PowerState.running, null], [['host1', nano]]])
})

it('an evacuation leaves nothing where it went', async () => {
  await using scene = await open({ hosts: 2 })
  const { cloud, uuid, model, now } = scene
  const migrationId = beginEvacuation(model, now())
  model.instances.update(uuid, { task_state: 'rebuilding' })
  const input = { uuid, source: 'host1', migrationId, host: null, forced: false, stopped: false }
  const outcome = cloud.deps.sagas.start(evacuateServer, input, { key: uuid })
  await scene.takePlace('deleting')
  expect(await outcome).toMatchObject({ state: 'undone' })
  expect(now().host).toBe('host1')
  expect([(await scene.power())[1], scene.held()]).toEqual([null, [['host1', nano]]])
})

it('a rescue is taken back', async () => {
  await using scene = await open()
  const { cloud, uuid, now } = scene
  const image = { id: now().imageId ?? '', properties: {}, kernelId: null, ramdiskId: null }
  const input = { uuid, host: 'host1', image, was: 'active' } as const
  const outcome = cloud.conductor.begin(now(), rescueRule, anew(), { saga: rescueServer, input })
  await scene.takePlace('soft-deleting')
  expect(await outcome).toMatchObject({ state: 'undone' })
  expect(now().vmState).toBe('active')
  // A guest in rescue takes no interface.
  await cloud.drivers[0]?.interfaces?.attach(uuid, { mac: 'fa:16:3e:00:00:01' } as never)
})

async function resized({ cloud, uuid, model, now }: Scene): Promise<void> {
  const size = { flavorId: '43', name: 'm1.wide', vcpus: 1, memoryMib: 512, rootGib: 2, ephemeralGib: 0, swapMib: 0 }
  const next = model.flavors.create({ ...size, rxtxFactor: 1, isPublic: true, description: null, extraSpecs: {} })
  const migrationId = model.migrations.begin({ instance: now(), type: 'resize', newFlavor: next, destination: null, by: caller })
  const rows = () => holdNewFlavor({ model }, now(), next)
  const input = { uuid, migrationId, was: 'active', host: null } as const
  await cloud.conductor.begin(now(), resizeRule, anew(), { saga: moveServer, input, rows })
  expect(now()).toMatchObject({ vmState: 'resized', flavor: { flavorId: '43' } })
}

it('a resize that has been reverted is, whoever goes on', async () => {
  await using scene = await open()
  const { cloud, uuid, model, now } = scene
  await resized(scene)
  const input = { uuid, host: 'host1', migrationId: takeUp(cloud.deps, uuid, 'reverting') }
  const outcome = cloud.conductor.begin(now(), revertResizeRule, anew(), { saga: revertResize, input })
  await scene.takePlace('soft-deleting')
  await outcome
  expect(now()).toMatchObject({ vmState: 'active', taskState: 'soft-deleting', flavor: { flavorId: '42' } })
  expect([scene.held(), model.migrations.latest(uuid)?.status]).toEqual([[['host1', nano]], 'reverted'])
})

it('a resized server whose deletion fails has its new size for good', async () => {
  await using scene = await open()
  const { cloud, uuid, model, now } = scene
  await resized(scene)
  cloud.drivers[0]?.failNext('destroy')
  cloud.conductor.delete(now(), anew())
  await cloud.settle()
  expect(now()).toMatchObject({ vmState: 'error', taskState: null, flavor: { flavorId: '43' } })
  expect(scene.held()).toEqual([['host1', { VCPU: 1, MEMORY_MB: 512, DISK_GB: 2 }]])
  expect(model.migrations.latest(uuid)?.status).toBe('confirmed')
  // Nothing waits to be confirmed on its host either.
  await cloud.drivers[0]?.interfaces?.attach(uuid, { mac: 'fa:16:3e:00:00:01' } as never)
})

it('a server whose guest is gone can be deleted for later', async () => {
  await using scene = await open({ flags: { 'DEFAULT.reclaim_instance_interval': '3600' } })
  const { cloud, uuid, now } = scene
  await cloud.drivers[0]?.destroy(uuid)
  await cloud.settle()
  cloud.conductor.delete(now(), anew())
  await cloud.settle()
  expect(now()).toMatchObject({ vmState: 'soft-delete', taskState: null, powerState: PowerState.noState })
})

it('a hard reboot ends before what takes its place', async () => {
  await using scene = await open({ flags: { 'DEFAULT.reclaim_instance_interval': '3600', 'fake.boot_delay_ms': '20' } })
  const { cloud, now } = scene
  const [driver] = cloud.drivers
  const reboot = driver?.reboot
  if (!driver || !reboot) throw new Error('no host')
  const begun = new Promise<void>((resolve) => {
    driver.reboot = async (...args) => {
      resolve()
      await reboot(...args)
    }
  })
  cloud.conductor.power(now(), 'reboot-hard', anew())
  await begun
  cloud.conductor.delete(now(), anew())
  await cloud.settle()
  expect(now()).toMatchObject({ vmState: 'soft-delete', powerState: PowerState.shutdown })
  expect(await scene.power()).toEqual([PowerState.shutdown])
})

it('a paused server is paused still when it could not be turned off to be shelved, and stopped when it was', async () => {
  for (const [fails, vmState, powerState] of [
    ['powerOff', 'paused', PowerState.paused],
    ['snapshot', 'stopped', PowerState.shutdown],
  ] as const) {
    await using scene = await open()
    scene.cloud.conductor.power(scene.now(), 'pause', anew())
    await scene.cloud.settle()
    scene.cloud.drivers[0]?.failNext(fails)
    expect(await shelving(scene, 'paused').outcome).toMatchObject({ state: 'undone' })
    expect(scene.now()).toMatchObject({ vmState, powerState, taskState: null })
    expect(await scene.power()).toEqual([powerState])
  }
})

it('what a guest did while nobody listened is seen once the work that goes on with it has ended', async () => {
  await using scene = await open()
  const { cloud, uuid, now } = scene
  const [driver] = cloud.drivers
  if (!driver) throw new Error('no host')
  const gate = Promise.withResolvers<void>()
  const { suspend } = driver
  driver.suspend = async (guest) => {
    await gate.promise
    await suspend(guest)
  }
  cloud.conductor.power(now(), 'suspend', anew())
  await cloud.conductor.watch[Symbol.asyncDispose]()
  driver.happen(uuid, 'crash')
  await cloud.conductor.watch.recover()
  gate.resolve()
  for (let turns = 0; turns < 100 && now().vmState === 'active'; turns += 1) {
    await cloud.settle()
    await new Promise((resolve) => setImmediate(resolve))
  }
  expect(now()).toMatchObject({ vmState: 'stopped', powerState: PowerState.crashed, taskState: null })
})

it('a resized server whose state was reset, and which left its host then, can be deleted', async () => {
  await using scene = await open()
  const { cloud, uuid, model, now } = scene
  await resized(scene)
  model.instances.update(uuid, { vm_state: 'active' })
  await shelving(scene).outcome
  await cloud.conductor.begin(now(), offloadRule, anew(), { saga: offloadServer, input: { uuid, host: 'host1' } })
  expect(now()).toMatchObject({ vmState: 'shelved_offloaded', host: null })
  cloud.conductor.delete(now(), anew())
  await cloud.settle()
  expect(model.instances.find(uuid)).toBeNull()
  expect(await cloud.leaks()).toEqual([])
})

it('what begins on a server whose guest is gone fails, and is not stuck', async () => {
  await using scene = await open({ hosts: 2 })
  const { cloud, uuid, model, now } = scene
  await cloud.drivers[0]?.destroy(uuid)
  const image = { id: now().imageId ?? '', properties: {}, kernelId: null, ramdiskId: null }
  const rescue = { saga: rescueServer, input: { uuid, host: 'host1', image, was: 'active' } }
  expect(await cloud.conductor.begin(now(), rescueRule, anew(), rescue)).toMatchObject({ state: 'undone' })
  expect(await shelving(scene).outcome).toMatchObject({ state: 'undone' })
  const wish = { instance: now(), type: 'migration', newFlavor: now().flavor, destination: null, by: caller } as const
  const migrate = { saga: moveServer, input: { uuid, migrationId: model.migrations.begin(wish), was: 'active', host: null } }
  expect(await cloud.conductor.begin(now(), migrateRule, anew(), migrate)).toMatchObject({ state: 'undone' })
  expect(now()).toMatchObject({ vmState: 'active', taskState: null })
  expect(scene.held()).toEqual([['host1', nano]])
})
