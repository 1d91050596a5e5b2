/**
 * Consumers: who holds allocations, usually a server (type `INSTANCE`) or a migration. One exists for as long as it holds any.
 *
 * @see https://docs.openstack.org/api-ref/placement/#allocations
 */
import { conflict } from '../base/errors.ts'
import { codes, type Store } from './store.ts'

export type ConsumerSpec = {
  uuid: string
  projectId: string
  userId: string
  /** Undefined leaves the type as it is; without one a consumer's type reads `unknown`. */
  type?: string | undefined
  /** Which generation the writer saw: null for a consumer that shouldn't exist yet, undefined when it doesn't say. */
  generation?: number | null | undefined
}

export type Consumer = {
  id: number
  uuid: string
  generation: number
  project_id: string
  user_id: string
  type: string | null
  created_at: string
  updated_at: string | null
}

export const findConsumer = ({ db }: Store, uuid: string): Consumer | undefined =>
  db
    .prepare<Consumer>(
      `SELECT c.id, c.uuid, c.generation, p.external_id AS project_id, u.external_id AS user_id, t.name AS type, c.created_at, c.updated_at
       FROM consumers c JOIN projects p ON p.id = c.project_id JOIN users u ON u.id = c.user_id
       LEFT JOIN consumer_types t ON t.id = c.consumer_type_id WHERE c.uuid = ?`,
    )
    .get(uuid)

/** @throws {CloudError} `conflict` when the consumer isn't as the writer saw it. */
export function checkConsumerGeneration(present: Consumer | undefined, { uuid, generation }: ConsumerSpec): void {
  if (generation === undefined) return
  const actual = present?.generation ?? null
  if (actual !== generation) {
    throw conflict(`consumer generation conflict - expected ${actual ?? 'null'} but got ${generation ?? 'null'} for consumer ${uuid}`, {
      code: codes.concurrentUpdate,
    })
  }
}

type NameTable = 'projects' | 'users' | 'consumer_types'
const nameColumn = { projects: 'external_id', users: 'external_id', consumer_types: 'name' } as const

function ensureName({ db, clock }: Store, table: NameTable, name: string): number {
  return Number(
    db.prepare(`INSERT INTO ${table} (created_at, updated_at, ${nameColumn[table]}) VALUES (?, ?, ?)`).run(clock.text(), clock.text(), name)
      .lastInsertRowid,
  )
}

/** The rows that a consumer points to; one query when all are there, which they are but for a project's or user's first. */
function idsOf(store: Store, { projectId, userId, type }: ConsumerSpec) {
  const found = store.db
    .prepare<{ project: number | null; user: number | null; type: number | null }>(
      `SELECT (SELECT id FROM projects WHERE external_id = ?) AS project, (SELECT id FROM users WHERE external_id = ?) AS user,
         (SELECT id FROM consumer_types WHERE name = ?) AS type`,
    )
    .get(projectId, userId, type ?? null)
  return {
    project: found?.project ?? ensureName(store, 'projects', projectId),
    user: found?.user ?? ensureName(store, 'users', userId),
    type: type === undefined ? null : (found?.type ?? ensureName(store, 'consumer_types', type)),
  }
}

/** Creates the consumer, or moves its generation on and sets project, user and (if given) type. */
export function writeConsumer(store: Store, present: Consumer | undefined, spec: ConsumerSpec): void {
  const { db, clock } = store
  const ids = idsOf(store, spec)
  if (present) {
    db.prepare(
      `UPDATE consumers SET generation = generation + 1, updated_at = ?, project_id = ?, user_id = ?,
         consumer_type_id = coalesce(?, consumer_type_id) WHERE id = ?`,
    ).run(clock.text(), ids.project, ids.user, ids.type, present.id)
  } else {
    db.prepare(
      'INSERT INTO consumers (created_at, updated_at, uuid, project_id, user_id, consumer_type_id, generation) VALUES (?, ?, ?, ?, ?, ?, 1)',
    ).run(clock.text(), clock.text(), spec.uuid, ids.project, ids.user, ids.type)
  }
}

export const deleteConsumer = ({ db }: Store, uuid: string): void => {
  db.prepare('DELETE FROM consumers WHERE uuid = ?').run(uuid)
}
