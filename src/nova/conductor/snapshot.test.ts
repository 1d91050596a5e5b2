import { describe, expect, it } from 'vitest'
import { type TestCompute, testCompute } from '../../../test/support/compute.ts'
import { sagaLaws } from '../../../test/support/saga-laws.ts'
import { serverWorld } from '../../../test/support/server-laws.ts'
import type { ConductorDeps } from './deps.ts'
import { type SnapshotInput, snapshotServer } from './snapshot.ts'
import { registerSnapshot } from './snapshot-image.ts'

function begun(cloud: TestCompute, uuid: string, backup: SnapshotInput['backup'] = null): SnapshotInput {
  const { model } = cloud.deps
  const properties: Record<string, string> = backup ? { backup_type: backup.type } : {}
  const wish = { name: 'web1 as it was', kind: backup ? 'backup' : 'snapshot', properties } as const
  const imageId = registerSnapshot({ images: cloud.images }, model.instances.get(uuid), 'user-demo', wish)
  model.instances.update(uuid, { task_state: backup ? 'image_backup' : 'image_snapshot_pending' })
  return { uuid, host: 'host1', imageId, backup }
}
const imagesOf = (cloud: TestCompute) => cloud.images.findByName('web1 as it was')

sagaLaws<SnapshotInput, ConductorDeps>('taking a snapshot', snapshotServer, () =>
  serverWorld({
    async prepare(cloud) {
      const { uuid } = await cloud.build()
      return { uuid, input: begun(cloud, uuid) }
    },
    done(cloud, instance) {
      expect(instance).toMatchObject({ vmState: 'active', taskState: null })
      expect(imagesOf(cloud)).toMatchObject([{ status: 'active', diskFormat: 'raw', ownerId: instance.projectId }])
    },
    undone(cloud, instance) {
      expect(instance).toMatchObject({ vmState: 'active', taskState: null })
      expect(imagesOf(cloud)).toEqual([])
    },
  }),
)

describe('a snapshot', () => {
  it('inherits what its image said, and tells where it is from', async () => {
    await using cloud = await testCompute()
    const systemMetadata = { image_hw_disk_bus: 'virtio', image_min_ram: '64', image_img_signature: 'x', image_base_image_ref: 'the-base' }
    const { uuid, projectId } = await cloud.build({ systemMetadata })
    const input = begun(cloud, uuid)
    const image = cloud.images.get(input.imageId ?? '', null)
    expect(image).toMatchObject({ status: 'queued', visibility: 'private', ownerId: projectId, minRamMib: 64, minDiskGib: 1 })
    expect(image?.properties).toEqual({
      hw_disk_bus: 'virtio',
      image_type: 'snapshot',
      base_image_ref: 'the-base',
      instance_uuid: uuid,
      user_id: 'user-demo',
      image_location: 'snapshot',
      image_state: 'available',
    })
  })

  it('that the hypervisor refuses leaves no image, and a server as it was', async () => {
    await using cloud = await testCompute()
    const { uuid } = await cloud.build()
    cloud.drivers[0]?.failNext('snapshot')
    await cloud.deps.sagas.start(snapshotServer, begun(cloud, uuid), { key: uuid })
    expect(imagesOf(cloud)).toEqual([])
    expect(cloud.deps.model.instances.get(uuid)).toMatchObject({ vmState: 'active', taskState: null })
  })

  it('of a server that is deleted meanwhile goes with it', async () => {
    await using cloud = await testCompute()
    const server = await cloud.build()
    void cloud.deps.sagas.start(snapshotServer, begun(cloud, server.uuid), { key: server.uuid })
    cloud.conductor.delete(server, { requestId: 'req-2', userId: 'u', projectId: server.projectId, isAdmin: false })
    await cloud.settle()
    expect(imagesOf(cloud)).toEqual([])
    expect(await cloud.leaks()).toEqual([])
  })
})

describe('backups', () => {
  it('beyond the rotation go, those of another kind and what users made stay', async () => {
    await using cloud = await testCompute()
    const { uuid } = await cloud.build()
    const take = async (type: string, rotation: number) => {
      const input = begun(cloud, uuid, { type, rotation })
      await cloud.deps.sagas.start(snapshotServer, input, { key: uuid })
      return input.imageId
    }
    const weekly = await take('weekly', 1)
    const first = await take('daily', 2)
    const second = await take('daily', 2)
    const third = await take('daily', 2)
    const ids = () => imagesOf(cloud).map(({ id }) => id)
    expect(ids()).toEqual(expect.arrayContaining([weekly, second, third]))
    expect(ids()).not.toContain(first)
    await take('daily', 0)
    expect(ids()).toEqual([weekly])
  })
})
