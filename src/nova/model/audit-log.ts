/** Which hosts' usage was audited for a period: what the table `task_log` says, whoever wrote it. Times are the database's texts. */
import type { Ground } from '../../base/ground.ts'

export type AuditTask = { host: string; state: string; message: string; items: number; errors: number }

export class AuditLog {
  readonly #db: Ground['db']
  readonly #clock: Ground['clock']

  constructor({ db, clock }: Pick<Ground, 'db' | 'clock'>) {
    this.#db = db
    this.#clock = clock
  }

  tasks(beginning: string, ending: string): AuditTask[] {
    return this.#db
      .prepare<AuditTask>(
        `SELECT host, state, message, coalesce(task_items, 0) AS items, coalesce(errors, 0) AS errors FROM task_log
         WHERE task_name = 'instance_usage_audit' AND period_beginning = ? AND period_ending = ? ORDER BY host`,
      )
      .all(beginning, ending)
  }

  write({ host, state, message, items, errors }: AuditTask, beginning: string, ending: string): void {
    const now = this.#clock.text()
    this.#db
      .prepare(
        `INSERT INTO task_log (created_at, updated_at, deleted, task_name, state, host, period_beginning, period_ending, message, task_items, errors)
         VALUES (?, ?, 0, 'instance_usage_audit', ?, ?, ?, ?, ?, ?, ?)`,
      )
      .run(now, now, state, host, beginning, ending, message.slice(0, 255), items, errors)
  }
}
