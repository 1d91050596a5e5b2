/**
 * The conductor: durable work on servers, and the only way from compute to the database.
 *
 * Every public call does its checks and writes its rows in one transaction; the work itself is a saga that begins when
 * the transaction has committed.
 *
 * @see https://docs.openstack.org/nova/latest/user/conductor.html
 */
import { randomBytes } from 'node:crypto'
import type { SagaOutcome } from '../../base/saga/index.ts'
import type { ComputeCalls, PowerAction } from '../compute/index.ts'
import type { Instance, NewInstance } from '../model/index.ts'
import type { ConsoleEndpoint, ConsoleType } from '../virt/index.ts'
import { buildServer, type InjectedFile } from './build.ts'
import { askHost } from './compute-client.ts'
import { deleteServer } from './delete.ts'
import type { ConductorDeps } from './deps.ts'
import { type ActionRule, type Caller, checkLock, checkRule, hostOf, powerRules } from './guard.ts'
import { notify } from './notifications.ts'
import type { RequestedNic } from './ports.ts'
import { powerServer } from './power.ts'
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
const serverSagas = [buildServer, deleteServer, powerServer]

/** A saga to begin, with what else its first transaction writes. */
export type Work<Input> = {
  saga: { name: string }
  input: Input
  /** Ends what runs on the instance first. */
  supersedes?: boolean
  rows?: () => void
}

export class Conductor implements AsyncDisposable {
  readonly watch: HostWatch
  readonly #deps: ConductorDeps

  constructor(deps: ConductorDeps, { host }: { host: string }) {
    this.#deps = deps
    this.watch = new HostWatch(deps, { host })
    for (const definition of serverSagas) deps.sagas.register(definition as typeof buildServer, deps)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.watch[Symbol.asyncDispose]()
  }

  /**
   * Makes the rows of `count` servers and sets their builds going.
   * @throws {CloudError} `over-quota`; then there is no row at all.
   */
  build(request: BuildRequest, caller: Caller): { uuids: string[]; reservationId: string } {
    const { db, model, sagas, queue, adminPasswords } = this.#deps
    const { server, nics, securityGroupIds, imageProperties, personality = [], adminPass } = request
    const reservationId = `r-${randomBytes(5).toString('hex').slice(0, 8)}`
    const owner = { projectId: caller.projectId ?? '', userId: caller.userId ?? '' }
    const uuids = db.transaction(() => {
      const count = model.quotas.fitting(
        owner.projectId,
        { instances: 1, cores: server.flavor.vcpus, ram: server.flavor.memoryMib },
        request.minCount,
        request.count,
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
   * Deletes in any state; a server that is being deleted already stays so.
   * @throws {CloudError} `conflict` when it is locked.
   */
  delete(instance: Instance, caller: Caller): void {
    const { db, model, sagas, queue } = this.#deps
    checkLock(instance, caller)
    if (instance.taskState === 'deleting' && sagas.busy(instance.uuid)) return
    db.transaction(() => {
      model.instances.update(instance.uuid, { task_state: 'deleting', progress: 0 })
      model.actions.begin('delete', instance.uuid, caller)
      void sagas.start(deleteServer, { uuid: instance.uuid }, { key: instance.uuid, requestId: caller.requestId, supersedes: true })
    })
    notify(queue, 'delete.start', instance, caller)
  }

  /**
   * Begins an action on a server: checks the rule, then writes the task, the action and the saga in one transaction.
   * @throws {CloudError} `conflict` when the server's state, task or lock forbids it, or another request was faster.
   */
  begin<Input>(
    instance: Instance,
    rule: ActionRule,
    caller: Caller,
    { saga, input, supersedes = false, rows }: Work<Input>,
  ): Promise<SagaOutcome> {
    const { db, model, sagas, queue } = this.#deps
    const { uuid } = instance
    checkRule(instance, rule, caller)
    const outcome = db.transaction(() => {
      const expected = { ...(rule.vmStates ? { vmState: rule.vmStates } : {}), ...(rule.tasks ? { taskState: rule.tasks } : {}) }
      model.instances.update(uuid, { task_state: rule.task }, expected)
      model.actions.begin(rule.action ?? rule.name, uuid, caller)
      rows?.()
      return sagas.start(saga, input, { key: uuid, requestId: caller.requestId, supersedes })
    })
    notify(queue, `${rule.action ?? rule.name}.start`, instance, caller)
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

  async consoleTypes(instance: Instance): Promise<readonly ConsoleType[]> {
    return await this.ask(instance, 'consoleTypes', {})
  }
}
