/**
 * Server groups: which servers keep together or apart. One policy each; from 2.64 with a rule, and without the metadata
 * that nothing ever used.
 *
 * @see https://docs.openstack.org/api-ref/compute/#server-groups-os-server-groups
 */
import { invalid } from '../../base/errors.ts'
import { as, bodies, closed, field, type Incoming, operation, principalOf, type TSchema, Type, view } from '../../base/http/index.ts'
import { apiConfig, type GroupPolicy, type ServerGroup } from '../model/index.ts'
import { type NovaApi, viewerOf } from './deps.ts'
import { anyText, type Known, knownQuery, noQuery, pageSize, wholeNumber } from './known-query.ts'
import { serverName } from './schemas.ts'
import { wrongQuery } from './wrong-query.ts'

const untilRules = { until: '2.63' }
const sinceRules = { since: '2.64' }
const sinceOwner = { since: '2.13' }

const groupView = view<ServerGroup>({
  id: ({ uuid }) => uuid,
  name: ({ name }) => name,
  policies: field(({ policy }) => [policy], untilRules),
  policy: field(({ policy }) => policy, sinceRules),
  rules: field(({ maxServerPerHost }) => (maxServerPerHost === null ? {} : { max_server_per_host: maxServerPerHost }), sinceRules),
  members: ({ members }) => members,
  metadata: field(() => ({}), untilRules),
  project_id: field(({ projectId }) => projectId, sinceOwner),
  user_id: field(({ userId }) => userId, sinceOwner),
})

const groupIn = ({ params, context }: Incoming<unknown, unknown>, { model }: NovaApi): ServerGroup =>
  model.serverGroups.get(params.server_group_id ?? '', viewerOf(context))

const maxOffset = 0x7fffffff

const listGroups = operation({
  method: 'GET',
  path: '/os-server-groups',
  status: 200,
  errors: [400, 403],
  policy: 'os_compute_api:os-server-groups:index',
  query: knownQuery({ '2.1': { all_projects: anyText, limit: wholeNumber, offset: wholeNumber } }, '2.75'),
  handle: ({ context, query, allows }: Incoming<undefined, Known>, { model, config }: NovaApi) => {
    const isAll = query.all_projects !== undefined && allows('os_compute_api:os-server-groups:index:all_projects')
    const limit = pageSize(query, config.get(apiConfig).maxLimit)
    const offset = Number(query.offset ?? 0)
    if (!(offset <= maxOffset)) throw wrongQuery('offset', query.offset ?? '', `is greater than the maximum of ${maxOffset}`)
    const projectId = isAll ? null : (principalOf(context).projectId ?? '')
    return { server_groups: model.serverGroups.list(projectId, { limit, offset }).map((group) => groupView(group, context)) }
  },
})

const showGroup = operation({
  method: 'GET',
  path: '/os-server-groups/{server_group_id}',
  status: 200,
  errors: [400, 403, 404],
  policy: 'os_compute_api:os-server-groups:show',
  query: noQuery,
  handle: (request: Incoming<undefined, Known>, nova: NovaApi) => ({ server_group: groupView(groupIn(request, nova), request.context) }),
})

type Asked = { name: string; policy: GroupPolicy; maxServerPerHost: number | null }

const policyWord = (...words: GroupPolicy[]) => Type.Unsafe<GroupPolicy>({ type: 'string', enum: words })
const hard = policyWord('anti-affinity', 'affinity')
const all = policyWord('anti-affinity', 'affinity', 'soft-anti-affinity', 'soft-affinity')
const wrapped = (properties: Record<string, TSchema>) => Type.Object({ server_group: Type.Object(properties, closed) }, closed)
const inList = (policy: TSchema) =>
  as<TSchema, Asked>(wrapped({ name: serverName, policies: Type.Array(policy, { minItems: 1, maxItems: 1 }) }), (body) => {
    const { name, policies } = (body as { server_group: { name: string; policies: GroupPolicy[] } }).server_group
    return { name, policy: policies[0] as GroupPolicy, maxServerPerHost: null }
  })

const positive = Type.Unsafe<number | string>({ type: ['integer', 'string'], pattern: '^0*[1-9][0-9]{0,8}$', minimum: 1 })
const rules = Type.Object({ max_server_per_host: Type.Optional(positive) }, closed)
type Ruled = { server_group: { name: string; policy: GroupPolicy; rules?: { max_server_per_host?: number | string } } }

const withRules = as<TSchema, Asked>(wrapped({ name: serverName, policy: all, rules: Type.Optional(rules) }), (body) => {
  const { name, policy, rules: given = {} } = (body as Ruled).server_group
  const { max_server_per_host: most } = given
  if (Object.keys(given).length > 0 && policy !== 'anti-affinity') throw invalid('Only anti-affinity policy supports rules.')
  return { name, policy, maxServerPerHost: most === undefined ? null : Number(most) }
})

const createGroup = operation({
  method: 'POST',
  path: '/os-server-groups',
  status: 200,
  errors: [400, 403, 409],
  policy: 'os_compute_api:os-server-groups:create',
  body: bodies({ '2.1': inList(hard), '2.15': inList(all), '2.64': withRules }),
  handle: ({ body, context }: Incoming<Asked>, { model }: NovaApi) => {
    const { projectId, userId } = principalOf(context)
    return { server_group: groupView(model.serverGroups.create({ ...body, projectId: projectId ?? '', userId }), context) }
  },
})

const deleteGroup = operation({
  method: 'DELETE',
  path: '/os-server-groups/{server_group_id}',
  status: 204,
  errors: [403, 404],
  policy: 'os_compute_api:os-server-groups:delete',
  handle: (request: Incoming, nova: NovaApi) => nova.model.serverGroups.remove(groupIn(request, nova)),
})

export const serverGroupOperations = [listGroups, createGroup, showGroup, deleteGroup]
