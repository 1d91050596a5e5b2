/** What a guest says and shows: its serial log, kept in bounds while the driver lives, and the sockets of its consoles. */
import { existsSync } from 'node:fs'
import type { Clock, Timer } from '../../../base/clock.ts'
import { messageOf } from '../../../base/errors.ts'
import type { Log } from '../../../base/log.ts'
import type { Domain } from '../../../node-libvirt/index.ts'
import type { SpiceConfig } from '../config.ts'
import { type ConsoleEndpoint, type ConsoleType, GuestError, PowerState } from '../driver.ts'
import { spicePortOf } from './definition.ts'
import type { InstanceFiles } from './disks.ts'
import type { Guests } from './guests.ts'
import type { GuestMaker } from './maker.ts'
import type { OwnDomains } from './own-domains.ts'
import { powerOf } from './power.ts'
import { capSerialLog, readSerialLog } from './serial-log.ts'

const sweepMs = 60_000

type Parts = { guests: Guests; files: InstanceFiles; own: OwnDomains; maker: GuestMaker; clock: Clock; log: Log; spice?: SpiceConfig }

export class GuestConsoles implements Disposable {
  readonly #parts: Parts
  #sweep: Timer
  #closed = false

  constructor(parts: Parts) {
    this.#parts = parts
    this.#sweep = parts.clock.after(sweepMs, () => void this.#sweepLogs())
  }

  get types(): readonly ConsoleType[] {
    const { maker, spice } = this.#parts
    const spiceTypes: ConsoleType[] = maker.host?.hasSpice ? (spice?.serverListen ? ['spice-html5', 'spice-direct'] : ['spice-html5']) : []
    return ['novnc', 'xvpvnc', 'serial', ...spiceTypes]
  }

  output(uuid: string, lines: number | null): Promise<string> {
    const { guests, files } = this.#parts
    return guests.told(uuid, async () => {
      await guests.existing(uuid)
      return readSerialLog(files.serialLog(uuid), lines)
    })
  }

  /** @throws {GuestError} wrong-state when there is none at present */
  endpoint(uuid: string, type: ConsoleType): Promise<ConsoleEndpoint> {
    const { guests } = this.#parts
    return guests.told(uuid, async () => {
      const domain = await guests.existing(uuid)
      const power = await powerOf(domain)
      const isUp = power === PowerState.running || power === PowerState.paused
      const endpoint = isUp && this.types.includes(type) ? await this.#endpointOf(domain, type) : null
      if (!endpoint) throw new GuestError(uuid, 'wrong-state', `guest ${uuid} has no ${type} console at present`)
      return endpoint
    })
  }

  [Symbol.dispose](): void {
    this.#closed = true
    this.#sweep.cancel()
  }

  /** SPICE may be at a port of the guest's own; `null` when the guest was made without such a console. */
  async #endpointOf(domain: Domain, type: ConsoleType): Promise<ConsoleEndpoint | null> {
    const isSpice = type === 'spice-html5' || type === 'spice-direct'
    const port = isSpice ? spicePortOf(await domain.xml()) : null
    if (port || type === 'spice-direct') return port
    const path = this.#parts.maker.socket(domain.uuid, isSpice ? 'spice' : type === 'serial' ? 'tty' : 'vnc')
    return existsSync(path) ? { kind: 'unix', path } : null
  }

  async #sweepLogs(): Promise<void> {
    const { own, files, log, clock } = this.#parts
    try {
      for (const uuid of own.known.keys()) await capSerialLog(files.serialLog(uuid))
    } catch (error) {
      log.warn({ err: error }, `serial logs were not kept in bounds: ${messageOf(error)}`)
    }
    if (!this.#closed) this.#sweep = clock.after(sweepMs, () => void this.#sweepLogs())
  }
}
