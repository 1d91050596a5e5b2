/** Roles, and which role implies which. */
import { forbidden, invalid, notFound } from '../base/errors.ts'
import { noDomain } from './bootstrap.ts'
import { checkMutable, type Options, optionsColumn, readOptions, writeOptions } from './options.ts'
import { type Columns, selection } from './selection.ts'
import { type Extra, type IdentityState, newId, readExtra, writeExtra } from './state.ts'

export type Role = { id: string; name: string; domainId: string | null; description: string | null; options: Options; extra: Extra }
export type RoleChange = { name?: string; description?: string | null; options?: Options; extra?: Extra }

type Row = { id: string; name: string; domain_id: string; description: string | null; extra: string | null; options: string }

const select = `SELECT r.id, r.name, r.domain_id, r.description, r.extra, ${optionsColumn('role', 'r.id')} AS options FROM role r`
const columns: Columns = { name: 'r.name' }
const read = (row: Row): Role => ({
  id: row.id,
  name: row.name,
  domainId: row.domain_id === noDomain ? null : row.domain_id,
  description: row.description,
  options: readOptions('role', row.options),
  extra: readExtra(row.extra),
})
const duplicate = (name: string) => `Conflict occurred attempting to store role - Duplicate entry found with name ${name}.`

export class Roles {
  readonly #state: IdentityState

  constructor(state: IdentityState) {
    this.#state = state
  }

  /** Those of no domain, unless `domain_id` names one. */
  list(search: URLSearchParams): Role[] {
    const { where, values } = selection(search, columns)
    return this.#state.db
      .prepare<Row>(`${select} WHERE r.domain_id = ? AND ${where} ORDER BY r.name, r.id`)
      .all(search.get('domain_id') ?? noDomain, ...values)
      .map(read)
  }

  all(): Role[] {
    return this.#state.db.prepare<Row>(select).all().map(read)
  }

  find(id: string): Role | null {
    const row = this.#state.db.prepare<Row>(`${select} WHERE r.id = ?`).get(id)
    return row ? read(row) : null
  }

  /** @throws {CloudError} `not-found`. */
  get(id: string): Role {
    const found = this.find(id)
    if (!found) throw notFound(`Could not find role: ${id.slice(0, 64)}.`)
    return found
  }

  /** In the order of the ids; those that are not there are left out. */
  several(ids: readonly string[]): Role[] {
    const rows = this.#state.db.prepare<Row>(`${select} WHERE r.id IN (SELECT value FROM json_each(?))`).all(JSON.stringify(ids))
    const byId = new Map(rows.map((row) => [row.id, read(row)]))
    return ids.flatMap((id) => byId.get(id) ?? [])
  }

  /** @throws {CloudError} `conflict`. */
  create({ name, domainId, description, options, extra }: RoleChange & { name: string; domainId?: string | null }): Role {
    const id = newId()
    this.#state.write(() => {
      this.#state.db
        .prepare('INSERT INTO role (id, name, extra, domain_id, description) VALUES (?, ?, ?, ?, ?)')
        .run(id, name, writeExtra(extra ?? {}), domainId ?? noDomain, description ?? null)
      writeOptions(this.#state, 'role', id, options)
    }, duplicate(name))
    return this.get(id)
  }

  /** @throws {CloudError} `not-found`, `conflict`, `forbidden` for an immutable one. */
  update(id: string, change: RoleChange): Role {
    const old = this.get(id)
    checkMutable('role', id, old.options, change)
    const { name, description, options, extra } = change
    this.#state.write(
      () => {
        this.#state.db
          .prepare('UPDATE role SET name = ?, description = ?, extra = ? WHERE id = ?')
          .run(name ?? old.name, description === undefined ? old.description : description, writeExtra({ ...old.extra, ...extra }), id)
        writeOptions(this.#state, 'role', id, options)
      },
      duplicate(name ?? old.name),
    )
    return this.get(id)
  }

  /** Takes all its assignments along. @throws {CloudError} `not-found`, `forbidden` for an immutable one. */
  delete(id: string): void {
    const { db } = this.#state
    checkMutable('role', id, this.get(id).options)
    this.#state.write(() => {
      db.prepare('DELETE FROM assignment WHERE role_id = ?').run(id)
      db.prepare('DELETE FROM system_assignment WHERE role_id = ?').run(id)
      db.prepare('DELETE FROM role WHERE id = ?').run(id)
    })
  }

  implications(): { prior: Role; implied: Role[] }[] {
    const rows = this.#state.db
      .prepare<{ prior_role_id: string; implied_role_id: string }>('SELECT prior_role_id, implied_role_id FROM implied_role')
      .all()
    const known = new Map(this.several(rows.flatMap((row) => [row.prior_role_id, row.implied_role_id])).map((role) => [role.id, role]))
    const byPrior = Map.groupBy(rows, (row) => row.prior_role_id)
    return [...byPrior].flatMap(([id, group]) => {
      const prior = known.get(id)
      return prior ? [{ prior, implied: group.flatMap((row) => known.get(row.implied_role_id) ?? []) }] : []
    })
  }

  /** @throws {CloudError} `not-found`. */
  impliedBy(priorId: string): Role[] {
    this.get(priorId)
    const rows = this.#state.db.prepare<{ implied_role_id: string }>('SELECT implied_role_id FROM implied_role WHERE prior_role_id = ?')
    return this.several(rows.all(priorId).map((row) => row.implied_role_id))
  }

  /** @throws {CloudError} `not-found` for a role; `invalid` for a circle; `forbidden` when admin would be implied. */
  imply(priorId: string, impliedId: string): void {
    const prior = this.get(priorId)
    const implied = this.get(impliedId)
    if (implied.name === 'admin' && implied.domainId === null) throw forbidden('The role admin cannot be implied.')
    if (prior.id === implied.id || this.#reaches(implied.id, prior.id)) throw invalid('A role cannot imply itself.')
    this.#state.write(() =>
      this.#state.db.prepare('INSERT OR IGNORE INTO implied_role (prior_role_id, implied_role_id) VALUES (?, ?)').run(priorId, impliedId),
    )
  }

  /** @throws {CloudError} `not-found` for a role or the implication. */
  checkImplied(priorId: string, impliedId: string): { prior: Role; implied: Role } {
    const prior = this.get(priorId)
    const implied = this.get(impliedId)
    const found = this.#state.db
      .prepare('SELECT 1 FROM implied_role WHERE prior_role_id = ? AND implied_role_id = ?')
      .get(priorId, impliedId)
    if (found === undefined) throw notFound(`${priorId} does not imply ${impliedId}.`)
    return { prior, implied }
  }

  /** @throws {CloudError} `not-found` for a role or the implication. */
  unimply(priorId: string, impliedId: string): void {
    this.checkImplied(priorId, impliedId)
    this.#state.write(() =>
      this.#state.db.prepare('DELETE FROM implied_role WHERE prior_role_id = ? AND implied_role_id = ?').run(priorId, impliedId),
    )
  }

  #reaches(from: string, to: string): boolean {
    return (
      this.#state.db
        .prepare(
          `WITH RECURSIVE below(id) AS (SELECT ? UNION SELECT i.implied_role_id FROM implied_role i JOIN below b ON i.prior_role_id = b.id)
           SELECT 1 FROM below WHERE id = ?`,
        )
        .get(from, to) !== undefined
    )
  }
}
