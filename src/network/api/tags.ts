/** `/{resource_type}/{resource_id}/tags`. @see https://docs.openstack.org/api-ref/network/v2/#standard-attributes-tag-extension */
import { type AnyOperation, operation, type Parser, Reply } from '../../base/http/index.ts'
import { badRequest, tagNotFound } from '../errors.ts'
import { change, type Table } from '../store.ts'
import { networks } from './networks.ts'
import { ports } from './ports.ts'
import { changeableRow, type Owned, type Resource, visibleRow } from './resource.ts'
import { routers } from './routers.ts'
import { securityGroups } from './security-groups.ts'
import type { ApiDeps } from './service.ts'
import { subnets } from './subnets.ts'

type Tagged = Owned & { tags: string }

/** @throws {CloudError} `invalid`. */
const tagsBody: Parser<string[]> = (body) => {
  const tags = typeof body === 'object' && body !== null ? (body as Record<string, unknown>).tags : undefined
  if (!Array.isArray(tags) || tags.length > 50)
    throw badRequest("Invalid input for operation: Invalid tags body: 'tags' is a list of at most 50.")
  for (const tag of tags) checkTag(tag)
  return [...new Set(tags as string[])]
}

function checkTag(tag: unknown): void {
  if (typeof tag !== 'string' || tag === '' || tag.length > 255 || tag.includes(','))
    throw badRequest('Invalid input for operation: a tag is a text of 1 to 255 characters without comma.')
}

function tagOperations<Row extends Tagged>(resource: Resource<Row>, table: Table): AnyOperation<ApiDeps>[] {
  const at = `${resource.path}/{resource_id}/tags`
  const idOf = (params: Readonly<Record<string, string>>) => params.resource_id ?? ''
  const tagsOf = (row: Row): string[] => JSON.parse(row.tags)
  const write = (deps: ApiDeps, row: Row, tags: readonly string[]) => {
    if (tags.length > 50) throw badRequest('Invalid input for operation: at most 50 tags.')
    change(deps.store, table, row.id, { tags: JSON.stringify(tags) })
    return { tags }
  }
  const rule = `update_${resource.name}`
  const changing = { errors: [400, 403, 404], policy: rule }
  const reading = { errors: [403, 404], policy: `get_${resource.name}` }
  return [
    operation<ApiDeps>({
      method: 'GET',
      path: at,
      status: 200,
      ...reading,
      handle: (request, deps) => ({ tags: tagsOf(visibleRow(resource, idOf(request.params), request, deps)) }),
    }),
    operation<ApiDeps, string[]>({
      method: 'PUT',
      path: at,
      status: 200,
      ...changing,
      body: tagsBody,
      handle: (request, deps) => write(deps, changeableRow(resource, idOf(request.params), rule, request, deps), request.body),
    }),
    operation<ApiDeps, string[]>({
      method: 'POST',
      path: at,
      status: 200,
      ...changing,
      body: tagsBody,
      handle: (request, deps) => {
        const row = changeableRow(resource, idOf(request.params), rule, request, deps)
        return write(deps, row, [...new Set([...tagsOf(row), ...request.body])])
      },
    }),
    operation<ApiDeps>({
      method: 'DELETE',
      path: at,
      status: 204,
      ...changing,
      handle: (request, deps) => {
        write(deps, changeableRow(resource, idOf(request.params), rule, request, deps), [])
      },
    }),
    operation<ApiDeps>({
      method: 'GET',
      path: `${at}/{tag}`,
      status: 204,
      ...reading,
      handle: (request, deps) => {
        const tag = request.params.tag ?? ''
        if (!tagsOf(visibleRow(resource, idOf(request.params), request, deps)).includes(tag)) throw tagNotFound(tag)
      },
    }),
    operation<ApiDeps>({
      method: 'PUT',
      path: `${at}/{tag}`,
      status: 201,
      ...changing,
      handle: (request, deps) => {
        const tag = request.params.tag ?? ''
        checkTag(tag)
        const row = changeableRow(resource, idOf(request.params), rule, request, deps)
        write(deps, row, [...new Set([...tagsOf(row), tag])])
        return new Reply({ status: 201 })
      },
    }),
    operation<ApiDeps>({
      method: 'DELETE',
      path: `${at}/{tag}`,
      status: 204,
      ...changing,
      handle: (request, deps) => {
        const tag = request.params.tag ?? ''
        const row = changeableRow(resource, idOf(request.params), rule, request, deps)
        if (!tagsOf(row).includes(tag)) throw tagNotFound(tag)
        write(
          deps,
          row,
          tagsOf(row).filter((one) => one !== tag),
        )
      },
    }),
  ]
}

export const allTagOperations: AnyOperation<ApiDeps>[] = [
  ...tagOperations(networks, 'networks'),
  ...tagOperations(subnets, 'subnets'),
  ...tagOperations(ports, 'ports'),
  ...tagOperations(routers, 'routers'),
  ...tagOperations(securityGroups, 'securitygroups'),
]
