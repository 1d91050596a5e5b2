/**
 * Metadata of servers: names and values that users keep with a server and its guest reads.
 *
 * @see https://docs.openstack.org/api-ref/compute/#server-metadata-servers-metadata
 */
import { notFound, overQuota } from '../../base/errors.ts'
import { type Incoming, operation } from '../../base/http/index.ts'
import { checkLaunched, checkLock, checkState } from '../conductor/index.ts'
import type { Instance, VmState } from '../model/index.ts'
import { callerOf, type NovaApi } from './deps.ts'
import { type Known, noQuery } from './known-query.ts'
import { checkNamedItem, merged, metadataBody, metadataItemBody, type Pairs, without } from './metadata.ts'
import { serverOf } from './servers.ts'

const changeable: readonly VmState[] = ['active', 'paused', 'suspended', 'stopped']
const notThere = () => notFound('Metadata item was not found')

/** The server, if its metadata may be changed now. @throws {CloudError} `not-found`, `conflict`. */
function toChange(request: Incoming<unknown, unknown>, nova: NovaApi, action: string): Instance {
  const instance = serverOf(request, nova)
  checkLock(instance, callerOf(request.context))
  checkState(instance, action, changeable, null)
  checkLaunched(instance, action)
  return instance
}

function save({ uuid, projectId, userId }: Instance, metadata: Pairs, { model }: NovaApi): Pairs {
  const limit = model.quotas.limitsFor(projectId, userId).metadata_items
  if (limit >= 0 && Object.keys(metadata).length > limit) throw overQuota(`Maximum number of metadata items exceeds ${limit}`)
  model.instances.setMetadata(uuid, metadata)
  return metadata
}

const listMetadata = operation({
  method: 'GET',
  path: '/servers/{server_id}/metadata',
  status: 200,
  errors: [400, 403, 404],
  policy: 'os_compute_api:server-metadata:index',
  query: noQuery,
  handle: (request: Incoming<undefined, Known>, nova: NovaApi) => ({ metadata: serverOf(request, nova).metadata }),
})

const createMetadata = operation({
  method: 'POST',
  path: '/servers/{server_id}/metadata',
  status: 200,
  errors: [400, 403, 404, 409],
  policy: 'os_compute_api:server-metadata:create',
  body: metadataBody,
  handle: (request: Incoming<Pairs>, nova: NovaApi) => {
    const instance = toChange(request, nova, 'update metadata')
    return { metadata: save(instance, merged(instance.metadata, request.body), nova) }
  },
})

const replaceMetadata = operation({
  method: 'PUT',
  path: '/servers/{server_id}/metadata',
  status: 200,
  errors: [400, 403, 404, 409],
  policy: 'os_compute_api:server-metadata:update_all',
  body: metadataBody,
  handle: (request: Incoming<Pairs>, nova: NovaApi) => ({
    metadata: save(toChange(request, nova, 'update metadata'), request.body, nova),
  }),
})

const showItem = operation({
  method: 'GET',
  path: '/servers/{server_id}/metadata/{key}',
  status: 200,
  errors: [400, 403, 404],
  policy: 'os_compute_api:server-metadata:show',
  query: noQuery,
  handle: (request: Incoming<undefined, Known>, nova: NovaApi) => {
    const key = request.params.key ?? ''
    const { metadata } = serverOf(request, nova)
    if (!Object.hasOwn(metadata, key)) throw notThere()
    return { meta: { [key]: metadata[key] } }
  },
})

const setItem = operation({
  method: 'PUT',
  path: '/servers/{server_id}/metadata/{key}',
  status: 200,
  errors: [400, 403, 404, 409],
  policy: 'os_compute_api:server-metadata:update',
  body: metadataItemBody,
  handle: (request: Incoming<Pairs>, nova: NovaApi) => {
    checkNamedItem(request)
    const instance = toChange(request, nova, 'update metadata')
    save(instance, merged(instance.metadata, request.body), nova)
    return { meta: request.body }
  },
})

const deleteItem = operation({
  method: 'DELETE',
  path: '/servers/{server_id}/metadata/{key}',
  status: 204,
  errors: [403, 404, 409],
  policy: 'os_compute_api:server-metadata:delete',
  handle: (request: Incoming, nova: NovaApi) => {
    const key = request.params.key ?? ''
    if (!Object.hasOwn(serverOf(request, nova).metadata, key)) throw notThere()
    const { uuid, metadata } = toChange(request, nova, 'delete metadata')
    nova.model.instances.setMetadata(uuid, without(metadata, key))
  },
})

export const serverMetadataOperations = [listMetadata, createMetadata, replaceMetadata, showItem, setItem, deleteItem]
