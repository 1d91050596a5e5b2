import { expect } from 'vitest'
import { projectId } from '../../../test/support/compute.ts'
import { sagaLaws } from '../../../test/support/saga-laws.ts'
import { serverWorld } from '../../../test/support/server-laws.ts'
import { type BuildInput, buildServer } from './build.ts'
import { type DeleteInput, deleteServer } from './delete.ts'
import type { ConductorDeps } from './deps.ts'
import { type PowerInput, powerServer } from './power.ts'

sagaLaws<BuildInput, ConductorDeps>('building', buildServer, () =>
  serverWorld({
    async prepare(cloud) {
      const { server, nics, securityGroupIds, imageProperties } = cloud.wish()
      const uuid = cloud.deps.model.instances.insert({ ...server, projectId, userId: 'user-demo', launchIndex: 0, reservationId: 'r-1' })
      return { uuid, input: { uuid, nics, securityGroupIds, imageProperties } }
    },
    async done(cloud, instance) {
      expect(instance).toMatchObject({ vmState: 'active', taskState: null })
      expect(cloud.deps.networks.portsOf(instance.uuid)).toHaveLength(1)
      expect(cloud.deps.placement.allocationsOf(instance.uuid)).toHaveLength(1)
      expect((await cloud.drivers[0]?.inventory())?.guests).toEqual([instance.uuid])
    },
    async undone(cloud, instance) {
      expect(instance).toMatchObject({ vmState: 'error', taskState: null, host: null, ports: [] })
      expect(instance.fault).not.toBeNull()
      expect(cloud.deps.networks.portsOf(instance.uuid)).toEqual([])
      expect(cloud.deps.placement.allocationsOf(instance.uuid)).toEqual([])
      expect((await cloud.drivers[0]?.inventory())?.guests).toEqual([])
    },
  }),
)

sagaLaws<DeleteInput, ConductorDeps>(
  'deleting',
  deleteServer,
  () =>
    serverWorld({
      async prepare(cloud) {
        const { uuid } = await cloud.build()
        cloud.deps.model.instances.update(uuid, { task_state: 'deleting' })
        return { uuid, input: { uuid } }
      },
      async done(cloud, { uuid }) {
        expect(cloud.deps.model.instances.find(uuid)).toBeNull()
        expect(await cloud.leaks()).toEqual([])
      },
      undone() {},
    }),
  { forwardOnly: true },
)

sagaLaws<PowerInput, ConductorDeps>('stopping', powerServer, () =>
  serverWorld({
    async prepare(cloud) {
      const { uuid } = await cloud.build()
      cloud.deps.model.instances.update(uuid, { task_state: 'powering-off' })
      return { uuid, input: { uuid, action: 'stop', host: 'host1' } }
    },
    done: (_cloud, instance) => expect(instance).toMatchObject({ vmState: 'stopped', taskState: null }),
    undone: (_cloud, instance) => expect(instance).toMatchObject({ vmState: 'active', taskState: null }),
  }),
)
