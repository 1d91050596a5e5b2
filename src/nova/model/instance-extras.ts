/**
 * What hangs on an instance and changes seldom: its key pair, its certificates, the image under its root disk, and the
 * flavors of a resize, of which the old one stays until the new one is confirmed.
 */
import type { Ground } from '../../base/ground.ts'
import { BlockDevices } from './block-devices.ts'
import { type InstanceDisk, refit } from './disk-plan.ts'
import { flavorsIn, flavorsText, type HeldFlavors } from './embedded-flavors.ts'
import type { Flavor } from './flavors.ts'

export class InstanceExtras {
  readonly #db: Ground['db']
  readonly #clock: Ground['clock']

  constructor({ db, clock }: Pick<Ground, 'db' | 'clock'>) {
    this.#db = db
    this.#clock = clock
  }

  setTrustedCerts(uuid: string, certs: readonly string[] | null): void {
    this.#set(uuid, 'trusted_certs', certs === null ? null : JSON.stringify(certs))
  }

  /** The key pair that the guest reads; its name and text are columns of the instance too. */
  setKeypair(uuid: string, keypair: { name: string; publicKey: string; type: string } | null): void {
    this.#set(uuid, 'keypairs', keypairsText(keypair))
  }

  /** What the root disk begins as. */
  setRootImage(uuid: string, imageId: string): void {
    this.#db
      .prepare('UPDATE block_device_mapping SET image_id = ?, updated_at = ? WHERE instance_uuid = ? AND boot_index = 0 AND deleted = 0')
      .run(imageId, this.#clock.text(), uuid)
  }

  rootImage(uuid: string): string | null {
    const row = this.#db
      .prepare<{ id: string | null }>(
        'SELECT image_id AS id FROM block_device_mapping WHERE instance_uuid = ? AND boot_index = 0 AND deleted = 0',
      )
      .get(uuid)
    return row?.id ?? null
  }

  /** Images that live servers' disks stand on, or will when they are built anew. */
  imagesInUse(): Set<string> {
    const rows = this.#db
      .prepare<{ id: string }>(
        `SELECT image_ref AS id FROM instances WHERE deleted = 0 UNION SELECT kernel_id FROM instances WHERE deleted = 0
         UNION SELECT ramdisk_id FROM instances WHERE deleted = 0 UNION SELECT image_id FROM block_device_mapping WHERE deleted = 0
         UNION SELECT value FROM instance_system_metadata WHERE deleted = 0 AND key LIKE 'rescue\\_%\\_id' ESCAPE '\\'`,
      )
      .all()
    return new Set(rows.flatMap(({ id }) => (id ? [id] : [])))
  }

  /** A server's disks as they are, or will be, under a flavor. */
  disksUnder(uuid: string, flavor: Flavor): InstanceDisk[] {
    const { old, current } = this.flavors(uuid)
    return refit(new BlockDevices({ db: this.#db, clock: this.#clock }).disks(uuid), old ?? current, flavor)
  }

  flavors(uuid: string): HeldFlavors {
    const row = this.#db.prepare<{ flavor: string }>('SELECT flavor FROM instance_extra WHERE instance_uuid = ? AND deleted = 0').get(uuid)
    if (!row) throw new Error(`instance ${uuid} has no flavor`)
    return flavorsIn(row.flavor)
  }

  /**
   * Also the instance's own columns of size, which quotas and lists read, and its disks, which keep the old flavor's sizes as long
   * as there is one to go back to. In the caller's transaction.
   */
  setFlavors(uuid: string, flavors: HeldFlavors): void {
    const before = this.flavors(uuid)
    const [from, to] = [before.old ?? before.current, flavors.old ?? flavors.current]
    if (from.ephemeralGib !== to.ephemeralGib || from.swapMib !== to.swapMib)
      new BlockDevices({ db: this.#db, clock: this.#clock }).refit(uuid, from, to)
    this.#set(uuid, 'flavor', flavorsText(flavors))
    const { id, vcpus, memoryMib, rootGib, ephemeralGib }: Flavor = flavors.current
    this.#db
      .prepare(
        `UPDATE instances SET instance_type_id = @id, vcpus = @vcpus, memory_mb = @memoryMib, root_gb = @rootGib, ephemeral_gb = @ephemeralGib
         WHERE uuid = @uuid AND deleted = 0`,
      )
      .run({ uuid, id, vcpus, memoryMib, rootGib, ephemeralGib })
  }

  #set(uuid: string, column: 'trusted_certs' | 'keypairs' | 'flavor', text: string | null): void {
    this.#db
      .prepare(`UPDATE instance_extra SET ${column} = ?, updated_at = ? WHERE instance_uuid = ? AND deleted = 0`)
      .run(text, this.#clock.text(), uuid)
  }
}

/** A list of key pairs as Nova serialises it. */
export function keypairsText(keypair: { name: string; publicKey: string; type: string } | null): string {
  const objects =
    keypair === null
      ? []
      : [{ 'nova_object.name': 'KeyPair', 'nova_object.data': { name: keypair.name, public_key: keypair.publicKey, type: keypair.type } }]
  return JSON.stringify({
    'nova_object.name': 'KeyPairList',
    'nova_object.namespace': 'nova',
    'nova_object.version': '1.3',
    'nova_object.data': { objects },
  })
}
