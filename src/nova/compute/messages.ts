/**
 * What the conductor says to a compute host, and what it hears. Everything is plain JSON, since another transport than
 * the in-process queue carries it between machines.
 */
import type { Flavor, InstanceDisk } from '../model/index.ts'
import type {
  ComputeDriver,
  ConsoleEndpoint,
  ConsoleType,
  CopyProgress,
  GuestDiagnostics,
  GuestEvent,
  GuestInfo,
  HostPower,
  HostResources,
} from '../virt/index.ts'

export type SpawnArgs = {
  uuid: string
  /** The hypervisor's name of the guest. */
  name: string
  displayName: string
  projectId: string
  userId: string
  flavor: Flavor
  imageId: string
  imageProperties: Readonly<Record<string, string>>
  kernelId: string | null
  ramdiskId: string | null
  disks: readonly InstanceDisk[]
  ports: readonly { portId: string; mac: string }[]
  configDrive: { format: 'iso9660' | 'vfat'; files: readonly { path: string; base64: string }[] } | null
}

export type DestroyArgs = { uuid: string; portIds: readonly string[] }
export type PowerAction = 'start' | 'stop' | 'pause' | 'unpause' | 'suspend' | 'resume' | 'reboot-soft' | 'reboot-hard'
/** `ports` are plugged before a guest starts whose taps may have vanished (a host's restart). */
export type PowerArgs = { uuid: string; action: PowerAction; graceMs: number; portIds: readonly string[] }

/** What some hypervisors can do and others cannot. */
export const capabilityNames = [
  'snapshots',
  'rescue',
  'resize',
  'interfaces',
  'setPassword',
  'diagnostics',
  'injectNmi',
  'moves',
  'hostControl',
  'liveMigration',
] as const satisfies readonly (keyof ComputeDriver)[]
export type Capability = (typeof capabilityNames)[number]

/** `imageId` is the rescue image; its properties say how its disk is attached. */
export type RescueArgs = {
  uuid: string
  imageId: string
  imageProperties: Readonly<Record<string, string>>
  kernelId: string | null
  ramdiskId: string | null
  configDrive: SpawnArgs['configDrive']
}

/** A guest on its way to another host: what the source packed, in Base64. */
export type ArriveArgs = { spawn: SpawnArgs; luggage: string; start: boolean }

/** Method → what goes out and what comes back. A host without the capability refuses with `not-implemented`. */
export type ComputeCalls = {
  spawn: [SpawnArgs, null]
  destroy: [DestroyArgs, null]
  power: [PowerArgs, GuestInfo | null]
  /** Ends a spawn that runs. */
  cancel: [{ uuid: string }, null]
  info: [{ uuid: string }, GuestInfo | null]
  list: [Record<never, never>, GuestInfo[]]
  consoleOutput: [{ uuid: string; lines: number | null }, string]
  console: [{ uuid: string; type: ConsoleType }, ConsoleEndpoint]
  consoleTypes: [Record<never, never>, readonly ConsoleType[]]
  capabilities: [Record<never, never>, readonly Capability[]]
  /** Fills a queued image with the guest's root disk. */
  snapshot: [{ uuid: string; imageId: string }, null]
  rescue: [RescueArgs, null]
  unrescue: [{ uuid: string }, null]
  /** To the flavor of the arguments; the old size is kept until confirmed or reverted. */
  resize: [SpawnArgs & { start: boolean }, null]
  confirmResize: [{ uuid: string }, null]
  revertResize: [{ uuid: string; start: boolean }, null]
  attachInterface: [{ uuid: string; portId: string; flavor: Flavor; imageProperties: Readonly<Record<string, string>> }, null]
  detachInterface: [{ uuid: string; portId: string; mac: string }, null]
  setPassword: [{ uuid: string; user: string; password: string }, null]
  diagnostics: [{ uuid: string }, GuestDiagnostics]
  injectNmi: [{ uuid: string }, null]
  depart: [{ uuid: string }, { luggage: string }]
  arrive: [ArriveArgs, null]
  /** Why the guest cannot be sent so, or `null`; see the driver's promise. */
  checkSend: [{ uuid: string; copiesDisks: boolean | null }, string | null]
  /** At the destination: room for a guest, and where it is to be sent. */
  expectGuest: [SpawnArgs, { to: string }]
  sendGuest: [{ uuid: string; to: string; copiesDisks: boolean | null }, { luggage: string }]
  /** Hurries what `sendGuest` does. */
  forceComplete: [{ uuid: string }, null]
  receiveGuest: [{ spawn: SpawnArgs; luggage: string }, null]
  hostPower: [{ action: HostPower }, null]
  hostMaintenance: [{ on: boolean }, null]
  /** Fetches images before any guest needs them. */
  cacheImages: [{ imageIds: readonly string[] }, null]
}

/** Published on the queue. */
export type GuestChanged = { host: string; uuid: string; change: GuestEvent['change'] }
/** A snapshot of the guest is taken and goes into its image. */
export type GuestUploading = { host: string; uuid: string }
/** So much of the guest is copied to another host. */
export type GuestCopied = { host: string; uuid: string; progress: CopyProgress }
export type HostReport = { host: string; resources: HostResources }

export const computeTopic = (host: string): string => `compute.${host}`
export const guestChanged = 'compute.guest'
export const guestUploading = 'compute.uploading'
export const guestCopied = 'compute.copied'
export const hostReported = 'compute.report'
export const hostConnected = 'compute.connected'
