/**
 * A copy of each guest's definition beside its disks. A host that was set up anew has lost libvirt's own; as long as the data directory is
 * there, whatever is asked of a guest defines it again.
 */
import { readFile, rename, writeFile } from 'node:fs/promises'
import { messageOf } from '../../../base/errors.ts'
import type { Log } from '../../../base/log.ts'
import { type Domain, XmlFlags } from '../../../node-libvirt/index.ts'
import { type GuestInfo, PowerState } from '../driver.ts'
import { isUuid } from '../text.ts'
import type { InstanceFiles } from './disks.ts'
import { readOwner } from './host-facts.ts'
import type { Session } from './session.ts'

type Parts = { files: InstanceFiles; session: Session; log: Log }

export class KeptDefinitions {
  readonly #parts: Parts

  constructor(parts: Parts) {
    this.#parts = parts
  }

  /** As it is now; whole or not at all. A copy that cannot be made hinders nobody. */
  async keep(domain: Domain): Promise<void> {
    const { files, log } = this.#parts
    const path = files.definition(domain.uuid)
    try {
      await writeFile(`${path}.new`, await domain.xml(XmlFlags.inactive | XmlFlags.secure), { mode: 0o600 })
      await rename(`${path}.new`, path)
    } catch (error) {
      log.warn({ err: error, uuid: domain.uuid }, `a guest's definition was not copied: ${messageOf(error)}`)
    }
  }

  /** A guest that libvirt does not know, by its copy. */
  async lost(uuid: string): Promise<GuestInfo | null> {
    const xml = await this.#read(uuid)
    const owner = xml === null ? null : readOwner(xml)
    return owner && { uuid, name: owner.name, power: PowerState.noState }
  }

  /** Those of all guests that have a copy and are not among the `known`. */
  async lostBut(known: readonly string[]): Promise<GuestInfo[]> {
    const { uuids } = await this.#parts.files.all()
    const lost = uuids.filter((uuid) => isUuid(uuid) && !known.includes(uuid)).map((uuid) => this.lost(uuid))
    return (await Promise.all(lost)).filter((each) => each !== null)
  }

  /** Defines anew what libvirt does not know. @returns whether there was a copy. @throws what libvirt says to it */
  async restore(uuid: string): Promise<boolean> {
    const { session, log } = this.#parts
    const xml = await this.#read(uuid)
    if (xml === null) return false
    await (await session.use()).defineXml(xml)
    log.warn({ uuid }, 'libvirt had lost a guest: it is defined anew')
    return true
  }

  async #read(uuid: string): Promise<string | null> {
    return readFile(this.#parts.files.definition(uuid), 'utf8').catch(() => null)
  }
}
