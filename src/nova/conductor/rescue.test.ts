import { expect, it } from 'vitest'
import { caller, type TestCompute, testCompute } from '../../../test/support/compute.ts'
import { sagaLaws } from '../../../test/support/saga-laws.ts'
import { serverWorld } from '../../../test/support/server-laws.ts'
import { manualClock } from '../../base/clock.ts'
import { PowerState } from '../virt/index.ts'
import type { ConductorDeps } from './deps.ts'
import { changePassword, changePasswordRule, type InsideInput, passwordRefusal } from './inside.ts'
import { type RescueInput, rescueServer, type UnrescueInput, unrescueServer } from './rescue.ts'

const image = { id: '70a599e0-31e7-49b7-b260-868f441e862b', properties: {}, kernelId: null, ramdiskId: null }
const power = async (cloud: TestCompute, uuid: string) => (await cloud.drivers[0]?.info(uuid))?.power

async function stopped(cloud: TestCompute): Promise<{ uuid: string; input: RescueInput }> {
  const { uuid } = await cloud.build()
  await cloud.drivers[0]?.powerOff(uuid, 0)
  await cloud.settle()
  cloud.deps.model.instances.update(uuid, { vm_state: 'stopped', task_state: 'rescuing' })
  return { uuid, input: { uuid, host: 'host1', image, was: 'stopped' } }
}

sagaLaws<RescueInput, ConductorDeps>('rescuing', rescueServer, () =>
  serverWorld({
    prepare: stopped,
    async done(cloud, instance) {
      expect(instance).toMatchObject({ vmState: 'rescued', taskState: null, powerState: PowerState.running })
      expect(await power(cloud, instance.uuid)).toBe(PowerState.running)
      expect(cloud.deps.model.extras.imagesInUse()).toContain(image.id)
    },
    async undone(cloud, instance) {
      expect(instance).toMatchObject({ vmState: 'stopped', taskState: null })
      expect(await power(cloud, instance.uuid)).toBe(PowerState.shutdown)
    },
  }),
)

sagaLaws<UnrescueInput, ConductorDeps>('unrescuing', unrescueServer, () =>
  serverWorld({
    async prepare(cloud) {
      const { uuid, input } = await stopped(cloud)
      await cloud.deps.sagas.start(rescueServer, input, { key: uuid })
      cloud.deps.model.instances.update(uuid, { task_state: 'unrescuing' })
      return { uuid, input: { uuid, host: 'host1' } }
    },
    done(_cloud, instance) {
      expect(instance).toMatchObject({ vmState: 'active', taskState: null, powerState: PowerState.running })
    },
    undone(_cloud, instance) {
      expect(instance).toMatchObject({ vmState: 'rescued', taskState: null })
    },
  }),
)

sagaLaws<InsideInput, ConductorDeps>('changing a password', changePassword, () =>
  serverWorld({
    async prepare(cloud) {
      const request = cloud.wish()
      const { uuids } = cloud.conductor.build({ ...request, imageProperties: { hw_qemu_guest_agent: 'yes' } }, caller)
      await cloud.settle()
      const uuid = uuids[0] ?? ''
      cloud.deps.adminPasswords.set(uuid, 'sesame')
      cloud.deps.model.instances.update(uuid, { task_state: 'updating_password' })
      return { uuid, input: { uuid, host: 'host1' } }
    },
    done(cloud, instance) {
      expect(instance).toMatchObject({ vmState: 'active', taskState: null })
      expect(cloud.deps.adminPasswords.size).toBe(0)
    },
    undone(cloud, instance) {
      expect(instance).toMatchObject({ vmState: 'active', taskState: null })
      expect(cloud.deps.adminPasswords.size).toBe(0)
    },
  }),
)

it('a rescued server is let alone by the reconciler', async () => {
  await using cloud = await testCompute()
  const { uuid, input } = await stopped(cloud)
  await cloud.deps.sagas.start(rescueServer, input, { key: uuid })
  await cloud.drivers[0]?.powerOff(uuid, 0)
  await cloud.conductor.watch.reconcile('host1', { resumeGuests: true })
  expect(cloud.deps.model.instances.get(uuid)).toMatchObject({ vmState: 'rescued', taskState: null })
  expect(await power(cloud, uuid)).toBe(PowerState.shutdown)
})

it('a password that was lost with its process is said to be', async () => {
  await using cloud = await testCompute()
  const { uuid } = await cloud.build()
  cloud.deps.model.instances.update(uuid, { task_state: 'updating_password' })
  const outcome = await cloud.deps.sagas.start(changePassword, { uuid, host: 'host1' }, { key: uuid })
  expect(outcome).toMatchObject({ state: 'undone', error: { message: expect.stringContaining('was lost') } })
  expect(cloud.deps.model.instances.get(uuid)).toMatchObject({ vmState: 'active', taskState: null })
})

it('a password is not waited for without a limit', async () => {
  const clock = manualClock()
  await using cloud = await testCompute({ clock })
  const { uuid } = await cloud.build()
  const asked = Promise.withResolvers<void>()
  const gate = Promise.withResolvers<void>()
  Object.assign(cloud.drivers[0] ?? {}, {
    setPassword: async () => {
      asked.resolve()
      await gate.promise
    },
  })
  const outcome = cloud.conductor.begin(cloud.deps.model.instances.get(uuid), changePasswordRule, caller, {
    saga: changePassword,
    input: { uuid, host: 'host1' },
    secret: 'sesame',
  })
  await asked.promise
  await clock.advance('1 min')
  expect(passwordRefusal(uuid, await outcome).message).toContain('No agent answers in the guest.')
  expect(cloud.deps.model.instances.get(uuid)).toMatchObject({ vmState: 'active', taskState: null })
  gate.resolve()
  await cloud.settle()
})
