/**
 * Another size for a server, on its host. Both sizes are kept until the new one is confirmed or reverted, and until then
 * placement keeps room for the larger of each resource. A resize that fails leaves the server as it was.
 */
import { CloudError, conflict, invalid, messageOf } from '../../base/errors.ts'
import { saga } from '../../base/saga/index.ts'
import { type Flavor, type Instance, NoValidHost, resourcesOf, type TaskState, type VmState } from '../model/index.ts'
import { PowerState } from '../virt/index.ts'
import { spawnArgs } from './build.ts'
import { askCancellably, askHost } from './compute-client.ts'
import type { ConductorDeps } from './deps.ts'
import { ended, endedBadly } from './endings.ts'
import type { ActionRule } from './guard.ts'

export type ResizeInput = {
  uuid: string
  host: string
  migrationId: number /** Where it stood, and stands again when this fails. */
  was: VmState
}
export type ResizeEndInput = { uuid: string; host: string; migrationId: number }

export const resizeRule: ActionRule = { name: 'resize', vmStates: ['active', 'stopped'], tasks: [null], task: 'resize_prep' }
export const confirmResizeRule: ActionRule = { name: 'confirmResize', vmStates: ['resized'], tasks: [null], task: null }
export const revertResizeRule: ActionRule = { name: 'revertResize', vmStates: ['resized'], tasks: [null], task: 'resize_reverting' }

const tasks: readonly TaskState[] = ['resize_prep', 'resize_migrating', 'resize_migrated', 'resize_finish']
type Context<Input> = { input: Input; requestId: string | null }
const ending = ({ input: { uuid, host }, requestId }: Context<ResizeEndInput>, event: string, phase: string) => ({
  uuid,
  requestId,
  host,
  event: `compute_${event}`,
  phase,
})

/** Claims room on the instance's node. @throws {NoValidHost} when there is not enough. */
function claim({ model, placement }: ConductorDeps, instance: Instance, resources: Record<string, number>): void {
  const node = model.hosts.nodes().find(({ host, hypervisorHostname }) => host === instance.host && hypervisorHostname === instance.node)
  if (!node) throw new NoValidHost([], 'The host of the server is not known any more.')
  const { uuid, projectId, userId } = instance
  try {
    placement.claim({ uuid, projectId, userId, type: 'INSTANCE' }, [{ providerUuid: node.uuid, resources }])
  } catch (error) {
    if (!(error instanceof CloudError) || error.kind !== 'conflict') throw error
    throw new NoValidHost(
      [{ host: node.host, filter: 'Placement', reason: messageOf(error) }],
      'There is not enough free CPU, memory or disk for this flavor on the host of the server.',
    )
  }
}

function larger(one: Record<string, number>, other: Record<string, number>): Record<string, number> {
  const names = [...new Set([...Object.keys(one), ...Object.keys(other)])]
  return Object.fromEntries(names.map((name) => [name, Math.max(one[name] ?? 0, other[name] ?? 0)]))
}

/** In the transaction that begins a resize: the new flavor beside the current one. @throws {CloudError} `over-quota`. */
export function holdNewFlavor({ model }: Pick<ConductorDeps, 'model'>, { uuid, projectId, flavor }: Instance, next: Flavor): void {
  model.quotas.demand(projectId, { instances: 0, cores: next.vcpus - flavor.vcpus, ram: next.memoryMib - flavor.memoryMib })
  model.extras.setFlavors(uuid, { current: flavor, old: null, new: next })
}

export const resizeServer = saga<ResizeInput, ConductorDeps>('resize-server/1')
  .step('claim', {
    run({ input: { uuid } }, deps) {
      const { current, new: next } = deps.model.extras.flavors(uuid)
      claim(deps, deps.model.instances.get(uuid), larger(resourcesOf(current), resourcesOf(next ?? current)))
    },
    commit({ input: { uuid, migrationId } }, _output, { model }) {
      model.migrations.move(migrationId, ['pre-migrating'], 'migrating')
      model.instances.tryUpdate(uuid, { task_state: 'resize_migrating' }, { taskState: tasks })
    },
    undo({ input: { uuid } }, deps) {
      const instance = deps.model.instances.find(uuid)
      if (instance) claim(deps, instance, resourcesOf(deps.model.extras.flavors(uuid).current))
    },
  })
  .step('guest', {
    async run({ input: { uuid, host, was }, signal }, deps) {
      const { model, queue } = deps
      const instance = model.instances.get(uuid)
      const { current, new: next } = model.extras.flavors(uuid)
      const imageProperties = model.instances.keptProperties([uuid]).get(uuid) ?? {}
      const flavored = { ...instance, flavor: next ?? current, imageId: model.extras.rootImage(uuid) ?? instance.imageId }
      const args = await spawnArgs(flavored, { imageProperties }, deps)
      await askCancellably(queue, host, 'resize', { ...args, start: was === 'active' }, { lane: uuid, signal })
      const guest = await askHost(queue, host, 'info', { uuid })
      return { power: guest?.power ?? PowerState.noState }
    },
    commit(context, { power }, deps) {
      const { model, clock } = deps
      const { uuid, migrationId, was } = context.input
      const change = { vm_state: 'resized', task_state: null, power_state: power, launched_at: clock.text() } as const
      if (!model.instances.tryUpdate(uuid, change, { taskState: tasks })) return
      const { current, new: next } = model.extras.flavors(uuid)
      if (next) model.extras.setFlavors(uuid, { current: next, old: current, new: null })
      model.instances.setSystemMetadata(uuid, { old_vm_state: was })
      model.migrations.move(migrationId, ['migrating'], 'finished')
      ended(deps, ending(context, 'finish_resize', 'resize'))
    },
    async undo({ input: { uuid, host, was } }, { queue }) {
      await askHost(queue, host, 'revertResize', { uuid, start: was === 'active' }, uuid)
    },
  })
  .end({
    undone(context, error, deps) {
      const { uuid, migrationId } = context.input
      deps.model.migrations.move(migrationId, ['pre-migrating', 'migrating'], 'error')
      if (!deps.model.instances.find(uuid)) return
      const { current } = deps.model.extras.flavors(uuid)
      deps.model.extras.setFlavors(uuid, { current, old: null, new: null })
      if (deps.model.instances.tryUpdate(uuid, { task_state: null }, { taskState: tasks }))
        endedBadly(deps, ending(context, 'resize_instance', 'resize'), error)
    },
  })

/** The resize that waits for its end; in the transaction that begins it. @throws {CloudError} `invalid` when there is none, `conflict` when it is being ended. */
export function takeUp({ model }: Pick<ConductorDeps, 'model'>, uuid: string, to: 'confirming' | 'reverting'): number {
  const migration = model.migrations.latest(uuid)
  if (!migration || migration.migration_type === 'live-migration') throw invalid('Instance has not been resized.')
  if (!model.migrations.move(migration.id, ['finished'], to))
    throw conflict(`The resize of instance ${uuid} is being ended by another request.`)
  return migration.id
}

export const confirmResize = saga<ResizeEndInput, ConductorDeps>('confirm-resize/1')
  .step('guest', {
    async run({ input: { uuid, host } }, { queue }) {
      await askHost(queue, host, 'confirmResize', { uuid }, uuid)
      const guest = await askHost(queue, host, 'info', { uuid })
      return { power: guest?.power ?? PowerState.noState }
    },
    commit(context, { power }, deps) {
      const { model } = deps
      const { uuid, migrationId } = context.input
      const change = { vm_state: power === PowerState.running ? 'active' : 'stopped', power_state: power } as const
      if (!model.instances.tryUpdate(uuid, change, { vmState: ['resized'], taskState: [null] })) return
      const { current } = model.extras.flavors(uuid)
      model.extras.setFlavors(uuid, { current, old: null, new: null })
      model.instances.setSystemMetadata(uuid, { old_vm_state: null })
      model.migrations.move(migrationId, ['confirming'], 'confirmed')
      claim(deps, model.instances.get(uuid), resourcesOf(current))
      ended(deps, ending(context, 'confirm_resize', 'resize_confirm'))
    },
  })
  .end({
    undone(context, error, deps) {
      const { uuid, migrationId } = context.input
      deps.model.migrations.move(migrationId, ['confirming'], 'finished')
      if (deps.model.instances.find(uuid)) endedBadly(deps, ending(context, 'confirm_resize', 'resize_confirm'), error)
    },
  })

export const revertResize = saga<ResizeEndInput, ConductorDeps>('revert-resize/1')
  .step('guest', {
    async run({ input: { uuid, host } }, { model, queue }) {
      const start = model.instances.systemMetadata(uuid).old_vm_state !== 'stopped'
      await askHost(queue, host, 'revertResize', { uuid, start }, uuid)
      const guest = await askHost(queue, host, 'info', { uuid })
      return { power: guest?.power ?? PowerState.noState, start }
    },
    commit(context, { power, start }, deps) {
      const { model, clock } = deps
      const { uuid, migrationId } = context.input
      const change = { vm_state: start ? 'active' : 'stopped', task_state: null, power_state: power, launched_at: clock.text() } as const
      if (!model.instances.tryUpdate(uuid, change, { taskState: ['resize_reverting'] })) return
      const { current, old } = model.extras.flavors(uuid)
      model.extras.setFlavors(uuid, { current: old ?? current, old: null, new: null })
      model.instances.setSystemMetadata(uuid, { old_vm_state: null })
      model.migrations.move(migrationId, ['reverting'], 'reverted')
      claim(deps, model.instances.get(uuid), resourcesOf(old ?? current))
      ended(deps, ending(context, 'revert_resize', 'resize_revert'))
    },
  })
  .end({
    undone(context, error, deps) {
      const { uuid, migrationId } = context.input
      deps.model.migrations.move(migrationId, ['reverting'], 'finished')
      if (deps.model.instances.tryUpdate(uuid, { task_state: null }, { taskState: ['resize_reverting'] }))
        endedBadly(deps, ending(context, 'revert_resize', 'resize_revert'), error)
    },
  })
