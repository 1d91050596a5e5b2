/**
 * File shares of a server. No share service stands beside this cloud, so no share can be found to be attached.
 *
 * @see https://docs.openstack.org/api-ref/compute/#servers-with-shares-attachments-servers-shares
 */
import { notFound } from '../../base/errors.ts'
import { as, bodies, closed, type Incoming, operation, principalOf, type RequestContext, Type } from '../../base/http/index.ts'
import { type ActionRule, checkRule } from '../conductor/index.ts'
import type { Instance, ShareMapping } from '../model/index.ts'
import { callerOf, type NovaApi } from './deps.ts'
import { type Known, knownQuery } from './known-query.ts'
import { serverOf } from './servers.ts'

const listPath = '/servers/{server_id}/shares'
const onePath = `${listPath}/{share_id}`
const since = '2.97'
const policyOf = (name: string) => `os_compute_api:os-server-shares:${name}`
const query = knownQuery({ '2.1': {} }, since)
type Read = Incoming<undefined, Known>

const summary = ({ shareId, status, tag }: ShareMapping) => ({ share_id: shareId, status, tag })
/** Administrators see where the share is. */
const whole = (share: ShareMapping, context: RequestContext) => ({
  ...summary(share),
  ...(principalOf(context).isAdmin ? { export_location: share.exportLocation, uuid: share.uuid } : {}),
})
const noShare = (id: string) => notFound(`Share ${id.slice(0, 255)} could not be found.`)

/** @throws {CloudError} `not-found`. */
function shareOf(request: Pick<Incoming, 'params'>, { uuid }: Instance, { model }: NovaApi): ShareMapping {
  const id = request.params.share_id ?? ''
  const found = model.shares.find(uuid, id)
  if (!found) throw noShare(id)
  return found
}

const listShares = operation({
  method: 'GET',
  path: listPath,
  since,
  status: 200,
  errors: [400, 403, 404],
  policy: policyOf('index'),
  query,
  handle: (request: Read, nova: NovaApi) => ({ shares: nova.model.shares.list(serverOf(request, nova).uuid).map(summary) }),
})

const showShare = operation({
  method: 'GET',
  path: onePath,
  since,
  status: 200,
  errors: [400, 403, 404],
  policy: policyOf('show'),
  query,
  handle: (request: Read, nova: NovaApi) => ({ share: whole(shareOf(request, serverOf(request, nova), nova), request.context) }),
})

const attachRule: ActionRule = { name: 'create share', vmStates: ['stopped'], tasks: [null], task: null }
const detachRule: ActionRule = { name: 'delete share', vmStates: ['stopped', 'error'], tasks: [null], task: null }

const shareBody = Type.Object(
  {
    share: Type.Object(
      {
        share_id: Type.String({ format: 'uuid' }),
        tag: Type.Optional(Type.String({ minLength: 1, maxLength: 255, pattern: '^[a-zA-Z0-9-]*$' })),
      },
      closed,
    ),
  },
  closed,
)

const createShare = operation({
  method: 'POST',
  path: listPath,
  since,
  status: 201,
  errors: [400, 403, 404, 409],
  policy: policyOf('create'),
  body: bodies({ [since]: as(shareBody, ({ share }) => share.share_id) }),
  handle: (request: Incoming<string>, nova: NovaApi): undefined => {
    checkRule(serverOf(request, nova), attachRule, callerOf(request.context))
    throw noShare(request.body)
  },
})

const deleteShare = operation({
  method: 'DELETE',
  path: onePath,
  since,
  status: 200,
  errors: [400, 403, 404, 409],
  policy: policyOf('delete'),
  handle: (request, nova: NovaApi): undefined => {
    const instance = serverOf(request, nova)
    checkRule(instance, detachRule, callerOf(request.context))
    nova.model.shares.remove(shareOf(request, instance, nova))
  },
})

export const serverShareOperations = [listShares, showShare, createShare, deleteShare]
