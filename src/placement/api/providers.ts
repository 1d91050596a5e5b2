/** Resource providers. @see https://docs.openstack.org/api-ref/placement/#resource-providers */
import { randomUUID } from 'node:crypto'
import {
  as,
  atLeast,
  bodies,
  closed,
  field,
  nullable,
  operation,
  Reply,
  type RequestContext,
  Type,
  type Version,
  version,
  view,
} from '../../base/http/index.ts'
import { emptyGroup, findProviders, type Group } from '../candidates.ts'
import { createProvider, deleteProvider, type Provider, requireProvider, updateProvider } from '../providers.ts'
import type { Store } from '../store.ts'
import { canonicalUuid, membershipOf, type QueryTexts, refuseUnknown, resourcesOf, single, singleUuid, traitsOf } from './filters.ts'
import { dated, failures, linkTo, locationOf } from './reply.ts'

const name = Type.String({ minLength: 1, maxLength: 200 })
const uuid = Type.String({ format: 'uuid' })
const parent = Type.Optional(nullable(uuid))

const path = (provider: Provider, below = '') => `/resource_providers/${provider.uuid}${below}`

const linkWindows: [string, Version][] = [
  ['self', 0],
  ['inventories', 0],
  ['usages', 0],
  ['aggregates', version('1.1')],
  ['traits', version('1.6')],
  ['allocations', version('1.11')],
]

const linksOf = (provider: Provider, context: RequestContext) =>
  linkWindows
    .filter(([, since]) => since <= context.version)
    .map(([rel]) => ({ rel, href: linkTo(context, path(provider, rel === 'self' ? '' : `/${rel}`)) }))

const providerView = view<Provider>({
  uuid: (provider) => provider.uuid,
  name: (provider) => provider.name,
  generation: (provider) => provider.generation,
  links: linksOf,
  root_provider_uuid: field((provider) => provider.root_uuid, { since: '1.14' }),
  parent_provider_uuid: field((provider) => provider.parent_uuid, { since: '1.14' }),
})

const filterSince: Record<string, Version> = {
  name: 0,
  uuid: 0,
  member_of: version('1.3'),
  resources: version('1.4'),
  in_tree: version('1.14'),
  required: version('1.18'),
}

type ListQuery = { group: Group; name: string | undefined; uuid: string | undefined }

function listQuery(value: unknown, at: Version): ListQuery {
  const query = value as QueryTexts
  refuseUnknown(query, (key) => (filterSince[key] ?? Number.POSITIVE_INFINITY) <= at)
  const resources = single(query, 'resources')
  const group = {
    ...emptyGroup,
    resources: resources === undefined ? {} : resourcesOf(resources),
    ...traitsOf(query.required ?? [], at),
    ...membershipOf(query.member_of ?? [], at),
    inTree: singleUuid(query, 'in_tree') ?? null,
  }
  return { group, name: single(query, 'name'), uuid: singleUuid(query, 'uuid') }
}

const listProviders = operation<Store, undefined, ListQuery>({
  method: 'GET',
  path: '/resource_providers',
  status: 200,
  errors: failures,
  policy: 'placement:use',
  query: listQuery,
  handle: ({ query, context }, store) => {
    const found = findProviders(store, query.group, -1, { name: query.name, uuid: query.uuid })
    return dated(context, store, { resource_providers: found.map((provider) => providerView(provider, context)) }, found)
  },
})

type ProviderBody = { name: string; uuid?: string; parentUuid?: string | null }
type WireBody = { name: string; uuid?: string; parent_provider_uuid?: string | null }

const parsed = ({ name: wantedName, uuid: wantedUuid, parent_provider_uuid: parentUuid }: WireBody): ProviderBody => ({
  name: wantedName,
  ...(wantedUuid === undefined ? {} : { uuid: canonicalUuid(wantedUuid) }),
  ...(parentUuid === undefined ? {} : { parentUuid: parentUuid === null ? null : canonicalUuid(parentUuid) }),
})

const createResourceProvider = operation<Store, ProviderBody>({
  method: 'POST',
  path: '/resource_providers',
  status: { '1.0': 201, '1.20': 200 },
  errors: failures,
  policy: 'placement:use',
  body: bodies<ProviderBody>({
    '1.0': as(Type.Object({ name, uuid: Type.Optional(uuid) }, closed), parsed),
    '1.14': as(Type.Object({ name, uuid: Type.Optional(uuid), parent_provider_uuid: parent }, closed), parsed),
  }),
  handle: ({ body, context }, store) => {
    const provider = createProvider(store, { uuid: body.uuid ?? randomUUID(), name: body.name, parentUuid: body.parentUuid ?? null })
    const headers = { location: locationOf(context, path(provider)) }
    return atLeast(context, '1.20') ? dated(context, store, providerView(provider, context), [provider], headers) : new Reply({ headers })
  },
})

const showProvider = operation<Store>({
  method: 'GET',
  path: '/resource_providers/{uuid}',
  status: 200,
  errors: failures,
  policy: 'placement:use',
  handle: ({ params, context }, store) => {
    const provider = requireProvider(store, params.uuid!)
    return dated(context, store, providerView(provider, context), [provider])
  },
})

const updateResourceProvider = operation<Store, ProviderBody>({
  method: 'PUT',
  path: '/resource_providers/{uuid}',
  status: 200,
  errors: failures,
  policy: 'placement:use',
  body: bodies<ProviderBody>({
    '1.0': as(Type.Object({ name }, closed), parsed),
    '1.14': as(Type.Object({ name, parent_provider_uuid: parent }, closed), parsed),
  }),
  handle: ({ params, body, context }, store) => {
    const provider = updateProvider(store, requireProvider(store, params.uuid!), body, atLeast(context, '1.37'))
    return dated(context, store, providerView(provider, context), [provider])
  },
})

const deleteResourceProvider = operation<Store>({
  method: 'DELETE',
  path: '/resource_providers/{uuid}',
  status: 204,
  errors: failures,
  policy: 'placement:use',
  handle: ({ params }, store) => deleteProvider(store, requireProvider(store, params.uuid!)),
})

export const providerOperations = [listProviders, createResourceProvider, showProvider, updateResourceProvider, deleteResourceProvider]
