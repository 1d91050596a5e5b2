/**
 * The tables of the network service, under Neutron's names.
 *
 * Folded into columns, since one program writes them all: `standardattributes` (description, revision, times), `tags`, `networksegments`, `externalnetworks`,
 * the shared flag of `networkrbacs`, `dnsnameservers`, `subnetroutes`, `ml2_port_bindings`, `allowedaddresspairs`, `extradhcpopts`, `routerroutes`.
 * `network_quotas` is Neutron's `quotas`, a name that the compute tables in the same file have taken.
 *
 * `*_key` columns hold an address as hexadecimal text of fixed width (8 digits for IPv4, 32 for IPv6): such texts sort as the addresses do.
 */
import { sql } from 'drizzle-orm'
import { index, integer, primaryKey, sqliteTable, text, uniqueIndex } from 'drizzle-orm/sqlite-core'
import { boolean, datetime, json, varchar } from '../base/db/columns.ts'

const uuid = (name: string) => varchar(name, { length: 36 })

const standard = () => ({
  id: uuid('id').primaryKey(),
  project_id: varchar('project_id', { length: 255 }).notNull(),
  name: varchar('name', { length: 255 }).notNull().default(''),
  description: varchar('description', { length: 255 }).notNull().default(''),
  tags: json<string[]>()('tags').notNull().default([]),
  revision_number: integer('revision_number').notNull().default(0),
  created_at: datetime('created_at').notNull(),
  updated_at: datetime('updated_at').notNull(),
})

export const networks = sqliteTable(
  'networks',
  {
    ...standard(),
    status: varchar('status', { length: 16 }).notNull(),
    admin_state_up: boolean('admin_state_up').notNull(),
    mtu: integer('mtu').notNull(),
    shared: boolean('shared').notNull(),
    external: boolean('external').notNull(),
    is_default: boolean('is_default').notNull(),
    port_security_enabled: boolean('port_security_enabled').notNull(),
    network_type: varchar('network_type', { length: 32 }).notNull(),
    physical_network: varchar('physical_network', { length: 64 }),
    segmentation_id: integer('segmentation_id'),
    /** Conntrack zone, 1 to 65535. */
    zone: integer('zone').notNull(),
  },
  (table) => [
    index('ix_networks_project_id').on(table.project_id),
    index('ix_networks_shared').on(table.shared),
    uniqueIndex('uniq_networks0zone').on(table.zone),
  ],
)

export const subnets = sqliteTable(
  'subnets',
  {
    ...standard(),
    network_id: uuid('network_id')
      .notNull()
      .references(() => networks.id),
    ip_version: integer('ip_version').notNull(),
    cidr: varchar('cidr', { length: 64 }).notNull(),
    gateway_ip: varchar('gateway_ip', { length: 64 }),
    enable_dhcp: boolean('enable_dhcp').notNull(),
    ipv6_ra_mode: varchar('ipv6_ra_mode', { length: 16 }),
    ipv6_address_mode: varchar('ipv6_address_mode', { length: 16 }),
    dns_nameservers: json<string[]>()('dns_nameservers').notNull(),
    host_routes: json<{ destination: string; nexthop: string }[]>()('host_routes').notNull(),
  },
  (table) => [index('ix_subnets_project_id').on(table.project_id), index('ix_subnets_network_id').on(table.network_id)],
)

export const ipallocationpools = sqliteTable(
  'ipallocationpools',
  {
    subnet_id: uuid('subnet_id')
      .notNull()
      .references(() => subnets.id, { onDelete: 'cascade' }),
    first_key: varchar('first_key', { length: 32 }).notNull(),
    last_key: varchar('last_key', { length: 32 }).notNull(),
  },
  (table) => [primaryKey({ columns: [table.subnet_id, table.first_key] })],
)

/** What is free in the pools, as ranges without a gap or overlap: the lowest free address is one index step away, however large the subnet. */
export const ipavailabilityranges = sqliteTable(
  'ipavailabilityranges',
  {
    subnet_id: uuid('subnet_id')
      .notNull()
      .references(() => subnets.id, { onDelete: 'cascade' }),
    first_key: varchar('first_key', { length: 32 }).notNull(),
    last_key: varchar('last_key', { length: 32 }).notNull(),
  },
  (table) => [primaryKey({ columns: [table.subnet_id, table.first_key] })],
)

export const ports = sqliteTable(
  'ports',
  {
    ...standard(),
    network_id: uuid('network_id')
      .notNull()
      .references(() => networks.id),
    mac_address: varchar('mac_address', { length: 32 }).notNull(),
    admin_state_up: boolean('admin_state_up').notNull(),
    status: varchar('status', { length: 16 }).notNull(),
    device_id: varchar('device_id', { length: 255 }).notNull(),
    device_owner: varchar('device_owner', { length: 255 }).notNull(),
    port_security_enabled: boolean('port_security_enabled').notNull(),
    allowed_address_pairs: json<{ mac_address: string; ip_address: string }[]>()('allowed_address_pairs').notNull(),
    extra_dhcp_opts: json<{ opt_name: string; opt_value: string; ip_version: number }[]>()('extra_dhcp_opts').notNull(),
    /** The guest's host name: what the network's name server knows the port by. */
    dns_name: varchar('dns_name', { length: 255 }).notNull(),
    host_id: varchar('host_id', { length: 255 }).notNull(),
    vnic_type: varchar('vnic_type', { length: 64 }).notNull(),
    profile: json<Record<string, unknown>>()('profile').notNull(),
    /** The bridge that the port was last plugged into. */
    bridge: varchar('bridge', { length: 16 }),
    /** The compute service's name for the request that gave the port to its server: a step done twice makes one port. Null: no server of ours has it. */
    request_key: varchar('request_key', { length: 255 }),
    /** How the host's rules tell ports apart, 1 to 65534; only ports bound to a host have one. */
    mark: integer('mark'),
  },
  (table) => [
    index('ix_ports_project_id').on(table.project_id),
    index('ix_ports_network_id_device_owner').on(table.network_id, table.device_owner),
    uniqueIndex('uniq_ports0device_id0request_key').on(table.device_id, table.request_key),
    uniqueIndex('uniq_ports0network_id0mac_address').on(table.network_id, table.mac_address),
    uniqueIndex('uniq_ports0mark').on(table.mark),
    /** The few whose members' rules need more than the ports' own addresses. */
    index('ix_ports_with_address_pairs').on(table.id).where(sql`allowed_address_pairs <> '[]'`),
  ],
)

export const ipallocations = sqliteTable(
  'ipallocations',
  {
    port_id: uuid('port_id')
      .notNull()
      .references(() => ports.id, { onDelete: 'cascade' }),
    subnet_id: uuid('subnet_id')
      .notNull()
      .references(() => subnets.id),
    network_id: uuid('network_id').notNull(),
    ip_address: varchar('ip_address', { length: 64 }).notNull(),
    ip_key: varchar('ip_key', { length: 32 }).notNull(),
  },
  (table) => [
    primaryKey({ columns: [table.subnet_id, table.ip_key] }),
    index('ix_ipallocations_port_id').on(table.port_id),
    index('ix_ipallocations_ip_address_network_id').on(table.ip_address, table.network_id),
  ],
)

export const securitygroups = sqliteTable('securitygroups', { ...standard(), stateful: boolean('stateful').notNull() }, (table) => [
  index('ix_securitygroups_project_id').on(table.project_id),
])

export const default_security_group = sqliteTable('default_security_group', {
  project_id: varchar('project_id', { length: 255 }).primaryKey(),
  security_group_id: uuid('security_group_id')
    .notNull()
    .references(() => securitygroups.id, { onDelete: 'cascade' }),
})

export const securitygrouprules = sqliteTable(
  'securitygrouprules',
  {
    ...standard(),
    security_group_id: uuid('security_group_id')
      .notNull()
      .references(() => securitygroups.id, { onDelete: 'cascade' }),
    remote_group_id: uuid('remote_group_id').references(() => securitygroups.id, { onDelete: 'cascade' }),
    direction: varchar('direction', { length: 16 }).notNull(),
    ethertype: varchar('ethertype', { length: 40 }).notNull(),
    protocol: varchar('protocol', { length: 40 }),
    port_range_min: integer('port_range_min'),
    port_range_max: integer('port_range_max'),
    remote_ip_prefix: varchar('remote_ip_prefix', { length: 255 }),
    normalized_cidr: varchar('normalized_cidr', { length: 255 }),
  },
  (table) => [
    index('ix_securitygrouprules_project_id').on(table.project_id),
    index('ix_securitygrouprules_security_group_id').on(table.security_group_id),
    index('ix_securitygrouprules_remote_group_id').on(table.remote_group_id),
  ],
)

export const securitygroupportbindings = sqliteTable(
  'securitygroupportbindings',
  {
    port_id: uuid('port_id')
      .notNull()
      .references(() => ports.id, { onDelete: 'cascade' }),
    security_group_id: uuid('security_group_id')
      .notNull()
      .references(() => securitygroups.id),
  },
  (table) => [
    primaryKey({ columns: [table.port_id, table.security_group_id] }),
    index('ix_securitygroupportbindings_security_group_id').on(table.security_group_id),
  ],
)

export const routers = sqliteTable(
  'routers',
  {
    ...standard(),
    status: varchar('status', { length: 16 }).notNull(),
    admin_state_up: boolean('admin_state_up').notNull(),
    gw_port_id: uuid('gw_port_id').references(() => ports.id),
    enable_snat: boolean('enable_snat').notNull(),
    routes: json<{ destination: string; nexthop: string }[]>()('routes').notNull(),
  },
  (table) => [index('ix_routers_project_id').on(table.project_id), index('ix_routers_gw_port_id').on(table.gw_port_id)],
)

export const routerports = sqliteTable(
  'routerports',
  {
    router_id: uuid('router_id')
      .notNull()
      .references(() => routers.id),
    port_id: uuid('port_id')
      .notNull()
      .references(() => ports.id, { onDelete: 'cascade' }),
    port_type: varchar('port_type', { length: 255 }).notNull(),
  },
  (table) => [primaryKey({ columns: [table.router_id, table.port_id] }), uniqueIndex('uniq_routerports0port_id').on(table.port_id)],
)

export const floatingips = sqliteTable(
  'floatingips',
  {
    ...standard(),
    floating_ip_address: varchar('floating_ip_address', { length: 64 }).notNull(),
    floating_network_id: uuid('floating_network_id').notNull(),
    floating_port_id: uuid('floating_port_id')
      .notNull()
      .references(() => ports.id, { onDelete: 'cascade' }),
    fixed_port_id: uuid('fixed_port_id').references(() => ports.id),
    fixed_ip_address: varchar('fixed_ip_address', { length: 64 }),
    router_id: uuid('router_id').references(() => routers.id),
    status: varchar('status', { length: 16 }).notNull(),
  },
  (table) => [
    index('ix_floatingips_project_id').on(table.project_id),
    index('ix_floatingips_fixed_port_id').on(table.fixed_port_id),
    index('ix_floatingips_router_id').on(table.router_id),
    uniqueIndex('uniq_floatingips0floating_port_id').on(table.floating_port_id),
  ],
)

/** Neutron's `quotas`: limits that differ from the defaults; -1 is unlimited. */
export const network_quotas = sqliteTable(
  'network_quotas',
  {
    project_id: varchar('project_id', { length: 255 }).notNull(),
    resource: varchar('resource', { length: 255 }).notNull(),
    limit: integer('limit').notNull(),
  },
  (table) => [primaryKey({ columns: [table.project_id, table.resource] })],
)

/** What the first start made, so that it is made once even when somebody deletes it afterwards. */
export const network_seeds = sqliteTable('network_seeds', { name: text('name').primaryKey(), resource_id: uuid('resource_id').notNull() })
