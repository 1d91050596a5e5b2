/**
 * The images that there are: rows, their properties and tags, who may see them, and the moves of their status.
 *
 * A status moves by compare-and-set, so that of two uploads to one image the second is told so. Deleted images stay as
 * rows, as Glance keeps them: a guest's disk may go on standing on the bytes of one.
 *
 * @see https://docs.openstack.org/glance/latest/user/statuses.html
 */
import { randomUUID } from 'node:crypto'
import type { Clock } from '../base/clock.ts'
import type { Database } from '../base/db/index.ts'
import { type CloudError, conflict, notFound } from '../base/errors.ts'
import { type Image, type ImageStatus, isOwner, type NewImage, type Viewer, type Visibility } from './image.ts'

export type ImageRow = {
  id: string
  name: string | null
  status: string
  disk_format: string | null
  container_format: string | null
  size: number | null
  virtual_size: number | null
  checksum: string | null
  os_hash_algo: string | null
  os_hash_value: string | null
  min_disk: number
  min_ram: number
  visibility: string
  owner: string | null
  protected: number
  os_hidden: number
  created_at: string
  updated_at: string | null
  deleted: number
}

/** What the bytes turned out to be. */
export type Content = {
  sizeBytes: number
  virtualSizeBytes: number | null
  checksum: string
  hashAlgo: string
  hashValue: string
  location: string
}

export const noImage = (id: string): CloudError => notFound(`No image found with ID ${id.slice(0, 64)}`)

export class Catalog {
  readonly #db: Database
  readonly #clock: Clock

  constructor({ db, clock }: { db: Database; clock: Clock }) {
    this.#db = db
    this.#clock = clock
  }

  /** `null` for one that is not there, is deleted, or that the viewer may not see. */
  get(id: string, viewer: Viewer): Image | null {
    const row = this.#db.prepare<ImageRow>('SELECT * FROM images WHERE id = ? AND deleted = 0').get(id)
    if (!row) return null
    const image = this.whole([row])[0]!
    return this.#isVisible(image, viewer) ? image : null
  }

  /** @throws {CloudError} `not-found`, for an image that the viewer may not see too. */
  find(id: string, viewer: Viewer): Image {
    const image = this.get(id, viewer)
    if (!image) throw noImage(id)
    return image
  }

  /** Of a deleted image too, as it was. */
  remembered(id: string): Image | null {
    const row = this.#db.prepare<ImageRow>('SELECT * FROM images WHERE id = ?').get(id)
    return row ? this.whole([row])[0]! : null
  }

  findByName(name: string): Image[] {
    return this.whole(this.#db.prepare<ImageRow>('SELECT * FROM images WHERE name = ? AND deleted = 0 ORDER BY created_at, id').all(name))
  }

  /** Rows to images, with two queries however many there are. */
  whole(rows: readonly ImageRow[]): Image[] {
    if (rows.length === 0) return []
    const ids = JSON.stringify(rows.map(({ id }) => id))
    const properties = new Map<string, Record<string, string>>()
    const tags = new Map<string, string[]>()
    const ofThese = 'AND image_id IN (SELECT value FROM json_each(?))'
    for (const { image_id, name, value } of this.#db
      .prepare<{ image_id: string; name: string; value: string }>(
        `SELECT image_id, name, value FROM image_properties WHERE deleted = 0 ${ofThese} ORDER BY id`,
      )
      .all(ids)) {
      const found = properties.get(image_id) ?? Object.create(null)
      found[name] = value
      properties.set(image_id, found)
    }
    for (const { image_id, value } of this.#db
      .prepare<{ image_id: string; value: string }>(`SELECT image_id, value FROM image_tags WHERE deleted = 0 ${ofThese} ORDER BY value`)
      .all(ids)) {
      const found = tags.get(image_id)
      if (found) found.push(value)
      else tags.set(image_id, [value])
    }
    return rows.map((row) => ({
      id: row.id,
      name: row.name,
      status: row.status as ImageStatus,
      diskFormat: row.disk_format,
      containerFormat: row.container_format,
      sizeBytes: row.size,
      virtualSizeBytes: row.virtual_size,
      checksum: row.checksum,
      hashAlgo: row.os_hash_algo,
      hashValue: row.os_hash_value,
      minDiskGib: row.min_disk,
      minRamMib: row.min_ram,
      visibility: row.visibility as Visibility,
      ownerId: row.owner,
      protected: row.protected !== 0,
      hidden: row.os_hidden !== 0,
      tags: tags.get(row.id) ?? [],
      properties: properties.get(row.id) ?? Object.create(null),
      createdAt: row.created_at,
      updatedAt: row.updated_at ?? row.created_at,
    }))
  }

  /** @throws {CloudError} `conflict` when the id is, or was, taken. */
  create(image: NewImage): Image {
    const id = image.id ?? randomUUID()
    const now = this.#clock.text()
    this.#db.transaction(() => {
      if (this.#db.prepare('SELECT 1 FROM images WHERE id = ?').get(id)) throw conflict(`Image ID ${id} already exists!`)
      this.#db
        .prepare(
          `INSERT INTO images (id, name, status, disk_format, container_format, min_disk, min_ram, visibility, owner, protected, os_hidden, created_at, updated_at, deleted)
           VALUES (?, ?, 'queued', ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 0)`,
        )
        .run(
          id,
          image.name,
          image.diskFormat,
          image.containerFormat,
          image.minDiskGib,
          image.minRamMib,
          image.visibility,
          image.ownerId,
          image.protected ? 1 : 0,
          image.hidden ? 1 : 0,
          now,
          now,
        )
      this.#saveProperties(id, {}, image.properties, now)
      this.#saveTags(id, [], image.tags ?? [], now)
    })
    return this.find(id, null)
  }

  /** Writes what a client may change; `before` is the image as it was read in this same turn of the event loop. */
  save(before: Image, after: Image): Image {
    const now = this.#clock.text()
    this.#db.transaction(() => {
      this.#db
        .prepare(
          `UPDATE images SET name = ?, disk_format = ?, container_format = ?, min_disk = ?, min_ram = ?, visibility = ?, owner = ?,
           protected = ?, os_hidden = ?, updated_at = ? WHERE id = ? AND deleted = 0`,
        )
        .run(
          after.name,
          after.diskFormat,
          after.containerFormat,
          after.minDiskGib,
          after.minRamMib,
          after.visibility,
          after.ownerId,
          after.protected ? 1 : 0,
          after.hidden ? 1 : 0,
          now,
          before.id,
        )
      this.#saveProperties(before.id, before.properties, after.properties, now)
      this.#saveTags(before.id, before.tags, after.tags, now)
    })
    return this.find(before.id, null)
  }

  /** @returns whether this call moved it. */
  move(id: string, from: readonly ImageStatus[], to: ImageStatus): boolean {
    return (
      this.#db
        .prepare('UPDATE images SET status = ?, updated_at = ? WHERE id = ? AND deleted = 0 AND status IN (SELECT value FROM json_each(?))')
        .run(to, this.#clock.text(), id, JSON.stringify(from)).changes > 0
    )
  }

  /** Makes it active with these bytes, if it is still being filled. @returns whether it did. */
  activate(id: string, content: Content): boolean {
    const now = this.#clock.text()
    return this.#db.transaction(() => {
      const { changes } = this.#db
        .prepare(
          `UPDATE images SET status = 'active', size = ?, virtual_size = ?, checksum = ?, os_hash_algo = ?, os_hash_value = ?, updated_at = ?
           WHERE id = ? AND deleted = 0 AND status IN ('saving', 'importing')`,
        )
        .run(content.sizeBytes, content.virtualSizeBytes, content.checksum, content.hashAlgo, content.hashValue, now, id)
      if (changes === 0) return false
      this.#db
        .prepare(
          `INSERT INTO image_locations (image_id, value, meta_data, status, created_at, updated_at, deleted) VALUES (?, ?, '{"store": "file"}', 'active', ?, ?, 0)`,
        )
        .run(id, content.location, now, now)
      return true
    })
  }

  /** The row and all that hangs on it, softly. */
  delete(id: string): void {
    const now = this.#clock.text()
    this.#db.transaction(() => {
      this.#db.prepare("UPDATE images SET status = 'deleted', deleted = 1, deleted_at = ?, updated_at = ? WHERE id = ?").run(now, now, id)
      for (const table of ['image_properties', 'image_tags', 'image_members'])
        this.#db.prepare(`UPDATE OR REPLACE ${table} SET deleted = 1, deleted_at = ? WHERE image_id = ? AND deleted = 0`).run(now, id)
      this.#db
        .prepare("UPDATE image_locations SET deleted = 1, deleted_at = ?, status = 'deleted' WHERE image_id = ? AND deleted = 0")
        .run(now, id)
    })
  }

  /** Images that were being filled when the process ended can be filled anew. */
  releaseInterrupted(): void {
    this.#db
      .prepare("UPDATE images SET status = 'queued', updated_at = ? WHERE deleted = 0 AND status IN ('saving', 'uploading', 'importing')")
      .run(this.#clock.text())
  }

  /** Of images that have bytes. */
  idsWithBytes(): Set<string> {
    return new Set(
      this.#db
        .prepare<{ id: string }>("SELECT id FROM images WHERE deleted = 0 AND status IN ('active', 'deactivated')")
        .all()
        .map(({ id }) => id),
    )
  }

  usage(ownerId: string | null): { bytes: number; images: number; filling: number } {
    return this.#db
      .prepare<{ bytes: number; images: number; filling: number }>(
        `SELECT COALESCE(SUM(size), 0) AS bytes, COUNT(*) AS images, COALESCE(SUM(status IN ('saving', 'uploading', 'importing')), 0) AS filling
         FROM images WHERE owner IS ? AND deleted = 0`,
      )
      .get(ownerId)!
  }

  #isVisible(image: Image, viewer: Viewer): boolean {
    if (viewer === null || viewer.isAdmin || isOwner(image, viewer)) return true
    if (image.visibility === 'public' || image.visibility === 'community') return true
    return (
      image.visibility === 'shared' &&
      viewer.projectId !== null &&
      this.#db.prepare('SELECT 1 FROM image_members WHERE image_id = ? AND member = ? AND deleted = 0').get(image.id, viewer.projectId) !==
        undefined
    )
  }

  #saveProperties(id: string, before: Readonly<Record<string, string>>, after: Readonly<Record<string, string>>, now: string): void {
    for (const [name, value] of Object.entries(after)) {
      if (Object.hasOwn(before, name) && before[name] === value) continue
      this.#db
        .prepare(
          `INSERT INTO image_properties (image_id, name, value, created_at, updated_at, deleted) VALUES (?, ?, ?, ?, ?, 0)
           ON CONFLICT (image_id, name) DO UPDATE SET value = excluded.value, updated_at = excluded.updated_at, deleted = 0, deleted_at = NULL`,
        )
        .run(id, name, value, now, now)
    }
    for (const name of Object.keys(before))
      if (!Object.hasOwn(after, name))
        this.#db
          .prepare('UPDATE image_properties SET deleted = 1, deleted_at = ? WHERE image_id = ? AND name = ? AND deleted = 0')
          .run(now, id, name)
  }

  #saveTags(id: string, before: readonly string[], after: readonly string[], now: string): void {
    for (const tag of new Set(after))
      if (!before.includes(tag))
        this.#db
          .prepare('INSERT INTO image_tags (image_id, value, created_at, updated_at, deleted) VALUES (?, ?, ?, ?, 0)')
          .run(id, tag, now, now)
    for (const tag of before)
      if (!after.includes(tag))
        this.#db
          .prepare('UPDATE image_tags SET deleted = 1, deleted_at = ? WHERE image_id = ? AND value = ? AND deleted = 0')
          .run(now, id, tag)
  }
}
