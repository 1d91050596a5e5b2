/**
 * How a resize or cold migration ends: confirmed, and what was kept of the guest as it was goes; or reverted, and the new one
 * does. What is to go on a host that does not answer goes when that host is back.
 */
import { conflict, invalid } from '../../base/errors.ts'
import { saga } from '../../base/saga/index.ts'
import { type Migration, resourcesOf } from '../model/index.ts'
import { GuestError, PowerState } from '../virt/index.ts'
import { graceMs } from './build.ts'
import { askHost } from './compute-client.ts'
import type { ConductorDeps } from './deps.ts'
import { ended, endedBadly, letGo } from './endings.ts'
import { eventOf, inEvent } from './events.ts'
import type { ActionRule } from './guard.ts'
import { removeLeftover, unlessDown, unlessGone } from './leftovers.ts'
import { staysOnHost } from './move.ts'
import { claimOnHost, giveBack, settle } from './move-claims.ts'
import { bindPorts } from './ports.ts'

export type MoveEndInput = { uuid: string; host: string; migrationId: number }

export const confirmResizeRule: ActionRule = { name: 'confirmResize', vmStates: ['resized'], tasks: [null], task: null }
export const revertResizeRule: ActionRule = { name: 'revertResize', vmStates: ['resized'], tasks: [null], task: 'resize_reverting' }

type Context = { input: MoveEndInput; requestId: string | null }
const ending = ({ input: { uuid, host }, requestId }: Context, phase: string) => ({ uuid, requestId, host, phase })

/** The move that waits for its end; in the transaction that begins it. @throws {CloudError} `invalid` when there is none, `conflict` when it is being ended. */
export function takeUp({ model }: Pick<ConductorDeps, 'model'>, uuid: string, to: 'confirming' | 'reverting'): number {
  const migration = model.migrations.latest(uuid)
  if (!migration || !['resize', 'migration'].includes(migration.migration_type)) throw invalid('Instance has not been resized.')
  if (!model.migrations.move(migration.id, ['finished'], to))
    throw conflict(`The resize of instance ${uuid} is being ended by another request.`)
  return migration.id
}

/** A confirmation's record; in the caller's transaction. */
function settleMove(deps: ConductorDeps, uuid: string, migration: Migration): void {
  const { model } = deps
  const { current } = model.extras.flavors(uuid)
  model.extras.setFlavors(uuid, { current, old: null, new: null })
  model.instances.setSystemMetadata(uuid, { old_vm_state: null })
  model.migrations.move(migration.id, ['finished', 'confirming'], 'confirmed')
  const instance = model.instances.get(uuid)
  if (!staysOnHost(migration)) settle(deps, migration.uuid)
  // One that has left its host since (its state was reset, and it was shelved) holds nothing there.
  else if (instance.host !== null) claimOnHost(deps, instance, resourcesOf(current))
}

/**
 * A server that is deleted needs its old self no more: a move that waits is confirmed, and what earlier ones hold that nobody
 * ended is let go of. In the caller's transaction.
 */
export function settleForDeletion(deps: ConductorDeps, uuid: string): void {
  const [migration, ...earlier] = deps.model.migrations.list({ instanceUuid: uuid })
  if (!migration || !deps.model.instances.find(uuid)) return
  if (['finished', 'confirming', 'reverting'].includes(migration.status)) settleMove(deps, uuid, migration)
  for (const move of [migration, ...earlier]) settle(deps, move.uuid)
  const hosts = new Set([migration, ...earlier].flatMap(({ source_compute, dest_compute }) => [source_compute, dest_compute]))
  for (const host of hosts) if (host) removeLeftover(deps, uuid, host)
}

export const confirmResize = saga<MoveEndInput, ConductorDeps>('confirm-resize/1')
  .step('guest', {
    run: eventOf('compute_confirm_resize', async ({ input: { uuid, host, migrationId } }, { model, queue }) => {
      if (staysOnHost(model.migrations.get(migrationId))) await askHost(queue, host, 'confirmResize', { uuid }, uuid)
      const guest = await askHost(queue, host, 'info', { uuid })
      return { power: guest?.power ?? PowerState.noState }
    }),
    commit(context, { power }, deps) {
      const { uuid, migrationId } = context.input
      const change = { vm_state: power === PowerState.running ? 'active' : 'stopped', power_state: power } as const
      if (!deps.model.instances.find(uuid)) return
      // A state that was reset meanwhile stays.
      deps.model.instances.tryUpdate(uuid, change, { vmState: ['resized'] })
      settleMove(deps, uuid, deps.model.migrations.get(migrationId))
      if (!context.isSuperseded) ended(deps, ending(context, 'resize_confirm'))
    },
    oneWay: true,
  })
  .end({
    done({ input: { uuid, migrationId } }, _outputs, deps) {
      const { status, source_compute } = deps.model.migrations.get(migrationId)
      if (status === 'confirmed' && source_compute !== null) removeLeftover(deps, uuid, source_compute)
    },
    undone(context, error, deps) {
      const { uuid, migrationId } = context.input
      deps.model.migrations.move(migrationId, ['confirming'], 'finished')
      if (!context.isSuperseded && deps.model.instances.find(uuid)) endedBadly(deps, ending(context, 'resize_confirm'), error)
    },
  })

/** Whether the guest that comes back is to run. */
const isToRun = ({ model }: Pick<ConductorDeps, 'model'>, uuid: string): boolean =>
  model.instances.systemMetadata(uuid).old_vm_state !== 'stopped'

export const revertResize = saga<MoveEndInput, ConductorDeps>('revert-resize/1')
  .step('guest', {
    async run(context, deps) {
      const { uuid, host, migrationId } = context.input
      const { model, queue } = deps
      const migration = model.migrations.get(migrationId)
      const source = migration.source_compute ?? host
      const start = isToRun(deps, uuid)
      const stays = staysOnHost(migration)
      await inEvent(deps, context, 'compute_revert_resize', host, async () => {
        if (stays) return void (await askHost(queue, host, 'revertResize', { uuid, start }, uuid))
        // Nothing ends here before it is known that the guest can come back there.
        if ((await askHost(queue, source, 'info', { uuid })) === null)
          throw new GuestError(uuid, 'not-found', `guest ${uuid} is not on host ${source}`)
        await askHost(queue, host, 'power', { uuid, action: 'stop', graceMs: graceMs(deps), portIds: [] }, uuid)
      })
      const guest = await inEvent(deps, context, 'compute_finish_revert_resize', source, async () => {
        const portIds = model.instances.get(uuid).ports.map(({ portId }) => portId)
        if (start && !stays) await askHost(queue, source, 'power', { uuid, action: 'start', graceMs: 0, portIds }, uuid)
        return await askHost(queue, source, 'info', { uuid })
      })
      return { power: guest?.power ?? PowerState.noState, start }
    },
    commit(context, { power, start }, deps) {
      const { model, clock } = deps
      const { uuid, migrationId } = context.input
      const migration = model.migrations.get(migrationId)
      const { source_compute: host, source_node: node, uuid: migrationUuid } = migration
      const state = { vm_state: start ? 'active' : 'stopped', power_state: power, launched_at: clock.text() } as const
      const stays = staysOnHost(migration)
      const place = stays ? {} : { host, node, availability_zone: model.hosts.zoneOfHost(host ?? '') }
      // The guest is as it was: who took this one's place finds it so.
      if (!model.instances.tryUpdate(uuid, { ...state, ...place })) return
      const isOurs = letGo(deps, context, ['resize_reverting'])
      const { current, old } = model.extras.flavors(uuid)
      model.extras.setFlavors(uuid, { current: old ?? current, old: null, new: null })
      model.instances.setSystemMetadata(uuid, { old_vm_state: null })
      model.migrations.move(migrationId, ['reverting'], 'reverted')
      const instance = model.instances.get(uuid)
      if (stays) claimOnHost(deps, instance, resourcesOf(old ?? current))
      else {
        bindPorts(deps, uuid)
        giveBack(deps, instance, migrationUuid)
      }
      if (isOurs) ended(deps, ending(context, 'resize_revert'))
    },
    oneWay: true,
    async undo({ input: { uuid, host, migrationId } }, deps) {
      const { model, queue } = deps
      const migration = model.migrations.get(migrationId)
      const instance = model.instances.find(uuid)
      if (!instance || staysOnHost(migration)) return
      const portIds = instance.ports.map(({ portId }) => portId)
      const source = migration.source_compute ?? host
      const stop = { uuid, action: 'stop', graceMs: 0, portIds: [] } as const
      // A host that is down runs nothing, and neither does a guest that is not there.
      if (await askHost(queue, source, 'info', { uuid }).catch(() => null))
        await unlessDown(deps, uuid, source, () => askHost(queue, source, 'power', stop, uuid))
      const start = { uuid, action: 'start', graceMs: 0, portIds } as const
      if (isToRun(deps, uuid)) await unlessGone(() => askHost(queue, host, 'power', start, uuid))
    },
  })
  .end({
    done({ input: { uuid, migrationId } }, _outputs, deps) {
      const { status, dest_compute } = deps.model.migrations.get(migrationId)
      if (status === 'reverted' && dest_compute !== null) removeLeftover(deps, uuid, dest_compute)
    },
    undone(context, error, deps) {
      const { migrationId } = context.input
      deps.model.migrations.move(migrationId, ['reverting'], 'finished')
      if (letGo(deps, context, ['resize_reverting'])) endedBadly(deps, ending(context, 'resize_revert'), error)
    },
  })
