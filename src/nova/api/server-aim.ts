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
 * A server that the caller does not see is missed before anything is said of policies. One that is deleted is the handler's to judge.
 * @throws {CloudError} `not-found`.
 */
function owner({ params, context }: Incoming, { model }: NovaApi): Target {
  const id = params.server_id ?? ''
  const instance = model.instances.find(id, viewerOf(context))
  if (!instance) {
    const { projectId, userId } = model.instances.get(id, viewerOf(context), { deleted: true })
    return { projectId, userId }
  }
  atHand.set(context, instance)
  queueMicrotask(() => atHand.delete(context))
  return { projectId: instance.projectId, userId: instance.userId }
}

/** An operation on a server asks its policy about that server. */
export const aimed = (operation: AnyOperation<NovaApi>): AnyOperation<NovaApi> =>
  operation.policy && !operation.target && operation.path.includes('/{server_id}') ? { ...operation, target: owner } : operation
