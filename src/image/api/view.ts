/** Images and members as clients see them. An image's own properties stand beside the fields that all images have. */
import { isoSeconds } from '../../base/clock.ts'
import type { Image } from '../image.ts'
import type { Member } from '../members.ts'

export function showImage(image: Image): Record<string, unknown> {
  const self = `/v2/images/${image.id}`
  return Object.assign(Object.create(null), image.properties, {
    name: image.name,
    disk_format: image.diskFormat,
    container_format: image.containerFormat,
    visibility: image.visibility,
    size: image.sizeBytes,
    virtual_size: image.virtualSizeBytes,
    status: image.status,
    checksum: image.checksum,
    protected: image.protected,
    min_ram: image.minRamMib,
    min_disk: image.minDiskGib,
    owner: image.ownerId,
    os_hidden: image.hidden,
    os_hash_algo: image.hashAlgo,
    os_hash_value: image.hashValue,
    id: image.id,
    created_at: isoSeconds(image.createdAt),
    updated_at: isoSeconds(image.updatedAt),
    tags: image.tags,
    self,
    file: `${self}/file`,
    schema: '/v2/schemas/image',
  })
}

export const showMember = (member: Member): Record<string, unknown> => ({
  member_id: member.projectId,
  image_id: member.imageId,
  status: member.status,
  created_at: isoSeconds(member.createdAt),
  updated_at: isoSeconds(member.updatedAt),
  schema: '/v2/schemas/member',
})
