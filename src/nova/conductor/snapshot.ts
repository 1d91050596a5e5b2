/**
 * Snapshots and backups: a guest's root disk fills an image that is registered before, while the guest goes on as it was.
 * A snapshot that fails leaves no image. A backup makes its elders go, until `rotation` are left.
 */
import { CloudError } from '../../base/errors.ts'
import { saga } from '../../base/saga/index.ts'
import type { TaskState } from '../model/index.ts'
import { askCancellably } from './compute-client.ts'
import type { ConductorDeps } from './deps.ts'
import { ended, endedBadly, letGo } from './endings.ts'
import { eventOf } from './events.ts'
import type { ActionRule } from './guard.ts'

export type SnapshotInput = {
  uuid: string
  host: string
  imageId: string
  backup: { type: string; rotation: number } | null
}

const vmStates = ['active', 'stopped', 'paused', 'suspended'] as const
const common = { vmStates, tasks: [null], checksLock: false } as const
export const createImageRule: ActionRule = { ...common, name: 'createImage', task: 'image_snapshot_pending' }
export const createBackupRule: ActionRule = { ...common, name: 'createBackup', task: 'image_backup' }

const tasks: readonly TaskState[] = ['image_snapshot_pending', 'image_snapshot', 'image_backup', 'image_pending_upload', 'image_uploading']
const endingOf = ({ input: { uuid, host, backup }, requestId }: { input: SnapshotInput; requestId: string | null }) => ({
  uuid,
  requestId,
  host,
  phase: backup ? 'backup' : 'snapshot',
})

export type Filled = { uuid: string; host: string; imageId: string; signal: AbortSignal }

/** Fills the image, unless it is full already. @throws what the host throws; `conflict` when the image was deleted meanwhile. */
export async function fillImage({ uuid, host, imageId, signal }: Filled, { images, queue }: ConductorDeps): Promise<void> {
  const image = images.get(imageId, null)
  if (!image) throw new CloudError('conflict', `Image ${imageId} was deleted before it was filled.`)
  if (image.status !== 'active') await askCancellably(queue, host, 'snapshot', { uuid, imageId }, { lane: uuid, signal })
}

const eventName = ({ backup }: SnapshotInput): string => (backup ? 'compute_backup_instance' : 'compute_snapshot_instance')

export const snapshotServer = saga<SnapshotInput, ConductorDeps>('snapshot-server/1')
  .step('image', {
    run: eventOf(
      eventName,
      async ({ input: { uuid, host, imageId }, signal }, deps) => {
        deps.model.instances.tryUpdate(uuid, { task_state: 'image_snapshot' }, { taskState: ['image_snapshot_pending'] })
        await fillImage({ uuid, host, imageId, signal }, deps)
      },
      { staysOpen: true },
    ),
    async undo({ input: { imageId } }, { images }) {
      await images.remove(imageId)
    },
  })
  .step('rotate', {
    run: eventOf(eventName, async ({ input: { uuid, backup } }, deps) => {
      if (backup) for (const id of elders(deps, uuid, backup)) await deps.images.remove(id)
    }),
    commit(context, _output, deps) {
      if (letGo(deps, context, tasks)) ended(deps, endingOf(context))
    },
    // The elders are gone: without their youngest there would be none.
    oneWay: true,
  })
  .end({
    undone(context, error, deps) {
      if (letGo(deps, context, tasks)) endedBadly(deps, endingOf(context), error)
    },
  })

/** Backups of one kind beyond those that are kept, oldest first. */
function elders({ images, model }: ConductorDeps, uuid: string, { type, rotation }: NonNullable<SnapshotInput['backup']>): string[] {
  const instance = model.instances.find(uuid)
  const found = images.list(
    {
      filters: [
        { is: 'property', name: 'instance_uuid', value: uuid },
        { is: 'property', name: 'image_type', value: 'backup' },
        { is: 'property', name: 'backup_type', value: type },
      ],
      visibility: 'all',
      memberStatus: 'all',
      hidden: false,
      sort: [
        { key: 'created_at', isDescending: true },
        { key: 'id', isDescending: true },
      ],
      limit: 1000,
      marker: null,
    },
    null,
  )
  const own = found.filter(({ ownerId, status }) => ownerId === instance?.projectId && status === 'active')
  return own
    .slice(rotation)
    .map(({ id }) => id)
    .reverse()
}
