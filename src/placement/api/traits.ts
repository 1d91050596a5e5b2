/** Traits, and those of a provider. @see https://docs.openstack.org/api-ref/placement/#traits */
import { invalid } from '../../base/errors.ts'
import { as, bodies, closed, operation, Reply, type RequestContext, repr, Type } from '../../base/http/index.ts'
import { checkGeneration, type Provider, requireProvider } from '../providers.ts'
import { codes, type Store } from '../store.ts'
import { deleteTrait, ensureTrait, findTrait, listTraits, replaceTraits, requireTrait, traitsOf } from '../traits.ts'
import { type QueryTexts, refuseUnknown, single } from './filters.ts'
import { generation } from './inventories.ts'
import { dated, failures, locationOf } from './reply.ts'

const base = { errors: failures, policy: 'placement:use', since: '1.6' }

type Filter = { names?: string[]; prefix?: string; associated?: boolean }

function listQuery(value: unknown): Filter {
  const query = value as QueryTexts
  refuseUnknown(query, (name) => name === 'name' || name === 'associated')
  const [name, associated] = [single(query, 'name'), single(query, 'associated')]
  const filter: Filter = {}
  if (name?.startsWith('startswith:')) filter.prefix = name.slice('startswith:'.length)
  else if (name?.startsWith('in:')) filter.names = name.slice('in:'.length).split(',')
  else if (name !== undefined) throw bad(`Badly formatted name parameter. Expected 'in:' or 'startswith:', got ${repr(name.slice(0, 200))}`)
  if (associated !== undefined) {
    if (!/^(true|false)$/i.test(associated))
      throw bad(`The query parameter 'associated' must be true or false, got ${repr(associated.slice(0, 200))}`)
    filter.associated = associated.toLowerCase() === 'true'
  }
  return filter
}
const bad = (message: string) => invalid(message, { code: codes.badQueryValue })

const listAllTraits = operation<Store, undefined, Filter>({
  ...base,
  method: 'GET',
  path: '/traits',
  status: 200,
  query: listQuery,
  handle: ({ query, context }, store) => {
    const rows = listTraits(store, query)
    return dated(context, store, { traits: rows.map(({ name }) => name) }, rows)
  },
})

const showTrait = operation<Store>({
  ...base,
  method: 'GET',
  path: '/traits/{name}',
  status: 204,
  handle: ({ params, context }, store) => dated(context, store, undefined, [requireTrait(store, params.name!)]),
})

const createTrait = operation<Store>({
  ...base,
  method: 'PUT',
  path: '/traits/{name}',
  status: 204,
  handle: ({ params, context }, store) => {
    const name = params.name!
    const created = ensureTrait(store, name)
    const { headers } = dated(context, store, undefined, [findTrait(store, name)!], { location: locationOf(context, `/traits/${name}`) })
    return new Reply({ status: created ? 201 : 204, headers })
  },
})

const deleteOneTrait = operation<Store>({
  ...base,
  method: 'DELETE',
  path: '/traits/{name}',
  status: 204,
  handle: ({ params }, store) => deleteTrait(store, params.name!),
})

const ofProvider = '/resource_providers/{uuid}/traits'

function providerTraits(context: RequestContext, store: Store, { uuid }: Pick<Provider, 'uuid'>) {
  const provider = requireProvider(store, uuid)
  const rows = traitsOf(store, provider.id)
  return dated(context, store, { traits: rows.map(({ name }) => name), resource_provider_generation: provider.generation }, rows)
}

const listProviderTraits = operation<Store>({
  ...base,
  method: 'GET',
  path: ofProvider,
  status: 200,
  handle: ({ params, context }, store) => providerTraits(context, store, { uuid: params.uuid! }),
})

type SetBody = { traits: string[]; resource_provider_generation: number }

const setProviderTraits = operation<Store, SetBody>({
  ...base,
  method: 'PUT',
  path: ofProvider,
  status: 200,
  body: bodies<SetBody>({
    '1.6': as(
      Type.Object(
        {
          traits: Type.Array(Type.String({ pattern: '^[A-Z0-9_]+$', minLength: 1, maxLength: 255 }), { uniqueItems: true }),
          resource_provider_generation: generation,
        },
        closed,
      ),
    ),
  }),
  handle: ({ params, body, context }, store) =>
    store.db.transaction(() => {
      const provider = requireProvider(store, params.uuid!)
      checkGeneration(provider, body.resource_provider_generation)
      replaceTraits(store, provider, body.traits)
      return providerTraits(context, store, provider)
    }),
})

const deleteProviderTraits = operation<Store>({
  ...base,
  method: 'DELETE',
  path: ofProvider,
  status: 204,
  handle: ({ params }, store) => {
    replaceTraits(store, requireProvider(store, params.uuid!), [])
  },
})

export const traitOperations = [
  listAllTraits,
  showTrait,
  createTrait,
  deleteOneTrait,
  listProviderTraits,
  setProviderTraits,
  deleteProviderTraits,
]
