/**
 * Quotas: limits of a project from `[quota]`, overridden by the class `default` and by the project; one user's share of
 * them where an administrator gave it one. Usage is counted from what exists, never kept beside it. -1 is without limit.
 *
 * @see https://docs.openstack.org/nova/latest/user/quotas.html
 */
import type { SectionValues } from '../../base/config/index.ts'
import { overQuota } from '../../base/errors.ts'
import type { Ground } from '../../base/ground.ts'
import type { quotaConfig } from './config.ts'

export const quotaResources = [
  'instances',
  'cores',
  'ram',
  'metadata_items',
  'injected_files',
  'injected_file_content_bytes',
  'injected_file_path_bytes',
  'key_pairs',
  'server_groups',
  'server_group_members',
] as const
export type QuotaResource = (typeof quotaResources)[number]
export type Limits = Record<QuotaResource, number>
/** What servers use. `ram` is MiB. */
export type Usage = { instances: number; cores: number; ram: number }
/** What a limit may be set to; `most` may be `Infinity`. */
export type Room = { readonly least: number; readonly most: number }

const counted = ['instances', 'cores', 'ram'] as const
/** -1 is more than any number. */
const open = (limit: number): number => (limit < 0 ? Infinity : limit)
const perResource = (of: (name: QuotaResource) => number): Limits =>
  Object.fromEntries(quotaResources.map((name) => [name, of(name)])) as Limits

export class Quotas {
  readonly #db: Ground['db']
  readonly #clock: Ground['clock']
  readonly #config: SectionValues<typeof quotaConfig>

  constructor({ db, clock }: Pick<Ground, 'db' | 'clock'>, config: SectionValues<typeof quotaConfig>) {
    this.#db = db
    this.#clock = clock
    this.#config = config
  }

  /** Limits of a project that has none of its own. */
  defaults(): Limits {
    return this.ofClass('default')
  }

  /** Limits of a quota class; those of a class that nobody has set are the defaults. */
  ofClass(className: string): Limits {
    return {
      ...this.#configured(),
      ...this.#rows('SELECT resource, hard_limit FROM quota_classes WHERE class_name = ? AND deleted = 0', className),
    }
  }

  /** Sets limits of a class; what is not named stays. */
  setClass(className: string, limits: Partial<Limits>): void {
    const now = this.#clock.text()
    this.#db.transaction(() => {
      for (const [resource, limit] of Object.entries(limits)) {
        const { changes } = this.#db
          .prepare('UPDATE quota_classes SET hard_limit = ?, updated_at = ? WHERE class_name = ? AND resource = ? AND deleted = 0')
          .run(limit, now, className, resource)
        if (changes > 0) continue
        this.#db
          .prepare('INSERT INTO quota_classes (created_at, deleted, class_name, resource, hard_limit) VALUES (?, 0, ?, ?, ?)')
          .run(now, className, resource, limit)
      }
    })
  }

  limits(projectId: string): Limits {
    return { ...this.defaults(), ...this.#rows('SELECT resource, hard_limit FROM quotas WHERE project_id = ? AND deleted = 0', projectId) }
  }

  /** The limits that show for a user: its own, and the project's where it has none. */
  limitsOfUser(projectId: string, userId: string): Limits {
    return { ...this.limits(projectId), ...this.#ownOf(projectId, userId) }
  }

  /** The limits that hold for what a user makes in a project: the lower ones of its own and the project's. */
  limitsFor(projectId: string, userId: string): Limits {
    const [project, own] = [this.limits(projectId), this.#ownOf(projectId, userId)]
    return perResource((name) => (open(own[name] ?? -1) < open(project[name]) ? (own[name] ?? -1) : project[name]))
  }

  /** Of a whole project, or of what one user has in it. */
  usage(projectId: string, userId: string | null = null): Usage {
    return (
      this.#db
        .prepare<Usage>(
          `SELECT count(*) AS instances, coalesce(sum(vcpus), 0) AS cores, coalesce(sum(memory_mb), 0) AS ram FROM instances
           WHERE project_id = @projectId AND (@userId IS NULL OR user_id = @userId) AND deleted = 0 AND vm_state <> 'soft-delete'`,
        )
        .get({ projectId, userId }) ?? { instances: 0, cores: 0, ram: 0 }
    )
  }

  /** In the transaction that takes it. @throws {CloudError} `over-quota` when the project or the user may not have this much more; what shrinks always fits. */
  demand(projectId: string, more: Usage, userId: string | null = null): void {
    const each = { instances: Math.max(0, more.instances), cores: Math.max(0, more.cores), ram: Math.max(0, more.ram) }
    this.fitting(projectId, each, 1, 1, userId)
  }

  /** Sets the project's own limits; what is not named stays. */
  set(projectId: string, limits: Partial<Limits>): void {
    this.#db.transaction(() => {
      for (const [resource, limit] of Object.entries(limits)) {
        this.#db
          .prepare(
            `INSERT INTO quotas (created_at, deleted, project_id, resource, hard_limit) VALUES (@now, 0, @projectId, @resource, @limit)
             ON CONFLICT (project_id, resource, deleted) DO UPDATE SET hard_limit = @limit, updated_at = @now`,
          )
          .run({ now: this.#clock.text(), projectId, resource, limit })
      }
    })
  }

  /** Sets one user's limits in a project; what is not named stays. */
  setOfUser(projectId: string, userId: string, limits: Partial<Limits>): void {
    this.#db.transaction(() => {
      for (const [resource, limit] of Object.entries(limits)) {
        this.#db
          .prepare(
            `INSERT INTO project_user_quotas (created_at, deleted, project_id, user_id, resource, hard_limit)
             VALUES (@now, 0, @projectId, @userId, @resource, @limit)
             ON CONFLICT (user_id, project_id, resource, deleted) DO UPDATE SET hard_limit = @limit, updated_at = @now`,
          )
          .run({ now: this.#clock.text(), projectId, userId, resource, limit })
      }
    })
  }

  /** Back to the defaults, for all its users too. */
  reset(projectId: string): void {
    this.#db.transaction(() => {
      this.#db.prepare('DELETE FROM quotas WHERE project_id = ?').run(projectId)
      this.#db.prepare('DELETE FROM project_user_quotas WHERE project_id = ?').run(projectId)
    })
  }

  /** Back to the project's. */
  resetOfUser(projectId: string, userId: string): void {
    this.#db.prepare('DELETE FROM project_user_quotas WHERE project_id = ? AND user_id = ?').run(projectId, userId)
  }

  /**
   * What limits may be set to: no less than is used, and for a project no less than its users were given; for a user no
   * more than the project has left when the other users' limits are taken away.
   */
  settable(projectId: string, userId: string | null, used: Limits): Record<QuotaResource, Room> {
    const given = this.#sums(
      'SELECT resource, sum(max(hard_limit, 0)) AS n FROM project_user_quotas WHERE project_id = ? GROUP BY resource',
      projectId,
    )
    const own: Partial<Limits> = userId === null ? {} : this.#ownOf(projectId, userId)
    const limits = this.limits(projectId)
    const room = (name: QuotaResource): Room => {
      const ofUsers = given[name] ?? 0
      if (userId === null) return { least: Math.max(ofUsers, used[name]), most: Infinity }
      return { least: used[name], most: Math.max(0, open(limits[name]) - ofUsers + Math.max(0, own[name] ?? 0)) }
    }
    return Object.fromEntries(quotaResources.map((name) => [name, room(name)])) as Record<QuotaResource, Room>
  }

  /**
   * How many of `most` servers the project, and in it the user, may still have; in the transaction that takes them.
   * @throws {CloudError} `over-quota` naming each resource that does not suffice for `least`.
   */
  fitting(projectId: string, each: Usage, least: number, most: number, userId: string | null = null): number {
    const count = this.#room(this.limits(projectId), this.usage(projectId), each, least, most)
    const own: Partial<Limits> = userId === null ? {} : this.#ownOf(projectId, userId)
    if (counted.every((name) => own[name] === undefined)) return count
    return this.#room(own, this.usage(projectId, userId), each, least, count)
  }

  #room(limits: Partial<Limits>, used: Usage, each: Usage, least: number, most: number): number {
    const room = counted.map((name) => (each[name] === 0 ? Infinity : Math.floor((open(limits[name] ?? -1) - used[name]) / each[name])))
    const count = Math.min(most, ...room)
    if (count >= least) return count
    const over = counted.filter((_, i) => (room[i] ?? 0) < least)
    const list = (of: (name: keyof Usage) => number | string) => over.map(of).join(', ')
    const asked = (one: number) => (least === most ? least * one : `${least * one}-${most * one}`)
    throw overQuota(
      `Quota exceeded for ${over.join(', ')}: Requested ${list((n) => asked(each[n]))}, but already used ${list((n) => used[n])} of ${list((n) => limits[n] ?? -1)} ${over.join(', ')}`,
    )
  }

  #configured(): Limits {
    const {
      instances,
      cores,
      ram,
      metadataItems,
      injectedFiles,
      injectedFileContentBytes,
      injectedFilePathLength,
      keyPairs,
      serverGroups,
      serverGroupMembers,
    } = this.#config
    return {
      instances,
      cores,
      ram,
      metadata_items: metadataItems,
      injected_files: injectedFiles,
      injected_file_content_bytes: injectedFileContentBytes,
      injected_file_path_bytes: injectedFilePathLength,
      key_pairs: keyPairs,
      server_groups: serverGroups,
      server_group_members: serverGroupMembers,
    }
  }

  #ownOf(projectId: string, userId: string): Partial<Limits> {
    return this.#rows(
      'SELECT resource, hard_limit FROM project_user_quotas WHERE project_id = ? AND user_id = ? AND deleted = 0',
      projectId,
      userId,
    )
  }

  #rows(sql: string, ...keys: string[]): Partial<Limits> {
    return Object.fromEntries(
      this.#db
        .prepare<{ resource: string; hard_limit: number }>(sql)
        .all(...keys)
        .map((row) => [row.resource, row.hard_limit]),
    ) as Partial<Limits>
  }

  #sums(sql: string, key: string): Partial<Limits> {
    const rows = this.#db.prepare<{ resource: string; n: number }>(sql).all(key)
    return Object.fromEntries(rows.map(({ resource, n }) => [resource, n])) as Partial<Limits>
  }
}
