/**
 * Host aggregates: groups of compute hosts with metadata. An aggregate whose metadata names an availability zone puts
 * its hosts there; a host is in one zone at most, and while it has servers it stays where it is.
 *
 * @see https://docs.openstack.org/nova/latest/admin/aggregates.html
 */
import { randomUUID } from 'node:crypto'
import { conflict, invalid, notFound } from '../../base/errors.ts'
import type { Ground } from '../../base/ground.ts'

export type Aggregate = {
  readonly id: number
  readonly uuid: string
  readonly name: string
  readonly hosts: readonly string[]
  readonly metadata: Readonly<Record<string, string>>
  readonly createdAt: string
  readonly updatedAt: string | null
}

type Row = {
  id: number
  uuid: string
  name: string
  created_at: string
  updated_at: string | null
  hosts: string
  metadata: string
}

const zoneKey = 'availability_zone'
const select = `SELECT a.id, a.uuid, a.name, a.created_at, a.updated_at,
  (SELECT json_group_array(host) FROM (SELECT h.host FROM aggregate_hosts h WHERE h.aggregate_id = a.id ORDER BY h.id)) AS hosts,
  (SELECT json_group_object(m.key, m.value) FROM aggregate_metadata m WHERE m.aggregate_id = a.id) AS metadata FROM aggregates a`

const toAggregate = (row: Row): Aggregate => ({
  id: row.id,
  uuid: row.uuid,
  name: row.name,
  hosts: JSON.parse(row.hosts) as string[],
  metadata: JSON.parse(row.metadata) as Record<string, string>,
  createdAt: row.created_at,
  updatedAt: row.updated_at,
})

/** The zone that an aggregate puts its hosts into. */
export const zoneOfAggregate = ({ metadata }: Pick<Aggregate, 'metadata'>): string | null => metadata[zoneKey] ?? null

export class Aggregates {
  readonly #db: Ground['db']
  readonly #clock: Ground['clock']

  constructor({ db, clock }: Pick<Ground, 'db' | 'clock'>) {
    this.#db = db
    this.#clock = clock
  }

  list(): Aggregate[] {
    return this.#db.prepare<Row>(`${select} ORDER BY a.id`).all().map(toAggregate)
  }

  /** Aggregates by the hosts in them. */
  byHost(): Map<string, Aggregate[]> {
    const found = new Map<string, Aggregate[]>()
    for (const aggregate of this.list()) for (const host of aggregate.hosts) found.set(host, [...(found.get(host) ?? []), aggregate])
    return found
  }

  /** @throws {CloudError} `not-found`. */
  get(id: number): Aggregate {
    const row = this.#db.prepare<Row>(`${select} WHERE a.id = ?`).get(id)
    if (!row) throw notFound(`Aggregate ${id} could not be found.`)
    return toAggregate(row)
  }

  /** @throws {CloudError} `conflict` when the name is taken. */
  create(name: string, zone: string | null): Aggregate {
    return this.#db.transaction(() => {
      this.#checkName(name, null)
      const { lastInsertRowid } = this.#db
        .prepare('INSERT INTO aggregates (created_at, uuid, name) VALUES (?, ?, ?)')
        .run(this.#clock.text(), randomUUID(), name)
      const id = Number(lastInsertRowid)
      if (zone !== null) this.#setPairs(id, { [zoneKey]: zone })
      return this.get(id)
    })
  }

  /** @throws {CloudError} `conflict` when the name is taken, `not-found`, `invalid` when the hosts may not change zones. */
  update(id: number, { name, zone }: { name?: string; zone?: string | null }): Aggregate {
    return this.#db.transaction(() => {
      const aggregate = this.get(id)
      if (name !== undefined && name !== aggregate.name) {
        this.#checkName(name, id)
        this.#db.prepare('UPDATE aggregates SET name = ? WHERE id = ?').run(name, id)
      }
      if (zone !== undefined) {
        this.#checkZone(aggregate, zone)
        this.#setPairs(id, { [zoneKey]: zone })
      }
      this.#touch(id)
      return this.get(id)
    })
  }

  /** Adds and changes; a null value removes. @throws {CloudError} `not-found`, `invalid` as {@link update}. */
  setMetadata(id: number, change: Readonly<Record<string, string | null>>): Aggregate {
    return this.#db.transaction(() => {
      const aggregate = this.get(id)
      const zone = change[zoneKey]
      if (zone === '' || zone === null)
        throw invalid(
          `Cannot update metadata of aggregate ${id}. Reason: Aggregate ${aggregate.name} does not support empty named availability zone.`,
        )
      if (zone !== undefined) this.#checkZone(aggregate, zone)
      this.#setPairs(id, change)
      this.#touch(id)
      return this.get(id)
    })
  }

  /** @throws {CloudError} `not-found`, `invalid` while it has hosts. */
  remove(id: number): void {
    this.#db.transaction(() => {
      const { hosts } = this.get(id)
      if (hosts.length > 0) throw invalid(`Cannot remove host from aggregate ${id}. Reason: Host aggregate is not empty.`)
      this.#db.prepare('DELETE FROM aggregate_metadata WHERE aggregate_id = ?').run(id)
      this.#db.prepare('DELETE FROM aggregates WHERE id = ?').run(id)
    })
  }

  /** @throws {CloudError} `not-found`, `conflict` when the host is in it, in another zone, or has servers that would change zones. */
  addHost(id: number, host: string): Aggregate {
    return this.#db.transaction(() => {
      const aggregate = this.get(id)
      if (!this.#isComputeHost(host)) throw notFound(`Compute host ${host} could not be found.`)
      if (aggregate.hosts.includes(host)) throw conflict(`Aggregate ${id} already has host ${host}.`)
      const zone = zoneOfAggregate(aggregate)
      if (zone !== null) {
        const others = this.#otherZones([host], id)
        if (others.some((other) => other !== zone))
          throw conflict(
            `Cannot add host to aggregate ${id}. Reason: One or more hosts already in availability zone(s) ${others.join(', ')}.`,
          )
        if (others.length === 0 && this.#hasServers([host]))
          throw conflict(
            `Cannot add host to aggregate ${id}. Reason: Host ${host} has servers, which would change their availability zone.`,
          )
      }
      this.#db.prepare('INSERT INTO aggregate_hosts (created_at, host, aggregate_id) VALUES (?, ?, ?)').run(this.#clock.text(), host, id)
      return this.get(id)
    })
  }

  /** @throws {CloudError} `not-found` when it is not in it, `conflict` when it has servers that would change zones. */
  removeHost(id: number, host: string): Aggregate {
    return this.#db.transaction(() => {
      const aggregate = this.get(id)
      if (!aggregate.hosts.includes(host)) throw notFound(`Cannot remove host ${host} in aggregate ${id}`)
      if (zoneOfAggregate(aggregate) !== null && this.#otherZones([host], id).length === 0 && this.#hasServers([host]))
        throw conflict(
          `Cannot remove host from aggregate ${id}. Reason: Host ${host} has servers, which would change their availability zone.`,
        )
      this.#db.prepare('DELETE FROM aggregate_hosts WHERE aggregate_id = ? AND host = ?').run(id, host)
      return this.get(id)
    })
  }

  /** A host that is gone is in no aggregate. */
  forgetHost(host: string): void {
    this.#db.prepare('DELETE FROM aggregate_hosts WHERE host = ?').run(host)
  }

  #checkName(name: string, own: number | null): void {
    const taken = this.#db.prepare<{ id: number }>('SELECT id FROM aggregates WHERE name = ?').get(name)
    if (taken && taken.id !== own) throw conflict(`Aggregate ${name} already exists.`)
  }

  /** A change of an aggregate's zone moves all its hosts. */
  #checkZone(aggregate: Aggregate, zone: string | null): void {
    if (zoneOfAggregate(aggregate) === zone) return
    const others = this.#otherZones(aggregate.hosts, aggregate.id)
    if (zone !== null && others.some((other) => other !== zone))
      throw invalid(
        `Cannot update aggregate ${aggregate.id}. Reason: One or more hosts already in availability zone(s) ${others.join(', ')}.`,
      )
    if (this.#hasServers(aggregate.hosts))
      throw invalid(`Cannot update aggregate ${aggregate.id}. Reason: One or more hosts contain instances in this zone.`)
  }

  /** Zones that these hosts have by other aggregates. */
  #otherZones(hosts: readonly string[], except: number): string[] {
    return this.#db
      .prepare<{ value: string }>(
        `SELECT DISTINCT m.value FROM aggregate_hosts h JOIN aggregate_metadata m ON m.aggregate_id = h.aggregate_id AND m.key = '${zoneKey}'
         WHERE h.host IN (SELECT value FROM json_each(?)) AND h.aggregate_id <> ? ORDER BY m.value`,
      )
      .all(JSON.stringify(hosts), except)
      .map(({ value }) => value)
  }

  #hasServers(hosts: readonly string[]): boolean {
    return (
      this.#db
        .prepare('SELECT 1 FROM instances WHERE host IN (SELECT value FROM json_each(?)) AND deleted = 0 LIMIT 1')
        .get(JSON.stringify(hosts)) !== undefined
    )
  }

  #isComputeHost(host: string): boolean {
    return this.#db.prepare('SELECT 1 FROM compute_nodes WHERE host = ? AND deleted = 0 LIMIT 1').get(host) !== undefined
  }

  #setPairs(id: number, change: Readonly<Record<string, string | null>>): void {
    const now = this.#clock.text()
    for (const [key, value] of Object.entries(change)) {
      if (value === null) this.#db.prepare('DELETE FROM aggregate_metadata WHERE aggregate_id = ? AND key = ?').run(id, key)
      else
        this.#db
          .prepare(
            `INSERT INTO aggregate_metadata (created_at, key, value, aggregate_id) VALUES (@now, @key, @value, @id)
             ON CONFLICT (aggregate_id, key) DO UPDATE SET value = @value, updated_at = @now`,
          )
          .run({ now, key, value, id })
    }
  }

  #touch(id: number): void {
    this.#db.prepare('UPDATE aggregates SET updated_at = ? WHERE id = ?').run(this.#clock.text(), id)
  }
}
