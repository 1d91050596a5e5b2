/**
 * Deleting for later: with `[DEFAULT] reclaim_instance_interval` a deleted server is powered off and kept until its time is
 * over, and may be restored until then.
 */
import { saga } from '../../base/saga/index.ts'
import { PowerState } from '../virt/index.ts'
import { graceMs } from './build.ts'
import { askHost } from './compute-client.ts'
import type { ConductorDeps } from './deps.ts'
import { type Ending, ended, endedBadly, letGo } from './endings.ts'
import { eventOf } from './events.ts'
import type { ActionRule } from './guard.ts'
import { settleForDeletion } from './move-ends.ts'

export type SoftDeleteInput = { uuid: string; host: string | null }

type Context = { input: SoftDeleteInput; requestId: string | null }
const ending = ({ input: { uuid, host }, requestId }: Context, phase: 'soft_delete' | 'restore'): Ending => ({
  uuid,
  requestId,
  host,
  phase,
})

export const softDeleteServer = saga<SoftDeleteInput, ConductorDeps>('soft-delete-server/1')
  .step('guest', {
    run: eventOf('compute_soft_delete_instance', async ({ input: { uuid } }, deps) => {
      const { host, vmState } = deps.model.instances.get(uuid)
      if (host === null) return { deletedAt: deps.clock.text(), power: PowerState.shutdown }
      // A rebuild that this took the place of has ended it.
      if ((await askHost(deps.queue, host, 'info', { uuid }, uuid)) === null)
        return { deletedAt: deps.clock.text(), power: PowerState.noState }
      // A restored guest starts from its own disk, and there is no way back to its old size.
      if (vmState === 'rescued') await askHost(deps.queue, host, 'unrescue', { uuid }, uuid)
      await askHost(deps.queue, host, 'power', { uuid, action: 'stop', graceMs: graceMs(deps), portIds: [] }, uuid)
      if (vmState === 'resized') await askHost(deps.queue, host, 'confirmResize', { uuid }, uuid)
      return { deletedAt: deps.clock.text(), power: PowerState.shutdown }
    }),
    commit(context, { deletedAt, power }, deps) {
      if (!letGo(deps, context, ['soft-deleting'], { vm_state: 'soft-delete', power_state: power, deleted_at: deletedAt })) return
      settleForDeletion(deps, context.input.uuid)
      ended(deps, ending(context, 'soft_delete'))
    },
  })
  .end({
    undone(context, error, deps) {
      if (letGo(deps, context, ['soft-deleting'])) endedBadly(deps, ending(context, 'soft_delete'), error)
    },
  })

export const restoreRule: ActionRule = { name: 'restore', vmStates: ['soft-delete'], tasks: [null], task: 'restoring', mayLackHost: true }

export const restoreServer = saga<SoftDeleteInput, ConductorDeps>('restore-server/1')
  .step('guest', {
    run: eventOf('compute_restore_instance', async ({ input: { uuid, host } }, { model, queue }) => {
      if (host === null) return { power: null }
      const portIds = model.instances.get(uuid).ports.map(({ portId }) => portId)
      const guest = await askHost(queue, host, 'power', { uuid, action: 'start', graceMs: 0, portIds }, uuid)
      return { power: guest?.power ?? null }
    }),
    commit(context, { power }, deps) {
      const vmState = context.input.host === null ? 'shelved_offloaded' : 'active'
      const change = { vm_state: vmState, power_state: power ?? PowerState.shutdown, deleted_at: null } as const
      if (letGo(deps, context, ['restoring'], change)) ended(deps, ending(context, 'restore'))
    },
  })
  .end({
    undone(context, error, deps) {
      if (letGo(deps, context, ['restoring'])) endedBadly(deps, ending(context, 'restore'), error)
    },
  })
