/**
 * What a mock daemon remembers: domains with their states, and the events that their changes bring. It follows libvirt's rules of
 * which change is allowed when, with libvirt's error codes; the guests in it do at once what they are asked.
 */
import { randomUUID } from 'node:crypto'
import {
  DefinedDetail,
  DomainEventType,
  DomainState,
  PausedReason,
  ResumedDetail,
  RunningReason,
  ShutdownDetail,
  ShutOffReason,
  StartedDetail,
  StartFlags,
  StoppedDetail,
  SuspendedDetail,
  UndefineFlags,
} from '../constants.ts'
import { ErrorCode, LibvirtError } from '../errors.ts'
import type { DomainEvent } from '../events.ts'
import type { DomainRef } from '../protocol.ts'
import { runningXml } from './devices.ts'
import { append, attribute, child, childrenOf, childText, replaceChild, rootTag } from './xml.ts'

export type MockSnapshot = { name: string; xml: string; state: number; memory: boolean }

export class MockDomain {
  readonly uuid: string
  name: string
  id = -1
  state: number = DomainState.shutOff
  reason: number = ShutOffReason.unknown
  /** What the next start uses; undefined for a transient domain. */
  configXml: string | undefined
  /** What runs; undefined while nothing does. */
  liveXml: string | undefined
  autostart = false
  managedSave = false
  readonly snapshots = new Map<string, MockSnapshot>()
  readonly metadata = new Map<string, string>()
  readonly blockJobs = new Map<string, { type: number; pivot?: string }>()
  readonly diskSizes = new Map<string, number>()
  readonly passwords = new Map<string, string>()
  readonly sentKeys: number[] = []
  /** How the last backup ended, or that it goes on; one of JobType. */
  backup: number | undefined
  memoryKib = 0
  maxMemoryKib = 0
  vcpus = 1

  constructor(uuid: string, name: string) {
    this.uuid = uuid
    this.name = name
  }

  get active(): boolean {
    return this.liveXml !== undefined
  }

  get persistent(): boolean {
    return this.configXml !== undefined
  }

  get ref(): DomainRef {
    return { uuid: this.uuid, name: this.name, id: this.id }
  }

  get xml(): string {
    return this.liveXml ?? this.configXml ?? ''
  }
}

export class World {
  readonly domains = new Map<string, MockDomain>()
  readonly #emit: (event: DomainEvent) => void
  #nextId = 1

  constructor(emit: (event: DomainEvent) => void) {
    this.#emit = emit
  }

  emit(event: DomainEvent): void {
    this.#emit(event)
  }

  lifecycle(domain: MockDomain, event: number, detail: number): void {
    this.#emit({ kind: 'lifecycle', domain: domain.ref, event, detail })
  }

  /** @throws {LibvirtError} NO_DOMAIN */
  require({ uuid, name }: { uuid: string; name: string }): MockDomain {
    const domain = this.domains.get(uuid)
    if (!domain) throw new LibvirtError(ErrorCode.NO_DOMAIN, `Domain not found: no domain with matching uuid '${uuid}' (${name})`, 10)
    return domain
  }

  /** @throws {LibvirtError} NO_DOMAIN, or OPERATION_INVALID when it doesn't run */
  requireActive(ref: { uuid: string; name: string }): MockDomain {
    const domain = this.require(ref)
    if (!domain.active) throw invalid('domain is not running')
    return domain
  }

  define(xml: string): MockDomain {
    const { domain, text, known } = this.#take(xml)
    domain.configXml = text
    if (!domain.active) readSizes(domain)
    this.lifecycle(domain, DomainEventType.defined, known ? DefinedDetail.updated : DefinedDetail.added)
    return domain
  }

  createTransient(xml: string, flags: number): MockDomain {
    const { domain, text } = this.#take(xml)
    if (domain.active) throw invalid(`domain '${domain.name}' is already running`)
    this.#run(domain, text, flags, StartedDetail.booted)
    return domain
  }

  start(domain: MockDomain, flags: number): void {
    if (domain.active || domain.configXml === undefined) throw invalid('domain is already running')
    const detail = domain.managedSave && !(flags & StartFlags.forceBoot) ? StartedDetail.restored : StartedDetail.booted
    domain.managedSave = false
    this.#run(domain, domain.configXml, flags, detail)
  }

  /** Takes a guest in from elsewhere. */
  receive(xml: string, options: { configXml: string | undefined; paused: boolean }): MockDomain {
    const { domain, text } = this.#take(xml)
    if (domain.active) throw invalid(`domain '${domain.name}' is already running`)
    if (options.configXml !== undefined) domain.configXml = withUuid(options.configXml, domain.uuid)
    this.#run(domain, text, options.paused ? StartFlags.paused : 0, StartedDetail.migrated)
    return domain
  }

  suspend(domain: MockDomain): void {
    if (domain.state === DomainState.paused) return
    this.#set(domain, DomainState.paused, PausedReason.user)
    this.lifecycle(domain, DomainEventType.suspended, SuspendedDetail.paused)
  }

  resume(domain: MockDomain): void {
    if (domain.state === DomainState.running) throw invalid('domain is already running')
    this.#set(domain, DomainState.running, RunningReason.unpaused)
    this.lifecycle(domain, DomainEventType.resumed, ResumedDetail.unpaused)
  }

  shutdown(domain: MockDomain): void {
    this.lifecycle(domain, DomainEventType.shutdown, ShutdownDetail.host)
    this.stop(domain, ShutOffReason.shutdown, StoppedDetail.shutdown)
  }

  /** The guest is gone, in whatever way; a transient domain with it. */
  stop(domain: MockDomain, reason: number, detail: number): void {
    this.#set(domain, DomainState.shutOff, reason)
    domain.id = -1
    domain.liveXml = undefined
    domain.blockJobs.clear()
    domain.backup = undefined
    if (domain.configXml === undefined) this.domains.delete(domain.uuid)
    else readSizes(domain)
    this.lifecycle(domain, DomainEventType.stopped, detail)
  }

  save(domain: MockDomain): void {
    if (!domain.persistent) throw invalid('cannot do managed save for transient domain')
    domain.managedSave = true
    this.lifecycle(domain, DomainEventType.suspended, SuspendedDetail.paused)
    this.stop(domain, ShutOffReason.saved, StoppedDetail.saved)
  }

  undefine(domain: MockDomain, flags: number): void {
    if (!domain.persistent) throw invalid('cannot undefine transient domain')
    if (domain.managedSave && !(flags & UndefineFlags.managedSave))
      throw invalid('Refusing to undefine while domain managed save image exists')
    if (domain.snapshots.size > 0 && !(flags & UndefineFlags.snapshotsMetadata)) {
      throw invalid(`cannot delete inactive domain with ${domain.snapshots.size} snapshots`)
    }
    if (/<nvram\b/.test(domain.xml) && !(flags & (UndefineFlags.nvram | UndefineFlags.keepNvram))) {
      throw invalid('cannot undefine domain with nvram')
    }
    domain.configXml = undefined
    domain.managedSave = false
    domain.snapshots.clear()
    if (!domain.active) this.domains.delete(domain.uuid)
    this.lifecycle(domain, DomainEventType.undefined, 0)
  }

  /** A fresh guest is heard to go on before it is heard to have started; one that comes from elsewhere, the other way round. */
  #run(domain: MockDomain, xml: string, flags: number, detail: number): void {
    domain.id = this.#nextId++
    domain.liveXml = runningXml(xml, domain.id)
    readSizes(domain)
    const { reason, resumed } = starts[detail] ?? { reason: RunningReason.booted, resumed: ResumedDetail.unpaused }
    const paused = (flags & StartFlags.paused) !== 0
    const fresh = detail === StartedDetail.booted
    this.#set(domain, DomainState.running, reason)
    if (fresh && !paused) this.lifecycle(domain, DomainEventType.resumed, resumed)
    this.lifecycle(domain, DomainEventType.started, detail)
    if (paused) this.suspend(domain)
    else if (!fresh) this.lifecycle(domain, DomainEventType.resumed, resumed)
  }

  #set(domain: MockDomain, state: number, reason: number): void {
    domain.state = state
    domain.reason = reason
  }

  /** Finds or makes the domain that the XML speaks of. */
  #take(xml: string): { domain: MockDomain; text: string; known: boolean } {
    if (childrenOf(xml) === undefined || rootTag(xml) === undefined)
      throw new LibvirtError(ErrorCode.XML_DETAIL, 'XML document failed to parse', 20)
    if (rootTag(xml) !== 'domain')
      throw new LibvirtError(ErrorCode.XML_ERROR, `unexpected root element <${rootTag(xml)}>, expecting <domain>`, 20)
    const name = childText(xml, 'name')
    if (!name) throw new LibvirtError(ErrorCode.NO_NAME, 'missing domain name information', 20)
    const namesake = [...this.domains.values()].find((domain) => domain.name === name)
    const uuid = childText(xml, 'uuid')?.toLowerCase() ?? namesake?.uuid ?? randomUUID()
    if (namesake && namesake.uuid !== uuid) {
      throw new LibvirtError(ErrorCode.OPERATION_FAILED, `operation failed: domain '${name}' already exists with uuid ${namesake.uuid}`, 20)
    }
    const known = this.domains.get(uuid)
    if (known && known.name !== name) {
      throw new LibvirtError(
        ErrorCode.OPERATION_FAILED,
        `operation failed: domain '${known.name}' is already defined with uuid ${uuid}`,
        20,
      )
    }
    const domain = known ?? new MockDomain(uuid, name)
    this.domains.set(uuid, domain)
    return { domain, text: withUuid(xml, uuid), known: known?.persistent ?? false }
  }
}

const starts: Record<number, { reason: number; resumed: number }> = {
  [StartedDetail.restored]: { reason: RunningReason.restored, resumed: ResumedDetail.fromSnapshot },
  [StartedDetail.migrated]: { reason: RunningReason.migrated, resumed: ResumedDetail.migrated },
}

function withUuid(xml: string, uuid: string): string {
  const old = child(xml, 'uuid')
  const element = `<uuid>${uuid}</uuid>`
  return old === undefined ? append(xml, element) : replaceChild(xml, old, element)
}

const kibPer: Record<string, number> = {
  b: 1 / 1024,
  bytes: 1 / 1024,
  KB: 1000 / 1024,
  k: 1,
  KiB: 1,
  MB: 1e6 / 1024,
  M: 1024,
  MiB: 1024,
  G: 1048576,
  GiB: 1048576,
}

function readSizes(domain: MockDomain): void {
  const kib = (tag: string) => {
    const element = child(domain.xml, tag)
    return element === undefined ? 0 : Math.round(Number(childText(domain.xml, tag)) * (kibPer[attribute(element, 'unit') ?? 'KiB'] ?? 1))
  }
  domain.maxMemoryKib = kib('memory')
  domain.memoryKib = kib('currentMemory') || domain.maxMemoryKib
  domain.vcpus = Number(childText(domain.xml, 'vcpu') ?? 1)
}

export function invalid(why: string): LibvirtError {
  return new LibvirtError(ErrorCode.OPERATION_INVALID, `Requested operation is not valid: ${why}`, 10)
}
