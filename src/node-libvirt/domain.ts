/**
 * A domain: libvirt's word for a virtual machine. The object is a handle; the daemon knows the domain by its UUID.
 *
 * Sizes say their unit in their name; flags are the tables of constants.ts. Every method throws LibvirtError when the daemon
 * refuses (NO_DOMAIN once the domain is gone) and ConnectionLost when the connection ends first.
 *
 * @see https://libvirt.org/html/libvirt-libvirt-domain.html
 */

import { BlockJobs } from './block-jobs.ts'
import type { Connection } from './connection.ts'
import type { DomainState } from './constants.ts'
import { procedures } from './procedures.ts'
import type { DomainRef, TypedParam } from './protocol.ts'
import { DomainSnapshot } from './snapshot.ts'
import type { Stream } from './streams.ts'

export type DomainInfo = { state: DomainState; maxMemoryKib: number; memoryKib: number; vcpus: number; cpuTimeNs: number }
export type InterfaceAddresses = { name: string; mac: string | null; addresses: { type: number; address: string; prefix: number }[] }
export type MigrateOptions = {
  /** The other daemon, as this one reaches it. */
  destinationUri: string
  flags: number
  /** Such as `migrate_uri`, `destination_xml`, `bandwidth`, `migrate_disks` (once for each disk). */
  params?: TypedParam[]
}

export class Domain {
  readonly #connection: Connection
  #ref: DomainRef
  /** Copies, commits and pulls of the domain's disks. */
  readonly blockJobs: BlockJobs

  constructor(connection: Connection, ref: DomainRef) {
    this.#connection = connection
    this.#ref = ref
    this.blockJobs = new BlockJobs(connection, ref)
  }

  get uuid(): string {
    return this.#ref.uuid
  }

  get name(): string {
    return this.#ref.name
  }

  /** As of when the handle was made or started the domain; -1 when it wasn't running. */
  get id(): number {
    return this.#ref.id
  }

  get ref(): DomainRef {
    return this.#ref
  }

  get #on(): { domain: DomainRef } {
    return { domain: this.#ref }
  }

  async start(flags = 0): Promise<void> {
    this.#ref = (await this.#connection.call(procedures.domainCreateWithFlags, { ...this.#on, flags })).domain
  }

  /** Asks the guest to go down; it may take its time, or not listen. */
  async shutdown(flags = 0): Promise<void> {
    await this.#connection.call(procedures.domainShutdownFlags, { ...this.#on, flags })
  }

  async reboot(flags = 0): Promise<void> {
    await this.#connection.call(procedures.domainReboot, { ...this.#on, flags })
  }

  async reset(): Promise<void> {
    await this.#connection.call(procedures.domainReset, { ...this.#on, flags: 0 })
  }

  async suspend(): Promise<void> {
    await this.#connection.call(procedures.domainSuspend, this.#on)
  }

  async resume(): Promise<void> {
    await this.#connection.call(procedures.domainResume, this.#on)
  }

  /** Stops the domain and keeps its memory in a file, from which the next start goes on. */
  async managedSave(flags = 0): Promise<void> {
    await this.#connection.call(procedures.domainManagedSave, { ...this.#on, flags })
  }

  async hasManagedSave(): Promise<boolean> {
    return (await this.#connection.call(procedures.domainHasManagedSaveImage, { ...this.#on, flags: 0 })).result
  }

  async managedSaveRemove(): Promise<void> {
    await this.#connection.call(procedures.domainManagedSaveRemove, { ...this.#on, flags: 0 })
  }

  /** Pulls the plug. */
  async destroy(flags = 0): Promise<void> {
    await this.#connection.call(procedures.domainDestroyFlags, { ...this.#on, flags })
  }

  async undefine(flags = 0): Promise<void> {
    await this.#connection.call(procedures.domainUndefineFlags, { ...this.#on, flags })
  }

  async attachDevice(xml: string, flags: number): Promise<void> {
    await this.#connection.call(procedures.domainAttachDeviceFlags, { ...this.#on, xml, flags })
  }

  /** From a running guest this only asks; a device-removed event tells when the guest has let go. */
  async detachDevice(xml: string, flags: number): Promise<void> {
    await this.#connection.call(procedures.domainDetachDeviceFlags, { ...this.#on, xml, flags })
  }

  async detachDeviceAlias(alias: string, flags: number): Promise<void> {
    await this.#connection.call(procedures.domainDetachDeviceAlias, { ...this.#on, alias, flags })
  }

  async updateDevice(xml: string, flags: number): Promise<void> {
    await this.#connection.call(procedures.domainUpdateDeviceFlags, { ...this.#on, xml, flags })
  }

  async xml(flags = 0): Promise<string> {
    return (await this.#connection.call(procedures.domainGetXmlDesc, { ...this.#on, flags })).xml
  }

  async state(): Promise<{ state: DomainState; reason: number }> {
    const { state, reason } = await this.#connection.call(procedures.domainGetState, { ...this.#on, flags: 0 })
    return { state: state as DomainState, reason }
  }

  async info(): Promise<DomainInfo> {
    const info = await this.#connection.call(procedures.domainGetInfo, this.#on)
    return { ...info, state: info.state as DomainState }
  }

  async isActive(): Promise<boolean> {
    return (await this.#connection.call(procedures.domainIsActive, this.#on)).active
  }

  async isPersistent(): Promise<boolean> {
    return (await this.#connection.call(procedures.domainIsPersistent, this.#on)).persistent
  }

  /** @param stats groups, see StatsTypes; 0 for all */
  async stats(stats = 0, flags = 0): Promise<TypedParam[]> {
    const { records } = await this.#connection.call(procedures.connectGetAllDomainStats, { domains: [this.#ref], stats, flags })
    return records[0]?.params ?? []
  }

  /** @param disk target (`vda`) or path @param size in bytes */
  async blockResize(disk: string, size: number, flags: number): Promise<void> {
    await this.#connection.call(procedures.domainBlockResize, { ...this.#on, disk, size, flags })
  }

  /** Bytes. */
  async blockInfo(disk: string): Promise<{ allocation: number; capacity: number; physical: number }> {
    return this.#connection.call(procedures.domainGetBlockInfo, { ...this.#on, disk, flags: 0 })
  }

  async blockStats(disk: string) {
    return this.#connection.call(procedures.domainBlockStats, { ...this.#on, disk })
  }

  async interfaceStats(device: string) {
    return this.#connection.call(procedures.domainInterfaceStats, { ...this.#on, device })
  }

  /** KiB (or counts) by MemoryStatTag. */
  async memoryStats(): Promise<{ tag: number; value: number }[]> {
    return (await this.#connection.call(procedures.domainMemoryStats, { ...this.#on, max: 32, flags: 0 })).stats
  }

  async vcpus(): Promise<{ number: number; state: number; cpuTimeNs: number; cpu: number }[]> {
    const { vcpus } = await this.info()
    return (await this.#connection.call(procedures.domainGetVcpus, { ...this.#on, max: vcpus, mapBytes: 0 })).vcpus
  }

  async setVcpus(vcpus: number, flags: number): Promise<void> {
    await this.#connection.call(procedures.domainSetVcpusFlags, { ...this.#on, vcpus, flags })
  }

  async vcpuCount(flags = 0): Promise<number> {
    return (await this.#connection.call(procedures.domainGetVcpusFlags, { ...this.#on, flags })).count
  }

  async setMemory(memoryKib: number, flags: number): Promise<void> {
    await this.#connection.call(procedures.domainSetMemoryFlags, { ...this.#on, memoryKib, flags })
  }

  async createSnapshot(xml: string, flags = 0): Promise<DomainSnapshot> {
    const { snapshot } = await this.#connection.call(procedures.domainSnapshotCreateXml, { ...this.#on, xml, flags })
    return new DomainSnapshot(this.#connection, snapshot)
  }

  async listSnapshots(flags = 0): Promise<DomainSnapshot[]> {
    const { snapshots } = await this.#connection.call(procedures.domainListAllSnapshots, { ...this.#on, needResults: 1, flags })
    return snapshots.map((ref) => new DomainSnapshot(this.#connection, ref))
  }

  /** @throws {LibvirtError} NO_DOMAIN_SNAPSHOT */
  async snapshot(name: string): Promise<DomainSnapshot> {
    const { snapshot } = await this.#connection.call(procedures.domainSnapshotLookupByName, { ...this.#on, name, flags: 0 })
    return new DomainSnapshot(this.#connection, snapshot)
  }

  /** A picture of a screen, whole in memory. */
  async screenshot(screen = 0): Promise<{ mime: string; data: Buffer }> {
    const { result, stream } = await this.#connection.openStream(procedures.domainScreenshot, { ...this.#on, screen, flags: 0 })
    const chunks: Buffer[] = []
    for await (const chunk of stream) chunks.push(chunk)
    return { mime: result.mime ?? 'application/octet-stream', data: Buffer.concat(chunks) }
  }

  /** Both directions of a serial device. @param device alias such as `serial0`; the first console when null */
  async openConsole(device: string | null = null, flags = 0): Promise<Stream> {
    return (await this.#connection.openStream(procedures.domainOpenConsole, { ...this.#on, device, flags })).stream
  }

  /** Copies the running guest to another daemon, daemon to daemon; resolves when it runs there. */
  async migrate({ destinationUri, flags, params = [] }: MigrateOptions): Promise<void> {
    const args = { ...this.#on, destination: destinationUri, params, cookie: Buffer.alloc(0), flags }
    await this.#connection.call(procedures.domainMigratePerform3Params, args)
  }

  async migrateSetMaxDowntime(downtimeMs: number): Promise<void> {
    await this.#connection.call(procedures.domainMigrateSetMaxDowntime, { ...this.#on, downtimeMs, flags: 0 })
  }

  async migrateStartPostCopy(): Promise<void> {
    await this.#connection.call(procedures.domainMigrateStartPostCopy, { ...this.#on, flags: 0 })
  }

  async jobStats(flags = 0): Promise<{ type: number; params: TypedParam[] }> {
    return this.#connection.call(procedures.domainGetJobStats, { ...this.#on, flags })
  }

  async abortJob(): Promise<void> {
    await this.#connection.call(procedures.domainAbortJob, this.#on)
  }

  /**
   * Starts a copy of disks as they are at this moment; a job-completed event and {@link jobStats} tell its end.
   * @see https://libvirt.org/formatbackup.html
   */
  async backupBegin(xml: string, flags = 0): Promise<void> {
    await this.#connection.call(procedures.domainBackupBegin, { ...this.#on, xml, checkpointXml: null, flags })
  }

  /** @param command JSON for the guest agent @param timeoutS -2 waits for ever, -1 as long as libvirt likes, 0 not at all */
  async agentCommand(command: string, timeoutS: number): Promise<string> {
    const args = { ...this.#on, command, timeoutS, flags: 0 }
    return (await this.#connection.call(procedures.qemuDomainAgentCommand, args)).result ?? ''
  }

  /** @param command JSON for QEMU's monitor, or its human language with flag 1 */
  async monitorCommand(command: string, flags = 0): Promise<string> {
    return (await this.#connection.call(procedures.qemuDomainMonitorCommand, { ...this.#on, command, flags })).result
  }

  async setUserPassword(user: string, password: string, flags = 0): Promise<void> {
    await this.#connection.call(procedures.domainSetUserPassword, { ...this.#on, user, password, flags })
  }

  async interfaceAddresses(source: number): Promise<InterfaceAddresses[]> {
    return (await this.#connection.call(procedures.domainInterfaceAddresses, { ...this.#on, source, flags: 0 })).interfaces
  }

  /** @param metadata null removes it @param key and @param uri the XML namespace, for an element */
  async setMetadata(type: number, metadata: string | null, key: string | null, uri: string | null, flags = 0): Promise<void> {
    await this.#connection.call(procedures.domainSetMetadata, { ...this.#on, type, metadata, key, uri, flags })
  }

  /** @throws {LibvirtError} NO_DOMAIN_METADATA */
  async metadata(type: number, uri: string | null = null, flags = 0): Promise<string> {
    return (await this.#connection.call(procedures.domainGetMetadata, { ...this.#on, type, uri, flags })).metadata
  }

  async autostart(): Promise<boolean> {
    return (await this.#connection.call(procedures.domainGetAutostart, this.#on)).autostart
  }

  async setAutostart(autostart: boolean): Promise<void> {
    await this.#connection.call(procedures.domainSetAutostart, { ...this.#on, autostart })
  }

  /** @returns how many file systems the guest agent froze */
  async fsFreeze(mountpoints: string[] = []): Promise<number> {
    return (await this.#connection.call(procedures.domainFsFreeze, { ...this.#on, mountpoints, flags: 0 })).count
  }

  async fsThaw(mountpoints: string[] = []): Promise<number> {
    return (await this.#connection.call(procedures.domainFsThaw, { ...this.#on, mountpoints, flags: 0 })).count
  }

  async sendKey(codeset: number, keys: number[], holdMs = 0): Promise<void> {
    await this.#connection.call(procedures.domainSendKey, { ...this.#on, codeset, holdMs, keys, flags: 0 })
  }

  /** The button that makes a guest's kernel dump itself. */
  async injectNmi(): Promise<void> {
    await this.#connection.call(procedures.domainInjectNmi, { ...this.#on, flags: 0 })
  }
}
