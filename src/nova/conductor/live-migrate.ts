/**
 * Moves a server to another host while it runs, or while it is paused: a place is found and claimed, the guest is expected
 * there, copied, and goes on there. Until it does it goes on where it was, and there it stays when the move fails or is
 * called off.
 *
 * A migration is `accepted`, `queued` until its source has a turn for it, `preparing` while the destination makes ready,
 * `running` while it is copied, `post-migrating` until the records say so, and then `completed`, `cancelled`, `error` when
 * nothing was copied, or `failed`.
 *
 * @see https://docs.openstack.org/nova/latest/admin/live-migration-usage.html
 */
import { CloudError, conflict, invalid, messageOf } from '../../base/errors.ts'
import { RetryFrom, type StepContext, saga } from '../../base/saga/index.ts'
import type { GuestCopied } from '../compute/index.ts'
import { type Instance, type MigrationStatus, novaConfig } from '../model/index.ts'
import { GuestError, PowerState } from '../virt/index.ts'
import { spawnArgs } from './build.ts'
import { askCancellably, askHost } from './compute-client.ts'
import type { ConductorDeps } from './deps.ts'
import type { Destination } from './destination.ts'
import { type Ending, ended, endedBadly, letGo, told } from './endings.ts'
import { inEvent } from './events.ts'
import type { ActionRule } from './guard.ts'
import { removeLeftover } from './leftovers.ts'
import { hostsThatCannot } from './move.ts'
import { claimDestination, giveBack, settle } from './move-claims.ts'
import { bindPorts } from './ports.ts'

export type LiveWish = {
  /** Asked for by name. */
  host: string | null
  /** The named host is taken whatever the scheduler would say. */
  forced: boolean
  /** Whether disks are copied; `null`: as the hosts need it. */
  copiesDisks: boolean | null
}
export type LiveMigrateInput = LiveWish & { uuid: string; migrationId: number; source: string }
export type AbortInput = { uuid: string; migrationId: number }

export const liveMigrateRule: ActionRule = {
  name: 'os-migrateLive',
  action: 'live-migration',
  phase: 'live_migration_pre',
  vmStates: ['active', 'paused'],
  tasks: [null],
  task: 'migrating',
}
export const forceCompleteRule: ActionRule = { name: 'force_complete', vmStates: ['active'], tasks: ['migrating'], task: 'migrating' }
export const abortRule: ActionRule = {
  name: 'abort live migration',
  action: 'live_migration_cancel',
  phase: 'live_migration_abort',
  vmStates: null,
  tasks: ['migrating'],
  task: 'migrating',
}

/** Not ended yet. */
const open: readonly MigrationStatus[] = ['accepted', 'queued', 'preparing', 'running', 'post-migrating']
type Context = { input: Pick<LiveMigrateInput, 'uuid' | 'source'>; requestId: string | null }
const ending = ({ input: { uuid, source }, requestId }: Context, phase: string): Ending => ({
  uuid,
  requestId,
  host: source,
  phase: `live_migration_${phase}`,
})

/**
 * What the records say before a place is searched.
 * @throws {CloudError} `conflict` when the guest neither runs nor is paused; `invalid` when it cannot be sent there.
 */
export function checkLeave({ model }: Pick<ConductorDeps, 'model'>, instance: Instance, { host, forced }: LiveWish): void {
  const { uuid, powerState } = instance
  const source = instance.host ?? ''
  const mustBeUp = (name: string) => {
    if (!model.hosts.services({ host: name, binary: 'nova-compute' }).some(({ up }) => up))
      throw invalid(`Compute service of ${name} is unavailable at this time.`)
  }
  if (powerState !== PowerState.running && powerState !== PowerState.paused)
    throw conflict(`Instance ${uuid} in power_state ${powerState}. Cannot live migrate while the instance is in this state.`)
  if (host === source) throw invalid(`Unable to migrate instance (${uuid}) to current host (${host}).`)
  mustBeUp(source)
  if (host !== null && forced) mustBeUp(host)
}

/** What its host says. @throws {CloudError} `invalid` when the guest cannot be sent so; `GuestError` when it cannot leave now. */
export async function checkSend(
  { queue }: Pick<ConductorDeps, 'queue'>,
  { uuid, host }: Instance,
  { copiesDisks }: LiveWish,
): Promise<void> {
  const refusal = await askHost(queue, host ?? '', 'checkSend', { uuid, copiesDisks })
  if (refusal !== null) throw invalid(refusal)
}

/** A refusal of the destination, which another host need not share. */
const mayTryElsewhere = (error: unknown): boolean =>
  error instanceof GuestError || (error instanceof CloudError && (error.kind === 'unavailable' || error.kind === 'not-implemented'))

type Running = StepContext<LiveMigrateInput, { readonly destination: Destination }>

/** Expects, copies and receives the guest; tells in which state it goes on. */
async function bringOver(context: Running, deps: ConductorDeps): Promise<PowerState> {
  const { input, outputs, signal } = context
  const { uuid, source, host: named, migrationId, copiesDisks } = input
  const { model, queue } = deps
  const { host } = outputs.destination
  const cancellable = { lane: uuid, signal }
  /** @throws what ends the move before its next part */
  const goOn = (status: MigrationStatus) => {
    signal.throwIfAborted()
    model.migrations.move(migrationId, open, status)
  }
  goOn('preparing')
  const instance = model.instances.get(uuid)
  const spawn = await spawnArgs({ ...instance, imageId: model.extras.rootImage(uuid) ?? instance.imageId }, deps)
  const expect = () => askCancellably(queue, host, 'expectGuest', spawn, cancellable)
  const receive = async (luggage: string) => {
    await askCancellably(queue, host, 'receiveGuest', { spawn, luggage }, cancellable)
    return await askHost(queue, host, 'info', { uuid })
  }
  try {
    const { to } = await inEvent(deps, context, 'compute_pre_live_migration', host, expect)
    goOn('running')
    const { luggage } = await askCancellably(queue, source, 'sendGuest', { uuid, to, copiesDisks }, cancellable)
    goOn('post-migrating')
    const guest = await inEvent(deps, context, 'compute_post_live_migration_at_destination', host, () => receive(luggage))
    return guest?.power ?? PowerState.noState
  } catch (error) {
    const isPreparing = model.migrations.get(migrationId).status === 'preparing'
    if (signal.aborted || named !== null || !isPreparing || !mayTryElsewhere(error)) throw error
    throw new RetryFrom('destination', messageOf(error), { cause: error })
  }
}

/** Where the guest is to go, once it is known that it can leave. */
async function findPlace(context: StepContext<LiveMigrateInput, object>, deps: ConductorDeps): Promise<Destination> {
  const { input, earlier } = context
  const { uuid, migrationId, host, forced, source } = input
  const instance = deps.model.instances.get(uuid)
  checkLeave(deps, instance, input)
  await inEvent(deps, context, 'compute_check_can_live_migrate_source', source, () => checkSend(deps, instance, input))
  const tried = (earlier as Destination[]).map((one) => one.host)
  const excluded = [source, ...tried, ...(await hostsThatCannot(deps, 'liveMigration'))]
  const { uuid: migrationUuid } = deps.model.migrations.get(migrationId)
  return claimDestination(deps, instance, migrationUuid, { flavor: instance.flavor, host, forced, excluded })
}

export const liveMigrateServer = saga<LiveMigrateInput, ConductorDeps>('live-migrate-server/1')
  .step('destination', {
    run: (context, deps) => inEvent(deps, context, 'conductor_live_migrate_instance', deps.host, () => findPlace(context, deps)),
    commit({ input: { migrationId } }, { host, node }, { model }) {
      model.migrations.setDestination(migrationId, { host, node })
      model.migrations.move(migrationId, open, 'queued')
    },
    undo({ input: { uuid, migrationId } }, deps) {
      const instance = deps.model.instances.find(uuid)
      if (instance) giveBack(deps, instance, deps.model.migrations.get(migrationId).uuid)
    },
  })
  .step('guest', {
    async run(context, deps) {
      const { maxConcurrentLiveMigrations } = deps.config.get(novaConfig)
      const endTurn = await deps.liveTurns.take(context.input.source, maxConcurrentLiveMigrations, context.signal)
      try {
        const power = await inEvent(deps, context, 'compute_live_migration', context.input.source, () => bringOver(context, deps))
        return { power }
      } finally {
        endTurn()
      }
    },
    commit(context, { power }, deps) {
      const { uuid, migrationId } = context.input
      const { host, node, zone } = context.outputs.destination
      const { model } = deps
      const change = { host, node, availability_zone: zone, power_state: power, task_state: null, progress: 0 } as const
      model.instances.update(uuid, change, { taskState: ['migrating'] })
      if (!model.migrations.move(migrationId, ['post-migrating'], 'completed'))
        throw conflict(`Live migration ${migrationId} of instance ${uuid} was ended by another hand.`)
      bindPorts(deps, uuid)
      settle(deps, model.migrations.get(migrationId).uuid)
      ended(deps, ending(context, 'post'))
    },
    async undo(context, deps) {
      const { uuid } = context.input
      const host = context.outputs.destination?.host
      if (host === undefined) return
      try {
        // Its ports are plugged where it goes on.
        await inEvent(deps, context, 'compute_rollback_live_migration_at_destination', host, () =>
          askHost(deps.queue, host, 'destroy', { uuid, portIds: [] }, uuid),
        )
      } catch (error) {
        if (!mayTryElsewhere(error)) throw error
        deps.log.warn({ instance: uuid, host, err: error }, `what a server was to find is ended when its host is back: ${messageOf(error)}`)
      }
    },
  })
  .end({
    maxAttempts({ config }) {
      const { migrateMaxRetries } = config.get(novaConfig)
      return migrateMaxRetries < 0 ? Infinity : migrateMaxRetries + 1
    },
    done: ({ input: { uuid, source } }, _outputs, deps) => removeLeftover(deps, uuid, source),
    undone(context, error, deps) {
      const { uuid, migrationId } = context.input
      const { model } = deps
      const hasBegun = ['running', 'post-migrating'].includes(model.migrations.get(migrationId).status)
      model.migrations.move(migrationId, open, context.isSuperseded ? 'cancelled' : hasBegun ? 'failed' : 'error')
      if (context.isSuperseded && model.instances.find(uuid)) told(deps, ending(context, 'rollback'))
      if (!letGo(deps, context, ['migrating'], { progress: 0 })) return
      endedBadly(deps, ending(context, 'rollback'), error)
    },
  })

/** Takes the place of the move, which turns back; its own part is to let go of the server when that has come to its end. */
export const abortLiveMigration = saga<AbortInput, ConductorDeps>('abort-live-migration/1').step('end', {
  async run(context, deps) {
    const host = deps.model.instances.find(context.input.uuid)?.host ?? null
    // The move has turned back before this begins.
    await inEvent(deps, context, 'compute_live_migration_abort', host, () => undefined)
  },
  commit(context, _output, deps) {
    const { input, requestId } = context
    const { uuid, migrationId } = input
    const host = deps.model.instances.find(uuid)?.host
    if (host === undefined) return
    // A move that could not turn back keeps the server.
    if (!open.includes(deps.model.migrations.get(migrationId).status)) letGo(deps, context, ['migrating'], { progress: 0 })
    ended(deps, { uuid, requestId, host, phase: 'live_migration_abort' })
  },
})

/** A host tells how much of a guest it has copied away. */
export function recordCopied({ db, model }: Pick<ConductorDeps, 'db' | 'model'>, { host, uuid, progress }: GuestCopied): void {
  db.transaction(() => {
    const migration = model.migrations.latest(uuid)
    if (migration?.migration_type !== 'live-migration' || migration.status !== 'running' || migration.source_compute !== host) return
    model.migrations.setProgress(migration.id, progress)
    const { total, remaining } = progress.memory
    const percent = total === 0 ? 100 : Math.floor(((total - remaining) * 100) / total)
    model.instances.tryUpdate(uuid, { progress: percent }, { taskState: ['migrating'] })
  })
}
