import { expect, it } from 'vitest'
import { type TestCompute, testCompute } from '../../../test/support/compute.ts'
import { sagaLaws } from '../../../test/support/saga-laws.ts'
import { serverWorld } from '../../../test/support/server-laws.ts'
import { PowerState } from '../virt/index.ts'
import type { ConductorDeps } from './deps.ts'
import { type RebuildInput, rebuildServer } from './rebuild.ts'

const begun = async (cloud: TestCompute, stopped: boolean): Promise<{ uuid: string; input: RebuildInput }> => {
  const { uuid } = await cloud.build()
  if (stopped) await cloud.drivers[0]?.powerOff(uuid, 0)
  await cloud.settle()
  cloud.deps.model.instances.update(uuid, { task_state: 'rebuilding', vm_state: stopped ? 'stopped' : 'active' })
  return { uuid, input: { uuid, host: 'host1', imageProperties: {}, personality: [], stopped } }
}
const power = async (cloud: TestCompute, uuid: string) => (await cloud.drivers[0]?.info(uuid))?.power

sagaLaws<RebuildInput, ConductorDeps>('rebuilding what is stopped', rebuildServer, () =>
  serverWorld({
    prepare: (cloud) => begun(cloud, true),
    async done(cloud, instance) {
      expect(instance).toMatchObject({ vmState: 'stopped', taskState: null, powerState: PowerState.shutdown })
      expect(await power(cloud, instance.uuid)).toBe(PowerState.shutdown)
      expect(cloud.deps.networks.portsOf(instance.uuid)).toHaveLength(1)
    },
    async undone(cloud, instance) {
      expect(instance).toMatchObject({ vmState: 'error', taskState: null, host: 'host1' })
      expect(cloud.deps.networks.portsOf(instance.uuid)).toHaveLength(1)
      expect(cloud.deps.placement.allocationsOf(instance.uuid)).toHaveLength(1)
    },
  }),
)

it('a rebuild boots anew under the same addresses', async () => {
  await using cloud = await testCompute()
  const { uuid, input } = await begun(cloud, false)
  const { ports } = cloud.deps.model.instances.get(uuid)
  await cloud.deps.sagas.start(rebuildServer, input, { key: uuid })
  await cloud.settle()
  expect(cloud.deps.model.instances.get(uuid)).toMatchObject({ vmState: 'active', taskState: null, ports })
  expect(await cloud.drivers[0]?.consoleOutput(uuid, null)).not.toContain('start 2')
})

it('one that fails may be tried again', async () => {
  await using cloud = await testCompute()
  const { uuid, input } = await begun(cloud, false)
  cloud.drivers[0]?.failNext('spawn')
  await cloud.deps.sagas.start(rebuildServer, input, { key: uuid })
  expect(cloud.deps.model.instances.get(uuid)).toMatchObject({ vmState: 'error', taskState: null })
  expect((await cloud.drivers[0]?.inventory())?.guests).toEqual([])
  cloud.deps.model.instances.update(uuid, { task_state: 'rebuilding' })
  await cloud.deps.sagas.start(rebuildServer, input, { key: uuid })
  expect(cloud.deps.model.instances.get(uuid)).toMatchObject({ vmState: 'active', taskState: null })
})
