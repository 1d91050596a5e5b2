import { describe, expect, it } from 'vitest'
import { caller, projectId, type TestCompute, testCompute } from '../../../test/support/compute.ts'
import { sagaLaws } from '../../../test/support/saga-laws.ts'
import { serverWorld } from '../../../test/support/server-laws.ts'
import { manualClock } from '../../base/clock.ts'
import { PowerState } from '../virt/index.ts'
import type { ConductorDeps } from './deps.ts'
import { restoreServer, type SoftDeleteInput, softDeleteServer } from './soft-delete.ts'

const power = async (cloud: TestCompute, uuid: string) => (await cloud.drivers[0]?.info(uuid))?.power

sagaLaws<SoftDeleteInput, ConductorDeps>('deleting for later', softDeleteServer, () =>
  serverWorld({
    async prepare(cloud) {
      const { uuid } = await cloud.build()
      cloud.deps.model.instances.update(uuid, { task_state: 'soft-deleting' })
      return { uuid, input: { uuid, host: 'host1' } }
    },
    async done(cloud, instance) {
      expect(instance).toMatchObject({ vmState: 'soft-delete', taskState: null })
      expect(await power(cloud, instance.uuid)).toBe(PowerState.shutdown)
    },
    undone(_cloud, instance) {
      expect(instance).toMatchObject({ taskState: null })
      expect(instance.vmState).not.toBe('soft-delete')
    },
  }),
)

sagaLaws<SoftDeleteInput, ConductorDeps>('restoring', restoreServer, () =>
  serverWorld({
    async prepare(cloud) {
      const { uuid } = await cloud.build()
      await cloud.drivers[0]?.powerOff(uuid, 0)
      cloud.deps.model.instances.update(uuid, { vm_state: 'soft-delete', task_state: 'restoring', deleted_at: cloud.deps.clock.text() })
      return { uuid, input: { uuid, host: 'host1' } }
    },
    async done(cloud, instance) {
      expect(instance).toMatchObject({ vmState: 'active', taskState: null, powerState: PowerState.running })
      expect(await power(cloud, instance.uuid)).toBe(PowerState.running)
    },
    undone(_cloud, instance) {
      expect(instance).toMatchObject({ vmState: 'soft-delete', taskState: null })
    },
  }),
)

describe('with a reclaim interval', () => {
  const open = async (clock = manualClock()) => {
    const flags = { 'DEFAULT.reclaim_instance_interval': '600', 'DEFAULT.instance_delete_interval': '60', 'quota.instances': '1' }
    return { clock, cloud: await testCompute({ flags, clock }) }
  }
  const again = { ...caller, requestId: 'req-2' }

  it('a deleted server is off and may be restored', async () => {
    const { cloud } = await open()
    await using _ = cloud
    const server = await cloud.build()
    const now = () => cloud.deps.model.instances.get(server.uuid)
    cloud.conductor.delete(server, again)
    expect(now().taskState).toBe('soft-deleting')
    await cloud.settle()
    expect(now()).toMatchObject({ vmState: 'soft-delete', powerState: PowerState.shutdown })
    cloud.conductor.delete(now(), again)
    expect(now().taskState).toBeNull()
    expect(() => cloud.conductor.restore(server, again)).toThrow(`Cannot 'restore' instance ${server.uuid} while it is in vm_state active`)
    cloud.conductor.restore(now(), { ...caller, requestId: 'req-3' })
    await cloud.settle()
    expect(now()).toMatchObject({ vmState: 'active', powerState: PowerState.running })
    expect(cloud.deps.model.actions.list(server.uuid).map(({ action, message }) => [action, message])).toEqual([
      ['restore', null],
      ['delete', null],
      ['create', null],
    ])
  })

  it('what is deleted takes no quota, and is not restored into a full one', async () => {
    const { cloud } = await open()
    await using _ = cloud
    const first = await cloud.build()
    cloud.conductor.delete(first, again)
    await cloud.settle()
    await cloud.build()
    const kept = cloud.deps.model.instances.get(first.uuid)
    expect(() => cloud.conductor.restore(kept, again)).toThrow(/Quota exceeded for instances/)
    expect(cloud.deps.model.instances.get(first.uuid)).toMatchObject({ vmState: 'soft-delete', taskState: null })
    expect(cloud.deps.model.quotas.usage(projectId).instances).toBe(1)
  })

  it('goes for good when its time is over, or at once by force', async () => {
    const { cloud, clock } = await open()
    await using _ = cloud
    await cloud.conductor.watch.recover()
    const server = await cloud.build()
    cloud.conductor.delete(server, again)
    await cloud.settle()
    await clock.advance('9 min')
    await cloud.settle()
    expect(cloud.deps.model.instances.find(server.uuid)).not.toBeNull()
    await clock.advance('2 min')
    await cloud.settle()
    expect(cloud.deps.model.instances.find(server.uuid)).toBeNull()
    const other = await cloud.build()
    cloud.conductor.delete(other, again, { force: true })
    await cloud.settle()
    expect(cloud.deps.model.instances.find(other.uuid)).toBeNull()
    expect(await cloud.leaks()).toEqual([])
  })
})
