/** Which hosts' usage was audited for a period: what the table `task_log` says, whoever wrote it. Times are the database's texts. */
import type { Ground } from '../../base/ground.ts'

export type AuditTask = { host: string; state: string; message: string; items: number; errors: number }

export class AuditLog {
  readonly #db: Ground['db']

  constructor({ db }: Pick<Ground, 'db'>) {
    this.#db = db
  }

  tasks(beginning: string, ending: string): AuditTask[] {
    return this.#db
      .prepare<AuditTask>(
        `SELECT host, state, message, coalesce(task_items, 0) AS items, coalesce(errors, 0) AS errors FROM task_log
         WHERE task_name = 'instance_usage_audit' AND period_beginning = ? AND period_ending = ? ORDER BY host`,
      )
      .all(beginning, ending)
  }
}
