import { describe, expect, it } from 'vitest'
import { caller, projectId, type TestCompute, testCompute } from '../../../test/support/compute.ts'
import { sagaLaws } from '../../../test/support/saga-laws.ts'
import { serverWorld } from '../../../test/support/server-laws.ts'
import { manualClock } from '../../base/clock.ts'
import { type Flavor, resourcesOf } from '../model/index.ts'
import { PowerState } from '../virt/index.ts'
import type { ConductorDeps } from './deps.ts'
import { holdNewFlavor, type MoveInput, moveServer } from './move.ts'
import { confirmResize, type MoveEndInput, revertResize, takeUp } from './move-ends.ts'

/** More memory, fewer virtual CPUs: what is claimed meanwhile is neither the one nor the other. */
const size = { flavorId: '43', name: 'm1.wide', vcpus: 1, memoryMib: 512, rootGib: 2, ephemeralGib: 0, swapMib: 0 }
const wide = ({ deps: { model } }: TestCompute, over = {}): Flavor =>
  model.flavors.find('43', { projectId: null, isAdmin: true }) ??
  model.flavors.create({ ...size, rxtxFactor: 1, isPublic: true, description: null, extraSpecs: {}, ...over })

async function begun(cloud: TestCompute, over = {}): Promise<{ uuid: string; input: MoveInput }> {
  const { model } = cloud.deps
  const instance = await cloud.build()
  const next = wide(cloud, over)
  holdNewFlavor({ model }, instance, next)
  const migrationId = model.migrations.begin({ instance, type: 'resize', newFlavor: next, destination: null, by: caller })
  model.instances.update(instance.uuid, { task_state: 'resize_prep' })
  return { uuid: instance.uuid, input: { uuid: instance.uuid, host: null, migrationId, was: 'active' } }
}
async function resized(cloud: TestCompute, to: 'confirming' | 'reverting'): Promise<{ uuid: string; input: MoveEndInput }> {
  const { uuid, input } = await begun(cloud)
  await cloud.deps.sagas.start(moveServer, input, { key: uuid })
  const migrationId = takeUp(cloud.deps, uuid, to)
  if (to === 'reverting') cloud.deps.model.instances.update(uuid, { task_state: 'resize_reverting' })
  return { uuid, input: { uuid, host: 'host1', migrationId } }
}
const held = (cloud: TestCompute, uuid: string) => cloud.deps.placement.allocationsOf(uuid)[0]?.resources
const status = (cloud: TestCompute, uuid: string) => cloud.deps.model.migrations.latest(uuid)?.status
const nano = { VCPU: 1, MEMORY_MB: 192, DISK_GB: 1 }

sagaLaws<MoveInput, ConductorDeps>('resizing', moveServer, () =>
  serverWorld({
    prepare: (cloud) => begun(cloud),
    done(cloud, instance) {
      expect(instance).toMatchObject({ vmState: 'resized', taskState: null, powerState: PowerState.running, flavor: { flavorId: '43' } })
      expect(cloud.deps.model.extras.flavors(instance.uuid)).toMatchObject({ old: { flavorId: '42' }, new: null })
      expect(held(cloud, instance.uuid)).toEqual(resourcesOf(wide(cloud)))
      expect(status(cloud, instance.uuid)).toBe('finished')
    },
    async undone(cloud, instance) {
      expect(instance).toMatchObject({ vmState: 'active', taskState: null, flavor: { flavorId: '42' } })
      expect(cloud.deps.model.extras.flavors(instance.uuid)).toMatchObject({ old: null, new: null })
      expect(held(cloud, instance.uuid)).toEqual(nano)
      expect(status(cloud, instance.uuid)).toBe('error')
      expect((await cloud.drivers[0]?.info(instance.uuid))?.power).toBe(PowerState.running)
    },
  }),
)

sagaLaws<MoveEndInput, ConductorDeps>('confirming a resize', confirmResize, () =>
  serverWorld({
    prepare: (cloud) => resized(cloud, 'confirming'),
    done(cloud, instance) {
      expect(instance).toMatchObject({ vmState: 'active', taskState: null, flavor: { flavorId: '43' } })
      expect(cloud.deps.model.extras.flavors(instance.uuid)).toMatchObject({ old: null, new: null })
      expect(status(cloud, instance.uuid)).toBe('confirmed')
    },
    undone(cloud, instance) {
      expect(instance).toMatchObject({ vmState: 'resized', taskState: null })
      expect(status(cloud, instance.uuid)).toBe('finished')
    },
  }),
)

sagaLaws<MoveEndInput, ConductorDeps>('reverting a resize', revertResize, () =>
  serverWorld({
    prepare: (cloud) => resized(cloud, 'reverting'),
    done(cloud, instance) {
      expect(instance).toMatchObject({ vmState: 'active', taskState: null, flavor: { flavorId: '42' } })
      expect(held(cloud, instance.uuid)).toEqual(nano)
      expect(cloud.deps.model.quotas.usage(projectId)).toMatchObject({ ram: 192 })
      expect(status(cloud, instance.uuid)).toBe('reverted')
    },
    undone(cloud, instance) {
      expect(instance).toMatchObject({ vmState: 'resized', taskState: null })
      expect(status(cloud, instance.uuid)).toBe('finished')
    },
  }),
)

describe('a resize', () => {
  it('takes the larger of both sizes until it is confirmed', async () => {
    await using cloud = await testCompute()
    cloud.deps.model.flavors.create({
      ...size,
      vcpus: 1,
      memoryMib: 64,
      rootGib: 3,
      rxtxFactor: 1,
      isPublic: true,
      description: null,
      extraSpecs: {},
    })
    const { uuid, input } = await begun(cloud)
    await cloud.deps.sagas.start(moveServer, input, { key: uuid })
    expect(held(cloud, uuid)).toEqual({ VCPU: 1, MEMORY_MB: 192, DISK_GB: 3 })
    const end = { uuid, host: 'host1', migrationId: takeUp(cloud.deps, uuid, 'confirming') }
    await cloud.deps.sagas.start(confirmResize, end, { key: uuid })
    expect(held(cloud, uuid)).toEqual({ VCPU: 1, MEMORY_MB: 64, DISK_GB: 3 })
  })

  it('for which the host has no room leaves the server as it was', async () => {
    await using cloud = await testCompute({ flags: { 'quota.ram': '-1' } })
    const { uuid, input } = await begun(cloud, { memoryMib: 1_000_000 })
    await cloud.deps.sagas.start(moveServer, input, { key: uuid })
    expect(cloud.deps.model.instances.get(uuid)).toMatchObject({ vmState: 'active', taskState: null, flavor: { flavorId: '42' } })
    expect(held(cloud, uuid)).toEqual(nano)
  })

  it('is let alone by the reconciler, and confirmed by itself after its window', async () => {
    const clock = manualClock()
    await using cloud = await testCompute({ clock, flags: { 'DEFAULT.resize_confirm_window': '300' } })
    await cloud.conductor.watch.recover()
    const { uuid, input } = await begun(cloud)
    await cloud.deps.sagas.start(moveServer, input, { key: uuid })
    await cloud.drivers[0]?.powerOff(uuid, 0)
    await cloud.conductor.watch.reconcile('host1', { resumeGuests: true })
    expect(cloud.deps.model.instances.get(uuid).vmState).toBe('resized')
    await clock.advance('4 min')
    await cloud.settle()
    expect(cloud.deps.model.instances.get(uuid).vmState).toBe('resized')
    await clock.advance('2 min')
    await cloud.settle()
    expect(cloud.deps.model.instances.get(uuid)).toMatchObject({ vmState: 'stopped', flavor: { flavorId: '43' } })
    expect(status(cloud, uuid)).toBe('confirmed')
  })
})
