/**
 * What the Compute API asks of the volume service. A cloud without one answers as one in which nobody has a volume.
 *
 * Sizes are GiB, times as the database keeps them.
 */
import { invalid, notFound } from '../../base/errors.ts'
import type { InstanceViewer } from '../model/index.ts'

export type Volume = {
  readonly id: string
  readonly status: string
  readonly sizeGib: number
  readonly zone: string | null
  readonly createdAt: string
  readonly name: string | null
  readonly description: string | null
  readonly type: string | null
  readonly snapshotId: string | null
  readonly metadata: Readonly<Record<string, string>>
  /** The first server that has it. */
  readonly attachedTo: { readonly serverId: string; readonly device: string | null } | null
}

export type VolumeSnapshot = {
  readonly id: string
  readonly volumeId: string
  readonly status: string
  readonly sizeGib: number
  readonly createdAt: string
  readonly name: string | null
  readonly description: string | null
}

export type NewVolume = Pick<Volume, 'sizeGib' | 'zone' | 'name' | 'description' | 'type' | 'snapshotId' | 'metadata'>
export type NewSnapshot = Pick<VolumeSnapshot, 'volumeId' | 'name' | 'description'> & { readonly force: boolean }

type Viewer = NonNullable<InstanceViewer>

export type VolumeService = {
  volumes(viewer: Viewer): readonly Volume[]
  /** @throws {CloudError} `not-found`, also for another project's. */
  volume(id: string, viewer: Viewer): Volume
  /** @throws {CloudError} `invalid`, `over-quota`, `not-found` for a snapshot that is not there. */
  createVolume(wish: NewVolume, viewer: Viewer): Volume
  /** @throws {CloudError} `not-found`, `invalid` for one that is in use. */
  deleteVolume(id: string, viewer: Viewer): void
  snapshots(viewer: Viewer): readonly VolumeSnapshot[]
  /** @throws {CloudError} `not-found`, also for another project's. */
  snapshot(id: string, viewer: Viewer): VolumeSnapshot
  /** @throws {CloudError} `invalid`, `over-quota`. */
  createSnapshot(wish: NewSnapshot, viewer: Viewer): VolumeSnapshot
  /** @throws {CloudError} `not-found`. */
  deleteSnapshot(id: string, viewer: Viewer): void
}

const noVolume = (id: string): never => {
  throw notFound(`Volume ${id.slice(0, 255)} could not be found.`)
}
const noSnapshot = (id: string): never => {
  throw notFound(`Snapshot ${id.slice(0, 255)} could not be found.`)
}
const noService = (): never => {
  throw invalid('This cloud has no volume service.')
}

export const noVolumeService: VolumeService = {
  volumes: () => [],
  volume: noVolume,
  createVolume: noService,
  deleteVolume: noVolume,
  snapshots: () => [],
  snapshot: noSnapshot,
  createSnapshot: noService,
  deleteSnapshot: noSnapshot,
}
