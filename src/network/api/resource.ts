/**
 * The five operations that networks, subnets, ports, routers, groups and rules have in common. What a caller cannot see is not there (404); what it sees and may
 * not change is refused (403).
 */
import { type AnyOperation, type Incoming, operation, type Principal, principalOf } from '../../base/http/index.ts'
import { notAuthorized } from '../errors.ts'
import type { Store } from '../store.ts'
import { type Attributes, creation, type Items, updating, type Values } from './attributes.ts'
import { type Condition, type ListSpec, page, project } from './lists.ts'
import type { ApiDeps } from './service.ts'

export type Owned = { id: string; project_id: string }
export type Request = Incoming<unknown, unknown>

export type Resource<Row extends Owned> = {
  /** `security_group`: in rules and bodies. */
  name: string
  /** `security_groups`: in bodies. */
  collection: string
  /** `/security-groups` */
  path: string
  attributes: Attributes
  list: ListSpec
  /** Whose rows the caller sees, as a condition on `t`. */
  visible: (viewer: Viewer) => Condition
  view: (row: Row, request: Request) => Values
  /** Before a list is read. */
  prepare?: (store: Store, viewer: Viewer) => void
  /** Runs in a transaction and gives the new id. */
  create: (values: Values, projectId: string, request: Request, deps: ApiDeps) => string
  update?: (row: Row, values: Values, request: Request, deps: ApiDeps) => void
  remove: (row: Row, request: Request, deps: ApiDeps) => void
  /** Other projects whose members may change the row: a port's network's. */
  alsoOwnedBy?: (row: Row) => string | null
  /** The project whose word counts for rules marked `network`. */
  networkOwner?: (values: Values, row: Row | null, deps: ApiDeps) => string | null
}

export type Viewer = { projectId: string; all: boolean; isAdmin: boolean }

export function viewerOf(principal: Principal): Viewer {
  const { isAdmin } = principal
  return { projectId: principal.projectId ?? '', isAdmin, all: isAdmin || principal.roles.includes('service') }
}

export const own = ({ projectId, all }: Viewer): Condition =>
  all ? { sql: '1', params: [] } : { sql: 't.project_id = ?', params: [projectId] }

/** @throws {CloudError} `forbidden`, type PolicyNotAuthorized. */
export function permit(request: Request, rule: string, projectId: string | null): void {
  if (!request.allows(rule, { projectId })) throw notAuthorized(rule)
}

/** The row, if the caller may see it. @throws {CloudError} `not-found`. */
export function visibleRow<Row extends Owned>(resource: Resource<Row>, id: string, request: Request, { store }: ApiDeps): Row {
  const { sql, params } = resource.visible(viewerOf(principalOf(request.context)))
  const row = store.db.prepare<Row>(`${resource.list.select} WHERE t.id = ? AND (${sql})`).get(id, ...params)
  if (!row) throw resource.list.notFound(id)
  return row
}

/** The row for a change. @throws {CloudError} `not-found`, `forbidden`. */
export function changeableRow<Row extends Owned>(resource: Resource<Row>, id: string, rule: string, request: Request, deps: ApiDeps): Row {
  const row = visibleRow(resource, id, request, deps)
  const other = resource.alsoOwnedBy?.(row) ?? null
  if (other === null || !request.allows(rule, { projectId: other })) permit(request, rule, row.project_id)
  return row
}

const shownBy = <Row extends Owned>(resource: Resource<Row>, id: string, request: Request, { store }: ApiDeps): Values => {
  const row = store.db.prepare<Row>(`${resource.list.select} WHERE t.id = ?`).get(id)
  if (!row) throw resource.list.notFound(id)
  return resource.view(row, request)
}

function checkRules<Row extends Owned>(
  resource: Resource<Row>,
  verb: 'create' | 'update',
  values: Values,
  row: Row | null,
  projectId: string,
  request: Request,
  deps: ApiDeps,
): void {
  for (const key of Object.keys(values)) {
    const rule = resource.attributes[key]?.rule
    if (rule === undefined) continue
    const target = rule === 'network' ? (resource.networkOwner?.(values, row, deps) ?? null) : projectId
    permit(request, `${verb}_${resource.name}:${key}`, target)
  }
}

/** Whose the new thing is. @throws {CloudError} `forbidden` for another project's, unless an admin asks. */
function ownerOf(values: Values, rule: string, request: Request): string {
  const mine = principalOf(request.context).projectId ?? ''
  const given = values.project_id ?? values.tenant_id
  const projectId = typeof given === 'string' && given !== '' ? given : mine
  permit(request, rule, projectId)
  return projectId
}

export function operationsOf<Row extends Owned>(resource: Resource<Row>): AnyOperation<ApiDeps>[] {
  const { name, collection, path, attributes, list } = resource
  const one = `${path}/{${name}_id}`
  const idOf = (request: Request): string => request.params[`${name}_id`] ?? ''

  const listAll = operation<ApiDeps>({
    method: 'GET',
    path,
    status: 200,
    errors: [400, 403, 404],
    policy: `get_${collection}`,
    handle: (request, { store }) => {
      const viewer = viewerOf(principalOf(request.context))
      resource.prepare?.(store, viewer)
      const { rows, links } = page<Row>(store, list, request, resource.visible(viewer))
      const shown = rows.map((row) => project(resource.view(row, request), request.search))
      return { [collection]: shown, ...(links && links.length > 0 ? { [`${collection}_links`]: links } : {}) }
    },
  })
  const show = operation<ApiDeps>({
    method: 'GET',
    path: one,
    status: 200,
    errors: [403, 404],
    policy: `get_${name}`,
    handle: (request, deps) => ({
      [name]: project(resource.view(visibleRow(resource, idOf(request), request, deps), request), request.search),
    }),
  })
  const create = operation<ApiDeps, Items>({
    method: 'POST',
    path,
    status: 201,
    errors: [400, 403, 404, 409],
    policy: `create_${name}`,
    body: creation(name, collection, attributes),
    handle: (request, deps) => {
      const { many, items } = request.body
      const ids = deps.store.db.transaction(() =>
        items.map((values) => {
          const projectId = ownerOf(values, `create_${name}`, request)
          checkRules(resource, 'create', values, null, projectId, request, deps)
          return resource.create(values, projectId, request, deps)
        }),
      )
      const shown = ids.map((id) => shownBy(resource, id, request, deps))
      return many ? { [collection]: shown } : { [name]: shown[0] }
    },
  })
  const { update: apply } = resource
  const update = apply
    ? [
        operation<ApiDeps, Values>({
          method: 'PUT',
          path: one,
          status: 200,
          errors: [400, 403, 404, 409],
          policy: `update_${name}`,
          body: updating(name, attributes),
          handle: (request, deps) => {
            const row = changeableRow(resource, idOf(request), `update_${name}`, request, deps)
            checkRules(resource, 'update', request.body, row, row.project_id, request, deps)
            deps.store.db.transaction(() => apply(row, request.body, request, deps))
            return { [name]: shownBy(resource, row.id, request, deps) }
          },
        }),
      ]
    : []
  const remove = operation<ApiDeps>({
    method: 'DELETE',
    path: one,
    status: 204,
    errors: [403, 404, 409],
    policy: `delete_${name}`,
    handle: (request, deps) => {
      const row = changeableRow(resource, idOf(request), `delete_${name}`, request, deps)
      deps.store.db.transaction(() => resource.remove(row, request, deps))
    },
  })
  return [listAll, show, create, ...update, remove]
}
