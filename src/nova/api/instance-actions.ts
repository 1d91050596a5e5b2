/**
 * What was done to a server, by whom, and how each step ended.
 *
 * @see https://docs.openstack.org/api-ref/compute/#servers-actions-servers-os-instance-actions
 */
import { isoMicros } from '../../base/clock.ts'
import { invalid, notFound } from '../../base/errors.ts'
import { atLeast, field, type Incoming, operation, type RequestContext, view } from '../../base/http/index.ts'
import { apiConfig, type Instance, type InstanceAction, type InstanceActionEvent } from '../model/index.ts'
import { type NovaApi, viewerOf } from './deps.ts'
import { anyText, type Known, knownQuery, noQuery, pageNames, pageSize } from './known-query.ts'
import { nextLink } from './links.ts'
import { unknownMarker } from './paging.ts'
import { hostIdOf } from './server-view.ts'
import { wrongQuery } from './wrong-query.ts'

/** Of a deleted server too, from 2.21. @throws {CloudError} `not-found`. */
const serverIn = ({ params, context }: Incoming<unknown, unknown>, { model }: NovaApi): Instance =>
  model.instances.get(params.server_id ?? '', viewerOf(context), { deleted: atLeast(context, '2.21') })

const actionView = view<InstanceAction>({
  action: ({ action }) => action,
  instance_uuid: ({ instanceUuid }) => instanceUuid,
  request_id: ({ requestId }) => requestId,
  user_id: ({ userId }) => userId,
  project_id: ({ projectId }) => projectId,
  start_time: ({ startTime }) => isoMicros(startTime),
  message: ({ message }) => message,
  updated_at: field(({ updatedAt }) => (updatedAt === null ? null : isoMicros(updatedAt)), { since: '2.58' }),
})

/** A database time of a filter. @throws {CloudError} `invalid`. */
function timeOf(query: Known, name: 'changes-since' | 'changes-before'): string | undefined {
  const text = query[name]
  if (text === undefined) return undefined
  const ms = Date.parse(/(z|[+-]\d\d:?\d\d)$/i.test(text) ? text : `${text}Z`)
  if (Number.isNaN(ms)) throw wrongQuery(name, text, "is not a 'date-time'")
  const iso = new Date(ms).toISOString()
  return `${iso.slice(0, 10)} ${iso.slice(11, 23)}000`
}

const listActions = operation({
  method: 'GET',
  path: '/servers/{server_id}/os-instance-actions',
  status: 200,
  errors: [400, 403, 404],
  policy: 'os_compute_api:os-instance-actions:list',
  query: knownQuery({ '2.1': {}, '2.58': { ...pageNames, 'changes-since': anyText }, '2.66': { 'changes-before': anyText } }, '2.58'),
  handle: (request: Incoming<undefined, Known>, nova: NovaApi) => {
    const { context, query } = request
    const { uuid } = serverIn(request, nova)
    const { actions } = nova.model
    if (!atLeast(context, '2.58')) return { instanceActions: actions.list(uuid).map((action) => actionView(action, context)) }
    const [changesSince, changesBefore] = [timeOf(query, 'changes-since'), timeOf(query, 'changes-before')]
    if (changesSince !== undefined && changesBefore !== undefined && changesSince > changesBefore)
      throw invalid('The value of changes-since must be less than or equal to changes-before.')
    const marker = query.marker === undefined ? null : actions.find(uuid, query.marker)
    if (query.marker !== undefined && !marker) throw unknownMarker(query.marker)
    const limit = pageSize(query, nova.config.get(apiConfig).maxLimit)
    const found = actions.list(uuid, {
      limit,
      ...(marker ? { afterId: marker.id } : {}),
      ...(changesSince === undefined ? {} : { changesSince }),
      ...(changesBefore === undefined ? {} : { changesBefore }),
    })
    const last = found.length === limit ? found.at(-1) : undefined
    return {
      instanceActions: found.map((action) => actionView(action, context)),
      ...(last ? { links: [nextLink(context, `/servers/${uuid}/os-instance-actions`, query, last.requestId)] } : {}),
    }
  },
})

type ShownEvent = { event: InstanceActionEvent; projectId: string; forAdmin: boolean; withDetails: boolean }

const eventView = view<ShownEvent>({
  event: ({ event }) => event.event,
  start_time: ({ event }) => isoMicros(event.startTime),
  finish_time: ({ event }) => (event.finishTime === null ? null : isoMicros(event.finishTime)),
  result: ({ event }) => event.result,
  traceback: ({ event, forAdmin }) => (forAdmin ? event.traceback : undefined),
  hostId: field(({ event, projectId }) => hostIdOf({ projectId, host: event.host }), { since: '2.62' }),
  host: field(({ event, forAdmin }) => (forAdmin ? event.host : undefined), { since: '2.62' }),
  details: field(({ event, withDetails }) => (withDetails ? event.details : undefined), { since: '2.84' }),
})

/** Users see events from 2.51; what a host said of a failure is for administrators. */
function eventsOf({ context, allows }: Incoming<unknown, unknown>, nova: NovaApi, action: InstanceAction, instance: Instance) {
  const forAdmin = allows('os_compute_api:os-instance-actions:events')
  if (!forAdmin && !atLeast(context, '2.51')) return {}
  const withDetails = allows('os_compute_api:os-instance-actions:events:details')
  const show = (event: InstanceActionEvent, at: RequestContext) =>
    eventView({ event, projectId: instance.projectId, forAdmin, withDetails }, at)
  return { events: nova.model.actions.events(action.id).map((event) => show(event, context)) }
}

const showAction = operation({
  method: 'GET',
  path: '/servers/{server_id}/os-instance-actions/{request_id}',
  status: 200,
  errors: [400, 403, 404],
  policy: 'os_compute_api:os-instance-actions:show',
  query: noQuery,
  handle: (request: Incoming<undefined, Known>, nova: NovaApi) => {
    const instance = serverIn(request, nova)
    const requestId = request.params.request_id ?? ''
    const action = nova.model.actions.find(instance.uuid, requestId)
    if (!action) throw notFound(`Action ${requestId.slice(0, 255)} not found`)
    return { instanceAction: { ...actionView(action, request.context), ...eventsOf(request, nova, action, instance) } }
  },
})

export const instanceActionOperations = [listActions, showAction]
