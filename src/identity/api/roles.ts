/** `/v3/roles` and which role implies which. */
import { as, bodies, nullable, operation, Reply, type RequestContext, Type } from '../../base/http/index.ts'
import type { Role, RoleChange } from '../roles.ts'
import { extraOf, idText, immutableOptions, nameOf, optionalText } from './bodies.ts'
import type { Deps } from './deps.ts'
import { collection, selfLink } from './links.ts'

export const showRole = (role: Role, context: RequestContext): Record<string, unknown> => ({
  ...role.extra,
  id: role.id,
  name: role.name,
  domain_id: role.domainId,
  description: role.description,
  options: role.options,
  links: selfLink(context, `/roles/${role.id}`),
})

const common = { description: optionalText, options: immutableOptions, domain_id: Type.Optional(nullable(idText)) }
const createBody = Type.Object({ role: Type.Object({ name: nameOf(255), ...common }) })
const updateBody = Type.Object({ role: Type.Object({ name: Type.Optional(nameOf(255)), ...common }, { minProperties: 1 }) })

const changeOf = (body: (typeof updateBody)['static']['role']): RoleChange => {
  const { name, description, options } = body
  return { name, description, options, extra: extraOf(body, ['name', ...Object.keys(common)]) }
}

const listRoles = operation({
  method: 'GET',
  path: '/roles',
  status: 200,
  errors: [403],
  policy: 'identity:list_roles',
  handle: ({ context, path, search }, { roles }: Deps) => collection('roles', roles.list(search), showRole, { context, path, search }),
})

const createRole = operation({
  method: 'POST',
  path: '/roles',
  status: 201,
  errors: [400, 403, 404, 409],
  policy: 'identity:create_role',
  body: bodies<(typeof createBody)['static']['role']>({ '0.0': as(createBody, ({ role }) => role) }),
  handle: ({ body, context }, { roles, projects }: Deps) => {
    if (body.domain_id) projects.domain(body.domain_id)
    return { role: showRole(roles.create({ ...changeOf(body), name: body.name, domainId: body.domain_id }), context) }
  },
})

const getRole = operation({
  method: 'GET',
  path: '/roles/{role_id}',
  status: 200,
  errors: [403, 404],
  policy: 'identity:get_role',
  handle: ({ params, context }, { roles }: Deps) => ({ role: showRole(roles.get(params.role_id!), context) }),
})

const updateRole = operation({
  method: 'PATCH',
  path: '/roles/{role_id}',
  status: 200,
  errors: [400, 403, 404, 409],
  policy: 'identity:update_role',
  body: bodies<RoleChange>({ '0.0': as(updateBody, ({ role }) => changeOf(role)) }),
  handle: ({ params, body, context }, { roles }: Deps) => ({ role: showRole(roles.update(params.role_id!, body), context) }),
})

const deleteRole = operation({
  method: 'DELETE',
  path: '/roles/{role_id}',
  status: 204,
  errors: [403, 404],
  policy: 'identity:delete_role',
  handle: ({ params }, { roles }: Deps) => roles.delete(params.role_id!),
})

const brief = (role: Role, context: RequestContext) => ({ id: role.id, name: role.name, links: selfLink(context, `/roles/${role.id}`) })

const showImplication = ({ prior, implied }: { prior: Role; implied: Role }, context: RequestContext) => ({
  role_inference: { prior_role: brief(prior, context), implies: brief(implied, context) },
  links: selfLink(context, `/roles/${prior.id}/implies/${implied.id}`),
})

const listInferences = operation({
  method: 'GET',
  path: '/role_inferences',
  status: 200,
  errors: [403],
  policy: 'identity:list_role_inference_rules',
  handle: ({ context }, { roles }: Deps) => ({
    role_inferences: roles.implications().map(({ prior, implied }) => ({
      prior_role: brief(prior, context),
      implies: implied.map((role) => brief(role, context)),
    })),
    links: { next: null, self: `${context.baseUrl}/role_inferences`, previous: null },
  }),
})

const listImplied = operation({
  method: 'GET',
  path: '/roles/{prior_role_id}/implies',
  status: 200,
  errors: [403, 404],
  policy: 'identity:list_implied_roles',
  handle: ({ params, context }, { roles }: Deps) => ({
    role_inference: {
      prior_role: brief(roles.get(params.prior_role_id!), context),
      implies: roles.impliedBy(params.prior_role_id!).map((role) => brief(role, context)),
    },
    links: selfLink(context, `/roles/${params.prior_role_id}/implies`),
  }),
})

const rule = { path: '/roles/{prior_role_id}/implies/{implies_role_id}' }

const createImplied = operation({
  ...rule,
  method: 'PUT',
  status: 201,
  errors: [400, 403, 404],
  policy: 'identity:create_implied_role',
  handle: ({ params, context }, { roles }: Deps) => {
    roles.imply(params.prior_role_id!, params.implies_role_id!)
    return showImplication(roles.checkImplied(params.prior_role_id!, params.implies_role_id!), context)
  },
})

const getImplied = operation({
  ...rule,
  method: 'GET',
  status: 200,
  errors: [403, 404],
  policy: 'identity:get_implied_role',
  handle: ({ params, context }, { roles }: Deps) =>
    showImplication(roles.checkImplied(params.prior_role_id!, params.implies_role_id!), context),
})

const checkImplied = operation({
  ...rule,
  method: 'HEAD',
  status: 204,
  errors: [403, 404],
  policy: 'identity:get_implied_role',
  handle: ({ params }, { roles }: Deps) => {
    roles.checkImplied(params.prior_role_id!, params.implies_role_id!)
    return new Reply({ status: 204 })
  },
})

const deleteImplied = operation({
  ...rule,
  method: 'DELETE',
  status: 204,
  errors: [403, 404],
  policy: 'identity:delete_implied_role',
  handle: ({ params }, { roles }: Deps) => roles.unimply(params.prior_role_id!, params.implies_role_id!),
})

export const roleOperations = [
  listRoles,
  createRole,
  getRole,
  updateRole,
  deleteRole,
  listInferences,
  listImplied,
  createImplied,
  getImplied,
  checkImplied,
  deleteImplied,
]
