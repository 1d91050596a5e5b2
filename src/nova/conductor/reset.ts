/**
 * An administrator's word on a server in work, which holds once what worked on it has turned back. Until then the server keeps the
 * task: one hand at a time. That it is active is said of no guest that is off or paused by then, nor where no guest is left.
 */
import { CloudError } from '../../base/errors.ts'
import { saga } from '../../base/saga/index.ts'
import type { Instance, InstanceChange, VmState } from '../model/index.ts'
import { GuestError, type GuestInfo, PowerState } from '../virt/index.ts'
import { askHost } from './compute-client.ts'
import type { ConductorDeps } from './deps.ts'
import { failureOf } from './faults.ts'
import { isBeingDeleted } from './guard.ts'

/** How long a reset waits for what works on the server to turn back. */
const patienceMs = 5_000

export type ResetState = Extract<VmState, 'active' | 'error'>
export type ResetInput = { uuid: string; vmState: ResetState }

/** What an active server is by its guest's power, when what changed that had no way back. */
const stands: Partial<Record<PowerState, VmState>> = {
  [PowerState.paused]: 'paused',
  [PowerState.suspended]: 'suspended',
  [PowerState.shutdown]: 'stopped',
  [PowerState.crashed]: 'stopped',
}

/** What its host says of the guest, after all that it was told before; `unknown` when it does not answer. */
type Found = { guest: GuestInfo | null | 'unknown' }

export const resetServer = saga<ResetInput, ConductorDeps>('reset-server/1').step('state', {
  async run({ input: { uuid } }, { model, queue }): Promise<Found> {
    const host = model.instances.find(uuid)?.host ?? null
    if (host === null) return { guest: null }
    try {
      return { guest: await askHost(queue, host, 'info', { uuid }, uuid) }
    } catch (error) {
      if (error instanceof GuestError || error instanceof CloudError) return { guest: 'unknown' }
      throw error
    }
  },
  commit({ input: { uuid, vmState } }, { guest }, deps) {
    const { model } = deps
    const instance = model.instances.find(uuid)
    if (!instance) return
    const change = (columns: InstanceChange) => model.instances.update(uuid, { task_state: null, progress: 0, ...columns })
    if (guest === 'unknown') change({ vm_state: vmState })
    else if (guest !== null)
      change({ vm_state: vmState === 'error' ? vmState : (stands[guest.power] ?? vmState), power_state: guest.power })
    else if (instance.vmState === 'shelved_offloaded') change(vmState === 'error' ? { vm_state: vmState } : {})
    else {
      change({ vm_state: 'error', power_state: PowerState.noState })
      const gone = new GuestError(uuid, 'not-found', `the state of instance ${uuid} was reset while its guest was made`)
      model.instances.addFault(uuid, { ...failureOf(gone), host: instance.host })
    }
  },
})

/** Takes a server out of the hands of all that works on it, in the caller's transaction: it turns back, and what was asked for has ended. */
export function takeOver({ model, sagas, adminPasswords }: Pick<ConductorDeps, 'model' | 'sagas' | 'adminPasswords'>, uuid: string): void {
  model.actions.supersede(uuid)
  sagas.supersede(uuid)
  adminPasswords.delete(uuid)
}

/** @see Conductor.reset @throws {CloudError} `not-found` when the server is gone. */
export async function resetState(deps: ConductorDeps, { uuid }: Pick<Instance, 'uuid'>, vmState: ResetState): Promise<void> {
  const { db, model, sagas, clock } = deps
  const outcome = db.transaction(() => {
    const instance = model.instances.get(uuid)
    const isBusy = sagas.busy(uuid)
    if (isBusy && isBeingDeleted(instance)) return null
    if (isBusy && instance.taskState !== null) {
      takeOver(deps, uuid)
      return sagas.start(resetServer, { uuid, vmState }, { key: uuid })
    }
    if (!isBusy) takeOver(deps, uuid)
    model.instances.update(uuid, { vm_state: vmState, task_state: null })
    return null
  })
  if (outcome === null) return
  const enough = new AbortController()
  await Promise.race([outcome, clock.sleep(patienceMs, enough.signal).catch(() => undefined)])
  enough.abort()
}
