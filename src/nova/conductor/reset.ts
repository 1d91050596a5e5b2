/**
 * An administrator's word on a server in work, which holds once what worked on it has turned back. Until then the server keeps the
 * task: one hand at a time. Where nothing is left of a guest, the word that it is active would be untrue.
 */
import { CloudError } from '../../base/errors.ts'
import { saga } from '../../base/saga/index.ts'
import type { InstanceChange, VmState } from '../model/index.ts'
import { GuestError, type GuestInfo, PowerState } from '../virt/index.ts'
import { askHost } from './compute-client.ts'
import type { ConductorDeps } from './deps.ts'
import { failureOf } from './faults.ts'
import { verdict } from './power-sync.ts'

export type ResetState = Extract<VmState, 'active' | 'error'>
export type ResetInput = { uuid: string; vmState: ResetState }

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
    else if (guest !== null) {
      const found = verdict({ vmState, powerState: instance.powerState, taskState: null }, guest)
      change(found.kind === 'record' ? { vm_state: found.vmState, power_state: found.powerState } : { vm_state: vmState })
    } else if (instance.vmState === 'shelved_offloaded') change(vmState === 'error' ? { vm_state: vmState } : {})
    else {
      change({ vm_state: 'error', power_state: PowerState.noState })
      const gone = new GuestError(uuid, 'not-found', `the state of instance ${uuid} was reset while its guest was made`)
      model.instances.addFault(uuid, { ...failureOf(gone), host: instance.host })
    }
  },
})
