/** Migrations as an administrator lists them: a page of the newest, by what they have in common. */
import type { Ground } from '../../base/ground.ts'

export type MigrationRecord = {
  readonly id: number
  readonly uuid: string
  readonly created_at: string
  readonly updated_at: string | null
  readonly source_compute: string | null
  readonly source_node: string | null
  readonly dest_compute: string | null
  readonly dest_node: string | null
  readonly dest_host: string | null
  readonly old_instance_type_id: number | null
  readonly new_instance_type_id: number | null
  readonly instance_uuid: string
  readonly status: string
  readonly migration_type: string
  readonly user_id: string | null
  readonly project_id: string | null
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

const columns =
  'id, uuid, created_at, updated_at, source_compute, source_node, dest_compute, dest_node, dest_host, old_instance_type_id, new_instance_type_id, instance_uuid, status, migration_type, user_id, project_id'

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

export class MigrationList {
  readonly #db: Ground['db']

  constructor({ db }: Pick<Ground, 'db'>) {
    this.#db = db
  }

  find(uuid: string): MigrationRecord | null {
    return this.#db.prepare<MigrationRecord>(`SELECT ${columns} FROM migrations WHERE uuid = ? AND deleted = 0`).get(uuid) ?? null
  }

  /** The newest first. */
  list(filter: MigrationFilter): MigrationRecord[] {
    const where = Object.entries(conditions).flatMap(([name, sql]) => (filter[name as keyof MigrationFilter] === undefined ? [] : [sql]))
    return this.#db
      .prepare<MigrationRecord>(
        `SELECT ${columns} FROM migrations WHERE ${['deleted = 0', ...where].join(' AND ')} ORDER BY id DESC LIMIT @limit`,
      )
      .all({
        ...filter,
        limit: filter.limit ?? -1,
        ...(filter.hidden === undefined ? {} : { hidden: filter.hidden ? 1 : 0 }),
      })
  }
}
