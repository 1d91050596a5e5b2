/**
 * Keystone's tables, with Keystone's names and columns. A domain is a project with `is_domain`; the row
 * `<<keystone.domain.root>>` stands above all domains and is never shown. What a client stores beyond the known attributes is
 * JSON in `extra`.
 *
 * @see https://docs.openstack.org/keystone/latest/
 */
import { index, integer, primaryKey, sqliteTable, text, unique } from 'drizzle-orm/sqlite-core'
import { boolean, datetime, varchar } from '../base/db/columns.ts'

const id = (name: string) => varchar(name, { length: 64 })

export const projects = sqliteTable(
  'project',
  {
    id: id('id').primaryKey(),
    name: varchar('name', { length: 64 }).notNull(),
    extra: text('extra'),
    description: text('description'),
    enabled: boolean('enabled').notNull(),
    domain_id: id('domain_id').notNull(),
    parent_id: id('parent_id'),
    is_domain: boolean('is_domain').notNull().default(false),
  },
  (table) => [unique('ixu_project_name_domain_id').on(table.domain_id, table.name), index('project_parent_id_idx').on(table.parent_id)],
)

export const projectTags = sqliteTable(
  'project_tag',
  {
    project_id: id('project_id')
      .notNull()
      .references(() => projects.id, { onDelete: 'cascade' }),
    name: varchar('name', { length: 255 }).notNull(),
  },
  (table) => [primaryKey({ columns: [table.project_id, table.name] })],
)

export const users = sqliteTable(
  'user',
  {
    id: id('id').primaryKey(),
    extra: text('extra'),
    enabled: boolean('enabled').notNull(),
    default_project_id: id('default_project_id'),
    created_at: datetime('created_at'),
    last_active_at: datetime('last_active_at'),
    domain_id: id('domain_id')
      .notNull()
      .references(() => projects.id),
  },
  (table) => [index('ix_default_project_id').on(table.default_project_id), index('user_domain_id_idx').on(table.domain_id)],
)

export const localUsers = sqliteTable(
  'local_user',
  {
    id: integer('id').primaryKey({ autoIncrement: true }),
    user_id: id('user_id')
      .notNull()
      .unique()
      .references(() => users.id, { onDelete: 'cascade' }),
    domain_id: id('domain_id').notNull(),
    name: varchar('name', { length: 255 }).notNull(),
    failed_auth_count: integer('failed_auth_count'),
    failed_auth_at: datetime('failed_auth_at'),
  },
  (table) => [unique('local_user_domain_id_name').on(table.domain_id, table.name)],
)

export const passwords = sqliteTable(
  'password',
  {
    id: integer('id').primaryKey({ autoIncrement: true }),
    local_user_id: integer('local_user_id')
      .notNull()
      .references(() => localUsers.id, { onDelete: 'cascade' }),
    /** A PHC string. */
    password_hash: varchar('password_hash', { length: 255 }),
    self_service: boolean('self_service').notNull().default(false),
    created_at: datetime('created_at').notNull(),
    /** Microseconds since the epoch. */
    created_at_int: integer('created_at_int').notNull(),
    expires_at: datetime('expires_at'),
    expires_at_int: integer('expires_at_int'),
  },
  (table) => [index('password_local_user_id_idx').on(table.local_user_id)],
)

/** `option_id` is Keystone's four letters: 1000 ignore_change_password_upon_first_use … 1003 lock_password, and so on. */
export const userOptions = sqliteTable(
  'user_option',
  {
    user_id: id('user_id')
      .notNull()
      .references(() => users.id, { onDelete: 'cascade' }),
    option_id: varchar('option_id', { length: 4 }).notNull(),
    option_value: text('option_value'),
  },
  (table) => [primaryKey({ columns: [table.user_id, table.option_id] })],
)

export const projectOptions = sqliteTable(
  'project_option',
  {
    project_id: id('project_id')
      .notNull()
      .references(() => projects.id, { onDelete: 'cascade' }),
    option_id: varchar('option_id', { length: 4 }).notNull(),
    option_value: text('option_value'),
  },
  (table) => [primaryKey({ columns: [table.project_id, table.option_id] })],
)

export const groups = sqliteTable(
  'group',
  {
    id: id('id').primaryKey(),
    domain_id: id('domain_id')
      .notNull()
      .references(() => projects.id),
    name: varchar('name', { length: 64 }).notNull(),
    description: text('description'),
    extra: text('extra'),
  },
  (table) => [unique('ixu_group_name_domain_id').on(table.domain_id, table.name)],
)

export const memberships = sqliteTable(
  'user_group_membership',
  {
    user_id: id('user_id')
      .notNull()
      .references(() => users.id, { onDelete: 'cascade' }),
    group_id: id('group_id')
      .notNull()
      .references(() => groups.id, { onDelete: 'cascade' }),
  },
  (table) => [primaryKey({ columns: [table.user_id, table.group_id] }), index('group_id').on(table.group_id)],
)

export const roles = sqliteTable(
  'role',
  {
    id: id('id').primaryKey(),
    name: varchar('name', { length: 255 }).notNull(),
    extra: text('extra'),
    /** `<<null>>` for a role of no domain. */
    domain_id: id('domain_id').notNull().default('<<null>>'),
    description: text('description'),
  },
  (table) => [unique('ixu_role_name_domain_id').on(table.name, table.domain_id)],
)

export const roleOptions = sqliteTable(
  'role_option',
  {
    role_id: id('role_id')
      .notNull()
      .references(() => roles.id, { onDelete: 'cascade' }),
    option_id: varchar('option_id', { length: 4 }).notNull(),
    option_value: text('option_value'),
  },
  (table) => [primaryKey({ columns: [table.role_id, table.option_id] })],
)

export const impliedRoles = sqliteTable(
  'implied_role',
  {
    prior_role_id: id('prior_role_id')
      .notNull()
      .references(() => roles.id, { onDelete: 'cascade' }),
    implied_role_id: id('implied_role_id')
      .notNull()
      .references(() => roles.id, { onDelete: 'cascade' }),
  },
  (table) => [primaryKey({ columns: [table.prior_role_id, table.implied_role_id] })],
)

/** `type` is UserProject, GroupProject, UserDomain or GroupDomain: what actor and target are. */
export const assignments = sqliteTable(
  'assignment',
  {
    type: varchar('type', { length: 64 }).notNull(),
    actor_id: id('actor_id').notNull(),
    target_id: id('target_id').notNull(),
    role_id: id('role_id').notNull(),
    inherited: boolean('inherited').notNull(),
  },
  (table) => [
    primaryKey({ columns: [table.type, table.actor_id, table.target_id, table.role_id, table.inherited] }),
    index('ix_actor_id').on(table.actor_id),
    index('assignment_target_id_idx').on(table.target_id),
  ],
)

/** `type` is UserSystem or GroupSystem, the target always `system`. */
export const systemAssignments = sqliteTable(
  'system_assignment',
  {
    type: varchar('type', { length: 64 }).notNull(),
    actor_id: id('actor_id').notNull(),
    target_id: id('target_id').notNull(),
    role_id: id('role_id').notNull(),
    inherited: boolean('inherited').notNull(),
  },
  (table) => [
    primaryKey({ columns: [table.type, table.actor_id, table.target_id, table.role_id, table.inherited] }),
    index('ix_system_actor_id').on(table.actor_id),
  ],
)

export const regions = sqliteTable('region', {
  id: varchar('id', { length: 255 }).primaryKey(),
  description: varchar('description', { length: 255 }).notNull(),
  parent_region_id: varchar('parent_region_id', { length: 255 }),
  extra: text('extra'),
})

export const services = sqliteTable('service', {
  id: id('id').primaryKey(),
  type: varchar('type', { length: 255 }),
  enabled: boolean('enabled').notNull().default(true),
  /** Holds `name` and `description` too. */
  extra: text('extra'),
})

export const endpoints = sqliteTable(
  'endpoint',
  {
    id: id('id').primaryKey(),
    legacy_endpoint_id: id('legacy_endpoint_id'),
    interface: varchar('interface', { length: 8 }).notNull(),
    region_id: varchar('region_id', { length: 255 }).references(() => regions.id),
    service_id: id('service_id')
      .notNull()
      .references(() => services.id, { onDelete: 'cascade' }),
    /** May hold `$(origin)s`, this cloud as the client addressed it, and `$(project_id)s`. */
    url: text('url').notNull(),
    enabled: boolean('enabled').notNull().default(true),
    extra: text('extra'),
  },
  (table) => [index('service_id').on(table.service_id)],
)

export const revocationEvents = sqliteTable(
  'revocation_event',
  {
    id: integer('id').primaryKey({ autoIncrement: true }),
    domain_id: id('domain_id'),
    project_id: id('project_id'),
    user_id: id('user_id'),
    role_id: id('role_id'),
    trust_id: id('trust_id'),
    consumer_id: id('consumer_id'),
    access_token_id: id('access_token_id'),
    issued_before: datetime('issued_before').notNull(),
    expires_at: datetime('expires_at'),
    revoked_at: datetime('revoked_at').notNull(),
    audit_id: varchar('audit_id', { length: 32 }),
    audit_chain_id: varchar('audit_chain_id', { length: 32 }),
  },
  (table) => [index('ix_revocation_event_revoked_at').on(table.revoked_at)],
)

export const applicationCredentials = sqliteTable(
  'application_credential',
  {
    internal_id: integer('internal_id').primaryKey({ autoIncrement: true }),
    id: id('id').notNull().unique(),
    name: varchar('name', { length: 255 }).notNull(),
    /** A PHC string. */
    secret_hash: varchar('secret_hash', { length: 255 }).notNull(),
    description: text('description'),
    user_id: id('user_id')
      .notNull()
      .references(() => users.id, { onDelete: 'cascade' }),
    project_id: id('project_id').references(() => projects.id, { onDelete: 'cascade' }),
    /** Microseconds since the epoch. */
    expires_at: integer('expires_at'),
    system: varchar('system', { length: 64 }),
    unrestricted: boolean('unrestricted').notNull().default(false),
  },
  (table) => [unique('duplicate_app_cred_constraint').on(table.user_id, table.name)],
)

export const applicationCredentialRoles = sqliteTable(
  'application_credential_role',
  {
    application_credential_id: integer('application_credential_id')
      .notNull()
      .references(() => applicationCredentials.internal_id, { onDelete: 'cascade' }),
    role_id: id('role_id')
      .notNull()
      .references(() => roles.id, { onDelete: 'cascade' }),
  },
  (table) => [primaryKey({ columns: [table.application_credential_id, table.role_id] })],
)

export const credentials = sqliteTable(
  'credential',
  {
    /** SHA-256 of the access key for type ec2, else a uuid. */
    id: id('id').primaryKey(),
    user_id: id('user_id')
      .notNull()
      .references(() => users.id, { onDelete: 'cascade' }),
    project_id: id('project_id'),
    type: varchar('type', { length: 255 }).notNull(),
    /** AES-256-GCM: nonce, tag and ciphertext in base64. */
    encrypted_blob: text('encrypted_blob').notNull(),
    /** Which key encrypted it. */
    key_hash: varchar('key_hash', { length: 64 }).notNull(),
    extra: text('extra'),
  },
  (table) => [index('credential_user_id_idx').on(table.user_id)],
)
