/**
 * Application credentials: a secret of a user's own for one project, with no more roles than the user had when it was made.
 * The secret is shown once; what is kept is its hash.
 */
import { randomBytes } from 'node:crypto'
import { forbidden, invalid, notFound } from '../base/errors.ts'
import type { Passwords } from './passwords.ts'
import type { Role, Roles } from './roles.ts'
import { type IdentityState, newId } from './state.ts'
import type { ValidToken } from './tokens/tokens.ts'

export type ApplicationCredential = {
  id: string
  name: string
  description: string | null
  userId: string
  projectId: string | null
  expiresAtMs: number | null
  unrestricted: boolean
  roles: Role[]
}
export type NewApplicationCredential = {
  name: string
  description?: string | null
  secret?: string | null
  expiresAtMs: number | null
  unrestricted: boolean
  /** By id or name; the token's roles when absent. */
  roles?: readonly { id?: string; name?: string }[]
}

type Row = {
  internal_id: number
  id: string
  name: string
  description: string | null
  user_id: string
  project_id: string | null
  expires_at: number | null
  unrestricted: number
  role_ids: string
}

const select = `SELECT a.internal_id, a.id, a.name, a.description, a.user_id, a.project_id, a.expires_at, a.unrestricted,
  (SELECT json_group_array(r.role_id) FROM application_credential_role r WHERE r.application_credential_id = a.internal_id) AS role_ids
  FROM application_credential a`

export class ApplicationCredentials {
  readonly #state: IdentityState
  readonly #passwords: Passwords
  readonly #roles: Roles

  constructor(state: IdentityState, passwords: Passwords, roles: Roles) {
    this.#state = state
    this.#passwords = passwords
    this.#roles = roles
  }

  #read(rows: readonly Row[]): ApplicationCredential[] {
    const known = new Map(this.#roles.all().map((role) => [role.id, role]))
    return rows.map((row) => ({
      id: row.id,
      name: row.name,
      description: row.description,
      userId: row.user_id,
      projectId: row.project_id,
      expiresAtMs: row.expires_at === null ? null : row.expires_at / 1000,
      unrestricted: row.unrestricted === 1,
      roles: (JSON.parse(row.role_ids) as string[]).flatMap((id) => known.get(id) ?? []),
    }))
  }

  list(userId: string, name: string | null): ApplicationCredential[] {
    const rows = this.#state.db
      .prepare<Row>(`${select} WHERE a.user_id = ? AND (? IS NULL OR a.name = ?) ORDER BY a.internal_id`)
      .all(userId, name, name)
    return this.#read(rows)
  }

  /** @throws {CloudError} `not-found`. */
  get(userId: string, id: string): ApplicationCredential {
    const rows = this.#state.db.prepare<Row>(`${select} WHERE a.user_id = ? AND a.id = ?`).all(userId, id)
    const found = this.#read(rows)[0]
    if (!found) throw notFound(`Could not find application credential: ${id.slice(0, 64)}.`)
    return found
  }

  /**
   * For the holder of `token`, in its project.
   * @throws {CloudError} `forbidden` for a token of a restricted application credential; `invalid` for a token of no project, a
   * role that the token lacks or a time past; `conflict`.
   */
  async create(token: ValidToken, given: NewApplicationCredential): Promise<{ made: ApplicationCredential; secret: string }> {
    checkMayMint(token)
    const { access } = token
    if (!access.project) throw invalid('A project-scoped token is required to create an application credential.')
    if (given.expiresAtMs !== null && given.expiresAtMs <= this.#state.clock.now())
      throw invalid('The expires_at of the application credential lies in the past.')
    const roleIds = (given.roles ?? access.roles).map((wanted) => {
      const found = access.roles.find(({ id, name }) => (wanted.id === undefined ? name === wanted.name : id === wanted.id))
      if (!found)
        throw invalid('Could not find role assignment: an application credential can only have roles of the token that creates it.')
      return found.id
    })
    if (roleIds.length === 0) throw invalid('An application credential needs at least one role.')
    const secret = given.secret ?? randomBytes(64).toString('base64url')
    const hash = await this.#passwords.hash(secret)
    const id = newId()
    this.#state.write(() => {
      const { lastInsertRowid } = this.#state.db
        .prepare(
          `INSERT INTO application_credential (id, name, secret_hash, description, user_id, project_id, expires_at, unrestricted)
             VALUES (?, ?, ?, ?, ?, ?, ?, ?)`,
        )
        .run(
          id,
          given.name,
          hash,
          given.description ?? null,
          access.user.id,
          access.project?.id,
          given.expiresAtMs === null ? null : given.expiresAtMs * 1000,
          given.unrestricted ? 1 : 0,
        )
      const addRole = this.#state.db.prepare('INSERT INTO application_credential_role (application_credential_id, role_id) VALUES (?, ?)')
      for (const roleId of new Set(roleIds)) addRole.run(lastInsertRowid, roleId)
    }, `Conflict occurred attempting to store application_credential - Duplicate entry found with name ${given.name}.`)
    return { made: this.get(access.user.id, id), secret }
  }

  /** Ends the tokens made with it. @throws {CloudError} `not-found`; `forbidden` as {@link create}. */
  delete(token: ValidToken, userId: string, id: string): void {
    checkMayMint(token)
    this.get(userId, id)
    this.#state.write(() => this.#state.db.prepare('DELETE FROM application_credential WHERE id = ?').run(id))
  }
}

/** @throws {CloudError} `forbidden` for the token of a restricted application credential. */
export function checkMayMint({ access }: ValidToken): void {
  if (access.appCred?.restricted) throw forbidden('Using method application_credential is not allowed for managing credentials.')
}
