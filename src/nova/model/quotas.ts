/**
 * Quotas per project: limits from `[quota]`, overridden by the class `default` and by the project; usage is counted from
 * what exists, never kept beside it. -1 is without limit.
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

  usage(projectId: string): Usage {
    return (
      this.#db
        .prepare<Usage>(
          `SELECT count(*) AS instances, coalesce(sum(vcpus), 0) AS cores, coalesce(sum(memory_mb), 0) AS ram FROM instances
           WHERE project_id = ? AND deleted = 0 AND vm_state <> 'soft-delete'`,
        )
        .get(projectId) ?? { instances: 0, cores: 0, ram: 0 }
    )
  }

  /** In the transaction that takes it. @throws {CloudError} `over-quota` when the project may not have this much more; what shrinks always fits. */
  demand(projectId: string, more: Usage): void {
    this.fitting(projectId, { instances: Math.max(0, more.instances), cores: Math.max(0, more.cores), ram: Math.max(0, more.ram) }, 1, 1)
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

  /** Back to the defaults. */
  reset(projectId: string): void {
    this.#db.prepare('DELETE FROM quotas WHERE project_id = ?').run(projectId)
  }

  /**
   * How many of `most` servers the project may still have; in the transaction that takes them.
   * @throws {CloudError} `over-quota` naming each resource that does not suffice for `least`.
   */
  fitting(projectId: string, each: Usage, least: number, most: number): number {
    const limits = this.limits(projectId)
    const used = this.usage(projectId)
    const names = ['instances', 'cores', 'ram'] as const
    const room = names.map((name) =>
      limits[name] < 0 || each[name] === 0 ? Infinity : Math.floor((limits[name] - used[name]) / each[name]),
    )
    const count = Math.min(most, ...room)
    if (count >= least) return count
    const over = names.filter((_, i) => (room[i] ?? 0) < least)
    const list = (of: (name: keyof Usage) => number) => over.map(of).join(', ')
    throw overQuota(
      `Quota exceeded for ${over.join(', ')}: Requested ${list((n) => least * each[n])}, but already used ${list((n) => used[n])} of ${list((n) => limits[n])} ${over.join(', ')}`,
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

  #rows(sql: string, key: string): Partial<Limits> {
    return Object.fromEntries(
      this.#db
        .prepare<{ resource: string; hard_limit: number }>(sql)
        .all(key)
        .map((row) => [row.resource, row.hard_limit]),
    ) as Partial<Limits>
  }
}
