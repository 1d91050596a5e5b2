/** How a failed step is told: to the user by the instance's fault and action, to the operator by the event. */
import { CloudError } from '../../base/errors.ts'
import { NoValidHost } from '../model/index.ts'
import { GuestError } from '../virt/index.ts'
import type { ConductorDeps } from './deps.ts'

export type Failure = { code: number; message: string; details: string }

/** What the user is told: our own sentences as they are, a hypervisor's trouble without its particulars. */
export function failureOf(error: Error): Failure {
  if (error instanceof NoValidHost) return { code: 500, message: error.message, details: error.details() }
  if (error instanceof CloudError) return { code: 500, message: error.message, details: error.stack ?? error.message }
  const cause = error.cause instanceof Error ? error.cause : error
  if (cause instanceof GuestError)
    return { code: 500, message: guestSentences[cause.reason], details: `${cause.message}\n${cause.stack ?? ''}` }
  return {
    code: 500,
    message: 'An unexpected error prevented the server from being changed. See the instance action for the request id.',
    details: error.stack ?? error.message,
  }
}

const guestSentences: Record<GuestError['reason'], string> = {
  'not-found': 'The guest is gone from its host.',
  'wrong-state': 'The guest is not in the state that this needs.',
  'no-resources': 'The host has not enough free resources for the guest.',
  'host-down': "The host's hypervisor does not answer.",
  failed: 'The hypervisor could not do it.',
}

/** Ends an action as failed, in the transaction of the saga's end; `host`: where it failed. */
export function recordFailure(
  { model }: ConductorDeps,
  { uuid, requestId, host }: { uuid: string; requestId: string | null; host: string | null },
  error: Error,
): Failure {
  const failure = failureOf(error)
  model.instances.addFault(uuid, { ...failure, host })
  if (requestId !== null) model.actions.finish(uuid, requestId, 'Error')
  return failure
}
