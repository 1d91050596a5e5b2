/**
 * Images from servers: `createImage` and, with rotation, `createBackup`. To 2.44 the answer names the image in a header,
 * from 2.45 in a body.
 *
 * @see https://docs.openstack.org/api-ref/compute/#create-image-createimage-action
 */
import { overQuota } from '../../base/errors.ts'
import { as, atLeast, bodies, closed, kinds, operation, principalOf, Reply, type RequestContext, Type } from '../../base/http/index.ts'
import { createBackupRule, createImageRule, registerSnapshot, type SnapshotInput, snapshotServer } from '../conductor/index.ts'
import { callerOf, type NovaApi } from './deps.ts'
import { metadataSchema, serverName } from './schemas.ts'
import { serverAction } from './server-actions.ts'
import { serverOf } from './servers.ts'

type Metadata = Readonly<Record<string, string>>

/** An image that does not stay is named in bodies only. */
function answer(context: RequestContext, imageId: string, stays = true): Reply {
  if (atLeast(context, '2.45')) return new Reply({ body: { image_id: imageId } })
  return new Reply(stays ? { headers: { Location: `${context.origin}/image/v2/images/${imageId}` } } : {})
}

/** Up to 2.38 an image's metadata counts as a server's. @throws {CloudError} `over-quota`. */
function checkMetadata(context: RequestContext, metadata: Metadata, projectId: string, { model }: NovaApi): void {
  const limit = model.quotas.limitsFor(projectId, principalOf(context).userId).metadata_items
  if (!atLeast(context, '2.39') && limit >= 0 && Object.keys(metadata).length > limit) throw overQuota('Image metadata limit exceeded')
}

const createImage = operation({
  ...serverAction,
  action: 'createImage',
  policy: 'os_compute_api:servers:create_image',
  body: bodies<{ name: string; metadata: Metadata }>({
    '2.1': as(
      Type.Object({ createImage: Type.Object({ name: serverName, metadata: Type.Optional(metadataSchema) }, closed) }, closed),
      ({ createImage: { name, metadata = {} } }) => ({ name, metadata }),
    ),
  }),
  handle: async (request, nova: NovaApi) => {
    const { context, body } = request
    const instance = serverOf(request, nova)
    const caller = callerOf(context)
    checkMetadata(context, body.metadata, instance.projectId, nova)
    const input: SnapshotInput = { uuid: instance.uuid, host: instance.host ?? '', imageId: '', backup: null }
    await nova.conductor.beginCapable(instance, createImageRule, caller, 'snapshots', {
      saga: snapshotServer,
      input,
      rows: () => {
        input.imageId = registerSnapshot(nova, instance, caller.userId, { name: body.name, kind: 'snapshot', properties: body.metadata })
      },
    })
    return answer(context, input.imageId)
  },
})

type Backup = { name: string; type: string; rotation: number; metadata: Metadata }

const createBackup = operation({
  ...serverAction,
  action: 'createBackup',
  policy: 'os_compute_api:os-create-backup',
  body: bodies<Backup>({
    '2.1': as(
      Type.Object(
        {
          createBackup: Type.Object(
            {
              name: serverName,
              backup_type: Type.String({ maxLength: 255 }),
              rotation: kinds(Type.Integer({ minimum: 0 }), Type.String({ pattern: '^[0-9]+$', maxLength: 9 })),
              metadata: Type.Optional(metadataSchema),
            },
            closed,
          ),
        },
        closed,
      ),
      ({ createBackup: { name, backup_type: type, rotation, metadata = {} } }) => ({ name, type, rotation: Number(rotation), metadata }),
    ),
  }),
  handle: async (request, nova: NovaApi) => {
    const { context, body } = request
    const { name, type, rotation, metadata } = body
    const instance = serverOf(request, nova)
    const caller = callerOf(context)
    checkMetadata(context, metadata, instance.projectId, nova)
    const input: SnapshotInput = { uuid: instance.uuid, host: instance.host ?? '', imageId: '', backup: { type, rotation } }
    await nova.conductor.beginCapable(instance, createBackupRule, caller, 'snapshots', {
      saga: snapshotServer,
      input,
      rows: () => {
        const properties = { ...metadata, backup_type: type }
        input.imageId = registerSnapshot(nova, instance, caller.userId, { name, kind: 'backup', properties })
      },
    })
    return answer(context, input.imageId, rotation > 0)
  },
})

export const serverSnapshotOperations = [createImage, createBackup]
