/**
 * Hosts as the control plane knows them: a service that reports itself, and its hypervisor's figures. A host whose report
 * is older than `[DEFAULT] service_down_time` counts as down.
 */
import { randomUUID } from 'node:crypto'
import { timeOf } from '../../base/clock.ts'
import { conflict, notFound } from '../../base/errors.ts'
import type { Ground } from '../../base/ground.ts'
import type { HostResources } from '../virt/index.ts'

export type Service = {
  readonly id: number
  readonly uuid: string
  readonly host: string
  readonly binary: string
  readonly disabled: boolean
  readonly disabledReason: string | null
  readonly forcedDown: boolean
  readonly lastSeenUp: string | null
  readonly updatedAt: string | null
  /** Reports in time and is not forced down. */
  readonly up: boolean
  readonly availabilityZone: string
}

export type ComputeNode = {
  readonly id: number
  readonly uuid: string
  readonly host: string
  readonly hypervisorHostname: string
  readonly resources: HostResources
  readonly cpuAllocationRatio: number
  readonly ramAllocationRatio: number
  readonly diskAllocationRatio: number
  readonly runningVms: number
  /** Servers being built on it now. */
  readonly building: number
}

export type AllocationRatios = { cpu: number; ram: number; disk: number }

type ServiceRow = {
  id: number
  uuid: string
  host: string
  binary: string
  disabled: number
  disabled_reason: string | null
  forced_down: number
  last_seen_up: string | null
  updated_at: string | null
  zone: string | null
}

type NodeRow = {
  id: number
  uuid: string
  host: string
  hypervisor_hostname: string
  stats: string
  cpu_allocation_ratio: number
  ram_allocation_ratio: number
  disk_allocation_ratio: number
  running_vms: number
  building: number
}

/** Where the services live that are no compute hosts. */
export const internalZone = 'internal'

export type HostsOptions = { serviceDownMs: number; defaultZone: string }

export class Hosts {
  readonly #db: Ground['db']
  readonly #clock: Ground['clock']
  readonly #options: HostsOptions

  constructor({ db, clock }: Pick<Ground, 'db' | 'clock'>, options: HostsOptions) {
    this.#db = db
    this.#clock = clock
    this.#options = options
  }

  /** A process says that it is alive; the first time, it is made known. */
  reportService(host: string, binary: string, topic: string): void {
    const now = this.#clock.text()
    const { changes } = this.#db
      .prepare(
        'UPDATE services SET report_count = report_count + 1, last_seen_up = ?, updated_at = ? WHERE host = ? AND binary = ? AND deleted = 0',
      )
      .run(now, now, host, binary)
    if (changes > 0) return
    this.#db
      .prepare(
        `INSERT INTO services (created_at, updated_at, uuid, host, binary, topic, report_count, disabled, forced_down, version, last_seen_up, deleted) VALUES (?, ?, ?, ?, ?, ?, 1, 0, 0, 70, ?, 0)`,
      )
      .run(now, now, randomUUID(), host, binary, topic, now)
  }

  services({ host, binary }: { host?: string; binary?: string } = {}): Service[] {
    return this.#db
      .prepare<ServiceRow>(
        `SELECT s.id, s.uuid, s.host, s.binary, s.disabled, s.disabled_reason, s.forced_down, s.last_seen_up, s.updated_at, ${zoneOf('s.host')} AS zone
         FROM services s WHERE s.deleted = 0 AND (@host IS NULL OR s.host = @host) AND (@binary IS NULL OR s.binary = @binary) ORDER BY s.id`,
      )
      .all({ host: host ?? null, binary: binary ?? null })
      .map((row) => this.#toService(row))
  }

  /** @throws {CloudError} `not-found`. */
  service(uuid: string): Service {
    const found = this.services().find((service) => service.uuid === uuid || String(service.id) === uuid)
    if (!found) throw notFound(`Service ${uuid} could not be found.`)
    return found
  }

  updateService(id: number, change: { disabled?: boolean; disabledReason?: string | null; forcedDown?: boolean }): void {
    const now = this.#clock.text()
    if (change.disabled !== undefined) {
      this.#db
        .prepare('UPDATE services SET disabled = ?, disabled_reason = ?, updated_at = ? WHERE id = ?')
        .run(change.disabled ? 1 : 0, change.disabledReason ?? null, now, id)
    }
    if (change.forcedDown !== undefined)
      this.#db.prepare('UPDATE services SET forced_down = ?, updated_at = ? WHERE id = ?').run(change.forcedDown ? 1 : 0, now, id)
  }

  /** @throws {CloudError} `conflict` while the host has servers, or servers are on their way from or to it. */
  removeService(service: Service): void {
    this.#db.transaction(() => {
      const { n } = this.#db
        .prepare<{ n: number }>('SELECT count(*) AS n FROM instances WHERE host = ? AND deleted = 0')
        .get(service.host) ?? { n: 0 }
      if (service.binary === 'nova-compute' && n > 0)
        throw conflict('Unable to delete compute service that is hosting instances. Migrate or delete the instances first.')
      const { moves } = this.#db
        .prepare<{ moves: number }>(
          `SELECT count(*) AS moves FROM migrations m WHERE (source_compute = @host OR dest_compute = @host) AND deleted = 0
           AND status NOT IN ('confirmed', 'reverted', 'error', 'failed', 'completed', 'cancelled', 'done')
           AND EXISTS (SELECT 1 FROM instances i WHERE i.uuid = m.instance_uuid AND i.deleted = 0)`,
        )
        .get({ host: service.host }) ?? { moves: 0 }
      if (service.binary === 'nova-compute' && moves > 0)
        throw conflict(
          'Unable to delete compute service that has in-progress migrations. Complete the migrations or delete the instances first.',
        )
      const now = this.#clock.text()
      this.#db.prepare('UPDATE services SET deleted = id, deleted_at = ? WHERE id = ?').run(now, service.id)
      if (service.binary === 'nova-compute')
        this.#db.prepare('UPDATE compute_nodes SET deleted = id, deleted_at = ? WHERE host = ? AND deleted = 0').run(now, service.host)
    })
  }

  /** What a host says of itself; returns its node's uuid, which is its resource provider's too. */
  reportNode(host: string, resources: HostResources, ratios: AllocationRatios): string {
    const now = this.#clock.text()
    const running = this.#db.prepare<{ n: number }>('SELECT count(*) AS n FROM instances WHERE host = ? AND deleted = 0').get(host)?.n ?? 0
    const values = {
      now,
      host,
      node: resources.hypervisorHostname,
      vcpus: resources.vcpus,
      memory: resources.memoryMib,
      disk: resources.diskGib,
      memoryUsed: resources.memoryUsedMib,
      diskUsed: resources.diskUsedGib,
      least: resources.diskAvailableLeastGib,
      freeRam: resources.memoryMib - resources.memoryUsedMib,
      freeDisk: resources.diskGib - resources.diskUsedGib,
      type: resources.hypervisorType,
      version: resources.hypervisorVersion,
      cpuInfo: JSON.stringify(resources.cpuInfo),
      ip: resources.hostIp,
      supported: JSON.stringify(resources.supportedInstances),
      stats: JSON.stringify(resources),
      running,
      cpuRatio: ratios.cpu,
      ramRatio: ratios.ram,
      diskRatio: ratios.disk,
    }
    const found = this.#db
      .prepare<{ uuid: string }>('SELECT uuid FROM compute_nodes WHERE host = ? AND hypervisor_hostname = ? AND deleted = 0')
      .get(host, resources.hypervisorHostname)
    if (found) {
      this.#db
        .prepare(
          `UPDATE compute_nodes SET updated_at = @now, vcpus = @vcpus, memory_mb = @memory, local_gb = @disk, memory_mb_used = @memoryUsed, local_gb_used = @diskUsed, disk_available_least = @least,
           free_ram_mb = @freeRam, free_disk_gb = @freeDisk, hypervisor_type = @type, hypervisor_version = @version, cpu_info = @cpuInfo, host_ip = @ip, supported_instances = @supported, stats = @stats,
           running_vms = @running, current_workload = 0, cpu_allocation_ratio = @cpuRatio, ram_allocation_ratio = @ramRatio, disk_allocation_ratio = @diskRatio WHERE uuid = @uuid`,
        )
        .run({ ...values, uuid: found.uuid })
      return found.uuid
    }
    const uuid = randomUUID()
    this.#db
      .prepare(
        `INSERT INTO compute_nodes (created_at, updated_at, uuid, host, service_id, hypervisor_hostname, vcpus, memory_mb, local_gb, vcpus_used, memory_mb_used, local_gb_used, disk_available_least, free_ram_mb, free_disk_gb,
         hypervisor_type, hypervisor_version, cpu_info, host_ip, supported_instances, stats, running_vms, current_workload, cpu_allocation_ratio, ram_allocation_ratio, disk_allocation_ratio, mapped, deleted)
         VALUES (@now, @now, @uuid, @host, (SELECT id FROM services WHERE host = @host AND binary = 'nova-compute' AND deleted = 0), @node, @vcpus, @memory, @disk, 0, @memoryUsed, @diskUsed, @least, @freeRam, @freeDisk,
         @type, @version, @cpuInfo, @ip, @supported, @stats, @running, 0, @cpuRatio, @ramRatio, @diskRatio, 1, 0)`,
      )
      .run({ ...values, uuid })
    return uuid
  }

  nodes(): ComputeNode[] {
    return this.#db
      .prepare<NodeRow>(
        `SELECT id, uuid, host, hypervisor_hostname, stats, cpu_allocation_ratio, ram_allocation_ratio, disk_allocation_ratio,
         (SELECT count(*) FROM instances i WHERE i.host = n.host AND i.deleted = 0) AS running_vms,
         (SELECT count(*) FROM instances i WHERE i.host = n.host AND i.deleted = 0 AND i.vm_state = 'building') AS building FROM compute_nodes n WHERE deleted = 0 ORDER BY id`,
      )
      .all()
      .map((row) => ({
        id: row.id,
        uuid: row.uuid,
        host: row.host,
        hypervisorHostname: row.hypervisor_hostname,
        resources: JSON.parse(row.stats) as HostResources,
        cpuAllocationRatio: row.cpu_allocation_ratio,
        ramAllocationRatio: row.ram_allocation_ratio,
        diskAllocationRatio: row.disk_allocation_ratio,
        runningVms: row.running_vms,
        building: row.building,
      }))
  }

  /** Processors of live servers, by host. */
  vcpusByHost(): Map<string, number> {
    const rows = this.#db
      .prepare<{ host: string; vcpus: number }>(
        'SELECT host, sum(vcpus) AS vcpus FROM instances WHERE host IS NOT NULL AND deleted = 0 GROUP BY host',
      )
      .all()
    return new Map(rows.map(({ host, vcpus }) => [host, vcpus]))
  }

  /** What the live servers of a host have, by project. */
  usageByProject(host: string): { projectId: string; vcpus: number; memoryMib: number; diskGib: number }[] {
    return this.#db
      .prepare<{ projectId: string; vcpus: number; memoryMib: number; diskGib: number }>(
        `SELECT project_id AS projectId, sum(vcpus) AS vcpus, sum(memory_mb) AS memoryMib, sum(root_gb + ephemeral_gb) AS diskGib
         FROM instances WHERE host = ? AND deleted = 0 GROUP BY project_id ORDER BY project_id`,
      )
      .all(host)
  }

  /** Names and ids of the live servers on these hosts. */
  serversOn(hosts: readonly string[]): Map<string, { name: string; uuid: string }[]> {
    const rows = this.#db
      .prepare<{ host: string; uuid: string; name: string }>(
        'SELECT host, uuid, display_name AS name FROM instances WHERE host IN (SELECT value FROM json_each(?)) AND deleted = 0 ORDER BY id',
      )
      .all(JSON.stringify(hosts))
    const found = new Map<string, { name: string; uuid: string }[]>()
    for (const { host, uuid, name } of rows) {
      const servers = found.get(host)
      if (servers) servers.push({ name, uuid })
      else found.set(host, [{ name, uuid }])
    }
    return found
  }

  /** The zone of a host: its aggregate's, else the default one. */
  zoneOfHost(host: string): string {
    return this.#db.prepare<{ zone: string | null }>(`SELECT ${zoneOf('@host')} AS zone`).get({ host })?.zone ?? this.#options.defaultZone
  }

  /** Zones that have an enabled compute host; `available` when one of them is up. */
  zones(): { name: string; available: boolean; hosts: Map<string, Service[]> }[] {
    const zones = new Map<string, { name: string; available: boolean; hosts: Map<string, Service[]> }>()
    for (const service of this.services()) {
      const zone = zones.get(service.availabilityZone) ?? { name: service.availabilityZone, available: false, hosts: new Map() }
      zones.set(zone.name, zone)
      zone.hosts.set(service.host, [...(zone.hosts.get(service.host) ?? []), service])
      if (!service.disabled) zone.available ||= service.up || zone.name === internalZone
    }
    return [...zones.values()].sort((a, b) => a.name.localeCompare(b.name))
  }

  #toService(row: ServiceRow): Service {
    const age = row.last_seen_up === null ? Infinity : this.#clock.now() - timeOf(row.last_seen_up)
    return {
      id: row.id,
      uuid: row.uuid,
      host: row.host,
      binary: row.binary,
      disabled: row.disabled === 1,
      disabledReason: row.disabled_reason,
      forcedDown: row.forced_down === 1,
      lastSeenUp: row.last_seen_up,
      updatedAt: row.updated_at,
      up: row.forced_down !== 1 && age <= this.#options.serviceDownMs,
      availabilityZone: row.binary === 'nova-compute' ? (row.zone ?? this.#options.defaultZone) : internalZone,
    }
  }
}

function zoneOf(host: string): string {
  return `(SELECT m.value FROM aggregate_hosts h JOIN aggregate_metadata m ON m.aggregate_id = h.aggregate_id AND m.key = 'availability_zone' WHERE h.host = ${host} LIMIT 1)`
}
