/**
 * Server groups: servers of a project that are to share a host, or not to. Policies are `affinity`, `anti-affinity` and
 * their soft forms, which only prefer; a rule says how many members of an anti-affine group a host may have.
 *
 * @see https://docs.openstack.org/nova/latest/user/server-groups.html
 */
import { randomUUID } from 'node:crypto'
import { invalid, notFound, overQuota } from '../../base/errors.ts'
import type { Ground } from '../../base/ground.ts'
import type { Quotas } from './quotas.ts'

export type GroupPolicy = 'affinity' | 'anti-affinity' | 'soft-affinity' | 'soft-anti-affinity'

export type ServerGroup = {
  readonly id: number
  readonly uuid: string
  readonly name: string
  readonly projectId: string
  readonly userId: string
  readonly policy: GroupPolicy
  /** Of `anti-affinity`; `null` when nothing was said, which is 1. */
  readonly maxServerPerHost: number | null
  /** Live servers, in the order in which they came. */
  readonly members: readonly string[]
}

export type NewServerGroup = Pick<ServerGroup, 'name' | 'projectId' | 'userId' | 'policy' | 'maxServerPerHost'>
/** Whose eyes: a project sees its own groups, an administrator all. */
export type GroupViewer = { projectId: string | null; isAdmin: boolean }

type Row = {
  id: number
  uuid: string
  name: string
  project_id: string
  user_id: string
  policy: string
  rules: string | null
  members: string
}

const select = `SELECT g.id, g.uuid, g.name, g.project_id, g.user_id, p.policy, p.rules,
  (SELECT json_group_array(instance_uuid) FROM (SELECT m.instance_uuid FROM instance_group_member m JOIN instances i ON i.uuid = m.instance_uuid AND i.deleted = 0
   WHERE m.group_id = g.id ORDER BY m.id)) AS members FROM instance_groups g JOIN instance_group_policy p ON p.group_id = g.id`

function toGroup(row: Row): ServerGroup {
  const rules = JSON.parse(row.rules ?? '{}') as { max_server_per_host?: number | string }
  return {
    id: row.id,
    uuid: row.uuid,
    name: row.name,
    projectId: row.project_id,
    userId: row.user_id,
    policy: row.policy as GroupPolicy,
    maxServerPerHost: rules.max_server_per_host === undefined ? null : Number(rules.max_server_per_host),
    members: JSON.parse(row.members) as string[],
  }
}

export class ServerGroups {
  readonly #db: Ground['db']
  readonly #clock: Ground['clock']
  readonly #quotas: Quotas

  constructor({ db, clock }: Pick<Ground, 'db' | 'clock'>, quotas: Quotas) {
    this.#db = db
    this.#clock = clock
    this.#quotas = quotas
  }

  /** Of a project, or of all; a page of them. */
  list(projectId: string | null, { limit, offset }: { limit: number; offset: number }): ServerGroup[] {
    return this.#db
      .prepare<Row>(`${select} WHERE @projectId IS NULL OR g.project_id = @projectId ORDER BY g.id LIMIT @limit OFFSET @offset`)
      .all({ projectId, limit, offset })
      .map(toGroup)
  }

  find(uuid: string, viewer: GroupViewer | null = null): ServerGroup | null {
    const row = this.#db.prepare<Row>(`${select} WHERE g.uuid = ?`).get(uuid)
    if (!row || (viewer && !viewer.isAdmin && row.project_id !== viewer.projectId)) return null
    return toGroup(row)
  }

  /** @throws {CloudError} `not-found`, also for another project's. */
  get(uuid: string, viewer: GroupViewer | null = null): ServerGroup {
    const found = this.find(uuid, viewer)
    if (!found) throw notFound(`Instance group ${uuid} could not be found.`)
    return found
  }

  /** @throws {CloudError} `over-quota`. */
  create({ name, projectId, userId, policy, maxServerPerHost }: NewServerGroup): ServerGroup {
    return this.#db.transaction(() => {
      const project = this.#quotas.limits(projectId).server_groups
      const own = this.#quotas.limitsOfUser(projectId, userId).server_groups
      if ((project >= 0 && this.count(projectId) >= project) || (own >= 0 && this.count(projectId, userId) >= own))
        throw overQuota('Quota exceeded, too many server groups.')
      const [now, uuid] = [this.#clock.text(), randomUUID()]
      const { lastInsertRowid } = this.#db
        .prepare('INSERT INTO instance_groups (created_at, user_id, project_id, uuid, name) VALUES (?, ?, ?, ?, ?)')
        .run(now, userId, projectId, uuid, name)
      const rules = maxServerPerHost === null ? {} : { max_server_per_host: String(maxServerPerHost) }
      this.#db
        .prepare('INSERT INTO instance_group_policy (created_at, policy, group_id, rules) VALUES (?, ?, ?, ?)')
        .run(now, policy, Number(lastInsertRowid), JSON.stringify(rules))
      return this.get(uuid)
    })
  }

  /** Its servers stay. */
  remove({ id }: ServerGroup): void {
    this.#db.transaction(() => {
      this.#db.prepare('DELETE FROM instance_group_member WHERE group_id = ?').run(id)
      this.#db.prepare('DELETE FROM instance_group_policy WHERE group_id = ?').run(id)
      this.#db.prepare('DELETE FROM instance_groups WHERE id = ?').run(id)
    })
  }

  /** Groups of a project, or those of one user in it. */
  count(projectId: string, userId: string | null = null): number {
    const sql = 'SELECT count(*) AS n FROM instance_groups WHERE project_id = @projectId AND (@userId IS NULL OR user_id = @userId)'
    return this.#db.prepare<{ n: number }>(sql).get({ projectId, userId })?.n ?? 0
  }

  /**
   * Takes a server in, in the transaction that makes it.
   * @throws {CloudError} `invalid` when the group is gone, `over-quota` when it is full.
   */
  admit(uuid: string, instanceUuid: string): void {
    const group = this.find(uuid)
    if (!group) throw invalid(`Instance group ${uuid} could not be found.`)
    const limit = this.#quotas.limits(group.projectId).server_group_members
    if (limit >= 0 && group.members.length >= limit) throw overQuota('Quota exceeded, too many servers in group')
    this.#db
      .prepare('INSERT INTO instance_group_member (created_at, instance_uuid, group_id) VALUES (?, ?, ?)')
      .run(this.#clock.text(), instanceUuid, group.id)
  }

  /** The group that a server is in. */
  ofServer(instanceUuid: string): ServerGroup | null {
    const row = this.#db
      .prepare<Row>(`${select} WHERE g.id = (SELECT m.group_id FROM instance_group_member m WHERE m.instance_uuid = ? LIMIT 1)`)
      .get(instanceUuid)
    return row ? toGroup(row) : null
  }

  /** Which hosts the members' records name. */
  hostsOf({ members }: Pick<ServerGroup, 'members'>): Map<string, string[]> {
    return new Map(
      this.#db
        .prepare<{ uuid: string; host: string }>(
          'SELECT uuid, host FROM instances WHERE uuid IN (SELECT value FROM json_each(?)) AND host IS NOT NULL AND deleted = 0',
        )
        .all(JSON.stringify(members))
        .map(({ uuid, host }) => [uuid, [host]]),
    )
  }
}
