/**
 * What the conductor says to a compute host, and what it hears. Everything is plain JSON, since another transport than
 * the in-process queue carries it between machines.
 */
import type { Flavor } from '../model/index.ts'
import type { ConsoleEndpoint, ConsoleType, GuestEvent, GuestInfo, HostResources } from '../virt/index.ts'

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
  ports: readonly { portId: string; mac: string }[]
  configDrive: { format: 'iso9660' | 'vfat'; files: readonly { path: string; base64: string }[] } | null
}

export type DestroyArgs = { uuid: string; portIds: readonly string[] }
export type PowerAction = 'start' | 'stop' | 'pause' | 'unpause' | 'suspend' | 'resume' | 'reboot-soft' | 'reboot-hard'
/** `ports` are plugged before a guest starts whose taps may have vanished (a host's restart). */
export type PowerArgs = { uuid: string; action: PowerAction; graceMs: number; portIds: readonly string[] }

/** Method → what goes out and what comes back. */
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
}

/** Published on the queue. */
export type GuestChanged = { host: string; uuid: string; change: GuestEvent['change'] }
export type HostReport = { host: string; resources: HostResources }

export const computeTopic = (host: string): string => `compute.${host}`
export const guestChanged = 'compute.guest'
export const hostReported = 'compute.report'
export const hostConnected = 'compute.connected'
