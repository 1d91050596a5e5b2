/** File shares that servers mount: each under a tag by which the guest finds it, once a server. */
import type { Ground } from '../../base/ground.ts'

export type ShareMapping = {
  readonly id: number
  readonly uuid: string
  readonly shareId: string
  readonly status: string
  readonly tag: string
  readonly exportLocation: string
}

const columns = 'id, uuid, share_id AS shareId, status, tag, export_location AS exportLocation'

export class Shares {
  readonly #db: Ground['db']

  constructor({ db }: Pick<Ground, 'db'>) {
    this.#db = db
  }

  list(instanceUuid: string): ShareMapping[] {
    return this.#db.prepare<ShareMapping>(`SELECT ${columns} FROM share_mapping WHERE instance_uuid = ? ORDER BY id`).all(instanceUuid)
  }

  find(instanceUuid: string, shareId: string): ShareMapping | null {
    return (
      this.#db
        .prepare<ShareMapping>(`SELECT ${columns} FROM share_mapping WHERE instance_uuid = ? AND share_id = ?`)
        .get(instanceUuid, shareId) ?? null
    )
  }

  /** The table knows no soft delete. */
  remove({ id }: ShareMapping): void {
    this.#db.prepare('DELETE FROM share_mapping WHERE id = ?').run(id)
  }
}
