/**
 * Tags of servers: words to find them by.
 *
 * @see https://docs.openstack.org/api-ref/compute/#server-tags-servers-tags
 */
import { invalid, messageOf, notFound } from '../../base/errors.ts'
import { as, bodies, check, closed, type Incoming, operation, Reply, repr, Type } from '../../base/http/index.ts'
import { checkState } from '../conductor/index.ts'
import type { Instance, VmState } from '../model/index.ts'
import type { NovaApi } from './deps.ts'
import { selfHref } from './links.ts'
import { tagSchema } from './schemas.ts'
import { serverOf } from './servers.ts'

const since = '2.26'
const maxTags = 50
const changeable: readonly VmState[] = ['active', 'paused', 'suspended', 'stopped']

/** Nova says `Server` of what is shown, `Instance` of what is removed. */
const noTag = (what: 'Server' | 'Instance', { uuid }: Instance, tag: string) => notFound(`${what} ${uuid} has no tag '${tag.slice(0, 60)}'`)

/** @throws {CloudError} `invalid`, in Nova's words. */
function checkTag(tag: string): void {
  try {
    check(tagSchema, tag)
  } catch (error) {
    throw invalid(
      `Tag '${tag}' is invalid. It must be a non empty string without characters '/' and ','. Validation error message: ${messageOf(error)}`,
    )
  }
}

function toChange(request: Incoming<unknown, unknown>, nova: NovaApi, action: string): Instance {
  const instance = serverOf(request, nova)
  checkState(instance, action, changeable, null)
  return instance
}

const listTags = operation({
  method: 'GET',
  path: '/servers/{server_id}/tags',
  since,
  status: 200,
  errors: [403, 404],
  policy: 'os_compute_api:os-server-tags:index',
  handle: (request: Incoming, nova: NovaApi) => ({ tags: serverOf(request, nova).tags }),
})

const showTag = operation({
  method: 'GET',
  path: '/servers/{server_id}/tags/{tag}',
  since,
  status: 204,
  errors: [403, 404],
  policy: 'os_compute_api:os-server-tags:show',
  handle: (request: Incoming, nova: NovaApi) => {
    const instance = serverOf(request, nova)
    const tag = request.params.tag ?? ''
    if (!instance.tags.includes(tag)) throw noTag('Server', instance, tag)
  },
})

const replaceTags = operation({
  method: 'PUT',
  path: '/servers/{server_id}/tags',
  since,
  status: 200,
  errors: [400, 403, 404, 409],
  policy: 'os_compute_api:os-server-tags:update_all',
  body: bodies({
    '2.1': as(Type.Object({ tags: Type.Array(tagSchema, { maxItems: maxTags }) }, closed), ({ tags }) => [...new Set(tags)]),
  }),
  handle: (request: Incoming<string[]>, nova: NovaApi) => {
    const { uuid } = toChange(request, nova, 'update tags')
    nova.model.instances.setTags(uuid, request.body)
    return { tags: nova.model.instances.get(uuid).tags }
  },
})

const addTag = operation({
  method: 'PUT',
  path: '/servers/{server_id}/tags/{tag}',
  since,
  status: 201,
  errors: [400, 403, 404, 409],
  policy: 'os_compute_api:os-server-tags:update',
  handle: (request: Incoming<unknown>, nova: NovaApi) => {
    if (request.body !== undefined && request.body !== null) throw invalid(`${repr(request.body)} is not of type 'null'`)
    const { uuid, tags } = toChange(request, nova, 'update tag')
    const tag = request.params.tag ?? ''
    checkTag(tag)
    if (tags.includes(tag)) return new Reply({ status: 204 })
    if (tags.length >= maxTags) throw invalid(`The number of tags exceeded the per-server limit ${maxTags}`)
    nova.model.instances.setTags(uuid, [...tags, tag])
    return new Reply({
      status: 201,
      headers: { Location: selfHref(request.context, `/servers/${uuid}/tags/${encodeURIComponent(tag)}`) },
    })
  },
})

const deleteTag = operation({
  method: 'DELETE',
  path: '/servers/{server_id}/tags/{tag}',
  since,
  status: 204,
  errors: [403, 404, 409],
  policy: 'os_compute_api:os-server-tags:delete',
  handle: (request: Incoming, nova: NovaApi) => {
    const instance = toChange(request, nova, 'delete tag')
    const tag = request.params.tag ?? ''
    if (!instance.tags.includes(tag)) throw noTag('Instance', instance, tag)
    nova.model.instances.setTags(
      instance.uuid,
      instance.tags.filter((other) => other !== tag),
    )
  },
})

const deleteTags = operation({
  method: 'DELETE',
  path: '/servers/{server_id}/tags',
  since,
  status: 204,
  errors: [403, 404, 409],
  policy: 'os_compute_api:os-server-tags:delete_all',
  handle: (request: Incoming, nova: NovaApi) => nova.model.instances.setTags(toChange(request, nova, 'delete tags').uuid, []),
})

export const serverTagOperations = [listTags, showTag, replaceTags, addTag, deleteTag, deleteTags]
