/** `/v3/projects`, with their tags, and `/v3/users/{user_id}/projects`. */
import { forbidden, invalid, notFound } from '../../base/errors.ts'
import {
  as,
  bodies,
  closed,
  type Incoming,
  nullable,
  operation,
  principalOf,
  Reply,
  type RequestContext,
  Type,
} from '../../base/http/index.ts'
import type { Project, ProjectChange } from '../projects.ts'
import { domainOf, extraOf, idText, immutableOptions, listedDomain, nameOf, optionalText } from './bodies.ts'
import type { Deps } from './deps.ts'
import { collection, selfLink } from './links.ts'

export const showProject = (project: Project, context: RequestContext): Record<string, unknown> => ({
  ...project.extra,
  id: project.id,
  name: project.name,
  domain_id: project.domainId,
  description: project.description,
  enabled: project.enabled,
  parent_id: project.parentId,
  is_domain: project.isDomain,
  tags: project.tags,
  options: project.options,
  links: selfLink(context, `/projects/${project.id}`),
})

const tag = Type.String({ minLength: 1, maxLength: 255, pattern: '^[^,/]*$' })
const tags = Type.Array(tag, { maxItems: 80, uniqueItems: true })
const common = {
  description: optionalText,
  enabled: Type.Optional(Type.Boolean()),
  tags: Type.Optional(tags),
  options: immutableOptions,
  parent_id: Type.Optional(nullable(idText)),
  domain_id: Type.Optional(nullable(idText)),
  is_domain: Type.Optional(Type.Boolean()),
}
const known = ['name', ...Object.keys(common)]
const createBody = Type.Object({ project: Type.Object({ name: nameOf(64), ...common }) })
const updateBody = Type.Object({ project: Type.Object({ name: Type.Optional(nameOf(64)), ...common }, { minProperties: 1 }) })

/** The change that a body asks for; what it doesn't name stays out. */
function changeOf(body: (typeof updateBody)['static']['project']): ProjectChange {
  const { name, description, enabled, tags, options } = body
  return { name, description, enabled, tags, options, extra: extraOf(body, known) }
}

/** The target of a policy for a project in the path. */
const targetOf = ({ params }: Incoming, { projects }: Deps) => {
  const found = projects.find(params.project_id!)
  return { projectId: params.project_id, domainId: found?.isDomain ? found.id : found?.domainId }
}

/** As {@link targetOf} for changes: what acts as a domain lies in none, so its own manager cannot change it. */
const changeTarget = ({ params }: Incoming, { projects }: Deps) => ({
  projectId: params.project_id,
  domainId: projects.find(params.project_id!)?.domainId,
})

const listProjects = operation({
  method: 'GET',
  path: '/projects',
  status: 200,
  errors: [403],
  policy: 'identity:list_projects',
  handle: ({ context, path, search }, { projects }: Deps) =>
    collection('projects', projects.list(search, listedDomain(principalOf(context))), showProject, { context, path, search }),
})

const createProject = operation({
  method: 'POST',
  path: '/projects',
  status: 201,
  errors: [400, 403, 404, 409],
  body: bodies<(typeof createBody)['static']['project']>({ '0.0': as(createBody, ({ project }) => project) }),
  handle: ({ body, context, enforce }, { projects }: Deps) => {
    if (body.is_domain) {
      enforce('identity:create_domain')
      return { project: showProject(projects.createDomain({ ...changeOf(body), name: body.name }), context) }
    }
    const parent = body.parent_id ? projects.find(body.parent_id) : null
    const domainId = body.domain_id ?? (parent?.isDomain ? parent.id : parent?.domainId) ?? domainOf(null, principalOf(context))
    enforce('identity:create_project', { domainId })
    const made = projects.create({ ...changeOf(body), name: body.name, domainId, parentId: body.parent_id })
    return { project: showProject(made, context) }
  },
})

const getProject = operation({
  method: 'GET',
  path: '/projects/{project_id}',
  status: 200,
  errors: [403, 404],
  policy: 'identity:get_project',
  target: targetOf,
  handle: ({ params, context, search, allows }, { projects }: Deps) => {
    const project = projects.get(params.project_id!)
    const visible = (other: Project) =>
      allows('identity:get_project', { projectId: other.id, domainId: other.isDomain ? other.id : other.domainId })
    const listed = (found: Project[]) => found.filter(visible).map((other) => ({ project: showProject(other, context) }))
    const shown = showProject(project, context)
    if (search.has('parents_as_list')) shown.parents = listed(projects.parents(project))
    if (search.has('subtree_as_list')) shown.subtree = listed(projects.subtree(project.id))
    if (search.has('parents_as_ids')) {
      const ids = [...projects.parents(project).map(({ id }) => id), ...(project.domainId === null ? [] : [project.domainId])]
      shown.parents = ids.reduceRight<Record<string, unknown> | null>((above, id) => ({ [id]: above }), null)
    }
    if (search.has('subtree_as_ids')) shown.subtree = nested(project.id, projects.subtree(project.id))
    return { project: shown }
  },
})

function nested(id: string, subtree: readonly Project[]): Record<string, unknown> | null {
  const children = subtree.filter(({ parentId }) => parentId === id)
  return children.length === 0 ? null : Object.fromEntries(children.map((child) => [child.id, nested(child.id, subtree)]))
}

const updateProject = operation({
  method: 'PATCH',
  path: '/projects/{project_id}',
  status: 200,
  errors: [400, 403, 404, 409],
  policy: 'identity:update_project',
  target: changeTarget,
  body: bodies<(typeof updateBody)['static']['project']>({ '0.0': as(updateBody, ({ project }) => project) }),
  handle: ({ params, body, context }, { projects }: Deps) => {
    const old = projects.get(params.project_id!)
    if (body.domain_id !== undefined && body.domain_id !== old.domainId) throw invalid('Cannot change Domain ID')
    if (body.is_domain !== undefined && body.is_domain !== old.isDomain) throw invalid('Update of `is_domain` is not allowed.')
    if (body.parent_id !== undefined && body.parent_id !== old.parentId) throw forbidden('Update of `parent_id` is not allowed.')
    return { project: showProject(projects.update(old.id, changeOf(body)), context) }
  },
})

const deleteProject = operation({
  method: 'DELETE',
  path: '/projects/{project_id}',
  status: 204,
  errors: [403, 404],
  policy: 'identity:delete_project',
  target: changeTarget,
  handle: ({ params }, { projects }: Deps) => projects.delete(params.project_id!),
})

const listUserProjects = operation({
  method: 'GET',
  path: '/users/{user_id}/projects',
  status: 200,
  errors: [403, 404],
  policy: 'identity:list_user_projects',
  target: ({ params }, { users }: Deps) => ({ userId: params.user_id, domainId: users.find(params.user_id!)?.domainId }),
  handle: ({ params, context, path, search }, { projects, users }: Deps) =>
    collection('projects', projects.ofUser(users.get(params.user_id!).id), showProject, { context, path, search }),
})

const tagPath = { path: '/projects/{project_id}/tags/{tag}', target: targetOf }
const tagsPath = { path: '/projects/{project_id}/tags', target: targetOf }

const showTags = ({ tags, id }: Project, context: RequestContext) => ({ tags, links: selfLink(context, `/projects/${id}/tags`) })

const listTags = operation({
  ...tagsPath,
  method: 'GET',
  status: 200,
  errors: [403, 404],
  policy: 'identity:list_project_tags',
  handle: ({ params, context }, { projects }: Deps) => showTags(projects.get(params.project_id!), context),
})

const setTags = operation({
  ...tagsPath,
  method: 'PUT',
  status: 200,
  errors: [400, 403, 404],
  policy: 'identity:update_project_tags',
  target: changeTarget,
  body: bodies<{ tags: string[] }>({ '0.0': as(Type.Object({ tags }, closed)) }),
  handle: ({ params, body, context }, { projects }: Deps) => showTags(projects.update(params.project_id!, { tags: body.tags }), context),
})

const clearTags = operation({
  ...tagsPath,
  method: 'DELETE',
  status: 204,
  errors: [403, 404],
  policy: 'identity:delete_project_tags',
  target: changeTarget,
  handle: ({ params }, { projects }: Deps) => {
    projects.update(params.project_id!, { tags: [] })
  },
})

/** @throws {CloudError} `not-found` when the project lacks the tag. */
const tagged = (project: Project, wanted: string): void => {
  if (!project.tags.includes(wanted)) throw notFound(`Could not find project tag: ${wanted.slice(0, 255)}.`)
}

const checkTag = operation({
  ...tagPath,
  method: 'GET',
  status: 204,
  errors: [403, 404],
  policy: 'identity:get_project_tag',
  handle: ({ params }, { projects }: Deps) => tagged(projects.get(params.project_id!), params.tag!),
})

const addTag = operation({
  ...tagPath,
  method: 'PUT',
  status: 201,
  errors: [400, 403, 404],
  policy: 'identity:create_project_tag',
  target: changeTarget,
  handle: ({ params, context }, { projects }: Deps) => {
    const project = projects.get(params.project_id!)
    const added = params.tag!
    if (added.length > 255 || added.includes(','))
      throw invalid('Invalid input for field tag: at most 255 characters and no comma are expected.')
    if (project.tags.length >= 80 && !project.tags.includes(added)) throw invalid('A project can have at most 80 tags.')
    projects.update(project.id, { tags: [...project.tags, added] })
    return new Reply({ headers: { location: `${context.baseUrl}/projects/${project.id}/tags/${encodeURIComponent(added)}` } })
  },
})

const removeTag = operation({
  ...tagPath,
  method: 'DELETE',
  status: 204,
  errors: [403, 404],
  policy: 'identity:delete_project_tag',
  target: changeTarget,
  handle: ({ params }, { projects }: Deps) => {
    const project = projects.get(params.project_id!)
    tagged(project, params.tag!)
    projects.update(project.id, { tags: project.tags.filter((other) => other !== params.tag) })
  },
})

export const projectOperations = [
  listProjects,
  createProject,
  getProject,
  updateProject,
  deleteProject,
  listUserProjects,
  listTags,
  setTags,
  clearTags,
  checkTag,
  addTag,
  removeTag,
]
