/**
 * Who may use a private flavor.
 *
 * @see https://docs.openstack.org/api-ref/compute/#flavors-access-flavors-os-flavor-access
 */
import { conflict, notFound } from '../../base/errors.ts'
import { as, atLeast, bodies, closed, type Incoming, operation, Type } from '../../base/http/index.ts'
import type { Flavor } from '../model/index.ts'
import { type NovaApi, viewerOf } from './deps.ts'
import { type Known, noQuery } from './known-query.ts'
import { requireProject } from './projects.ts'

const accessOf = (flavor: Flavor, { model }: NovaApi) => ({
  flavor_access: model.flavors.access(flavor.id).map((projectId) => ({ flavor_id: flavor.flavorId, tenant_id: projectId })),
})

const flavorIn = ({ params, context }: Incoming, { model }: NovaApi): Flavor => model.flavors.get(params.flavor_id ?? '', viewerOf(context))

const tenant = Type.Object({ tenant: Type.String({ minLength: 1, maxLength: 255, pattern: '^[a-zA-Z0-9-_]*$' }) }, closed)

const listAccess = operation({
  method: 'GET',
  path: '/flavors/{flavor_id}/os-flavor-access',
  status: 200,
  errors: [400, 403, 404],
  policy: 'os_compute_api:os-flavor-access',
  query: noQuery,
  handle: (request: Incoming<unknown, Known>, nova: NovaApi) => {
    const flavor = flavorIn(request, nova)
    if (flavor.isPublic) throw notFound('Access list not available for public flavors.')
    return accessOf(flavor, nova)
  },
})

const addTenantAccess = operation({
  method: 'POST',
  path: '/flavors/{flavor_id}/action',
  action: 'addTenantAccess',
  status: 200,
  errors: [400, 403, 404, 409],
  policy: 'os_compute_api:os-flavor-access:add_tenant_access',
  body: bodies({ '2.1': as(Type.Object({ addTenantAccess: tenant }, closed), ({ addTenantAccess }) => addTenantAccess.tenant) }),
  handle: (request: Incoming<string>, nova: NovaApi) => {
    requireProject(nova, request.body)
    const flavor = flavorIn(request, nova)
    if (flavor.isPublic && atLeast(request.context, '2.7')) throw conflict('Can not add access to a public flavor.')
    nova.model.flavors.grant(flavor, request.body)
    return accessOf(flavor, nova)
  },
})

const removeTenantAccess = operation({
  method: 'POST',
  path: '/flavors/{flavor_id}/action',
  action: 'removeTenantAccess',
  status: 200,
  errors: [400, 403, 404, 409],
  policy: 'os_compute_api:os-flavor-access:remove_tenant_access',
  body: bodies({ '2.1': as(Type.Object({ removeTenantAccess: tenant }, closed), ({ removeTenantAccess }) => removeTenantAccess.tenant) }),
  handle: (request: Incoming<string>, nova: NovaApi) => {
    requireProject(nova, request.body)
    const flavor = flavorIn(request, nova)
    nova.model.flavors.revoke(flavor, request.body)
    return accessOf(flavor, nova)
  },
})

export const flavorAccessOperations = [listAccess, addTenantAccess, removeTenantAccess]
