/**
 * How far a domain's manager reaches: over the users and groups of the domain, but not over those who reach further than the
 * domain. Whoever may set an administrator's password, or join a group of administrators, is one.
 */
import { forbidden } from '../../base/errors.ts'
import { principalOf, type RequestContext } from '../../base/http/index.ts'
import type { ActorKind } from '../assignments.ts'
import type { Deps } from './deps.ts'

/** Roles that count everywhere, wherever they were given. */
const cloudWide = new Set(['admin', 'service'])

/** @throws {CloudError} `forbidden` unless the caller is an administrator, or the user or group has no role beyond a domain. */
export function requireReach(
  context: RequestContext,
  { assignments, access }: Pick<Deps, 'assignments' | 'access'>,
  actor: ActorKind,
  id: string,
  rule: string,
): void {
  if (principalOf(context).isAdmin) return
  const held = assignments.rolesAnywhere(actor, id)
  const names = access.closure(held.map(({ roleId }) => roleId)).map(({ name }) => name)
  if (held.some(({ target }) => target === 'system') || names.some((name) => cloudWide.has(name)))
    throw forbidden(`You are not authorized to perform the requested action: ${rule}.`)
}
