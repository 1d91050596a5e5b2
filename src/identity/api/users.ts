/** `/v3/users`: no answer ever holds a password or its hash. */
import { invalid } from '../../base/errors.ts'
import { as, bodies, closed, type Incoming, nullable, operation, principalOf, type RequestContext, Type } from '../../base/http/index.ts'
import { notAuthenticated } from '../tokens/tokens.ts'
import type { User, UserChange } from '../users.ts'
import { domainOf, extraOf, idText, listedDomain, nameOf } from './bodies.ts'
import type { Deps } from './deps.ts'
import { collection, selfLink } from './links.ts'
import { requireReach } from './reach.ts'

export const showUser = (user: User, context: RequestContext): Record<string, unknown> => ({
  ...user.extra,
  id: user.id,
  name: user.name,
  domain_id: user.domainId,
  enabled: user.enabled,
  ...(user.defaultProjectId === null ? {} : { default_project_id: user.defaultProjectId }),
  password_expires_at: null,
  options: user.options,
  links: selfLink(context, `/users/${user.id}`),
})

const flag = Type.Optional(nullable(Type.Boolean()))
const common = {
  enabled: Type.Optional(Type.Boolean()),
  domain_id: Type.Optional(nullable(idText)),
  default_project_id: Type.Optional(nullable(Type.String({ maxLength: 64 }))),
  password: Type.Optional(nullable(Type.String())),
  options: Type.Optional(
    Type.Object(
      {
        ignore_change_password_upon_first_use: flag,
        ignore_password_expiry: flag,
        ignore_lockout_failure_attempts: flag,
        lock_password: flag,
        ignore_user_inactivity: flag,
        multi_factor_auth_enabled: flag,
        multi_factor_auth_rules: Type.Optional(Type.Unknown()),
      },
      closed,
    ),
  ),
}
const known = ['name', ...Object.keys(common), 'password_expires_at', 'original_password']
const createBody = Type.Object({ user: Type.Object({ name: nameOf(255), ...common }) })
const updateBody = Type.Object({ user: Type.Object({ name: Type.Optional(nameOf(255)), ...common }, { minProperties: 1 }) })
const passwordBody = Type.Object({ user: Type.Object({ password: Type.String(), original_password: Type.String() }) })

const changeOf = (body: (typeof updateBody)['static']['user']): UserChange => {
  const { name, enabled, password, options } = body
  return { name, enabled, password, defaultProjectId: body.default_project_id, options, extra: extraOf(body, known) }
}

/** The target of a policy for a user in the path. */
export const userTarget = ({ params }: Incoming, { users }: Deps) => ({
  userId: params.user_id,
  domainId: users.find(params.user_id!)?.domainId,
})

const listUsers = operation({
  method: 'GET',
  path: '/users',
  status: 200,
  errors: [403],
  policy: 'identity:list_users',
  handle: ({ context, path, search }, { users }: Deps) =>
    collection('users', users.list(search, listedDomain(principalOf(context))), showUser, { context, path, search }),
})

const createUser = operation({
  method: 'POST',
  path: '/users',
  status: 201,
  errors: [400, 403, 404, 409],
  body: bodies<(typeof createBody)['static']['user']>({ '0.0': as(createBody, ({ user }) => user) }),
  handle: async ({ body, context, enforce }, { users }: Deps) => {
    const domainId = domainOf(body.domain_id, principalOf(context))
    enforce('identity:create_user', { domainId })
    return { user: showUser(await users.create({ ...changeOf(body), name: body.name, domainId }), context) }
  },
})

const getUser = operation({
  method: 'GET',
  path: '/users/{user_id}',
  status: 200,
  errors: [403, 404],
  policy: 'identity:get_user',
  target: userTarget,
  handle: ({ params, context }, { users }: Deps) => ({ user: showUser(users.get(params.user_id!), context) }),
})

const updateUser = operation({
  method: 'PATCH',
  path: '/users/{user_id}',
  status: 200,
  errors: [400, 403, 404, 409],
  policy: 'identity:update_user',
  target: userTarget,
  body: bodies<(typeof updateBody)['static']['user']>({ '0.0': as(updateBody, ({ user }) => user) }),
  handle: async ({ params, body, context }, deps: Deps) => {
    const { users } = deps
    const old = users.get(params.user_id!)
    requireReach(context, deps, 'user', old.id, 'identity:update_user')
    if (body.domain_id !== undefined && body.domain_id !== old.domainId) throw invalid('Cannot change Domain ID')
    return { user: showUser(await users.update(old.id, changeOf(body)), context) }
  },
})

const deleteUser = operation({
  method: 'DELETE',
  path: '/users/{user_id}',
  status: 204,
  errors: [403, 404],
  policy: 'identity:delete_user',
  target: userTarget,
  handle: ({ params, context }, deps: Deps) => {
    requireReach(context, deps, 'user', params.user_id!, 'identity:delete_user')
    deps.users.delete(params.user_id!)
  },
})

const changePassword = operation({
  method: 'POST',
  path: '/users/{user_id}/password',
  status: 204,
  errors: [400, 403, 404],
  auth: 'none',
  body: bodies<(typeof passwordBody)['static']['user']>({ '0.0': as(passwordBody, ({ user }) => user) }),
  handle: async ({ params, body, context }, { access, authenticator, users }: Deps) => {
    const id = await authenticator.checkPassword({ id: params.user_id! }, body.original_password, context.remoteAddress)
    if (!access.find(id, { kind: 'none' })) throw notAuthenticated()
    await users.changePassword(id, body.password)
  },
})

export const userOperations = [listUsers, createUser, getUser, updateUser, deleteUser, changePassword]
