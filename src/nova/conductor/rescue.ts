/**
 * Rescue: a guest boots another disk, with its own as the second one, until it is unrescued. A rescue that fails leaves the
 * server as it was.
 */
import { saga } from '../../base/saga/index.ts'
import type { VmState } from '../model/index.ts'
import { PowerState } from '../virt/index.ts'
import { driveOf, graceMs } from './build.ts'
import { askCancellably, askHost } from './compute-client.ts'
import type { ConductorDeps } from './deps.ts'
import { ended, endedBadly, letGo } from './endings.ts'
import { eventOf } from './events.ts'
import type { ActionRule } from './guard.ts'
import { unlessGone } from './leftovers.ts'

export type RescueInput = {
  uuid: string
  host: string
  image: { id: string; properties: Readonly<Record<string, string>>; kernelId: string | null; ramdiskId: string | null }
  /** Where it stood, and stands again when this fails. */
  was: VmState
}
export type UnrescueInput = { uuid: string; host: string }

export const rescueRule: ActionRule = { name: 'rescue', vmStates: ['active', 'stopped', 'error'], tasks: [null], task: 'rescuing' }
export const unrescueRule: ActionRule = { name: 'unrescue', vmStates: ['rescued'], tasks: [null], task: 'unrescuing' }

type Context = { input: UnrescueInput; requestId: string | null }
const ending = ({ input: { uuid, host }, requestId }: Context, phase: 'rescue' | 'unrescue') => ({
  uuid,
  requestId,
  host,
  phase,
})

export const rescueServer = saga<RescueInput, ConductorDeps>('rescue-server/1')
  .step('guest', {
    run: eventOf('compute_rescue_instance', async ({ input: { uuid, host, image }, signal }, deps) => {
      const configDrive = await driveOf(deps.model.instances.get(uuid), [], deps)
      const { id: imageId, properties: imageProperties, kernelId, ramdiskId } = image
      const args = { uuid, imageId, imageProperties, kernelId, ramdiskId, configDrive }
      await askCancellably(deps.queue, host, 'rescue', args, { lane: uuid, signal })
    }),
    commit(context, _output, deps) {
      const { uuid, image } = context.input
      deps.adminPasswords.delete(uuid)
      const launched_at = deps.clock.text()
      const change = { vm_state: 'rescued', task_state: null, power_state: PowerState.running, launched_at } as const
      deps.model.instances.update(uuid, change, { taskState: ['rescuing'] })
      deps.model.instances.setSystemMetadata(uuid, {
        rescue_image_id: image.id,
        rescue_kernel_id: image.kernelId,
        rescue_ramdisk_id: image.ramdiskId,
      })
      ended(deps, ending(context, 'rescue'))
    },
    async undo({ input: { uuid, host, was } }, deps) {
      const stop = { uuid, action: 'stop', graceMs: graceMs(deps), portIds: [] } as const
      await unlessGone(async () => {
        await askHost(deps.queue, host, 'unrescue', { uuid }, uuid)
        if (was === 'stopped') await askHost(deps.queue, host, 'power', stop, uuid)
      })
    },
  })
  .end({
    undone(context, error, deps) {
      if (!letGo(deps, context, ['rescuing'])) return
      deps.adminPasswords.delete(context.input.uuid)
      endedBadly(deps, ending(context, 'rescue'), error)
    },
  })

export const unrescueServer = saga<UnrescueInput, ConductorDeps>('unrescue-server/1')
  .step('guest', {
    run: eventOf('compute_unrescue_instance', async ({ input: { uuid, host } }, { queue }) => {
      await askHost(queue, host, 'unrescue', { uuid }, uuid)
    }),
    commit(context, _output, deps) {
      const { uuid } = context.input
      // Whoever took this one's place finds a guest that runs from its own disk.
      if (!deps.model.instances.tryUpdate(uuid, { vm_state: 'active', power_state: PowerState.running })) return
      deps.model.instances.setSystemMetadata(uuid, { rescue_image_id: null, rescue_kernel_id: null, rescue_ramdisk_id: null })
      if (letGo(deps, context, ['unrescuing'])) ended(deps, ending(context, 'unrescue'))
    },
    oneWay: true,
  })
  .end({
    undone(context, error, deps) {
      if (letGo(deps, context, ['unrescuing'])) endedBadly(deps, ending(context, 'unrescue'), error)
    },
  })
