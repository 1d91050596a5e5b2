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
import { type Ending, ended, endedBadly, letGo } from './endings.ts'
import { eventOf } from './events.ts'
import { powerRules } from './guard.ts'

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
const ending = ({ input: { uuid, action, host }, requestId }: { input: PowerInput; requestId: string | null }): Ending => ({
  uuid,
  requestId,
  host,
  phase: phases[action],
})

const eventName = ({ action }: PowerInput): string => `compute_${powerRules[action].name}_instance`

export const powerServer = saga<PowerInput, ConductorDeps>('power-server/1')
  .step('guest', {
    run: eventOf(eventName, async ({ input: { uuid, action, host }, signal }, deps) => {
      const portIds = deps.model.instances.get(uuid).ports.map(({ portId }) => portId)
      const lane = action === 'reboot-hard' ? undefined : uuid
      const info = await orAborted(askHost(deps.queue, host, 'power', { uuid, action, graceMs: graceMs(deps), portIds }, lane), signal)
      return { power: info?.power ?? null }
    }),
    commit(context, { power }, deps) {
      const { ends, task } = powerRules[context.input.action]
      const change = { vm_state: ends, power_state: power ?? usualPower[ends] ?? PowerState.noState }
      if (letGo(deps, context, [task], change)) ended(deps, ending(context))
    },
  })
  .end({
    undone(context, error, deps) {
      if (letGo(deps, context, [powerRules[context.input.action].task])) endedBadly(deps, ending(context), error)
    },
  })
