/**
 * What the host should look like, computed from the rows: each plan costs a fixed number of queries, however many networks and ports it covers. Ports with the
 * same security groups share one list of rules.
 */

import { canonicalIp, ipVersionOf, parseCidr } from './addresses.ts'
import type { ExternalPlan, NetworkPlan, PortPlan, RouterPlan, RulePlan } from './drivers/driver.ts'
import type { NetworkRow, PortRow, RouterRow, RuleRow, Store, SubnetRow } from './store.ts'

export const tapOf = (portId: string): string => `tap${portId.slice(0, 11)}`

type BoundPort = PortRow & { fixed_ips: string; groups: string }

const boundPorts = `SELECT p.*,
    (SELECT json_group_array(json_object('subnetId', a.subnet_id, 'ip', a.ip_address) ORDER BY a.rowid) FROM ipallocations a WHERE a.port_id = p.id) AS fixed_ips,
    (SELECT json_group_array(b.security_group_id ORDER BY b.security_group_id) FROM securitygroupportbindings b WHERE b.port_id = p.id) AS groups
  FROM ports p WHERE p.mark IS NOT NULL`

export function networkPlans(store: Store, ids: readonly string[], dnsDomain: string): Map<string, NetworkPlan> {
  const { db } = store
  const wanted = JSON.stringify(ids)
  const networks = db
    .prepare<NetworkRow>('SELECT * FROM networks WHERE id IN (SELECT value FROM json_each(?)) AND external = 0')
    .all(wanted)
  const plans = new Map<string, NetworkPlan>(
    networks.map(({ id, mtu, zone }) => [id, { id, mtu, zone, subnets: [], ports: [], dnsDomain }]),
  )
  const subnets = db
    .prepare<SubnetRow>('SELECT * FROM subnets WHERE network_id IN (SELECT value FROM json_each(?)) ORDER BY rowid')
    .all(wanted)
  const servers = new Map(
    db
      .prepare<{ subnet_id: string; ip_address: string }>(
        `SELECT a.subnet_id, a.ip_address FROM ports p JOIN ipallocations a ON a.port_id = p.id
           WHERE p.network_id IN (SELECT value FROM json_each(?)) AND p.device_owner = 'network:dhcp'`,
      )
      .all(wanted)
      .map((row) => [row.subnet_id, row.ip_address]),
  )
  for (const subnet of subnets)
    plans.get(subnet.network_id)?.subnets.push({
      id: subnet.id,
      cidr: subnet.cidr,
      ipVersion: subnet.ip_version,
      gatewayIp: subnet.gateway_ip,
      dhcp: subnet.enable_dhcp === 1,
      dhcpServerIp: servers.get(subnet.id) ?? null,
      dnsNameservers: JSON.parse(subnet.dns_nameservers),
      hostRoutes: JSON.parse(subnet.host_routes),
    })
  const ports = db.prepare<BoundPort>(`${boundPorts} AND p.network_id IN (SELECT value FROM json_each(?)) ORDER BY p.rowid`).all(wanted)
  const rules = rulesOf(store, ports)
  for (const port of ports) plans.get(port.network_id)?.ports.push(planOf(port, rules))
  return plans
}

/** Null for a port that is not bound to a host. */
export function portPlan(store: Store, id: string): PortPlan | null {
  const port = store.db.prepare<BoundPort>(`${boundPorts} AND p.id = ?`).get(id)
  return port ? planOf(port, rulesOf(store, [port])) : null
}

function planOf(port: BoundPort, rules: ReadonlyMap<string, RulePlan[]>): PortPlan {
  return {
    id: port.id,
    mac: port.mac_address,
    fixedIps: JSON.parse(port.fixed_ips),
    hostname: port.dns_name,
    tap: tapOf(port.id),
    mark: port.mark as number,
    adminStateUp: port.admin_state_up === 1,
    portSecurity: port.port_security_enabled === 1,
    allowedAddressPairs: (JSON.parse(port.allowed_address_pairs) as { mac_address: string; ip_address: string }[]).map((pair) => ({
      mac: pair.mac_address,
      ip: plainRange(pair.ip_address),
    })),
    rules: rules.get(port.groups) ?? [],
    dhcpOptions: (JSON.parse(port.extra_dhcp_opts) as { opt_name: string; opt_value: string; ip_version: 4 | 6 }[]).map((option) => ({
      name: option.opt_name,
      value: option.opt_value,
      ipVersion: option.ip_version,
    })),
  }
}

/** An address or CIDR as nftables reads it too: it has its own mind about `10.0.0.0/08` and `2001:db8::1.2.3.4`. */
const plainRange = (text: string): string => (text.includes('/') ? (parseCidr(text)?.text ?? text) : canonicalIp(text))

const nobody: readonly string[] = Object.freeze([])

/** Lists of rules by the set of groups, written as in {@link BoundPort.groups}. */
function rulesOf(store: Store, ports: readonly BoundPort[]): Map<string, RulePlan[]> {
  const { db } = store
  const sets = new Map([...new Set(ports.map(({ groups }) => groups))].map((groups) => [groups, JSON.parse(groups) as string[]]))
  const used = JSON.stringify([...new Set([...sets.values()].flat())])
  const rules = db
    .prepare<RuleRow>('SELECT * FROM securitygrouprules WHERE security_group_id IN (SELECT value FROM json_each(?)) ORDER BY rowid')
    .all(used)
  const members = membersOf(store, [...new Set(rules.flatMap(({ remote_group_id }) => remote_group_id ?? []))])
  const byGroup = Map.groupBy(rules, (rule) => rule.security_group_id)
  const plan = (rule: RuleRow): RulePlan => ({
    direction: rule.direction,
    ethertype: rule.ethertype,
    protocol: rule.protocol,
    portMin: rule.port_range_min,
    portMax: rule.port_range_max,
    remoteCidr: rule.normalized_cidr,
    remoteIps: rule.remote_group_id === null ? null : (members.get(`${rule.remote_group_id} ${rule.ethertype}`) ?? nobody),
  })
  return new Map([...sets].map(([key, groups]) => [key, groups.flatMap((group) => byGroup.get(group) ?? []).map(plan)]))
}

/** Addresses of the members of groups, and those that members may borrow, by group and ethertype. Frozen, so that each list is checked but once. */
function membersOf(store: Store, groups: readonly string[]): Map<string, readonly string[]> {
  const found = new Map<string, string[]>()
  if (groups.length === 0) return found
  const wanted = JSON.stringify(groups)
  const own = store.db
    .prepare<{ id: string; width: number; ips: string }>(
      `SELECT b.security_group_id AS id, length(a.ip_key) AS width, json_group_array(a.ip_address) AS ips
         FROM securitygroupportbindings b JOIN ipallocations a ON a.port_id = b.port_id
         WHERE b.security_group_id IN (SELECT value FROM json_each(?)) GROUP BY b.security_group_id, width`,
    )
    .all(wanted)
  for (const { id, width, ips } of own) found.set(`${id} ${width === 8 ? 'IPv4' : 'IPv6'}`, JSON.parse(ips))
  const borrowed = store.db
    .prepare<{ id: string; ip: string }>(
      `SELECT DISTINCT b.security_group_id AS id, json_extract(pair.value, '$.ip_address') AS ip FROM ports p
         CROSS JOIN securitygroupportbindings b ON b.port_id = p.id, json_each(p.allowed_address_pairs) pair
         WHERE p.allowed_address_pairs <> '[]' AND b.security_group_id IN (SELECT value FROM json_each(?))`,
    )
    .all(wanted)
  for (const { id, ip: given } of borrowed) {
    const ip = plainRange(given)
    const key = `${id} ${ipVersionOf(ip.split('/')[0] ?? '') === 4 ? 'IPv4' : 'IPv6'}`
    const list = found.get(key) ?? []
    if (!list.includes(ip)) list.push(ip)
    found.set(key, list)
  }
  for (const list of found.values()) Object.freeze(list)
  return found
}

/** Routers that are down are in no plan. */
export function routerPlans(store: Store, ids: readonly string[]): RouterPlan[] {
  const { db } = store
  const wanted = JSON.stringify(ids)
  const routers = db
    .prepare<RouterRow>('SELECT * FROM routers WHERE id IN (SELECT value FROM json_each(?)) AND admin_state_up = 1')
    .all(wanted)
  type Leg = {
    router_id: string
    port_id: string
    network_id: string
    mac: string
    ip: string
    cidr: string
    gateway_ip: string | null
    port_type: string
  }
  const legs = db
    .prepare<Leg>(
      `SELECT r.router_id, r.port_id, r.port_type, p.network_id, p.mac_address AS mac, a.ip_address AS ip, s.cidr, s.gateway_ip
         FROM routerports r JOIN ports p ON p.id = r.port_id JOIN ipallocations a ON a.port_id = p.id JOIN subnets s ON s.id = a.subnet_id
         WHERE r.router_id IN (SELECT value FROM json_each(?)) ORDER BY a.rowid`,
    )
    .all(wanted)
  const floating = db
    .prepare<{ router_id: string; floating: string; fixed: string }>(
      `SELECT router_id, floating_ip_address AS floating, fixed_ip_address AS fixed FROM floatingips
         WHERE router_id IN (SELECT value FROM json_each(?)) AND fixed_ip_address IS NOT NULL`,
    )
    .all(wanted)
  return routers.map((router) => {
    const own = legs.filter((leg) => leg.router_id === router.id)
    const way = own.find((leg) => leg.port_id === router.gw_port_id && leg.gateway_ip !== null && ipVersionOf(leg.ip) === 4)
    return {
      id: router.id,
      interfaces: own
        .filter((leg) => leg.port_type === 'network:router_interface')
        .map((leg) => ({ networkId: leg.network_id, ip: leg.ip, cidr: leg.cidr, mac: leg.mac })),
      gateway: way
        ? {
            externalNetworkId: way.network_id,
            ip: way.ip,
            cidr: way.cidr,
            nexthop: way.gateway_ip as string,
            snat: router.enable_snat === 1,
            mac: way.mac,
          }
        : null,
      floatingIps: floating.filter((row) => row.router_id === router.id).map((row) => ({ floating: row.floating, fixed: row.fixed })),
      routes: JSON.parse(router.routes),
    }
  })
}

/** The oldest external network that has a subnet with a gateway: the host itself is that gateway. */
export function externalPlan(store: Store): ExternalPlan | null {
  const rows = store.db
    .prepare<{ id: string; mtu: number; ip: string; cidr: string }>(
      `SELECT n.id, n.mtu, s.gateway_ip AS ip, s.cidr FROM networks n JOIN subnets s ON s.network_id = n.id
         WHERE n.external = 1 AND s.gateway_ip IS NOT NULL ORDER BY n.rowid, s.rowid`,
    )
    .all()
  const first = rows[0]
  if (!first) return null
  const hostIps = rows.filter(({ id }) => id === first.id).map(({ ip, cidr }) => ({ ip, cidr }))
  return { networkId: first.id, mtu: first.mtu, hostIps, masquerade: true }
}

/** Networks with a bound port. */
export const networksInUse = (store: Store): string[] =>
  store.db
    .prepare<{ network_id: string }>('SELECT DISTINCT network_id FROM ports WHERE mark IS NOT NULL')
    .all()
    .map((row) => row.network_id)

/** The routers with an interface on these networks, and all the networks that those routers join. */
export function withRouters(store: Store, networkIds: readonly string[]): { networks: string[]; routers: string[] } {
  const rows = store.db
    .prepare<{ router_id: string; network_id: string }>(
      `SELECT DISTINCT r.router_id, p.network_id FROM routerports r JOIN ports p ON p.id = r.port_id
         WHERE r.port_type = 'network:router_interface' AND r.router_id IN
           (SELECT o.router_id FROM routerports o JOIN ports q ON q.id = o.port_id WHERE q.network_id IN (SELECT value FROM json_each(?)))`,
    )
    .all(JSON.stringify(networkIds))
  return {
    networks: [...new Set([...networkIds, ...rows.map((row) => row.network_id)])],
    routers: [...new Set(rows.map((row) => row.router_id))],
  }
}
