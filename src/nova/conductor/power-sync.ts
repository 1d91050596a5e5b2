/**
 * Power state: what the hypervisor says, against what the record says. Events make it early, a timer makes it certain.
 *
 * A server on which a task runs is left alone; of those whose state does not follow the guest's power, the power alone is recorded.
 */
import type { Instance, VmState } from '../model/index.ts'
import { type GuestInfo, PowerState } from '../virt/index.ts'
import type { ConductorDeps } from './deps.ts'

const followed: ReadonlySet<VmState> = new Set(['active', 'stopped', 'paused', 'suspended'])
/** Whose guest's power is shown and says nothing of their state. */
const shown: ReadonlySet<VmState> = new Set(['rescued', 'resized', 'error'])
const off: ReadonlySet<PowerState> = new Set([PowerState.shutdown, PowerState.crashed, PowerState.suspended])

export type SyncVerdict =
  | { kind: 'none' }
  /** The record follows the guest. */
  | { kind: 'record'; vmState: VmState; powerState: PowerState }
  /** The guest is to follow the record. */
  | { kind: 'power-off' }

/** What is to be done about one server; `null` for a guest that the hypervisor does not know. */
export function verdict(instance: Pick<Instance, 'vmState' | 'powerState' | 'taskState'>, guest: GuestInfo | null): SyncVerdict {
  const { vmState } = instance
  if (instance.taskState !== null || !(followed.has(vmState) || shown.has(vmState))) return { kind: 'none' }
  const power = guest?.power ?? PowerState.noState
  if ((vmState === 'active' || vmState === 'paused') && off.has(power)) return { kind: 'record', vmState: 'stopped', powerState: power }
  if (vmState === 'stopped' && power === PowerState.running) return { kind: 'power-off' }
  return power === instance.powerState ? { kind: 'none' } : { kind: 'record', vmState, powerState: power }
}

/** Brings one server's record, or its guest, into line. */
export function syncPower(
  { model, log }: ConductorDeps,
  instance: Instance,
  guest: GuestInfo | null,
  powerOff: (instance: Instance) => void,
): void {
  const found = verdict(instance, guest)
  if (found.kind === 'none') return
  log.info(
    { instance: instance.uuid, vm_state: instance.vmState, power_state: guest?.power ?? null, verdict: found.kind },
    'power state differs',
  )
  if (found.kind === 'power-off') powerOff(instance)
  else
    model.instances.tryUpdate(
      instance.uuid,
      { vm_state: found.vmState, power_state: found.powerState },
      { vmState: [instance.vmState], taskState: [null] },
    )
}
