/**
 * All that is told to one guest, read once and kept for `[api] metadata_cache_expiration`: guests ask for a dozen files in
 * a row. What must not be old (whether the server still lives, its password) is read every time.
 */
import { LRUCache } from 'lru-cache'
import type { Ground } from '../../base/ground.ts'
import { apiConfig, Ec2Ids, type GuestDevice, type GuestKey, GuestRecords, type Instance, type Model } from '../model/index.ts'
import { blockDevices, devicesOf } from './devices.ts'
import type { VendorData, VendorDataSource } from './vendor-data.ts'

export type Guest = {
  readonly instance: Instance
  /** With the domain. */
  readonly hostname: string
  /** None or one. */
  readonly keys: readonly GuestKey[]
  readonly userData: Uint8Array | null
  readonly ec2: {
    readonly instance: number
    readonly image: number | null
    readonly kernel: number | null
    readonly ramdisk: number | null
  }
  readonly blockDevices: Readonly<Record<string, string>>
  readonly devices: readonly GuestDevice[]
  readonly vendor: VendorData
}

/** Snapshots kept at a time; the oldest go first. */
const maxKept = 256

export class Guests {
  readonly #model: Model
  readonly #records: GuestRecords
  readonly #ids: Ec2Ids
  readonly #vendor: VendorDataSource
  readonly #domain: string
  readonly #kept: LRUCache<string, Guest> | null

  constructor(ground: Ground & { model: Model; vendor: VendorDataSource }) {
    const { dhcpDomain, metadataCacheExpiration } = ground.config.get(apiConfig)
    this.#model = ground.model
    this.#records = new GuestRecords(ground)
    this.#ids = new Ec2Ids(ground)
    this.#vendor = ground.vendor
    this.#domain = dhcpDomain
    this.#kept =
      metadataCacheExpiration === 0
        ? null
        : new LRUCache({ max: maxKept, ttl: metadataCacheExpiration * 1000, ttlResolution: 0, perf: ground.clock })
  }

  /** Null for a server that never was or was deleted. */
  find(uuid: string): Guest | null {
    if (!this.#records.isLive(uuid)) return null
    const kept = this.#kept?.get(uuid)
    if (kept) return kept
    const instance = this.#model.instances.find(uuid)
    if (!instance) return null
    const guest = this.read(instance)
    this.#kept?.set(uuid, guest)
    return guest
  }

  /** As {@link find}, never from what is kept. */
  read(instance: Instance): Guest {
    const { uuid } = instance
    const disks = this.#records.disks(uuid)
    const hostname = this.#domain === '' ? instance.hostname : `${instance.hostname}.${this.#domain}`
    return {
      instance,
      hostname,
      keys: this.#keys(instance),
      userData: instance.userData === null ? null : Buffer.from(instance.userData, 'base64'),
      ec2: {
        instance: this.#ids.ofInstance(uuid),
        image: this.#imageId(instance.imageId),
        kernel: this.#imageId(instance.kernelId),
        ramdisk: this.#imageId(instance.ramdiskId),
      },
      blockDevices: blockDevices(this.#records.rootDevices(uuid), disks),
      devices: devicesOf(this.#records.devices(uuid), instance.ports, disks),
      vendor: this.#vendor.of({ instance, hostname, bootRoles: this.#model.instances.systemMetadata(uuid).boot_roles ?? '' }),
    }
  }

  #keys({ uuid, keyName, keyData }: Instance): GuestKey[] {
    if (keyName === null) return []
    const [kept] = this.#records.keys(uuid)
    return [kept ?? { name: keyName, type: 'ssh', publicKey: keyData ?? '' }]
  }

  #imageId(id: string | null): number | null {
    return id === null ? null : this.#ids.ofImage(id)
  }
}
