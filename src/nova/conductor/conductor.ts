/**
 * The conductor: durable work on servers, and the only way from compute to the database.
 *
 * Every public call does its checks and writes its rows in one transaction; the work itself is a saga that begins when
 * the transaction has committed.
 *
 * @see https://docs.openstack.org/nova/latest/user/conductor.html
 */
import { randomBytes } from 'node:crypto'
import type { Timer } from '../../base/clock.ts'
import { CloudError, messageOf } from '../../base/errors.ts'
import { type GuestChanged, guestChanged, type HostReport, hostConnected, hostReported, type PowerAction } from '../compute/index.ts'
import { type Instance, type NewInstance, novaConfig } from '../model/index.ts'
import type { ConsoleEndpoint, ConsoleType } from '../virt/index.ts'
import { buildServer, type InjectedFile } from './build.ts'
import { askHost } from './compute-client.ts'
import { conductorConfig } from './config.ts'
import { deleteServer } from './delete.ts'
import type { ConductorDeps } from './deps.ts'
import { type Caller, checkLaunched, checkLock, checkState, hostOf, powerRules } from './guard.ts'
import { recordHost } from './host-report.ts'
import { notify } from './notifications.ts'
import type { RequestedNic } from './ports.ts'
import { powerServer } from './power.ts'
import { syncPower } from './power-sync.ts'
import { reconcileHost, refreshPorts } from './reconcile.ts'

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

const controlServices = [
  ['nova-scheduler', 'scheduler'],
  ['nova-conductor', 'conductor'],
] as const

export class Conductor implements AsyncDisposable {
  readonly #deps: ConductorDeps
  /** The name under which the control plane's own services report. */
  readonly #host: string
  readonly #ends: (() => void)[] = []
  #timers: Timer[] = []

  constructor(deps: ConductorDeps, { host }: { host: string }) {
    this.#deps = deps
    this.#host = host
    for (const definition of [buildServer, deleteServer, powerServer]) deps.sagas.register(definition as typeof buildServer, deps)
  }

  /** Listens to hosts; called before they report. */
  start(): void {
    const { queue } = this.#deps
    this.#ends.push(
      queue.subscribe(hostReported, ({ payload }) => recordHost(this.#deps, payload as HostReport)),
      queue.subscribe(guestChanged, ({ payload }) => void this.#guestChanged(payload as GuestChanged)),
      queue.subscribe(hostConnected, ({ payload }) => void this.reconcile((payload as { host: string }).host, { resumeGuests: false })),
      queue.subscribe('network.changed', ({ payload }) => this.#portsChanged(payload as { deviceId?: string | null })),
    )
    this.#reportControlServices()
  }

  /** Takes up unfinished work and compares every host with its records; afterwards on a timer. */
  async recover(): Promise<void> {
    const { sagas, config, model } = this.#deps
    const { resumeGuestsStateOnHostBoot, syncPowerStateInterval } = config.get(novaConfig)
    const { managerInterval } = config.get(conductorConfig)
    sagas.resume()
    this.#releaseForgotten()
    for (const { host } of model.hosts.nodes()) await this.reconcile(host, { resumeGuests: resumeGuestsStateOnHostBoot })
    if (syncPowerStateInterval > 0) this.#every(syncPowerStateInterval * 1000, () => this.#reconcileAll())
    if (managerInterval > 0) this.#every(managerInterval * 1000, () => this.#collectImages())
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const timer of this.#timers) timer.cancel()
    for (const end of this.#ends.splice(0)) end()
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

  /** @throws {CloudError} `conflict` when the server's state, task or lock forbids it, or another request was faster. */
  power(instance: Instance, action: PowerAction, caller: Caller): void {
    const { db, model, sagas, queue } = this.#deps
    const rule = powerRules[action]
    checkLock(instance, caller)
    checkState(instance, rule.name, rule.vmStates, rule.tasks)
    checkLaunched(instance, rule.name)
    const host = hostOf(instance)
    db.transaction(() => {
      model.instances.update(instance.uuid, { task_state: rule.task }, { vmState: rule.vmStates, taskState: rule.tasks })
      model.actions.begin(rule.name, instance.uuid, caller)
      void sagas.start(
        powerServer,
        { uuid: instance.uuid, action, host },
        { key: instance.uuid, requestId: caller.requestId, supersedes: action === 'reboot-hard' },
      )
    })
    notify(queue, `${rule.name}.start`, instance, caller)
  }

  /** The serial log's last lines. @throws {CloudError} `conflict` before the server has a host. */
  async consoleOutput(instance: Instance, lines: number | null): Promise<string> {
    return await askHost(this.#deps.queue, hostOf(instance), 'consoleOutput', { uuid: instance.uuid, lines })
  }

  async console(instance: Instance, type: ConsoleType): Promise<ConsoleEndpoint> {
    return await askHost(this.#deps.queue, hostOf(instance), 'console', { uuid: instance.uuid, type })
  }

  async consoleTypes(instance: Instance): Promise<readonly ConsoleType[]> {
    return await askHost(this.#deps.queue, hostOf(instance), 'consoleTypes', {})
  }

  /** Compares one host with its records; a host that does not answer is left for the next time. */
  async reconcile(host: string, { resumeGuests }: { resumeGuests: boolean }): Promise<void> {
    try {
      await reconcileHost(this.#deps, host, { resumeGuests, powerOff: (instance) => this.#powerOff(instance) })
    } catch (error) {
      this.#deps.log.warn({ host, err: error }, `host not reconciled: ${messageOf(error)}`)
    }
  }

  /** Bases of images that no server was made from go, once they have been unused for long enough. */
  async #collectImages(): Promise<void> {
    const { model, images, log } = this.#deps
    const inUse = new Set(
      model.instances
        .onHost(null)
        .flatMap(({ imageId, kernelId, ramdiskId }) => [imageId, kernelId, ramdiskId].filter((id) => id !== null)),
    )
    const removed = await images.collectGarbage(inUse)
    if (removed.length > 0) log.info({ images: removed }, 'removed unused bases of images')
  }

  async #reconcileAll(): Promise<void> {
    for (const { host } of this.#deps.model.hosts.nodes()) await this.reconcile(host, { resumeGuests: false })
  }

  /** A task that no unfinished saga works on would stay for ever: the server is told apart from one in work. */
  #releaseForgotten(): void {
    const { model, sagas, db } = this.#deps
    db.transaction(() => {
      for (const instance of model.instances.list('WHERE i.deleted = 0 AND i.task_state IS NOT NULL', {})) {
        if (sagas.busy(instance.uuid)) continue
        const isBuilding = instance.vmState === 'building'
        model.instances.tryUpdate(instance.uuid, { task_state: null, ...(isBuilding ? { vm_state: 'error' as const } : {}) })
      }
    })
  }

  async #guestChanged({ host, uuid }: GuestChanged): Promise<void> {
    const { model, sagas, queue, log } = this.#deps
    try {
      const instance = model.instances.find(uuid)
      if (!instance || instance.taskState !== null || sagas.busy(uuid)) return
      const guest = await askHost(queue, host, 'info', { uuid })
      const now = model.instances.find(uuid)
      if (now && !sagas.busy(uuid)) syncPower(this.#deps, now, guest, (found) => this.#powerOff(found))
    } catch (error) {
      log.warn({ host, instance: uuid, err: error }, `power state not read: ${messageOf(error)}`)
    }
  }

  #powerOff(instance: Instance): void {
    try {
      const { uuid } = instance
      const { model, sagas, db } = this.#deps
      db.transaction(() => {
        model.instances.update(uuid, { task_state: 'powering-off' }, { vmState: ['stopped'], taskState: [null] })
        void sagas.start(powerServer, { uuid, action: 'stop', host: hostOf(instance) }, { key: uuid })
      })
    } catch (error) {
      if (!(error instanceof CloudError)) throw error
      this.#deps.log.info({ instance: instance.uuid }, `left alone: ${error.message}`)
    }
  }

  #portsChanged({ deviceId }: { deviceId?: string | null }): void {
    if (deviceId && !this.#deps.sagas.busy(deviceId)) refreshPorts(this.#deps, deviceId)
  }

  #reportControlServices(): void {
    const { model, db, config } = this.#deps
    const report = () =>
      db.transaction(() => {
        for (const [binary, topic] of controlServices) model.hosts.reportService(this.#host, binary, topic)
      })
    report()
    this.#every(config.get(novaConfig).reportInterval * 1000, async () => report())
  }

  #every(intervalMs: number, work: () => Promise<void>): void {
    let timer: Timer
    const next = () => {
      this.#timers = this.#timers.filter((other) => other !== timer)
      timer = this.#deps.clock.after(intervalMs, () => {
        work()
          .catch((error: unknown) => this.#deps.log.error({ err: error }, `periodic work failed: ${messageOf(error)}`))
          .finally(next)
      })
      this.#timers.push(timer)
    }
    next()
  }
}
