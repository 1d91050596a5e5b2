/**
 * Shelving: the guest is powered off and its root disk becomes an image; offloaded, it leaves its host with its room there,
 * while ports and addresses stay. Unshelved, it starts where it is or is made anew from the image, on any host.
 */
import { CloudError, conflict, messageOf } from '../../base/errors.ts'
import { RetryFrom, saga } from '../../base/saga/index.ts'
import type { RequestSpec, TaskState, VmState } from '../model/index.ts'
import { type Selection, schedulerConfig } from '../scheduler/index.ts'
import { GuestError, PowerState } from '../virt/index.ts'
import { graceMs, spawnArgs } from './build.ts'
import { askCancellably, askHost } from './compute-client.ts'
import type { ConductorDeps } from './deps.ts'
import { type Ending, ended, endedBadly, letGo } from './endings.ts'
import { eventOf, inEvent } from './events.ts'
import type { ActionRule } from './guard.ts'
import { unlessGone } from './leftovers.ts'
import { bindPorts, readPorts } from './ports.ts'
import { fillImage } from './snapshot.ts'

export type ShelveInput = { uuid: string; host: string; imageId: string; was: VmState /** It leaves its host at once. */; offload: boolean }
export type OffloadInput = { uuid: string; host: string }
export type UnshelveInput = {
  uuid: string /** Where it still is; `null` when it was offloaded. */
  host: string | null
  imageId: string | null
  spec: RequestSpec
}

const vmStates = ['active', 'stopped', 'paused', 'suspended'] as const
export const shelveRule: ActionRule = { name: 'shelve', vmStates, tasks: [null], task: 'shelving' }
export const offloadRule: ActionRule = {
  name: 'shelveOffload',
  vmStates: ['shelved'],
  tasks: [null],
  task: 'shelving_offloading',
}
export const unshelveRule: ActionRule = {
  name: 'unshelve',
  vmStates: ['shelved', 'shelved_offloaded'],
  tasks: [null],
  task: 'unshelving',
  mayLackHost: true,
}

const shelving: readonly TaskState[] = ['shelving', 'shelving_image_pending_upload', 'shelving_image_uploading', 'shelving_offloading']
const unshelving: readonly TaskState[] = ['unshelving', 'spawning']
/** In which it keeps what it has in memory. */
const usualPower: Partial<Record<VmState, PowerState>> = { paused: PowerState.paused, suspended: PowerState.suspended }
type Context = { input: { uuid: string; host: string | null }; requestId: string | null }
type Phase = 'shelve' | 'shelve_offload' | 'unshelve'
const ending = ({ input: { uuid, host }, requestId }: Context, phase: Phase): Ending => ({
  uuid,
  requestId,
  host,
  phase,
})

/** The guest ends, ports stay the server's. */
async function leaveHost({ model, queue }: ConductorDeps, uuid: string, host: string): Promise<void> {
  const portIds = model.instances.get(uuid).ports.map(({ portId }) => portId)
  await askHost(queue, host, 'destroy', { uuid, portIds }, uuid)
}

export const shelveServer = saga<ShelveInput, ConductorDeps>('shelve-server/1')
  .step('off', {
    run: eventOf(
      'compute_shelve_instance',
      async ({ input: { uuid, host } }, deps) => {
        await askHost(deps.queue, host, 'power', { uuid, action: 'stop', graceMs: graceMs(deps), portIds: [] }, uuid)
      },
      { staysOpen: true },
    ),
    async undo({ input: { uuid, host, imageId, was } }, { model, queue, images }) {
      await images.remove(imageId)
      if (was !== 'active') {
        const guest = await askHost(queue, host, 'info', { uuid }, uuid)
        if (guest) model.instances.tryUpdate(uuid, { power_state: guest.power })
        return
      }
      const portIds = model.instances.get(uuid).ports.map(({ portId }) => portId)
      await unlessGone(() => askHost(queue, host, 'power', { uuid, action: 'start', graceMs: 0, portIds }, uuid))
    },
  })
  .step('image', {
    run: eventOf('compute_shelve_instance', async ({ input: { uuid, host, imageId }, signal }, deps) => {
      await fillImage({ uuid, host, imageId, signal }, deps)
    }),
    commit(context, _output, deps) {
      const { uuid, host, imageId, offload } = context.input
      const { model, clock } = deps
      const change = { task_state: offload ? 'shelving_offloading' : null, vm_state: 'shelved', power_state: PowerState.shutdown } as const
      model.instances.update(uuid, change, { taskState: shelving })
      model.instances.setSystemMetadata(uuid, { shelved_at: clock.text(), shelved_image_id: imageId, shelved_host: host })
      ended(deps, ending(context, 'shelve'))
    },
  })
  .end({
    done({ input: { uuid, host, offload } }, _outputs, { sagas, model }) {
      if (offload && model.instances.find(uuid)?.taskState === 'shelving_offloading')
        void sagas.start(offloadServer, { uuid, host }, { key: uuid })
    },
    undone(context, error, deps) {
      const { uuid, was } = context.input
      const power = deps.model.instances.find(uuid)?.powerState
      // What a paused or suspended guest had in memory went when it was powered off, if it was.
      const isAsItWas = was === 'active' || power === usualPower[was]
      deps.model.instances.tryUpdate(uuid, { vm_state: isAsItWas ? was : 'stopped' }, { vmState: [was] })
      if (letGo(deps, context, shelving)) endedBadly(deps, ending(context, 'shelve'), error)
    },
  })

export const offloadServer = saga<OffloadInput, ConductorDeps>('offload-server/1')
  .step('guest', {
    run: eventOf('compute_shelve_offload_instance', ({ input: { uuid, host } }, deps) => leaveHost(deps, uuid, host)),
    commit(context, _output, deps) {
      const { uuid } = context.input
      // Whatever has taken its place is told that the guest is gone.
      const place = { vm_state: 'shelved_offloaded', power_state: PowerState.shutdown, host: null, node: null } as const
      if (!deps.model.instances.tryUpdate(uuid, place)) return
      deps.placement.release(uuid)
      if (letGo(deps, context, shelving)) ended(deps, ending(context, 'shelve_offload'))
    },
    oneWay: true,
  })
  .end({
    undone(context, error, deps) {
      if (letGo(deps, context, shelving)) endedBadly(deps, ending(context, 'shelve_offload'), error)
    },
  })

/** Beside what is done to the server next: whoever supersedes that does not end this, and neither does a restart. */
export const removeShelvedImage = saga<{ imageId: string }, ConductorDeps>('remove-shelved-image/1').step('image', {
  async run({ input: { imageId } }, { images }) {
    await images.remove(imageId)
  },
})

export const unshelveServer = saga<UnshelveInput, ConductorDeps>('unshelve-server/1')
  .step('host', {
    async run(context, deps): Promise<Pick<Selection, 'host' | 'node' | 'zone'>> {
      const { uuid, host, spec, imageId } = context.input
      const { model, images, scheduler } = deps
      const instance = model.instances.get(uuid)
      if (host !== null) return { host, node: instance.node ?? '', zone: instance.availabilityZone ?? '' }
      if (imageId !== null)
        await inEvent(deps, context, 'get_image_info', deps.host, () => {
          if (!images.get(imageId, null)) throw conflict(`Unshelve attempted but the image ${imageId} cannot be found.`)
        })
      const { projectId, userId, flavor, imageProperties } = instance
      const ignoreHosts = (context.earlier as Selection[]).map((one) => one.host)
      return await inEvent(deps, context, 'schedule_instances', deps.host, () =>
        scheduler.select({ instanceUuid: uuid, projectId, userId, flavor, spec, imageProperties, ignoreHosts }),
      )
    },
    commit({ input: { uuid, host: before } }, { host, node, zone }, deps) {
      if (before !== null) return
      const change = { host, node, availability_zone: zone, task_state: 'spawning' } as const
      deps.model.instances.update(uuid, change, { taskState: unshelving })
      bindPorts(deps, uuid)
    },
    undo({ input: { uuid, host } }, { db, model, placement }) {
      if (host !== null) return
      db.transaction(() => {
        placement.release(uuid)
        // Who supersedes this has set a task of its own, and finds the server without a host again.
        model.instances.tryUpdate(uuid, { host: null, node: null }, { vmState: ['shelved_offloaded'] })
        model.instances.tryUpdate(uuid, { task_state: 'unshelving' }, { taskState: unshelving })
      })
    },
  })
  .step('guest', {
    async run(context, deps) {
      const { input, outputs, signal } = context
      const { uuid, host: before, imageId } = input
      const { host } = outputs.host
      const instance = deps.model.instances.get(uuid)
      if (before !== null) {
        const portIds = instance.ports.map(({ portId }) => portId)
        await inEvent(deps, context, 'compute_start_instance', host, () =>
          askHost(deps.queue, host, 'power', { uuid, action: 'start', graceMs: 0, portIds }, uuid),
        )
        return
      }
      try {
        await inEvent(deps, context, 'compute_unshelve_instance', host, async () => {
          const args = await spawnArgs({ ...instance, imageId: imageId ?? instance.imageId }, deps)
          await askCancellably(deps.queue, host, 'spawn', args, { lane: uuid, signal })
        })
      } catch (error) {
        const mayTryElsewhere = error instanceof GuestError || (error instanceof CloudError && error.kind === 'unavailable')
        if (signal.aborted || !mayTryElsewhere) throw error
        throw new RetryFrom('host', messageOf(error), { cause: error })
      }
    },
    commit(context, _output, deps) {
      const { uuid, host: before, imageId } = context.input
      const launched_at = deps.clock.text()
      const change = { vm_state: 'active', task_state: null, power_state: PowerState.running, launched_at } as const
      deps.model.instances.update(uuid, change, { taskState: unshelving })
      if (before === null && imageId !== null) deps.model.extras.setRootImage(uuid, imageId)
      deps.model.instances.setPorts(uuid, readPorts(deps, uuid, deps.model.instances.get(uuid).ports))
      deps.model.instances.setSystemMetadata(uuid, { shelved_at: null, shelved_image_id: null, shelved_host: null })
      ended(deps, ending(context, 'unshelve'))
    },
    async undo({ input: { uuid, host: before }, outputs }, deps) {
      const host = outputs.host?.host
      if (host === undefined) return
      if (before === null) await leaveHost(deps, uuid, host)
      else {
        const stop = { uuid, action: 'stop', graceMs: graceMs(deps), portIds: [] } as const
        await unlessGone(() => askHost(deps.queue, host, 'power', stop, uuid))
      }
    },
  })
  .end({
    maxAttempts: ({ config }) => config.get(schedulerConfig).maxAttempts,
    done({ input: { imageId }, requestId }, _outputs, { sagas }) {
      if (imageId !== null) void sagas.start(removeShelvedImage, { imageId }, { key: imageId, requestId })
    },
    undone(context, error, deps) {
      if (letGo(deps, context, unshelving)) endedBadly(deps, ending(context, 'unshelve'), error)
    },
  })
