/** Work on guests: each is found among our domains, is worked on by one hand at a time, and its troubles are told in the driver's words. */
import type { Clock } from '../../../base/clock.ts'
import { type Domain, DomainState } from '../../../node-libvirt/index.ts'
import { GuestError, type GuestEvent, PowerState } from '../driver.ts'
import type { Announcer } from './announcer.ts'
import type { InstanceFiles } from './disks.ts'
import { guestError } from './errors.ts'
import type { KeptDefinitions } from './kept-definitions.ts'
import type { OwnDomains } from './own-domains.ts'
import { powerOf, softShutdown } from './power.ts'
import { pullPlug } from './removal.ts'
import { capSerialLog } from './serial-log.ts'

/** Each guest begins paused and without an agent, which libvirt tells. */
export const startEchoes: readonly GuestEvent['change'][] = ['resumed', 'agent-disconnected']
const restartEchoes: readonly GuestEvent['change'][] = ['stopped', 'started', ...startEchoes]

type Parts = { files: InstanceFiles; own: OwnDomains; kept: KeptDefinitions; announcer: Announcer; clock: Clock }

export class Guests {
  readonly #parts: Parts
  readonly #lanes = new Map<string, Promise<unknown>>()

  constructor(parts: Parts) {
    this.#parts = parts
  }

  /** Turns libvirt's errors into the driver's. */
  async told<T>(uuid: string, work: () => Promise<T>): Promise<T> {
    try {
      return await work()
    } catch (error) {
      throw guestError(uuid, error)
    }
  }

  /** One action at a time on a guest, in the order they came. */
  async alone<T>(uuid: string, work: () => Promise<T>): Promise<T> {
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

  /** @throws {GuestError} not-found when there is none, and as `work` does; the signal's reason once it has aborted */
  on<T>(uuid: string, work: (domain: Domain) => Promise<T>, signal?: AbortSignal): Promise<T> {
    return this.alone(uuid, async () => {
      try {
        const domain = await this.existing(uuid)
        signal?.throwIfAborted()
        return await work(domain)
      } catch (error) {
        throw signal?.aborted && !(error instanceof GuestError) ? signal.reason : guestError(uuid, error)
      }
    })
  }

  /** Also one that libvirt has lost. @throws {GuestError} not-found */
  async existing(uuid: string): Promise<Domain> {
    const { own, kept } = this.#parts
    const found = (await own.find(uuid)) ?? ((await kept.restore(uuid)) ? await own.find(uuid) : null)
    if (!found) throw new GuestError(uuid, 'not-found', `there is no guest ${uuid}`)
    return found.domain
  }

  /** From off, suspended or crashed. The process of a guest that crashed, or that put itself to sleep, still stands. */
  async start(domain: Domain, echoes: readonly GuestEvent['change'][]): Promise<void> {
    const { state } = await domain.state()
    if (state === DomainState.crashed || state === DomainState.pmSuspended) await pullPlug(domain)
    await capSerialLog(this.#parts.files.serialLog(domain.uuid))
    await this.#parts.announcer.quietly(domain.uuid, echoes, () => domain.start())
  }

  /** To off, from any state; saved memory is let go. */
  async stop(domain: Domain, graceMs: number): Promise<void> {
    const { announcer, clock } = this.#parts
    const power = await powerOf(domain)
    if (power === PowerState.running && graceMs > 0) {
      const ask = (stopped: Promise<void>) => softShutdown(domain, graceMs, clock, stopped)
      if (await announcer.watchingStop(domain.uuid, ask)) return
    }
    await pullPlug(domain)
    if (power === PowerState.suspended && (await domain.hasManagedSave())) await domain.managedSaveRemove()
  }

  /** Nobody is told of stops and starts in `work`, which must use the domain itself to start it. */
  async silently(uuid: string, work: () => Promise<void>): Promise<void> {
    await this.#parts.announcer.quietly(uuid, restartEchoes, work)
  }

  /** All work under way ends. */
  async settled(): Promise<void> {
    await Promise.allSettled(this.#lanes.values())
  }
}

export const wrongState = (uuid: string, is: string, action: string): GuestError =>
  new GuestError(uuid, 'wrong-state', `guest ${uuid} is ${is}: ${action} is not possible`)
