/**
 * Block device mappings: the rows that say which disks a server has, and the volumes attached to it.
 *
 * @see https://docs.openstack.org/nova/latest/user/block-device-mapping.html
 */
import { randomUUID } from 'node:crypto'
import type { Ground } from '../../base/ground.ts'
import { type InstanceDisk, refit } from './disk-plan.ts'
import type { Flavor } from './flavors.ts'

/** A volume in a server. */
export type VolumeAttachment = {
  readonly uuid: string
  readonly serverId: string
  readonly volumeId: string
  readonly attachmentId: string | null
  readonly device: string | null
  readonly tag: string | null
  readonly deleteOnTermination: boolean
  readonly bootIndex: number | null
}

type Row = InstanceDisk & { id: number }
type AttachmentRow = Omit<VolumeAttachment, 'deleteOnTermination'> & { deleteOnTermination: number }

const attachmentColumns = `uuid, instance_uuid AS serverId, volume_id AS volumeId, attachment_id AS attachmentId, device_name AS device, tag,
  delete_on_termination AS deleteOnTermination, boot_index AS bootIndex`

export class BlockDevices {
  readonly #db: Ground['db']
  readonly #clock: Ground['clock']

  constructor({ db, clock }: Pick<Ground, 'db' | 'clock'>) {
    this.#db = db
    this.#clock = clock
  }

  /** In the caller's transaction. */
  insert(uuid: string, disks: readonly InstanceDisk[]): void {
    const now = this.#clock.text()
    for (const disk of disks) {
      this.#db
        .prepare(
          `INSERT INTO block_device_mapping (created_at, deleted, instance_uuid, uuid, device_name, source_type, destination_type, guest_format, device_type, disk_bus,
           boot_index, image_id, volume_size, tag, delete_on_termination, no_device, encrypted)
           VALUES (@now, 0, @instance, @uuid, @deviceName, @source, 'local', @guestFormat, @kind, @bus, @bootIndex, @imageId, @size, @tag, 1, 0, 0)`,
        )
        .run({ now, instance: uuid, uuid: randomUUID(), ...disk })
    }
  }

  /** The disks of a server's own, root first. */
  disks(uuid: string): InstanceDisk[] {
    return this.#rows(uuid).map(({ id: _, ...disk }) => disk)
  }

  /** The rows as another flavor has them; what is no longer there is deleted as Nova deletes. In the caller's transaction. */
  refit(uuid: string, before: Flavor, after: Flavor): void {
    const rows = this.#rows(uuid)
    const now = this.#clock.text()
    const wanted = new Map(refit(rows, before, after).map((disk) => [disk.deviceName, disk]))
    for (const { id, deviceName, size } of rows) {
      const disk = wanted.get(deviceName)
      wanted.delete(deviceName)
      if (!disk) this.#db.prepare('UPDATE block_device_mapping SET deleted = id, deleted_at = ? WHERE id = ?').run(now, id)
      else if (disk.size !== size)
        this.#db.prepare('UPDATE block_device_mapping SET volume_size = ?, updated_at = ? WHERE id = ?').run(disk.size, now, id)
    }
    this.insert(uuid, [...wanted.values()])
  }

  volumes(uuid: string): VolumeAttachment[] {
    return this.#db
      .prepare<AttachmentRow>(
        `SELECT ${attachmentColumns} FROM block_device_mapping WHERE instance_uuid = ? AND volume_id IS NOT NULL AND deleted = 0 ORDER BY id`,
      )
      .all(uuid)
      .map((row) => ({ ...row, deleteOnTermination: row.deleteOnTermination === 1 }))
  }

  volume(uuid: string, volumeId: string): VolumeAttachment | null {
    return this.volumes(uuid).find((attachment) => attachment.volumeId === volumeId) ?? null
  }

  setDeleteOnTermination({ uuid }: VolumeAttachment, value: boolean): void {
    this.#db
      .prepare('UPDATE block_device_mapping SET delete_on_termination = ?, updated_at = ? WHERE uuid = ?')
      .run(value ? 1 : 0, this.#clock.text(), uuid)
  }

  #rows(uuid: string): Row[] {
    return this.#db
      .prepare<Row>(
        `SELECT id, source_type AS source, image_id AS imageId, guest_format AS guestFormat, device_name AS deviceName, coalesce(disk_bus, 'virtio') AS bus,
         coalesce(device_type, 'disk') AS kind, coalesce(boot_index, -1) AS bootIndex, volume_size AS size, tag
         FROM block_device_mapping WHERE instance_uuid = ? AND destination_type = 'local' AND deleted = 0 ORDER BY coalesce(boot_index, -1) <> 0, id`,
      )
      .all(uuid)
  }
}
