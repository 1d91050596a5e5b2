/**
 * Who has which role where: user or group, on project, domain or system. An inherited assignment counts in the projects below its
 * target and not on the target itself.
 *
 * The effective view takes groups apart into their members, carries inherited assignments down to the projects and adds what roles
 * imply: what counts in a token.
 */
import { forbidden, notFound } from '../base/errors.ts'
import type { Groups } from './groups.ts'
import type { Projects } from './projects.ts'
import type { Role, Roles } from './roles.ts'
import type { IdentityState } from './state.ts'
import type { Users } from './users.ts'

export type ActorKind = 'user' | 'group'
export type TargetKind = 'project' | 'domain' | 'system'
export type Grant = { actor: ActorKind; actorId: string; target: TargetKind; targetId: string; roleId: string; inherited: boolean }
/** Where an assignment of the effective view comes from. */
export type Assignment = Grant & { viaGroup?: string; viaRole?: string; inheritedFrom?: { target: TargetKind; id: string } }

export type AssignmentFilter = {
  userId?: string | null
  groupId?: string | null
  roleId?: string | null
  target?: { kind: TargetKind; id: string } | null
  inherited?: boolean
  subtree?: boolean
  /** Only targets in this domain, and the domain itself. */
  withinDomain?: string | null
}

const typeOf = (actor: ActorKind, target: TargetKind): string =>
  `${actor === 'user' ? 'User' : 'Group'}${{ project: 'Project', domain: 'Domain', system: 'System' }[target]}`
const tableOf = (target: TargetKind): string => (target === 'system' ? 'system_assignment' : 'assignment')

type Row = { type: string; actor_id: string; target_id: string; role_id: string; inherited: number }
const read = (row: Row): Assignment => ({
  actor: row.type.startsWith('User') ? 'user' : 'group',
  actorId: row.actor_id,
  target: row.type.endsWith('Project') ? 'project' : row.type.endsWith('Domain') ? 'domain' : 'system',
  targetId: row.target_id,
  roleId: row.role_id,
  inherited: row.inherited === 1,
})

type AssignmentDeps = { state: IdentityState; users: Users; groups: Groups; projects: Projects; roles: Roles }

export class Assignments {
  readonly #deps: AssignmentDeps

  constructor(deps: AssignmentDeps) {
    this.#deps = deps
  }

  /** @throws {CloudError} `not-found` for actor, target or role. */
  #checkParts({ actor, actorId, target, targetId, roleId }: Grant): Role {
    this.checkActor(actor, actorId)
    this.checkTarget(target, targetId)
    return this.#deps.roles.get(roleId)
  }

  /** @throws {CloudError} `not-found`. */
  checkActor(kind: ActorKind, id: string): { domainId: string } {
    return kind === 'user' ? this.#deps.users.get(id) : this.#deps.groups.get(id)
  }

  /** The domain in which the target lies. @throws {CloudError} `not-found`. */
  checkTarget(kind: TargetKind, id: string): string | null {
    if (kind === 'system') return null
    if (kind === 'domain') return this.#deps.projects.domain(id).id
    const project = this.#deps.projects.get(id)
    return project.isDomain ? project.id : project.domainId
  }

  /** Repeating it changes nothing. @throws {CloudError} `not-found`; `forbidden` for a role of another domain. */
  add(grant: Grant): void {
    const role = this.#checkParts(grant)
    if (role.domainId !== null && role.domainId !== this.checkTarget(grant.target, grant.targetId))
      throw forbidden(`The role ${role.id} belongs to another domain.`)
    this.#deps.state.write(() =>
      this.#deps.state.db
        .prepare(`INSERT OR IGNORE INTO ${tableOf(grant.target)} (type, actor_id, target_id, role_id, inherited) VALUES (?, ?, ?, ?, ?)`)
        .run(typeOf(grant.actor, grant.target), grant.actorId, grant.targetId, grant.roleId, grant.inherited ? 1 : 0),
    )
  }

  /** @throws {CloudError} `not-found` for a part or the assignment. */
  check(grant: Grant): void {
    this.#checkParts(grant)
    const found = this.#deps.state.db
      .prepare(`SELECT 1 FROM ${tableOf(grant.target)} WHERE type = ? AND actor_id = ? AND target_id = ? AND role_id = ? AND inherited = ?`)
      .get(typeOf(grant.actor, grant.target), grant.actorId, grant.targetId, grant.roleId, grant.inherited ? 1 : 0)
    if (found === undefined)
      throw notFound(
        `Could not find role assignment with role: ${grant.roleId}, user or group: ${grant.actorId}, project, domain, or system: ${grant.targetId}.`,
      )
  }

  /** @throws {CloudError} `not-found` for a part or the assignment. */
  remove(grant: Grant): void {
    this.check(grant)
    this.#deps.state.write(() =>
      this.#deps.state.db
        .prepare(`DELETE FROM ${tableOf(grant.target)} WHERE type = ? AND actor_id = ? AND target_id = ? AND role_id = ? AND inherited = ?`)
        .run(typeOf(grant.actor, grant.target), grant.actorId, grant.targetId, grant.roleId, grant.inherited ? 1 : 0),
    )
  }

  /** @throws {CloudError} `not-found` for actor or target. */
  rolesOf(grant: Omit<Grant, 'roleId'>): Role[] {
    this.checkActor(grant.actor, grant.actorId)
    this.checkTarget(grant.target, grant.targetId)
    const rows = this.#deps.state.db
      .prepare<{ role_id: string }>(
        `SELECT role_id FROM ${tableOf(grant.target)} WHERE type = ? AND actor_id = ? AND target_id = ? AND inherited = ?`,
      )
      .all(typeOf(grant.actor, grant.target), grant.actorId, grant.targetId, grant.inherited ? 1 : 0)
    return this.#deps.roles.several(rows.map(({ role_id }) => role_id))
  }

  /** Roles on no matter what, those of a user's groups included, as they were given. */
  rolesAnywhere(actor: ActorKind, id: string): { roleId: string; target: TargetKind }[] {
    const { db } = this.#deps.state
    const groups =
      actor === 'user'
        ? db
            .prepare<{ group_id: string }>('SELECT group_id FROM user_group_membership WHERE user_id = ?')
            .all(id)
            .map(({ group_id }) => group_id)
        : []
    const actors = new Set([id, ...groups])
    return this.#rows().filter(({ actorId }) => actors.has(actorId))
  }

  /** As they were made. */
  list(filter: AssignmentFilter): Assignment[] {
    return this.#kept(this.#rows(), filter)
  }

  /** As they count. */
  effective(filter: AssignmentFilter): Assignment[] {
    const { db } = this.#deps.state
    const members = Map.groupBy(
      db.prepare<{ user_id: string; group_id: string }>('SELECT user_id, group_id FROM user_group_membership').all(),
      ({ group_id }) => group_id,
    )
    const children = Map.groupBy(
      db.prepare<{ id: string; parent_id: string }>('SELECT id, parent_id FROM project WHERE parent_id IS NOT NULL').all(),
      ({ parent_id }) => parent_id,
    )
    const below = (id: string): string[] => (children.get(id) ?? []).flatMap((child) => [child.id, ...below(child.id)])
    const implied = new Map(this.#deps.roles.implications().map(({ prior, implied }) => [prior.id, implied.map(({ id }) => id)]))
    const closure = (id: string, seen = new Set<string>()): Set<string> => {
      if (!seen.has(id)) for (const next of implied.get(id) ?? []) closure(next, seen.add(id))
      return seen.add(id)
    }
    const byUser = this.#rows().flatMap((row): Assignment[] =>
      row.actor === 'user'
        ? [row]
        : (members.get(row.actorId) ?? []).map(({ user_id }) => ({ ...row, actor: 'user', actorId: user_id, viaGroup: row.actorId })),
    )
    const onTarget = byUser.flatMap((row): Assignment[] =>
      row.inherited
        ? below(row.targetId).map((id) => ({
            ...row,
            target: 'project',
            targetId: id,
            inheritedFrom: { target: row.target, id: row.targetId },
          }))
        : [row],
    )
    const all = onTarget.flatMap((row): Assignment[] =>
      [...closure(row.roleId)].map((roleId) => (roleId === row.roleId ? row : { ...row, roleId, viaRole: row.roleId })),
    )
    const distinct = new Map(all.map((row) => [`${row.actorId} ${row.target} ${row.targetId} ${row.roleId} ${row.inherited}`, row]))
    return this.#kept([...distinct.values()], filter)
  }

  #rows(): Assignment[] {
    return this.#deps.state.db
      .prepare<Row>(
        `SELECT type, actor_id, target_id, role_id, inherited FROM assignment
         UNION ALL SELECT type, actor_id, target_id, role_id, inherited FROM system_assignment ORDER BY actor_id, target_id, role_id`,
      )
      .all()
      .map(read)
  }

  #kept(
    rows: readonly Assignment[],
    { userId, groupId, roleId, target, inherited, subtree, withinDomain }: AssignmentFilter,
  ): Assignment[] {
    const targets = target ? new Set([target.id, ...(subtree ? this.#deps.projects.subtree(target.id).map(({ id }) => id) : [])]) : null
    const inDomain = withinDomain
      ? new Set([withinDomain, ...this.#deps.projects.list(new URLSearchParams(), withinDomain).map(({ id }) => id)])
      : null
    return rows.filter(
      (row) =>
        (!userId || (row.actor === 'user' && row.actorId === userId)) &&
        (!groupId || (row.actor === 'group' && row.actorId === groupId)) &&
        (!roleId || row.roleId === roleId) &&
        (!target || (row.target === target.kind && (targets?.has(row.targetId) ?? false))) &&
        (!inherited || row.inherited) &&
        (!inDomain || (row.target !== 'system' && inDomain.has(row.targetId))),
    )
  }
}
