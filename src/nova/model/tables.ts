/**
 * Nova's tables, with Nova's names, columns and indexes, so that a program with Nova's own models reads and writes them.
 * Nova keeps them in two databases (cell and API); here one file holds both.
 *
 * @see https://docs.openstack.org/nova/latest/reference/database-migrations.html
 */
import { index, integer, primaryKey, real, sqliteTable, text, uniqueIndex } from 'drizzle-orm/sqlite-core'
import { boolean, datetime, softDelete, timestamps, varchar } from '../../base/db/columns.ts'

/** Servers. `deleted = id` once deleted; `uuid` is unique for ever. */
export const instances = sqliteTable(
  'instances',
  {
    ...timestamps,
    ...softDelete,
    id: integer('id').primaryKey({ autoIncrement: true }),
    user_id: varchar('user_id', { length: 255 }),
    project_id: varchar('project_id', { length: 255 }),
    image_ref: varchar('image_ref', { length: 255 }),
    kernel_id: varchar('kernel_id', { length: 255 }),
    ramdisk_id: varchar('ramdisk_id', { length: 255 }),
    hostname: varchar('hostname', { length: 255 }),
    launch_index: integer('launch_index'),
    key_name: varchar('key_name', { length: 255 }),
    key_data: text('key_data'),
    power_state: integer('power_state'),
    vm_state: varchar('vm_state', { length: 255 }),
    task_state: varchar('task_state', { length: 255 }),
    memory_mb: integer('memory_mb'),
    vcpus: integer('vcpus'),
    root_gb: integer('root_gb'),
    ephemeral_gb: integer('ephemeral_gb'),
    ephemeral_key_uuid: varchar('ephemeral_key_uuid', { length: 36 }),
    host: varchar('host', { length: 255 }),
    node: varchar('node', { length: 255 }),
    compute_id: integer('compute_id'),
    instance_type_id: integer('instance_type_id'),
    user_data: text('user_data'),
    reservation_id: varchar('reservation_id', { length: 255 }),
    launched_at: datetime('launched_at'),
    terminated_at: datetime('terminated_at'),
    availability_zone: varchar('availability_zone', { length: 255 }),
    display_name: varchar('display_name', { length: 255 }),
    display_description: varchar('display_description', { length: 255 }),
    launched_on: text('launched_on'),
    locked: boolean('locked'),
    locked_by: varchar('locked_by', { length: 5 }),
    os_type: varchar('os_type', { length: 255 }),
    architecture: varchar('architecture', { length: 255 }),
    vm_mode: varchar('vm_mode', { length: 255 }),
    uuid: varchar('uuid', { length: 36 }).notNull(),
    root_device_name: varchar('root_device_name', { length: 255 }),
    default_ephemeral_device: varchar('default_ephemeral_device', { length: 255 }),
    default_swap_device: varchar('default_swap_device', { length: 255 }),
    config_drive: varchar('config_drive', { length: 255 }),
    access_ip_v4: varchar('access_ip_v4', { length: 39 }),
    access_ip_v6: varchar('access_ip_v6', { length: 39 }),
    auto_disk_config: boolean('auto_disk_config'),
    progress: integer('progress'),
    shutdown_terminate: boolean('shutdown_terminate').default(false),
    disable_terminate: boolean('disable_terminate').default(false),
    cell_name: varchar('cell_name', { length: 255 }),
    cleaned: integer('cleaned').default(0),
    hidden: boolean('hidden').default(false),
  },
  (table) => [
    index('instances_deleted_created_at_idx').on(table.deleted, table.created_at),
    index('instances_task_state_updated_at_idx').on(table.task_state, table.updated_at),
    index('instances_updated_at_project_id_idx').on(table.updated_at, table.project_id),
    index('instances_compute_id_deleted_idx').on(table.compute_id, table.deleted),
    index('instances_host_deleted_cleaned_idx').on(table.host, table.deleted, table.cleaned),
    index('instances_host_node_deleted_idx').on(table.host, table.node, table.deleted),
    index('instances_project_id_deleted_idx').on(table.project_id, table.deleted),
    index('instances_uuid_deleted_idx').on(table.uuid, table.deleted),
    index('instances_project_id_idx').on(table.project_id),
    index('instances_reservation_id_idx').on(table.reservation_id),
    index('instances_terminated_at_launched_at_idx').on(table.terminated_at, table.launched_at),
    uniqueIndex('uniq_instances0uuid').on(table.uuid),
    index('minicloud_instances_list_idx').on(table.project_id, table.deleted, table.created_at, table.id),
    index('minicloud_instances_list_all_idx').on(table.deleted, table.created_at, table.id),
  ],
)

/** What is read with an instance, but not by every query; JSON texts. */
export const instanceExtra = sqliteTable(
  'instance_extra',
  {
    ...timestamps,
    ...softDelete,
    id: integer('id').primaryKey({ autoIncrement: true }),
    instance_uuid: varchar('instance_uuid', { length: 36 })
      .notNull()
      .references(() => instances.uuid),
    device_metadata: text('device_metadata'),
    numa_topology: text('numa_topology'),
    pci_requests: text('pci_requests'),
    flavor: text('flavor'),
    vcpu_model: text('vcpu_model'),
    migration_context: text('migration_context'),
    keypairs: text('keypairs'),
    trusted_certs: text('trusted_certs'),
    resources: text('resources'),
  },
  (table) => [index('instance_extra_idx').on(table.instance_uuid)],
)

/** The network's answer about an instance's ports, kept so that a list of servers asks no other service. */
export const instanceInfoCaches = sqliteTable(
  'instance_info_caches',
  {
    ...timestamps,
    ...softDelete,
    id: integer('id').primaryKey({ autoIncrement: true }),
    network_info: text('network_info'),
    instance_uuid: varchar('instance_uuid', { length: 36 })
      .notNull()
      .references(() => instances.uuid),
  },
  (table) => [uniqueIndex('uniq_instance_info_caches0instance_uuid').on(table.instance_uuid)],
)

export const instanceMetadata = sqliteTable(
  'instance_metadata',
  {
    ...timestamps,
    ...softDelete,
    id: integer('id').primaryKey({ autoIncrement: true }),
    key: varchar('key', { length: 255 }),
    value: varchar('value', { length: 255 }),
    instance_uuid: varchar('instance_uuid', { length: 36 }).references(() => instances.uuid),
  },
  (table) => [index('instance_metadata_instance_uuid_idx').on(table.instance_uuid)],
)

export const instanceSystemMetadata = sqliteTable(
  'instance_system_metadata',
  {
    ...timestamps,
    ...softDelete,
    id: integer('id').primaryKey({ autoIncrement: true }),
    key: varchar('key', { length: 255 }).notNull(),
    value: varchar('value', { length: 255 }),
    instance_uuid: varchar('instance_uuid', { length: 36 })
      .notNull()
      .references(() => instances.uuid),
  },
  (table) => [index('instance_uuid').on(table.instance_uuid)],
)

export const instanceFaults = sqliteTable(
  'instance_faults',
  {
    ...timestamps,
    ...softDelete,
    id: integer('id').primaryKey({ autoIncrement: true }),
    instance_uuid: varchar('instance_uuid', { length: 36 }).references(() => instances.uuid),
    code: integer('code').notNull(),
    message: varchar('message', { length: 255 }),
    details: text('details'),
    host: varchar('host', { length: 255 }),
  },
  (table) => [
    index('instance_faults_instance_uuid_deleted_created_at_idx').on(table.instance_uuid, table.deleted, table.created_at),
    index('instance_faults_host_idx').on(table.host),
  ],
)

/** What was asked of an instance, by whom. */
export const instanceActions = sqliteTable(
  'instance_actions',
  {
    ...timestamps,
    ...softDelete,
    id: integer('id').primaryKey({ autoIncrement: true }),
    action: varchar('action', { length: 255 }),
    instance_uuid: varchar('instance_uuid', { length: 36 }).references(() => instances.uuid),
    request_id: varchar('request_id', { length: 255 }),
    user_id: varchar('user_id', { length: 255 }),
    project_id: varchar('project_id', { length: 255 }),
    start_time: datetime('start_time'),
    finish_time: datetime('finish_time'),
    message: varchar('message', { length: 255 }),
  },
  (table) => [
    index('instance_actions_instance_uuid_updated_at_idx').on(table.instance_uuid, table.updated_at),
    index('instance_uuid_idx').on(table.instance_uuid),
    index('request_id_idx').on(table.request_id),
  ],
)

/** The steps of an action and how each ended. */
export const instanceActionsEvents = sqliteTable(
  'instance_actions_events',
  {
    ...timestamps,
    ...softDelete,
    id: integer('id').primaryKey({ autoIncrement: true }),
    event: varchar('event', { length: 255 }),
    action_id: integer('action_id').references(() => instanceActions.id),
    start_time: datetime('start_time'),
    finish_time: datetime('finish_time'),
    result: varchar('result', { length: 255 }),
    traceback: text('traceback'),
    host: varchar('host', { length: 255 }),
    details: text('details'),
  },
  (table) => [index('instance_actions_events_action_id_idx').on(table.action_id)],
)

export const blockDeviceMapping = sqliteTable(
  'block_device_mapping',
  {
    ...timestamps,
    ...softDelete,
    id: integer('id').primaryKey({ autoIncrement: true }),
    instance_uuid: varchar('instance_uuid', { length: 36 }).references(() => instances.uuid),
    uuid: varchar('uuid', { length: 36 }),
    source_type: varchar('source_type', { length: 255 }),
    destination_type: varchar('destination_type', { length: 255 }),
    guest_format: varchar('guest_format', { length: 255 }),
    device_type: varchar('device_type', { length: 255 }),
    disk_bus: varchar('disk_bus', { length: 255 }),
    boot_index: integer('boot_index'),
    device_name: varchar('device_name', { length: 255 }),
    delete_on_termination: boolean('delete_on_termination').default(false),
    snapshot_id: varchar('snapshot_id', { length: 36 }),
    volume_id: varchar('volume_id', { length: 36 }),
    volume_size: integer('volume_size'),
    volume_type: varchar('volume_type', { length: 255 }),
    image_id: varchar('image_id', { length: 36 }),
    no_device: boolean('no_device'),
    connection_info: text('connection_info'),
    tag: varchar('tag', { length: 255 }),
    attachment_id: varchar('attachment_id', { length: 36 }),
    encrypted: boolean('encrypted').default(false),
    encryption_secret_uuid: varchar('encryption_secret_uuid', { length: 36 }),
    encryption_format: varchar('encryption_format', { length: 128 }),
    encryption_options: varchar('encryption_options', { length: 4096 }),
  },
  (table) => [
    index('block_device_mapping_instance_uuid_device_name_idx').on(table.instance_uuid, table.device_name),
    index('block_device_mapping_instance_uuid_idx').on(table.instance_uuid),
    index('block_device_mapping_instance_uuid_volume_id_idx').on(table.instance_uuid, table.volume_id),
    uniqueIndex('uniq_block_device_mapping0uuid').on(table.uuid),
    index('snapshot_id').on(table.snapshot_id),
    index('volume_id').on(table.volume_id),
  ],
)

/** Moves of servers between hosts and sizes, each with how far it has come. */
export const migrations = sqliteTable(
  'migrations',
  {
    ...timestamps,
    ...softDelete,
    id: integer('id').primaryKey({ autoIncrement: true }),
    source_compute: varchar('source_compute', { length: 255 }),
    dest_compute: varchar('dest_compute', { length: 255 }),
    source_node: varchar('source_node', { length: 255 }),
    dest_node: varchar('dest_node', { length: 255 }),
    dest_compute_id: integer('dest_compute_id'),
    dest_host: varchar('dest_host', { length: 255 }),
    old_instance_type_id: integer('old_instance_type_id'),
    new_instance_type_id: integer('new_instance_type_id'),
    instance_uuid: varchar('instance_uuid', { length: 36 }).references(() => instances.uuid),
    uuid: varchar('uuid', { length: 36 }),
    status: varchar('status', { length: 255 }),
    /** `migration`, `resize`, `live-migration` or `evacuation`. */
    migration_type: varchar('migration_type', { length: 14 }),
    hidden: boolean('hidden').default(false),
    memory_total: integer('memory_total'),
    memory_processed: integer('memory_processed'),
    memory_remaining: integer('memory_remaining'),
    disk_total: integer('disk_total'),
    disk_processed: integer('disk_processed'),
    disk_remaining: integer('disk_remaining'),
    cross_cell_move: boolean('cross_cell_move').default(false),
    user_id: varchar('user_id', { length: 255 }),
    project_id: varchar('project_id', { length: 255 }),
  },
  (table) => [
    index('migrations_by_dest_host_nodes_and_status_idx').on(table.deleted, table.dest_compute, table.dest_node, table.status),
    index('migrations_by_host_nodes_and_status_idx').on(
      table.deleted,
      table.source_compute,
      table.dest_compute,
      table.source_node,
      table.dest_node,
      table.status,
    ),
    index('migrations_by_src_host_nodes_and_status_idx').on(table.deleted, table.source_compute, table.source_node, table.status),
    index('migrations_dest_compute_id_deleted_idx').on(table.dest_compute_id, table.deleted),
    index('migrations_instance_uuid_and_status_idx').on(table.deleted, table.instance_uuid, table.status),
    index('migrations_updated_at_idx').on(table.updated_at),
    uniqueIndex('migrations_uuid').on(table.uuid),
  ],
)

export const tags = sqliteTable(
  'tags',
  {
    resource_id: varchar('resource_id', { length: 36 }).notNull(),
    tag: varchar('tag', { length: 80 }).notNull(),
  },
  (table) => [index('tags_tag_idx').on(table.tag), primaryKey({ columns: [table.resource_id, table.tag] })],
)

/** Hypervisors as they last reported themselves. */
export const computeNodes = sqliteTable(
  'compute_nodes',
  {
    ...timestamps,
    ...softDelete,
    id: integer('id').primaryKey({ autoIncrement: true }),
    service_id: integer('service_id'),
    host: varchar('host', { length: 255 }),
    uuid: varchar('uuid', { length: 36 }),
    vcpus: integer('vcpus').notNull(),
    memory_mb: integer('memory_mb').notNull(),
    local_gb: integer('local_gb').notNull(),
    vcpus_used: integer('vcpus_used').notNull(),
    memory_mb_used: integer('memory_mb_used').notNull(),
    local_gb_used: integer('local_gb_used').notNull(),
    hypervisor_type: text('hypervisor_type').notNull(),
    hypervisor_version: integer('hypervisor_version').notNull(),
    hypervisor_hostname: varchar('hypervisor_hostname', { length: 255 }),
    free_ram_mb: integer('free_ram_mb'),
    free_disk_gb: integer('free_disk_gb'),
    current_workload: integer('current_workload'),
    running_vms: integer('running_vms'),
    cpu_info: text('cpu_info').notNull(),
    disk_available_least: integer('disk_available_least'),
    host_ip: varchar('host_ip', { length: 39 }),
    supported_instances: text('supported_instances'),
    metrics: text('metrics'),
    pci_stats: text('pci_stats'),
    extra_resources: text('extra_resources'),
    stats: text('stats').default('{}'),
    numa_topology: text('numa_topology'),
    ram_allocation_ratio: real('ram_allocation_ratio'),
    cpu_allocation_ratio: real('cpu_allocation_ratio'),
    disk_allocation_ratio: real('disk_allocation_ratio'),
    mapped: integer('mapped').default(0),
  },
  (table) => [
    uniqueIndex('uniq_compute_nodes0host0hypervisor_hostname0deleted').on(table.host, table.hypervisor_hostname, table.deleted),
    uniqueIndex('compute_nodes_uuid_idx').on(table.uuid),
  ],
)

/** The processes of a classic Nova; here each is a room of this one. */
export const services = sqliteTable(
  'services',
  {
    ...timestamps,
    ...softDelete,
    id: integer('id').primaryKey({ autoIncrement: true }),
    uuid: varchar('uuid', { length: 36 }),
    host: varchar('host', { length: 255 }),
    binary: varchar('binary', { length: 255 }),
    topic: varchar('topic', { length: 255 }),
    report_count: integer('report_count').notNull().default(0),
    disabled: boolean('disabled').default(false),
    disabled_reason: varchar('disabled_reason', { length: 255 }),
    last_seen_up: datetime('last_seen_up'),
    forced_down: boolean('forced_down').default(false),
    version: integer('version').default(0),
  },
  (table) => [
    uniqueIndex('uniq_services0host0binary0deleted').on(table.host, table.binary, table.deleted),
    uniqueIndex('uniq_services0host0topic0deleted').on(table.host, table.topic, table.deleted),
    uniqueIndex('services_uuid_idx').on(table.uuid),
  ],
)

/** Hashes of console tokens; the token itself is shown once and never stored. */
export const consoleAuthTokens = sqliteTable(
  'console_auth_tokens',
  {
    ...timestamps,
    id: integer('id').primaryKey({ autoIncrement: true }),
    token_hash: varchar('token_hash', { length: 255 }).notNull(),
    console_type: varchar('console_type', { length: 255 }).notNull(),
    host: varchar('host', { length: 255 }).notNull(),
    port: integer('port').notNull(),
    tls_port: integer('tls_port'),
    internal_access_path: varchar('internal_access_path', { length: 255 }),
    instance_uuid: varchar('instance_uuid', { length: 36 }).notNull(),
    expires: integer('expires').notNull(),
    access_url_base: varchar('access_url_base', { length: 255 }),
  },
  (table) => [
    index('console_auth_tokens_token_hash_instance_uuid_idx').on(table.token_hash, table.instance_uuid),
    uniqueIndex('uniq_console_auth_tokens0token_hash').on(table.token_hash),
    index('console_auth_tokens_host_expires_idx').on(table.host, table.expires),
    index('console_auth_tokens_instance_uuid_idx').on(table.instance_uuid),
  ],
)

/** File shares that servers mount. */
export const shareMapping = sqliteTable(
  'share_mapping',
  {
    ...timestamps,
    id: integer('id').primaryKey({ autoIncrement: true }),
    uuid: varchar('uuid', { length: 36 }),
    instance_uuid: varchar('instance_uuid', { length: 36 }).references(() => instances.uuid),
    share_id: varchar('share_id', { length: 36 }),
    status: varchar('status', { length: 32 }),
    tag: varchar('tag', { length: 48 }),
    export_location: text('export_location'),
    share_proto: varchar('share_proto', { length: 32 }),
  },
  (table) => [
    index('share_idx').on(table.share_id),
    index('share_mapping_instance_uuid_share_id_idx').on(table.instance_uuid, table.share_id),
    uniqueIndex('uniq_key_pairs0instance_uuid0share_id').on(table.instance_uuid, table.share_id),
    uniqueIndex('uniq_key_pairs0instance_uuid0tag').on(table.instance_uuid, table.tag),
  ],
)

/** Integers for the EC2 form of a server's id. */
export const instanceIdMappings = sqliteTable(
  'instance_id_mappings',
  {
    ...timestamps,
    ...softDelete,
    id: integer('id').primaryKey({ autoIncrement: true }),
    uuid: varchar('uuid', { length: 36 }).notNull(),
  },
  (table) => [index('ix_instance_id_mappings_uuid').on(table.uuid)],
)

/** Integers for the EC2 form of an image's id. */
export const s3Images = sqliteTable('s3_images', {
  ...timestamps,
  ...softDelete,
  id: integer('id').primaryKey({ autoIncrement: true }),
  uuid: varchar('uuid', { length: 36 }).notNull(),
})

export const quotas = sqliteTable(
  'quotas',
  {
    ...timestamps,
    ...softDelete,
    id: integer('id').primaryKey({ autoIncrement: true }),
    project_id: varchar('project_id', { length: 255 }),
    resource: varchar('resource', { length: 255 }).notNull(),
    hard_limit: integer('hard_limit'),
  },
  (table) => [uniqueIndex('uniq_quotas0project_id0resource0deleted').on(table.project_id, table.resource, table.deleted)],
)

/** What one user may have of a project's quotas. */
export const projectUserQuotas = sqliteTable(
  'project_user_quotas',
  {
    ...timestamps,
    ...softDelete,
    id: integer('id').primaryKey({ autoIncrement: true }),
    project_id: varchar('project_id', { length: 255 }).notNull(),
    user_id: varchar('user_id', { length: 255 }).notNull(),
    resource: varchar('resource', { length: 255 }).notNull(),
    hard_limit: integer('hard_limit'),
  },
  (table) => [
    uniqueIndex('uniq_project_user_quotas0user_id0project_id0resource0deleted').on(
      table.user_id,
      table.project_id,
      table.resource,
      table.deleted,
    ),
    index('project_user_quotas_project_id_deleted_idx').on(table.project_id, table.deleted),
    index('project_user_quotas_user_id_deleted_idx').on(table.user_id, table.deleted),
  ],
)

export const quotaClasses = sqliteTable(
  'quota_classes',
  {
    ...timestamps,
    ...softDelete,
    id: integer('id').primaryKey({ autoIncrement: true }),
    class_name: varchar('class_name', { length: 255 }),
    resource: varchar('resource', { length: 255 }),
    hard_limit: integer('hard_limit'),
  },
  (table) => [index('ix_quota_classes_class_name').on(table.class_name)],
)

export const aggregates = sqliteTable(
  'aggregates',
  {
    ...timestamps,
    id: integer('id').primaryKey({ autoIncrement: true }),
    uuid: varchar('uuid', { length: 36 }),
    name: varchar('name', { length: 255 }),
  },
  (table) => [index('aggregate_uuid_idx').on(table.uuid), uniqueIndex('uniq_aggregate0name').on(table.name)],
)

export const aggregateHosts = sqliteTable(
  'aggregate_hosts',
  {
    ...timestamps,
    id: integer('id').primaryKey({ autoIncrement: true }),
    host: varchar('host', { length: 255 }),
    aggregate_id: integer('aggregate_id')
      .notNull()
      .references(() => aggregates.id),
  },
  (table) => [uniqueIndex('uniq_aggregate_hosts0host0aggregate_id').on(table.host, table.aggregate_id)],
)

export const aggregateMetadata = sqliteTable(
  'aggregate_metadata',
  {
    ...timestamps,
    id: integer('id').primaryKey({ autoIncrement: true }),
    key: varchar('key', { length: 255 }).notNull(),
    value: varchar('value', { length: 255 }).notNull(),
    aggregate_id: integer('aggregate_id')
      .notNull()
      .references(() => aggregates.id),
  },
  (table) => [
    index('aggregate_metadata_key_idx').on(table.key),
    uniqueIndex('uniq_aggregate_metadata0aggregate_id0key').on(table.aggregate_id, table.key),
  ],
)

export const flavors = sqliteTable(
  'flavors',
  {
    ...timestamps,
    id: integer('id').primaryKey({ autoIncrement: true }),
    name: varchar('name', { length: 255 }).notNull(),
    memory_mb: integer('memory_mb').notNull(),
    vcpus: integer('vcpus').notNull(),
    root_gb: integer('root_gb'),
    ephemeral_gb: integer('ephemeral_gb'),
    flavorid: varchar('flavorid', { length: 255 }).notNull(),
    swap: integer('swap').notNull().default(0),
    rxtx_factor: real('rxtx_factor').default(1),
    vcpu_weight: integer('vcpu_weight'),
    disabled: boolean('disabled').default(false),
    is_public: boolean('is_public').default(true),
    description: text('description'),
  },
  (table) => [uniqueIndex('uniq_flavors0name').on(table.name), uniqueIndex('uniq_flavors0flavorid').on(table.flavorid)],
)

export const flavorExtraSpecs = sqliteTable(
  'flavor_extra_specs',
  {
    ...timestamps,
    id: integer('id').primaryKey({ autoIncrement: true }),
    key: varchar('key', { length: 255 }).notNull(),
    value: varchar('value', { length: 255 }),
    flavor_id: integer('flavor_id')
      .notNull()
      .references(() => flavors.id),
  },
  (table) => [
    index('flavor_extra_specs_flavor_id_key_idx').on(table.flavor_id, table.key),
    uniqueIndex('uniq_flavor_extra_specs0flavor_id0key').on(table.flavor_id, table.key),
  ],
)

export const flavorProjects = sqliteTable(
  'flavor_projects',
  {
    ...timestamps,
    id: integer('id').primaryKey({ autoIncrement: true }),
    flavor_id: integer('flavor_id')
      .notNull()
      .references(() => flavors.id),
    project_id: varchar('project_id', { length: 255 }).notNull(),
  },
  (table) => [uniqueIndex('uniq_flavor_projects0flavor_id0project_id').on(table.flavor_id, table.project_id)],
)

export const keyPairs = sqliteTable(
  'key_pairs',
  {
    ...timestamps,
    id: integer('id').primaryKey({ autoIncrement: true }),
    name: varchar('name', { length: 255 }).notNull(),
    user_id: varchar('user_id', { length: 255 }).notNull(),
    fingerprint: varchar('fingerprint', { length: 255 }),
    public_key: text('public_key'),
    type: varchar('type', { length: 4 }).notNull().default('ssh'),
  },
  (table) => [uniqueIndex('uniq_key_pairs0user_id0name').on(table.user_id, table.name)],
)

/** What was asked of the scheduler, for later moves. */
export const requestSpecs = sqliteTable(
  'request_specs',
  {
    ...timestamps,
    id: integer('id').primaryKey({ autoIncrement: true }),
    instance_uuid: varchar('instance_uuid', { length: 36 }).notNull(),
    spec: text('spec').notNull(),
  },
  (table) => [
    index('request_spec_instance_uuid_idx').on(table.instance_uuid),
    uniqueIndex('uniq_request_specs0instance_uuid').on(table.instance_uuid),
  ],
)

export const instanceGroups = sqliteTable(
  'instance_groups',
  {
    ...timestamps,
    id: integer('id').primaryKey({ autoIncrement: true }),
    user_id: varchar('user_id', { length: 255 }),
    project_id: varchar('project_id', { length: 255 }),
    uuid: varchar('uuid', { length: 36 }).notNull(),
    name: varchar('name', { length: 255 }),
  },
  (table) => [uniqueIndex('uniq_instance_groups0uuid').on(table.uuid)],
)

export const instanceGroupPolicy = sqliteTable(
  'instance_group_policy',
  {
    ...timestamps,
    id: integer('id').primaryKey({ autoIncrement: true }),
    policy: varchar('policy', { length: 255 }),
    group_id: integer('group_id')
      .notNull()
      .references(() => instanceGroups.id),
    rules: text('rules'),
  },
  (table) => [index('instance_group_policy_policy_idx').on(table.policy)],
)

export const instanceGroupMember = sqliteTable(
  'instance_group_member',
  {
    ...timestamps,
    id: integer('id').primaryKey({ autoIncrement: true }),
    instance_uuid: varchar('instance_uuid', { length: 255 }),
    group_id: integer('group_id')
      .notNull()
      .references(() => instanceGroups.id),
  },
  (table) => [index('instance_group_member_instance_idx').on(table.instance_uuid)],
)

/** Which audit of a host's usage ran for which period. */
export const taskLog = sqliteTable(
  'task_log',
  {
    ...timestamps,
    ...softDelete,
    id: integer('id').primaryKey({ autoIncrement: true }),
    task_name: varchar('task_name', { length: 255 }).notNull(),
    state: varchar('state', { length: 255 }).notNull(),
    host: varchar('host', { length: 255 }).notNull(),
    period_beginning: datetime('period_beginning').notNull(),
    period_ending: datetime('period_ending').notNull(),
    message: varchar('message', { length: 255 }).notNull(),
    task_items: integer('task_items'),
    errors: integer('errors'),
  },
  (table) => [
    index('ix_task_log_host').on(table.host),
    index('ix_task_log_period_beginning').on(table.period_beginning),
    index('ix_task_log_period_ending').on(table.period_ending),
    uniqueIndex('uniq_task_log0task_name0host0period_beginning0period_ending').on(
      table.task_name,
      table.host,
      table.period_beginning,
      table.period_ending,
    ),
  ],
)

/**
 * Cells: cell0 for servers that no host took, and the one in which this program's hosts are. Which host and which server is in which
 * cell, `host_mappings` and `instance_mappings`, are views (`cells.sql`).
 */
export const cellMappings = sqliteTable(
  'cell_mappings',
  {
    ...timestamps,
    id: integer('id').primaryKey({ autoIncrement: true }),
    uuid: varchar('uuid', { length: 36 }).notNull(),
    name: varchar('name', { length: 255 }),
    transport_url: text('transport_url'),
    database_connection: text('database_connection'),
    disabled: boolean('disabled').default(false),
  },
  (table) => [uniqueIndex('uniq_cell_mappings0uuid').on(table.uuid)],
)
