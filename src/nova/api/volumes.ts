/**
 * The volume service's volumes and snapshots, reached through Compute, up to 2.35.
 *
 * @see https://docs.openstack.org/api-ref/compute/#volume-extension-os-volumes-os-snapshots-deprecated
 */
import { isoMicros } from '../../base/clock.ts'
import { as, bodies, closed, type Incoming, kinds, operation, Reply, type TObject, Type, view } from '../../base/http/index.ts'
import { apiConfig } from '../model/index.ts'
import { type NovaApi, viewerOf } from './deps.ts'
import { type Known, knownQuery, pageSize, wholeNumber } from './known-query.ts'
import { selfHref } from './links.ts'
import { anyBoolean, isTrue } from './schemas.ts'
import type { NewSnapshot, NewVolume, Volume, VolumeSnapshot } from './volume-service.ts'

const volumeView = view<Volume>({
  id: ({ id }) => id,
  status: ({ status }) => status,
  size: ({ sizeGib }) => sizeGib,
  availabilityZone: ({ zone }) => zone,
  createdAt: ({ createdAt }) => isoMicros(createdAt),
  attachments: ({ id, attachedTo }) => {
    if (!attachedTo) return [{}]
    const { serverId, device } = attachedTo
    return [{ id, volumeId: id, serverId, ...(device === null ? {} : { device }) }]
  },
  displayName: ({ name }) => name,
  displayDescription: ({ description }) => description,
  volumeType: ({ type }) => type,
  snapshotId: ({ snapshotId }) => snapshotId,
  metadata: ({ metadata }) => metadata,
})
const snapshotView = view<VolumeSnapshot>({
  id: ({ id }) => id,
  volumeId: ({ volumeId }) => volumeId,
  status: ({ status }) => status,
  size: ({ sizeGib }) => sizeGib,
  createdAt: ({ createdAt }) => isoMicros(createdAt),
  displayName: ({ name }) => name,
  displayDescription: ({ description }) => description,
})

/** Pages as old lists have them: `offset` counts. */
export const offsetNames = { limit: wholeNumber, offset: wholeNumber }
const listQuery = knownQuery({ '2.1': offsetNames }, '2.75')
export const pageOf = <T>(things: readonly T[], query: Known, { config }: Pick<NovaApi, 'config'>): T[] => {
  const offset = Number(query.offset ?? 0)
  return things.slice(offset, offset + pageSize(query, config.get(apiConfig).maxLimit))
}

type Listed = Incoming<undefined, Known>
const common = { until: '2.35', errors: [400, 403] } as const
const found = { until: '2.35', errors: [400, 403, 404] } as const
const volumePolicy = (name: string) => `os_compute_api:os-volumes:${name}`

/** Both lists show a volume whole. */
const lists = (['list', 'detail'] as const).flatMap((name) => {
  const below = name === 'detail' ? '/detail' : ''
  return [
    operation({
      ...common,
      method: 'GET',
      path: `/os-volumes${below}`,
      status: 200,
      policy: volumePolicy(name),
      query: listQuery,
      handle: ({ context, query }: Listed, nova: NovaApi) => ({
        volumes: pageOf(nova.volumes.volumes(viewerOf(context)), query, nova).map((volume) => volumeView(volume, context)),
      }),
    }),
    operation({
      ...common,
      method: 'GET',
      path: `/os-snapshots${below}`,
      status: 200,
      policy: volumePolicy(`snapshots:${name}`),
      query: listQuery,
      handle: ({ context, query }: Listed, nova: NovaApi) => ({
        snapshots: pageOf(nova.volumes.snapshots(viewerOf(context)), query, nova).map((snapshot) => snapshotView(snapshot, context)),
      }),
    }),
  ]
})

const showVolume = operation({
  ...found,
  method: 'GET',
  path: '/os-volumes/{volume_id}',
  status: 200,
  policy: volumePolicy('show'),
  handle: ({ params, context }, nova: NovaApi) => ({
    volume: volumeView(nova.volumes.volume(params.volume_id ?? '', viewerOf(context)), context),
  }),
})

const showSnapshot = operation({
  ...found,
  method: 'GET',
  path: '/os-snapshots/{snapshot_id}',
  status: 200,
  policy: volumePolicy('snapshots:show'),
  handle: ({ params, context }, nova: NovaApi) => ({
    snapshot: snapshotView(nova.volumes.snapshot(params.snapshot_id ?? '', viewerOf(context)), context),
  }),
})

const text = Type.Optional(Type.String())
const wrapped = <Name extends string, T extends TObject>(name: Name, schema: T) =>
  Type.Object({ [name]: schema } as Record<Name, T>, closed)

const createVolume = operation({
  ...found,
  method: 'POST',
  path: '/os-volumes',
  status: 200,
  policy: volumePolicy('create'),
  body: bodies<NewVolume>({
    '2.1': as(
      wrapped(
        'volume',
        Type.Object(
          {
            size: kinds(Type.Integer({ minimum: 1 }), Type.String({ pattern: '^[0-9]+$' })),
            display_name: text,
            display_description: text,
            volume_type: text,
            metadata: Type.Optional(Type.Unsafe<Record<string, string>>({ type: 'object' })),
            snapshot_id: text,
            availability_zone: text,
          },
          closed,
        ),
      ),
      ({ volume }) => ({
        sizeGib: Number(volume.size),
        name: volume.display_name ?? null,
        description: volume.display_description ?? null,
        type: volume.volume_type ?? null,
        metadata: volume.metadata ?? {},
        snapshotId: volume.snapshot_id ?? null,
        zone: volume.availability_zone ?? null,
      }),
    ),
  }),
  handle: ({ body, context }: Incoming<NewVolume>, nova: NovaApi) => {
    const volume = nova.volumes.createVolume(body, viewerOf(context))
    return new Reply({
      headers: { Location: selfHref(context, `/os-volumes/${volume.id}`) },
      body: { volume: volumeView(volume, context) },
    })
  },
})

const createSnapshot = operation({
  ...common,
  method: 'POST',
  path: '/os-snapshots',
  status: 200,
  policy: volumePolicy('snapshots:create'),
  body: bodies<NewSnapshot>({
    '2.1': as(
      wrapped(
        'snapshot',
        Type.Object({ volume_id: Type.String(), force: Type.Optional(anyBoolean), display_name: text, display_description: text }, closed),
      ),
      ({ snapshot }) => ({
        volumeId: snapshot.volume_id,
        force: isTrue(snapshot.force),
        name: snapshot.display_name ?? null,
        description: snapshot.display_description ?? null,
      }),
    ),
  }),
  handle: ({ body, context }: Incoming<NewSnapshot>, nova: NovaApi) => ({
    snapshot: snapshotView(nova.volumes.createSnapshot(body, viewerOf(context)), context),
  }),
})

const deleteVolume = operation({
  ...found,
  method: 'DELETE',
  path: '/os-volumes/{volume_id}',
  status: 202,
  policy: volumePolicy('delete'),
  handle: ({ params, context }, nova: NovaApi) => nova.volumes.deleteVolume(params.volume_id ?? '', viewerOf(context)),
})

const deleteSnapshot = operation({
  ...found,
  method: 'DELETE',
  path: '/os-snapshots/{snapshot_id}',
  status: 202,
  policy: volumePolicy('snapshots:delete'),
  handle: ({ params, context }, nova: NovaApi) => nova.volumes.deleteSnapshot(params.snapshot_id ?? '', viewerOf(context)),
})

export const volumeOperations = [...lists, showVolume, showSnapshot, createVolume, createSnapshot, deleteVolume, deleteSnapshot]
