/** `/quotas`. @see https://docs.openstack.org/api-ref/network/v2/#quotas-extension-quotas */
import { type AnyOperation, operation, type Parser, principalOf } from '../../base/http/index.ts'
import { badRequest } from '../errors.ts'
import { type Limits, limitsOf, projectsWithLimits, quotaResources, resetLimits, setLimits, usedOf } from '../quotas.ts'
import type { QuotaResource, Store } from '../store.ts'
import { permit, type Request } from './resource.ts'
import type { ApiDeps } from './service.ts'

/** Limits of what this cloud doesn't have: nothing is there, so nothing is refused. */
const absent = { rbac_policy: -1, subnetpool: -1 }

const projectOf = (request: Request): string => request.params.project_id ?? ''

/** @throws {CloudError} `forbidden`. */
const permitted = (request: Request): string => {
  permit(request, 'get_quota', projectOf(request))
  return projectOf(request)
}

/** @throws {CloudError} `invalid` for what is no quota. */
const limitsBody: Parser<Partial<Limits> & { force: boolean; check: boolean }> = (body) => {
  const quota = (typeof body === 'object' && body !== null ? (body as Record<string, unknown>).quota : undefined) as unknown
  if (typeof quota !== 'object' || quota === null || Array.isArray(quota)) throw badRequest("Unable to find 'quota' in request body")
  const {
    force = false,
    check_limit: check = false,
    tenant_id: _tenant,
    project_id: _project,
    ...limits
  } = quota as Record<string, unknown>
  const given: Partial<Limits> = {}
  for (const [resource, value] of Object.entries(limits)) {
    const number = typeof value === 'string' && /^-?\d{1,10}$/.test(value) ? Number(value) : value
    if (!quotaResources.includes(resource as QuotaResource) && !Object.hasOwn(absent, resource))
      throw badRequest(`Unrecognized attribute(s) '${resource.slice(0, 64)}'`)
    if (typeof number !== 'number' || !Number.isInteger(number) || number < -1 || number > 2_147_483_647)
      throw badRequest(`Invalid input for ${resource}. Reason: '${String(value).slice(0, 64)}' is not an integer from -1 to 2147483647.`)
    if (quotaResources.includes(resource as QuotaResource)) given[resource as QuotaResource] = number
  }
  return { ...given, force: force === true, check: check === true }
}

const shown = (limits: Limits) => ({ ...Object.fromEntries(quotaResources.map((resource) => [resource, limits[resource]])), ...absent })

const details = (store: Store, projectId: string) => {
  const limits = limitsOf(store, projectId)
  const known = quotaResources.map((resource) => [
    resource,
    { limit: limits[resource], used: usedOf(store, resource, projectId), reserved: 0 },
  ])
  return {
    ...Object.fromEntries(known),
    ...Object.fromEntries(Object.keys(absent).map((resource) => [resource, { limit: -1, used: 0, reserved: 0 }])),
  }
}

const common = { status: 200, errors: [403], policy: null }

const list = operation<ApiDeps>({
  method: 'GET',
  path: '/quotas',
  ...common,
  handle: (request, { store }) => {
    permit(request, 'update_quota', null)
    return { quotas: projectsWithLimits(store).map((id) => ({ project_id: id, tenant_id: id, ...shown(limitsOf(store, id)) })) }
  },
})
const tenant = operation<ApiDeps>({
  method: 'GET',
  path: '/quotas/tenant',
  ...common,
  handle: ({ context }) => ({ tenant: { tenant_id: principalOf(context).projectId, project_id: principalOf(context).projectId } }),
})
const show = operation<ApiDeps>({
  method: 'GET',
  path: '/quotas/{project_id}',
  ...common,
  handle: (request, { store }) => ({ quota: shown(limitsOf(store, permitted(request))) }),
})
const defaults = operation<ApiDeps>({
  method: 'GET',
  path: '/quotas/{project_id}/default',
  ...common,
  handle: (request, { store }) => {
    permitted(request)
    return { quota: shown(store.quotaDefaults) }
  },
})
const detailsAt = (path: string) =>
  operation<ApiDeps>({ method: 'GET', path, ...common, handle: (request, { store }) => ({ quota: details(store, permitted(request)) }) })

const update = operation<ApiDeps, ReturnType<typeof limitsBody>>({
  method: 'PUT',
  path: '/quotas/{project_id}',
  status: 200,
  errors: [400, 403],
  policy: 'update_quota',
  body: limitsBody,
  handle: (request, { store }) => {
    const { force, check, ...limits } = request.body
    const projectId = projectOf(request)
    if (check && !force)
      for (const [resource, limit] of Object.entries(limits) as [QuotaResource, number][])
        if (limit >= 0 && usedOf(store, resource, projectId) > limit)
          throw badRequest(`Quota limit ${limit} of ${resource} is below what is used`)
    setLimits(store, projectId, limits)
    return { quota: shown(limitsOf(store, projectId)) }
  },
})
const reset = operation<ApiDeps>({
  method: 'DELETE',
  path: '/quotas/{project_id}',
  status: 204,
  errors: [403],
  policy: 'delete_quota',
  handle: (request, { store }) => resetLimits(store, projectOf(request)),
})

export const quotaOperations: AnyOperation<ApiDeps>[] = [
  list,
  tenant,
  show,
  defaults,
  detailsAt('/quotas/{project_id}/details'),
  detailsAt('/quotas/{project_id}/details.json'),
  update,
  reset,
]
