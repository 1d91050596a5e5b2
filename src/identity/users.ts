/** Users and their passwords. A password that changes and a user that is disabled end all tokens of that user. */
import { forbidden, invalid, notFound } from '../base/errors.ts'
import { checkUserOptions, type Options, optionsColumn, readOptions, writeOptions } from './options.ts'
import type { Passwords } from './passwords.ts'
import type { Projects } from './projects.ts'
import { type Columns, selection } from './selection.ts'
import { type Extra, type IdentityState, newId, readExtra, writeExtra } from './state.ts'
import type { Revocations } from './tokens/revocations.ts'

export type User = {
  id: string
  name: string
  domainId: string
  enabled: boolean
  defaultProjectId: string | null
  options: Options
  extra: Extra
}
export type UserChange = {
  name?: string
  enabled?: boolean
  password?: string | null
  defaultProjectId?: string | null
  options?: Options
  extra?: Extra
}
export type NewUser = UserChange & { name: string; domainId: string }

type Row = {
  id: string
  name: string
  domain_id: string
  enabled: number
  default_project_id: string | null
  extra: string | null
  options: string
}

const select = `SELECT u.id, l.name, u.domain_id, u.enabled, u.default_project_id, u.extra, ${optionsColumn('user', 'u.id')} AS options
  FROM user u JOIN local_user l ON l.user_id = u.id`
const columns: Columns = {
  name: 'l.name',
  domain_id: 'u.domain_id',
  default_project_id: 'u.default_project_id',
  enabled: { boolean: 'u.enabled' },
}

const read = (row: Row): User => ({
  id: row.id,
  name: row.name,
  domainId: row.domain_id,
  enabled: row.enabled === 1,
  defaultProjectId: row.default_project_id,
  options: readOptions('user', row.options),
  extra: readExtra(row.extra),
})

const duplicate = (name: string, domainId: string) =>
  `Conflict occurred attempting to store user - Duplicate entry found with name ${name} at domain ID ${domainId}.`

export class Users {
  readonly #state: IdentityState
  readonly #passwords: Passwords
  readonly #projects: Projects
  readonly #revocations: Revocations

  constructor(deps: { state: IdentityState; passwords: Passwords; projects: Projects; revocations: Revocations }) {
    this.#state = deps.state
    this.#passwords = deps.passwords
    this.#projects = deps.projects
    this.#revocations = deps.revocations
  }

  list(search: URLSearchParams, domainId: string | null): User[] {
    const { where, values } = selection(search, columns)
    return this.#state.db
      .prepare<Row>(`${select} WHERE (? IS NULL OR u.domain_id = ?) AND ${where} ORDER BY l.name, u.id`)
      .all(domainId, domainId, ...values)
      .map(read)
  }

  ofGroup(groupId: string, search: URLSearchParams): User[] {
    const { where, values } = selection(search, columns)
    return this.#state.db
      .prepare<Row>(`${select} JOIN user_group_membership m ON m.user_id = u.id WHERE m.group_id = ? AND ${where} ORDER BY l.name, u.id`)
      .all(groupId, ...values)
      .map(read)
  }

  find(id: string): User | null {
    const row = this.#state.db.prepare<Row>(`${select} WHERE u.id = ?`).get(id)
    return row ? read(row) : null
  }

  /** @throws {CloudError} `not-found`. */
  get(id: string): User {
    const found = this.find(id)
    if (!found) throw notFound(`Could not find user: ${id.slice(0, 64)}.`)
    return found
  }

  /** @throws {CloudError} `not-found` for the domain, `invalid` for password, options or default project, `conflict`. */
  async create(given: NewUser): Promise<User> {
    const { db, clock } = this.#state
    const { name, domainId } = given
    this.#projects.domain(domainId)
    this.#checkDefaultProject(given.defaultProjectId)
    checkUserOptions(given.options)
    const hash = typeof given.password === 'string' ? await this.#passwords.hash(given.password) : null
    const id = newId()
    this.#state.write(
      () => {
        this.#projects.domain(domainId) // hashing took a while
        db.prepare('INSERT INTO user (id, extra, enabled, default_project_id, created_at, domain_id) VALUES (?, ?, ?, ?, ?, ?)').run(
          id,
          writeExtra(given.extra ?? {}),
          given.enabled === false ? 0 : 1,
          given.defaultProjectId ?? null,
          clock.text(),
          domainId,
        )
        db.prepare('INSERT INTO local_user (user_id, domain_id, name, failed_auth_count) VALUES (?, ?, ?, 0)').run(id, domainId, name)
        if (hash !== null) this.#writePassword(id, hash, false)
        writeOptions(this.#state, 'user', id, given.options)
      },
      duplicate(name, domainId),
    )
    return this.get(id)
  }

  /** @throws {CloudError} `not-found`, `invalid`, `conflict`. */
  async update(id: string, change: UserChange): Promise<User> {
    const { db } = this.#state
    const before = this.get(id)
    this.#checkDefaultProject(change.defaultProjectId)
    checkUserOptions(change.options)
    const hash = typeof change.password === 'string' ? await this.#passwords.hash(change.password) : undefined
    this.#state.write(
      () => {
        const old = this.get(id) // hashing took a while
        db.prepare('UPDATE user SET enabled = ?, default_project_id = ?, extra = ? WHERE id = ?').run(
          (change.enabled ?? old.enabled) ? 1 : 0,
          change.defaultProjectId === undefined ? old.defaultProjectId : change.defaultProjectId,
          writeExtra({ ...old.extra, ...change.extra }),
          id,
        )
        if (change.name !== undefined) db.prepare('UPDATE local_user SET name = ? WHERE user_id = ?').run(change.name, id)
        if (hash !== undefined) this.#writePassword(id, hash, false)
        else if (change.password === null) this.#dropPassword(id)
        writeOptions(this.#state, 'user', id, change.options)
        if (change.password !== undefined || (old.enabled && change.enabled === false)) this.#revocations.revokeUser(id)
      },
      duplicate(change.name ?? before.name, before.domainId),
    )
    return this.get(id)
  }

  /** By the user, who has proved to know the old one. @throws {CloudError} `invalid`, `forbidden` when an administrator has locked it. */
  async changePassword(id: string, password: string): Promise<void> {
    if (this.get(id).options.lock_password === true) throw forbidden('The password of this user is locked.')
    const hash = await this.#passwords.hash(password)
    this.#state.write(() => {
      this.get(id)
      this.#writePassword(id, hash, true)
      this.#revocations.revokeUser(id)
    })
  }

  /** @throws {CloudError} `not-found`. */
  delete(id: string): void {
    const { db } = this.#state
    this.get(id)
    this.#state.write(() => {
      db.prepare('DELETE FROM assignment WHERE actor_id = ?').run(id)
      db.prepare('DELETE FROM system_assignment WHERE actor_id = ?').run(id)
      db.prepare('DELETE FROM user WHERE id = ?').run(id)
    })
  }

  #checkDefaultProject(id: string | null | undefined): void {
    if (id && this.#projects.find(id)?.isDomain)
      throw invalid('Invalid input for field default_project_id: a domain cannot be a default project.')
  }

  #writePassword(id: string, hash: string, selfService: boolean): void {
    const { db, clock } = this.#state
    this.#dropPassword(id)
    db.prepare(
      `INSERT INTO password (local_user_id, password_hash, self_service, created_at, created_at_int)
       SELECT id, ?, ?, ?, ? FROM local_user WHERE user_id = ?`,
    ).run(hash, selfService ? 1 : 0, clock.text(), clock.now() * 1000, id)
  }

  #dropPassword(id: string): void {
    this.#state.db.prepare('DELETE FROM password WHERE local_user_id = (SELECT id FROM local_user WHERE user_id = ?)').run(id)
  }
}
