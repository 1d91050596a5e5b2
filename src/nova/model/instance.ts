/**
 * An instance as the rooms see it: what it is, how it is made, and what may change of it.
 */
import type { InstanceDisk } from './disk-plan.ts'
import type { Flavor } from './flavors.ts'
import type { InstancePort } from './network-info.ts'
import type { TaskState, VmState } from './states.ts'

export type Fault = { readonly code: number; readonly message: string; readonly details: string | null; readonly created: string }

/** What was asked of the scheduler, kept for the views and for later moves. */
export type RequestSpec = {
  readonly schedulerHints: Readonly<Record<string, unknown>>
  /** The zone that the user named, if any. */
  readonly pinnedZone: string | null
  readonly requestedHost: string | null
  readonly requestedNode: string | null
  /** An administrator named them with the zone: only what nobody can switch off is looked at, and room. */
  readonly isForced?: boolean
}

export type Instance = {
  readonly id: number
  readonly uuid: string
  readonly name: string
  readonly description: string | null
  readonly hostname: string
  readonly projectId: string
  readonly userId: string
  readonly imageId: string | null
  readonly kernelId: string | null
  readonly ramdiskId: string | null
  readonly keyName: string | null
  readonly keyData: string | null
  readonly launchIndex: number
  readonly reservationId: string
  readonly vmState: VmState
  readonly taskState: TaskState | null
  readonly powerState: number
  readonly host: string | null
  readonly node: string | null
  readonly availabilityZone: string | null
  readonly flavor: Flavor
  /** Base64, as it was sent. */
  readonly userData: string | null
  readonly configDrive: boolean
  readonly rootDeviceName: string | null
  readonly accessIpV4: string | null
  readonly accessIpV6: string | null
  readonly autoDiskConfig: boolean
  readonly progress: number
  readonly locked: boolean
  readonly lockedBy: 'owner' | 'admin' | null
  readonly createdAt: string
  readonly updatedAt: string | null
  readonly launchedAt: string | null
  readonly terminatedAt: string | null
  readonly deleted: boolean
  readonly ports: readonly InstancePort[]
  readonly spec: RequestSpec
  readonly trustedCerts: readonly string[] | null
  readonly metadata: Readonly<Record<string, string>>
  readonly tags: readonly string[]
  /** The newest one of a server that shows one: that has failed, or is deleted. */
  readonly fault: Fault | null
  /** Those of its image as they were at boot. */
  readonly imageProperties: Readonly<Record<string, string>>
  readonly lockedReason: string | null
}

export type InstanceSummary = Pick<Instance, 'uuid' | 'name'>

export type NewInstance = {
  uuid?: string
  name: string
  description: string | null
  hostname: string
  projectId: string
  userId: string
  imageId: string
  kernelId: string | null
  ramdiskId: string | null
  keyName: string | null
  keyData: string | null
  keyType: string | null
  launchIndex: number
  reservationId: string
  flavor: Flavor
  userData: string | null
  configDrive: boolean
  accessIpV4: string | null
  accessIpV6: string | null
  autoDiskConfig: boolean
  spec: RequestSpec
  trustedCerts: readonly string[] | null
  metadata: Readonly<Record<string, string>>
  systemMetadata: Readonly<Record<string, string>>
  tags: readonly string[]
  /** Absent: those of image and flavor. */
  disks?: readonly InstanceDisk[]
}

/** Columns that may change, by their names in the database. */
export type InstanceChange = Partial<{
  display_name: string
  display_description: string | null
  hostname: string
  image_ref: string
  kernel_id: string
  ramdisk_id: string
  key_name: string | null
  key_data: string | null
  user_data: string | null
  vm_state: VmState
  task_state: TaskState | null
  power_state: number
  host: string | null
  node: string | null
  availability_zone: string | null
  launched_at: string | null
  launched_on: string | null
  terminated_at: string | null
  access_ip_v4: string | null
  access_ip_v6: string | null
  auto_disk_config: number
  progress: number
  locked: number
  locked_by: string | null
  config_drive: string
  /** When it was soft-deleted; a row that is gone has `deleted` too. */
  deleted_at: string | null
}>

export type Expected = { vmState?: readonly VmState[]; taskState?: readonly (TaskState | null)[] }
/** Whose eyes: a project sees its own servers, an administrator all. */
export type InstanceViewer = { projectId: string | null; isAdmin: boolean } | null
