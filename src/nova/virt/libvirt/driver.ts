/**
 * Guests under libvirt: persistent domains, so that they outlive minicloud and libvirtd, with all their files in one directory each.
 *
 * Domains of this cloud are known by name and by a description in their XML; others on the same daemon are never touched. Calls on one
 * guest take turns. While libvirtd is away every call fails with `host-down`.
 *
 * @see https://libvirt.org/html/libvirt-libvirt-domain.html
 */
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import type { Clock } from '../../../base/clock.ts'
import { messageOf } from '../../../base/errors.ts'
import type { Log } from '../../../base/log.ts'
import type { Domain, DomainEvent } from '../../../node-libvirt/index.ts'
import type { EphemeralConfig, LibvirtConfig, SpiceConfig } from '../config.ts'
import type { ComputeDriver, ConsoleEndpoint, ConsoleType, GuestDiagnostics, GuestEvent, GuestInfo } from '../driver.ts'
import type { GuestSpec } from '../specs.ts'
import { checkedUuid } from '../text.ts'
import { Announcer } from './announcer.ts'
import { GuestConsoles } from './consoles.ts'
import { diagnose, injectNmi, setGuestPassword } from './diagnostics.ts'
import { type DiskTool, InstanceFiles } from './disks.ts'
import { guestError, isLibvirt } from './errors.ts'
import { EventWaits } from './event-waits.ts'
import { FileSystems } from './file-systems.ts'
import { Guests } from './guests.ts'
import type { HostPlaces } from './host.ts'
import { GuestInterfaces } from './interfaces.ts'
import { KeptDefinitions } from './kept-definitions.ts'
import { checkRunDir, GuestMaker } from './maker.ts'
import { OwnDomains } from './own-domains.ts'
import { powerOf } from './power.ts'
import { PowerActions } from './power-actions.ts'
import { type DefiningParts, GuestRescue } from './rescue.ts'
import { GuestResize } from './resize.ts'
import { readResources } from './resources.ts'
import { Session } from './session.ts'
import { DiskSnapshots } from './snapshots.ts'

export type LibvirtDriverDeps = HostPlaces & {
  /** The compute host's name. */
  host: string
  hostIp?: string
  uri: string
  clock: Clock
  log: Log
  config: LibvirtConfig
  spice?: SpiceConfig
  ephemeral?: EphemeralConfig
  /** Begins the names of this cloud's domains; unique among the clouds of a libvirtd. */
  cloudPrefix: string
  diskTool: DiskTool
}

const prefixForm = /^[A-Za-z0-9][A-Za-z0-9_.]{0,30}$/

/** @throws {RangeError} when the prefix or `runDir` cannot be used */
export function makeLibvirtDriver(deps: LibvirtDriverDeps): ComputeDriver {
  return new LibvirtDriver(deps)
}

class LibvirtDriver implements ComputeDriver {
  readonly kind = 'libvirt'
  readonly usesImageFiles = true
  readonly #deps: LibvirtDriverDeps
  readonly #files: InstanceFiles
  readonly #session: Session
  readonly #own: OwnDomains
  readonly #announcer: Announcer
  readonly #waits: EventWaits
  readonly #guests: Guests
  readonly #kept: KeptDefinitions
  readonly #maker: GuestMaker
  readonly snapshots: DiskSnapshots
  readonly rescue: GuestRescue
  readonly resize: GuestResize
  readonly interfaces: GuestInterfaces
  readonly #consoles: GuestConsoles
  readonly #power: PowerActions
  #closed = false
  readonly #returnListeners = new Set<() => void>()

  constructor(deps: LibvirtDriverDeps) {
    if (!prefixForm.test(deps.cloudPrefix)) throw new RangeError(`not a prefix for domain names: ${deps.cloudPrefix}`)
    checkRunDir(deps.runDir)
    this.#deps = deps
    const fileSystems = new FileSystems(deps.ephemeral ?? { defaultEphemeralFormat: '', virtMkfs: [] }, deps.log)
    this.#files = new InstanceFiles(deps.instancesDir, deps.diskTool, fileSystems)
    this.#session = new Session({
      uri: deps.uri,
      clock: deps.clock,
      log: deps.log,
      onEvent: (event) => this.#onEvent(event),
      onUp: (_connection, isReturn) => void this.#onUp(isReturn),
    })
    this.#own = new OwnDomains(this.#session, deps.cloudPrefix)
    this.#announcer = new Announcer(deps.clock, deps.log)
    this.#waits = new EventWaits(deps.clock)
    const [files, waits, own, announcer, session] = [this.#files, this.#waits, this.#own, this.#announcer, this.#session]
    const kept = new KeptDefinitions({ files, session, log: deps.log })
    const guests = new Guests({ files, own, kept, announcer, clock: deps.clock })
    const maker = new GuestMaker(deps, { files, session, own, kept, announcer })
    const defining: DefiningParts = {
      guests,
      files,
      host: async () => maker.survey(await session.use()),
      define: async (xml) => {
        const domain = await (await session.use()).defineXml(xml)
        await kept.keep(domain)
        return domain
      },
      discard: deps.config.hwDiskDiscard,
    }
    this.#guests = guests
    this.#kept = kept
    this.#maker = maker
    this.snapshots = new DiskSnapshots({ guests, files, waits, tool: deps.diskTool, log: deps.log })
    this.rescue = new GuestRescue(defining)
    this.resize = new GuestResize({ ...defining, xmlOf: (spec, disks, host) => maker.xmlOf(spec, disks, host) })
    this.interfaces = new GuestInterfaces({ guests, files, waits, kept, maxQueues: deps.config.maxQueues })
    this.#power = new PowerActions({ guests, announcer })
    this.#consoles = new GuestConsoles({ ...deps, guests, files, own, maker })
  }

  get consoleTypes(): readonly ConsoleType[] {
    return this.#consoles.types
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
    return this.#guests.told(this.#deps.host, async () => {
      const connection = await this.#session.use()
      const { host, hostIp = '127.0.0.1', instancesDir } = this.#deps
      return readResources(connection, await this.#maker.survey(connection), { host, hostIp, instancesDir })
    })
  }

  list(): Promise<GuestInfo[]> {
    return this.#guests.told(this.#deps.host, async () => {
      const found = await Promise.all((await this.#own.all()).map(({ domain, name }) => this.#infoOf(domain, name)))
      const known = found.filter((each) => each !== null)
      return [...known, ...(await this.#kept.lostBut(known.map((each) => each.uuid)))]
    })
  }

  info(uuid: string): Promise<GuestInfo | null> {
    return this.#guests.told(uuid, async () => {
      const found = await this.#own.find(uuid)
      return found ? this.#infoOf(found.domain, found.name) : this.#kept.lost(uuid)
    })
  }

  spawn(spec: GuestSpec, signal: AbortSignal): Promise<void> {
    const { uuid } = spec
    checkedUuid(uuid)
    return this.#guests.alone(uuid, async () => {
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
    this.snapshots.cutOff(uuid)
    return this.#guests.alone(uuid, () => this.#guests.told(uuid, () => this.#maker.remove(uuid)))
  }

  powerOn(uuid: string): Promise<void> {
    return this.#guests.on(uuid, (domain) => this.#power.on(domain))
  }

  powerOff(uuid: string, graceMs: number): Promise<void> {
    return this.#guests.on(uuid, (domain) => this.#guests.stop(domain, graceMs))
  }

  reboot(uuid: string, type: 'SOFT' | 'HARD', graceMs: number): Promise<void> {
    return this.#guests.on(uuid, (domain) => this.#power.reboot(domain, type === 'SOFT' ? graceMs : 0))
  }

  pause(uuid: string): Promise<void> {
    return this.#guests.on(uuid, (domain) => this.#power.pause(domain))
  }

  unpause(uuid: string): Promise<void> {
    return this.#guests.on(uuid, (domain) => this.#power.unpause(domain))
  }

  suspend(uuid: string): Promise<void> {
    return this.#guests.on(uuid, (domain) => this.#power.suspend(domain))
  }

  resume(uuid: string): Promise<void> {
    return this.#guests.on(uuid, (domain) => this.#power.resume(domain))
  }

  consoleOutput(uuid: string, lines: number | null): Promise<string> {
    return this.#consoles.output(uuid, lines)
  }

  console(uuid: string, type: ConsoleType): Promise<ConsoleEndpoint> {
    return this.#consoles.endpoint(uuid, type)
  }

  readonly setPassword = (uuid: string, user: string, password: string): Promise<void> =>
    this.#guests.on(uuid, (domain) => setGuestPassword(domain, user, password))

  readonly diagnostics = (uuid: string): Promise<GuestDiagnostics> => {
    const paths = { serialSocket: this.#maker.socket(uuid, 'tty'), configDrive: this.#files.configDrive(uuid) }
    return this.#guests.told(uuid, async () => diagnose(await this.#guests.existing(uuid), paths, this.#deps.clock))
  }

  readonly injectNmi = (uuid: string): Promise<void> => this.#guests.on(uuid, injectNmi)

  onReturn(listener: () => void): () => void {
    this.#returnListeners.add(listener)
    return () => this.#returnListeners.delete(listener)
  }

  onEvent(listener: (event: GuestEvent) => void): () => void {
    return this.#announcer.listen(listener)
  }

  inventory() {
    return this.#guests.told(this.#deps.host, async () => {
      const guests = (await this.#own.all()).map(({ domain }) => domain.uuid)
      const { files } = await this.#files.all()
      const sockets = await readdir(this.#deps.runDir).catch(() => [])
      return { guests, files: [...files, ...sockets.map((name) => join(this.#deps.runDir, name))] }
    })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true
    this.#consoles[Symbol.dispose]()
    await this.#guests.settled()
    await this.#session[Symbol.asyncDispose]()
  }

  async #infoOf(domain: Domain, name: string): Promise<GuestInfo | null> {
    try {
      return { uuid: domain.uuid, name, power: await powerOf(domain) }
    } catch (error) {
      if (isLibvirt(error, 'NO_DOMAIN')) return null
      throw error
    }
  }

  /** The daemon answers, for the first time or again: what was cut off meanwhile is mended. */
  async #onUp(isReturn: boolean): Promise<void> {
    const { log } = this.#deps
    try {
      await this.#maker.survey(await this.#session.use(), true)
      await this.snapshots.heal()
      if (isReturn) for (const listener of this.#returnListeners) listener()
    } catch (error) {
      if (!this.#closed) log.error({ err: error }, `the host could not be surveyed: ${messageOf(error)}`)
    }
  }

  #onEvent(event: DomainEvent): void {
    const { uuid, name } = event.domain
    this.#waits.happened(event)
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
}
