/**
 * Servers: create, list, show, update, delete.
 *
 * @see https://docs.openstack.org/api-ref/compute/#servers-servers
 */
import { randomBytes } from 'node:crypto'
import { conflict } from '../../base/errors.ts'
import { type Incoming, JsonPieces, operation, Reply, type RequestContext, version } from '../../base/http/index.ts'
import { apiConfig, type Instance, type InstanceSummary } from '../model/index.ts'
import { planBuild } from './build-request.ts'
import { callerOf, type NovaApi, viewerOf } from './deps.ts'
import { type Known, noQuery } from './known-query.ts'
import { links, nextLink, selfHref } from './links.ts'
import { takeAtHand } from './server-aim.ts'
import { serverCreateBody } from './server-create.ts'
import { knownOf } from './server-filters.ts'
import { listServers, listSummaries, type ServerPage } from './server-list.ts'
import { serverUpdateBody } from './server-update.ts'
import { hostStatusOf, type ShownServer, serverJson, serverSummary, updatedServerView } from './server-view.ts'

/** Reads, for all servers of an answer at once, what a view needs beside the rows. */
export function shown(
  request: Incoming<unknown, unknown>,
  nova: NovaApi,
  instances: readonly Instance[],
  isDetailOfOne = false,
): ShownServer[] {
  const { context, allows } = request
  const attributes = allows('os_compute_api:os-extended-server-attributes')
  const showsAllStatus = allows('os_compute_api:servers:show:host_status')
  const showsHostStatus =
    context.version >= version('2.16') && (showsAllStatus || allows('os_compute_api:servers:show:host_status:unknown-only'))
  const statusOf = (instance: Instance): string | null => {
    const status = services ? hostStatusOf(instance, services.get(instance.host ?? '')) : null
    return showsAllStatus || status === 'UNKNOWN' ? status : null
  }
  const services = showsHostStatus
    ? new Map(nova.model.hosts.services({ binary: 'nova-compute' }).map((service) => [service.host, service]))
    : null
  const groupOf = (uuid: string) =>
    isDetailOfOne && context.version >= version('2.71') ? (nova.model.serverGroups.ofServer(uuid)?.uuid ?? null) : null
  return instances.map((instance) => ({
    instance,
    attributes,
    isDetailOfOne,
    serverGroup: groupOf(instance.uuid),
    hostStatus: statusOf(instance),
  }))
}

const pageLinks = (request: Incoming<undefined>, path: string, page: ServerPage<InstanceSummary>) => {
  const last = page.servers.at(-1)
  return page.isFull && last ? { servers_links: [nextLink(request.context, path, knownOf(request.search), last.uuid)] } : {}
}

export const listServersOperation = operation({
  method: 'GET',
  path: '/servers',
  status: 200,
  errors: [400, 403],
  policy: 'os_compute_api:servers:index',
  handle: (request, nova: NovaApi) => {
    const page = listSummaries(request, nova)
    const servers = page.servers.map((instance) => serverSummary(instance, request.context))
    return { servers, ...pageLinks(request, '/servers', page) }
  },
})

export const listServersDetail = operation({
  method: 'GET',
  path: '/servers/detail',
  status: 200,
  errors: [400, 403],
  policy: 'os_compute_api:servers:detail',
  handle: (request, nova: NovaApi) => {
    const page = listServers(request, nova)
    const servers = shown(request, nova, page.servers).map((server) => serverJson(server, request.context))
    return JsonPieces.list('servers', servers, pageLinks(request, '/servers/detail', page))
  },
})

/** @throws {CloudError} `not-found`, also for another project's. */
export function serverOf({ params, context }: Pick<Incoming, 'params' | 'context'>, { model }: NovaApi): Instance {
  const uuid = params.server_id ?? ''
  return takeAtHand(context, uuid) ?? model.instances.get(uuid, viewerOf(context))
}

export const showServer = operation({
  method: 'GET',
  path: '/servers/{server_id}',
  status: 200,
  errors: [400, 403, 404],
  policy: 'os_compute_api:servers:show',
  query: noQuery,
  handle: (request: Incoming<undefined, Known>, nova: NovaApi) => {
    const [server] = shown(request, nova, [serverOf(request, nova)], true)
    return JsonPieces.of('server', serverJson(server!, request.context))
  },
})

const passwordLength = 12
const passwordSigns = 'ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnpqrstuvwxyz23456789'
export const generatePassword = (): string =>
  Array.from(randomBytes(passwordLength), (byte) => passwordSigns[byte % passwordSigns.length]).join('')

function created(
  context: RequestContext,
  uuid: string,
  about: { adminPass: string | null; diskConfig: string; groups: readonly string[] },
): Reply {
  return new Reply({
    headers: { Location: selfHref(context, `/servers/${uuid}`) },
    body: {
      server: {
        id: uuid,
        links: links(context, `/servers/${uuid}`),
        'OS-DCF:diskConfig': about.diskConfig,
        security_groups: about.groups.map((name) => ({ name })),
        ...(about.adminPass === null ? {} : { adminPass: about.adminPass }),
      },
    },
  })
}

export const createServer = operation({
  method: 'POST',
  path: '/servers',
  status: 202,
  errors: [400, 403, 404, 409],
  policy: 'os_compute_api:servers:create',
  bodyLimit: 114_688,
  body: serverCreateBody,
  handle: (request, nova: NovaApi) => {
    const { body, context } = request
    const plan = planBuild(request, nova)
    const adminPass = body.adminPass ?? generatePassword()
    const { uuids, reservationId } = nova.conductor.build({ ...plan, adminPass }, callerOf(context))
    if (body.wantsReservation) return new Reply({ body: { reservation_id: reservationId } })
    const answered = nova.config.get(apiConfig).enableInstancePassword ? adminPass : null
    return created(context, uuids[0] ?? '', {
      adminPass: answered,
      diskConfig: plan.server.autoDiskConfig ? 'AUTO' : 'MANUAL',
      groups: body.securityGroups ?? ['default'],
    })
  },
})

export const updateServer = operation({
  method: 'PUT',
  path: '/servers/{server_id}',
  status: 200,
  errors: [400, 403, 404, 409],
  policy: 'os_compute_api:servers:update',
  body: serverUpdateBody,
  handle: (request, nova: NovaApi) => {
    const { body, context } = request
    const instance = serverOf(request, nova)
    if (body.pinnedZone !== undefined) pin(instance, body.pinnedZone, nova)
    if (Object.keys(body.change).length > 0) nova.model.instances.update(instance.uuid, body.change)
    const [server] = shown(request, nova, [nova.model.instances.get(instance.uuid)], true)
    return { server: updatedServerView(server!, context) }
  },
})

/** A zone can be pinned only where the server is; `null` lets it go. */
function pin(instance: Instance, zone: string | null, nova: NovaApi): void {
  if (zone !== null && zone !== instance.availabilityZone)
    throw conflict(`Cannot pin instance ${instance.uuid} to availability zone ${zone}: it is in ${instance.availabilityZone}.`)
  nova.model.instances.setSpec(instance.uuid, { ...instance.spec, pinnedZone: zone })
}

export const deleteServer = operation({
  method: 'DELETE',
  path: '/servers/{server_id}',
  status: 204,
  errors: [403, 404, 409],
  policy: 'os_compute_api:servers:delete',
  handle: (request, nova: NovaApi) => {
    nova.conductor.delete(serverOf(request, nova), callerOf(request.context))
    return undefined
  },
})

export const serverOperations = [listServersOperation, listServersDetail, showServer, createServer, updateServer, deleteServer]
