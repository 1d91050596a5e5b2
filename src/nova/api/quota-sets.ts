/**
 * Quotas of projects, and of single users in them: `user_id` in the query.
 *
 * @see https://docs.openstack.org/api-ref/compute/#quota-sets-os-quota-sets
 */
import { invalid } from '../../base/errors.ts'
import { as, bodies, closed, type Incoming, operation, type Target, type TSchema, Type } from '../../base/http/index.ts'
import { type Limits, type QuotaResource, quotaResources, type Room } from '../model/index.ts'
import type { NovaApi } from './deps.ts'
import { type Known, knownQuery, noQuery, shortText } from './known-query.ts'
import { requireProject } from './projects.ts'
import { limitProperties, limitsIn, quotaView } from './quotas.ts'
import { anyBoolean, isTrue } from './schemas.ts'

const maxLimit = 0x7fffffff
type Detail = { in_use: number; limit: number; reserved: number }

const limitsView = quotaView<number>('project', -1)
const detailView = quotaView<Detail>('project', { in_use: 0, limit: -1, reserved: 0 })
const userQuery = knownQuery({ '2.1': { user_id: shortText } }, '2.75')

const projectOf = ({ params }: Incoming<unknown, unknown>): string => params.project_id ?? ''
const target = (request: Incoming<unknown, unknown>): Target => ({ projectId: projectOf(request) })

/** Whose quotas: one user's, or with `null` the project's. Users are identity's, which nobody asks: an id of none has quotas too. */
const userOf = ({ query }: Incoming<unknown, Known>): string | null => query.user_id || null

const limitsOf = ({ model }: NovaApi, projectId: string, userId: string | null): Limits =>
  userId === null ? model.quotas.limits(projectId) : model.quotas.limitsOfUser(projectId, userId)

/** How much there is of each resource. Limits on one server, or on one user in all projects, have no use that belongs here. */
function usedOf({ model }: NovaApi, projectId: string, userId: string | null): Record<QuotaResource, number> {
  const none = Object.fromEntries(quotaResources.map((name) => [name, 0])) as Record<QuotaResource, number>
  return { ...none, ...model.quotas.usage(projectId, userId), server_groups: model.serverGroups.count(projectId, userId) }
}

const showQuota = operation({
  method: 'GET',
  path: '/os-quota-sets/{project_id}',
  status: 200,
  errors: [400, 403],
  policy: 'os_compute_api:os-quota-sets:show',
  target,
  query: userQuery,
  handle: (request: Incoming<undefined, Known>, nova: NovaApi) => {
    const id = projectOf(request)
    requireProject(nova, id)
    return { quota_set: { id, ...limitsView(limitsOf(nova, id, userOf(request)), request.context) } }
  },
})

const defaultQuota = operation({
  method: 'GET',
  path: '/os-quota-sets/{project_id}/defaults',
  status: 200,
  errors: [400, 403],
  policy: 'os_compute_api:os-quota-sets:defaults',
  query: noQuery,
  handle: (request: Incoming<undefined, Known>, nova: NovaApi) => {
    const id = projectOf(request)
    requireProject(nova, id)
    return { quota_set: { id, ...limitsView(nova.model.quotas.defaults(), request.context) } }
  },
})

const detailQuota = operation({
  method: 'GET',
  path: '/os-quota-sets/{project_id}/detail',
  status: 200,
  errors: [400, 403],
  policy: 'os_compute_api:os-quota-sets:detail',
  target,
  query: userQuery,
  handle: (request: Incoming<undefined, Known>, nova: NovaApi) => {
    const id = projectOf(request)
    requireProject(nova, id)
    const limits = limitsOf(nova, id, userOf(request))
    const used = usedOf(nova, id, userOf(request))
    const details = Object.fromEntries(
      quotaResources.map((name) => [name, { in_use: used[name], limit: limits[name], reserved: 0 }]),
    ) as Record<QuotaResource, Detail>
    return { quota_set: { id, ...detailView(details, request.context) } }
  },
})

type Update = { limits: Partial<Limits>; force: boolean }

const updateBody = bodies(
  Object.fromEntries(
    Object.entries(limitProperties('project')).map(([since, properties]) => [
      since,
      as<TSchema, Update>(
        Type.Object({ quota_set: Type.Object({ ...properties, force: Type.Optional(anyBoolean) }, closed) }, closed),
        (value) => {
          const { quota_set } = value as { quota_set: Record<string, unknown> }
          return { limits: limitsIn(quota_set), force: isTrue(quota_set.force) }
        },
      ),
    ]),
  ),
)

/** @throws {CloudError} `invalid`; `force` lets a limit be beyond its room. */
function checkLimits({ limits, force }: Update, room: Record<QuotaResource, Room>): void {
  for (const name of quotaResources) {
    const limit = limits[name]
    if (limit === undefined) continue
    if (limit < -1 || limit > maxLimit) throw invalid(`Quota limit ${limit} for ${name} must be in the range of -1 and ${maxLimit}.`)
    if (force) continue
    const { least, most } = room[name]
    const value = limit === -1 ? Infinity : limit
    if (value < least)
      throw invalid(`Quota limit ${limit} for ${name} must be greater than or equal to already used and reserved ${least}.`)
    if (value > most) throw invalid(`Quota limit ${limit} for ${name} must be less than or equal to ${most}.`)
  }
}

const updateQuota = operation({
  method: 'PUT',
  path: '/os-quota-sets/{project_id}',
  status: 200,
  errors: [400, 403],
  policy: 'os_compute_api:os-quota-sets:update',
  target,
  query: userQuery,
  body: updateBody,
  handle: (request: Incoming<Update, Known>, nova: NovaApi) => {
    const id = projectOf(request)
    requireProject(nova, id)
    const userId = userOf(request)
    checkLimits(request.body, nova.model.quotas.settable(id, userId, usedOf(nova, id, userId)))
    if (userId === null) nova.model.quotas.set(id, request.body.limits)
    else nova.model.quotas.setOfUser(id, userId, request.body.limits)
    return { quota_set: limitsView(limitsOf(nova, id, userId), request.context) }
  },
})

const deleteQuota = operation({
  method: 'DELETE',
  path: '/os-quota-sets/{project_id}',
  status: 202,
  errors: [400, 403],
  policy: 'os_compute_api:os-quota-sets:delete',
  target,
  query: userQuery,
  handle: (request: Incoming<undefined, Known>, nova: NovaApi) => {
    const id = projectOf(request)
    requireProject(nova, id)
    const userId = userOf(request)
    if (userId === null) nova.model.quotas.reset(id)
    else nova.model.quotas.resetOfUser(id, userId)
  },
})

export const quotaSetOperations = [showQuota, defaultQuota, detailQuota, updateQuota, deleteQuota]
