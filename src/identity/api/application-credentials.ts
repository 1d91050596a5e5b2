/** `/v3/users/{user_id}/application_credentials`. */
import { isoMicros, timeText } from '../../base/clock.ts'
import { invalid } from '../../base/errors.ts'
import { as, bodies, nullable, operation, principalOf, type RequestContext, Type } from '../../base/http/index.ts'
import type { ApplicationCredential, NewApplicationCredential } from '../application-credentials.ts'
import { notAuthenticated } from '../tokens/tokens.ts'
import { nameOf, optionalText } from './bodies.ts'
import type { Deps } from './deps.ts'
import { collection, selfLink } from './links.ts'
import { userTarget } from './users.ts'

const show = (made: ApplicationCredential, context: RequestContext): Record<string, unknown> => ({
  id: made.id,
  name: made.name,
  description: made.description,
  user_id: made.userId,
  project_id: made.projectId,
  system: null,
  expires_at: made.expiresAtMs === null ? null : isoMicros(timeText(made.expiresAtMs)),
  unrestricted: made.unrestricted,
  roles: made.roles.map(({ id, name, domainId }) => ({ id, name, domain_id: domainId })),
  links: selfLink(context, `/users/${made.userId}/application_credentials/${made.id}`),
})

const role = Type.Object({ id: Type.Optional(Type.String()), name: Type.Optional(Type.String()) }, { minProperties: 1 })
const createBody = Type.Object({
  application_credential: Type.Object({
    name: nameOf(255),
    description: optionalText,
    secret: Type.Optional(nullable(Type.String({ minLength: 1 }))),
    expires_at: Type.Optional(nullable(Type.String())),
    unrestricted: Type.Optional(nullable(Type.Boolean())),
    roles: Type.Optional(Type.Array(role, { maxItems: 64 })),
    access_rules: Type.Optional(nullable(Type.Array(Type.Unknown()))),
  }),
})

/** Keystone takes times without a zone, as UTC. @throws {CloudError} `invalid`. */
function timeOf(text: string): number {
  const time = Date.parse(/([zZ]|[+-]\d\d:?\d\d)$/.test(text) ? text : `${text}Z`)
  if (Number.isNaN(time)) throw invalid('Invalid input for field expires_at: an ISO 8601 time is expected.')
  return time
}

function requestOf(body: (typeof createBody)['static']['application_credential']): NewApplicationCredential {
  // A rule that is stored and not enforced would be worse than none.
  if (body.access_rules && body.access_rules.length > 0) throw invalid('Access rules are not offered by this cloud.')
  return {
    name: body.name,
    description: body.description,
    secret: body.secret,
    expiresAtMs: body.expires_at ? timeOf(body.expires_at) : null,
    unrestricted: body.unrestricted ?? false,
    roles: body.roles,
  }
}

/** @throws {CloudError} `unauthenticated` when the token has just ended. */
export const callersToken = (context: RequestContext, { tokens }: Deps) => {
  const valid = tokens.validate(principalOf(context).token)
  if (!valid) throw notAuthenticated()
  return valid
}

const path = '/users/{user_id}/application_credentials'
const onePath = `${path}/{application_credential_id}`

const listAll = operation({
  method: 'GET',
  path,
  status: 200,
  errors: [403, 404],
  policy: 'identity:list_application_credentials',
  target: userTarget,
  handle: (request, { users, applicationCredentials }: Deps) =>
    collection(
      'application_credentials',
      applicationCredentials.list(users.get(request.params.user_id!).id, request.search.get('name')),
      show,
      request,
    ),
})

const create = operation({
  method: 'POST',
  path,
  status: 201,
  errors: [400, 403, 409],
  policy: 'identity:create_application_credential',
  target: ({ params }) => ({ userId: params.user_id }),
  body: bodies<NewApplicationCredential>({ '0.0': as(createBody, (body) => requestOf(body.application_credential)) }),
  handle: async ({ body, context }, deps: Deps) => {
    const { made, secret } = await deps.applicationCredentials.create(callersToken(context, deps), body)
    return { application_credential: { ...show(made, context), secret } }
  },
})

const getOne = operation({
  method: 'GET',
  path: onePath,
  status: 200,
  errors: [403, 404],
  policy: 'identity:get_application_credential',
  target: userTarget,
  handle: ({ params, context }, { applicationCredentials }: Deps) => ({
    application_credential: show(applicationCredentials.get(params.user_id!, params.application_credential_id!), context),
  }),
})

const remove = operation({
  method: 'DELETE',
  path: onePath,
  status: 204,
  errors: [403, 404],
  policy: 'identity:delete_application_credential',
  target: userTarget,
  handle: ({ params, context }, deps: Deps) =>
    deps.applicationCredentials.delete(callersToken(context, deps), params.user_id!, params.application_credential_id!),
})

export const applicationCredentialOperations = [listAll, create, getOne, remove]
