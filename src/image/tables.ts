/**
 * Glance's tables. `deleted` is a boolean here, unlike Nova's, and properties, tags, members and locations of a deleted
 * image are marked with it.
 *
 * @see https://docs.openstack.org/glance/latest/admin/manage.html
 */
import { index, integer, sqliteTable, text, uniqueIndex } from 'drizzle-orm/sqlite-core'
import { boolean, datetime, varchar } from '../base/db/columns.ts'

const glanceBase = () => ({
  created_at: datetime('created_at').notNull(),
  updated_at: datetime('updated_at'),
  deleted_at: datetime('deleted_at'),
  deleted: boolean('deleted').notNull().default(false),
})
const imageId = () =>
  varchar('image_id', { length: 36 })
    .notNull()
    .references(() => images.id)

export const images = sqliteTable(
  'images',
  {
    ...glanceBase(),
    id: varchar('id', { length: 36 }).primaryKey(),
    name: varchar('name', { length: 255 }),
    disk_format: varchar('disk_format', { length: 20 }),
    container_format: varchar('container_format', { length: 20 }),
    /** Bytes. */
    size: integer('size'),
    virtual_size: integer('virtual_size'),
    /** queued, uploading, importing, saving, active, deactivated, deleted. */
    status: varchar('status', { length: 30 }).notNull(),
    visibility: varchar('visibility', { length: 9 }).notNull().default('shared'),
    /** MD5, hex. */
    checksum: varchar('checksum', { length: 32 }),
    os_hash_algo: varchar('os_hash_algo', { length: 64 }),
    os_hash_value: varchar('os_hash_value', { length: 128 }),
    /** GiB. */
    min_disk: integer('min_disk').notNull().default(0),
    /** MiB. */
    min_ram: integer('min_ram').notNull().default(0),
    owner: varchar('owner', { length: 255 }),
    protected: boolean('protected').notNull().default(false),
    os_hidden: boolean('os_hidden').notNull().default(false),
  },
  (table) => [
    index('checksum_image_idx').on(table.checksum),
    index('visibility_image_idx').on(table.visibility),
    index('ix_images_deleted').on(table.deleted),
    index('owner_image_idx').on(table.owner),
    index('created_at_image_idx').on(table.created_at),
    index('updated_at_image_idx').on(table.updated_at),
    index('os_hidden_image_idx').on(table.os_hidden),
    index('os_hash_value_image_idx').on(table.os_hash_value),
  ],
)

export const imageProperties = sqliteTable(
  'image_properties',
  {
    ...glanceBase(),
    id: integer('id').primaryKey(),
    image_id: imageId(),
    name: varchar('name', { length: 255 }).notNull(),
    value: text('value'),
  },
  (table) => [
    index('ix_image_properties_image_id').on(table.image_id),
    index('ix_image_properties_deleted').on(table.deleted),
    uniqueIndex('ix_image_properties_image_id_name').on(table.image_id, table.name),
  ],
)

export const imageTags = sqliteTable(
  'image_tags',
  { ...glanceBase(), id: integer('id').primaryKey(), image_id: imageId(), value: varchar('value', { length: 255 }).notNull() },
  (table) => [
    index('ix_image_tags_image_id').on(table.image_id),
    index('ix_image_tags_image_id_tag_value').on(table.image_id, table.value),
  ],
)

export const imageLocations = sqliteTable(
  'image_locations',
  {
    ...glanceBase(),
    id: integer('id').primaryKey(),
    image_id: imageId(),
    value: text('value').notNull(),
    meta_data: text('meta_data').default('{}'),
    status: varchar('status', { length: 30 }).notNull().default('active'),
  },
  (table) => [index('ix_image_locations_image_id').on(table.image_id), index('ix_image_locations_deleted').on(table.deleted)],
)

export const imageMembers = sqliteTable(
  'image_members',
  {
    ...glanceBase(),
    id: integer('id').primaryKey(),
    image_id: imageId(),
    /** A project's id. */
    member: varchar('member', { length: 255 }).notNull(),
    can_share: boolean('can_share').notNull().default(false),
    /** pending, accepted, rejected. */
    status: varchar('status', { length: 20 }).notNull().default('pending'),
  },
  (table) => [
    index('ix_image_members_image_id').on(table.image_id),
    index('ix_image_members_image_id_member').on(table.image_id, table.member),
    index('ix_image_members_deleted').on(table.deleted),
    uniqueIndex('image_members_image_id_member_deleted_at_key').on(table.image_id, table.member, table.deleted_at),
  ],
)
