/**
 * Compute services: who reports itself, who is switched off, who is said to be down. Four verbs up to 2.52, one after.
 *
 * @see https://docs.openstack.org/api-ref/compute/#compute-services-os-services
 */
import { isoMicros } from '../../base/clock.ts'
import { invalid, notFound } from '../../base/errors.ts'
import {
  as,
  atLeast,
  bodies,
  closed,
  field,
  type Incoming,
  operation,
  type RequestContext,
  type TSchema,
  Type,
  view,
} from '../../base/http/index.ts'
import { tellStatus } from '../conductor/index.ts'
import type { Service } from '../model/index.ts'
import type { NovaApi } from './deps.ts'
import { anyText, type Known, knownQuery } from './known-query.ts'
import { anyBoolean, hostName, isTrue } from './schemas.ts'

const uuidPattern = /^[0-9a-f]{8}-?([0-9a-f]{4}-?){3}[0-9a-f]{12}$/i
const updateRule = 'os_compute_api:os-services:update'

const serviceView = view<Service>({
  id: ({ id, uuid }, context: RequestContext) => (atLeast(context, '2.53') ? uuid : id),
  binary: ({ binary }) => binary,
  host: ({ host }) => host,
  zone: ({ availabilityZone }) => availabilityZone,
  status: ({ disabled }) => (disabled ? 'disabled' : 'enabled'),
  state: ({ up }) => (up ? 'up' : 'down'),
  updated_at: ({ updatedAt }) => (updatedAt === null ? null : isoMicros(updatedAt)),
  disabled_reason: ({ disabledReason }) => disabledReason,
  forced_down: field(({ forcedDown }) => forcedDown, { since: '2.11' }),
})

const listServices = operation({
  method: 'GET',
  path: '/os-services',
  status: 200,
  errors: [400, 403],
  policy: 'os_compute_api:os-services:list',
  query: knownQuery({ '2.1': { host: anyText, binary: anyText } }, '2.75'),
  handle: ({ context, query }: Incoming<undefined, Known>, { model }: NovaApi) => ({
    services: model.hosts
      .services({ ...(query.host ? { host: query.host } : {}), ...(query.binary ? { binary: query.binary } : {}) })
      .map((service) => serviceView(service, context)),
  }),
})

const word = Type.String({ minLength: 1, maxLength: 255 })
const reason = Type.String({ minLength: 1, maxLength: 255 })
/** A reason may be given to any of the verbs, and only one of them keeps it. */
const verbBody = (more: Record<string, TSchema> = {}) =>
  Type.Object({ host: hostName, binary: word, disabled_reason: Type.Optional(reason), ...more }, closed)
type Verb = { host: string; binary: string; disabled_reason?: string; forced_down?: boolean | string }

const onlyCompute = (binary: string) => invalid(`Updating a ${binary} service is not supported. Only nova-compute services can be updated.`)

/** @throws {CloudError} `invalid` for another kind of service, `not-found`. */
function named({ host, binary }: Verb, { model }: NovaApi): Service {
  if (binary !== 'nova-compute') throw onlyCompute(binary.slice(0, 255))
  const [found] = model.hosts.services({ host, binary })
  if (!found) throw notFound(`Could not find binary ${binary} on host ${host}.`)
  return found
}

type Change = Parameters<NovaApi['model']['hosts']['updateService']>[1]

/** A compute host that is no longer said to be down is compared with its records: servers may have left it meanwhile. */
function change(nova: NovaApi, { id, host, binary, forcedDown }: Service, wanted: Change): void {
  const { model, conductor, db } = nova
  db.transaction(() => {
    model.hosts.updateService(id, wanted)
    if (binary === 'nova-compute') tellStatus(nova, host)
  })
  if (binary === 'nova-compute' && forcedDown && wanted.forcedDown === false) void conductor.watch.reconcile(host, { resumeGuests: false })
}

function verb(name: string, schema: TSchema, wanted: (body: Verb) => Change, show: (body: Verb) => Record<string, unknown>, since = '2.1') {
  return operation({
    method: 'PUT',
    path: `/os-services/${name}`,
    since,
    until: '2.52',
    status: 200,
    errors: [400, 403, 404],
    policy: updateRule,
    body: bodies({ '2.1': as<TSchema, Verb>(schema, (body) => body as Verb) }),
    handle: ({ body }: Incoming<Verb>, nova: NovaApi) => {
      change(nova, named(body, nova), wanted(body))
      return { service: { host: body.host, binary: body.binary, ...show(body) } }
    },
  })
}

const verbs = [
  verb(
    'enable',
    verbBody(),
    () => ({ disabled: false, disabledReason: null }),
    () => ({ status: 'enabled' }),
  ),
  verb(
    'disable',
    verbBody(),
    () => ({ disabled: true, disabledReason: null }),
    () => ({ status: 'disabled' }),
  ),
  verb(
    'disable-log-reason',
    verbBody({ disabled_reason: reason }),
    (body) => ({ disabled: true, disabledReason: body.disabled_reason ?? null }),
    (body) => ({ status: 'disabled', disabled_reason: body.disabled_reason }),
  ),
  verb(
    'force-down',
    verbBody({ forced_down: anyBoolean }),
    (body) => ({ forcedDown: isTrue(body.forced_down) }),
    (body) => ({ forced_down: isTrue(body.forced_down) }),
    '2.11',
  ),
]

type Update = { status?: 'enabled' | 'disabled'; disabled_reason?: string; forced_down?: boolean | string }
const updateBody = Type.Object(
  {
    status: Type.Optional(Type.Unsafe<'enabled' | 'disabled'>({ type: 'string', enum: ['enabled', 'disabled'] })),
    disabled_reason: Type.Optional(reason),
    forced_down: Type.Optional(anyBoolean),
  },
  closed,
)

/** @throws {CloudError} `invalid` for an id of the wrong kind for the version, `not-found`. */
function serviceIn({ params, context }: Incoming<unknown, unknown>, { model }: NovaApi): Service {
  const id = params.service_id ?? ''
  const byUuid = atLeast(context, '2.53')
  if (byUuid ? !uuidPattern.test(id) : !/^\d{1,15}$/.test(id))
    throw invalid(`Invalid ${byUuid ? 'uuid' : 'service id'} ${id.slice(0, 255)}`)
  return model.hosts.service(id)
}

const updateService = operation({
  method: 'PUT',
  path: '/os-services/{service_id}',
  since: '2.53',
  status: 200,
  errors: [400, 403, 404],
  policy: updateRule,
  body: bodies({ '2.53': as<typeof updateBody, Update>(updateBody) }),
  handle: (request: Incoming<Update>, nova: NovaApi) => {
    const { status, disabled_reason: disabledReason, forced_down: forcedDown } = request.body
    const service = serviceIn(request, nova)
    if (service.binary !== 'nova-compute') throw onlyCompute(service.binary)
    if (disabledReason !== undefined && status === 'enabled')
      throw invalid("Specifying 'disabled_reason' with status 'enabled' is invalid.")
    if (status === undefined && (forcedDown === undefined || disabledReason !== undefined))
      throw invalid("No updates were requested. Fields 'status' or 'forced_down' should be specified.")
    change(nova, service, {
      ...(status === undefined ? {} : { disabled: status === 'disabled', disabledReason: disabledReason ?? null }),
      ...(forcedDown === undefined ? {} : { forcedDown: isTrue(forcedDown) }),
    })
    return { service: serviceView(nova.model.hosts.service(service.uuid), request.context) }
  },
})

const deleteService = operation({
  method: 'DELETE',
  path: '/os-services/{service_id}',
  status: 204,
  errors: [400, 403, 404, 409],
  policy: 'os_compute_api:os-services:delete',
  handle: (request: Incoming, nova: NovaApi) => {
    const { model, placement, db, conductor } = nova
    const service = serviceIn(request, nova)
    db.transaction(() => {
      const nodes = service.binary === 'nova-compute' ? model.hosts.nodes().filter(({ host }) => host === service.host) : []
      if (service.binary === 'nova-compute') conductor.watch.forgetLeftovers(service.host)
      model.hosts.removeService(service)
      if (service.binary === 'nova-compute') model.aggregates.forgetHost(service.host)
      for (const { uuid } of nodes) placement.removeProvider(uuid)
    })
  },
})

export const serviceOperations = [listServices, ...verbs, updateService, deleteService]
