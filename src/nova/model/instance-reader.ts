/**
 * Reads instances, and keeps them as they were last read: whoever asks gets the same object, until something of it is
 * written. Clients poll; what has not changed since they last asked is neither read nor made anew, nor written as JSON.
 *
 * Nothing is forgotten to be forgotten: the database itself tells of every row that this process writes, by whatever
 * statement, and whether another process has written anything. What a transaction reads after its own writes is not kept,
 * since it may be rolled back.
 */
import { LRUCache } from 'lru-cache'
import type { Database } from '../../base/db/index.ts'
import type { Instance } from './instance.ts'
import { instanceColumns, instanceJoins, type Row, toInstance } from './instance-rows.ts'

/** Where an instance is made of, and the column that names it there. */
const sources = [
  ['instances', 'uuid'],
  ['instance_extra', 'instance_uuid'],
  ['instance_info_caches', 'instance_uuid'],
  ['instance_metadata', 'instance_uuid'],
  ['instance_system_metadata', 'instance_uuid'],
  ['instance_faults', 'instance_uuid'],
  ['request_specs', 'instance_uuid'],
  ['tags', 'resource_id'],
] as const

/** Some 5 KiB each. */
const maxKept = 2000

export class InstanceReader {
  readonly #db: Database
  readonly #kept = new LRUCache<string, Instance>({ max: maxKept })
  #othersWrote = 0

  constructor(db: Database) {
    this.#db = db
    for (const [table, column] of sources) db.onWrite(table, column, (uuid) => this.#kept.delete(String(uuid)))
  }

  /** The instance of this uuid, also one that is deleted. */
  find(uuid: string): Instance | null {
    this.#forgetIfOthersWrote()
    const kept = this.#kept.get(uuid)
    if (kept) return kept
    const row = this.#db.prepare<Row>(`SELECT ${instanceColumns} ${instanceJoins} WHERE i.uuid = ?`).get(uuid)
    return row ? this.#made(row) : null
  }

  /** In the order of `uuids`, without those that there are not; two queries at most. */
  read(uuids: readonly string[]): Instance[] {
    this.#forgetIfOthersWrote()
    const found = new Map<string, Instance>()
    const missing: string[] = []
    for (const uuid of uuids) {
      const kept = this.#kept.get(uuid)
      if (kept) found.set(uuid, kept)
      else missing.push(uuid)
    }
    if (missing.length > 0) {
      const sql = `SELECT ${instanceColumns} ${instanceJoins} WHERE i.uuid IN (SELECT value FROM json_each(?))`
      for (const row of this.#db.prepare<Row>(sql).all(JSON.stringify(missing))) found.set(row.uuid, this.#made(row))
    }
    return uuids.flatMap((uuid) => found.get(uuid) ?? [])
  }

  #made(row: Row): Instance {
    const instance = toInstance(row)
    if (!this.#db.inTransaction) this.#kept.set(instance.uuid, instance)
    return instance
  }

  #forgetIfOthersWrote(): void {
    const now = this.#db.othersWrote
    if (now !== this.#othersWrote) this.#kept.clear()
    this.#othersWrote = now
  }
}
