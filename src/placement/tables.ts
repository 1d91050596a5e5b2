/**
 * Placement's tables. Rows go when their thing goes: there is no soft delete here.
 *
 * `inventories.used` is our own: the sum of `allocations.used` of the same provider and class, kept with every write of
 * allocations, so that a claim costs the same with ten allocations as with ten thousand.
 *
 * @see https://docs.openstack.org/placement/latest/contributor/architecture.html
 */
import { type AnySQLiteColumn, index, integer, primaryKey, real, sqliteTable, unique } from 'drizzle-orm/sqlite-core'
import { timestamps, varchar } from '../base/db/columns.ts'

const id = () => integer('id').primaryKey({ autoIncrement: true })
const uuid = (name: string) => varchar(name, { length: 36 })

export const resourceProviders = sqliteTable(
  'resource_providers',
  {
    ...timestamps,
    id: id(),
    uuid: uuid('uuid').notNull(),
    name: varchar('name', { length: 200 }).notNull(),
    /** Grows with each change of the provider, its inventory, traits, aggregates, and with each claim on it. */
    generation: integer('generation').notNull().default(0),
    root_provider_id: integer('root_provider_id').references((): AnySQLiteColumn => resourceProviders.id),
    parent_provider_id: integer('parent_provider_id').references((): AnySQLiteColumn => resourceProviders.id),
  },
  (table) => [
    unique('uniq_resource_providers0uuid').on(table.uuid),
    unique('uniq_resource_providers0name').on(table.name),
    index('resource_providers_root_provider_id_idx').on(table.root_provider_id),
    index('resource_providers_parent_provider_id_idx').on(table.parent_provider_id),
  ],
)

export const resourceClasses = sqliteTable(
  'resource_classes',
  { ...timestamps, id: id(), name: varchar('name', { length: 255 }).notNull() },
  (table) => [unique('uniq_resource_classes0name').on(table.name)],
)

export const inventories = sqliteTable(
  'inventories',
  {
    ...timestamps,
    id: id(),
    resource_provider_id: integer('resource_provider_id')
      .notNull()
      .references(() => resourceProviders.id),
    resource_class_id: integer('resource_class_id')
      .notNull()
      .references(() => resourceClasses.id),
    total: integer('total').notNull(),
    reserved: integer('reserved').notNull(),
    min_unit: integer('min_unit').notNull(),
    max_unit: integer('max_unit').notNull(),
    step_size: integer('step_size').notNull(),
    allocation_ratio: real('allocation_ratio').notNull(),
    used: integer('used').notNull().default(0),
  },
  (table) => [
    unique('uniq_inventories0resource_provider_resource_class').on(table.resource_provider_id, table.resource_class_id),
    index('inventories_resource_class_id_idx').on(table.resource_class_id),
  ],
)

export const allocations = sqliteTable(
  'allocations',
  {
    ...timestamps,
    id: id(),
    resource_provider_id: integer('resource_provider_id')
      .notNull()
      .references(() => resourceProviders.id),
    /** The consumer's uuid. */
    consumer_id: uuid('consumer_id').notNull(),
    resource_class_id: integer('resource_class_id')
      .notNull()
      .references(() => resourceClasses.id),
    used: integer('used').notNull(),
  },
  (table) => [
    index('allocations_resource_provider_class_used_idx').on(table.resource_provider_id, table.resource_class_id, table.used),
    index('allocations_resource_class_id_idx').on(table.resource_class_id),
    index('allocations_consumer_id_idx').on(table.consumer_id),
  ],
)

export const projects = sqliteTable(
  'projects',
  { ...timestamps, id: id(), external_id: varchar('external_id', { length: 255 }).notNull() },
  (table) => [unique('uniq_projects0external_id').on(table.external_id)],
)

export const users = sqliteTable(
  'users',
  { ...timestamps, id: id(), external_id: varchar('external_id', { length: 255 }).notNull() },
  (table) => [unique('uniq_users0external_id').on(table.external_id)],
)

export const consumerTypes = sqliteTable(
  'consumer_types',
  { ...timestamps, id: id(), name: varchar('name', { length: 255 }).notNull() },
  (table) => [unique('uniq_consumer_types0name').on(table.name)],
)

export const consumers = sqliteTable(
  'consumers',
  {
    ...timestamps,
    id: id(),
    uuid: uuid('uuid').notNull(),
    project_id: integer('project_id')
      .notNull()
      .references(() => projects.id),
    user_id: integer('user_id')
      .notNull()
      .references(() => users.id),
    generation: integer('generation').notNull().default(0),
    consumer_type_id: integer('consumer_type_id').references(() => consumerTypes.id),
  },
  (table) => [
    unique('uniq_consumers0uuid').on(table.uuid),
    index('consumers_project_id_user_id_uuid_idx').on(table.project_id, table.user_id, table.uuid),
    index('consumers_project_id_uuid_idx').on(table.project_id, table.uuid),
  ],
)

export const traits = sqliteTable('traits', { ...timestamps, id: id(), name: varchar('name', { length: 255 }).notNull() }, (table) => [
  unique('uniq_traits0name').on(table.name),
])

export const resourceProviderTraits = sqliteTable(
  'resource_provider_traits',
  {
    ...timestamps,
    trait_id: integer('trait_id')
      .notNull()
      .references(() => traits.id),
    resource_provider_id: integer('resource_provider_id')
      .notNull()
      .references(() => resourceProviders.id),
  },
  (table) => [
    primaryKey({ columns: [table.trait_id, table.resource_provider_id] }),
    index('resource_provider_traits_resource_provider_trait_idx').on(table.resource_provider_id, table.trait_id),
  ],
)

export const placementAggregates = sqliteTable(
  'placement_aggregates',
  { ...timestamps, id: id(), uuid: uuid('uuid').notNull() },
  (table) => [unique('uniq_placement_aggregates0uuid').on(table.uuid)],
)

export const resourceProviderAggregates = sqliteTable(
  'resource_provider_aggregates',
  {
    ...timestamps,
    resource_provider_id: integer('resource_provider_id')
      .notNull()
      .references(() => resourceProviders.id),
    aggregate_id: integer('aggregate_id')
      .notNull()
      .references(() => placementAggregates.id),
  },
  (table) => [
    primaryKey({ columns: [table.resource_provider_id, table.aggregate_id] }),
    index('resource_provider_aggregates_aggregate_id_idx').on(table.aggregate_id),
  ],
)
