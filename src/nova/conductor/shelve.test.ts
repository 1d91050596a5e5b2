import { expect, it } from 'vitest'
import { caller, type TestCompute, testCompute } from '../../../test/support/compute.ts'
import { sagaLaws } from '../../../test/support/saga-laws.ts'
import { serverWorld } from '../../../test/support/server-laws.ts'
import { manualClock } from '../../base/clock.ts'
import { PowerState } from '../virt/index.ts'
import type { ConductorDeps } from './deps.ts'
import { type OffloadInput, offloadServer, type ShelveInput, shelveServer, type UnshelveInput, unshelveServer } from './shelve.ts'
import { registerSnapshot } from './snapshot-image.ts'

const power = async (cloud: TestCompute, uuid: string) => (await cloud.drivers[0]?.info(uuid))?.power ?? null
const images = (cloud: TestCompute) => cloud.images.findByName('web1-shelved')

async function begun(cloud: TestCompute): Promise<{ uuid: string; input: ShelveInput }> {
  const { model } = cloud.deps
  const instance = await cloud.build()
  const imageId = registerSnapshot({ images: cloud.images }, instance, 'u', {
    name: 'web1-shelved',
    kind: 'snapshot',
    properties: {},
  })
  model.instances.update(instance.uuid, { task_state: 'shelving' })
  return { uuid: instance.uuid, input: { uuid: instance.uuid, host: 'host1', imageId, was: 'active', offload: false } }
}
async function shelved(cloud: TestCompute) {
  const { uuid, input } = await begun(cloud)
  await cloud.deps.sagas.start(shelveServer, input, { key: uuid })
  return { uuid, imageId: input.imageId }
}
async function offloaded(cloud: TestCompute): Promise<{ uuid: string; input: UnshelveInput }> {
  const { uuid, imageId } = await shelved(cloud)
  cloud.deps.model.instances.update(uuid, { task_state: 'shelving_offloading' })
  await cloud.deps.sagas.start(offloadServer, { uuid, host: 'host1' }, { key: uuid })
  const { spec } = cloud.deps.model.instances.get(uuid)
  cloud.deps.model.instances.update(uuid, { task_state: 'unshelving' })
  return { uuid, input: { uuid, host: null, imageId, spec } }
}

sagaLaws<ShelveInput, ConductorDeps>('shelving', shelveServer, () =>
  serverWorld({
    prepare: begun,
    async done(cloud, instance) {
      expect(instance).toMatchObject({ vmState: 'shelved', taskState: null, host: 'host1' })
      expect(await power(cloud, instance.uuid)).toBe(PowerState.shutdown)
      expect(images(cloud)).toMatchObject([{ status: 'active' }])
    },
    async undone(cloud, instance) {
      expect(instance).toMatchObject({ vmState: 'active', taskState: null })
      expect(await power(cloud, instance.uuid)).toBe(PowerState.running)
      expect(images(cloud)).toEqual([])
    },
  }),
)

sagaLaws<OffloadInput, ConductorDeps>('offloading', offloadServer, () =>
  serverWorld({
    async prepare(cloud) {
      const { uuid } = await shelved(cloud)
      cloud.deps.model.instances.update(uuid, { task_state: 'shelving_offloading' })
      return { uuid, input: { uuid, host: 'host1' } }
    },
    async done(cloud, instance) {
      expect(instance).toMatchObject({ vmState: 'shelved_offloaded', taskState: null, host: null })
      expect(await power(cloud, instance.uuid)).toBeNull()
      expect(cloud.deps.placement.allocationsOf(instance.uuid)).toEqual([])
      expect(cloud.deps.networks.portsOf(instance.uuid)).toHaveLength(1)
    },
    undone(_cloud, instance) {
      expect(instance).toMatchObject({ vmState: 'shelved', taskState: null })
    },
  }),
)

sagaLaws<UnshelveInput, ConductorDeps>('unshelving', unshelveServer, () =>
  serverWorld({
    prepare: offloaded,
    async done(cloud, instance) {
      expect(instance).toMatchObject({ vmState: 'active', taskState: null, host: 'host1', powerState: PowerState.running })
      expect(await power(cloud, instance.uuid)).toBe(PowerState.running)
      expect(cloud.deps.placement.allocationsOf(instance.uuid)).toHaveLength(1)
      expect(instance.ports).toHaveLength(1)
    },
    async undone(cloud, instance) {
      expect(instance).toMatchObject({ vmState: 'shelved_offloaded', taskState: null, host: null })
      expect(await power(cloud, instance.uuid)).toBeNull()
      expect(cloud.deps.placement.allocationsOf(instance.uuid)).toEqual([])
      expect(images(cloud)).toHaveLength(1)
    },
  }),
)

it('an unshelved server’s image goes, but not what its disk stands on', async () => {
  await using cloud = await testCompute()
  const { uuid, input } = await offloaded(cloud)
  const before = cloud.deps.model.instances.get(uuid).ports
  await cloud.deps.sagas.start(unshelveServer, input, { key: uuid })
  await cloud.settle()
  expect(images(cloud)).toEqual([])
  expect(cloud.deps.model.extras.imagesInUse()).toContain(input.imageId)
  expect(cloud.deps.model.instances.get(uuid).ports.map(({ mac }) => mac)).toEqual(before.map(({ mac }) => mac))
})

it('a deleted shelved server takes its image along', async () => {
  await using cloud = await testCompute()
  const { uuid } = await shelved(cloud)
  cloud.conductor.delete(cloud.deps.model.instances.get(uuid), { ...caller, requestId: 'req-2' })
  await cloud.settle()
  expect(images(cloud)).toEqual([])
  expect(await cloud.leaks()).toEqual([])
})

it('a shelved server leaves its host after a while, and is let alone by the reconciler', async () => {
  const clock = manualClock()
  const flags = { 'DEFAULT.shelved_offload_time': '600', 'DEFAULT.shelved_poll_interval': '60' }
  await using cloud = await testCompute({ clock, flags })
  await cloud.conductor.watch.recover()
  const { uuid } = await shelved(cloud)
  await cloud.conductor.watch.reconcile('host1', { resumeGuests: true })
  await clock.advance('9 min')
  await cloud.settle()
  expect(cloud.deps.model.instances.get(uuid)).toMatchObject({ vmState: 'shelved', host: 'host1' })
  await clock.advance('2 min')
  await cloud.settle()
  expect(cloud.deps.model.instances.get(uuid)).toMatchObject({ vmState: 'shelved_offloaded', host: null })
  await cloud.conductor.watch.reconcile('host1', { resumeGuests: true })
  expect(cloud.deps.model.instances.get(uuid)).toMatchObject({ vmState: 'shelved_offloaded' })
  expect(cloud.deps.networks.portsOf(uuid)).toHaveLength(1)
})
