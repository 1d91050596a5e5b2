/**
 * One compute host: takes messages from its topic, in order for each instance, and asks its driver. It never sees the
 * database; what it learns goes back as answers and as events.
 *
 * @see https://docs.openstack.org/nova/latest/cli/nova-compute.html
 */
import type { Clock, Timer } from '../../base/clock.ts'
import { messageOf } from '../../base/errors.ts'
import type { Log } from '../../base/log.ts'
import type { Queue } from '../../base/queue/index.ts'
import { type ComputeDriver, GuestError } from '../virt/index.ts'
import { type CapableMethods, capableMethods } from './capable.ts'
import { type GuestFiles, guestSpec, type Plugged } from './guest-spec.ts'
import { Limiter } from './limiter.ts'
import {
  type ComputeCalls,
  computeTopic,
  type DestroyArgs,
  type GuestChanged,
  type GuestCopied,
  type GuestUploading,
  guestChanged,
  guestCopied,
  guestUploading,
  type HostReport,
  hostConnected,
  hostReported,
  type PowerArgs,
  type SpawnArgs,
} from './messages.ts'

/** The part of image that compute needs. */
export type ImageFiles = {
  baseFile(id: string, signal?: AbortSignal): Promise<{ file: string; format: 'raw' | 'qcow2' }>
  fill(id: string, source: AsyncIterable<Uint8Array>, diskFormat?: 'raw' | 'qcow2'): Promise<unknown>
}
/** The part of network that compute needs. */
export type Plugs = {
  plug(portId: string): Promise<{ bridge: string; tap: string; mtu: number; mac: string }>
  unplug(portId: string): Promise<void>
}

export type ManagerDeps = {
  driver: ComputeDriver
  images: ImageFiles
  networks: Plugs
  queue: Queue
  clock: Clock
  log: Log
  reportIntervalMs: number
  /** 0: no limit. */
  maxConcurrentBuilds: number
}

type Methods = { [M in keyof ComputeCalls]: (args: ComputeCalls[M][0]) => Promise<ComputeCalls[M][1]> }

export class ComputeManager implements AsyncDisposable {
  readonly host: string
  readonly #deps: ManagerDeps
  readonly #working = new Map<string, AbortController>()
  readonly #builds: Limiter
  /** Hard reboots overtake what runs on a guest, and what comes after them waits for them. */
  readonly #rebooting = new Map<string, Promise<unknown>>()
  readonly #ends: (() => void)[] = []
  #timer: Timer | undefined

  constructor(deps: ManagerDeps) {
    this.#deps = deps
    this.host = deps.driver.host
    this.#builds = new Limiter(deps.maxConcurrentBuilds === 0 ? Infinity : deps.maxConcurrentBuilds)
  }

  /** Reports the host, then serves its topic. */
  async start(): Promise<void> {
    const { driver, queue } = this.#deps
    await this.report()
    const methods: Methods = {
      spawn: (args) => this.#spawn(args),
      destroy: (args) => this.#destroy(args),
      power: (args) => this.#power(args),
      cancel: async ({ uuid }) => {
        this.#working.get(uuid)?.abort(new GuestError(uuid, 'failed', 'The work was cancelled.'))
        return null
      },
      info: ({ uuid }) => driver.info(uuid),
      list: () => driver.list(),
      consoleOutput: ({ uuid, lines }) => driver.consoleOutput(uuid, lines),
      console: ({ uuid, type }) => driver.console(uuid, type),
      consoleTypes: async () => driver.consoleTypes,
      ...this.#capable(),
    }
    this.#ends.push(
      queue.serve(computeTopic(this.host), async ({ method, args, lane }) => {
        if (lane !== undefined) await this.#rebooting.get(lane)
        return await methods[method as keyof Methods](args as never)
      }),
      driver.onEvent(({ uuid, change }) =>
        queue.publish({ type: guestChanged, payload: { host: this.host, uuid, change } satisfies GuestChanged }),
      ),
      driver.onReturn(() => void this.report().then(() => queue.publish({ type: hostConnected, payload: { host: this.host } }))),
    )
    this.#schedule()
  }

  /** Tells the control plane what the host has; a host that cannot be asked says nothing and so counts as down. */
  async report(): Promise<void> {
    const { driver, queue, log } = this.#deps
    try {
      const resources = await driver.resources()
      queue.publish({ type: hostReported, payload: { host: this.host, resources } satisfies HostReport })
    } catch (error) {
      log.warn({ host: this.host, err: error }, `the hypervisor does not answer: ${messageOf(error)}`)
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#timer?.cancel()
    for (const end of this.#ends.splice(0)) end()
    await this.#deps.driver[Symbol.asyncDispose]()
  }

  #schedule(): void {
    const { clock, reportIntervalMs } = this.#deps
    this.#timer = clock.after(reportIntervalMs, () => {
      void this.report().finally(() => this.#schedule())
    })
  }

  async #spawn(args: SpawnArgs): Promise<null> {
    const { driver } = this.#deps
    return await this.#cancellable(args.uuid, async (signal) => {
      await this.#builds.run(async () => {
        signal.throwIfAborted()
        const [plugged, files] = await Promise.all([this.#plug(args.ports.map(({ portId }) => portId)), this.#files(args, signal)])
        await driver.spawn(guestSpec(args, files, plugged), signal)
      })
      return null
    })
  }

  async #plug(portIds: readonly string[]): Promise<Plugged[]> {
    return await Promise.all(portIds.map(async (portId) => ({ portId, ...(await this.#deps.networks.plug(portId)) })))
  }

  async #files(
    { imageId, kernelId, ramdiskId }: Pick<SpawnArgs, 'imageId' | 'kernelId' | 'ramdiskId'>,
    signal: AbortSignal,
  ): Promise<GuestFiles> {
    const { driver, images } = this.#deps
    if (!driver.usesImageFiles) return { root: { file: imageId, format: 'raw' }, kernel: null, ramdisk: null }
    const [root, kernel, ramdisk] = await Promise.all([
      images.baseFile(imageId, signal),
      kernelId === null ? null : images.baseFile(kernelId, signal),
      ramdiskId === null ? null : images.baseFile(ramdiskId, signal),
    ])
    return { root, kernel: kernel?.file ?? null, ramdisk: ramdisk?.file ?? null }
  }

  /** What only some drivers do; each method refuses where the driver lacks it. */
  #capable(): CapableMethods {
    const { images, networks } = this.#deps
    return capableMethods({
      driver: this.#deps.driver,
      images,
      networks,
      specOf: async (args, signal) => {
        const [plugged, files] = await Promise.all([this.#plug(args.ports.map(({ portId }) => portId)), this.#files(args, signal)])
        return guestSpec(args, files, plugged)
      },
      filesOf: (args, signal) => this.#files(args, signal),
      cancellable: (uuid, work) => this.#cancellable(uuid, work),
      copied: (uuid, progress) =>
        this.#deps.queue.publish({ type: guestCopied, payload: { host: this.host, uuid, progress } satisfies GuestCopied }),
      uploading: (uuid) => this.#deps.queue.publish({ type: guestUploading, payload: { host: this.host, uuid } satisfies GuestUploading }),
    })
  }

  /** Runs work that a `cancel` for this guest ends. */
  async #cancellable<T>(uuid: string, work: (signal: AbortSignal) => Promise<T>): Promise<T> {
    const controller = new AbortController()
    this.#working.set(uuid, controller)
    try {
      return await work(controller.signal)
    } finally {
      if (this.#working.get(uuid) === controller) this.#working.delete(uuid)
    }
  }

  async #destroy({ uuid, portIds }: DestroyArgs): Promise<null> {
    const { driver, networks } = this.#deps
    await driver.destroy(uuid)
    await Promise.all(portIds.map((portId) => networks.unplug(portId)))
    return null
  }

  async #rebootHard(uuid: string): Promise<void> {
    const reboot = this.#deps.driver.reboot(uuid, 'HARD', 0)
    const ended = reboot.catch(() => undefined)
    this.#rebooting.set(uuid, ended)
    try {
      await reboot
    } finally {
      if (this.#rebooting.get(uuid) === ended) this.#rebooting.delete(uuid)
    }
  }

  async #power({ uuid, action, graceMs, portIds }: PowerArgs) {
    const { driver } = this.#deps
    if (action === 'start' || action === 'resume' || action === 'reboot-hard') await this.#plug(portIds)
    switch (action) {
      case 'start':
        await driver.powerOn(uuid)
        break
      case 'stop':
        await driver.powerOff(uuid, graceMs)
        break
      case 'reboot-soft':
        await driver.reboot(uuid, 'SOFT', graceMs)
        break
      case 'reboot-hard':
        await this.#rebootHard(uuid)
        break
      default:
        await driver[action](uuid)
    }
    return await driver.info(uuid)
  }
}
