/**
 * Migrations: moves of servers between hosts or sizes. A status moves by compare-and-set, which keeps two requests from
 * ending the same one.
 *
 * @see https://docs.openstack.org/api-ref/compute/#migrations-os-migrations
 */
import { randomUUID } from 'node:crypto'
import type { Ground } from '../../base/ground.ts'
import type { CopyProgress } from '../virt/index.ts'
import type { Flavor } from './flavors.ts'
import type { Instance } from './instance.ts'

export type MigrationType = 'migration' | 'resize' | 'live-migration' | 'evacuation'
/** A resize or cold migration waits as `finished` for its end; an evacuation is `done` until the source host has tidied up. */
export type MigrationStatus =
  | 'accepted'
  | 'queued'
  | 'preparing'
  | 'running'
  | 'pre-migrating'
  | 'migrating'
  | 'post-migrating'
  | 'finished'
  | 'confirming'
  | 'confirmed'
  | 'reverting'
  | 'reverted'
  | 'done'
  | 'completed'
  | 'failed'
  | 'cancelled'
  | 'error'

/** A row, by the names of its columns. */
export type Migration = {
  readonly id: number
  readonly uuid: string
  readonly created_at: string
  readonly updated_at: string | null
  readonly source_compute: string | null
  readonly source_node: string | null
  readonly dest_compute: string | null
  readonly dest_node: string | null
  /** The destination's address. */
  readonly dest_host: string | null
  readonly old_instance_type_id: number | null
  readonly new_instance_type_id: number | null
  readonly instance_uuid: string
  readonly status: MigrationStatus
  readonly migration_type: MigrationType
  readonly user_id: string | null
  readonly project_id: string | null
  /** Bytes, of a live migration that has begun to copy. */
  readonly memory_total: number | null
  readonly memory_processed: number | null
  readonly memory_remaining: number | null
  readonly disk_total: number | null
  readonly disk_processed: number | null
  readonly disk_remaining: number | null
}

/** `host` is the source or the destination; the times are the database's texts; `afterId` is the last of the page before. */
export type MigrationFilter = Partial<{
  status: string
  host: string
  sourceCompute: string
  instanceUuid: string
  migrationType: string
  hidden: boolean
  userId: string
  projectId: string
  changesSince: string
  changesBefore: string
  afterId: number
  limit: number
}>

export type NewMigration = {
  instance: Instance
  type: MigrationType
  newFlavor: Flavor
  /** `null` until the scheduler has spoken. */
  destination: { host: string; node: string | null } | null
  by: { userId: string | null; projectId: string | null }
  status?: MigrationStatus
}

const columns =
  'id, uuid, created_at, updated_at, source_compute, source_node, dest_compute, dest_node, dest_host, old_instance_type_id, new_instance_type_id, instance_uuid, status, migration_type, user_id, project_id, memory_total, memory_processed, memory_remaining, disk_total, disk_processed, disk_remaining'
const select = `SELECT ${columns} FROM migrations`
const destinationAddress =
  '(SELECT host_ip FROM compute_nodes WHERE host = @destHost AND hypervisor_hostname = @destNode AND deleted = 0 LIMIT 1)'

const conditions: Readonly<Record<Exclude<keyof MigrationFilter, 'limit'>, string>> = {
  status: 'status = @status',
  host: '(source_compute = @host OR dest_compute = @host)',
  sourceCompute: 'source_compute = @sourceCompute',
  instanceUuid: 'instance_uuid = @instanceUuid',
  migrationType: 'migration_type = @migrationType',
  hidden: 'hidden = @hidden',
  userId: 'user_id = @userId',
  projectId: 'project_id = @projectId',
  changesSince: 'updated_at >= @changesSince',
  changesBefore: 'updated_at <= @changesBefore',
  afterId: 'id < @afterId',
}

export class Migrations {
  readonly #db: Ground['db']
  readonly #clock: Ground['clock']

  constructor({ db, clock }: Pick<Ground, 'db' | 'clock'>) {
    this.#db = db
    this.#clock = clock
  }

  /** In the transaction that begins the move. */
  begin({ instance, type, newFlavor, destination, by, status = 'pre-migrating' }: NewMigration): number {
    const { lastInsertRowid } = this.#db
      .prepare(
        `INSERT INTO migrations (created_at, updated_at, deleted, source_compute, source_node, dest_compute, dest_node, dest_host, old_instance_type_id, new_instance_type_id,
         instance_uuid, uuid, status, migration_type, hidden, cross_cell_move, user_id, project_id)
         VALUES (@now, @now, 0, @host, @node, @destHost, @destNode, ${destinationAddress}, @oldFlavor, @newFlavor, @instance, @uuid, @status, @type, 0, 0, @userId, @projectId)`,
      )
      .run({
        now: this.#clock.text(),
        host: instance.host,
        node: instance.node,
        destHost: destination?.host ?? null,
        destNode: destination?.node ?? null,
        oldFlavor: instance.flavor.id,
        newFlavor: newFlavor.id,
        instance: instance.uuid,
        uuid: randomUUID(),
        status,
        type,
        userId: by.userId,
        projectId: by.projectId,
      })
    return Number(lastInsertRowid)
  }

  setDestination(id: number, { host, node }: { host: string; node: string }): void {
    this.#db
      .prepare(
        `UPDATE migrations SET dest_compute = @destHost, dest_node = @destNode, dest_host = ${destinationAddress}, updated_at = @now WHERE id = @id`,
      )
      .run({ id, destHost: host, destNode: node, now: this.#clock.text() })
  }

  /** @returns whether this call moved it. */
  move(id: number, from: readonly MigrationStatus[], to: MigrationStatus): boolean {
    return (
      this.#db
        .prepare('UPDATE migrations SET status = ?, updated_at = ? WHERE id = ? AND status IN (SELECT value FROM json_each(?))')
        .run(to, this.#clock.text(), id, JSON.stringify(from)).changes > 0
    )
  }

  setProgress(id: number, { memory, disk }: CopyProgress): void {
    this.#db
      .prepare(
        `UPDATE migrations SET memory_total = ?, memory_processed = ?, memory_remaining = ?, disk_total = ?, disk_processed = ?, disk_remaining = ?, updated_at = ? WHERE id = ?`,
      )
      .run(memory.total, memory.processed, memory.remaining, disk.total, disk.processed, disk.remaining, this.#clock.text(), id)
  }

  /** @throws {Error} when there is none: ids come from {@link begin}. */
  get(id: number): Migration {
    const found = this.#db.prepare<Migration>(`${select} WHERE id = ?`).get(id)
    if (!found) throw new Error(`there is no migration ${id}`)
    return found
  }

  find(uuid: string): Migration | null {
    return this.#db.prepare<Migration>(`${select} WHERE uuid = ? AND deleted = 0`).get(uuid) ?? null
  }

  /** `null` when the server has no such live migration. */
  findLive(instanceUuid: string, id: number): Migration | null {
    return (
      this.#db
        .prepare<Migration>(`${select} WHERE id = ? AND instance_uuid = ? AND migration_type = 'live-migration' AND deleted = 0`)
        .get(id, instanceUuid) ?? null
    )
  }

  /** The server's latest. */
  latest(instanceUuid: string): Migration | null {
    return this.#db.prepare<Migration>(`${select} WHERE instance_uuid = ? ORDER BY id DESC LIMIT 1`).get(instanceUuid) ?? null
  }

  /** Those that wait since before a time to be confirmed. */
  unconfirmed(before: string): Migration[] {
    return this.#db.prepare<Migration>(`${select} WHERE status = 'finished' AND deleted = 0 AND updated_at <= ? ORDER BY id`).all(before)
  }

  /** The newest first. */
  list(filter: MigrationFilter): Migration[] {
    const where = Object.entries(conditions).flatMap(([name, sql]) => (filter[name as keyof MigrationFilter] === undefined ? [] : [sql]))
    return this.#db.prepare<Migration>(`${select} WHERE ${['deleted = 0', ...where].join(' AND ')} ORDER BY id DESC LIMIT @limit`).all({
      ...filter,
      limit: filter.limit ?? -1,
      ...(filter.hidden === undefined ? {} : { hidden: filter.hidden ? 1 : 0 }),
    })
  }
}
