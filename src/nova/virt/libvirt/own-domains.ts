/**
 * Which of a daemon's domains are this cloud's: their names begin with the cloud's prefix, and their description names it. What other
 * clouds and people have there is never listed and never touched.
 */
import { type Domain, ListDomainsFlags, XmlFlags } from '../../../node-libvirt/index.ts'
import { GuestError } from '../driver.ts'
import { checkedUuid } from '../text.ts'
import { domainName } from './domain-xml.ts'
import { isLibvirt } from './errors.ts'
import { readOwner } from './host-facts.ts'
import type { Session } from './session.ts'

export class OwnDomains {
  readonly #session: Session
  readonly #cloud: string
  /** Instances' names by uuid, as far as they have been looked up. */
  readonly #names = new Map<string, string>()

  constructor(session: Session, cloud: string) {
    this.#session = session
    this.#cloud = cloud
  }

  /** Those that are known to be ours without asking. */
  get known(): ReadonlyMap<string, string> {
    return this.#names
  }

  remember(uuid: string, name: string): void {
    this.#names.set(uuid, name)
  }

  forget(uuid: string): void {
    this.#names.delete(uuid)
  }

  /** Whether it could be, by its name. */
  mayBeOwn(name: string): boolean {
    return name.startsWith(domainName(this.#cloud, ''))
  }

  /** @throws {GuestError} when another cloud or person has a domain of this uuid */
  async find(uuid: string): Promise<{ domain: Domain; name: string } | null> {
    const connection = await this.#session.use()
    try {
      const domain = await connection.lookupByUuid(checkedUuid(uuid))
      const name = await this.#ownName(domain)
      if (name !== null) return { domain, name }
    } catch (error) {
      if (isLibvirt(error, 'NO_DOMAIN')) return null
      throw error
    }
    throw new GuestError(uuid, 'failed', `libvirt has a domain ${uuid} that is not of this cloud`)
  }

  async all(): Promise<{ domain: Domain; name: string }[]> {
    const connection = await this.#session.use()
    const domains = await connection.listDomains(ListDomainsFlags.active | ListDomainsFlags.inactive)
    const own = await Promise.all(
      domains.map(async (domain) => {
        try {
          const name = await this.#ownName(domain)
          return name === null ? [] : [{ domain, name }]
        } catch (error) {
          if (isLibvirt(error, 'NO_DOMAIN')) return []
          throw error
        }
      }),
    )
    return own.flat()
  }

  async #ownName(domain: Domain): Promise<string | null> {
    const known = this.#names.get(domain.uuid)
    if (known !== undefined) return known
    if (!this.mayBeOwn(domain.name)) return null
    const owner = readOwner(await domain.xml(XmlFlags.inactive))
    if (owner?.cloud !== this.#cloud) return null
    this.remember(domain.uuid, owner.name)
    return owner.name
  }
}
