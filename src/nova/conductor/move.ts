/**
 * Another size for a server, another host, or both: `resize` and the cold `migrate`. The guest as it was is kept (on its host
 * beside the new one, or off on the host that it left) until the move is confirmed or reverted. A move that fails leaves the
 * server as it was.
 *
 * A resize stays on its host if it may and there is room, which spares copying disks; placement then keeps the larger of each
 * resource for it. Between hosts the room is held as in `move-claims.ts`.
 */
import { CloudError, messageOf } from '../../base/errors.ts'
import { RetryFrom, saga } from '../../base/saga/index.ts'
import type { Capability } from '../compute/index.ts'
import {
  type Flavor,
  type Instance,
  type Migration,
  NoValidHost,
  novaConfig,
  resourcesOf,
  type TaskState,
  type VmState,
} from '../model/index.ts'
import { schedulerConfig } from '../scheduler/index.ts'
import { GuestError, PowerState } from '../virt/index.ts'
import { graceMs, spawnArgs } from './build.ts'
import { askCancellably, askHost } from './compute-client.ts'
import type { ConductorDeps } from './deps.ts'
import { type Destination, pickDestination } from './destination.ts'
import { ended, endedBadly, letGo } from './endings.ts'
import { inEvent } from './events.ts'
import type { ActionRule } from './guard.ts'
import { unlessDown, unlessGone } from './leftovers.ts'
import { claimDestination, claimOnHost, giveBack } from './move-claims.ts'
import { bindPorts } from './ports.ts'

export type MoveInput = {
  uuid: string
  migrationId: number
  /** Where it stood, and stands again when this fails. */
  was: VmState
  /** Asked for by name. */
  host: string | null
}

const states = { vmStates: ['active', 'stopped'], tasks: [null], task: 'resize_prep' } as const
export const resizeRule: ActionRule = { name: 'resize', ...states }
export const migrateRule: ActionRule = { name: 'migrate', ...states }

const tasks: readonly TaskState[] = ['resize_prep', 'resize_migrating', 'resize_migrated', 'resize_finish']
const ending = ({ input: { uuid }, requestId }: { input: MoveInput; requestId: string | null }, host: string | null) => ({
  uuid,
  requestId,
  host,
  phase: 'resize',
})

/** In the transaction that begins a move: the new flavor beside the current one. @throws {CloudError} `over-quota`. */
export function holdNewFlavor({ model }: Pick<ConductorDeps, 'model'>, { uuid, projectId, userId, flavor }: Instance, next: Flavor): void {
  model.quotas.demand(projectId, { instances: 0, cores: next.vcpus - flavor.vcpus, ram: next.memoryMib - flavor.memoryMib }, userId)
  model.extras.setFlavors(uuid, { current: flavor, old: null, new: next })
}

export const staysOnHost = ({ source_compute, dest_compute }: Migration): boolean => source_compute === dest_compute

/** Hosts whose hypervisor cannot do it; one that does not answer is one of them. */
export async function hostsThatCannot({ model, queue }: ConductorDeps, capability: Capability): Promise<string[]> {
  const hosts = [...new Set(model.hosts.nodes().map(({ host }) => host))]
  const found = await Promise.all(
    hosts.map(async (host) => {
      const capabilities = await askHost(queue, host, 'capabilities', {}).catch(() => null)
      return capabilities?.includes(capability) ? [] : [host]
    }),
  )
  return found.flat()
}

/** The server's own host, when the new flavor fits there beside what others have. @throws {NoValidHost} */
function claimAtHome(deps: ConductorDeps, instance: Instance, next: Flavor): Destination {
  const current = resourcesOf(instance.flavor)
  return deps.db.transaction(() => {
    deps.placement.release(instance.uuid)
    const home = pickDestination(deps, instance, { flavor: next, host: instance.host, node: instance.node, excluded: [] })
    claimOnHost(deps, instance, larger(current, resourcesOf(next)))
    return home
  })
}

function larger(one: Record<string, number>, other: Record<string, number>): Record<string, number> {
  const names = [...new Set([...Object.keys(one), ...Object.keys(other)])]
  return Object.fromEntries(names.map((name) => [name, Math.max(one[name] ?? 0, other[name] ?? 0)]))
}

/** @throws {NoValidHost} with each host's reason, the own host's too where it was tried. */
async function findRoom(
  deps: ConductorDeps,
  instance: Instance,
  { migration, next, host, tried }: { migration: Migration; next: Flavor; host: string | null; tried: readonly string[] },
): Promise<Destination> {
  const home = instance.host ?? ''
  const mayStay = migration.migration_type === 'resize' && deps.config.get(novaConfig).allowResizeToSameHost && !tried.includes(home)
  const atHome = mayStay ? attempt(() => claimAtHome(deps, instance, next)) : null
  if (atHome !== null && !(atHome instanceof NoValidHost)) return atHome
  const immobile = await hostsThatCannot(deps, 'moves')
  const excluded = immobile.includes(home) ? deps.model.hosts.nodes().map((node) => node.host) : [home, ...tried, ...immobile]
  const elsewhere = attempt(() => claimDestination(deps, instance, migration.uuid, { flavor: next, host, excluded }))
  if (!(elsewhere instanceof NoValidHost)) return elsewhere
  if (atHome === null) throw elsewhere
  const rejections = [
    ...atHome.rejections.filter((rejection) => rejection.host === home),
    ...elsewhere.rejections.filter((rejection) => rejection.host !== home),
  ]
  throw new NoValidHost(rejections, atHome.hint)
}

function attempt<T>(work: () => T): T | NoValidHost {
  try {
    return work()
  } catch (error) {
    if (error instanceof NoValidHost) return error
    throw error
  }
}

/** A refusal of the destination, which another host need not share. */
const mayTryElsewhere = (error: unknown): boolean =>
  error instanceof GuestError || (error instanceof CloudError && error.kind === 'unavailable')

export const moveServer = saga<MoveInput, ConductorDeps>('move-server/1')
  .step('destination', {
    async run(context, deps): Promise<Destination> {
      const { uuid, migrationId, host } = context.input
      const { current, new: next } = deps.model.extras.flavors(uuid)
      const tried = (context.earlier as Destination[]).map((one) => one.host)
      const migration = deps.model.migrations.get(migrationId)
      const find = () => findRoom(deps, deps.model.instances.get(uuid), { migration, next: next ?? current, host, tried })
      return await inEvent(deps, context, 'conductor_migrate_server', deps.host, () =>
        inEvent(deps, context, 'cold_migrate', deps.host, find),
      )
    },
    commit(context, { host, node }, { model }) {
      const { uuid, migrationId } = context.input
      model.migrations.setDestination(migrationId, { host, node })
      model.migrations.move(migrationId, ['pre-migrating'], 'migrating')
      model.instances.tryUpdate(uuid, { task_state: 'resize_migrating' }, { taskState: tasks })
    },
    undo({ input: { uuid, migrationId } }, deps) {
      const instance = deps.model.instances.find(uuid)
      if (!instance) return
      const { uuid: migrationUuid } = deps.model.migrations.get(migrationId)
      if (deps.placement.allocationsOf(migrationUuid).length > 0) giveBack(deps, instance, migrationUuid)
      else claimOnHost(deps, instance, resourcesOf(deps.model.extras.flavors(uuid).current))
      deps.model.migrations.move(migrationId, ['migrating', 'post-migrating'], 'pre-migrating')
    },
  })
  .step('guest', {
    async run(context, deps) {
      const { input, outputs, signal } = context
      const { uuid, migrationId, was } = input
      const { model, queue } = deps
      const instance = model.instances.get(uuid)
      const source = instance.host ?? ''
      const { host } = outputs.destination
      const { current, new: next } = model.extras.flavors(uuid)
      const flavored = { ...instance, flavor: next ?? current, imageId: model.extras.rootImage(uuid) ?? instance.imageId }
      const spawn = await inEvent(deps, context, 'compute_prep_resize', host, () => spawnArgs(flavored, deps))
      const start = was === 'active'
      const leave = async () => {
        if (host === source) {
          await askCancellably(queue, host, 'resize', { ...spawn, start }, { lane: uuid, signal })
          return null
        }
        if (start) await askHost(queue, source, 'power', { uuid, action: 'stop', graceMs: graceMs(deps), portIds: [] }, uuid)
        const { luggage } = await askCancellably(queue, source, 'depart', { uuid }, { lane: uuid, signal })
        deps.db.transaction(() => {
          model.migrations.move(migrationId, ['migrating'], 'post-migrating')
          model.instances.tryUpdate(uuid, { task_state: 'resize_finish' }, { taskState: tasks })
        })
        return { luggage }
      }
      const departed = await inEvent(deps, context, 'compute_resize_instance', source, leave)
      const arrive = async () => {
        if (departed) await askCancellably(queue, host, 'arrive', { spawn, ...departed, start }, { lane: uuid, signal })
        return await askHost(queue, host, 'info', { uuid })
      }
      try {
        const guest = await inEvent(deps, context, 'compute_finish_resize', host, arrive)
        return { power: guest?.power ?? PowerState.noState }
      } catch (error) {
        if (signal.aborted || input.host !== null || !departed || !mayTryElsewhere(error)) throw error
        throw new RetryFrom('destination', messageOf(error), { cause: error })
      }
    },
    commit(context, { power }, deps) {
      const { model, clock } = deps
      const { uuid, migrationId, was } = context.input
      const { host, node, zone } = context.outputs.destination
      const source = model.instances.get(uuid).host
      const state = { vm_state: 'resized', task_state: null, power_state: power, launched_at: clock.text() } as const
      const place = host === source ? {} : { host, node, availability_zone: zone }
      model.instances.update(uuid, { ...state, ...place }, { taskState: tasks })
      if (host !== source) bindPorts(deps, uuid)
      const { current, new: next } = model.extras.flavors(uuid)
      if (next) model.extras.setFlavors(uuid, { current: next, old: current, new: null })
      model.instances.setSystemMetadata(uuid, { old_vm_state: was })
      model.migrations.move(migrationId, ['migrating', 'post-migrating'], 'finished')
      ended(deps, ending(context, host))
    },
    async undo({ input: { uuid, was }, outputs }, deps) {
      const { model, queue } = deps
      const destination = outputs.destination?.host
      const instance = model.instances.find(uuid)
      if (!instance?.host || destination === undefined) return
      const { host } = instance
      const start = was === 'active'
      if (destination === host) {
        await unlessGone(() => askHost(queue, host, 'revertResize', { uuid, start }, uuid))
        return
      }
      await unlessDown(deps, uuid, destination, () => askHost(queue, destination, 'destroy', { uuid, portIds: [] }, uuid))
      const portIds = instance.ports.map(({ portId }) => portId)
      const power = { uuid, action: 'start', graceMs: 0, portIds } as const
      if (start) await unlessDown(deps, uuid, host, () => unlessGone(() => askHost(queue, host, 'power', power, uuid)))
    },
  })
  .end({
    maxAttempts: ({ config }) => config.get(schedulerConfig).maxAttempts,
    undone(context, error, deps) {
      const { uuid, migrationId } = context.input
      deps.model.migrations.move(migrationId, ['pre-migrating', 'migrating', 'post-migrating'], 'error')
      const instance = deps.model.instances.find(uuid)
      if (!instance) return
      const { current } = deps.model.extras.flavors(uuid)
      deps.model.extras.setFlavors(uuid, { current, old: null, new: null })
      if (letGo(deps, context, tasks)) endedBadly(deps, ending(context, instance.host), error)
    },
  })
