/**
 * Giving roles: of a user or group, on a project, a domain (both also as inherited by the projects below) or the system. The
 * operations of all these paths are the same five.
 */
import { forbidden } from '../../base/errors.ts'
import { type AnyOperation, type Incoming, operation, principalOf } from '../../base/http/index.ts'
import type { ActorKind, Grant, TargetKind } from '../assignments.ts'
import type { Deps } from './deps.ts'
import { collection } from './links.ts'
import { showRole } from './roles.ts'

/** What a manager of a domain may give within it. */
const managersRoles = ['manager', 'member', 'reader']

type Kind = { actor: ActorKind; target: TargetKind; inherited: boolean }

function grantOperations({ actor, target, inherited }: Kind): AnyOperation<Deps>[] {
  const on = target === 'system' ? '/system' : `/${target}s/{${target}_id}`
  const listPath = `${inherited ? '/OS-INHERIT' : ''}${on}/${actor}s/{${actor}_id}/roles`
  const suffix = inherited ? '/inherited_to_projects' : ''
  const rule = (verb: string) => (target === 'system' ? `identity:${verb}_system_grant_for_${actor}` : `identity:${verb}_grant`)
  const listRule = target === 'system' ? `identity:list_system_grants_for_${actor}` : 'identity:list_grants'
  const grantOf = ({ params }: Pick<Incoming, 'params'>): Grant => ({
    actor,
    actorId: params[`${actor}_id`]!,
    target,
    targetId: target === 'system' ? 'system' : params[`${target}_id`]!,
    roleId: params.role_id ?? '',
    inherited,
  })
  /** The domain that the target lies in; none when there is no such target, so that only those who see everything learn that. */
  const targetOf = (request: Incoming, { projects }: Deps) => {
    const found = target === 'system' ? null : projects.find(grantOf(request).targetId)
    return { domainId: found?.isDomain ? found.id : found?.domainId }
  }
  const one = { path: `${listPath}/{role_id}${suffix}`, status: 204, errors: [403, 404], target: targetOf }

  /** @throws {CloudError} `forbidden` when a domain's manager reaches beyond it. */
  const checkReach = (request: Incoming, { assignments, roles }: Deps, grant: Grant) => {
    const principal = principalOf(request.context)
    if (principal.isAdmin) return
    const ownActor = assignments.checkActor(actor, grant.actorId).domainId === principal.domainId
    if (!ownActor || !managersRoles.includes(roles.get(grant.roleId).name))
      throw forbidden(`You are not authorized to perform the requested action: ${rule('create')}.`)
  }

  return [
    operation({
      method: 'GET',
      path: `${listPath}${suffix}`,
      status: 200,
      errors: [403, 404],
      policy: listRule,
      target: targetOf,
      handle: (request, { assignments }: Deps) => collection('roles', assignments.rolesOf(grantOf(request)), showRole, request),
    }),
    operation({
      ...one,
      method: 'PUT',
      policy: rule('create'),
      handle: (request: Incoming, deps: Deps) => {
        const grant = grantOf(request)
        checkReach(request, deps, grant)
        deps.assignments.add(grant)
      },
    }),
    operation({
      ...one,
      method: 'GET',
      policy: rule('check'),
      handle: (request, { assignments }: Deps) => assignments.check(grantOf(request)),
    }),
    operation({
      ...one,
      method: 'DELETE',
      policy: rule('revoke'),
      handle: (request: Incoming, deps: Deps) => {
        const grant = grantOf(request)
        checkReach(request, deps, grant)
        deps.assignments.remove(grant)
      },
    }),
  ]
}

const actors: ActorKind[] = ['user', 'group']
export const allGrantOperations = actors.flatMap((actor) => [
  ...grantOperations({ actor, target: 'system', inherited: false }),
  ...(['project', 'domain'] as const).flatMap((target) => [
    ...grantOperations({ actor, target, inherited: false }),
    ...grantOperations({ actor, target, inherited: true }),
  ]),
])
