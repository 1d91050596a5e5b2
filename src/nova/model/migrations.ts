/**
 * Migrations: moves of servers between hosts or sizes. A status moves by compare-and-set, which keeps two requests from
 * ending the same one.
 *
 * @see https://docs.openstack.org/api-ref/compute/#migrations-os-migrations
 */
import { randomUUID } from 'node:crypto'
import type { Ground } from '../../base/ground.ts'
import type { Flavor } from './flavors.ts'
import type { Instance } from './instance.ts'

export type MigrationType = 'migration' | 'resize' | 'live-migration' | 'evacuation'
export type MigrationStatus = 'pre-migrating' | 'migrating' | 'finished' | 'confirming' | 'confirmed' | 'reverting' | 'reverted' | 'error'
export type Migration = { id: number; uuid: string; instanceUuid: string; status: MigrationStatus; type: MigrationType }

export type NewMigration = {
  instance: Instance
  type: MigrationType
  newFlavor: Flavor
  destination: { host: string; node: string | null }
  by: { userId: string | null; projectId: string | null }
}

export class Migrations {
  readonly #db: Ground['db']
  readonly #clock: Ground['clock']

  constructor({ db, clock }: Pick<Ground, 'db' | 'clock'>) {
    this.#db = db
    this.#clock = clock
  }

  /** In the transaction that begins the move. */
  begin({ instance, type, newFlavor, destination, by }: NewMigration): number {
    const now = this.#clock.text()
    const { lastInsertRowid } = this.#db
      .prepare(
        `INSERT INTO migrations (created_at, updated_at, deleted, source_compute, source_node, dest_compute, dest_node, old_instance_type_id, new_instance_type_id,
         instance_uuid, uuid, status, migration_type, hidden, cross_cell_move, user_id, project_id)
         VALUES (@now, @now, 0, @host, @node, @destHost, @destNode, @oldFlavor, @newFlavor, @instance, @uuid, 'pre-migrating', @type, 0, 0, @userId, @projectId)`,
      )
      .run({
        now,
        host: instance.host,
        node: instance.node,
        destHost: destination.host,
        destNode: destination.node,
        oldFlavor: instance.flavor.id,
        newFlavor: newFlavor.id,
        instance: instance.uuid,
        uuid: randomUUID(),
        type,
        userId: by.userId,
        projectId: by.projectId,
      })
    return Number(lastInsertRowid)
  }

  /** @returns whether this call moved it. */
  move(id: number, from: readonly MigrationStatus[], to: MigrationStatus): boolean {
    return (
      this.#db
        .prepare('UPDATE migrations SET status = ?, updated_at = ? WHERE id = ? AND status IN (SELECT value FROM json_each(?))')
        .run(to, this.#clock.text(), id, JSON.stringify(from)).changes > 0
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
}

const select = 'SELECT id, uuid, instance_uuid AS instanceUuid, status, migration_type AS type FROM migrations'
