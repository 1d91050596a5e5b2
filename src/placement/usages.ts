/** Usage by project: what its consumers hold in all, as quotas ask. */
import type { Store } from './store.ts'

export type TypedUsage = { type: string; class_name: string; used: number }
export type UsageFilter = { projectId: string; userId?: string | undefined; consumerType?: string | undefined }

/** The type of consumers that have none. */
export const unknownType = 'unknown'

const holders = `FROM consumers n
  JOIN projects p ON p.id = n.project_id
  JOIN users u ON u.id = n.user_id
  LEFT JOIN consumer_types t ON t.id = n.consumer_type_id`
const matching = `WHERE p.external_id = @project AND (@user IS NULL OR u.external_id = @user)
  AND (@type IS NULL OR coalesce(t.name, '${unknownType}') = @type)`

const parameters = ({ projectId, userId, consumerType }: UsageFilter) => ({
  project: projectId,
  user: userId ?? null,
  type: consumerType ?? null,
})

/** Sums by consumer type and class. */
export const usageOfProject = ({ db }: Store, filter: UsageFilter): TypedUsage[] =>
  db
    .prepare<TypedUsage>(
      `SELECT coalesce(t.name, '${unknownType}') AS type, c.name AS class_name, sum(a.used) AS used ${holders}
       JOIN allocations a ON a.consumer_id = n.uuid JOIN resource_classes c ON c.id = a.resource_class_id
       ${matching} GROUP BY 1, c.id ORDER BY 1, c.id`,
    )
    .all(parameters(filter))

/** How many consumers there are, by type. */
export const consumerCounts = ({ db }: Store, filter: UsageFilter): Map<string, number> =>
  new Map(
    db
      .prepare<{ type: string; count: number }>(
        `SELECT coalesce(t.name, '${unknownType}') AS type, count(*) AS count ${holders} ${matching} GROUP BY 1`,
      )
      .all(parameters(filter))
      .map(({ type, count }) => [type, count]),
  )
