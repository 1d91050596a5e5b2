/**
 * Key pairs of users: import, make, list, show, delete.
 *
 * @see https://docs.openstack.org/api-ref/compute/#keypairs-keypairs
 */
import { isoMicros } from '../../base/clock.ts'
import { conflict } from '../../base/errors.ts'
import {
  addFormat,
  as,
  atLeast,
  bodies,
  closed,
  field,
  type Incoming,
  operation,
  principalOf,
  type Target,
  type TSchema,
  Type,
  view,
} from '../../base/http/index.ts'
import { apiConfig, fingerprintOf, generateSshKey, generateX509Key, type Keypair, type KeyType } from '../model/index.ts'
import type { NovaApi } from './deps.ts'
import { type Known, knownQuery, pageNames, pageSize, shortText } from './known-query.ts'
import { nextLink } from './links.ts'
import { unknownMarker } from './paging.ts'
import { serverName } from './schemas.ts'

type NewKeypair = { name: string; type: KeyType; publicKey: string | null; userId: string | null }

const userQuery = knownQuery({ '2.1': {}, '2.10': { user_id: shortText } }, '2.75')
const listQuery = knownQuery({ '2.1': {}, '2.10': { user_id: shortText }, '2.35': pageNames }, '2.75')

/** Whose pairs: the caller's own, or those of the user that an administrator names. */
const userOf = ({ query, context }: Incoming<unknown, Known>): string => query.user_id || principalOf(context).userId
const ofUser = (request: Incoming<unknown, unknown>): Target => ({ userId: userOf(request as Incoming<unknown, Known>) })
const userOfNew = ({ body, context }: Incoming<NewKeypair>): string => body.userId ?? principalOf(context).userId

const summaryFields = {
  name: ({ name }: Keypair) => name,
  type: field<Keypair>(({ type }) => type, { since: '2.2' }),
  public_key: ({ publicKey }: Keypair) => publicKey,
  fingerprint: ({ fingerprint }: Keypair) => fingerprint,
}
const summary = view<Keypair>(summaryFields)
const created = view<Keypair>({ ...summaryFields, user_id: ({ userId }) => userId })
const whole = view<Keypair>({
  ...summaryFields,
  user_id: ({ userId }) => userId,
  deleted: () => false,
  created_at: ({ createdAt }) => isoMicros(createdAt),
  updated_at: () => null,
  deleted_at: () => null,
  id: ({ id }) => id,
})

const listKeypairs = operation({
  method: 'GET',
  path: '/os-keypairs',
  status: 200,
  errors: [400, 403],
  policy: 'os_compute_api:os-keypairs:index',
  target: ofUser,
  query: listQuery,
  handle: (request: Incoming<undefined, Known>, { model, config }: NovaApi) => {
    const { context, query } = request
    const userId = userOf(request)
    const isPaged = atLeast(context, '2.35')
    const limit = pageSize(query, config.get(apiConfig).maxLimit)
    const { marker } = query
    if (marker !== undefined && !model.keypairs.find(userId, marker)) throw unknownMarker(marker)
    const found = model.keypairs.list(userId, isPaged ? { limit, ...(marker === undefined ? {} : { marker }) } : {})
    const last = isPaged && found.length === limit ? found.at(-1) : undefined
    return {
      keypairs: found.map((keypair) => ({ keypair: summary(keypair, context) })),
      ...(last ? { keypairs_links: [nextLink(context, '/os-keypairs', query, last.name)] } : {}),
    }
  },
})

const showKeypair = operation({
  method: 'GET',
  path: '/os-keypairs/{keypair_name}',
  status: 200,
  errors: [400, 403, 404],
  policy: 'os_compute_api:os-keypairs:show',
  target: ofUser,
  query: userQuery,
  handle: (request: Incoming<undefined, Known>, { model }: NovaApi) => ({
    keypair: whole(model.keypairs.get(userOf(request), request.params.keypair_name ?? ''), request.context),
  }),
})

/** Letters, digits, spaces and these signs. */
const nameOf = (signs: string) => {
  const format = `key pair name with ${signs}`
  const safe = new RegExp(`^[A-Za-z0-9 ${signs}]*$`)
  addFormat(format, (text) => safe.test(text), {
    mustBe: `Only expected characters: [${signs} 0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ]`,
  })
  return Type.String({ ...serverName, allOf: [{ format }] })
}
const oldName = nameOf('_-')
const newName = nameOf('@._-')
const publicKey = Type.String()
const keyTypeWord = Type.Optional(Type.Unsafe<KeyType>({ type: 'string', enum: ['ssh', 'x509'] }))
const user = Type.Optional(Type.String({ minLength: 1, maxLength: 255 }))
const wrapped = (properties: Record<string, TSchema>) => Type.Object({ keypair: Type.Object(properties, closed) }, closed)

type Asked = { keypair: { name: string; type?: KeyType; public_key?: string; user_id?: string } }

const parse = ({ keypair }: Asked): NewKeypair => ({
  name: keypair.name,
  type: keypair.type ?? 'ssh',
  publicKey: keypair.public_key ?? null,
  userId: keypair.user_id ?? null,
})
const rung = (properties: Record<string, TSchema>) => as<TSchema, NewKeypair>(wrapped(properties), parse as (value: unknown) => NewKeypair)

const createKeypair = operation({
  method: 'POST',
  path: '/os-keypairs',
  status: { '2.1': 200, '2.2': 201 },
  errors: [400, 403, 409],
  policy: 'os_compute_api:os-keypairs:create',
  target: (request: Incoming<unknown, unknown>) => ({ userId: userOfNew(request as Incoming<NewKeypair>) }),
  body: bodies({
    '2.1': rung({ name: oldName, public_key: Type.Optional(publicKey) }),
    '2.2': rung({ name: oldName, public_key: Type.Optional(publicKey), type: keyTypeWord }),
    '2.10': rung({ name: oldName, public_key: Type.Optional(publicKey), type: keyTypeWord, user_id: user }),
    '2.92': rung({ name: newName, public_key: publicKey, type: keyTypeWord, user_id: user }),
  }),
  handle: async (request: Incoming<NewKeypair>, { model, clock }: NovaApi) => {
    const { name, type: keyType, publicKey: given } = request.body
    const userId = userOfNew(request)
    const limit = model.quotas.limitsFor(principalOf(request.context).projectId ?? '', userId).key_pairs
    if (model.keypairs.find(userId, name)) throw conflict(`Key pair '${name}' already exists.`)
    if (given !== null) {
      const fingerprint = fingerprintOf(keyType, given)
      return {
        keypair: created(model.keypairs.create({ userId, name, type: keyType, publicKey: given, fingerprint }, limit), request.context),
      }
    }
    model.keypairs.requireRoom(userId, limit)
    const { privateKey, ...made } = keyType === 'ssh' ? await generateSshKey() : await generateX509Key(userId, new Date(clock.now()))
    const keypair = model.keypairs.create({ userId, name, type: keyType, ...made }, limit)
    return { keypair: { ...created(keypair, request.context), private_key: privateKey } }
  },
})

const deleteKeypair = operation({
  method: 'DELETE',
  path: '/os-keypairs/{keypair_name}',
  status: { '2.1': 202, '2.2': 204 },
  errors: [400, 403, 404],
  policy: 'os_compute_api:os-keypairs:delete',
  target: ofUser,
  query: userQuery,
  handle: (request: Incoming<undefined, Known>, { model }: NovaApi) =>
    model.keypairs.remove(userOf(request), request.params.keypair_name ?? ''),
})

export const keypairOperations = [listKeypairs, showKeypair, createKeypair, deleteKeypair]
