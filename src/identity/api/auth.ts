/** Tokens and what they open: `/v3/auth/…`. */
import { isoMicrosZ, timeText } from '../../base/clock.ts'
import { forbidden, invalid, notFound } from '../../base/errors.ts'
import { as, bodies, operation, principalOf, Reply, type RequestContext, Type } from '../../base/http/index.ts'
import type { AuthRequest, ScopeRequest } from '../authentication.ts'

import type { ValidToken } from '../tokens/tokens.ts'
import type { Deps } from './deps.ts'
import { showDomain } from './domains.ts'
import { collection } from './links.ts'
import { showProject } from './projects.ts'

const name = Type.String({ maxLength: 255 })
const domain = Type.Object({ id: Type.Optional(name), name: Type.Optional(name) })
const user = { id: Type.Optional(name), name: Type.Optional(name), domain: Type.Optional(domain) }
const scope = Type.Union([
  Type.Literal('unscoped'),
  Type.Object({
    unscoped: Type.Optional(Type.Unknown()),
    project: Type.Optional(Type.Object({ id: Type.Optional(name), name: Type.Optional(name), domain: Type.Optional(domain) })),
    domain: Type.Optional(domain),
    system: Type.Optional(Type.Object({ all: Type.Optional(Type.Boolean()) })),
    'OS-TRUST:trust': Type.Optional(Type.Unknown()),
  }),
])
const authBody = Type.Object({
  auth: Type.Object({
    identity: Type.Object({
      methods: Type.Array(name, { maxItems: 16 }),
      password: Type.Optional(Type.Object({ user: Type.Object({ ...user, password: Type.String() }) })),
      token: Type.Optional(Type.Object({ id: Type.String() })),
      application_credential: Type.Optional(
        Type.Object({ id: Type.Optional(name), name: Type.Optional(name), secret: Type.String(), user: Type.Optional(Type.Object(user)) }),
      ),
    }),
    scope: Type.Optional(scope),
  }),
})

/** @throws {CloudError} `invalid` for none or several scopes at once. */
function readScope(given: (typeof scope)['static'] | undefined): ScopeRequest | undefined {
  if (given === undefined) return undefined
  if (given === 'unscoped') return { kind: 'unscoped' }
  const kinds = ['unscoped', 'project', 'domain', 'system', 'OS-TRUST:trust'].filter((kind) => Object.hasOwn(given, kind))
  if (kinds.length !== 1) throw invalid('Scope must be exactly one of project, domain, system and unscoped.')
  if (given.project) return { kind: 'project', ...given.project }
  if (given.domain) return { kind: 'domain', domain: given.domain }
  if (given.system) {
    if (given.system.all !== true) throw invalid('The only system scope is all: true.')
    return { kind: 'system' }
  }
  if (kinds[0] === 'unscoped') return { kind: 'unscoped' }
  throw invalid('Trusts are not offered by this cloud.')
}

const seconds = (time: number): string => isoMicrosZ(timeText(Math.round(time * 1000)))
const wantsCatalog = (search: URLSearchParams): boolean => !search.has('nocatalog')

const catalogFor = ({ access }: ValidToken, context: RequestContext, { catalog }: Deps) =>
  catalog.render({ origin: context.origin, projectId: access.project?.id ?? null, userId: access.user.id })

/** The catalog is most of a token's text and seldom changes: its JSON is kept, and put in as the last attribute. */
function tokenReply(valid: ValidToken, context: RequestContext, deps: Deps, withCatalog: boolean): Reply {
  const { claims, access } = valid
  const { scope: held, project, appCred } = access
  const scoped = held.kind !== 'none'
  const body = JSON.stringify({
    token: {
      methods: claims.openstack_methods,
      user: { domain: access.user.domain, id: access.user.id, name: access.user.name, password_expires_at: null },
      audit_ids: claims.openstack_audit_ids,
      expires_at: seconds(claims.exp),
      issued_at: seconds(claims.iat),
      ...(project ? { project: { domain: project.domain, id: project.id, name: project.name }, is_domain: project.isDomain } : {}),
      ...(access.domain ? { domain: access.domain } : {}),
      ...(held.kind === 'system' ? { system: { all: true } } : {}),
      ...(scoped ? { roles: access.roles } : {}),
      ...(appCred ? { application_credential: { id: appCred.id, name: appCred.name, restricted: appCred.restricted } } : {}),
    },
  })
  const headers = { 'content-type': 'application/json', 'x-subject-token': valid.token, vary: 'X-Auth-Token' }
  if (!scoped || !withCatalog) return new Reply({ headers, body })
  return new Reply({ headers, body: `${body.slice(0, -2)},"catalog":${catalogFor(valid, context, deps).json}}}` })
}

const issueToken = operation({
  method: 'POST',
  path: '/auth/tokens',
  status: 201,
  errors: [400, 403],
  auth: 'none',
  body: bodies<AuthRequest>({
    '0.0': as(authBody, ({ auth }) => ({ ...auth.identity, scope: readScope(auth.scope) })),
  }),
  handle: async ({ body, context, search }, deps: Deps) => {
    const valid = await deps.authenticator.issue(body, context.remoteAddress)
    return tokenReply(valid, context, deps, wantsCatalog(search))
  },
})

type Asking = {
  header: (name: string) => string | undefined
  enforce: (policy: string, target: { userId: string }) => void
}

/** The token asked about. @throws {CloudError} `not-found` when it is none, `forbidden` when it is another's. */
function subject({ header, enforce }: Asking, { tokens }: Deps, policy: string, allowExpired = false): ValidToken {
  const text = header('x-subject-token')
  const valid = text ? tokens.validate(text, { allowExpired }) : null
  if (!valid) throw notFound('Could not find token.')
  enforce(policy, { userId: valid.claims.sub })
  return valid
}

const validateToken = operation({
  method: 'GET',
  path: '/auth/tokens',
  status: 200,
  errors: [403, 404],
  handle: (request, deps: Deps) => {
    const { context, search } = request
    const { roles } = principalOf(context)
    const allowExpired = search.get('allow_expired') === '1' && (roles.includes('service') || roles.includes('admin'))
    const valid = subject(request, deps, 'identity:validate_token', allowExpired)
    return tokenReply(valid, context, deps, wantsCatalog(search))
  },
})

const checkToken = operation({
  method: 'HEAD',
  path: '/auth/tokens',
  status: 200,
  errors: [403, 404],
  handle: (request, deps: Deps) => {
    const valid = subject(request, deps, 'identity:check_token')
    return new Reply({ headers: { 'x-subject-token': valid.token, vary: 'X-Auth-Token' } })
  },
})

const revokeToken = operation({
  method: 'DELETE',
  path: '/auth/tokens',
  status: 204,
  errors: [403, 404],
  handle: (request, deps: Deps) => {
    const valid = subject(request, deps, 'identity:revoke_token')
    deps.revocations.revokeToken(valid.claims.openstack_audit_ids[0] ?? '')
    return undefined
  },
})

const caller = (context: RequestContext, { tokens }: Deps): ValidToken => {
  const valid = tokens.validate(principalOf(context).token)
  if (!valid) throw notFound('Could not find token.')
  return valid
}

const listCatalog = operation({
  method: 'GET',
  path: '/auth/catalog',
  status: 200,
  errors: [403, 404],
  handle: ({ context }, deps: Deps) => {
    const valid = caller(context, deps)
    if (valid.access.scope.kind === 'none')
      throw forbidden('You are not authorized to perform the requested action: A scoped token is required to see the catalog.')
    return {
      catalog: catalogFor(valid, context, deps).entries,
      links: { next: null, self: `${context.baseUrl}/auth/catalog`, previous: null },
    }
  },
})

const listOwnProjects = operation({
  method: 'GET',
  path: '/auth/projects',
  status: 200,
  handle: ({ context, path, search }, { projects }: Deps) =>
    collection(
      'projects',
      projects.ofUser(principalOf(context).userId).filter(({ enabled }) => enabled),
      showProject,
      { context, path, search },
    ),
})

const listOwnDomains = operation({
  method: 'GET',
  path: '/auth/domains',
  status: 200,
  handle: ({ context, path, search }, { projects }: Deps) =>
    collection(
      'domains',
      projects.domainsOfUser(principalOf(context).userId).filter(({ enabled }) => enabled),
      showDomain,
      { context, path, search },
    ),
})

const listOwnSystem = operation({
  method: 'GET',
  path: '/auth/system',
  status: 200,
  handle: ({ context }, { access }: Deps) => ({
    system: access.find(principalOf(context).userId, { kind: 'system' }) ? [{ all: true }] : [],
    links: { next: null, self: `${context.baseUrl}/auth/system`, previous: null },
  }),
})

export const authOperations = [
  issueToken,
  validateToken,
  checkToken,
  revokeToken,
  listCatalog,
  listOwnProjects,
  listOwnDomains,
  listOwnSystem,
]
