/**
 * What the nouns stand on, and their rows as SQLite gives them: booleans are 0 or 1, JSON is text.
 *
 * The host's state follows the database: whoever changes something that a guest could feel says so by `touch`, after the commit.
 */
import { randomUUID } from 'node:crypto'
import type { Clock } from '../base/clock.ts'
import type { Database } from '../base/db/index.ts'

export type Bit = 0 | 1
export const bit = (flag: boolean): Bit => (flag ? 1 : 0)

export type QuotaResource = 'network' | 'subnet' | 'port' | 'router' | 'floatingip' | 'security_group' | 'security_group_rule'

export type Store = {
  readonly db: Database
  readonly clock: Clock
  readonly mtu: number
  readonly maxFixedIps: number
  readonly quotaDefaults: Readonly<Record<QuotaResource, number>>
  /** A network's ports, subnets or rules changed. */
  readonly touchNetwork: (networkId: string) => void
  /** A security group's rules or members changed. */
  readonly touchGroup: (groupId: string) => void
  readonly networkGone: (networkId: string) => void
  readonly touchRouter: (routerId: string) => void
  readonly routerGone: (routerId: string) => void
  /** A port's addresses or groups changed, which its server shows. */
  readonly changed: (port: { id: string; device_id: string }) => void
  readonly portStatus: (type: 'up' | 'down', port: { id: string; device_id: string }) => void
}

export type StandardRow = {
  id: string
  project_id: string
  name: string
  description: string
  tags: string
  revision_number: number
  created_at: string
  updated_at: string
}

export type NetworkRow = StandardRow & {
  status: string
  admin_state_up: Bit
  mtu: number
  shared: Bit
  external: Bit
  is_default: Bit
  port_security_enabled: Bit
  network_type: string
  physical_network: string | null
  segmentation_id: number | null
  zone: number
}

export type SubnetRow = StandardRow & {
  network_id: string
  ip_version: 4 | 6
  cidr: string
  gateway_ip: string | null
  enable_dhcp: Bit
  ipv6_ra_mode: string | null
  ipv6_address_mode: string | null
  dns_nameservers: string
  host_routes: string
}

export type PortRow = StandardRow & {
  network_id: string
  mac_address: string
  admin_state_up: Bit
  status: string
  device_id: string
  device_owner: string
  port_security_enabled: Bit
  allowed_address_pairs: string
  extra_dhcp_opts: string
  dns_name: string
  host_id: string
  vnic_type: string
  profile: string
  bridge: string | null
  request_key: string | null
  mark: number | null
}

export type GroupRow = StandardRow & { stateful: Bit }

export type RuleRow = StandardRow & {
  security_group_id: string
  remote_group_id: string | null
  direction: 'ingress' | 'egress'
  ethertype: 'IPv4' | 'IPv6'
  protocol: string | null
  port_range_min: number | null
  port_range_max: number | null
  remote_ip_prefix: string | null
  normalized_cidr: string | null
}

export type RouterRow = StandardRow & {
  status: string
  admin_state_up: Bit
  gw_port_id: string | null
  enable_snat: Bit
  routes: string
}

export type FloatingIpRow = StandardRow & {
  floating_ip_address: string
  floating_network_id: string
  floating_port_id: string
  fixed_port_id: string | null
  fixed_ip_address: string | null
  router_id: string | null
  status: string
}

type Rows = {
  networks: NetworkRow
  subnets: SubnetRow
  ports: PortRow
  securitygroups: GroupRow
  securitygrouprules: RuleRow
  routers: RouterRow
  floatingips: FloatingIpRow
}
export type Table = keyof Rows

/** The columns that every resource begins its life with. */
export function newStandard(
  store: Store,
  given: { id?: string; project_id: string; name?: string; description?: string; tags?: string[] },
): StandardRow {
  const now = store.clock.text()
  const { id = randomUUID(), project_id, name = '', description = '', tags = [] } = given
  return { id, project_id, name, description, tags: JSON.stringify(tags), revision_number: 0, created_at: now, updated_at: now }
}

export function rowOf<T extends Table>(store: Store, table: T, id: string): Rows[T] | undefined {
  return store.db.prepare<Rows[T]>(`SELECT * FROM ${table} WHERE id = ?`).get(id)
}

export function insert<T extends Table>(store: Store, table: T, row: Rows[T]): Rows[T] {
  const names = Object.keys(row)
  store.db
    .prepare(`INSERT INTO ${table} (${names.join(', ')}) VALUES (${names.map(() => '?').join(', ')})`)
    .run(...Object.values(row as Record<string, unknown>))
  return row
}

/** Writes the changes, if there are any, and counts the revision. */
export function change<T extends Table>(store: Store, table: T, id: string, changes: Partial<Rows[T]>): void {
  const entries = Object.entries(changes).filter(([, value]) => value !== undefined)
  if (entries.length === 0) return
  const assignments = entries.map(([name]) => `${name} = ?`).join(', ')
  store.db
    .prepare(`UPDATE ${table} SET ${assignments}, revision_number = revision_number + 1, updated_at = ? WHERE id = ?`)
    .run(...entries.map(([, value]) => value), store.clock.text(), id)
}

/** Counts a revision of a thing whose parts changed. */
export const revise = (store: Store, table: Table, id: string): void => {
  store.db.prepare(`UPDATE ${table} SET revision_number = revision_number + 1, updated_at = ? WHERE id = ?`).run(store.clock.text(), id)
}

export const drop = (store: Store, table: Table, id: string): void => {
  store.db.prepare(`DELETE FROM ${table} WHERE id = ?`).run(id)
}
