/** All that a guest must know of its networks: what `network_info`, `addresses` and `network_data.json` are made from. A fixed number of queries. */
import type { FixedIp } from './fixed-ips.ts'
import { tapOf } from './plans.ts'
import type { PortRow, Store, SubnetRow } from './store.ts'

/** A port as a guest's definition, `network_info`, `addresses` and `network_data.json` need it. */
export type NetworkInfoEntry = {
  portId: string
  mac: string
  tap: string
  mtu: number
  active: boolean
  vnicType: string
  portSecurityEnabled: boolean
  securityGroups: { id: string; name: string }[]
  /** Null until the port was plugged once. */
  bridge: string | null
  network: { id: string; label: string; projectId: string; mtu: number }
  subnets: {
    id: string
    cidr: string
    ipVersion: 4 | 6
    gateway: string | null
    dns: string[]
    routes: { destination: string; nexthop: string }[]
    dhcpEnabled: boolean
    dhcpServer: string | null
    ipv6AddressMode: string | null
    fixedIps: { ip: string; floatingIps: string[] }[]
  }[]
}

/** With its addresses and groups as JSON. */
export type FullPort = PortRow & { fixed_ips: string; groups: string }

export const fullPorts = `SELECT p.*,
    (SELECT json_group_array(json_object('subnet_id', a.subnet_id, 'ip_address', a.ip_address) ORDER BY a.rowid) FROM ipallocations a WHERE a.port_id = p.id) AS fixed_ips,
    (SELECT json_group_array(b.security_group_id ORDER BY b.rowid) FROM securitygroupportbindings b WHERE b.port_id = p.id) AS groups
  FROM ports p`

export function networkDataOfMany(store: Store, deviceIds: readonly string[]): Map<string, NetworkInfoEntry[]> {
  const { db } = store
  const ports = db
    .prepare<FullPort & { label: string; mtu: number; network_project_id: string }>(
      `SELECT held.*, n.name AS label, n.mtu, n.project_id AS network_project_id FROM (${fullPorts}
         WHERE p.device_id IN (SELECT value FROM json_each(?)) AND p.request_key IS NOT NULL ORDER BY p.rowid) held JOIN networks n ON n.id = held.network_id`,
    )
    .all(JSON.stringify(deviceIds))
  const networkIds = JSON.stringify([...new Set(ports.map(({ network_id }) => network_id))])
  const subnets = db
    .prepare<SubnetRow & { dhcp_server: string | null }>(
      `SELECT s.*, (SELECT a.ip_address FROM ports p JOIN ipallocations a ON a.port_id = p.id
           WHERE p.network_id = s.network_id AND p.device_owner = 'network:dhcp' AND a.subnet_id = s.id LIMIT 1) AS dhcp_server
         FROM subnets s WHERE s.network_id IN (SELECT value FROM json_each(?)) ORDER BY s.rowid`,
    )
    .all(networkIds)
  const floating = db
    .prepare<{ port: string; fixed: string; floating: string }>(
      `SELECT fixed_port_id AS port, fixed_ip_address AS fixed, floating_ip_address AS floating FROM floatingips
         WHERE fixed_port_id IN (SELECT value FROM json_each(?))`,
    )
    .all(JSON.stringify(ports.map(({ id }) => id)))
  const groups = new Map(
    db
      .prepare<{ id: string; name: string }>(
        `SELECT id, name FROM securitygroups WHERE id IN (SELECT b.security_group_id FROM securitygroupportbindings b WHERE b.port_id IN (SELECT value FROM json_each(?)))`,
      )
      .all(JSON.stringify(ports.map(({ id }) => id)))
      .map((group) => [group.id, group]),
  )
  const bySubnet = new Map(subnets.map((subnet) => [subnet.id, subnet]))
  const entry = (port: (typeof ports)[number]): NetworkInfoEntry => {
    const addresses = JSON.parse(port.fixed_ips) as FixedIp[]
    return {
      portId: port.id,
      mac: port.mac_address,
      tap: tapOf(port.id),
      mtu: port.mtu,
      active: port.status === 'ACTIVE',
      vnicType: port.vnic_type,
      portSecurityEnabled: port.port_security_enabled === 1,
      securityGroups: (JSON.parse(port.groups) as string[]).flatMap((id) => groups.get(id) ?? []),
      bridge: port.bridge,
      network: { id: port.network_id, label: port.label, projectId: port.network_project_id, mtu: port.mtu },
      subnets: [...new Set(addresses.map(({ subnet_id }) => subnet_id))].flatMap((id) => {
        const subnet = bySubnet.get(id)
        if (!subnet) return []
        return [
          {
            id,
            cidr: subnet.cidr,
            ipVersion: subnet.ip_version,
            gateway: subnet.gateway_ip,
            dns: JSON.parse(subnet.dns_nameservers) as string[],
            routes: JSON.parse(subnet.host_routes) as { destination: string; nexthop: string }[],
            dhcpEnabled: subnet.enable_dhcp === 1,
            dhcpServer: subnet.dhcp_server,
            ipv6AddressMode: subnet.ipv6_address_mode,
            fixedIps: addresses
              .filter(({ subnet_id }) => subnet_id === id)
              .map(({ ip_address: ip }) => ({
                ip,
                floatingIps: floating.filter((row) => row.port === port.id && row.fixed === ip).map((row) => row.floating),
              })),
          },
        ]
      }),
    }
  }
  const found = new Map<string, NetworkInfoEntry[]>()
  for (const port of ports) found.set(port.device_id, [...(found.get(port.device_id) ?? []), entry(port)])
  return found
}
