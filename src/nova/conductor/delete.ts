/**
 * Ends a server in any state. It supersedes whatever runs on the instance, and it only goes forward: what a dead
 * hypervisor keeps is left to the reaper, which ends it when the host is back.
 */

import { messageOf } from '../../base/errors.ts'
import { saga } from '../../base/saga/index.ts'
import type { Instance } from '../model/index.ts'
import { GuestError } from '../virt/index.ts'
import { askHost } from './compute-client.ts'
import type { ConductorDeps } from './deps.ts'
import { inEvent } from './events.ts'
import { recordFailure } from './faults.ts'
import { settleForDeletion } from './move-ends.ts'
import { notify } from './notifications.ts'
import { releasePorts } from './ports.ts'

export type DeleteInput = { uuid: string }

/** A server that is deleted has no way back to its old size, though its deletion may fail. */
async function confirmAtHome({ queue, log }: ConductorDeps, uuid: string, host: string): Promise<void> {
  try {
    await askHost(queue, host, 'confirmResize', { uuid })
  } catch (error) {
    log.warn({ instance: uuid, host, err: error }, `deleted without being confirmed: ${messageOf(error)}`)
  }
}

async function endGuest(deps: ConductorDeps, { uuid, vmState, ports }: Instance, host: string): Promise<void> {
  if (vmState === 'resized') await confirmAtHome(deps, uuid, host)
  try {
    await askHost(deps.queue, host, 'destroy', { uuid, portIds: ports.map(({ portId }) => portId) })
  } catch (error) {
    if (!(error instanceof GuestError) || error.reason !== 'host-down') throw error
    deps.log.warn(
      { instance: uuid, host, err: error },
      `deleted while its host is down; the guest is ended when it is back: ${messageOf(error)}`,
    )
  }
}

export const deleteServer = saga<DeleteInput, ConductorDeps>('delete-server/1')
  .step('guest', {
    async run(context, deps) {
      const { input } = context
      const { model, images } = deps
      const instance = model.instances.find(input.uuid)
      const { shelved_image_id: shelvedImage } = model.instances.systemMetadata(input.uuid)
      if (shelvedImage) await images.remove(shelvedImage)
      if (!instance?.host) return { host: null }
      const { host } = instance
      await inEvent(deps, context, 'compute_terminate_instance', host, () => endGuest(deps, instance, host))
      return { host }
    },
    commit({ input, requestId }, _output, deps) {
      const { model, placement, queue, db } = deps
      const instance = model.instances.find(input.uuid)
      settleForDeletion(deps, input.uuid)
      releasePorts(deps, input.uuid)
      placement.release(input.uuid)
      if (requestId !== null) model.actions.finish(input.uuid, requestId)
      // What was asked for meanwhile finds no server any more.
      model.actions.supersede(input.uuid)
      model.instances.remove(input.uuid)
      if (instance) db.afterCommit(() => notify(queue, 'delete.end', instance, { requestId }))
    },
  })
  .end({
    undone({ input, requestId }, error, deps) {
      const { model, queue, db } = deps
      if (!model.instances.tryUpdate(input.uuid, { vm_state: 'error', task_state: null })) return
      settleForDeletion(deps, input.uuid)
      const instance = model.instances.get(input.uuid)
      const { message } = recordFailure(deps, { uuid: input.uuid, requestId, host: instance.host }, error)
      db.afterCommit(() => notify(queue, 'delete.error', instance, { requestId, fault: message }))
    },
  })
