/** `/v3/domains`: projects that act as domains, seen as what they are. */
import { as, bodies, type Incoming, operation, principalOf, type RequestContext, Type } from '../../base/http/index.ts'
import type { Project, ProjectChange } from '../projects.ts'
import { extraOf, idText, immutableOptions, listedDomain, nameOf, optionalText } from './bodies.ts'
import type { Deps } from './deps.ts'
import { collection, selfLink } from './links.ts'

export const showDomain = (domain: Project, context: RequestContext): Record<string, unknown> => ({
  ...domain.extra,
  id: domain.id,
  name: domain.name,
  description: domain.description,
  enabled: domain.enabled,
  tags: domain.tags,
  options: domain.options,
  links: selfLink(context, `/domains/${domain.id}`),
})

const common = { description: optionalText, enabled: Type.Optional(Type.Boolean()), options: immutableOptions }
const createBody = Type.Object({
  domain: Type.Object({ name: nameOf(64), explicit_domain_id: Type.Optional(idText), ...common }),
})
const updateBody = Type.Object({ domain: Type.Object({ name: Type.Optional(nameOf(64)), ...common }, { minProperties: 1 }) })

const changeOf = (body: (typeof updateBody)['static']['domain']): ProjectChange => {
  const { name, description, enabled, options } = body
  return { name, description, enabled, options, extra: extraOf(body, ['name', 'explicit_domain_id', 'tags', ...Object.keys(common)]) }
}

const targetOf = ({ params }: Incoming) => ({ domainId: params.domain_id })

const listDomains = operation({
  method: 'GET',
  path: '/domains',
  status: 200,
  errors: [403],
  policy: 'identity:list_domains',
  handle: ({ context, path, search }, { projects }: Deps) =>
    collection('domains', projects.domains(search, listedDomain(principalOf(context))), showDomain, { context, path, search }),
})

const createDomain = operation({
  method: 'POST',
  path: '/domains',
  status: 201,
  errors: [400, 403, 409],
  policy: 'identity:create_domain',
  body: bodies<(typeof createBody)['static']['domain']>({ '0.0': as(createBody, ({ domain }) => domain) }),
  handle: ({ body, context }, { projects }: Deps) => {
    const made = projects.createDomain({ ...changeOf(body), name: body.name, id: body.explicit_domain_id })
    return { domain: showDomain(made, context) }
  },
})

const getDomain = operation({
  method: 'GET',
  path: '/domains/{domain_id}',
  status: 200,
  errors: [403, 404],
  handle: ({ params, context, enforce }, { projects }: Deps) => {
    // The domain of one's own user is no secret: clients look it up by the id in their token.
    if (params.domain_id !== principalOf(context).userDomainId) enforce('identity:get_domain', { domainId: params.domain_id })
    return { domain: showDomain(projects.domain(params.domain_id!), context) }
  },
})

const updateDomain = operation({
  method: 'PATCH',
  path: '/domains/{domain_id}',
  status: 200,
  errors: [400, 403, 404, 409],
  policy: 'identity:update_domain',
  target: targetOf,
  body: bodies<(typeof updateBody)['static']['domain']>({ '0.0': as(updateBody, ({ domain }) => domain) }),
  handle: ({ params, body, context }, { projects }: Deps) => ({
    domain: showDomain(projects.update(projects.domain(params.domain_id!).id, changeOf(body)), context),
  }),
})

const deleteDomain = operation({
  method: 'DELETE',
  path: '/domains/{domain_id}',
  status: 204,
  errors: [403, 404],
  policy: 'identity:delete_domain',
  target: targetOf,
  handle: ({ params }, { projects }: Deps) => projects.deleteDomain(params.domain_id!),
})

export const domainOperations = [listDomains, createDomain, getDomain, updateDomain, deleteDomain]
