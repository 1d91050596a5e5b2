/**
 * A server whose host is lost is built again on another, from its image, with its name, ports and addresses. Until the lost
 * host is back, the server holds room there too; then what is left of it there goes and the evacuation is complete.
 *
 * @see https://docs.openstack.org/nova/latest/admin/evacuate.html
 */
import { CloudError, messageOf } from '../../base/errors.ts'
import { RetryFrom, saga } from '../../base/saga/index.ts'
import type { TaskState } from '../model/index.ts'
import { schedulerConfig } from '../scheduler/index.ts'
import { GuestError, PowerState } from '../virt/index.ts'
import { spawnArgs } from './build.ts'
import { askCancellably, askHost } from './compute-client.ts'
import type { ConductorDeps } from './deps.ts'
import type { Destination } from './destination.ts'
import { ended, endedBadly, letGo } from './endings.ts'
import { inEvent } from './events.ts'
import type { ActionRule } from './guard.ts'
import { unlessDown } from './leftovers.ts'
import { claimEvacuation, dropRoom } from './move-claims.ts'
import { bindPorts } from './ports.ts'

export type EvacuateInput = {
  uuid: string
  /** The lost host. */
  source: string
  migrationId: number
  /** Asked for by name. */
  host: string | null
  /** The named host is taken whatever the scheduler would say. */
  forced: boolean
  /** It is not to run afterwards. */
  stopped: boolean
}

export const evacuateRule: ActionRule = {
  name: 'evacuate',
  vmStates: ['active', 'stopped', 'error'],
  tasks: null,
  task: 'rebuilding',
  checksLock: false,
}

const tasks: readonly TaskState[] = ['rebuilding', 'rebuild_block_device_mapping', 'rebuild_spawning', 'powering-off']
type Context = { input: EvacuateInput; requestId: string | null }
const ending = ({ input: { uuid }, requestId }: Context, host: string | null) => ({
  uuid,
  requestId,
  host,
  phase: 'evacuate',
})

export const evacuateServer = saga<EvacuateInput, ConductorDeps>('evacuate-server/1')
  .step('destination', {
    async run(context, deps): Promise<Destination> {
      const { uuid, source, host, forced } = context.input
      const instance = deps.model.instances.get(uuid)
      const excluded = [source, ...(context.earlier as Destination[]).map((one) => one.host)]
      return await inEvent(deps, context, 'rebuild_server', deps.host, () =>
        claimEvacuation(deps, instance, { flavor: instance.flavor, host, forced, excluded }),
      )
    },
    commit({ input: { uuid, migrationId } }, { host, node }, { model }) {
      model.migrations.setDestination(migrationId, { host, node })
      model.migrations.move(migrationId, ['accepted'], 'pre-migrating')
      model.instances.tryUpdate(uuid, { task_state: 'rebuild_block_device_mapping' }, { taskState: tasks })
    },
    undo({ input: { uuid, source, migrationId } }, deps) {
      const instance = deps.model.instances.find(uuid)
      const kept = new Set(deps.model.hosts.nodes().flatMap((node) => (node.host === source ? [node.uuid] : [])))
      const claimed = deps.placement.allocationsOf(uuid).flatMap(({ providerUuid }) => (kept.has(providerUuid) ? [] : [providerUuid]))
      if (instance && claimed.length > 0) dropRoom(deps, instance, claimed)
      deps.model.migrations.move(migrationId, ['pre-migrating'], 'accepted')
    },
  })
  .step('guest', {
    run: (context, deps) =>
      inEvent(deps, context, 'compute_rebuild_instance', context.outputs.destination.host, async () => {
        const { input, outputs, signal } = context
        const { uuid, stopped } = input
        const { host } = outputs.destination
        const { model, queue } = deps
        const instance = model.instances.get(uuid)
        const args = await spawnArgs(instance, deps)
        model.instances.tryUpdate(uuid, { task_state: 'rebuild_spawning' }, { taskState: tasks })
        try {
          await askCancellably(queue, host, 'spawn', args, { lane: uuid, signal })
        } catch (error) {
          const mayTryElsewhere = error instanceof GuestError || (error instanceof CloudError && error.kind === 'unavailable')
          if (signal.aborted || input.host !== null || !mayTryElsewhere) throw error
          throw new RetryFrom('destination', messageOf(error), { cause: error })
        }
        if (!stopped) return { power: PowerState.running }
        model.instances.tryUpdate(uuid, { task_state: 'powering-off' }, { taskState: tasks })
        await askHost(queue, host, 'power', { uuid, action: 'stop', graceMs: 0, portIds: [] }, uuid)
        return { power: PowerState.shutdown }
      }),
    commit(context, { power }, deps) {
      const { uuid, migrationId, stopped } = context.input
      const { host, node, zone } = context.outputs.destination
      const { model, clock, adminPasswords } = deps
      adminPasswords.delete(uuid)
      const state = { vm_state: stopped ? 'stopped' : 'active', task_state: null, power_state: power, launched_at: clock.text() } as const
      model.instances.update(uuid, { ...state, host, node, availability_zone: zone }, { taskState: tasks })
      bindPorts(deps, uuid)
      model.migrations.move(migrationId, ['pre-migrating'], 'done')
      ended(deps, ending(context, host))
    },
    async undo({ input: { uuid }, outputs }, deps) {
      const host = outputs.destination?.host
      if (host !== undefined) await unlessDown(deps, uuid, host, () => askHost(deps.queue, host, 'destroy', { uuid, portIds: [] }))
    },
  })
  .end({
    maxAttempts: ({ config }) => config.get(schedulerConfig).maxAttempts,
    undone(context, error, deps) {
      const { uuid, migrationId } = context.input
      deps.model.migrations.move(migrationId, ['accepted', 'pre-migrating'], 'error')
      if (!letGo(deps, context, tasks, { vm_state: 'error' })) return
      deps.adminPasswords.delete(uuid)
      endedBadly(deps, ending(context, null), error)
    },
  })
