/**
 * Migrations: moves of servers, seen by administrators and, without the hosts, by a project's managers.
 *
 * @see https://docs.openstack.org/api-ref/compute/#migrations-os-migrations
 */
import { isoMicros } from '../../base/clock.ts'
import { forbidden, invalid } from '../../base/errors.ts'
import { atLeast, field, type Incoming, operation, principalOf, type RequestContext, view } from '../../base/http/index.ts'
import { apiConfig, booleanWord, booleanWords, type Migration } from '../model/index.ts'
import type { NovaApi } from './deps.ts'
import { anyText, type Known, knownQuery, pageNames, pageSize } from './known-query.ts'
import { links, nextLink } from './links.ts'
import { unknownMarker } from './paging.ts'
import { inProgress } from './server-migrations.ts'
import { filterTime } from './times.ts'
import { wrongChoice } from './wrong-query.ts'

type Shown = { record: Migration; showsHosts: boolean }

const since23 = { since: '2.23' }
const hostField =
  (name: 'source_compute' | 'source_node' | 'dest_compute' | 'dest_node' | 'dest_host') =>
  ({ record, showsHosts }: Shown) =>
    showsHosts ? record[name] : null

const migrationView = view<Shown>({
  id: ({ record }) => record.id,
  uuid: field(({ record }) => record.uuid, { since: '2.59' }),
  instance_uuid: ({ record }) => record.instance_uuid,
  status: ({ record }) => record.status,
  migration_type: field(({ record }) => record.migration_type, since23),
  source_compute: hostField('source_compute'),
  source_node: hostField('source_node'),
  dest_compute: hostField('dest_compute'),
  dest_node: hostField('dest_node'),
  dest_host: hostField('dest_host'),
  old_instance_type_id: ({ record }) => record.old_instance_type_id,
  new_instance_type_id: ({ record }) => record.new_instance_type_id,
  created_at: ({ record }) => isoMicros(record.created_at),
  updated_at: ({ record }) => (record.updated_at === null ? null : isoMicros(record.updated_at)),
  links: field(
    ({ record }: Shown, context: RequestContext) =>
      record.migration_type === 'live-migration' && inProgress.includes(record.status)
        ? links(context, `/servers/${record.instance_uuid}/migrations/${record.id}`)
        : undefined,
    since23,
  ),
  user_id: field(({ record }) => record.user_id, { since: '2.80' }),
  project_id: field(({ record }) => record.project_id, { since: '2.80' }),
})

const listQuery = knownQuery(
  {
    '2.1': { hidden: anyText, host: anyText, instance_uuid: anyText, source_compute: anyText, status: anyText, migration_type: anyText },
    '2.59': { ...pageNames, 'changes-since': anyText },
    '2.66': { 'changes-before': anyText },
    '2.80': { user_id: anyText, project_id: anyText },
  },
  '2.59',
)

function hiddenOf({ hidden }: Known): boolean | undefined {
  if (hidden === undefined) return undefined
  const found = booleanWord(hidden)
  if (found === null) throw wrongChoice('hidden', hidden, booleanWords)
  return found
}

const listMigrations = operation({
  method: 'GET',
  path: '/os-migrations',
  status: 200,
  errors: [400, 403],
  policy: 'os_compute_api:os-migrations:index',
  query: listQuery,
  handle: ({ context, query, allows }: Incoming<undefined, Known>, { model, config }: NovaApi) => {
    const own = principalOf(context).projectId ?? ''
    const seesAll = allows('os_compute_api:os-migrations:index:all_projects')
    const showsHosts = allows('os_compute_api:os-migrations:index:host')
    if (!seesAll && query.project_id !== undefined && query.project_id !== own)
      throw forbidden('Only administrators may list the migrations of another project.')
    if (!showsHosts && (query.host !== undefined || query.source_compute !== undefined))
      throw forbidden('Only administrators may look for migrations by host.')
    const [changesSince, changesBefore] = [
      filterTime('changes-since', query['changes-since']),
      filterTime('changes-before', query['changes-before']),
    ]
    if (changesSince !== undefined && changesBefore !== undefined && changesSince > changesBefore)
      throw invalid('The value of changes-since must be less than or equal to changes-before.')
    const marker = query.marker ? model.migrations.find(query.marker) : null
    if (query.marker && (!marker || (!seesAll && marker.project_id !== own))) throw unknownMarker(query.marker)
    const isPaged = atLeast(context, '2.59')
    const limit = pageSize(query, config.get(apiConfig).maxLimit)
    const filter = {
      status: query.status,
      host: query.host,
      sourceCompute: query.source_compute,
      instanceUuid: query.instance_uuid,
      migrationType: query.migration_type,
      hidden: hiddenOf(query),
      userId: query.user_id,
      projectId: seesAll ? query.project_id : own,
      changesSince,
      changesBefore,
      afterId: marker?.id,
      limit: isPaged ? limit : undefined,
    }
    const found = model.migrations.list(Object.fromEntries(Object.entries(filter).filter(([, value]) => value !== undefined)))
    const last = isPaged && found.length === limit ? found.at(-1) : undefined
    return {
      migrations: found.map((record) => migrationView({ record, showsHosts }, context)),
      ...(last ? { migrations_links: [nextLink(context, '/os-migrations', query, last.uuid)] } : {}),
    }
  },
})

export const migrationOperations = [listMigrations]
