/**
 * What holds of a cloud whenever nothing runs: records, guests, allocations, ports and quotas tell one story. Read from the
 * database and the fake hosts' own files, since no API shows all of it.
 */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { hostConnected } from '../../src/nova/compute/index.ts'
import type { FakeGuest } from '../../src/nova/virt/fake/guests.ts'
import type { TestCloud } from './cloud.ts'

type Server = {
  uuid: string
  name: string
  vm_state: string
  task_state: string | null
  power_state: number
  host: string | null
  node: string | null
  flavor: string
  network_info: string | null
}
type Size = Record<string, number>
type FlavorFields = { vcpus: number; memory_mb: number; root_gb: number; ephemeral_gb: number; swap: number }

/** Guests by host, as its files have them. */
function guestsOn({ cloud }: TestCloud, dataDir: string): Map<string, Map<string, FakeGuest>> {
  return new Map(
    cloud.drivers.map(({ host }, i) => {
      const dir = join(dataDir, 'fake', String(i), 'guests')
      const files = readdirSync(dir).filter((name) => name.endsWith('.json'))
      return [host, new Map(files.map((name) => [name.slice(0, -5), JSON.parse(readFileSync(join(dir, name), 'utf8')) as FakeGuest]))]
    }),
  )
}

/** vm_state → the power states that its guest may be in; a state that is not named says nothing of its guest. */
const powers: Readonly<Record<string, readonly number[]>> = {
  active: [1],
  paused: [3],
  suspended: [7],
  stopped: [4, 6, 7],
  rescued: [1, 3, 4, 6, 7],
  resized: [1, 3, 4, 6, 7],
  shelved: [4],
  'soft-delete': [4],
}

const resources = ({ vcpus, memory_mb, root_gb, ephemeral_gb, swap }: FlavorFields): Size =>
  nonZero({ VCPU: vcpus, MEMORY_MB: memory_mb, DISK_GB: root_gb + ephemeral_gb + Math.ceil(swap / 1024) })
const nonZero = (size: Size): Size => Object.fromEntries(Object.entries(size).filter(([, amount]) => amount > 0))
const larger = (one: Size, other: Size): Size =>
  Object.fromEntries(
    [...new Set([...Object.keys(one), ...Object.keys(other)])].map((name) => [name, Math.max(one[name] ?? 0, other[name] ?? 0)]),
  )
const same = (one: unknown, other: unknown): boolean => JSON.stringify(sorted(one)) === JSON.stringify(sorted(other))
const sorted = (value: unknown): unknown =>
  value && typeof value === 'object'
    ? Object.fromEntries(
        Object.entries(value)
          .sort(([a], [b]) => (a < b ? -1 : 1))
          .map(([k, v]) => [k, sorted(v)]),
      )
    : value

export type InvariantOptions = {
  dataDir: string
  /** Servers of which an administrator has said what is not so: nothing follows from their vm_state. */
  untrue: ReadonlySet<string>
}

/** Every line is a promise that is broken. */
export function brokenInvariants(cloud: TestCloud, { dataDir, untrue }: InvariantOptions): string[] {
  const { db } = cloud.cloud.ground
  const rows = <T>(sql: string) => db.prepare<T>(sql).all()
  const broken: string[] = []
  const servers = rows<Server>(
    `SELECT i.uuid, i.display_name AS name, i.vm_state, i.task_state, i.power_state, i.host, i.node, e.flavor, c.network_info FROM instances i
     LEFT JOIN instance_extra e ON e.instance_uuid = i.uuid LEFT JOIN instance_info_caches c ON c.instance_uuid = i.uuid WHERE i.deleted = 0`,
  )
  const live = new Map(servers.map((server) => [server.uuid, server]))
  const at = ({ uuid, vm_state, task_state, host }: Server) => `${uuid} (${vm_state}, ${task_state}, on ${host})`

  for (const { name, key, state, error } of rows<Record<string, string>>(
    "SELECT name, key, state, error FROM minicloud_sagas WHERE state NOT IN ('done', 'undone')",
  ))
    broken.push(`saga ${name} of ${key} is ${state}: ${error}`)
  for (const server of servers.filter(({ task_state }) => task_state !== null)) broken.push(`${at(server)} has a task and no saga`)
  for (const { action, instance_uuid } of rows<Record<string, string>>(
    'SELECT action, instance_uuid FROM instance_actions WHERE finish_time IS NULL',
  ))
    broken.push(`action ${action} of ${instance_uuid} has no end`)

  const movers = new Map(
    rows<{ uuid: string; instance_uuid: string; source_compute: string; dest_compute: string; status: string }>(
      'SELECT uuid, instance_uuid, source_compute, dest_compute, status FROM migrations ORDER BY id',
    ).map((row) => [row.uuid, row]),
  )
  /** Until a move is confirmed its source keeps the guest. */
  const movedFrom = new Map(
    [...movers.values()].flatMap((move) => {
      const waits =
        live.get(move.instance_uuid)?.vm_state === 'resized' && move.status === 'finished' && move.source_compute !== move.dest_compute
      return waits ? [[move.instance_uuid, move.source_compute]] : []
    }),
  )

  const found = guestsOn(cloud, dataDir)
  for (const [host, guests] of found) {
    for (const uuid of guests.keys()) {
      const server = live.get(uuid)
      if (!server) broken.push(`guest ${uuid} on ${host} has no server`)
      else if (server.host !== host && !untrue.has(uuid) && movedFrom.get(uuid) !== host)
        broken.push(`guest of ${at(server)} is on ${host}`)
    }
  }
  for (const server of servers) {
    const guest = server.host === null ? undefined : found.get(server.host)?.get(server.uuid)
    const expected = powers[server.vm_state]
    if (untrue.has(server.uuid) || !expected) continue
    // One whose guest was gone may be deleted for later all the same.
    if (!guest && server.vm_state === 'soft-delete' && server.power_state === 0) continue
    if (!guest) broken.push(`${at(server)} has no guest`)
    else {
      if (!expected.includes(guest.power)) broken.push(`guest of ${at(server)} has power ${guest.power}`)
      if (guest.power !== server.power_state) broken.push(`${at(server)} shows power ${server.power_state}, its guest has ${guest.power}`)
      const { cur } = flavorsOf(server)
      if (guest.vcpus !== cur.vcpus || guest.memoryMib !== cur.memory_mb) broken.push(`guest of ${at(server)} has another size`)
      if (guest.rescued !== (server.vm_state === 'rescued')) broken.push(`guest of ${at(server)} is in rescue: ${guest.rescued}`)
      if ((guest.before !== null) !== (server.vm_state === 'resized' && !movedFrom.has(server.uuid)))
        broken.push(`guest of ${at(server)} keeps another size: ${guest.before !== null}`)
      const macs = rows<{ mac_address: string }>(`SELECT mac_address FROM ports WHERE device_id = '${server.uuid}'`).map(
        (port) => port.mac_address,
      )
      if (!same([...guest.macs].sort(), macs.sort()))
        broken.push(`guest of ${at(server)} has interfaces ${guest.macs}, its ports are ${macs}`)
    }
  }

  const held = new Map<string, Record<string, Size>>()
  for (const { consumer, node, resource, used } of rows<{ consumer: string; node: string; resource: string; used: number }>(
    `SELECT a.consumer_id AS consumer, p.name AS node, c.name AS resource, a.used FROM allocations a
     JOIN resource_providers p ON p.id = a.resource_provider_id JOIN resource_classes c ON c.id = a.resource_class_id`,
  )) {
    const of = held.get(consumer) ?? {}
    of[node] = { ...of[node], [resource]: used }
    held.set(consumer, of)
  }
  for (const [consumer, of] of held) {
    const owner = live.get(movers.get(consumer)?.instance_uuid ?? consumer)
    if (!owner) broken.push(`allocation of ${consumer}: ${JSON.stringify(of)} has no server`)
    else if (movers.has(consumer) && owner.vm_state !== 'resized' && !untrue.has(owner.uuid))
      broken.push(`allocation of a move of ${at(owner)} stays: ${JSON.stringify(of)}`)
  }
  for (const server of servers.filter(({ uuid }) => !untrue.has(uuid))) {
    const has = held.get(server.uuid) ?? {}
    const { cur, old } = flavorsOf(server)
    const now = resources(cur)
    const wanted: Record<string, Size>[] =
      server.node === null
        ? [{}]
        : server.vm_state === 'resized'
          ? [{ [server.node]: now }, { [server.node]: larger(now, resources(old ?? cur)) }]
          : [{ [server.node]: now }]
    if (!wanted.some((one) => same(one, has))) broken.push(`${at(server)} holds ${JSON.stringify(has)}, not ${JSON.stringify(wanted)}`)
  }

  for (const { id, device_id, host } of rows<{ id: string; device_id: string; host: string | null }>(
    "SELECT id, device_id, host_id AS host FROM ports WHERE device_owner LIKE 'compute:%'",
  )) {
    const server = live.get(device_id)
    if (!server) broken.push(`port ${id} belongs to ${device_id}, which is no server`)
    else if (server.host !== null && !untrue.has(server.uuid) && server.vm_state !== 'error' && host !== server.host)
      broken.push(`port ${id} of ${at(server)} is bound to ${host}`)
  }
  for (const server of servers) {
    const ports = rows<{ id: string }>(`SELECT id FROM ports WHERE device_id = '${server.uuid}'`).map(({ id }) => id)
    const cached = (JSON.parse(server.network_info ?? '[]') as { id?: string; portId?: string }[]).map(({ id, portId }) => id ?? portId)
    if (server.vm_state !== 'error' && !same(ports.sort(), cached.sort())) broken.push(`${at(server)} shows ports ${cached}, has ${ports}`)
  }
  return [...broken, ...overlaps(db)]
}

function flavorsOf({ flavor }: Server): { cur: FlavorFields; old: FlavorFields | null } {
  const kept = JSON.parse(flavor) as Record<'cur' | 'old', { 'nova_object.data'?: FlavorFields } | null>
  const fields = (one: { 'nova_object.data'?: FlavorFields } | null) => one?.['nova_object.data'] ?? null
  return { cur: fields(kept.cur) as FlavorFields, old: fields(kept.old) }
}

/** Servers that are said to stand where they don't: what their state was before it was reset shows still. */
export function misnamed({ cloud }: TestCloud): string[] {
  return cloud.ground.db
    .prepare<{ uuid: string }>(
      `SELECT i.uuid FROM instances i WHERE i.deleted = 0 AND (
         i.vm_state <> 'soft-delete' AND i.deleted_at IS NOT NULL
         OR i.vm_state <> 'resized' AND EXISTS (SELECT 1 FROM migrations m WHERE m.instance_uuid = i.uuid AND m.status = 'finished')
         OR i.vm_state <> 'rescued' AND EXISTS (SELECT 1 FROM instance_system_metadata s WHERE s.instance_uuid = i.uuid AND s.deleted = 0 AND s.key = 'rescue_image_id')
         OR i.vm_state NOT IN ('shelved', 'shelved_offloaded')
           AND EXISTS (SELECT 1 FROM instance_system_metadata s WHERE s.instance_uuid = i.uuid AND s.deleted = 0 AND s.key = 'shelved_at'))`,
    )
    .all()
    .map(({ uuid }) => uuid)
}

/** Sagas that end what runs first, and wait for it. */
const taking = /^(abort-live-migration|evacuate-server|reset-server)/
/** Sagas that set no task, or that end what runs first. */
const beside = /^(delete-server|soft-delete|attach-interface|detach-interface|confirm-resize|crash-dump|trigger-crash-dump|offload-server)/

/** One hand at a time: on an instance no saga was begun before the one before it had ended. */
function overlaps(db: TestCloud['cloud']['ground']['db']): string[] {
  const rows = db
    .prepare<{ name: string; key: string; created_at: string; updated_at: string; input: string }>(
      'SELECT name, key, created_at, updated_at, input FROM minicloud_sagas ORDER BY key, id',
    )
    .all()
  return rows.flatMap((row, i) => {
    const before = rows[i - 1]
    if (
      before?.key !== row.key ||
      row.created_at >= before.updated_at ||
      taking.test(row.name) ||
      beside.test(row.name) ||
      beside.test(before.name)
    )
      return []
    return row.input.includes('reboot-hard') ? [] : [`${row.name} of ${row.key} was begun while ${before.name} ran`]
  })
}

/** Rounds of the event loop in which a comparison of all hosts with their records ends. */
const comparing = 20

/** Compares every host with its records, as is done at intervals: what hosts failed to end is ended then. */
export async function compareHosts(cloud: TestCloud): Promise<void> {
  const { queue } = cloud.cloud.ground
  for (const { host } of cloud.cloud.drivers) queue.publish({ type: hostConnected, payload: { host } })
  for (let round = 0; round < comparing; round += 1) {
    await new Promise((resolve) => setImmediate(resolve))
    await cloud.settle()
  }
}

/** What is left when every server has been deleted. */
export async function leftovers({ cloud }: TestCloud): Promise<string[]> {
  const count = (sql: string): number => cloud.ground.db.prepare<{ n: number }>(`SELECT count(*) AS n FROM ${sql}`).get()?.n ?? -1
  const counts: Record<string, number> = {
    servers: count('instances WHERE deleted = 0'),
    'block devices': count('block_device_mapping WHERE deleted = 0'),
    'console tokens': count('console_auth_tokens'),
    'group members': count('instance_group_member'),
    ports: count("ports WHERE device_owner LIKE 'compute:%' OR device_id <> '' AND device_owner = ''"),
    allocations: count('allocations'),
    consumers: count('consumers'),
    tags: count('tags'),
    'images of shelved servers': count("images WHERE name LIKE '%-shelved' AND deleted = 0"),
    'unfinished images': count("images WHERE status NOT IN ('active', 'deleted') AND deleted = 0"),
  }
  const inventories = await Promise.all(cloud.drivers.map((driver) => driver.inventory()))
  const kept = inventories.flatMap(({ guests, files }) => [...guests, ...files])
  return [...Object.entries(counts).flatMap(([name, n]) => (n === 0 ? [] : [`${n} ${name}`])), ...kept]
}
