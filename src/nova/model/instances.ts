/**
 * Instances: the rows behind servers. A state moves by compare-and-set, and the loser of a race is told so: one hand at a
 * time on an instance.
 *
 * A list costs a fixed number of queries however long it is: the rows (with flavor, network cache and request spec
 * joined), their metadata, their tags, and the faults of those that show one.
 */
import { randomUUID } from 'node:crypto'
import type { Question } from '../../base/db/index.ts'
import { conflict, notFound } from '../../base/errors.ts'
import type { Ground } from '../../base/ground.ts'
import { BlockDevices } from './block-devices.ts'
import { planDisks } from './disk-plan.ts'
import { embedFlavor } from './embedded-flavors.ts'
import type { Expected, Instance, InstanceChange, InstanceSummary, InstanceViewer, NewInstance, RequestSpec } from './instance.ts'
import { keypairsText } from './instance-extras.ts'
import { InstanceReader } from './instance-reader.ts'
import { type InstancePort, networkInfoText } from './network-info.ts'

export class Instances {
  readonly #db: Ground['db']
  readonly #clock: Ground['clock']
  readonly #reader: InstanceReader

  constructor({ db, clock }: Pick<Ground, 'db' | 'clock'>) {
    this.#db = db
    this.#clock = clock
    this.#reader = new InstanceReader(db)
  }

  /** In the caller's transaction, with its quota check and its saga. */
  insert(instance: NewInstance): string {
    const uuid = instance.uuid ?? randomUUID()
    const disks = instance.disks ?? disksByDefault(instance)
    const now = this.#clock.text()
    this.#db
      .prepare(
        `INSERT INTO instances (created_at, updated_at, deleted, uuid, display_name, display_description, hostname, project_id, user_id, image_ref, kernel_id, ramdisk_id, key_name, key_data, launch_index,
         reservation_id, vm_state, task_state, power_state, memory_mb, vcpus, root_gb, ephemeral_gb, instance_type_id, user_data, config_drive, root_device_name, access_ip_v4, access_ip_v6, auto_disk_config,
         progress, locked, shutdown_terminate, disable_terminate, cleaned, hidden)
         VALUES (@now, @now, 0, @uuid, @name, @description, @hostname, @projectId, @userId, @imageId, @kernelId, @ramdiskId, @keyName, @keyData, @launchIndex, @reservationId, 'building', 'scheduling', 0,
         @memoryMib, @vcpus, @rootGib, @ephemeralGib, @flavorRow, @userData, @configDrive, @rootDeviceName, @accessIpV4, @accessIpV6, @autoDiskConfig, 0, 0, 0, 0, 0, 0)`,
      )
      .run({
        now,
        uuid,
        name: instance.name,
        description: instance.description,
        hostname: instance.hostname,
        projectId: instance.projectId,
        userId: instance.userId,
        imageId: instance.imageId,
        kernelId: instance.kernelId ?? '',
        ramdiskId: instance.ramdiskId ?? '',
        keyName: instance.keyName,
        keyData: instance.keyData,
        launchIndex: instance.launchIndex,
        reservationId: instance.reservationId,
        memoryMib: instance.flavor.memoryMib,
        vcpus: instance.flavor.vcpus,
        rootGib: instance.flavor.rootGib,
        ephemeralGib: instance.flavor.ephemeralGib,
        flavorRow: instance.flavor.id,
        userData: instance.userData,
        configDrive: instance.configDrive ? 'True' : '',
        rootDeviceName: disks[0]?.deviceName ?? null,
        accessIpV4: instance.accessIpV4,
        accessIpV6: instance.accessIpV6,
        autoDiskConfig: instance.autoDiskConfig ? 1 : 0,
      })
    this.#db
      .prepare('INSERT INTO instance_extra (created_at, deleted, instance_uuid, flavor, trusted_certs, keypairs) VALUES (?, 0, ?, ?, ?, ?)')
      .run(
        now,
        uuid,
        embedFlavor(instance.flavor),
        instance.trustedCerts === null ? null : JSON.stringify(instance.trustedCerts),
        keypairsText(keypairOf(instance)),
      )
    this.#db
      .prepare(`INSERT INTO instance_info_caches (created_at, deleted, instance_uuid, network_info) VALUES (?, 0, ?, '[]')`)
      .run(now, uuid)
    this.#db
      .prepare('INSERT INTO request_specs (created_at, instance_uuid, spec) VALUES (?, ?, ?)')
      .run(now, uuid, JSON.stringify(instance.spec))
    new BlockDevices({ db: this.#db, clock: this.#clock }).insert(uuid, disks)
    this.#insertPairs('instance_metadata', uuid, instance.metadata)
    this.#insertPairs('instance_system_metadata', uuid, instance.systemMetadata)
    for (const tag of instance.tags) this.#db.prepare('INSERT INTO tags (resource_id, tag) VALUES (?, ?)').run(uuid, tag)
    return uuid
  }

  find(uuid: string, viewer: InstanceViewer = null, { deleted = false }: { deleted?: boolean } = {}): Instance | null {
    const found = this.#reader.find(uuid)
    if (!found || (found.deleted && !deleted) || (viewer && !viewer.isAdmin && found.projectId !== viewer.projectId)) return null
    return found
  }

  /** @throws {CloudError} `not-found`, also for another project's. */
  get(uuid: string, viewer: InstanceViewer = null, options: { deleted?: boolean } = {}): Instance {
    const found = this.find(uuid, viewer, options)
    if (!found) throw notFound(`Instance ${uuid} could not be found.`)
    return found
  }

  /** Those of a condition, an order and a limit that name columns of `i` alone. */
  list(where: string, parameters: Record<string, unknown>, questions: readonly Question[] = []): Instance[] {
    const statement = this.#db.prepare<{ uuid: string }>(`SELECT i.uuid FROM instances i ${where}`)
    return this.#reader.read(this.#db.answering(questions, () => statement.all(parameters)).map(({ uuid }) => uuid))
  }

  /** What a list without details shows, of the same query. */
  summaries(where: string, parameters: Record<string, unknown>, questions: readonly Question[] = []): InstanceSummary[] {
    const statement = this.#db.prepare<InstanceSummary>(`SELECT i.uuid, i.display_name AS name FROM instances i ${where}`)
    return this.#db.answering(questions, () => statement.all(parameters))
  }

  /** Live instances of a host, or of all. */
  onHost(host: string | null): Instance[] {
    return this.list('WHERE i.deleted = 0 AND (@host IS NULL OR i.host = @host)', { host })
  }

  /**
   * Changes a row if it still stands where the caller saw it.
   * @throws {CloudError} `conflict` when another hand was faster, `not-found` when it is gone.
   */
  update(uuid: string, change: InstanceChange, expected: Expected = {}): void {
    if (this.tryUpdate(uuid, change, expected)) return
    const now = this.#db
      .prepare<{ vm_state: string; task_state: string | null }>('SELECT vm_state, task_state FROM instances WHERE uuid = ? AND deleted = 0')
      .get(uuid)
    if (!now) throw notFound(`Instance ${uuid} could not be found.`)
    throw conflict(
      `Instance ${uuid} is in vm_state ${now.vm_state} and task_state ${now.task_state ?? 'none'}: another request was faster.`,
    )
  }

  /** As {@link update}; false instead of an error. */
  tryUpdate(uuid: string, change: InstanceChange, { vmState, taskState }: Expected = {}): boolean {
    const columns = Object.keys(change)
    const sql = `UPDATE instances SET updated_at = @updated_at${columns.map((column) => `, ${column} = @${column}`).join('')} WHERE uuid = @uuid AND deleted = 0
      ${vmState ? 'AND vm_state IN (SELECT value FROM json_each(@expectedVm))' : ''}
      ${taskState ? "AND coalesce(task_state, '') IN (SELECT coalesce(value, '') FROM json_each(@expectedTask))" : ''}`
    const { changes } = this.#db.prepare(sql).run({
      ...change,
      uuid,
      updated_at: this.#clock.text(),
      ...(vmState ? { expectedVm: JSON.stringify(vmState) } : {}),
      ...(taskState ? { expectedTask: JSON.stringify(taskState) } : {}),
    })
    return changes > 0
  }

  setPorts(uuid: string, ports: readonly InstancePort[]): void {
    this.#db
      .prepare('UPDATE instance_info_caches SET network_info = ?, updated_at = ? WHERE instance_uuid = ?')
      .run(networkInfoText(ports), this.#clock.text(), uuid)
  }

  setSpec(uuid: string, spec: RequestSpec): void {
    this.#db
      .prepare('UPDATE request_specs SET spec = ?, updated_at = ? WHERE instance_uuid = ?')
      .run(JSON.stringify(spec), this.#clock.text(), uuid)
  }

  addFault(uuid: string, fault: { code: number; message: string; details: string | null; host: string | null }): void {
    this.#db
      .prepare(
        'INSERT INTO instance_faults (created_at, updated_at, deleted, instance_uuid, code, message, details, host) VALUES (?, ?, 0, ?, ?, ?, ?, ?)',
      )
      .run(this.#clock.text(), this.#clock.text(), uuid, fault.code, fault.message.slice(0, 255), fault.details, fault.host)
  }

  /** Replaces all metadata. */
  setMetadata(uuid: string, metadata: Readonly<Record<string, string>>): void {
    this.#db.transaction(() => {
      this.#db.prepare('DELETE FROM instance_metadata WHERE instance_uuid = ?').run(uuid)
      this.#insertPairs('instance_metadata', uuid, metadata)
      this.#db.prepare('UPDATE instances SET updated_at = ? WHERE uuid = ?').run(this.#clock.text(), uuid)
    })
  }

  setTags(uuid: string, tags: readonly string[]): void {
    this.#db.transaction(() => {
      this.#db.prepare('DELETE FROM tags WHERE resource_id = ?').run(uuid)
      for (const tag of tags) this.#db.prepare('INSERT INTO tags (resource_id, tag) VALUES (?, ?)').run(uuid, tag)
    })
  }

  systemMetadata(uuid: string): Record<string, string> {
    const rows = this.#db
      .prepare<{ key: string; value: string }>('SELECT key, value FROM instance_system_metadata WHERE instance_uuid = ? AND deleted = 0')
      .all(uuid)
    return Object.fromEntries(rows.map(({ key, value }) => [key, value]))
  }

  /** Adds and changes; a null value removes. */
  setSystemMetadata(uuid: string, change: Readonly<Record<string, string | null>>): void {
    this.#db.transaction(() => {
      for (const [key, value] of Object.entries(change)) {
        this.#db.prepare('DELETE FROM instance_system_metadata WHERE instance_uuid = ? AND key = ?').run(uuid, key)
        if (value !== null) this.#insertPairs('instance_system_metadata', uuid, { [key]: value })
      }
    })
  }

  /** The row stays, as deleted; what hangs on it too. In the caller's transaction. */
  remove(uuid: string): void {
    const now = this.#clock.text()
    const { changes } = this.#db
      .prepare(
        `UPDATE instances SET deleted = id, deleted_at = @now, updated_at = @now, terminated_at = @now, vm_state = 'deleted', task_state = NULL, power_state = 0 WHERE uuid = @uuid AND deleted = 0`,
      )
      .run({ uuid, now })
    if (changes === 0) return
    for (const table of [
      'instance_extra',
      'instance_info_caches',
      'instance_metadata',
      'instance_system_metadata',
      'block_device_mapping',
    ]) {
      this.#db.prepare(`UPDATE ${table} SET deleted = id, deleted_at = @now WHERE instance_uuid = @uuid AND deleted = 0`).run({ uuid, now })
    }
    this.#db.prepare(`UPDATE instance_info_caches SET network_info = '[]' WHERE instance_uuid = ?`).run(uuid)
    this.#db.prepare('DELETE FROM console_auth_tokens WHERE instance_uuid = ?').run(uuid)
    this.#db.prepare('DELETE FROM instance_group_member WHERE instance_uuid = ?').run(uuid)
    this.#db.prepare('DELETE FROM tags WHERE resource_id = ?').run(uuid)
  }

  /** The name under which hypervisors know it. */
  static hypervisorName({ id }: { id: number }): string {
    return `instance-${id.toString(16).padStart(8, '0')}`
  }

  #insertPairs(table: 'instance_metadata' | 'instance_system_metadata', uuid: string, pairs: Readonly<Record<string, string>>): void {
    const now = this.#clock.text()
    for (const [key, value] of Object.entries(pairs)) {
      this.#db
        .prepare(`INSERT INTO ${table} (created_at, deleted, instance_uuid, key, value) VALUES (?, 0, ?, ?, ?)`)
        .run(now, uuid, key, value)
    }
  }
}

const keypairOf = ({ keyName, keyData, keyType }: NewInstance) =>
  keyName === null ? null : { name: keyName, publicKey: keyData ?? '', type: keyType ?? 'ssh' }

/** Those of image and flavor alone. */
const disksByDefault = ({ imageId, flavor }: NewInstance) => planDisks({ imageId, bus: undefined, flavor, mapped: null, maxLocal: -1 })
