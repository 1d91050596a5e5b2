/**
 * The promise that a hypervisor makes to compute. Small on purpose; what only some hypervisors can do is a capability,
 * present or absent, and nothing here throws *not implemented*.
 *
 * A driver is one host. It never sees the database: it is given typed specs and keeps what it needs beside its guests.
 * Every method may be repeated: spawning what runs, destroying what is gone, powering off what is off are no errors.
 * `test/contract/driver.ts` holds these promises.
 */
import type { GuestSpec, NicSpec, RescueSpec } from './specs.ts'

/** Nova's numbers. @see https://docs.openstack.org/nova/latest/reference/vm-states.html */
export const PowerState = { noState: 0, running: 1, paused: 3, shutdown: 4, crashed: 6, suspended: 7 } as const
export type PowerState = (typeof PowerState)[keyof typeof PowerState]

export type GuestInfo = { readonly uuid: string; readonly name: string; readonly power: PowerState }

/** What the host has, before overcommit; and what it is. */
export type HostResources = {
  readonly hypervisorHostname: string
  /** `QEMU` or `fake`. */
  readonly hypervisorType: string
  /** As Nova counts: 7.2.22 is 7002022. */
  readonly hypervisorVersion: number
  readonly vcpus: number
  readonly memoryMib: number
  readonly diskGib: number
  readonly memoryUsedMib: number
  readonly diskUsedGib: number
  readonly diskAvailableLeastGib: number
  readonly hostIp: string
  readonly cpuInfo: {
    readonly arch: string
    readonly model: string
    readonly vendor: string
    readonly features: readonly string[]
    readonly topology: { readonly cells: number; readonly sockets: number; readonly cores: number; readonly threads: number }
  }
  /** `[arch, hypervisor, vm mode]`. */
  readonly supportedInstances: readonly (readonly [string, string, string])[]
  /** Standard and custom trait names for placement. */
  readonly traits: readonly string[]
  /** Under Nova's names, such as `cpu.percent`, where they are measured. */
  readonly metrics?: Readonly<Record<string, number>>
  readonly uptime: string | null
}

/** A change that the driver noticed and nobody here asked for, or the echo of one that was. */
export type GuestEvent = {
  readonly uuid: string
  readonly change:
    | 'started'
    | 'stopped'
    | 'crashed'
    | 'paused'
    | 'resumed'
    | 'suspended'
    | 'rebooted'
    | 'agent-connected'
    | 'agent-disconnected'
}

/** Where a console's bytes are to be had, on this host. */
export type ConsoleEndpoint =
  | { readonly kind: 'unix'; readonly path: string }
  | { readonly kind: 'tcp'; readonly host: string; readonly port: number; readonly tlsPort?: number }

export type ConsoleType = 'novnc' | 'xvpvnc' | 'spice-html5' | 'spice-direct' | 'rdp-html5' | 'serial' | 'webmks'

/** The driver's trouble with a guest, for which another host may be tried. */
export class GuestError extends Error {
  readonly uuid: string
  /** The guest exists and does not stand in the state that the call needs. */
  readonly reason: 'not-found' | 'wrong-state' | 'no-resources' | 'host-down' | 'failed'
  constructor(uuid: string, reason: GuestError['reason'], message: string, options?: { cause?: unknown }) {
    super(message, options)
    this.name = 'GuestError'
    this.uuid = uuid
    this.reason = reason
  }
}

export type DriverStatus = {
  /** Whether calls can be answered now; a lost connection is tried again by the driver. */
  readonly connected: boolean
  /** What does not work on this host, with the remedy, for `doctor` and the log. */
  readonly problems: readonly { readonly what: string; readonly remedy: string }[]
}

/** A guest's root disk as a file of its own; disposing it removes the file. */
export type SnapshotFile = AsyncDisposable & { readonly file: string; readonly format: 'raw' | 'qcow2'; readonly virtualSizeBytes: number }

/** Copies of a root disk, of a guest in any state; a running one goes on running. */
export type Snapshots = {
  /** Stands alone: no backing file. The guest's file systems are frozen meanwhile where an agent can. @throws {GuestError} */
  take(uuid: string, signal: AbortSignal): Promise<SnapshotFile>
}

export type Rescue = {
  /** Powers off and boots the rescue disk. @throws {GuestError} */
  enter(uuid: string, spec: RescueSpec, signal: AbortSignal): Promise<void>
  /** Ends the rescue and starts the guest from its own disk; harmless when there is none. */
  leave(uuid: string): Promise<void>
}

/** A new size on the same host, kept beside the old one until it is confirmed. */
export type Resize = {
  /** Powers off, grows disks and defines the guest anew; starts it when `start`. @throws {GuestError} `no-resources` */
  apply(spec: GuestSpec, start: boolean, signal: AbortSignal): Promise<void>
  /** Lets go of the old size; harmless when there is none. */
  confirm(uuid: string): Promise<void>
  /** Back to the old size and the old disk. @throws {GuestError} */
  revert(uuid: string, start: boolean): Promise<void>
}

/** Network interfaces of a guest in any state; what is attached while it runs stays after a restart. */
export type Interfaces = {
  attach(uuid: string, nic: NicSpec): Promise<void>
  /** Resolves when the guest has let go. @throws {GuestError} `failed` when it does not in time: the interface then stays. */
  detach(uuid: string, mac: string): Promise<void>
}

export type GuestDiagnostics = {
  readonly uptimeSeconds: number | null
  readonly cpus: readonly { readonly id: number; readonly timeNs: number | null; readonly utilisationPercent: number | null }[]
  readonly nics: readonly {
    readonly mac: string
    readonly rxBytes: number
    readonly rxPackets: number
    readonly rxErrors: number
    readonly rxDropped: number
    readonly txBytes: number
    readonly txPackets: number
    readonly txErrors: number
    readonly txDropped: number
  }[]
  readonly disks: readonly {
    readonly device: string
    readonly readBytes: number
    readonly readRequests: number
    readonly writeBytes: number
    readonly writeRequests: number
    readonly errors: number
  }[]
  readonly memory: { readonly maximumMib: number; readonly usedMib: number | null }
  readonly hasConfigDrive: boolean
}

/** A guest that moves, off, between two hosts of one kind. */
export type Moves = {
  /** Powers off; resolves with what the destination needs to take the guest over. */
  depart(uuid: string, signal: AbortSignal): Promise<Uint8Array>
  /** Takes the guest over, as the departure described it, under the spec of this host. */
  arrive(spec: GuestSpec, luggage: Uint8Array, start: boolean, signal: AbortSignal): Promise<void>
}

/** Bytes: how much of a guest has been copied to another host. */
export type CopyProgress = Readonly<
  Record<'memory' | 'disk', { readonly total: number; readonly processed: number; readonly remaining: number }>
>

/** A guest that goes to another host of one kind while it runs, or while it is paused. */
export type LiveMigration = {
  /** At the source: why the guest cannot be sent with its disks (`true`), without them, or as its hosts need it (`null`); `null` when it can. */
  refusal(uuid: string, copiesDisks: boolean | null): Promise<string | null>
  /** At the destination: keeps room for the guest; resolves with where it is to be sent. `destroy` gives the room back. @throws {GuestError} `no-resources` */
  expect(spec: GuestSpec, signal: AbortSignal): Promise<string>
  /**
   * At the source: copies the guest, and resolves with what {@link receive} is to be given. The guest goes on here until it is destroyed,
   * also when the sending is called off. @throws {GuestError} `wrong-state` when it neither runs nor is paused
   */
  send(
    uuid: string,
    to: string,
    how: { readonly copiesDisks: boolean | null; readonly signal: AbortSignal; readonly onProgress: (progress: CopyProgress) => void },
  ): Promise<Uint8Array>
  /** Of a guest that is being sent: what is left is copied at once, whatever that costs the guest. @throws {GuestError} `wrong-state` when it is not */
  forceComplete(uuid: string): Promise<void>
  /** At the destination: the guest goes on here as it stood. @throws {GuestError} `no-resources` */
  receive(spec: GuestSpec, luggage: Uint8Array, signal: AbortSignal): Promise<void>
}

export type HostPower = 'reboot' | 'shutdown' | 'startup'
/** The host's own machine, where the hypervisor has a say in it. */
export type HostControl = {
  power(action: HostPower): Promise<void>
  /** Into maintenance, or out of it. */
  maintain(on: boolean): Promise<void>
}

export type ComputeDriver = AsyncDisposable & {
  readonly kind: 'libvirt' | 'fake'
  /** The compute host's name. */
  readonly host: string
  /** False: disks are pretended, and nobody need fetch image files. */
  readonly usesImageFiles: boolean
  status(): DriverStatus
  resources(): Promise<HostResources>
  list(): Promise<GuestInfo[]>
  /** `null` when there is no such guest. */
  info(uuid: string): Promise<GuestInfo | null>

  /**
   * Makes disks, config drive and guest, and starts it. A guest of this uuid that runs is left alone; what a cut-off spawn left, or one
   * that is off, is made anew. Called off or failed, nothing is left.
   * @throws {GuestError} or the signal's reason
   */
  spawn(spec: GuestSpec, signal: AbortSignal): Promise<void>
  /** Ends the guest and removes all that spawn made, in any state. */
  destroy(uuid: string): Promise<void>

  /**
   * From off or crashed; a suspended guest goes on where it stood.
   * @throws {GuestError} `wrong-state` when paused; `not-found`, as all below, when there is no such guest
   */
  powerOn(uuid: string): Promise<void>
  /** Asks the guest to shut down and pulls the plug after `graceMs`; at once when 0. From any state; a suspended guest's memory is let go. */
  powerOff(uuid: string, graceMs: number): Promise<void>
  /** SOFT asks the guest and turns HARD after `graceMs`. Whatever the guest's state was, it runs afterwards. */
  reboot(uuid: string, type: 'SOFT' | 'HARD', graceMs: number): Promise<void>
  pause(uuid: string): Promise<void>
  unpause(uuid: string): Promise<void>
  /** To disk: the guest's memory is kept over a host's restart. */
  suspend(uuid: string): Promise<void>
  /** Of a suspended guest. */
  resume(uuid: string): Promise<void>

  /** The last `lines` lines of the serial log, or all that is kept. */
  consoleOutput(uuid: string, lines: number | null): Promise<string>
  readonly consoleTypes: readonly ConsoleType[]
  /** @throws {GuestError} `wrong-state` when the guest has no running console. */
  console(uuid: string, type: ConsoleType): Promise<ConsoleEndpoint>

  readonly snapshots?: Snapshots
  readonly rescue?: Rescue
  readonly resize?: Resize
  readonly interfaces?: Interfaces
  /** Sets a password inside the guest, by its agent. @throws {GuestError} `wrong-state` when no agent answers. */
  readonly setPassword?: (uuid: string, user: string, password: string) => Promise<void>
  readonly diagnostics?: (uuid: string) => Promise<GuestDiagnostics>
  /** Sends a non-maskable interrupt, upon which a guest may dump its memory. */
  readonly injectNmi?: (uuid: string) => Promise<void>
  readonly moves?: Moves
  readonly hostControl?: HostControl
  readonly liveMigration?: LiveMigration

  /** Returns the call that ends listening. */
  onEvent(listener: (event: GuestEvent) => void): () => void
  /** The host answers after a time when it did not: what happened meanwhile was not told. Returns the call that ends listening. */
  onReturn(listener: () => void): () => void
  /** All that the driver keeps on this host, by guest's uuid, for reaping and leak checks. */
  inventory(): Promise<{ readonly guests: readonly string[]; readonly files: readonly string[] }>
}
