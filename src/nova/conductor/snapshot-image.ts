/** The image that a snapshot fills: what it takes over from the image that the server was made from, and what is said of its origin. */
import { randomUUID } from 'node:crypto'
import type { Images } from '../../image/index.ts'
import type { Instance } from '../model/index.ts'

/** Of the image alone: these don't go over to its snapshots, or are told otherwise. */
const notInherited =
  /^(min_ram|min_disk|disk_format|container_format|base_image_ref|cache_in_nova|block_device_mapping|mappings|img_signature.*|image_type|instance_uuid|user_id|image_location|image_state|backup_type)$/

export type SnapshotWish = {
  name: string
  kind: 'snapshot' | 'backup'
  /** Above what is inherited. */
  properties: Readonly<Record<string, string>>
}

/**
 * Registers a queued image; in the transaction that begins the snapshot.
 * @throws {CloudError} `invalid` or `forbidden` for names or values that can be no properties.
 */
export function registerSnapshot(
  { images }: { images: Pick<Images, 'register' | 'setProperties'> },
  instance: Instance,
  userId: string | null,
  { name, kind, properties }: SnapshotWish,
): string {
  const id = randomUUID()
  const { imageProperties: kept } = instance
  const inherited = Object.fromEntries(Object.entries(kept).filter(([key]) => !notInherited.test(key)))
  const origin = {
    image_type: kind,
    base_image_ref: kept.base_image_ref ?? instance.imageId ?? '',
    instance_uuid: instance.uuid,
    user_id: userId ?? '',
    image_location: 'snapshot',
    image_state: 'available',
  }
  images.register({
    id,
    name,
    diskFormat: null,
    containerFormat: 'bare',
    visibility: 'private',
    ownerId: instance.projectId,
    minDiskGib: Math.max(instance.flavor.rootGib, Number(kept.min_disk ?? 0)),
    minRamMib: Number(kept.min_ram ?? 0),
    properties: { ...inherited, ...origin },
  })
  if (Object.keys(properties).length > 0) images.setProperties(id, { ...inherited, ...origin, ...properties })
  return id
}
