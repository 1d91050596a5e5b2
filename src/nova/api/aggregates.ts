/**
 * Host aggregates, by which an administrator groups hosts and makes availability zones. Placement is told of each
 * membership, so that its own clients may ask for members of an aggregate.
 *
 * @see https://docs.openstack.org/api-ref/compute/#host-aggregates-os-aggregates
 */
import { isoMicros } from '../../base/clock.ts'
import { invalid, notFound } from '../../base/errors.ts'
import {
  addFormat,
  as,
  bodies,
  closed,
  field,
  type Incoming,
  nullable,
  operation,
  type TSchema,
  Type,
  view,
} from '../../base/http/index.ts'
import { type Aggregate, zoneOfAggregate } from '../model/index.ts'
import { type NovaApi, viewerOf } from './deps.ts'
import { type Known, noQuery } from './known-query.ts'
import { hostName, serverName } from './schemas.ts'

/** A colon would part a zone from a host where a server names one. */
addFormat('zone', (text) => text.trim() === text && !text.includes(':') && !/[\p{C}\p{Zl}\p{Zp}]/u.test(text), {
  forgives: 'white space',
  mustBe: 'printable characters except :.Can not start or end with whitespace.',
})

const summaryFields = {
  id: ({ id }: Aggregate) => id,
  uuid: field<Aggregate>(({ uuid }) => uuid, { since: '2.41' }),
  name: ({ name }: Aggregate) => name,
  availability_zone: (aggregate: Aggregate) => zoneOfAggregate(aggregate),
  created_at: ({ createdAt }: Aggregate) => isoMicros(createdAt),
  updated_at: ({ updatedAt }: Aggregate) => (updatedAt === null ? null : isoMicros(updatedAt)),
  deleted: () => false,
  deleted_at: () => null,
}
const summary = view<Aggregate>(summaryFields)
const whole = view<Aggregate>({ ...summaryFields, hosts: ({ hosts }) => hosts, metadata: ({ metadata }) => metadata })

/** @throws {CloudError} `invalid` for what is no number. */
function idIn({ params }: Incoming<unknown, unknown>): number {
  const id = params.aggregate_id ?? ''
  if (!/^\d{1,15}$/.test(id)) throw invalid('Invalid input received: id must be an integer')
  return Number(id)
}

const answer = (aggregate: Aggregate, { context }: Incoming<unknown, unknown>) => ({ aggregate: whole(aggregate, context) })

const listAggregates = operation({
  method: 'GET',
  path: '/os-aggregates',
  status: 200,
  errors: [400, 403],
  policy: 'os_compute_api:os-aggregates:index',
  query: noQuery,
  handle: ({ context }: Incoming<undefined, Known>, { model }: NovaApi) => ({
    aggregates: model.aggregates.list().map((aggregate) => whole(aggregate, context)),
  }),
})

const showAggregate = operation({
  method: 'GET',
  path: '/os-aggregates/{aggregate_id}',
  status: 200,
  errors: [400, 403, 404],
  policy: 'os_compute_api:os-aggregates:show',
  query: noQuery,
  handle: (request: Incoming<undefined, Known>, { model }: NovaApi) => answer(model.aggregates.get(idIn(request)), request),
})

const zone = nullable(Type.String({ minLength: 1, maxLength: 255, format: 'zone' }))

const createAggregate = operation({
  method: 'POST',
  path: '/os-aggregates',
  status: 200,
  errors: [400, 403, 409],
  policy: 'os_compute_api:os-aggregates:create',
  body: bodies({
    '2.1': as(Type.Object({ aggregate: Type.Object({ name: serverName, availability_zone: Type.Optional(zone) }, closed) }, closed)),
  }),
  handle: ({ body, context }: Incoming<{ aggregate: { name: string; availability_zone?: string | null } }>, { model }: NovaApi) => ({
    aggregate: summary(model.aggregates.create(body.aggregate.name, body.aggregate.availability_zone ?? null), context),
  }),
})

const newName = Type.String({ minLength: 1, maxLength: 255, format: 'spaced name' })
const changes = Type.Object({ name: Type.Optional(newName), availability_zone: Type.Optional(zone) }, { ...closed, minProperties: 1 })

const updateAggregate = operation({
  method: 'PUT',
  path: '/os-aggregates/{aggregate_id}',
  status: 200,
  errors: [400, 403, 404, 409],
  policy: 'os_compute_api:os-aggregates:update',
  body: bodies({ '2.1': as(Type.Object({ aggregate: changes }, closed)) }),
  handle: (request: Incoming<{ aggregate: { name?: string; availability_zone?: string | null } }>, { model }: NovaApi) => {
    const { name, availability_zone: to } = request.body.aggregate
    return answer(
      model.aggregates.update(idIn(request), {
        ...(name === undefined ? {} : { name: name.trim() }),
        ...(to === undefined ? {} : { zone: to }),
      }),
      request,
    )
  },
})

const deleteAggregate = operation({
  method: 'DELETE',
  path: '/os-aggregates/{aggregate_id}',
  status: 200,
  errors: [400, 403, 404],
  policy: 'os_compute_api:os-aggregates:delete',
  handle: (request: Incoming, { model }: NovaApi) => model.aggregates.remove(idIn(request)),
})

/** Placement's memberships of the host's providers follow ours; those that others made stay. */
function mirror({ model, placement }: NovaApi, { uuid, hosts }: Aggregate, host: string): void {
  for (const node of model.hosts.nodes()) {
    if (node.host !== host) continue
    const others = placement.aggregatesOf(node.uuid).filter((other) => other !== uuid)
    placement.setAggregates(node.uuid, hosts.includes(host) ? [...others, uuid] : others)
  }
}

const action = <T>(name: string, schema: TSchema, errors: number[], work: (request: Incoming<T>, nova: NovaApi) => Aggregate) =>
  operation({
    method: 'POST',
    path: '/os-aggregates/{aggregate_id}/action',
    action: name,
    status: 200,
    errors,
    policy: `os_compute_api:os-aggregates:${name}`,
    body: bodies({
      '2.1': as<TSchema, T>(Type.Object({ [name]: schema }, closed), (value) => (value as Record<string, T>)[name] as T),
    }),
    handle: (request: Incoming<T>, nova: NovaApi) =>
      answer(
        nova.db.transaction(() => work(request, nova)),
        request,
      ),
  })

type HostBody = { host: string }
const hostBody = Type.Object({ host: hostName }, closed)

const addHost = action<HostBody>('add_host', hostBody, [400, 403, 404, 409], (request, nova) => {
  const aggregate = nova.model.aggregates.addHost(idIn(request), request.body.host)
  mirror(nova, aggregate, request.body.host)
  return aggregate
})

const removeHost = action<HostBody>('remove_host', hostBody, [400, 403, 404, 409], (request, nova) => {
  const aggregate = nova.model.aggregates.removeHost(idIn(request), request.body.host)
  mirror(nova, aggregate, request.body.host)
  return aggregate
})

const metadata = Type.Record(Type.String({ pattern: '^[a-zA-Z0-9-_:. ]{1,255}$' }), nullable(Type.String({ maxLength: 255 })), closed)

const setMetadata = action<{ metadata: Record<string, string | null> }>(
  'set_metadata',
  Type.Object({ metadata }, closed),
  [400, 403, 404],
  (request, { model }) => model.aggregates.setMetadata(idIn(request), request.body.metadata),
)

const cacheImages = operation({
  method: 'POST',
  path: '/os-aggregates/{aggregate_id}/images',
  since: '2.81',
  status: 202,
  errors: [400, 403, 404],
  policy: 'compute:aggregates:images',
  body: bodies({
    '2.81': as(
      Type.Object(
        { cache: Type.Array(Type.Object({ id: Type.String({ format: 'uuid' }) }, closed), { minItems: 1, maxItems: 100 }) },
        closed,
      ),
      ({ cache }) => cache.map(({ id }) => id),
    ),
  }),
  handle: (request: Incoming<string[]>, { model, images, conductor }: NovaApi) => {
    const { hosts } = model.aggregates.get(idIn(request))
    if (new Set(request.body).size < request.body.length) throw invalid('Duplicate images in request')
    for (const id of request.body) {
      const image = images.get(id, viewerOf(request.context))
      if (!image) throw notFound(`Image ${id} could not be found.`)
      if (image.status !== 'active') throw invalid(`Image ${id} is not active.`)
    }
    const up = new Set(model.hosts.services({ binary: 'nova-compute' }).flatMap(({ host, up: isUp }) => (isUp ? [host] : [])))
    conductor.cacheImages(
      hosts.filter((host) => up.has(host)),
      request.body,
    )
  },
})

export const aggregateOperations = [
  listAggregates,
  createAggregate,
  showAggregate,
  updateAggregate,
  deleteAggregate,
  addHost,
  removeHost,
  setMetadata,
  cacheImages,
]
