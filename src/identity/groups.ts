/** Groups and who is in them. */
import { notFound } from '../base/errors.ts'
import type { Projects } from './projects.ts'
import { type Columns, selection } from './selection.ts'
import { type Extra, type IdentityState, newId, readExtra, writeExtra } from './state.ts'
import type { Users } from './users.ts'

export type Group = { id: string; name: string; domainId: string; description: string; extra: Extra }
export type GroupChange = { name?: string; description?: string | null; extra?: Extra }

type Row = { id: string; name: string; domain_id: string; description: string | null; extra: string | null }

const select = 'SELECT g.id, g.name, g.domain_id, g.description, g.extra FROM "group" g'
const columns: Columns = { name: 'g.name', domain_id: 'g.domain_id' }
const read = (row: Row): Group => ({
  id: row.id,
  name: row.name,
  domainId: row.domain_id,
  description: row.description ?? '',
  extra: readExtra(row.extra),
})
const duplicate = (name: string, domainId: string) =>
  `Conflict occurred attempting to store group - Duplicate entry found with name ${name} at domain ID ${domainId}.`

export class Groups {
  readonly #state: IdentityState
  readonly #projects: Projects
  readonly #users: Users

  constructor(state: IdentityState, projects: Projects, users: Users) {
    this.#state = state
    this.#projects = projects
    this.#users = users
  }

  list(search: URLSearchParams, domainId: string | null): Group[] {
    const { where, values } = selection(search, columns)
    return this.#state.db
      .prepare<Row>(`${select} WHERE (? IS NULL OR g.domain_id = ?) AND ${where} ORDER BY g.name, g.id`)
      .all(domainId, domainId, ...values)
      .map(read)
  }

  ofUser(userId: string, search: URLSearchParams): Group[] {
    const { where, values } = selection(search, columns)
    return this.#state.db
      .prepare<Row>(`${select} JOIN user_group_membership m ON m.group_id = g.id WHERE m.user_id = ? AND ${where} ORDER BY g.name, g.id`)
      .all(userId, ...values)
      .map(read)
  }

  find(id: string): Group | null {
    const row = this.#state.db.prepare<Row>(`${select} WHERE g.id = ?`).get(id)
    return row ? read(row) : null
  }

  /** @throws {CloudError} `not-found`. */
  get(id: string): Group {
    const found = this.find(id)
    if (!found) throw notFound(`Could not find group: ${id.slice(0, 64)}.`)
    return found
  }

  /** @throws {CloudError} `not-found` for the domain, `conflict`. */
  create({ name, domainId, description, extra }: GroupChange & { name: string; domainId: string }): Group {
    this.#projects.domain(domainId)
    const id = newId()
    this.#state.write(
      () =>
        this.#state.db
          .prepare('INSERT INTO "group" (id, name, domain_id, description, extra) VALUES (?, ?, ?, ?, ?)')
          .run(id, name, domainId, description ?? '', writeExtra(extra ?? {})),
      duplicate(name, domainId),
    )
    return this.get(id)
  }

  /** @throws {CloudError} `not-found`, `conflict`. */
  update(id: string, { name, description, extra }: GroupChange): Group {
    const old = this.get(id)
    this.#state.write(
      () =>
        this.#state.db
          .prepare('UPDATE "group" SET name = ?, description = ?, extra = ? WHERE id = ?')
          .run(
            name ?? old.name,
            description === undefined ? old.description : (description ?? ''),
            writeExtra({ ...old.extra, ...extra }),
            id,
          ),
      duplicate(name ?? old.name, old.domainId),
    )
    return this.get(id)
  }

  /** @throws {CloudError} `not-found`. */
  delete(id: string): void {
    const { db } = this.#state
    this.get(id)
    this.#state.write(() => {
      db.prepare('DELETE FROM assignment WHERE actor_id = ?').run(id)
      db.prepare('DELETE FROM system_assignment WHERE actor_id = ?').run(id)
      db.prepare('DELETE FROM "group" WHERE id = ?').run(id)
    })
  }

  /** @throws {CloudError} `not-found` for either. */
  has(id: string, userId: string): boolean {
    this.get(id)
    this.#users.get(userId)
    return this.#state.db.prepare('SELECT 1 FROM user_group_membership WHERE group_id = ? AND user_id = ?').get(id, userId) !== undefined
  }

  /** @throws {CloudError} `not-found` for either. */
  add(id: string, userId: string): void {
    if (this.has(id, userId)) return
    this.#state.write(() => this.#state.db.prepare('INSERT INTO user_group_membership (user_id, group_id) VALUES (?, ?)').run(userId, id))
  }

  /** @throws {CloudError} `not-found` for either, or when the user isn't in the group. */
  remove(id: string, userId: string): void {
    if (!this.has(id, userId)) throw notFound(`User ${userId} was not found in group ${id}.`)
    this.#state.write(() => this.#state.db.prepare('DELETE FROM user_group_membership WHERE user_id = ? AND group_id = ?').run(userId, id))
  }
}
