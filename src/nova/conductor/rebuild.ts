/**
 * Makes a server's guest anew from an image: name, ports, addresses and host stay, disks begin afresh. What was stopped is
 * stopped afterwards. A rebuild that fails leaves a server in error without a guest, which may be rebuilt again.
 */
import { saga } from '../../base/saga/index.ts'
import type { InstanceChange, TaskState } from '../model/index.ts'
import { PowerState } from '../virt/index.ts'
import { graceMs, type InjectedFile, spawnArgs } from './build.ts'
import { askCancellably, askHost } from './compute-client.ts'
import type { ConductorDeps } from './deps.ts'
import { ended, endedBadly, letGo } from './endings.ts'
import { eventOf } from './events.ts'
import type { ActionRule } from './guard.ts'

export type RebuildInput = {
  uuid: string
  host: string
  imageProperties: Readonly<Record<string, string>>
  personality: readonly InjectedFile[]
  /** It was stopped, and ends so. */
  stopped: boolean
}

/** What becomes of the record; what is not named stays. */
export type RebuildChange = {
  columns: InstanceChange
  imageId: string
  /** The image's properties and the like; what was kept of the image before goes. */
  imageMetadata: Readonly<Record<string, string>>
  metadata?: Readonly<Record<string, string>>
  trustedCerts?: readonly string[] | null
  keypair?: { name: string; publicKey: string; type: string } | null
}

export const rebuildRule: ActionRule = { name: 'rebuild', vmStates: ['active', 'stopped', 'error'], tasks: [null], task: 'rebuilding' }

const tasks: readonly TaskState[] = ['rebuilding', 'rebuild_block_device_mapping', 'rebuild_spawning', 'powering-off']
const endingOf = ({ input: { uuid, host }, requestId }: { input: RebuildInput; requestId: string | null }) => ({
  uuid,
  requestId,
  host,
  phase: 'rebuild',
})

/** In the transaction that begins the rebuild. */
export function changeRecord({ model }: Pick<ConductorDeps, 'model'>, uuid: string, change: RebuildChange): void {
  const before = Object.keys(model.instances.systemMetadata(uuid)).filter((key) => key.startsWith('image_'))
  model.instances.update(uuid, change.columns)
  model.instances.setSystemMetadata(uuid, { ...Object.fromEntries(before.map((key) => [key, null])), ...change.imageMetadata })
  model.extras.setRootImage(uuid, change.imageId)
  if (change.metadata) model.instances.setMetadata(uuid, change.metadata)
  if (change.trustedCerts !== undefined) model.extras.setTrustedCerts(uuid, change.trustedCerts)
  if (change.keypair !== undefined) model.extras.setKeypair(uuid, change.keypair)
}

export const rebuildServer = saga<RebuildInput, ConductorDeps>('rebuild-server/1')
  .step('end', {
    run: eventOf(
      'compute_rebuild_instance',
      async ({ input: { uuid, host } }, { model, queue }) => {
        model.instances.tryUpdate(uuid, { task_state: 'rebuild_block_device_mapping' }, { taskState: ['rebuilding'] })
        await askHost(queue, host, 'destroy', { uuid, portIds: [] }, uuid)
      },
      { staysOpen: true },
    ),
    commit({ input: { uuid } }, _output, { model }) {
      model.instances.tryUpdate(uuid, { task_state: 'rebuild_spawning' }, { taskState: tasks })
    },
  })
  .step('guest', {
    run: eventOf('compute_rebuild_instance', async ({ input, signal }, deps) => {
      const { uuid, host, stopped } = input
      const args = await spawnArgs(deps.model.instances.get(uuid), deps, input)
      await askCancellably(deps.queue, host, 'spawn', args, { lane: uuid, signal })
      if (!stopped) return { power: PowerState.running }
      deps.model.instances.tryUpdate(uuid, { task_state: 'powering-off' }, { taskState: tasks })
      await askHost(deps.queue, host, 'power', { uuid, action: 'stop', graceMs: graceMs(deps), portIds: [] }, uuid)
      return { power: PowerState.shutdown }
    }),
    commit(context, { power }, deps) {
      const { uuid, stopped } = context.input
      deps.adminPasswords.delete(uuid)
      const launched_at = deps.clock.text()
      const change = { vm_state: stopped ? 'stopped' : 'active', power_state: power, launched_at } as const
      if (letGo(deps, context, tasks, change)) ended(deps, endingOf(context))
    },
    async undo({ input: { uuid, host } }, { queue }) {
      await askHost(queue, host, 'destroy', { uuid, portIds: [] })
    },
  })
  .end({
    undone(context, error, deps) {
      if (!letGo(deps, context, tasks, { vm_state: 'error', power_state: PowerState.noState })) return
      deps.adminPasswords.delete(context.input.uuid)
      endedBadly(deps, endingOf(context), error)
    },
  })
