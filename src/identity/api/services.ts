/** `/v3/services`, `/v3/endpoints` and `/v3/regions`. */
import { as, bodies, nullable, operation, type RequestContext, Type } from '../../base/http/index.ts'
import type { CatalogService, Endpoint, Region } from '../services.ts'
import { extraOf, nameOf, optionalText } from './bodies.ts'
import type { Deps } from './deps.ts'
import { collection, selfLink } from './links.ts'

const showService = ({ extra, id, type, enabled }: CatalogService, context: RequestContext): Record<string, unknown> => ({
  ...extra,
  id,
  type,
  enabled,
  links: selfLink(context, `/services/${id}`),
})

/** Our own endpoints are shown as the client reached us; other placeholders stay, as they depend on the token. */
const showEndpoint = (endpoint: Endpoint, context: RequestContext): Record<string, unknown> => ({
  ...endpoint.extra,
  id: endpoint.id,
  interface: endpoint.interface,
  region: endpoint.regionId,
  region_id: endpoint.regionId,
  service_id: endpoint.serviceId,
  url: endpoint.url.replace(/^[$%]\(origin\)s/, context.origin),
  enabled: endpoint.enabled,
  links: selfLink(context, `/endpoints/${endpoint.id}`),
})

const showRegion = (region: Region, context: RequestContext): Record<string, unknown> => ({
  ...region.extra,
  id: region.id,
  description: region.description,
  parent_region_id: region.parentId,
  links: selfLink(context, `/regions/${encodeURIComponent(region.id)}`),
})

const enabled = Type.Optional(Type.Boolean())
const serviceCommon = { name: Type.Optional(nullable(Type.String({ maxLength: 255 }))), description: optionalText, enabled }
const serviceCreate = Type.Object({ service: Type.Object({ type: nameOf(255), ...serviceCommon }) })
const serviceUpdate = Type.Object({
  service: Type.Object({ type: Type.Optional(nameOf(255)), ...serviceCommon }, { minProperties: 1 }),
})
const serviceChange = (body: (typeof serviceUpdate)['static']['service']) => ({
  type: body.type,
  enabled: body.enabled,
  extra: extraOf(body, ['type', 'enabled']),
})

const one = { errors: [403, 404] }
const listServices = operation({
  method: 'GET',
  path: '/services',
  status: 200,
  errors: [403],
  policy: 'identity:list_services',
  handle: (request, { services }: Deps) => collection('services', services.list(request.search), showService, request),
})
const createService = operation({
  method: 'POST',
  path: '/services',
  status: 201,
  errors: [400, 403],
  policy: 'identity:create_service',
  body: bodies<(typeof serviceCreate)['static']['service']>({ '0.0': as(serviceCreate, ({ service }) => service) }),
  handle: ({ body, context }, { services }: Deps) => ({
    service: showService(services.create({ ...serviceChange(body), type: body.type }), context),
  }),
})
const getService = operation({
  ...one,
  method: 'GET',
  path: '/services/{service_id}',
  status: 200,
  policy: 'identity:get_service',
  handle: ({ params, context }, { services }: Deps) => ({ service: showService(services.get(params.service_id!), context) }),
})
const updateService = operation({
  method: 'PATCH',
  path: '/services/{service_id}',
  status: 200,
  errors: [400, 403, 404],
  policy: 'identity:update_service',
  body: bodies<ReturnType<typeof serviceChange>>({ '0.0': as(serviceUpdate, ({ service }) => serviceChange(service)) }),
  handle: ({ params, body, context }, { services }: Deps) => ({
    service: showService(services.update(params.service_id!, body), context),
  }),
})
const deleteService = operation({
  ...one,
  method: 'DELETE',
  path: '/services/{service_id}',
  status: 204,
  policy: 'identity:delete_service',
  handle: ({ params }, { services }: Deps) => services.delete(params.service_id!),
})

const url = Type.String({ minLength: 1, maxLength: 2048, pattern: '^([$%]\\(origin\\)s|[A-Za-z][A-Za-z0-9+.-]*:/)[^\\s]*$' })
const endpointKind = Type.Union([Type.Literal('public'), Type.Literal('internal'), Type.Literal('admin')])
const regionId = Type.Optional(nullable(Type.String({ maxLength: 255 })))
const endpointCommon = { region_id: regionId, region: regionId, enabled, name: Type.Optional(Type.String()), description: optionalText }
const endpointCreate = Type.Object({
  endpoint: Type.Object({ interface: endpointKind, service_id: Type.String(), url, ...endpointCommon }),
})
const endpointUpdate = Type.Object({
  endpoint: Type.Object(
    { interface: Type.Optional(endpointKind), service_id: Type.Optional(Type.String()), url: Type.Optional(url), ...endpointCommon },
    { minProperties: 1 },
  ),
})
const endpointChange = (body: (typeof endpointUpdate)['static']['endpoint']) => ({
  interface: body.interface,
  serviceId: body.service_id,
  url: body.url,
  enabled: body.enabled,
  regionId: body.region_id === undefined ? body.region : body.region_id,
  extra: extraOf(body, ['interface', 'service_id', 'url', 'enabled', 'region_id', 'region']),
})

const listEndpoints = operation({
  method: 'GET',
  path: '/endpoints',
  status: 200,
  errors: [403],
  policy: 'identity:list_endpoints',
  handle: (request, { services }: Deps) => collection('endpoints', services.endpoints(request.search), showEndpoint, request),
})
const createEndpoint = operation({
  method: 'POST',
  path: '/endpoints',
  status: 201,
  errors: [400, 403, 404],
  policy: 'identity:create_endpoint',
  body: bodies<(typeof endpointCreate)['static']['endpoint']>({ '0.0': as(endpointCreate, ({ endpoint }) => endpoint) }),
  handle: ({ body, context }, { services }: Deps) => {
    const { regionId = null, enabled = true, extra } = endpointChange(body)
    const made = services.createEndpoint({ interface: body.interface, serviceId: body.service_id, url: body.url, enabled, regionId, extra })
    return { endpoint: showEndpoint(made, context) }
  },
})
const getEndpoint = operation({
  ...one,
  method: 'GET',
  path: '/endpoints/{endpoint_id}',
  status: 200,
  policy: 'identity:get_endpoint',
  handle: ({ params, context }, { services }: Deps) => ({ endpoint: showEndpoint(services.endpoint(params.endpoint_id!), context) }),
})
const updateEndpoint = operation({
  method: 'PATCH',
  path: '/endpoints/{endpoint_id}',
  status: 200,
  errors: [400, 403, 404],
  policy: 'identity:update_endpoint',
  body: bodies<ReturnType<typeof endpointChange>>({ '0.0': as(endpointUpdate, ({ endpoint }) => endpointChange(endpoint)) }),
  handle: ({ params, body, context }, { services }: Deps) => ({
    endpoint: showEndpoint(services.updateEndpoint(params.endpoint_id!, body), context),
  }),
})
const deleteEndpoint = operation({
  ...one,
  method: 'DELETE',
  path: '/endpoints/{endpoint_id}',
  status: 204,
  policy: 'identity:delete_endpoint',
  handle: ({ params }, { services }: Deps) => services.deleteEndpoint(params.endpoint_id!),
})

const regionFields = {
  id: Type.Optional(nullable(Type.String({ minLength: 1, maxLength: 255 }))),
  description: optionalText,
  parent_region_id: Type.Optional(nullable(Type.String({ maxLength: 255 }))),
}
const regionBody = Type.Object({ region: Type.Object(regionFields) })
const regionChange = (body: (typeof regionBody)['static']['region']) => ({
  id: body.id ?? undefined,
  description: body.description ?? undefined,
  parentId: body.parent_region_id,
  extra: extraOf(body, Object.keys(regionFields)),
})
const regionParser = bodies<ReturnType<typeof regionChange>>({ '0.0': as(regionBody, ({ region }) => regionChange(region)) })

const listRegions = operation({
  method: 'GET',
  path: '/regions',
  status: 200,
  handle: (request, { services }: Deps) => collection('regions', services.regions(request.search), showRegion, request),
})
const createRegion = operation({
  method: 'POST',
  path: '/regions',
  status: 201,
  errors: [400, 403, 404, 409],
  policy: 'identity:create_region',
  body: regionParser,
  handle: ({ body, context }, { services }: Deps) => ({ region: showRegion(services.createRegion(body), context) }),
})
const getRegion = operation({
  ...one,
  method: 'GET',
  path: '/regions/{region_id}',
  status: 200,
  handle: ({ params, context }, { services }: Deps) => ({ region: showRegion(services.region(params.region_id!), context) }),
})
const putRegion = operation({
  method: 'PUT',
  path: '/regions/{region_id}',
  status: 201,
  errors: [400, 403, 404, 409],
  policy: 'identity:create_region',
  body: regionParser,
  handle: ({ params, body, context }, { services }: Deps) => ({
    region: showRegion(services.createRegion({ ...body, id: params.region_id! }), context),
  }),
})
const updateRegion = operation({
  method: 'PATCH',
  path: '/regions/{region_id}',
  status: 200,
  errors: [400, 403, 404],
  policy: 'identity:update_region',
  body: regionParser,
  handle: ({ params, body, context }, { services }: Deps) => ({
    region: showRegion(services.updateRegion(params.region_id!, body), context),
  }),
})
const deleteRegion = operation({
  ...one,
  method: 'DELETE',
  path: '/regions/{region_id}',
  status: 204,
  policy: 'identity:delete_region',
  handle: ({ params }, { services }: Deps) => services.deleteRegion(params.region_id!),
})

export const serviceOperations = [
  listServices,
  createService,
  getService,
  updateService,
  deleteService,
  listEndpoints,
  createEndpoint,
  getEndpoint,
  updateEndpoint,
  deleteEndpoint,
  listRegions,
  createRegion,
  getRegion,
  putRegion,
  updateRegion,
  deleteRegion,
]
