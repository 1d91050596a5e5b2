/**
 * Integers behind the EC2 form of an id (`i-0000000a`, `ami-00000003`): made at the first question, never given twice.
 *
 * @see https://docs.openstack.org/nova/latest/user/metadata.html#ec2-compatible-metadata
 */
import type { Ground } from '../../base/ground.ts'

type Table = 'instance_id_mappings' | 's3_images'

export class Ec2Ids {
  readonly #db: Ground['db']
  readonly #clock: Ground['clock']

  constructor({ db, clock }: Pick<Ground, 'db' | 'clock'>) {
    this.#db = db
    this.#clock = clock
  }

  ofInstance(uuid: string): number {
    return this.#idOf('instance_id_mappings', uuid)
  }

  /** Of an image, a kernel or a ramdisk alike. */
  ofImage(uuid: string): number {
    return this.#idOf('s3_images', uuid)
  }

  #idOf(table: Table, uuid: string): number {
    return this.#db.transaction(() => {
      const found = this.#db.prepare<{ id: number }>(`SELECT id FROM ${table} WHERE uuid = ? ORDER BY id LIMIT 1`).get(uuid)
      if (found) return found.id
      const { lastInsertRowid } = this.#db
        .prepare(`INSERT INTO ${table} (created_at, deleted, uuid) VALUES (?, 0, ?)`)
        .run(this.#clock.text(), uuid)
      return Number(lastInsertRowid)
    })
  }
}
