/**
 * A server's live migrations while they go on: how far they are, and an end to them.
 *
 * @see https://docs.openstack.org/api-ref/compute/#server-migrations-servers-migrations
 */
import { isoMicros } from '../../base/clock.ts'
import { notFound } from '../../base/errors.ts'
import { as, atLeast, bodies, closed, field, type Incoming, operation, Type, view } from '../../base/http/index.ts'
import type { Migration, MigrationStatus } from '../model/index.ts'
import { callerOf, type NovaApi } from './deps.ts'
import { type Known, noQuery } from './known-query.ts'
import { serverOf } from './servers.ts'

/** Before, nothing is known of where it goes; afterwards it is history, which `os-migrations` tells. */
export const inProgress: readonly MigrationStatus[] = ['queued', 'preparing', 'running', 'post-migrating']

type Shown = { migration: Migration; showsHosts: boolean }
const hostField =
  (name: 'source_compute' | 'source_node' | 'dest_compute' | 'dest_node' | 'dest_host') =>
  ({ migration, showsHosts }: Shown) =>
    showsHosts ? migration[name] : null

const migrationView = view<Shown>({
  id: ({ migration }) => migration.id,
  uuid: field(({ migration }) => migration.uuid, { since: '2.59' }),
  server_uuid: ({ migration }) => migration.instance_uuid,
  status: ({ migration }) => migration.status,
  source_compute: hostField('source_compute'),
  source_node: hostField('source_node'),
  dest_compute: hostField('dest_compute'),
  dest_node: hostField('dest_node'),
  dest_host: hostField('dest_host'),
  memory_total_bytes: ({ migration }) => migration.memory_total,
  memory_processed_bytes: ({ migration }) => migration.memory_processed,
  memory_remaining_bytes: ({ migration }) => migration.memory_remaining,
  disk_total_bytes: ({ migration }) => migration.disk_total,
  disk_processed_bytes: ({ migration }) => migration.disk_processed,
  disk_remaining_bytes: ({ migration }) => migration.disk_remaining,
  created_at: ({ migration }) => isoMicros(migration.created_at),
  updated_at: ({ migration }) => (migration.updated_at === null ? null : isoMicros(migration.updated_at)),
  user_id: field(({ migration }) => migration.user_id, { since: '2.80' }),
  project_id: field(({ migration }) => migration.project_id, { since: '2.80' }),
})

const one = '/servers/{server_id}/migrations/{migration_id}'
/** What is no number names no migration. */
const idOf = ({ params }: Pick<Incoming, 'params'>): number =>
  /^\d{1,15}$/.test(params.migration_id ?? '') ? Number(params.migration_id) : 0

const list = operation({
  method: 'GET',
  path: '/servers/{server_id}/migrations',
  since: '2.23',
  status: 200,
  errors: [400, 403, 404],
  policy: 'os_compute_api:servers:migrations:index',
  query: noQuery,
  handle: (request: Incoming<undefined, Known>, nova: NovaApi) => {
    const { uuid } = serverOf(request, nova)
    const showsHosts = request.allows('os_compute_api:servers:migrations:index:host')
    const found = nova.model.migrations.list({ instanceUuid: uuid, migrationType: 'live-migration' })
    const migrations = found.filter(({ status }) => inProgress.includes(status))
    return { migrations: migrations.map((migration) => migrationView({ migration, showsHosts }, request.context)) }
  },
})

const show = operation({
  method: 'GET',
  path: one,
  since: '2.23',
  status: 200,
  errors: [400, 403, 404],
  policy: 'os_compute_api:servers:migrations:show',
  query: noQuery,
  handle: (request: Incoming<undefined, Known>, nova: NovaApi) => {
    const { uuid } = serverOf(request, nova)
    const migration = nova.model.migrations.findLive(uuid, idOf(request))
    if (!migration) throw notFound(`In-progress live migration ${request.params.migration_id} is not found for server ${uuid}.`)
    if (!inProgress.includes(migration.status)) throw notFound(`Live migration ${migration.id} for server ${uuid} is not in progress.`)
    return { migration: migrationView({ migration, showsHosts: true }, request.context) }
  },
})

const abort = operation({
  method: 'DELETE',
  path: one,
  since: '2.24',
  status: 202,
  errors: [400, 403, 404, 409],
  policy: 'os_compute_api:servers:migrations:delete',
  handle: (request: Incoming, nova: NovaApi) => {
    const from: MigrationStatus[] = atLeast(request.context, '2.65') ? ['queued', 'preparing', 'running'] : ['running']
    nova.conductor.live.abort(serverOf(request, nova), idOf(request), callerOf(request.context), { from })
    return undefined
  },
})

const forceComplete = operation({
  method: 'POST',
  path: `${one}/action`,
  action: 'force_complete',
  since: '2.22',
  status: 202,
  errors: [400, 403, 404, 409],
  policy: 'os_compute_api:servers:migrations:force_complete',
  body: bodies<null>({ '2.1': as(Type.Object({ force_complete: Type.Null() }, closed), () => null) }),
  handle: async (request, nova: NovaApi) => {
    await nova.conductor.live.forceComplete(serverOf(request, nova), idOf(request), callerOf(request.context))
    return undefined
  },
})

export const serverMigrationOperations = [list, show, abort, forceComplete]
