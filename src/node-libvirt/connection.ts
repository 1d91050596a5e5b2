/**
 * A connection to a hypervisor's daemon: the node, its domains, networks and pools, and events.
 *
 * With `reconnect` it outlives the daemon: on loss the calls under way fail with {@link ConnectionLost}, calls in between fail at
 * once, and after a growing delay it opens again, registers its events, and only then says `connected`. So who lists all domains
 * on `connected` misses nothing.
 */
import { authenticate, type Credentials } from './auth.ts'
import { type CallOptions, Channel } from './channel.ts'
import { Domain } from './domain.ts'
import { ConnectionLost } from './errors.ts'
import { EventHub } from './event-hub.ts'
import type { DomainEvent } from './events.ts'
import type { KeepAliveOptions } from './keep-alive.ts'
import { emit } from './listeners.ts'
import { Network } from './network.ts'
import { procedures } from './procedures.ts'
import { Feature, type Procedure, type TypedParam } from './protocol.ts'
import { StoragePool } from './storage.ts'
import type { Stream } from './streams.ts'
import { openTransport } from './transport.ts'
import { type ConnectionUri, parseUri } from './uri.ts'

export type ConnectOptions = {
  uri: string
  readonly?: boolean
  /** As delivered a ping each 5 s, lost after 5 unanswered; false sends none. */
  keepAlive?: KeepAliveOptions | false
  reconnect?: boolean
  /** For each call; 0, the default, waits as long as the daemon lives. */
  callTimeoutMs?: number
  connectTimeoutMs?: number
  /** Calls that the daemon gets at a time; keep it below its `max_client_requests`. */
  maxInFlight?: number
  auth?: Credentials
}

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
export type ConnectionState = 'connected' | 'disconnected'
export type DomainStats = { domain: Domain; params: TypedParam[] }

const firstDelayMs = 100
const lastDelayMs = 5_000
const readonlyFlag = 1

/**
 * @throws {TypeError} when the URI is not one
 * @throws {ConnectionLost} when nobody answers there
 * @throws {LibvirtError} when the daemon refuses us or has no such driver
 */
export async function connect(options: ConnectOptions): Promise<Connection> {
  const connection = new Connection(options)
  await connection.open()
  return connection
}

export class Connection implements AsyncDisposable {
  readonly #options: ConnectOptions
  readonly #uri: ConnectionUri
  readonly #hub = new EventHub()
  readonly #stateListeners = new Set<(state: ConnectionState) => void>()
  #channel: Channel | undefined
  #retry: NodeJS.Timeout | undefined
  #closed = false

  /** Use {@link connect}. */
  constructor(options: ConnectOptions) {
    this.#options = options
    this.#uri = parseUri(options.uri)
  }

  get uri(): string {
    return this.#options.uri
  }

  get connected(): boolean {
    return this.#channel?.open ?? false
  }

  /** For {@link connect}, once. */
  async open(): Promise<void> {
    const { transport, remote } = this.#uri
    const timeoutMs = this.#options.connectTimeoutMs ?? 10_000
    const socket = await openTransport(transport, timeoutMs)
    let ready = false
    const channel: Channel = new Channel(socket, {
      maxInFlight: this.#options.maxInFlight,
      callTimeoutMs: this.#options.callTimeoutMs,
      onMessage: (packet) => this.#hub.receive(packet),
      onLost: () => {
        if (ready && this.#channel === channel) this.#onLost()
      },
    })
    try {
      await authenticate(channel, this.#options.auth, transport.kind !== 'tcp')
      const keepAlive = this.#options.keepAlive ?? { intervalMs: 5_000, count: 5 }
      if (keepAlive !== false) {
        const { supported } = await channel.call(procedures.connectSupportsFeature, { feature: Feature.programKeepAlive })
        if (supported) channel.startKeepAlive(keepAlive)
      }
      await channel.call(procedures.connectOpen, { name: remote, flags: this.#options.readonly ? readonlyFlag : 0 }, { timeoutMs: 60_000 })
      await this.#hub.attach(channel)
    } catch (error) {
      channel.destroy()
      throw error
    }
    if (this.#closed) {
      channel.destroy()
      throw new ConnectionLost('the connection was closed')
    }
    ready = true
    this.#channel = channel
    emit(this.#stateListeners, 'connected')
  }

  #onLost(): void {
    this.#channel = undefined
    this.#hub.detach()
    emit(this.#stateListeners, 'disconnected')
    if (this.#options.reconnect && !this.#closed) this.#reopenAfter(firstDelayMs)
  }

  #reopenAfter(delayMs: number): void {
    this.#retry = setTimeout(() => {
      this.open().catch(() => {
        if (!this.#closed) this.#reopenAfter(Math.min(delayMs * 2, lastDelayMs))
      })
    }, delayMs)
  }

  /** Ends the connection for good. What is still under way fails with {@link ConnectionLost}. */
  async close(): Promise<void> {
    if (this.#closed) return
    this.#closed = true
    clearTimeout(this.#retry)
    const channel = this.#channel
    if (!channel) return
    await channel.call(procedures.connectClose, undefined, { timeoutMs: 2_000 }).catch(() => undefined)
    channel.destroy()
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
    return this.#hub.subscribe(listener)
  }

  /**
   * Resolves when the daemon has been told to send events: what it does later is heard.
   * @throws {LibvirtError} when the daemon refused
   */
  eventsReady(): Promise<void> {
    return this.#hub.ready()
  }

  /** @returns how to stop hearing */
  onConnection(listener: (state: ConnectionState) => void): () => void {
    this.#stateListeners.add(listener)
    return () => this.#stateListeners.delete(listener)
  }

  /** Any call of the protocol; throws what {@link Channel.call} does. */
  async call<A, R>(procedure: Procedure<A, R>, args: A, options?: CallOptions): Promise<R> {
    return this.#current().call(procedure, args, options)
  }

  /** Any call of the protocol that opens a stream. */
  async openStream<A, R>(procedure: Procedure<A, R>, args: A, options?: CallOptions): Promise<{ result: R; stream: Stream }> {
    return this.#current().openStream(procedure, args, options)
  }

  #current(): Channel {
    if (!this.#channel) throw new ConnectionLost(this.#closed ? 'the connection was closed' : 'there is no connection to the daemon')
    return this.#channel
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
