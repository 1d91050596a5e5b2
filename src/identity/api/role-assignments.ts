/** `/v3/role_assignments`: who has which role where, as given or as it counts. */
import { invalid } from '../../base/errors.ts'
import { operation, principalOf, type RequestContext } from '../../base/http/index.ts'
import type { Assignment, AssignmentFilter, TargetKind } from '../assignments.ts'
import type { Deps } from './deps.ts'

type Names = {
  user: Map<string, Named>
  group: Map<string, Named>
  project: Map<string, Named>
  domain: Map<string, Named>
  role: Map<string, Named>
}
type Named = { id: string; name: string; domain?: { id: string; name: string } }

/** Present, and not said to be false. */
const isSet = (search: URLSearchParams, name: string): boolean => search.has(name) && !/^(0|false)$/i.test(search.get(name) ?? '')

/** @throws {CloudError} `invalid` for filters that exclude each other. */
function filterOf(search: URLSearchParams, effective: boolean): AssignmentFilter {
  const targets = [
    { kind: 'project' as TargetKind, id: search.get('scope.project.id') },
    { kind: 'domain' as TargetKind, id: search.get('scope.domain.id') },
    { kind: 'system' as TargetKind, id: search.has('scope.system') ? 'system' : null },
  ].flatMap(({ kind, id }) => (id === null ? [] : [{ kind, id }]))
  if (targets.length > 1) throw invalid('Specify a domain or project or system, not more than one of them.')
  const userId = search.get('user.id')
  const groupId = search.get('group.id')
  if (userId !== null && groupId !== null) throw invalid('Specify a user or group, not both')
  if (effective && groupId !== null) throw invalid('Combining effective and group filter will always result in an empty list.')
  const subtree = isSet(search, 'include_subtree')
  const target = targets[0] ?? null
  if (subtree && target?.kind !== 'project') throw invalid('scope.project.id must be specified if include_subtree is also specified')
  return { userId, groupId, roleId: search.get('role.id'), target, inherited: search.has('scope.OS-INHERIT:inherited_to'), subtree }
}

function namesOf({ users, groups, projects, roles }: Deps): Names {
  const none = new URLSearchParams()
  const domains = new Map(projects.domains(none, null).map(({ id, name }): [string, Named] => [id, { id, name }]))
  const inDomain = ({ id, name, domainId }: { id: string; name: string; domainId: string | null }): [string, Named] => {
    const domain = domainId === null ? undefined : domains.get(domainId)
    return [id, { id, name, ...(domain ? { domain: { id: domain.id, name: domain.name } } : {}) }]
  }
  return {
    user: new Map(users.list(none, null).map(inDomain)),
    group: new Map(groups.list(none, null).map(inDomain)),
    project: new Map(projects.list(none, null).map(inDomain)),
    domain: domains,
    role: new Map(roles.all().map(inDomain)),
  }
}

function showAssignment(row: Assignment, { baseUrl }: RequestContext, names: Names | null): Record<string, unknown> {
  const named = (kind: keyof Names, id: string) => names?.[kind].get(id) ?? { id }
  const at = row.inheritedFrom ?? { target: row.target, id: row.targetId }
  const place = at.target === 'system' ? 'system' : `${at.target}s/${at.id}`
  const via = row.viaGroup === undefined ? `${row.actor}s/${row.actorId}` : `groups/${row.viaGroup}`
  const path = `${place}/${via}/roles/${row.viaRole ?? row.roleId}`
  return {
    role: named('role', row.roleId),
    [row.actor]: named(row.actor, row.actorId),
    scope: {
      ...(row.target === 'system' ? { system: { all: true } } : { [row.target]: named(row.target, row.targetId) }),
      ...(row.inherited ? { 'OS-INHERIT:inherited_to': 'projects' } : {}),
    },
    links: {
      assignment: row.inherited ? `${baseUrl}/OS-INHERIT/${path}/inherited_to_projects` : `${baseUrl}/${path}`,
      ...(row.viaGroup === undefined ? {} : { membership: `${baseUrl}/groups/${row.viaGroup}/users/${row.actorId}` }),
      ...(row.viaRole === undefined ? {} : { prior_role: `${baseUrl}/roles/${row.viaRole}` }),
    },
  }
}

const listAssignments = operation({
  method: 'GET',
  path: '/role_assignments',
  status: 200,
  errors: [400, 403],
  policy: 'identity:list_role_assignments',
  handle: ({ context, search }, deps: Deps) => {
    const principal = principalOf(context)
    const effective = isSet(search, 'effective')
    const filter = { ...filterOf(search, effective), withinDomain: principal.isAdmin ? null : principal.domainId }
    const rows = effective ? deps.assignments.effective(filter) : deps.assignments.list(filter)
    const names = isSet(search, 'include_names') ? namesOf(deps) : null
    const query = search.toString()
    return {
      role_assignments: rows.map((row) => showAssignment(row, context, names)),
      links: { next: null, self: `${context.baseUrl}/role_assignments${query === '' ? '' : `?${query}`}`, previous: null },
    }
  },
})

export const roleAssignmentOperations = [listAssignments]
