/** How an action ends: its event, its record, and the word to listeners, in the transaction that changes the instance. */
import type { ConductorDeps } from './deps.ts'
import { recordFailure } from './faults.ts'
import { notify } from './notifications.ts'

export type Ending = {
  uuid: string
  requestId: string | null
  /** How the instance action names its one step: `compute_rescue_instance`. */
  event: string
  host: string | null
  /** How notifications name what happens: `rescue`. */
  phase: string
}

export function ended(deps: ConductorDeps, { uuid, requestId, event, host, phase }: Ending): void {
  const { model, db, queue, clock } = deps
  if (requestId !== null) {
    model.actions.event(uuid, requestId, { event, startTime: clock.text(), host })
    model.actions.finish(uuid, requestId)
  }
  const instance = model.instances.get(uuid)
  db.afterCommit(() => notify(queue, `${phase}.end`, instance, { requestId }))
}

export function endedBadly(deps: ConductorDeps, { uuid, requestId, event, host, phase }: Ending, error: Error): void {
  const { model, db, queue, clock } = deps
  const { message } = recordFailure(deps, uuid, requestId, error, { event, startTime: clock.text(), host })
  const instance = model.instances.get(uuid)
  db.afterCommit(() => notify(queue, `${phase}.error`, instance, { requestId, fault: message }))
}
