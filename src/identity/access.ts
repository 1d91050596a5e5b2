/**
 * Who a user is in a scope: the one question behind every token. The answer holds the roles with those they imply, or is `null`
 * when user, scope or role is gone, disabled or was never there.
 */
import { type Options, optionsColumn, readOptions } from './options.ts'
import type { IdentityState } from './state.ts'

export type Scope = { kind: 'none' } | { kind: 'project'; id: string } | { kind: 'domain'; id: string } | { kind: 'system' }

export const sameScope = (a: Scope, b: Scope): boolean => scopeKey(a) === scopeKey(b)
const scopeKey = (scope: Scope): string => ('id' in scope ? `${scope.kind} ${scope.id}` : scope.kind)

export type Named = { readonly id: string; readonly name: string }
export type AccessUser = Named & { readonly domain: Named; readonly defaultProjectId: string | null; readonly options: Options }
export type AccessProject = Named & { readonly domain: Named; readonly isDomain: boolean }
export type AppCredAccess = {
  readonly id: string
  readonly name: string
  readonly restricted: boolean
  readonly expiresAtMs: number | null
}

export type Access = {
  readonly user: AccessUser
  readonly scope: Scope
  readonly project: AccessProject | null
  readonly domain: Named | null
  readonly roles: readonly Named[]
  readonly appCred: AppCredAccess | null
}

type UserRow = {
  id: string
  name: string
  enabled: number
  domain_id: string
  domain_name: string
  domain_enabled: number
  default_project_id: string | null
  options: string
}
type ProjectRow = {
  id: string
  name: string
  enabled: number
  is_domain: number
  domain_id: string
  domain_name: string
  domain_enabled: number
}
type AppCredRow = {
  internal_id: number
  id: string
  name: string
  unrestricted: number
  expires_at: number | null
  user_id: string
  project_id: string | null
}
type Role = Named & { readonly ofDomain: boolean }

export class AccessBook {
  readonly #state: IdentityState
  readonly #byKey
  readonly #roles
  readonly #implied

  constructor(state: IdentityState) {
    this.#state = state
    const { db } = state
    this.#byKey = state.rememberBy<{ access: Access | null }>(10_000)
    this.#roles = state.remember(() => {
      const rows = db.prepare<{ id: string; name: string; domain_id: string }>('SELECT id, name, domain_id FROM role').all()
      return new Map(rows.map((row): [string, Role] => [row.id, { id: row.id, name: row.name, ofDomain: row.domain_id !== '<<null>>' }]))
    })
    this.#implied = state.remember(() => {
      const implied = new Map<string, string[]>()
      const rows = db.prepare<{ prior_role_id: string; implied_role_id: string }>('SELECT prior_role_id, implied_role_id FROM implied_role')
      for (const row of rows.all()) implied.set(row.prior_role_id, [...(implied.get(row.prior_role_id) ?? []), row.implied_role_id])
      return implied
    })
  }

  /** `null` when there is no such access. */
  find(userId: string, scope: Scope, appCredId: string | null = null): Access | null {
    return this.#byKey(`${userId} ${appCredId ?? '-'} ${scopeKey(scope)}`, () => ({ access: this.#compute(userId, scope, appCredId) }))
      .access
  }

  /** The roles that these stand for, implied ones included, each once; roles of a domain only count for what they imply. */
  closure(roleIds: Iterable<string>): Named[] {
    const known = this.#roles()
    const implied = this.#implied()
    const seen = new Set<string>()
    const queue = [...roleIds]
    for (let next = queue.pop(); next !== undefined; next = queue.pop()) {
      if (seen.has(next)) continue
      seen.add(next)
      queue.push(...(implied.get(next) ?? []))
    }
    return [...seen]
      .flatMap((id) => known.get(id) ?? [])
      .filter((role) => !role.ofDomain)
      .map(({ id, name }) => ({ id, name }))
      .sort((a, b) => (a.name < b.name ? -1 : 1))
  }

  #compute(userId: string, scope: Scope, appCredId: string | null): Access | null {
    const user = this.#user(userId)
    if (!user) return null
    const project = scope.kind === 'project' ? this.#project(scope.id) : null
    const domain = scope.kind === 'domain' ? this.#domain(scope.id) : null
    if ((scope.kind === 'project' && !project) || (scope.kind === 'domain' && !domain)) return null
    let roles = this.closure(this.#assigned(userId, scope))
    let appCred: AppCredAccess | null = null
    if (appCredId !== null) {
      const row = this.#appCred(appCredId)
      if (!row || row.user_id !== userId || scope.kind !== 'project' || row.project_id !== scope.id) return null
      const granted = this.#state.db.prepare<{ role_id: string }>(
        'SELECT role_id FROM application_credential_role WHERE application_credential_id = ?',
      )
      const allowed = new Set(this.closure(granted.all(row.internal_id).map(({ role_id }) => role_id)).map(({ id }) => id))
      roles = roles.filter(({ id }) => allowed.has(id))
      appCred = {
        id: row.id,
        name: row.name,
        restricted: row.unrestricted === 0,
        expiresAtMs: row.expires_at === null ? null : row.expires_at / 1000,
      }
    }
    if (scope.kind !== 'none' && roles.length === 0) return null
    return { user, scope, project, domain, roles, appCred }
  }

  #user(userId: string): AccessUser | null {
    const row = this.#state.db
      .prepare<UserRow>(
        `SELECT u.id, l.name, u.enabled, u.domain_id, d.name AS domain_name, d.enabled AS domain_enabled, u.default_project_id,
         ${optionsColumn('user', 'u.id')} AS options
         FROM user u JOIN local_user l ON l.user_id = u.id JOIN project d ON d.id = u.domain_id WHERE u.id = ?`,
      )
      .get(userId)
    if (row?.enabled !== 1 || row.domain_enabled !== 1) return null
    const domain = { id: row.domain_id, name: row.domain_name }
    return { id: row.id, name: row.name, domain, defaultProjectId: row.default_project_id, options: readOptions('user', row.options) }
  }

  #project(id: string): AccessProject | null {
    const row = this.#state.db
      .prepare<ProjectRow>(
        `SELECT p.id, p.name, p.enabled, p.is_domain, p.domain_id, d.name AS domain_name, d.enabled AS domain_enabled
         FROM project p JOIN project d ON d.id = CASE WHEN p.is_domain THEN p.id ELSE p.domain_id END
         WHERE p.id = ? AND p.id <> '<<keystone.domain.root>>'`,
      )
      .get(id)
    if (row?.enabled !== 1 || row.domain_enabled !== 1) return null
    const domain = row.is_domain === 1 ? { id: row.id, name: row.name } : { id: row.domain_id, name: row.domain_name }
    return { id: row.id, name: row.name, domain, isDomain: row.is_domain === 1 }
  }

  #domain(id: string): Named | null {
    const found = this.#project(id)
    return found?.isDomain ? { id: found.id, name: found.name } : null
  }

  #appCred(id: string): AppCredRow | undefined {
    return this.#state.db
      .prepare<AppCredRow>(
        'SELECT internal_id, id, name, unrestricted, expires_at, user_id, project_id FROM application_credential WHERE id = ?',
      )
      .get(id)
  }

  #assigned(userId: string, scope: Scope): string[] {
    const { db } = this.#state
    const actors = '(SELECT ? UNION ALL SELECT group_id FROM user_group_membership WHERE user_id = ?)'
    const read = (sql: string, ...values: string[]) =>
      db
        .prepare<{ role_id: string }>(`SELECT DISTINCT role_id FROM ${sql}`)
        .all(...values)
        .map(({ role_id }) => role_id)
    switch (scope.kind) {
      case 'none':
        return []
      case 'system':
        return read(`system_assignment WHERE actor_id IN ${actors}`, userId, userId)
      case 'domain':
        return read(
          `assignment WHERE actor_id IN ${actors} AND target_id = ? AND inherited = 0 AND type IN ('UserDomain', 'GroupDomain')`,
          userId,
          userId,
          scope.id,
        )
      case 'project':
        return read(
          `assignment WHERE actor_id IN ${actors} AND (
             (target_id = ? AND inherited = 0 AND type IN ('UserProject', 'GroupProject'))
             OR (inherited = 1 AND target_id <> ? AND target_id IN (
               WITH RECURSIVE above(id) AS (SELECT ? UNION SELECT p.parent_id FROM project p JOIN above a ON p.id = a.id WHERE p.parent_id IS NOT NULL)
               SELECT id FROM above)))`,
          userId,
          userId,
          scope.id,
          scope.id,
          scope.id,
        )
    }
  }
}
