/**
 * What projects used in a period: hours of servers, and what these had of processors, memory and disk. Deleted servers
 * count for as long as they ran.
 *
 * @see https://docs.openstack.org/api-ref/compute/#usage-reports-os-simple-tenant-usage
 */
import { isoMicros, timeOf, timeText } from '../../base/clock.ts'
import { invalid } from '../../base/errors.ts'
import { atLeast, type Incoming, operation } from '../../base/http/index.ts'
import { apiConfig, type Instance } from '../model/index.ts'
import type { NovaApi } from './deps.ts'
import { anyText, type Known, knownQuery, pageNames, pageSize } from './known-query.ts'
import { nextLink } from './links.ts'
import { unknownMarker } from './paging.ts'
import { plainTime } from './times.ts'

const msPerHour = 3_600_000
/** Milliseconds since the epoch. */
type Period = { start: number; stop: number }
type Request = Incoming<undefined, Known>

const usageQuery = knownQuery({ '2.1': { start: anyText, end: anyText, detailed: anyText }, '2.40': pageNames }, '2.75')

/** Both ends are now unless they are named; the end is never later. @throws {CloudError} `invalid`. */
function periodOf({ query }: Request, now: number): Period {
  const at = (text: string | undefined): number => {
    if (text === undefined || text === '') return now
    const ms = plainTime(text)
    if (ms === null) throw invalid('Invalid datetime string: Datetime is in invalid format')
    return ms
  }
  const [start, stop] = [at(query.start), at(query.end)]
  if (start > stop || (start === stop && query.start !== undefined))
    throw invalid('Invalid start time. The start time cannot occur after the end time.')
  return { start, stop: Math.min(stop, now) }
}

function usageOf(instance: Instance, { start, stop }: Period, now: number) {
  const launched = timeOf(instance.launchedAt ?? instance.createdAt)
  const terminated = instance.terminatedAt === null ? null : timeOf(instance.terminatedAt)
  const hours = Math.max(0, Math.min(stop, terminated ?? stop) - Math.max(start, launched)) / msPerHour
  return {
    hours,
    flavor: instance.flavor.name,
    instance_id: instance.uuid,
    name: instance.name,
    tenant_id: instance.projectId,
    memory_mb: instance.flavor.memoryMib,
    local_gb: instance.flavor.rootGib + instance.flavor.ephemeralGib,
    vcpus: instance.flavor.vcpus,
    started_at: isoMicros(instance.launchedAt ?? instance.createdAt),
    ended_at: instance.terminatedAt === null ? null : isoMicros(instance.terminatedAt),
    state: instance.terminatedAt === null ? instance.vmState : 'terminated',
    uptime: Math.floor(((terminated ?? now) - launched) / 1000),
  }
}

type Usage = ReturnType<typeof usageOf>

function summary(projectId: string, usages: readonly Usage[], { start, stop }: Period, detailed: boolean): Record<string, unknown> {
  const sum = (of: (usage: Usage) => number) => usages.reduce((total, usage) => total + of(usage), 0)
  return {
    tenant_id: projectId,
    start: isoMicros(timeText(start)),
    stop: isoMicros(timeText(stop)),
    total_hours: sum(({ hours }) => hours),
    total_local_gb_usage: sum(({ hours, local_gb }) => hours * local_gb),
    total_memory_mb_usage: sum(({ hours, memory_mb }) => hours * memory_mb),
    total_vcpus_usage: sum(({ hours, vcpus }) => hours * vcpus),
    ...(detailed ? { server_usages: usages } : {}),
  }
}

/** Usages of a page of servers by project, and the server where the next page begins. @throws {CloudError} `invalid`. */
function usages(request: Request, nova: NovaApi, projectId: string | null) {
  const { context, query } = request
  const now = nova.clock.now()
  const period = periodOf(request, now)
  const isPaged = atLeast(context, '2.40')
  const limit = isPaged ? pageSize(query, nova.config.get(apiConfig).maxLimit) : -1
  const marker = query.marker === undefined ? null : nova.model.instances.find(query.marker, null, { deleted: true })
  if (query.marker !== undefined && (!marker || (projectId !== null && marker.projectId !== projectId))) throw unknownMarker(query.marker)
  const instances = nova.model.instances.list(
    `WHERE i.launched_at < @stop AND (i.terminated_at IS NULL OR i.terminated_at > @start) AND (@project IS NULL OR i.project_id = @project)
     AND (@afterProject IS NULL OR (i.project_id, i.uuid) > (@afterProject, @after)) ORDER BY i.project_id, i.uuid LIMIT @limit`,
    {
      start: timeText(period.start),
      stop: timeText(period.stop),
      project: projectId,
      afterProject: marker?.projectId ?? null,
      after: marker?.uuid ?? null,
      limit,
    },
  )
  const byProject = new Map<string, Usage[]>()
  for (const instance of instances) {
    const list = byProject.get(instance.projectId) ?? []
    byProject.set(instance.projectId, list)
    list.push(usageOf(instance, period, now))
  }
  return { byProject, period, last: isPaged && instances.length === limit ? instances.at(-1) : undefined }
}

const listUsage = operation({
  method: 'GET',
  path: '/os-simple-tenant-usage',
  status: 200,
  errors: [400, 403],
  policy: 'os_compute_api:os-simple-tenant-usage:list',
  query: usageQuery,
  handle: (request: Request, nova: NovaApi) => {
    const { byProject, period, last } = usages(request, nova, null)
    const detailed = request.query.detailed === '1'
    return {
      tenant_usages: [...byProject].map(([project, list]) => summary(project, list, period, detailed)),
      ...(last ? { tenant_usages_links: [nextLink(request.context, '/os-simple-tenant-usage', request.query, last.uuid)] } : {}),
    }
  },
})

const showUsage = operation({
  method: 'GET',
  path: '/os-simple-tenant-usage/{project_id}',
  status: 200,
  errors: [400, 403],
  policy: 'os_compute_api:os-simple-tenant-usage:show',
  target: ({ params }) => ({ projectId: params.project_id ?? '' }),
  query: usageQuery,
  handle: (request: Request, nova: NovaApi) => {
    const projectId = request.params.project_id ?? ''
    const { byProject, period, last } = usages(request, nova, projectId)
    const list = byProject.get(projectId)
    const path = `/os-simple-tenant-usage/${encodeURIComponent(projectId)}`
    return {
      tenant_usage: list ? summary(projectId, list, period, true) : {},
      ...(last ? { tenant_usage_links: [nextLink(request.context, path, request.query, last.uuid)] } : {}),
    }
  },
})

export const tenantUsageOperations = [listUsage, showUsage]
