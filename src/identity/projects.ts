/** Projects and their tree, and what all projects that act as domains have in common with them. */
import { conflict, forbidden, invalid, notFound } from '../base/errors.ts'
import { defaultDomainId, rootDomainId } from './bootstrap.ts'
import { checkMutable, type Options, optionsColumn, readOptions, writeOptions } from './options.ts'
import { type Columns, selection } from './selection.ts'
import { type Extra, type IdentityState, newId, readExtra, writeExtra } from './state.ts'
import type { Revocations } from './tokens/revocations.ts'

export type Project = {
  id: string
  name: string
  description: string
  enabled: boolean
  /** `null` for a domain. */
  domainId: string | null
  parentId: string | null
  isDomain: boolean
  tags: string[]
  options: Options
  extra: Extra
}
export type ProjectChange = {
  name?: string
  description?: string | null
  enabled?: boolean
  tags?: string[]
  options?: Options
  extra?: Extra
}
export type NewProject = ProjectChange & { name: string; domainId: string; parentId?: string | null; id?: string }

type Row = {
  id: string
  name: string
  extra: string | null
  description: string | null
  enabled: number
  domain_id: string
  parent_id: string | null
  is_domain: number
  tags: string
  options: string
}

const select = `SELECT p.id, p.name, p.extra, p.description, p.enabled, p.domain_id, p.parent_id, p.is_domain,
  (SELECT json_group_array(t.name) FROM project_tag t WHERE t.project_id = p.id) AS tags, ${optionsColumn('project', 'p.id')} AS options
  FROM project p WHERE p.id <> '${rootDomainId}'`

const projectColumns: Columns = { name: 'p.name', domain_id: 'p.domain_id', parent_id: 'p.parent_id', enabled: { boolean: 'p.enabled' } }
const domainColumns: Columns = { id: 'p.id', name: 'p.name', enabled: { boolean: 'p.enabled' } }
const deepest = 5

const read = (row: Row): Project => ({
  id: row.id,
  name: row.name,
  description: row.description ?? '',
  enabled: row.enabled === 1,
  domainId: row.is_domain === 1 ? null : row.domain_id,
  parentId: row.parent_id,
  isDomain: row.is_domain === 1,
  tags: (JSON.parse(row.tags) as string[]).sort(),
  options: readOptions('project', row.options),
  extra: readExtra(row.extra),
})

const duplicate = (kind: string, name: string, domainId: string | null): string =>
  `Conflict occurred attempting to store ${kind} - Duplicate entry found with name ${name}${domainId === null ? '' : ` at domain ID ${domainId}`}.`

export class Projects {
  readonly #state: IdentityState
  readonly #revocations: Revocations

  constructor(state: IdentityState, revocations: Revocations) {
    this.#state = state
    this.#revocations = revocations
  }

  #all(sql: string, ...values: unknown[]): Project[] {
    return this.#state.db
      .prepare<Row>(sql)
      .all(...values)
      .map(read)
  }

  list(search: URLSearchParams, domainId: string | null): Project[] {
    const { where, values } = selection(search, projectColumns)
    const isDomain = /^(1|true)$/i.test(search.get('is_domain') ?? '')
    const found = this.#all(
      `${select} AND p.is_domain = ? AND (? IS NULL OR p.domain_id = ?) AND ${where} ORDER BY p.name, p.id`,
      isDomain ? 1 : 0,
      domainId,
      domainId,
      ...values,
    )
    return found.filter(taggedAs(search))
  }

  domains(search: URLSearchParams, only: string | null): Project[] {
    const { where, values } = selection(search, domainColumns)
    return this.#all(`${select} AND p.is_domain = 1 AND (? IS NULL OR p.id = ?) AND ${where} ORDER BY p.name, p.id`, only, only, ...values)
  }

  find(id: string): Project | null {
    return this.#all(`${select} AND p.id = ?`, id)[0] ?? null
  }

  /** @throws {CloudError} `not-found`. */
  get(id: string): Project {
    const found = this.find(id)
    if (!found) throw notFound(`Could not find project: ${id.slice(0, 64)}.`)
    return found
  }

  /** @throws {CloudError} `not-found`. */
  domain(id: string): Project {
    const found = this.find(id)
    if (!found?.isDomain) throw notFound(`Could not find domain: ${id.slice(0, 64)}.`)
    return found
  }

  /** The projects in which a user has a role: by itself, through a group, or inherited from above. */
  ofUser(userId: string): Project[] {
    return this.#all(
      `WITH RECURSIVE mine AS (
         SELECT type, target_id, inherited FROM assignment
         WHERE actor_id = ? OR actor_id IN (SELECT group_id FROM user_group_membership WHERE user_id = ?)),
       below(id) AS (
         SELECT c.id FROM project c JOIN mine m ON c.parent_id = m.target_id WHERE m.inherited = 1
         UNION SELECT c.id FROM project c JOIN below b ON c.parent_id = b.id)
       ${select} AND p.is_domain = 0 AND (p.id IN (SELECT id FROM below)
         OR p.id IN (SELECT target_id FROM mine WHERE inherited = 0 AND type IN ('UserProject', 'GroupProject')))
       ORDER BY p.name, p.id`,
      userId,
      userId,
    )
  }

  domainsOfUser(userId: string): Project[] {
    return this.#all(
      `${select} AND p.is_domain = 1 AND p.id IN (
         SELECT target_id FROM assignment WHERE inherited = 0 AND type IN ('UserDomain', 'GroupDomain')
         AND (actor_id = ? OR actor_id IN (SELECT group_id FROM user_group_membership WHERE user_id = ?)))
       ORDER BY p.name, p.id`,
      userId,
      userId,
    )
  }

  /** From the parent up, without the domain. */
  parents(project: Project): Project[] {
    const found: Project[] = []
    let next = project.parentId
    while (next !== null && found.length <= deepest) {
      const parent = this.find(next)
      if (!parent || parent.isDomain) break
      found.push(parent)
      next = parent.parentId
    }
    return found
  }

  /** All below, nearest first. */
  subtree(id: string): Project[] {
    return this.#all(
      `WITH RECURSIVE below(id, depth) AS (
         SELECT c.id, 1 FROM project c WHERE c.parent_id = ?
         UNION SELECT c.id, b.depth + 1 FROM project c JOIN below b ON c.parent_id = b.id)
       ${select.replace('FROM project p', 'FROM project p JOIN below ON below.id = p.id')} ORDER BY below.depth, p.name`,
      id,
    )
  }

  /** @throws {CloudError} `not-found` for domain or parent, `invalid` for a parent elsewhere, `forbidden` below the deepest level, `conflict`. */
  create(given: NewProject): Project {
    const { domainId, name } = given
    const domain = this.domain(domainId)
    const parentId = given.parentId ?? domainId
    const parent = this.get(parentId)
    if ((parent.isDomain ? parent.id : parent.domainId) !== domainId)
      throw invalid('Invalid input for field parent_id: the parent lies in another domain.')
    if (!domain.enabled || !parent.enabled) throw forbidden('Cannot create a project below one that is disabled.')
    if (!parent.isDomain && this.parents(parent).length + 2 > deepest) throw forbidden('The project tree would be too deep.')
    const id = newId()
    this.#insert({ ...given, id, parentId, domainId, isDomain: 0, onDuplicate: duplicate('project', name, domainId) })
    return this.get(id)
  }

  /** @throws {CloudError} `conflict`. */
  createDomain(given: ProjectChange & { name: string; id?: string }): Project {
    const id = given.id ?? newId()
    if (this.find(id)) throw conflict(`Conflict occurred attempting to store domain - Duplicate ID, ${id}..`)
    this.#insert({ ...given, id, parentId: null, domainId: rootDomainId, isDomain: 1, onDuplicate: duplicate('domain', given.name, null) })
    return this.get(id)
  }

  #insert(
    project: ProjectChange & { id: string; name: string; domainId: string; parentId: string | null; isDomain: 0 | 1; onDuplicate: string },
  ) {
    const { db } = this.#state
    this.#state.write(() => {
      db.prepare(
        'INSERT INTO project (id, name, extra, description, enabled, domain_id, parent_id, is_domain) VALUES (?, ?, ?, ?, ?, ?, ?, ?)',
      ).run(
        project.id,
        project.name,
        writeExtra(project.extra ?? {}),
        project.description ?? '',
        project.enabled === false ? 0 : 1,
        project.domainId,
        project.parentId,
        project.isDomain,
      )
      this.#writeTags(project.id, project.tags)
      writeOptions(this.#state, 'project', project.id, project.options)
    }, project.onDuplicate)
  }

  /** For projects and domains. @throws {CloudError} `not-found`, `conflict`, `forbidden` for an immutable one or one whose children are enabled. */
  update(id: string, change: ProjectChange): Project {
    const { db } = this.#state
    const old = this.get(id)
    checkMutable('project', id, old.options, change)
    const disabled = old.enabled && change.enabled === false
    if (disabled && !old.isDomain && this.subtree(id).some(({ enabled }) => enabled))
      throw forbidden(`Cannot disable project ${id} since its subtree contains enabled projects.`)
    if (change.enabled === true && this.parents(old).some(({ enabled }) => !enabled))
      throw forbidden(`Cannot enable project ${id} since it has disabled parents.`)
    const kind = old.isDomain ? 'domain' : 'project'
    this.#state.write(
      () => {
        db.prepare('UPDATE project SET name = ?, description = ?, enabled = ?, extra = ? WHERE id = ?').run(
          change.name ?? old.name,
          change.description === undefined ? old.description : (change.description ?? ''),
          (change.enabled ?? old.enabled) ? 1 : 0,
          writeExtra({ ...old.extra, ...change.extra }),
          id,
        )
        this.#writeTags(id, change.tags)
        writeOptions(this.#state, 'project', id, change.options)
        if (disabled && old.isDomain) this.#revocations.revokeDomain(id)
        if (disabled) this.#revocations.revokeProject(id)
      },
      duplicate(kind, change.name ?? old.name, old.domainId),
    )
    return this.get(id)
  }

  /** @throws {CloudError} `not-found`; `forbidden` for a domain, an immutable project or one with children. */
  delete(id: string): void {
    const project = this.get(id)
    if (project.isDomain) throw forbidden(`Project ${id} acts as a domain: delete it through the domains API.`)
    checkMutable('project', id, project.options)
    if (this.subtree(id).length > 0) throw forbidden(`Cannot delete the project ${id} since it is not a leaf in the hierarchy.`)
    this.#state.write(() => this.#remove(id))
  }

  /** Takes users, groups and projects along. @throws {CloudError} `not-found`; `forbidden` for the default domain or one that is enabled. */
  deleteDomain(id: string): void {
    const { db } = this.#state
    const domain = this.domain(id)
    checkMutable('project', id, domain.options)
    if (id === defaultDomainId) throw forbidden('You are not authorized to perform the requested action: delete the default domain.')
    if (domain.enabled) throw forbidden('Cannot delete a domain that is enabled, please disable it first.')
    this.#state.write(() => {
      const actors = 'SELECT id FROM user WHERE domain_id = ? UNION ALL SELECT id FROM "group" WHERE domain_id = ?'
      db.prepare(`DELETE FROM assignment WHERE actor_id IN (${actors})`).run(id, id)
      db.prepare(`DELETE FROM system_assignment WHERE actor_id IN (${actors})`).run(id, id)
      db.prepare('DELETE FROM assignment WHERE role_id IN (SELECT id FROM role WHERE domain_id = ?)').run(id)
      db.prepare('DELETE FROM user WHERE domain_id = ?').run(id)
      db.prepare('DELETE FROM "group" WHERE domain_id = ?').run(id)
      db.prepare('DELETE FROM role WHERE domain_id = ?').run(id)
      for (const { id: child } of db.prepare<{ id: string }>('SELECT id FROM project WHERE domain_id = ?').all(id)) this.#remove(child)
      this.#remove(id)
    })
  }

  #remove(id: string): void {
    const { db } = this.#state
    db.prepare('DELETE FROM assignment WHERE target_id = ?').run(id)
    db.prepare('UPDATE user SET default_project_id = NULL WHERE default_project_id = ?').run(id)
    db.prepare('DELETE FROM project WHERE id = ?').run(id)
  }

  #writeTags(id: string, tags: readonly string[] | undefined): void {
    if (!tags) return
    const { db } = this.#state
    db.prepare('DELETE FROM project_tag WHERE project_id = ?').run(id)
    for (const tag of new Set(tags)) db.prepare('INSERT INTO project_tag (project_id, name) VALUES (?, ?)').run(id, tag)
  }
}

/** `tags`, `tags-any`, `not-tags`, `not-tags-any`: lists with commas. */
function taggedAs(search: URLSearchParams): (project: Project) => boolean {
  const wanted = (name: string) =>
    search
      .get(name)
      ?.split(',')
      .filter((tag) => tag !== '')
  const [all, some, notAll, none] = ['tags', 'tags-any', 'not-tags', 'not-tags-any'].map(wanted)
  return ({ tags }) =>
    (all?.every((tag) => tags.includes(tag)) ?? true) &&
    (some?.some((tag) => tags.includes(tag)) ?? true) &&
    !(notAll?.every((tag) => tags.includes(tag)) ?? false) &&
    !(none?.some((tag) => tags.includes(tag)) ?? false)
}
