/**
 * What a policy on a server is asked about: the server's project and user, so that a rule such as `user_id:%(user_id)s`
 * means the server's owner. The row that is read for that is the one that the handler is about to ask for.
 */
import type { AnyOperation, Incoming, RequestContext, Target } from '../../base/http/index.ts'
import type { Instance } from '../model/index.ts'
import { type NovaApi, viewerOf } from './deps.ts'

const atHand = new WeakMap<RequestContext, Instance>()

/** The row that the policy was asked about, once, and only until the handler first waits for something. */
export function takeAtHand(context: RequestContext, uuid: string): Instance | null {
  const found = atHand.get(context)
  atHand.delete(context)
  return found?.uuid === uuid ? found : null
}

/**
 * A server that the caller does not see is missed before anything is said of policies.
 * @throws {CloudError} `not-found`.
 */
const owner =
  (deleted: boolean) =>
  ({ params, context }: Incoming, { model }: NovaApi): Target => {
    const instance = model.instances.get(params.server_id ?? '', viewerOf(context), { deleted })
    atHand.set(context, instance)
    queueMicrotask(() => atHand.delete(context))
    return { projectId: instance.projectId, userId: instance.userId }
  }

/** What was asked of a server outlives it. */
const outlives = (path: string): boolean => path.startsWith('/servers/{server_id}/os-instance-actions')

/** An operation on a server asks its policy about that server. */
export const aimed = (operation: AnyOperation<NovaApi>): AnyOperation<NovaApi> =>
  operation.policy && !operation.target && operation.path.includes('/{server_id}')
    ? { ...operation, target: owner(outlives(operation.path)) }
    : operation
