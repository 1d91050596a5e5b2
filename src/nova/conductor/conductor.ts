/**
 * The conductor: durable work on servers, and the only way from compute to the database.
 *
 * Every public call does its checks and writes its rows in one transaction; the work itself is a saga that begins when
 * the transaction has committed.
 *
 * @see https://docs.openstack.org/nova/latest/user/conductor.html
 */
import { randomBytes } from 'node:crypto'
import { CloudError, notImplemented } from '../../base/errors.ts'
import type { SagaOutcome } from '../../base/saga/index.ts'
import { type Capability, type ComputeCalls, capabilityWords, type PowerAction } from '../compute/index.ts'
import { type Instance, type NewInstance, novaConfig } from '../model/index.ts'
import type { ConsoleEndpoint, ConsoleType } from '../virt/index.ts'
import { buildServer, type InjectedFile } from './build.ts'
import { askHost } from './compute-client.ts'
import { deleteServer } from './delete.ts'
import type { ConductorDeps } from './deps.ts'
import { evacuateServer } from './evacuate.ts'
import { type ActionRule, type Caller, checkLock, checkRule, checkState, hostOf, isBeingDeleted, powerRules } from './guard.ts'
import { changePassword, triggerCrashDump } from './inside.ts'
import { attachInterface, detachInterface } from './interfaces.ts'
import { abortLiveMigration, liveMigrateServer } from './live-migrate.ts'
import { LiveMigrations } from './live-requests.ts'
import { moveServer } from './move.ts'
import { confirmResize, revertResize } from './move-ends.ts'
import { notify } from './notifications.ts'
import type { RequestedNic } from './ports.ts'
import { powerServer } from './power.ts'
import { rebuildServer } from './rebuild.ts'
import { rescueServer, unrescueServer } from './rescue.ts'
import { type ResetState, resetServer, resetState, takeOver } from './reset.ts'
import { offloadServer, removeShelvedImage, shelveServer, unshelveServer } from './shelve.ts'
import { snapshotServer } from './snapshot.ts'
import { restoreRule, restoreServer, softDeleteServer } from './soft-delete.ts'
import { HostWatch } from './watch.ts'

export type BuildRequest = {
  server: Omit<NewInstance, 'launchIndex' | 'reservationId' | 'uuid' | 'userId' | 'projectId'>
  /** Servers that are to be, and that must be. */
  count: number
  minCount: number
  /** For the config drive; kept in memory only, and only until the guest is built. */
  adminPass: string
  nics: readonly RequestedNic[]
  securityGroupIds: readonly string[] | null
  imageProperties: Readonly<Record<string, string>>
  /** Files for the config drive. */
  personality?: readonly InjectedFile[]
}

/** Every saga that works on servers; registered with the runner before anything starts. */
const serverSagas: readonly { name: string }[] = [
  buildServer,
  deleteServer,
  powerServer,
  softDeleteServer,
  restoreServer,
  snapshotServer,
  rebuildServer,
  moveServer,
  evacuateServer,
  liveMigrateServer,
  abortLiveMigration,
  confirmResize,
  revertResize,
  rescueServer,
  unrescueServer,
  changePassword,
  triggerCrashDump,
  attachInterface,
  detachInterface,
  shelveServer,
  offloadServer,
  unshelveServer,
  removeShelvedImage,
  resetServer,
]

/** A saga to begin, with what else its first transaction writes. */
export type Work<Input> = {
  saga: { name: string }
  input: Input
  /** Ends what runs on the instance first, unless that deletes it. */
  supersedes?: boolean
  rows?: () => void
  /** A password that a step needs: kept in memory only, and lost when the process ends. */
  secret?: string
}

/** What a host is asked about its own machine. */
export type HostQuestion = { [M in 'hostPower' | 'hostMaintenance']: [M, ComputeCalls[M][0]] }['hostPower' | 'hostMaintenance']

export class Conductor implements AsyncDisposable {
  readonly watch: HostWatch
  readonly live: LiveMigrations
  readonly #deps: ConductorDeps

  constructor(deps: ConductorDeps) {
    this.#deps = deps
    this.watch = new HostWatch(deps)
    this.live = new LiveMigrations(deps, this)
    for (const definition of serverSagas) deps.sagas.register(definition as typeof buildServer, deps)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.watch[Symbol.asyncDispose]()
  }

  /**
   * Makes the rows of `count` servers and sets their builds going.
   * @throws {CloudError} `over-quota`, `invalid` when the server group is gone; then there is no row at all.
   */
  build(request: BuildRequest, caller: Caller): { uuids: string[]; reservationId: string } {
    const { db, model, sagas, queue, adminPasswords } = this.#deps
    const { server, nics, securityGroupIds, imageProperties, personality = [], adminPass } = request
    const reservationId = `r-${randomBytes(5).toString('hex').slice(0, 8)}`
    const { group } = server.spec.schedulerHints
    const owner = { projectId: caller.projectId ?? '', userId: caller.userId ?? '' }
    const uuids = db.transaction(() => {
      const count = model.quotas.fitting(
        owner.projectId,
        { instances: 1, cores: server.flavor.vcpus, ram: server.flavor.memoryMib },
        request.minCount,
        request.count,
        owner.userId,
      )
      return Array.from({ length: count }, (_, i) => {
        const suffix = request.count > 1 ? `-${i + 1}` : ''
        const uuid = model.instances.insert({
          ...server,
          ...owner,
          name: server.name + suffix,
          hostname: server.hostname + suffix,
          launchIndex: i,
          reservationId,
        })
        if (group !== undefined) model.serverGroups.admit(String(group), uuid)
        model.actions.begin('create', uuid, caller)
        adminPasswords.set(uuid, adminPass)
        void sagas.start(
          buildServer,
          { uuid, nics, securityGroupIds, imageProperties, personality },
          { key: uuid, requestId: caller.requestId },
        )
        return uuid
      })
    })
    for (const uuid of uuids) {
      const instance = model.instances.find(uuid)
      if (instance) notify(queue, 'create.start', instance, caller)
    }
    return { uuids, reservationId }
  }

  /**
   * Deletes in any state; a server that is being deleted already stays so. With a reclaim interval, one that has a guest is kept
   * to be restored, unless it is forced.
   * @throws {CloudError} `conflict` when it is locked.
   */
  delete(instance: Instance, caller: Caller, { force = false }: { force?: boolean } = {}): void {
    const { db, model, sagas, queue, config } = this.#deps
    checkLock(instance, caller)
    if (instance.taskState === 'deleting' && sagas.busy(instance.uuid)) return
    if (!force && config.get(novaConfig).reclaimInstanceInterval > 0 && instance.launchedAt !== null && instance.host !== null) {
      this.#deleteSoftly(instance, caller)
      return
    }
    db.transaction(() => {
      model.instances.update(instance.uuid, { task_state: 'deleting', progress: 0 })
      takeOver(this.#deps, instance.uuid)
      model.actions.begin('delete', instance.uuid, caller)
      void sagas.start(deleteServer, { uuid: instance.uuid }, { key: instance.uuid, requestId: caller.requestId })
    })
    notify(queue, 'delete.start', instance, caller)
  }

  #deleteSoftly(instance: Instance, caller: Caller): void {
    if (instance.vmState === 'soft-delete' || instance.taskState === 'soft-deleting') return
    const rule: ActionRule = { name: 'delete', vmStates: null, tasks: null, task: 'soft-deleting' }
    const input = { uuid: instance.uuid, host: instance.host }
    void this.begin(instance, rule, caller, { saga: softDeleteServer, input, supersedes: true })
  }

  /** Takes a soft-deleted server back. @throws {CloudError} `conflict` as {@link begin}, `over-quota`. */
  restore(instance: Instance, caller: Caller): void {
    const { uuid, host, projectId, userId, flavor } = instance
    const rows = () => this.#deps.model.quotas.demand(projectId, { instances: 1, cores: flavor.vcpus, ram: flavor.memoryMib }, userId)
    void this.begin(instance, restoreRule, caller, { saga: restoreServer, input: { uuid, host }, rows })
  }

  /**
   * An administrator says in what state a server is. What holds its task turns back first: then the word holds, and this resolves, or
   * when that takes too long. Work that holds no task goes on, and so does a deletion, which has the last word.
   * @throws {CloudError} `not-found` when it is gone.
   */
  async reset(instance: Instance, vmState: ResetState): Promise<void> {
    await resetState(this.#deps, instance, vmState)
  }

  /** An action that is done at once: its change, its record and its event are one transaction. */
  record(instance: Instance, action: string, caller: Caller, change: () => void): void {
    const { db, model, queue } = this.#deps
    const { uuid, host } = instance
    db.transaction(() => {
      model.actions.begin(action, uuid, caller)
      const event = model.actions.openEvent(uuid, caller.requestId, `api_${action}`, host)
      change()
      if (event !== null) model.actions.closeEvent(event)
      model.actions.finish(uuid, caller.requestId)
    })
    notify(queue, action, model.instances.get(uuid), caller)
  }

  /**
   * Begins an action that only some hypervisors can do.
   * @throws {CloudError} `not-implemented` when the server's host cannot; `conflict` as {@link begin}.
   */
  async beginCapable<Input>(
    instance: Instance,
    rule: ActionRule,
    caller: Caller,
    capability: Capability,
    work: Work<Input>,
  ): Promise<{ outcome: Promise<SagaOutcome> }> {
    checkRule(instance, rule, caller)
    await this.need(instance, capability)
    return { outcome: this.begin(instance, rule, caller, work) }
  }

  /** A host that does not answer is not asked twice: what needs it will say so. @throws {CloudError} `not-implemented`. */
  async need(instance: Instance, capability: Capability): Promise<void> {
    if (instance.host === null) return
    const found = await askHost(this.#deps.queue, instance.host, 'capabilities', {}).catch((error: unknown) => {
      if (error instanceof CloudError && error.kind === 'unavailable') return null
      throw error
    })
    if (found && !found.includes(capability)) throw notImplemented(`The hypervisor of this host cannot ${capabilityWords[capability]}.`)
  }

  /**
   * Begins an action on a server: checks the rule, then writes the task, the action and the saga in one transaction.
   * @throws {CloudError} `conflict` when the server's state, task or lock forbids it, or another request was faster.
   */
  begin<Input>(
    instance: Instance,
    rule: ActionRule,
    caller: Caller,
    { saga, input, supersedes = false, rows, secret }: Work<Input>,
  ): Promise<SagaOutcome> {
    const { db, model, sagas, queue, adminPasswords } = this.#deps
    const { uuid } = instance
    checkRule(instance, rule, caller)
    if (supersedes && isBeingDeleted(instance) && sagas.busy(uuid)) checkState(instance, rule.name, null, [])
    const outcome = db.transaction(() => {
      const expected = { ...(rule.vmStates ? { vmState: rule.vmStates } : {}), ...(rule.tasks ? { taskState: rule.tasks } : {}) }
      model.instances.update(uuid, { task_state: rule.task }, expected)
      if (supersedes) takeOver(this.#deps, uuid)
      model.actions.begin(rule.action ?? rule.name, uuid, caller)
      rows?.()
      if (secret !== undefined) adminPasswords.set(uuid, secret)
      return sagas.start(saga, input, { key: uuid, requestId: caller.requestId })
    })
    notify(queue, `${rule.phase ?? rule.action ?? rule.name}.start`, instance, caller)
    return outcome
  }

  /** @throws {CloudError} `conflict` as {@link begin}. */
  power(instance: Instance, action: PowerAction, caller: Caller): void {
    const rule = powerRules[action]
    checkRule(instance, rule, caller)
    const input = { uuid: instance.uuid, action, host: hostOf(instance) }
    void this.begin(instance, rule, caller, { saga: powerServer, input, supersedes: action === 'reboot-hard' })
  }

  /**
   * Asks the host of a server; it answers beside whatever runs on the instance.
   * @throws {CloudError} `conflict` before the server has a host; what the host throws.
   */
  async ask<M extends keyof ComputeCalls>(instance: Instance, method: M, args: ComputeCalls[M][0]): Promise<ComputeCalls[M][1]> {
    return await askHost(this.#deps.queue, hostOf(instance), method, args)
  }

  /** Where the bytes of a console are. @throws as {@link ask}; `GuestError` when it has none now. */
  async console(instance: Instance, type: ConsoleType): Promise<ConsoleEndpoint> {
    return await this.ask(instance, 'console', { uuid: instance.uuid, type })
  }

  /** Asks a host for something about itself. @throws what the host throws; `unavailable` when nobody serves it. */
  async askHost(host: string, ...[method, args]: HostQuestion): Promise<void> {
    await askHost(this.#deps.queue, host, method, args)
  }

  /** Hosts fetch images before a guest needs them; nobody waits, and what a host cannot fetch is the log's alone. */
  cacheImages(hosts: readonly string[], imageIds: readonly string[]): void {
    const { queue, log } = this.#deps
    for (const host of hosts)
      void askHost(queue, host, 'cacheImages', { imageIds }).catch((error: unknown) =>
        log.warn({ host, err: error }, 'images were not cached'),
      )
  }

  async consoleTypes(instance: Instance): Promise<readonly ConsoleType[]> {
    return await this.ask(instance, 'consoleTypes', {})
  }
}
