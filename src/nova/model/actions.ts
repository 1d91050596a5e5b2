/**
 * Instance actions: what was asked of a server, by whom, and how each step of it ended. Users read `message`;
 * `details` and `traceback` of a failed step are for administrators.
 *
 * @see https://docs.openstack.org/api-ref/compute/#servers-actions-servers-os-instance-actions
 */
import type { Ground } from '../../base/ground.ts'

export type InstanceAction = {
  id: number
  action: string
  instanceUuid: string
  requestId: string
  userId: string | null
  projectId: string | null
  startTime: string
  finishTime: string | null
  updatedAt: string | null
  message: string | null
}

export type InstanceActionEvent = {
  event: string
  startTime: string
  finishTime: string | null
  result: 'Success' | 'Error' | null
  traceback: string | null
  host: string | null
  details: string | null
}

const columns = `id, action, instance_uuid AS instanceUuid, request_id AS requestId, user_id AS userId, project_id AS projectId,
  start_time AS startTime, finish_time AS finishTime, updated_at AS updatedAt, message`

export type ActionPage = { limit?: number; afterId?: number; changesSince?: string; changesBefore?: string }

export class InstanceActions {
  readonly #db: Ground['db']
  readonly #clock: Ground['clock']

  constructor({ db, clock }: Pick<Ground, 'db' | 'clock'>) {
    this.#db = db
    this.#clock = clock
  }

  begin(action: string, instanceUuid: string, by: { requestId: string; userId: string | null; projectId: string | null }): void {
    const now = this.#clock.text()
    this.#db
      .prepare(
        'INSERT INTO instance_actions (created_at, updated_at, action, instance_uuid, request_id, user_id, project_id, start_time, deleted) VALUES (?, ?, ?, ?, ?, ?, ?, ?, 0)',
      )
      .run(now, now, action, instanceUuid, by.requestId, by.userId, by.projectId, now)
  }

  /** Ends the action; with a message when it failed. */
  finish(instanceUuid: string, requestId: string, message: string | null = null): void {
    const now = this.#clock.text()
    this.#db
      .prepare(
        'UPDATE instance_actions SET finish_time = ?, updated_at = ?, message = coalesce(?, message) WHERE instance_uuid = ? AND request_id = ?',
      )
      .run(now, now, message, instanceUuid, requestId)
  }

  /** Ends what has no end yet: another request has taken the instance over. */
  supersede(instanceUuid: string): void {
    this.#endOpen('instance_uuid = @of', instanceUuid)
  }

  /** Ends what has no end yet and is none of these requests': nobody works on it any more. */
  endForgotten(requestIds: readonly string[]): void {
    this.#endOpen('request_id NOT IN (SELECT value FROM json_each(@of))', JSON.stringify(requestIds))
  }

  /** Actions and their events. */
  #endOpen(which: string, of: string): void {
    const now = this.#clock.text()
    const open = `finish_time IS NULL AND ${which}`
    this.#db
      .prepare(
        `UPDATE instance_actions_events SET finish_time = @now, updated_at = @now, result = 'Error' WHERE finish_time IS NULL
         AND action_id IN (SELECT id FROM instance_actions WHERE ${open})`,
      )
      .run({ now, of })
    this.#db.prepare(`UPDATE instance_actions SET finish_time = @now, updated_at = @now, message = 'Error' WHERE ${open}`).run({ now, of })
  }

  /**
   * An event begins; one that is open still, because an earlier step or an earlier life of the process began it, goes on.
   * @returns its id; `null` for a request that has no action.
   */
  openEvent(instanceUuid: string, requestId: string, event: string, host: string | null): number | null {
    const action = this.find(instanceUuid, requestId)
    if (!action) return null
    const open = this.#db
      .prepare<{ id: number }>(
        'SELECT id FROM instance_actions_events WHERE action_id = ? AND event = ? AND host IS ? AND finish_time IS NULL',
      )
      .get(action.id, event, host)
    if (open) return open.id
    const now = this.#clock.text()
    const { lastInsertRowid } = this.#db
      .prepare(
        `INSERT INTO instance_actions_events (created_at, updated_at, event, action_id, start_time, host, deleted)
         VALUES (?, ?, ?, ?, ?, ?, 0)`,
      )
      .run(now, now, event, action.id, now, host)
    return Number(lastInsertRowid)
  }

  /** An event ends; with its failure when it failed. */
  closeEvent(id: number, failure: { traceback: string | null; details: string } | null = null): void {
    const now = this.#clock.text()
    this.#db
      .prepare('UPDATE instance_actions_events SET finish_time = ?, updated_at = ?, result = ?, traceback = ?, details = ? WHERE id = ?')
      .run(now, now, failure ? 'Error' : 'Success', failure?.traceback ?? null, failure?.details ?? null, id)
  }

  /** Newest first. */
  list(instanceUuid: string, { limit = -1, afterId, changesSince, changesBefore }: ActionPage = {}): InstanceAction[] {
    return this.#db
      .prepare<InstanceAction>(
        `SELECT ${columns} FROM instance_actions WHERE instance_uuid = @instanceUuid AND (@afterId IS NULL OR id < @afterId)
         AND (@since IS NULL OR updated_at >= @since) AND (@before IS NULL OR updated_at <= @before) ORDER BY id DESC LIMIT @limit`,
      )
      .all({ instanceUuid, limit, afterId: afterId ?? null, since: changesSince ?? null, before: changesBefore ?? null })
  }

  find(instanceUuid: string, requestId: string): InstanceAction | null {
    return (
      this.#db
        .prepare<InstanceAction>(
          `SELECT ${columns} FROM instance_actions WHERE instance_uuid = ? AND request_id = ? ORDER BY id DESC LIMIT 1`,
        )
        .get(instanceUuid, requestId) ?? null
    )
  }

  /** Newest first. */
  events(actionId: number): InstanceActionEvent[] {
    return this.#db
      .prepare<InstanceActionEvent>(
        `SELECT event, start_time AS startTime, finish_time AS finishTime, result, traceback, host, details FROM instance_actions_events WHERE action_id = ? ORDER BY id DESC`,
      )
      .all(actionId)
  }
}
