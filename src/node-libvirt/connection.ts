/**
 * A connection to a hypervisor's daemon: the node, its domains, networks and pools, and events.
 *
 * With `reconnect` it outlives the daemon; see link.ts for what happens to calls and events meanwhile.
 *
 * @see https://libvirt.org/html/libvirt-libvirt-host.html
 */
import type { CallOptions } from './channel.ts'
import { Domain } from './domain.ts'
import type { DomainEvent } from './events.ts'
import { type ConnectionState, type ConnectOptions, Link } from './link.ts'
import { Network } from './network.ts'
import { procedures } from './procedures.ts'
import type { Procedure, TypedParam } from './protocol.ts'
import { StoragePool } from './storage.ts'
import type { Stream } from './streams.ts'

export type NodeInfo = {
  model: string
  memoryKib: number
  cpus: number
  mhz: number
  nodes: number
  sockets: number
  cores: number
  threads: number
}
export type DomainStats = { domain: Domain; params: TypedParam[] }

/**
 * @throws {TypeError} when the URI is not one
 * @throws {ConnectionLost} when nobody answers there
 * @throws {LibvirtError} when the daemon refuses us or has no such driver
 */
export async function connect(options: ConnectOptions): Promise<Connection> {
  const link = new Link(options)
  await link.open()
  return new Connection(link)
}

export class Connection implements AsyncDisposable {
  readonly #link: Link

  /** Use {@link connect}. */
  constructor(link: Link) {
    this.#link = link
  }

  get uri(): string {
    return this.#link.options.uri
  }

  get connected(): boolean {
    return this.#link.connected
  }

  /** Ends the connection for good. What is still under way fails with {@link ConnectionLost}. */
  close(): Promise<void> {
    return this.#link.close()
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  /**
   * Hears of domains from now on, also after a reconnection. The daemon is told on first use, which takes a moment:
   * see {@link eventsReady}.
   * @returns how to stop hearing
   */
  onEvent(listener: (event: DomainEvent) => void): () => void {
    return this.#link.hub.subscribe(listener)
  }

  /**
   * Resolves when the daemon has been told to send events: what it does later is heard.
   * @throws {LibvirtError} when the daemon refused
   */
  eventsReady(): Promise<void> {
    return this.#link.hub.ready()
  }

  /** @returns how to stop hearing */
  onConnection(listener: (state: ConnectionState) => void): () => void {
    return this.#link.onConnection(listener)
  }

  /**
   * Any call of the protocol.
   * @throws {LibvirtError} what the daemon answered, or OPERATION_TIMEOUT when it took too long to
   * @throws {ConnectionLost} when the connection ended first
   * @throws {XdrError} when the arguments don't fit the protocol, or the answer doesn't
   */
  call<A, R>(procedure: Procedure<A, R>, args: A, options?: CallOptions): Promise<R> {
    return this.#link.call(procedure, args, options)
  }

  /** Any call of the protocol that opens a stream; throws what {@link call} does. */
  openStream<A, R>(procedure: Procedure<A, R>, args: A, options?: CallOptions): Promise<{ result: R; stream: Stream }> {
    return this.#link.openStream(procedure, args, options)
  }

  async listDomains(flags = 0): Promise<Domain[]> {
    const { domains } = await this.call(procedures.connectListAllDomains, { needResults: 1, flags })
    return domains.map((ref) => new Domain(this, ref))
  }

  /** @throws {LibvirtError} NO_DOMAIN */
  async lookupByUuid(uuid: string): Promise<Domain> {
    return new Domain(this, (await this.call(procedures.domainLookupByUuid, { uuid })).domain)
  }

  /** @throws {LibvirtError} NO_DOMAIN */
  async lookupByName(name: string): Promise<Domain> {
    return new Domain(this, (await this.call(procedures.domainLookupByName, { name })).domain)
  }

  /** @throws {LibvirtError} NO_DOMAIN */
  async lookupById(id: number): Promise<Domain> {
    return new Domain(this, (await this.call(procedures.domainLookupById, { id })).domain)
  }

  /** Makes a domain known, or changes what is known of it for its next start. */
  async defineXml(xml: string, flags = 0): Promise<Domain> {
    return new Domain(this, (await this.call(procedures.domainDefineXmlFlags, { xml, flags })).domain)
  }

  /** Starts a domain that is forgotten when it stops. */
  async createXml(xml: string, flags = 0): Promise<Domain> {
    return new Domain(this, (await this.call(procedures.domainCreateXml, { xml, flags })).domain)
  }

  /** @param only the domains asked about; all when empty @param stats groups, see StatsTypes; 0 for all */
  async allDomainStats(stats = 0, flags = 0, only: readonly Domain[] = []): Promise<DomainStats[]> {
    const { records } = await this.call(procedures.connectGetAllDomainStats, { domains: only.map((domain) => domain.ref), stats, flags })
    return records.map(({ domain, params }) => ({ domain: new Domain(this, domain), params }))
  }

  async capabilities(): Promise<string> {
    return (await this.call(procedures.connectGetCapabilities, undefined)).xml
  }

  async domainCapabilities(wanted: { emulator?: string; arch?: string; machine?: string; virtType?: string } = {}): Promise<string> {
    const { emulator = null, arch = null, machine = null, virtType = null } = wanted
    return (await this.call(procedures.connectGetDomainCapabilities, { emulator, arch, machine, virtType, flags: 0 })).xml
  }

  async nodeInfo(): Promise<NodeInfo> {
    return this.call(procedures.nodeGetInfo, undefined)
  }

  /** Nanoseconds since boot by kind (`kernel`, `user`, `idle`, `iowait`). @param cpu -1 for all together */
  async nodeCpuStats(cpu = -1): Promise<Record<string, number>> {
    const { count } = await this.call(procedures.nodeGetCpuStats, { cpu, max: 0, flags: 0 })
    const { stats } = await this.call(procedures.nodeGetCpuStats, { cpu, max: count, flags: 0 })
    return Object.fromEntries(stats.map(({ name, value }) => [name, value]))
  }

  /** KiB by kind (`total`, `free`, `buffers`, `cached`). @param cell -1 for all NUMA cells together */
  async nodeMemoryStats(cell = -1): Promise<Record<string, number>> {
    const { count } = await this.call(procedures.nodeGetMemoryStats, { cell, max: 0, flags: 0 })
    const { stats } = await this.call(procedures.nodeGetMemoryStats, { cell, max: count, flags: 0 })
    return Object.fromEntries(stats.map(({ name, value }) => [name, value]))
  }

  async nodeFreeMemoryBytes(): Promise<number> {
    return (await this.call(procedures.nodeGetFreeMemory, undefined)).bytes
  }

  async hostname(): Promise<string> {
    return (await this.call(procedures.connectGetHostname, undefined)).hostname
  }

  /** Major × 1 000 000 + minor × 1000 + release. */
  async libVersion(): Promise<number> {
    return (await this.call(procedures.connectGetLibVersion, undefined)).version
  }

  /** The hypervisor's version, counted like {@link libVersion}. */
  async version(): Promise<number> {
    return (await this.call(procedures.connectGetVersion, undefined)).version
  }

  /** Such as `QEMU`. */
  async type(): Promise<string> {
    return (await this.call(procedures.connectGetType, undefined)).type
  }

  /** What the daemon itself calls the connection. */
  async remoteUri(): Promise<string> {
    return (await this.call(procedures.connectGetUri, undefined)).uri
  }

  async sysinfo(): Promise<string> {
    return (await this.call(procedures.connectGetSysinfo, { flags: 0 })).xml
  }

  async maxVcpus(virtType: string | null = null): Promise<number> {
    return (await this.call(procedures.connectGetMaxVcpus, { type: virtType })).count
  }

  /** @param feature one of Feature */
  async supportsFeature(feature: number): Promise<boolean> {
    return (await this.call(procedures.connectSupportsFeature, { feature })).supported
  }

  async listNetworks(flags = 0): Promise<Network[]> {
    const { networks } = await this.call(procedures.connectListAllNetworks, { needResults: 1, flags })
    return networks.map((ref) => new Network(this, ref))
  }

  /** @throws {LibvirtError} NO_NETWORK */
  async lookupNetworkByName(name: string): Promise<Network> {
    return new Network(this, (await this.call(procedures.networkLookupByName, { name })).network)
  }

  async defineNetworkXml(xml: string): Promise<Network> {
    return new Network(this, (await this.call(procedures.networkDefineXml, { xml })).network)
  }

  async createNetworkXml(xml: string): Promise<Network> {
    return new Network(this, (await this.call(procedures.networkCreateXml, { xml })).network)
  }

  async listStoragePools(flags = 0): Promise<StoragePool[]> {
    const { pools } = await this.call(procedures.connectListAllStoragePools, { needResults: 1, flags })
    return pools.map((ref) => new StoragePool(this, ref))
  }

  async defineStoragePoolXml(xml: string): Promise<StoragePool> {
    return new StoragePool(this, (await this.call(procedures.storagePoolDefineXml, { xml, flags: 0 })).pool)
  }

  async createStoragePoolXml(xml: string, flags = 0): Promise<StoragePool> {
    return new StoragePool(this, (await this.call(procedures.storagePoolCreateXml, { xml, flags })).pool)
  }

  /** @throws {LibvirtError} NO_STORAGE_POOL */
  async lookupStoragePoolByName(name: string): Promise<StoragePool> {
    return new StoragePool(this, (await this.call(procedures.storagePoolLookupByName, { name })).pool)
  }
}
