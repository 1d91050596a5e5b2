/** What is said about the host: agents, availability zones, free addresses. */
import { createHash } from 'node:crypto'
import { type AnyOperation, operation } from '../../base/http/index.ts'
import { type Cidr, parseCidr, usable } from '../addresses.ts'
import { agentNotFound, networkNotFound } from '../errors.ts'
import { type NetworkRow, rowOf, type Store, type SubnetRow } from '../store.ts'
import { project } from './lists.ts'
import type { ApiDeps } from './service.ts'

/** A uuid that stays the same for the same words. */
function stableId(words: string): string {
  const hex = createHash('sha256').update(words).digest('hex')
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-5${hex.slice(13, 16)}-a${hex.slice(17, 20)}-${hex.slice(20, 32)}`
}

/** This process does the work of Neutron's agents; clients look for them under these names. */
function agents({ store, host, driver, startedAt }: ApiDeps) {
  const count = (sql: string) => store.db.prepare<{ n: number }>(sql).get()?.n ?? 0
  const kinds = [
    {
      type: 'DHCP agent',
      binary: 'neutron-dhcp-agent',
      topic: 'dhcp_agent',
      zone: 'nova',
      networks: count("SELECT count(DISTINCT network_id) AS n FROM ports WHERE device_owner = 'network:dhcp'"),
    },
    { type: 'L3 agent', binary: 'neutron-l3-agent', topic: 'l3_agent', zone: 'nova', routers: count('SELECT count(*) AS n FROM routers') },
    { type: 'Metadata agent', binary: 'neutron-metadata-agent', topic: 'N/A', zone: null },
    {
      type: 'Linux bridge agent',
      binary: 'neutron-linuxbridge-agent',
      topic: 'N/A',
      zone: null,
      devices: count('SELECT count(*) AS n FROM ports WHERE mark IS NOT NULL'),
    },
  ]
  const now = store.clock.text().slice(0, 19)
  return kinds.map(({ type, binary, topic, zone, ...numbers }) => ({
    id: stableId(`${host} ${binary}`),
    agent_type: type,
    binary,
    topic,
    host,
    availability_zone: zone,
    admin_state_up: true,
    alive: true,
    created_at: startedAt.slice(0, 19),
    started_at: startedAt.slice(0, 19),
    heartbeat_timestamp: now,
    description: null,
    resources_synced: null,
    configurations: { driver: driver.kind, ...numbers },
  }))
}

const agentList = operation<ApiDeps>({
  method: 'GET',
  path: '/agents',
  status: 200,
  errors: [403],
  policy: 'get_agent',
  handle: ({ search }, deps) => {
    const wanted = ['agent_type', 'host', 'binary', 'id', 'topic', 'availability_zone', 'alive', 'admin_state_up'] as const
    const found = agents(deps).filter((agent) =>
      wanted.every(
        (key) => !search.has(key) || search.getAll(key).some((value) => value.toLowerCase() === String(agent[key]).toLowerCase()),
      ),
    )
    return { agents: found.map((agent) => project(agent, search)) }
  },
})
const agentShow = operation<ApiDeps>({
  method: 'GET',
  path: '/agents/{agent_id}',
  status: 200,
  errors: [403, 404],
  policy: 'get_agent',
  handle: ({ params, search }, deps) => {
    const found = agents(deps).find(({ id }) => id === params.agent_id)
    if (!found) throw agentNotFound(params.agent_id ?? '')
    return { agent: project(found, search) }
  },
})

const zones = operation<ApiDeps>({
  method: 'GET',
  path: '/availability_zones',
  status: 200,
  errors: [403],
  policy: 'get_availability_zone',
  handle: ({ search }) => ({
    availability_zones: ['network', 'router']
      .map((resource) => ({ name: 'nova', resource, state: 'available' }))
      .filter((zone) =>
        (['name', 'resource', 'state'] as const).every((key) => !search.has(key) || search.getAll(key).includes(zone[key])),
      ),
  }),
})

type Counted = SubnetRow & { used: number; pools: string }

function availability(store: Store, networks: readonly NetworkRow[]) {
  const subnets = store.db
    .prepare<Counted>(
      `SELECT s.*, (SELECT count(*) FROM ipallocations a WHERE a.subnet_id = s.id) AS used,
          (SELECT json_group_array(json_array(l.first_key, l.last_key)) FROM ipallocationpools l WHERE l.subnet_id = s.id) AS pools
         FROM subnets s WHERE s.network_id IN (SELECT value FROM json_each(?)) ORDER BY s.rowid`,
    )
    .all(JSON.stringify(networks.map(({ id }) => id)))
  const total = ({ pools, cidr }: Counted): number => {
    const ranges = JSON.parse(pools) as [string, string][]
    const { first, last } = usable(parseCidr(cidr) as Cidr)
    const sum = ranges.reduce((size, [from, to]) => size + BigInt(`0x${to}`) - BigInt(`0x${from}`) + 1n, 0n)
    return Number(ranges.length > 0 ? sum : last - first + 1n)
  }
  return networks.map((network) => {
    const own = subnets.filter((subnet) => subnet.network_id === network.id)
    const each = own.map((subnet) => ({
      subnet_id: subnet.id,
      subnet_name: subnet.name,
      cidr: subnet.cidr,
      ip_version: subnet.ip_version,
      total_ips: total(subnet),
      used_ips: subnet.used,
    }))
    return {
      network_id: network.id,
      network_name: network.name,
      project_id: network.project_id,
      tenant_id: network.project_id,
      total_ips: each.reduce((sum, one) => sum + one.total_ips, 0),
      used_ips: each.reduce((sum, one) => sum + one.used_ips, 0),
      subnet_ip_availability: each,
    }
  })
}

const availabilityList = operation<ApiDeps>({
  method: 'GET',
  path: '/network-ip-availabilities',
  status: 200,
  errors: [403],
  policy: 'get_network_ip_availability',
  handle: ({ search }, { store }) => {
    const wanted = (row: NetworkRow) =>
      (!search.has('network_id') || search.getAll('network_id').includes(row.id)) &&
      (!search.has('network_name') || search.getAll('network_name').includes(row.name)) &&
      (!search.has('project_id') || search.getAll('project_id').includes(row.project_id)) &&
      (!search.has('tenant_id') || search.getAll('tenant_id').includes(row.project_id))
    const version = search.get('ip_version')
    const rows = store.db.prepare<NetworkRow>('SELECT * FROM networks ORDER BY id').all().filter(wanted)
    const found = availability(store, rows)
    if (version === null) return { network_ip_availabilities: found }
    return {
      network_ip_availabilities: found.flatMap((network) => {
        const own = network.subnet_ip_availability.filter((subnet) => String(subnet.ip_version) === version)
        return own.length === 0 ? [] : [{ ...network, subnet_ip_availability: own }]
      }),
    }
  },
})
const availabilityShow = operation<ApiDeps>({
  method: 'GET',
  path: '/network-ip-availabilities/{network_id}',
  status: 200,
  errors: [403, 404],
  policy: 'get_network_ip_availability',
  handle: ({ params }, { store }) => {
    const row = rowOf(store, 'networks', params.network_id ?? '')
    if (!row) throw networkNotFound(params.network_id ?? '')
    return { network_ip_availability: availability(store, [row])[0] }
  },
})

export const hostOperations: AnyOperation<ApiDeps>[] = [agentList, agentShow, zones, availabilityList, availabilityShow]
