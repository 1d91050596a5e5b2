/**
 * Guests under libvirt: persistent domains, so that they outlive minicloud and libvirtd, with all their files in one directory each.
 *
 * Domains of this cloud are known by name and by a description in their XML; others on the same daemon are never touched. Calls on one
 * guest take turns. While libvirtd is away every call fails with `host-down`.
 *
 * @see https://libvirt.org/html/libvirt-libvirt-domain.html
 */
import { existsSync } from 'node:fs'
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import type { Clock, Timer } from '../../../base/clock.ts'
import { messageOf } from '../../../base/errors.ts'
import type { Log } from '../../../base/log.ts'
import { type Domain, type DomainEvent, DomainState } from '../../../node-libvirt/index.ts'
import type { LibvirtConfig } from '../config.ts'
import {
  type ComputeDriver,
  type ConsoleEndpoint,
  type ConsoleType,
  GuestError,
  type GuestEvent,
  type GuestInfo,
  type GuestSpec,
  PowerState,
} from '../driver.ts'
import { checkedUuid } from '../text.ts'
import { Announcer } from './announcer.ts'
import { type DiskTool, InstanceFiles } from './disks.ts'
import { guestError, isLibvirt } from './errors.ts'
import type { HostPlaces } from './host.ts'
import { checkRunDir, GuestMaker, startEchoes } from './maker.ts'
import { OwnDomains } from './own-domains.ts'
import { powerOf, softShutdown } from './power.ts'
import { pullPlug } from './removal.ts'
import { readResources } from './resources.ts'
import { capSerialLog, readSerialLog } from './serial-log.ts'
import { Session } from './session.ts'

export type LibvirtDriverDeps = HostPlaces & {
  /** The compute host's name. */
  host: string
  hostIp?: string
  uri: string
  clock: Clock
  log: Log
  config: LibvirtConfig
  /** Begins the names of this cloud's domains; unique among the clouds of a libvirtd. */
  cloudPrefix: string
  diskTool: DiskTool
}

const prefixForm = /^[A-Za-z0-9][A-Za-z0-9_.]{0,30}$/
const logSweepMs = 60_000
const consoleTypes: readonly ConsoleType[] = ['novnc', 'xvpvnc', 'serial']

/** @throws {RangeError} when the prefix or `runDir` cannot be used */
export function makeLibvirtDriver(deps: LibvirtDriverDeps): ComputeDriver {
  return new LibvirtDriver(deps)
}

class LibvirtDriver implements ComputeDriver {
  readonly kind = 'libvirt'
  readonly usesImageFiles = true
  readonly consoleTypes = consoleTypes
  readonly #deps: LibvirtDriverDeps
  readonly #files: InstanceFiles
  readonly #session: Session
  readonly #own: OwnDomains
  readonly #announcer: Announcer
  readonly #lanes = new Map<string, Promise<unknown>>()
  readonly #maker: GuestMaker
  #sweep: Timer
  #closed = false

  constructor(deps: LibvirtDriverDeps) {
    if (!prefixForm.test(deps.cloudPrefix)) throw new RangeError(`not a prefix for domain names: ${deps.cloudPrefix}`)
    checkRunDir(deps.runDir)
    this.#deps = deps
    this.#files = new InstanceFiles(deps.instancesDir, deps.diskTool)
    this.#session = new Session({
      uri: deps.uri,
      clock: deps.clock,
      log: deps.log,
      onEvent: (event) => this.#onEvent(event),
      onUp: (connection) => {
        this.#maker
          .survey(connection, true)
          .catch((error) => deps.log.error({ err: error }, `the host could not be surveyed: ${messageOf(error)}`))
      },
    })
    this.#own = new OwnDomains(this.#session, deps.cloudPrefix)
    this.#announcer = new Announcer(deps.clock, deps.log)
    this.#maker = new GuestMaker(deps, { files: this.#files, session: this.#session, own: this.#own, announcer: this.#announcer })
    this.#sweep = deps.clock.after(logSweepMs, () => void this.#sweepLogs())
  }

  get host(): string {
    return this.#deps.host
  }

  status() {
    const { connected } = this.#session
    const down = {
      what: `libvirt at ${this.#deps.uri} does not answer: ${this.#session.trouble}`,
      remedy: 'start libvirtd (Debian: apt-get install libvirt-daemon-system)',
    }
    return { connected, problems: [...(connected ? [] : [down]), ...(this.#maker.host?.problems ?? [])] }
  }

  resources() {
    return this.#told(this.#deps.host, async () => {
      const connection = await this.#session.use()
      const { host, hostIp = '127.0.0.1', instancesDir } = this.#deps
      return readResources(connection, await this.#maker.survey(connection), { host, hostIp, instancesDir })
    })
  }

  list(): Promise<GuestInfo[]> {
    return this.#told(this.#deps.host, async () => {
      const found = await Promise.all((await this.#own.all()).map(({ domain, name }) => this.#infoOf(domain, name)))
      return found.filter((each) => each !== null)
    })
  }

  info(uuid: string): Promise<GuestInfo | null> {
    return this.#told(uuid, async () => {
      const found = await this.#own.find(uuid)
      return found ? this.#infoOf(found.domain, found.name) : null
    })
  }

  spawn(spec: GuestSpec, signal: AbortSignal): Promise<void> {
    const { uuid } = spec
    checkedUuid(uuid)
    return this.#alone(uuid, async () => {
      try {
        signal.throwIfAborted()
        await this.#maker.make(spec, signal)
      } catch (error) {
        throw signal.aborted ? signal.reason : guestError(uuid, error)
      }
    })
  }

  destroy(uuid: string): Promise<void> {
    checkedUuid(uuid)
    return this.#alone(uuid, () => this.#told(uuid, () => this.#maker.remove(uuid)))
  }

  powerOn(uuid: string): Promise<void> {
    return this.#onGuest(uuid, async (domain) => {
      const power = await powerOf(domain)
      if (power === PowerState.running) return
      if (power === PowerState.paused) throw wrongState(uuid, 'paused', 'power on')
      await this.#start(domain, power === PowerState.suspended ? ['agent-disconnected'] : startEchoes)
    })
  }

  powerOff(uuid: string, graceMs: number): Promise<void> {
    return this.#onGuest(uuid, (domain) => this.#stop(domain, graceMs))
  }

  reboot(uuid: string, type: 'SOFT' | 'HARD', graceMs: number): Promise<void> {
    return this.#onGuest(uuid, async (domain) => {
      const ran = (await powerOf(domain)) === PowerState.running
      await this.#announcer.quietly(uuid, ran ? ['stopped', 'started', ...startEchoes] : startEchoes, async () => {
        await this.#stop(domain, type === 'SOFT' ? graceMs : 0)
        await domain.start()
      })
      if (ran) this.#announcer.tell(uuid, 'rebooted')
    })
  }

  pause(uuid: string): Promise<void> {
    return this.#onGuest(uuid, async (domain) => {
      const power = await powerOf(domain)
      if (power === PowerState.paused) return
      if (power !== PowerState.running) throw wrongState(uuid, 'not running', 'pause')
      await domain.suspend()
    })
  }

  unpause(uuid: string): Promise<void> {
    return this.#onGuest(uuid, async (domain) => {
      const power = await powerOf(domain)
      if (power === PowerState.running) return
      if (power !== PowerState.paused) throw wrongState(uuid, 'not paused', 'unpause')
      await domain.resume()
    })
  }

  suspend(uuid: string): Promise<void> {
    return this.#onGuest(uuid, async (domain) => {
      const power = await powerOf(domain)
      if (power === PowerState.suspended) return
      if (power !== PowerState.running) throw wrongState(uuid, 'not running', 'suspend')
      await this.#announcer.quietly(uuid, ['paused'], () => domain.managedSave())
    })
  }

  resume(uuid: string): Promise<void> {
    return this.#onGuest(uuid, async (domain) => {
      const power = await powerOf(domain)
      if (power === PowerState.running) return
      if (power !== PowerState.suspended) throw wrongState(uuid, 'not suspended', 'resume')
      await this.#start(domain, ['agent-disconnected'])
    })
  }

  consoleOutput(uuid: string, lines: number | null): Promise<string> {
    return this.#told(uuid, async () => {
      await this.#existing(uuid)
      return readSerialLog(this.#files.serialLog(uuid), lines)
    })
  }

  console(uuid: string, type: ConsoleType): Promise<ConsoleEndpoint> {
    return this.#told(uuid, async () => {
      const power = await powerOf(await this.#existing(uuid))
      const path = this.#maker.socket(uuid, type === 'serial' ? 'tty' : 'vnc')
      const has = consoleTypes.includes(type) && (power === PowerState.running || power === PowerState.paused) && existsSync(path)
      if (!has) throw new GuestError(uuid, 'wrong-state', `guest ${uuid} has no ${type} console at present`)
      return { kind: 'unix', path }
    })
  }

  onEvent(listener: (event: GuestEvent) => void): () => void {
    return this.#announcer.listen(listener)
  }

  inventory() {
    return this.#told(this.#deps.host, async () => {
      const guests = (await this.#own.all()).map(({ domain }) => domain.uuid)
      const { files } = await this.#files.all()
      const sockets = await readdir(this.#deps.runDir).catch(() => [])
      return { guests, files: [...files, ...sockets.map((name) => join(this.#deps.runDir, name))] }
    })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true
    this.#sweep.cancel()
    await Promise.allSettled(this.#lanes.values())
    await this.#session[Symbol.asyncDispose]()
  }

  /** Turns libvirt's errors into the driver's. */
  async #told<T>(uuid: string, work: () => Promise<T>): Promise<T> {
    try {
      return await work()
    } catch (error) {
      throw guestError(uuid, error)
    }
  }

  /** One action at a time on a guest, in the order they came. */
  async #alone<T>(uuid: string, work: () => Promise<T>): Promise<T> {
    const before = this.#lanes.get(uuid)
    const turn = (before ?? Promise.resolve()).then(work)
    const settled = turn.catch(() => undefined)
    this.#lanes.set(uuid, settled)
    try {
      return await turn
    } finally {
      if (this.#lanes.get(uuid) === settled) this.#lanes.delete(uuid)
    }
  }

  #onGuest(uuid: string, work: (domain: Domain) => Promise<void>): Promise<void> {
    return this.#alone(uuid, () =>
      this.#told(uuid, async () => {
        await work(await this.#existing(uuid))
      }),
    )
  }

  async #existing(uuid: string): Promise<Domain> {
    const found = await this.#own.find(uuid)
    if (!found) throw new GuestError(uuid, 'not-found', `there is no guest ${uuid}`)
    return found.domain
  }

  async #infoOf(domain: Domain, name: string): Promise<GuestInfo | null> {
    try {
      return { uuid: domain.uuid, name, power: await powerOf(domain) }
    } catch (error) {
      if (isLibvirt(error, 'NO_DOMAIN')) return null
      throw error
    }
  }

  /** From off, suspended or crashed. The process of a guest that crashed, or that put itself to sleep, still stands. */
  async #start(domain: Domain, echoes: readonly GuestEvent['change'][]): Promise<void> {
    const { state } = await domain.state()
    if (state === DomainState.crashed || state === DomainState.pmSuspended) await pullPlug(domain)
    await capSerialLog(this.#files.serialLog(domain.uuid))
    await this.#announcer.quietly(domain.uuid, echoes, () => domain.start())
  }

  /** To off, from any state; saved memory is let go. */
  async #stop(domain: Domain, graceMs: number): Promise<void> {
    const power = await powerOf(domain)
    if (power === PowerState.running && graceMs > 0) {
      const ask = (stopped: Promise<void>) => softShutdown(domain, graceMs, this.#deps.clock, stopped)
      if (await this.#announcer.watchingStop(domain.uuid, ask)) return
    }
    await pullPlug(domain)
    if (power === PowerState.suspended && (await domain.hasManagedSave())) await domain.managedSaveRemove()
  }

  #onEvent(event: DomainEvent): void {
    const { uuid, name } = event.domain
    const change = this.#announcer.news(event)
    if (change === null) return
    if (this.#own.known.has(uuid)) this.#announcer.tell(uuid, change)
    else if (this.#own.mayBeOwn(name)) {
      this.#own.find(uuid).then(
        (found) => found && this.#announcer.tell(uuid, change),
        (error) => this.#deps.log.warn({ err: error, uuid }, `an event was not understood: ${messageOf(error)}`),
      )
    }
  }

  async #sweepLogs(): Promise<void> {
    try {
      for (const uuid of this.#own.known.keys()) await capSerialLog(this.#files.serialLog(uuid))
    } catch (error) {
      this.#deps.log.warn({ err: error }, `serial logs were not kept in bounds: ${messageOf(error)}`)
    }
    if (!this.#closed) this.#sweep = this.#deps.clock.after(logSweepMs, () => void this.#sweepLogs())
  }
}

const wrongState = (uuid: string, is: string, action: string): GuestError =>
  new GuestError(uuid, 'wrong-state', `guest ${uuid} is ${is}: ${action} is not possible`)
