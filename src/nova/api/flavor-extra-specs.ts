/**
 * Extra specs of flavors: what a flavor asks of hosts and guests beyond its sizes.
 *
 * @see https://docs.openstack.org/api-ref/compute/#flavors-extra-specs-flavors-os-extra-specs
 */
import { notFound } from '../../base/errors.ts'
import { as, atLeast, bodies, closed, type Incoming, operation, Type } from '../../base/http/index.ts'
import type { Flavor } from '../model/index.ts'
import { type NovaApi, viewerOf } from './deps.ts'
import { checkExtraSpec } from './extra-spec-rules.ts'
import { type Known, noQuery } from './known-query.ts'
import { checkNamedItem, type Pairs } from './metadata.ts'

const flavorIn = ({ params, context }: Incoming, { model }: NovaApi): Flavor => model.flavors.get(params.flavor_id ?? '', viewerOf(context))
const missing = ({ flavorId }: Flavor, key: string) => notFound(`Flavor ${flavorId} has no extra specs with key ${key.slice(0, 255)}.`)

const value = Type.Unsafe<string | number>({ type: ['string', 'number'], maxLength: 255 })
const pairs = (options: object) =>
  Type.Unsafe<Record<string, string | number>>({
    type: 'object',
    patternProperties: { '^[a-zA-Z0-9-_:. ]{1,255}$': value },
    ...closed,
    ...options,
  })
const texts = (given: Record<string, string | number>): Pairs =>
  Object.fromEntries(Object.entries(given).map(([key, item]) => [key, String(item)]))

function checkSpecs({ context }: Incoming<unknown>, specs: Pairs): void {
  if (!atLeast(context, '2.86')) return
  for (const [key, text] of Object.entries(specs)) checkExtraSpec(key, text)
}

const listSpecs = operation({
  method: 'GET',
  path: '/flavors/{flavor_id}/os-extra_specs',
  status: 200,
  errors: [400, 403, 404],
  policy: 'os_compute_api:os-flavor-extra-specs:index',
  query: noQuery,
  handle: (request: Incoming<unknown, Known>, nova: NovaApi) => ({ extra_specs: flavorIn(request, nova).extraSpecs }),
})

const createSpecs = operation({
  method: 'POST',
  path: '/flavors/{flavor_id}/os-extra_specs',
  status: 200,
  errors: [400, 403, 404, 409],
  policy: 'os_compute_api:os-flavor-extra-specs:create',
  body: bodies({ '2.1': as(Type.Object({ extra_specs: pairs({}) }, closed), ({ extra_specs }) => texts(extra_specs)) }),
  handle: (request: Incoming<Pairs>, nova: NovaApi) => {
    checkSpecs(request, request.body)
    nova.model.flavors.setExtraSpecs(flavorIn(request, nova).id, request.body)
    return { extra_specs: request.body }
  },
})

const showSpec = operation({
  method: 'GET',
  path: '/flavors/{flavor_id}/os-extra_specs/{key}',
  status: 200,
  errors: [400, 403, 404],
  policy: 'os_compute_api:os-flavor-extra-specs:show',
  query: noQuery,
  handle: (request: Incoming<unknown, Known>, nova: NovaApi) => {
    const key = request.params.key ?? ''
    const flavor = flavorIn(request, nova)
    if (!Object.hasOwn(flavor.extraSpecs, key)) throw missing(flavor, key)
    return { [key]: flavor.extraSpecs[key] }
  },
})

const updateSpec = operation({
  method: 'PUT',
  path: '/flavors/{flavor_id}/os-extra_specs/{key}',
  status: 200,
  errors: [400, 403, 404, 409],
  policy: 'os_compute_api:os-flavor-extra-specs:update',
  body: bodies({ '2.1': as(pairs({ minProperties: 1, maxProperties: 1 }), texts) }),
  handle: (request: Incoming<Pairs>, nova: NovaApi) => {
    checkNamedItem(request)
    checkSpecs(request, request.body)
    nova.model.flavors.setExtraSpecs(flavorIn(request, nova).id, request.body)
    return request.body
  },
})

const deleteSpec = operation({
  method: 'DELETE',
  path: '/flavors/{flavor_id}/os-extra_specs/{key}',
  status: 200,
  errors: [403, 404],
  policy: 'os_compute_api:os-flavor-extra-specs:delete',
  handle: (request: Incoming, nova: NovaApi) => {
    const flavor = flavorIn(request, nova)
    const key = request.params.key ?? ''
    if (!nova.model.flavors.removeExtraSpec(flavor.id, key)) throw missing(flavor, key)
  },
})

export const flavorExtraSpecOperations = [listSpecs, createSpecs, showSpec, updateSpec, deleteSpec]
