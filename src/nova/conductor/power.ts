/**
 * Stop, start, reboot, pause, unpause, suspend, resume: one step each, durable like the long ones, so that a crash in the
 * middle ends in a truthful state.
 */
import { saga } from '../../base/saga/index.ts'
import type { PowerAction } from '../compute/index.ts'
import type { VmState } from '../model/index.ts'
import { PowerState } from '../virt/index.ts'
import { graceMs } from './build.ts'
import { askHost, orAborted } from './compute-client.ts'
import type { ConductorDeps } from './deps.ts'
import { recordFailure } from './faults.ts'
import { powerRules } from './guard.ts'
import { notify } from './notifications.ts'

export type PowerInput = { uuid: string; action: PowerAction; host: string }

const usualPower: Partial<Record<VmState, PowerState>> = {
  active: PowerState.running,
  stopped: PowerState.shutdown,
  paused: PowerState.paused,
  suspended: PowerState.shutdown,
}

/** `powering-off` → `power_off`: how notifications name what happens. */
const phases: Record<PowerAction, string> = {
  start: 'power_on',
  stop: 'power_off',
  pause: 'pause',
  unpause: 'unpause',
  suspend: 'suspend',
  resume: 'resume',
  'reboot-soft': 'reboot',
  'reboot-hard': 'reboot',
}
const eventOf = (action: PowerAction): string => `compute_${powerRules[action].name}_instance`

export const powerServer = saga<PowerInput, ConductorDeps>('power-server/1')
  .step('guest', {
    async run({ input: { uuid, action, host }, signal }, deps) {
      const portIds = deps.model.instances.get(uuid).ports.map(({ portId }) => portId)
      const lane = action === 'reboot-hard' ? undefined : uuid
      const info = await orAborted(askHost(deps.queue, host, 'power', { uuid, action, graceMs: graceMs(deps), portIds }, lane), signal)
      return { power: info?.power ?? null }
    },
    commit({ input: { uuid, action, host }, requestId }, { power }, deps) {
      const { model, db, queue, clock } = deps
      const { ends, task } = powerRules[action]
      const change = { vm_state: ends, task_state: null, power_state: power ?? usualPower[ends] ?? PowerState.noState }
      if (isSuperseded(uuid, requestId, deps) || !model.instances.tryUpdate(uuid, change, { taskState: [task] })) return
      if (requestId !== null) {
        model.actions.event(uuid, requestId, { event: eventOf(action), startTime: clock.text(), host })
        model.actions.finish(uuid, requestId)
      }
      const instance = model.instances.get(uuid)
      db.afterCommit(() => notify(queue, `${phases[action]}.end`, instance, { requestId }))
    },
  })
  .end({
    undone({ input: { uuid, action, host }, requestId }, error, deps) {
      const { model, db, queue } = deps
      if (isSuperseded(uuid, requestId, deps)) return
      if (!model.instances.tryUpdate(uuid, { task_state: null }, { taskState: [powerRules[action].task] })) return
      const { message } = recordFailure(deps, uuid, requestId, error, { event: eventOf(action), startTime: deps.clock.text(), host })
      const instance = model.instances.get(uuid)
      db.afterCommit(() => notify(queue, `${phases[action]}.error`, instance, { requestId, fault: message }))
    },
  })

/** A hard reboot that takes another's place has its task too: then the task is not this one's to end. */
const isSuperseded = (uuid: string, requestId: string | null, { model }: ConductorDeps): boolean =>
  requestId !== null && (model.actions.find(uuid, requestId)?.finishTime ?? null) !== null
