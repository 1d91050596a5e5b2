/** `/v3/groups`, their members, and `/v3/users/{user_id}/groups`. */
import { invalid, notFound } from '../../base/errors.ts'
import { as, bodies, type Incoming, nullable, operation, principalOf, type RequestContext, Type } from '../../base/http/index.ts'
import type { Group } from '../groups.ts'
import { domainOf, extraOf, idText, listedDomain, nameOf, optionalText } from './bodies.ts'
import type { Deps } from './deps.ts'
import { collection, selfLink } from './links.ts'
import { requireReach } from './reach.ts'
import { showUser, userTarget } from './users.ts'

const showGroup = (group: Group, context: RequestContext): Record<string, unknown> => ({
  ...group.extra,
  id: group.id,
  name: group.name,
  domain_id: group.domainId,
  description: group.description,
  links: selfLink(context, `/groups/${group.id}`),
})

const common = { description: optionalText, domain_id: Type.Optional(nullable(idText)) }
const known = ['name', ...Object.keys(common)]
const createBody = Type.Object({ group: Type.Object({ name: nameOf(64), ...common }) })
const updateBody = Type.Object({ group: Type.Object({ name: Type.Optional(nameOf(64)), ...common }, { minProperties: 1 }) })

const targetOf = ({ params }: Incoming, { groups }: Deps) => ({ domainId: groups.find(params.group_id!)?.domainId })

const listGroups = operation({
  method: 'GET',
  path: '/groups',
  status: 200,
  errors: [403],
  policy: 'identity:list_groups',
  handle: ({ context, path, search }, { groups }: Deps) =>
    collection('groups', groups.list(search, listedDomain(principalOf(context))), showGroup, { context, path, search }),
})

const createGroup = operation({
  method: 'POST',
  path: '/groups',
  status: 201,
  errors: [400, 403, 404, 409],
  body: bodies<(typeof createBody)['static']['group']>({ '0.0': as(createBody, ({ group }) => group) }),
  handle: ({ body, context, enforce }, { groups }: Deps) => {
    const domainId = domainOf(body.domain_id, principalOf(context))
    enforce('identity:create_group', { domainId })
    const { name, description } = body
    return { group: showGroup(groups.create({ name, domainId, description, extra: extraOf(body, known) }), context) }
  },
})

const getGroup = operation({
  method: 'GET',
  path: '/groups/{group_id}',
  status: 200,
  errors: [403, 404],
  policy: 'identity:get_group',
  target: targetOf,
  handle: ({ params, context }, { groups }: Deps) => ({ group: showGroup(groups.get(params.group_id!), context) }),
})

const updateGroup = operation({
  method: 'PATCH',
  path: '/groups/{group_id}',
  status: 200,
  errors: [400, 403, 404, 409],
  policy: 'identity:update_group',
  target: targetOf,
  body: bodies<(typeof updateBody)['static']['group']>({ '0.0': as(updateBody, ({ group }) => group) }),
  handle: ({ params, body, context }, { groups }: Deps) => {
    const old = groups.get(params.group_id!)
    if (body.domain_id !== undefined && body.domain_id !== old.domainId) throw invalid('Cannot change Domain ID')
    const { name, description } = body
    return { group: showGroup(groups.update(old.id, { name, description, extra: extraOf(body, known) }), context) }
  },
})

const deleteGroup = operation({
  method: 'DELETE',
  path: '/groups/{group_id}',
  status: 204,
  errors: [403, 404],
  policy: 'identity:delete_group',
  target: targetOf,
  handle: ({ params, context }, deps: Deps) => {
    requireReach(context, deps, 'group', params.group_id!, 'identity:delete_group')
    deps.groups.delete(params.group_id!)
  },
})

const listGroupUsers = operation({
  method: 'GET',
  path: '/groups/{group_id}/users',
  status: 200,
  errors: [403, 404],
  policy: 'identity:list_users_in_group',
  target: targetOf,
  handle: ({ params, context, path, search }, { groups, users }: Deps) =>
    collection('users', users.ofGroup(groups.get(params.group_id!).id, search), showUser, { context, path, search }),
})

const membership = { path: '/groups/{group_id}/users/{user_id}', status: 204, errors: [403, 404], target: targetOf } as const

const addMember = operation({
  ...membership,
  method: 'PUT',
  policy: 'identity:add_user_to_group',
  handle: ({ params, context, enforce }, deps: Deps) => {
    const { groups, users } = deps
    enforce('identity:add_user_to_group', { domainId: users.get(params.user_id!).domainId })
    requireReach(context, deps, 'group', params.group_id!, 'identity:add_user_to_group')
    groups.add(params.group_id!, params.user_id!)
  },
})

const checkMember = (method: 'GET' | 'HEAD', status: number) =>
  operation({
    ...membership,
    method,
    status,
    policy: 'identity:check_user_in_group',
    handle: ({ params }, { groups }: Deps) => {
      if (!groups.has(params.group_id!, params.user_id!))
        throw notFound(`User ${params.user_id} was not found in group ${params.group_id}.`)
    },
  })

const removeMember = operation({
  ...membership,
  method: 'DELETE',
  policy: 'identity:remove_user_from_group',
  handle: ({ params, context }, deps: Deps) => {
    requireReach(context, deps, 'group', params.group_id!, 'identity:remove_user_from_group')
    deps.groups.remove(params.group_id!, params.user_id!)
  },
})

const listUserGroups = operation({
  method: 'GET',
  path: '/users/{user_id}/groups',
  status: 200,
  errors: [403, 404],
  policy: 'identity:list_groups_for_user',
  target: userTarget,
  handle: ({ params, context, path, search }, { groups, users }: Deps) =>
    collection('groups', groups.ofUser(users.get(params.user_id!).id, search), showGroup, { context, path, search }),
})

export const groupOperations = [
  listGroups,
  createGroup,
  getGroup,
  updateGroup,
  deleteGroup,
  listGroupUsers,
  addMember,
  checkMember('GET', 200),
  checkMember('HEAD', 204),
  removeMember,
  listUserGroups,
]
