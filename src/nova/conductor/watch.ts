/**
 * Watches over hosts: takes their reports, follows their guests, compares both with the records, and does what is done at
 * intervals. Nudged by events to be early, timed to be certain.
 */
import { type Timer, timeText } from '../../base/clock.ts'
import { CloudError, messageOf } from '../../base/errors.ts'
import {
  type GuestChanged,
  type GuestCopied,
  type GuestUploading,
  guestChanged,
  guestCopied,
  guestUploading,
  type HostReport,
  hostConnected,
  hostReported,
} from '../compute/index.ts'
import { type Instance, novaConfig, type TaskState } from '../model/index.ts'
import { askHost } from './compute-client.ts'
import { conductorConfig } from './config.ts'
import { deleteServer } from './delete.ts'
import type { ConductorDeps } from './deps.ts'
import { hostOf } from './guard.ts'
import { recordHost } from './host-report.ts'
import { completeEvacuations } from './leftovers.ts'
import { recordCopied } from './live-migrate.ts'
import { confirmResize } from './move-ends.ts'
import { powerServer } from './power.ts'
import { syncPower } from './power-sync.ts'
import { reconcileHost, refreshPorts } from './reconcile.ts'
import { offloadServer } from './shelve.ts'
import { auditUsage } from './usage-audit.ts'

const controlServices = [
  ['nova-scheduler', 'scheduler'],
  ['nova-conductor', 'conductor'],
] as const

/** What a snapshot's task becomes when its bytes are on their way. */
const uploads: readonly (readonly [TaskState, TaskState])[] = [
  ['image_snapshot', 'image_uploading'],
  ['image_backup', 'image_uploading'],
  ['shelving', 'shelving_image_uploading'],
]

/** Between two searches for resizes that nobody has confirmed. */
const unconfirmedPollMs = 60_000
/** Between two looks for hosts whose usage is to be audited. */
const auditPollMs = 60_000

export class HostWatch implements AsyncDisposable {
  readonly #deps: ConductorDeps
  readonly #ends: (() => void)[] = []
  #timers: Timer[] = []
  /** Guests that changed while a saga was on them: they are looked at when it has ended. */
  readonly #told = new Set<string>()
  /** Hosts whose guests of before are to be started once they answer, which may be long after the start. */
  readonly #toResume = new Set<string>()

  constructor(deps: ConductorDeps) {
    this.#deps = deps
  }

  /** Listens to hosts; called before they report. */
  start(): void {
    const { queue } = this.#deps
    this.#ends.push(
      queue.subscribe(hostReported, ({ payload }) => this.#reported(payload as HostReport)),
      queue.subscribe(guestChanged, ({ payload }) => void this.#guestChanged(payload as GuestChanged)),
      queue.subscribe(guestCopied, ({ payload }) => recordCopied(this.#deps, payload as GuestCopied)),
      queue.subscribe(guestUploading, ({ payload }) => this.#uploading(payload as GuestUploading)),
      queue.subscribe(hostConnected, ({ payload }) => void this.reconcile((payload as { host: string }).host)),
      queue.subscribe('network.changed', ({ payload }) => {
        const { deviceId } = payload as { deviceId?: string | null }
        if (deviceId) this.refreshPorts(deviceId)
      }),
    )
    this.#reportControlServices()
  }

  /** Takes up unfinished work and compares every host with its records; afterwards on a timer. */
  async recover(): Promise<void> {
    const { sagas, config, model } = this.#deps
    const {
      resumeGuestsStateOnHostBoot,
      syncPowerStateInterval,
      reclaimInstanceInterval,
      instanceDeleteInterval,
      resizeConfirmWindow,
      shelvedOffloadTime,
      shelvedPollInterval,
      instanceUsageAudit,
    } = config.get(novaConfig)
    const { managerInterval } = config.get(conductorConfig)
    sagas.resume()
    this.#releaseForgotten()
    this.#lookLater()
    for (const { host } of model.hosts.nodes()) {
      if (resumeGuestsStateOnHostBoot) this.#toResume.add(host)
      await this.reconcile(host)
    }
    if (syncPowerStateInterval > 0) this.#every(syncPowerStateInterval * 1000, () => this.#reconcileAll())
    if (reclaimInstanceInterval > 0) this.#every(instanceDeleteInterval * 1000, async () => this.#reclaim(reclaimInstanceInterval * 1000))
    if (resizeConfirmWindow > 0) this.#every(unconfirmedPollMs, async () => this.#confirmResizes(resizeConfirmWindow * 1000))
    if (shelvedOffloadTime > 0) this.#every(shelvedPollInterval * 1000, async () => this.#offload(shelvedOffloadTime * 1000))
    if (instanceUsageAudit) this.#every(auditPollMs, async () => auditUsage(this.#deps))
    if (managerInterval > 0) this.#every(managerInterval * 1000, () => this.#collectImages())
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const timer of this.#timers) timer.cancel()
    for (const end of this.#ends.splice(0)) end()
  }

  /** Compares one host with its records; a host that does not answer is left for the next time. */
  async reconcile(host: string, { resumeGuests = this.#toResume.has(host) } = {}): Promise<void> {
    try {
      await reconcileHost(this.#deps, host, { resumeGuests, powerOff: (instance) => this.#powerOff(instance) })
      this.#toResume.delete(host)
    } catch (error) {
      this.#deps.log.warn({ host, err: error }, `host not reconciled: ${messageOf(error)}`)
    }
  }

  /** A host that goes for good: what it held for servers that were evacuated from it is free. In the caller's transaction. */
  forgetLeftovers(host: string): void {
    completeEvacuations(this.#deps, host)
  }

  /** The network changed something about a server's ports, or somebody wants them read anew. */
  refreshPorts(uuid: string): void {
    if (!this.#deps.sagas.busy(uuid)) refreshPorts(this.#deps, uuid)
  }

  /** A host that was down and reports itself again is compared with its records. */
  #reported(report: HostReport): void {
    const { model } = this.#deps
    const isDown = (): boolean => model.hosts.services({ host: report.host, binary: 'nova-compute' }).some(({ up }) => !up)
    const wasDown = isDown()
    recordHost(this.#deps, report)
    if (wasDown && !isDown()) void this.reconcile(report.host)
  }

  /** Deleted servers whose time to be restored is over go for good. */
  #reclaim(keepMs: number): void {
    const { model, sagas, db, clock } = this.#deps
    const due = model.instances.list(
      "WHERE i.deleted = 0 AND i.vm_state = 'soft-delete' AND i.task_state IS NULL AND i.deleted_at <= @latest",
      { latest: timeText(clock.now() - keepMs) },
    )
    for (const { uuid } of due)
      db.transaction(() => {
        if (!model.instances.tryUpdate(uuid, { task_state: 'deleting' }, { vmState: ['soft-delete'], taskState: [null] })) return
        void sagas.start(deleteServer, { uuid }, { key: uuid })
      })
  }

  /** Resizes that have waited long enough are confirmed. */
  #confirmResizes(windowMs: number): void {
    const { model, sagas, db, clock } = this.#deps
    for (const { id, instance_uuid: uuid } of model.migrations.unconfirmed(timeText(clock.now() - windowMs))) {
      const instance = model.instances.find(uuid)
      if (instance?.vmState !== 'resized' || instance.taskState !== null || instance.host === null) continue
      const input = { uuid, host: instance.host, migrationId: id }
      db.transaction(() => {
        if (model.migrations.move(id, ['finished'], 'confirming')) void sagas.start(confirmResize, input, { key: uuid })
      })
    }
  }

  /** Shelved servers that have been on their host for long enough leave it. */
  #offload(keepMs: number): void {
    const { model, sagas, db, clock } = this.#deps
    const latest = timeText(clock.now() - keepMs)
    for (const { uuid, host } of model.instances.list("WHERE i.deleted = 0 AND i.vm_state = 'shelved' AND i.task_state IS NULL", {})) {
      if (host === null || (model.instances.systemMetadata(uuid).shelved_at ?? '') > latest) continue
      db.transaction(() => {
        if (!model.instances.tryUpdate(uuid, { task_state: 'shelving_offloading' }, { vmState: ['shelved'], taskState: [null] })) return
        void sagas.start(offloadServer, { uuid, host }, { key: uuid })
      })
    }
  }

  /** Bases of images that no server was made from go, once they have been unused for long enough. */
  async #collectImages(): Promise<void> {
    const { model, images, log } = this.#deps
    const removed = await images.collectGarbage(model.extras.imagesInUse())
    if (removed.length > 0) log.info({ images: removed }, 'removed unused bases of images')
  }

  async #reconcileAll(): Promise<void> {
    for (const { host } of this.#deps.model.hosts.nodes()) await this.reconcile(host)
  }

  /** A task, or an action, that no unfinished saga works on would stay for ever: the server is told apart from one in work. */
  #releaseForgotten(): void {
    const { model, sagas, db } = this.#deps
    db.transaction(() => {
      model.actions.endForgotten(sagas.busyRequests())
      for (const instance of model.instances.list('WHERE i.deleted = 0 AND i.task_state IS NOT NULL', {})) {
        if (sagas.busy(instance.uuid)) continue
        const isBuilding = instance.vmState === 'building'
        model.instances.tryUpdate(instance.uuid, { task_state: null, ...(isBuilding ? { vm_state: 'error' as const } : {}) })
      }
    })
  }

  /** What a guest did before the process ended nobody told: it is looked at when the saga that goes on with it has ended. */
  #lookLater(): void {
    const { model, sagas } = this.#deps
    for (const uuid of sagas.busyKeys()) {
      const host = model.instances.find(uuid)?.host ?? null
      if (host !== null) void this.#guestChanged({ host, uuid })
    }
  }

  #uploading({ uuid }: GuestUploading): void {
    for (const [from, to] of uploads) if (this.#deps.model.instances.tryUpdate(uuid, { task_state: to }, { taskState: [from] })) return
  }

  async #guestChanged({ host, uuid }: Pick<GuestChanged, 'host' | 'uuid'>): Promise<void> {
    const { model, sagas, queue, log } = this.#deps
    try {
      if (this.#told.has(uuid)) return
      if (sagas.busy(uuid)) {
        this.#told.add(uuid)
        await sagas.idle(uuid)
        this.#told.delete(uuid)
      }
      const instance = model.instances.find(uuid)
      if (!instance || instance.host !== host || instance.taskState !== null) return
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

  #reportControlServices(): void {
    const { model, db, config } = this.#deps
    const report = () =>
      db.transaction(() => {
        for (const [binary, topic] of controlServices) model.hosts.reportService(this.#deps.host, binary, topic)
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
