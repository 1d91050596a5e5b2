/** What may be done to a guest's power in which state: each is told the domain in its turn, and does nothing where nothing is to do. */
import type { Domain } from '../../../node-libvirt/index.ts'
import { PowerState } from '../driver.ts'
import type { Announcer } from './announcer.ts'
import { type Guests, startEchoes, wrongState } from './guests.ts'
import { powerOf } from './power.ts'

export class PowerActions {
  readonly #guests: Guests
  readonly #announcer: Announcer

  constructor({ guests, announcer }: { guests: Guests; announcer: Announcer }) {
    this.#guests = guests
    this.#announcer = announcer
  }

  /** @throws {GuestError} wrong-state, as all but {@link reboot} */
  async on(domain: Domain): Promise<void> {
    const power = await powerOf(domain)
    if (power === PowerState.running) return
    if (power === PowerState.paused) throw wrongState(domain.uuid, 'paused', 'power on')
    await this.#guests.start(domain, power === PowerState.suspended ? ['agent-disconnected'] : startEchoes)
  }

  /** At once when `graceMs` is 0. */
  async reboot(domain: Domain, graceMs: number): Promise<void> {
    const { uuid } = domain
    const ran = (await powerOf(domain)) === PowerState.running
    await this.#announcer.quietly(uuid, ran ? ['stopped', 'started', ...startEchoes] : startEchoes, async () => {
      await this.#guests.stop(domain, graceMs)
      await domain.start()
    })
    if (ran) this.#announcer.tell(uuid, 'rebooted')
  }

  async pause(domain: Domain): Promise<void> {
    const power = await powerOf(domain)
    if (power === PowerState.paused) return
    if (power !== PowerState.running) throw wrongState(domain.uuid, 'not running', 'pause')
    await domain.suspend()
  }

  async unpause(domain: Domain): Promise<void> {
    const power = await powerOf(domain)
    if (power === PowerState.running) return
    if (power !== PowerState.paused) throw wrongState(domain.uuid, 'not paused', 'unpause')
    await domain.resume()
  }

  async suspend(domain: Domain): Promise<void> {
    const power = await powerOf(domain)
    if (power === PowerState.suspended) return
    if (power !== PowerState.running) throw wrongState(domain.uuid, 'not running', 'suspend')
    await this.#announcer.quietly(domain.uuid, ['paused'], () => domain.managedSave())
  }

  async resume(domain: Domain): Promise<void> {
    const power = await powerOf(domain)
    if (power === PowerState.running) return
    if (power !== PowerState.suspended) throw wrongState(domain.uuid, 'not suspended', 'resume')
    await this.#guests.start(domain, ['agent-disconnected'])
  }
}
