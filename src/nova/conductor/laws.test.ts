import { expect } from 'vitest'
import { projectId, type TestCompute, testCompute } from '../../../test/support/compute.ts'
import { type SagaWorld, sagaLaws } from '../../../test/support/saga-laws.ts'
import { type BuildInput, buildServer } from './build.ts'
import { type DeleteInput, deleteServer } from './delete.ts'
import type { ConductorDeps } from './deps.ts'
import { type PowerInput, powerServer } from './power.ts'

async function world<Input>(
  prepare: (cloud: TestCompute) => Promise<{ uuid: string; input: Input }>,
  expectations: { done: (cloud: TestCompute, uuid: string) => Promise<void>; undone: (cloud: TestCompute, uuid: string) => Promise<void> },
): Promise<SagaWorld<Input, ConductorDeps>> {
  const cloud = await testCompute()
  const { uuid, input } = await prepare(cloud)
  return {
    db: cloud.deps.db,
    clock: cloud.deps.clock,
    deps: cloud.deps,
    key: uuid,
    input,
    expectDone: () => expectations.done(cloud, uuid),
    expectUndone: () => expectations.undone(cloud, uuid),
    [Symbol.asyncDispose]: () => cloud[Symbol.asyncDispose](),
  }
}

const state = (cloud: TestCompute, uuid: string) => cloud.deps.model.instances.get(uuid)

sagaLaws<BuildInput, ConductorDeps>('building', buildServer, () =>
  world(
    async (cloud) => {
      const { server, nics, securityGroupIds, imageProperties } = cloud.wish()
      const uuid = cloud.deps.model.instances.insert({ ...server, projectId, userId: 'user-demo', launchIndex: 0, reservationId: 'r-1' })
      return { uuid, input: { uuid, nics, securityGroupIds, imageProperties } }
    },
    {
      async done(cloud, uuid) {
        expect(state(cloud, uuid)).toMatchObject({ vmState: 'active', taskState: null })
        expect(cloud.deps.networks.portsOf(uuid)).toHaveLength(1)
        expect(cloud.deps.placement.allocationsOf(uuid)).toHaveLength(1)
        expect((await cloud.drivers[0]?.inventory())?.guests).toEqual([uuid])
      },
      async undone(cloud, uuid) {
        expect(state(cloud, uuid)).toMatchObject({ vmState: 'error', taskState: null, host: null, ports: [] })
        expect(state(cloud, uuid).fault).not.toBeNull()
        expect(cloud.deps.networks.portsOf(uuid)).toEqual([])
        expect(cloud.deps.placement.allocationsOf(uuid)).toEqual([])
        expect((await cloud.drivers[0]?.inventory())?.guests).toEqual([])
      },
    },
  ),
)

sagaLaws<DeleteInput, ConductorDeps>(
  'deleting',
  deleteServer,
  () =>
    world(
      async (cloud) => {
        const { uuid } = await cloud.build()
        cloud.deps.model.instances.update(uuid, { task_state: 'deleting' })
        return { uuid, input: { uuid } }
      },
      {
        async done(cloud, uuid) {
          expect(cloud.deps.model.instances.find(uuid)).toBeNull()
          expect(await cloud.leaks()).toEqual([])
        },
        async undone() {},
      },
    ),
  { forwardOnly: true },
)

sagaLaws<PowerInput, ConductorDeps>('stopping', powerServer, () =>
  world(
    async (cloud) => {
      const { uuid } = await cloud.build()
      cloud.deps.model.instances.update(uuid, { task_state: 'powering-off' })
      return { uuid, input: { uuid, action: 'stop', host: 'host1' } }
    },
    {
      async done(cloud, uuid) {
        expect(state(cloud, uuid)).toMatchObject({ vmState: 'stopped', taskState: null })
      },
      async undone(cloud, uuid) {
        expect(state(cloud, uuid).taskState).toBeNull()
        expect(state(cloud, uuid).vmState).toBe('active')
      },
    },
  ),
)
