/** Limits per project. A limit of -1 is none; a limit below what is used only refuses more. */
import { quotaExceeded } from './errors.ts'
import type { QuotaResource, Store } from './store.ts'

export const quotaResources: readonly QuotaResource[] = [
  'floatingip',
  'network',
  'port',
  'router',
  'security_group',
  'security_group_rule',
  'subnet',
]

const tables: Record<QuotaResource, string> = {
  floatingip: 'floatingips',
  network: 'networks',
  port: 'ports',
  router: 'routers',
  security_group: 'securitygroups',
  security_group_rule: 'securitygrouprules',
  subnet: 'subnets',
}

export type Limits = Record<QuotaResource, number>

export function limitsOf(store: Store, projectId: string): Limits {
  const own = store.db
    .prepare<{ resource: QuotaResource; limit: number }>('SELECT resource, "limit" FROM network_quotas WHERE project_id = ?')
    .all(projectId)
  return { ...store.quotaDefaults, ...Object.fromEntries(own.map(({ resource, limit }) => [resource, limit])) }
}

export function projectsWithLimits(store: Store): string[] {
  return store.db
    .prepare<{ project_id: string }>('SELECT DISTINCT project_id FROM network_quotas ORDER BY project_id')
    .all()
    .map((row) => row.project_id)
}

export function setLimits(store: Store, projectId: string, limits: Partial<Limits>): void {
  const write = store.db.prepare(
    'INSERT INTO network_quotas (project_id, resource, "limit") VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET "limit" = excluded."limit"',
  )
  store.db.transaction(() => {
    for (const [resource, limit] of Object.entries(limits)) write.run(projectId, resource, limit)
  })
}

export const resetLimits = (store: Store, projectId: string): void => {
  store.db.prepare('DELETE FROM network_quotas WHERE project_id = ?').run(projectId)
}

export const usedOf = (store: Store, resource: QuotaResource, projectId: string): number =>
  store.db.prepare<{ n: number }>(`SELECT count(*) AS n FROM ${tables[resource]} WHERE project_id = ?`).get(projectId)?.n ?? 0

/**
 * Counts no further than the limit, however much there is.
 * @throws {CloudError} `over-quota`, type OverQuota.
 */
export function checkQuota(store: Store, projectId: string, resource: QuotaResource, more = 1): void {
  const own = store.db
    .prepare<{ limit: number }>('SELECT "limit" FROM network_quotas WHERE project_id = ? AND resource = ?')
    .get(projectId, resource)
  const limit = own?.limit ?? store.quotaDefaults[resource]
  if (limit < 0) return
  const used =
    store.db
      .prepare<{ n: number }>(`SELECT count(*) AS n FROM (SELECT 1 FROM ${tables[resource]} WHERE project_id = ? LIMIT ?)`)
      .get(projectId, limit + 1)?.n ?? 0
  if (used + more > limit) throw quotaExceeded([resource])
}
