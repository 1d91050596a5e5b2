/** How an action ends: the server let go, its record, and the word to listeners, in one transaction. */
import type { InstanceChange, TaskState } from '../model/index.ts'
import type { ConductorDeps } from './deps.ts'
import { recordFailure } from './faults.ts'
import { notify } from './notifications.ts'

export type Ending = {
  uuid: string
  requestId: string | null
  /** Where it fails, when it does. */
  host: string | null
  /** How notifications name what happens: `rescue`. */
  phase: string
}

/**
 * Lets go of the server, with what has become of it, unless another has taken it over: then its task is not this work's to end,
 * even if it is of the same name.
 * @returns whether it was this work's.
 */
export function letGo(
  { model }: Pick<ConductorDeps, 'model'>,
  { input: { uuid }, isSuperseded }: { readonly input: { readonly uuid: string }; readonly isSuperseded: boolean },
  tasks: readonly (TaskState | null)[],
  change: InstanceChange = {},
): boolean {
  return !isSuperseded && model.instances.tryUpdate(uuid, { ...change, task_state: null }, { taskState: tasks })
}

export function ended(deps: ConductorDeps, ending: Ending): void {
  const { uuid, requestId } = ending
  if (requestId !== null) deps.model.actions.finish(uuid, requestId)
  told(deps, ending)
}

/** As {@link ended}, of an action that has its end already. */
export function told({ model, db, queue }: ConductorDeps, { uuid, requestId, phase }: Ending): void {
  const instance = model.instances.get(uuid)
  db.afterCommit(() => notify(queue, `${phase}.end`, instance, { requestId }))
}

export function endedBadly(deps: ConductorDeps, ending: Ending, error: Error): void {
  const { model, db, queue } = deps
  const { uuid, requestId, phase } = ending
  const { message } = recordFailure(deps, ending, error)
  const instance = model.instances.get(uuid)
  db.afterCommit(() => notify(queue, `${phase}.error`, instance, { requestId, fault: message }))
}
