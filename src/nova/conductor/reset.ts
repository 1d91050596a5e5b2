/**
 * An administrator's word on a server in work, which holds once what worked on it has turned back. Until then the server keeps the
 * task: one hand at a time. That it is active is said of no guest that is off or paused by then, nor where no guest is left.
 */
import { CloudError } from '../../base/errors.ts'
import { saga } from '../../base/saga/index.ts'
import type { InstanceChange, VmState } from '../model/index.ts'
import { GuestError, type GuestInfo, PowerState } from '../virt/index.ts'
import { askHost } from './compute-client.ts'
import type { ConductorDeps } from './deps.ts'
import { failureOf } from './faults.ts'

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
