/** `/v3/credentials`: a user's own; administrators see and change all. */
import { as, bodies, type Incoming, nullable, operation, principalOf, type RequestContext, Type } from '../../base/http/index.ts'
import { checkMayMint } from '../application-credentials.ts'
import type { Credential } from '../credentials.ts'
import { callersToken } from './application-credentials.ts'
import { idText, nameOf } from './bodies.ts'
import type { Deps } from './deps.ts'
import { collection, selfLink } from './links.ts'

const show = ({ id, userId, projectId, type, blob }: Credential, context: RequestContext): Record<string, unknown> => ({
  id,
  user_id: userId,
  project_id: projectId,
  type,
  blob,
  links: selfLink(context, `/credentials/${id}`),
})

const projectId = Type.Optional(nullable(idText))
const createBody = Type.Object({
  credential: Type.Object({ type: nameOf(255), blob: Type.String(), user_id: Type.Optional(idText), project_id: projectId }),
})
const updateBody = Type.Object({
  credential: Type.Object(
    { type: Type.Optional(nameOf(255)), blob: Type.Optional(Type.String()), project_id: projectId },
    { minProperties: 1 },
  ),
})

const targetOf = ({ params }: Incoming, { credentials }: Deps) => ({ userId: credentials.find(params.credential_id!)?.userId })
const one = { path: '/credentials/{credential_id}', target: targetOf }

const listCredentials = operation({
  method: 'GET',
  path: '/credentials',
  status: 200,
  handle: (request, { credentials }: Deps) => {
    const { context, search, allows } = request
    const seesAll = allows('identity:list_credentials', {})
    const wanted = search.get('user_id')
    const own = principalOf(context).userId
    if (!seesAll && wanted !== null && wanted !== own) return collection('credentials', [], show, request)
    const found = credentials.list({ userId: seesAll ? wanted : own, type: search.get('type') })
    return collection('credentials', found, show, request)
  },
})

const createCredential = operation({
  method: 'POST',
  path: '/credentials',
  status: 201,
  errors: [400, 403, 404, 409],
  body: bodies<(typeof createBody)['static']['credential']>({ '0.0': as(createBody, ({ credential }) => credential) }),
  handle: ({ body, context, enforce }, deps: Deps) => {
    const userId = body.user_id ?? principalOf(context).userId
    enforce('identity:create_credential', { userId })
    checkMayMint(callersToken(context, deps))
    const made = deps.credentials.create({ userId, type: body.type, blob: body.blob, projectId: body.project_id ?? null })
    return { credential: show(made, context) }
  },
})

const getCredential = operation({
  ...one,
  method: 'GET',
  status: 200,
  errors: [403, 404],
  policy: 'identity:get_credential',
  handle: ({ params, context }, { credentials }: Deps) => ({ credential: show(credentials.get(params.credential_id!), context) }),
})

const updateCredential = operation({
  ...one,
  method: 'PATCH',
  status: 200,
  errors: [400, 403, 404],
  policy: 'identity:update_credential',
  body: bodies<(typeof updateBody)['static']['credential']>({ '0.0': as(updateBody, ({ credential }) => credential) }),
  handle: ({ params, body, context }, deps: Deps) => {
    checkMayMint(callersToken(context, deps))
    const { type, blob, project_id } = body
    return { credential: show(deps.credentials.update(params.credential_id!, { type, blob, projectId: project_id }), context) }
  },
})

const deleteCredential = operation({
  ...one,
  method: 'DELETE',
  status: 204,
  errors: [403, 404],
  policy: 'identity:delete_credential',
  handle: ({ params, context }, deps: Deps) => {
    checkMayMint(callersToken(context, deps))
    deps.credentials.delete(params.credential_id!)
  },
})

export const credentialOperations = [listCredentials, createCredential, getCredential, updateCredential, deleteCredential]
