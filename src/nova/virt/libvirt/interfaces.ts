/**
 * Network interfaces that come and go. They are changed in the running guest first and then in its definition, so that what a guest
 * doesn't let go of stays in both.
 */
import { type Domain, DeviceModifyFlags as Modify, XmlFlags } from '../../../node-libvirt/index.ts'
import { GuestError, type Interfaces, PowerState } from '../driver.ts'
import type { NicSpec } from '../specs.ts'
import { type Element, macOf, nicsOf, parseElement, printElement } from './definition.ts'
import type { InstanceFiles } from './disks.ts'
import { nicXml } from './domain-xml.ts'
import { isLibvirt } from './errors.ts'
import type { EventWaits } from './event-waits.ts'
import { type Guests, wrongState } from './guests.ts'
import type { KeptDefinitions } from './kept-definitions.ts'
import { powerOf } from './power.ts'

/** A guest that still boots doesn't hear the first request. */
const tries = 4
const tryMs = 5_000

type Parts = { guests: Guests; files: InstanceFiles; waits: EventWaits; kept: KeptDefinitions; maxQueues: number }

export class GuestInterfaces implements Interfaces {
  readonly #parts: Parts

  constructor(parts: Parts) {
    this.#parts = parts
  }

  attach(uuid: string, nic: NicSpec): Promise<void> {
    return this.#parts.guests.on(uuid, async (domain) => {
      const active = await this.#settled(domain, 'attaching an interface')
      const { xml } = nicXml(nic, this.#parts.maxQueues)
      if (active && !(await find(domain, nic.mac, 0))) await attachLive(domain, xml)
      if (!(await find(domain, nic.mac, XmlFlags.inactive))) await domain.attachDevice(xml, Modify.config)
      await this.#parts.kept.keep(domain)
    })
  }

  detach(uuid: string, mac: string): Promise<void> {
    return this.#parts.guests.on(uuid, async (domain) => {
      if (await this.#settled(domain, 'detaching an interface')) await this.#detachLive(domain, mac)
      const nic = await find(domain, mac, XmlFlags.inactive)
      if (nic) await domain.detachDevice(printElement(nic), Modify.config)
      await this.#parts.kept.keep(domain)
    })
  }

  /**
   * @returns whether a guest's process is there to be changed too
   * @throws {GuestError} wrong-state while saved memory knows other devices, or a rescue or resize is pending whose end would undo the change
   */
  async #settled(domain: Domain, action: string): Promise<boolean> {
    const pending = this.#parts.files.pending(domain.uuid)
    if (pending) throw wrongState(domain.uuid, pending, action)
    if ((await powerOf(domain)) === PowerState.suspended) throw wrongState(domain.uuid, 'suspended', action)
    return domain.isActive()
  }

  async #detachLive(domain: Domain, mac: string): Promise<void> {
    const gone = async () => (await find(domain, mac, 0)) === undefined
    for (let nth = 1; nth <= tries; nth++) {
      const nic = await find(domain, mac, 0)
      if (!nic) return
      try {
        await domain.detachDevice(printElement(nic), Modify.live)
      } catch (error) {
        // Asked before and not let go yet; or let go since we looked.
        if (nth === 1 && !isLibvirt(error, 'DEVICE_MISSING', 'OPERATION_FAILED')) throw error
      }
      if (await this.#parts.waits.until(domain.uuid, gone, tryMs)) return
    }
    throw new GuestError(domain.uuid, 'failed', `guest ${domain.uuid} did not let go of the interface ${mac}`)
  }
}

/** @throws {GuestError} no-resources when all the guest's slots are taken */
async function attachLive(domain: Domain, xml: string): Promise<void> {
  try {
    await domain.attachDevice(xml, Modify.live)
  } catch (cause) {
    if (!/no more available PCI slots/i.test(String(cause))) throw cause
    throw new GuestError(domain.uuid, 'no-resources', `guest ${domain.uuid} has no slot left for an interface`, { cause })
  }
}

async function find(domain: Domain, mac: string, flags: number): Promise<Element | undefined> {
  return nicsOf(parseElement(await domain.xml(flags))).find((nic) => macOf(nic) === mac.toLowerCase())
}
