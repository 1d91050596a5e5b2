/**
 * Hypervisors: the nodes behind compute hosts, with their resources up to 2.87. Ids are numbers up to 2.52, uuids after.
 *
 * @see https://docs.openstack.org/api-ref/compute/#hypervisors-os-hypervisors
 */
import { invalid, notFound, notImplemented } from '../../base/errors.ts'
import { atLeast, type Incoming, operation } from '../../base/http/index.ts'
import { apiConfig, booleanWord, type ComputeNode } from '../model/index.ts'
import type { NovaApi } from './deps.ts'
import { hypervisorSummary, hypervisorView, type ShownHypervisor } from './hypervisor-view.ts'
import { anyText, type Known, knownQuery, noQuery, pageNames, pageSize } from './known-query.ts'
import { nextLink } from './links.ts'
import { pageOf } from './paging.ts'
import { anyBoolean } from './schemas.ts'
import { wrongChoice } from './wrong-query.ts'

const uuidPattern = /^[0-9a-f]{8}-?([0-9a-f]{4}-?){3}[0-9a-f]{12}$/i
const listQuery = knownQuery(
  { '2.1': {}, '2.33': pageNames, '2.53': { with_servers: anyText, hypervisor_hostname_pattern: anyText } },
  '2.53',
)
const showQuery = knownQuery({ '2.1': {}, '2.53': { with_servers: anyText } }, '2.53')

const noMatch = (pattern: string) => notFound(`No hypervisor matching '${pattern.slice(0, 255)}' could be found.`)

type Wish = { servers?: boolean }

/** Adds to nodes what a view needs; a node whose service is gone is left out. */
function complete(nodes: readonly ComputeNode[], { model }: NovaApi, { servers = false }: Wish = {}): ShownHypervisor[] {
  const services = new Map(model.hosts.services({ binary: 'nova-compute' }).map((service) => [service.host, service]))
  const vcpus = model.hosts.vcpusByHost()
  const onHosts = servers ? model.hosts.serversOn(nodes.map(({ host }) => host)) : null
  return nodes.flatMap((node) => {
    const service = services.get(node.host)
    return service
      ? [{ node, service, vcpusUsed: vcpus.get(node.host) ?? 0, servers: onHosts ? (onHosts.get(node.host) ?? []) : null }]
      : []
  })
}

function withServers(query: Known): boolean {
  if (query.with_servers === undefined) return false
  const found = booleanWord(query.with_servers)
  if (found === null) throw wrongChoice('with_servers', query.with_servers, anyBoolean.enum)
  return found
}

const matching = (nodes: readonly ComputeNode[], pattern: string): ComputeNode[] =>
  nodes.filter(({ hypervisorHostname }) => hypervisorHostname.toLowerCase().includes(pattern.toLowerCase()))

function listOf(path: string, show: typeof hypervisorView) {
  return (request: Incoming<undefined, Known>, nova: NovaApi) => {
    const { context, query } = request
    const servers = withServers(query)
    const nodes = nova.model.hosts.nodes()
    const pattern = query.hypervisor_hostname_pattern
    if (pattern !== undefined) {
      if (query.limit !== undefined || query.marker !== undefined)
        throw invalid('Paging over hypervisors with the hypervisor_hostname_pattern query parameter is not supported.')
      const found = matching(nodes, pattern)
      if (found.length === 0) throw noMatch(pattern)
      return { hypervisors: complete(found, nova, { servers }).map((one) => show(one, context)) }
    }
    const limit = pageSize(query, nova.config.get(apiConfig).maxLimit)
    const idOf = (node: ComputeNode) => (atLeast(context, '2.53') ? node.uuid : String(node.id))
    const page = pageOf(nodes, { marker: query.marker ?? null, limit, idOf })
    const last = atLeast(context, '2.33') && page.length === limit ? page.at(-1) : undefined
    return {
      hypervisors: complete(page, nova, { servers }).map((one) => show(one, context)),
      ...(last ? { hypervisors_links: [nextLink(context, path, query, idOf(last))] } : {}),
    }
  }
}

const listHypervisors = operation({
  method: 'GET',
  path: '/os-hypervisors',
  status: 200,
  errors: [400, 403, 404],
  policy: 'os_compute_api:os-hypervisors:list',
  query: listQuery,
  handle: listOf('/os-hypervisors', hypervisorSummary),
})

const detailHypervisors = operation({
  method: 'GET',
  path: '/os-hypervisors/detail',
  status: 200,
  errors: [400, 403, 404],
  policy: 'os_compute_api:os-hypervisors:list-detail',
  query: listQuery,
  handle: listOf('/os-hypervisors/detail', hypervisorView),
})

/** @throws {CloudError} `not-found`; `invalid` for an id that is no uuid where it must be one. */
function nodeIn({ params, context }: Incoming<undefined, Known>, nova: NovaApi, wish?: Wish): ShownHypervisor {
  const id = params.hypervisor_id ?? ''
  const byUuid = atLeast(context, '2.53')
  if (byUuid && !uuidPattern.test(id)) throw invalid(`Invalid uuid ${id.slice(0, 255)}`)
  const node = nova.model.hosts.nodes().find((one) => (byUuid ? one.uuid === id : String(one.id) === id))
  const [shown] = node ? complete([node], nova, wish) : []
  if (!shown) throw notFound(`Hypervisor with ID '${id.slice(0, 255)}' could not be found.`)
  return shown
}

const showHypervisor = operation({
  method: 'GET',
  path: '/os-hypervisors/{hypervisor_id}',
  status: 200,
  errors: [400, 403, 404],
  policy: 'os_compute_api:os-hypervisors:show',
  query: showQuery,
  handle: (request: Incoming<undefined, Known>, nova: NovaApi) => ({
    hypervisor: hypervisorView(nodeIn(request, nova, { servers: withServers(request.query) }), request.context),
  }),
})

const uptime = operation({
  method: 'GET',
  path: '/os-hypervisors/{hypervisor_id}/uptime',
  until: '2.87',
  status: 200,
  errors: [400, 403, 404, 501],
  policy: 'os_compute_api:os-hypervisors:uptime',
  query: noQuery,
  handle: (request: Incoming<undefined, Known>, nova: NovaApi) => {
    const shown = nodeIn(request, nova)
    if (!shown.service.up) throw invalid(`Compute service of ${shown.node.host} is unavailable at this time.`)
    if (shown.node.resources.uptime === null) throw notImplemented('The hypervisor of this host does not tell its uptime.')
    return { hypervisor: { ...hypervisorSummary(shown, request.context), uptime: shown.node.resources.uptime } }
  },
})

const statistics = operation({
  method: 'GET',
  path: '/os-hypervisors/statistics',
  until: '2.87',
  status: 200,
  errors: [400, 403, 404],
  policy: 'os_compute_api:os-hypervisors:statistics',
  query: noQuery,
  handle: (_request: Incoming<undefined, Known>, nova: NovaApi) => {
    const counted = complete(nova.model.hosts.nodes(), nova).filter(({ service }) => !service.disabled)
    const sum = (of: (one: ShownHypervisor) => number) => counted.reduce((total, one) => total + of(one), 0)
    return {
      hypervisor_statistics: {
        count: counted.length,
        vcpus: sum(({ node }) => node.resources.vcpus),
        memory_mb: sum(({ node }) => node.resources.memoryMib),
        local_gb: sum(({ node }) => node.resources.diskGib),
        vcpus_used: sum(({ vcpusUsed }) => vcpusUsed),
        memory_mb_used: sum(({ node }) => node.resources.memoryUsedMib),
        local_gb_used: sum(({ node }) => node.resources.diskUsedGib),
        free_ram_mb: sum(({ node }) => node.resources.memoryMib - node.resources.memoryUsedMib),
        free_disk_gb: sum(({ node }) => node.resources.diskGib - node.resources.diskUsedGib),
        current_workload: sum(({ node }) => node.building),
        running_vms: sum(({ node }) => node.runningVms),
        disk_available_least: sum(({ node }) => node.resources.diskAvailableLeastGib),
      },
    }
  },
})

/** Up to 2.52 hypervisors were looked up by a part of their names. */
const searched = (request: Incoming<undefined, Known>, nova: NovaApi, wish?: Wish): ShownHypervisor[] => {
  const pattern = request.params.hostname_pattern ?? ''
  const found = complete(matching(nova.model.hosts.nodes(), pattern), nova, wish)
  if (found.length === 0) throw noMatch(pattern)
  return found
}

const searchHypervisors = operation({
  method: 'GET',
  path: '/os-hypervisors/{hostname_pattern}/search',
  until: '2.52',
  status: 200,
  errors: [400, 403, 404],
  policy: 'os_compute_api:os-hypervisors:search',
  query: noQuery,
  handle: (request: Incoming<undefined, Known>, nova: NovaApi) => ({
    hypervisors: searched(request, nova).map((one) => hypervisorSummary(one, request.context)),
  }),
})

const hypervisorServers = operation({
  method: 'GET',
  path: '/os-hypervisors/{hostname_pattern}/servers',
  until: '2.52',
  status: 200,
  errors: [400, 403, 404],
  policy: 'os_compute_api:os-hypervisors:servers',
  query: noQuery,
  handle: (request: Incoming<undefined, Known>, nova: NovaApi) => ({
    hypervisors: searched(request, nova, { servers: true }).map((one) => hypervisorSummary(one, request.context)),
  }),
})

export const hypervisorOperations = [
  listHypervisors,
  detailHypervisors,
  statistics,
  showHypervisor,
  uptime,
  searchHypervisors,
  hypervisorServers,
]
