/**
 * The words for what a server is (`vm_state`) and what is being done to it (`task_state`), and the one public word that
 * both make together.
 *
 * @see https://docs.openstack.org/nova/latest/reference/vm-states.html
 */
export type VmState =
  | 'active'
  | 'building'
  | 'paused'
  | 'suspended'
  | 'stopped'
  | 'rescued'
  | 'resized'
  | 'soft-delete'
  | 'deleted'
  | 'error'
  | 'shelved'
  | 'shelved_offloaded'

export type TaskState =
  | 'scheduling'
  | 'block_device_mapping'
  | 'networking'
  | 'spawning'
  | 'deleting'
  | 'powering-off'
  | 'powering-on'
  | 'rebooting'
  | 'reboot_pending'
  | 'reboot_started'
  | 'rebooting_hard'
  | 'reboot_pending_hard'
  | 'reboot_started_hard'
  | 'pausing'
  | 'unpausing'
  | 'suspending'
  | 'resuming'
  | 'soft-deleting'
  | 'restoring'
  | 'rebuilding'
  | 'rebuild_block_device_mapping'
  | 'rebuild_spawning'
  | 'resize_prep'
  | 'resize_migrating'
  | 'resize_migrated'
  | 'resize_finish'
  | 'resize_reverting'
  | 'migrating'
  | 'image_snapshot_pending'
  | 'image_snapshot'
  | 'image_backup'
  | 'image_pending_upload'
  | 'image_uploading'
  | 'rescuing'
  | 'unrescuing'
  | 'shelving'
  | 'shelving_image_pending_upload'
  | 'shelving_image_uploading'
  | 'shelving_offloading'
  | 'unshelving'
  | 'updating_password'

const rebooting: Record<string, string> = {
  rebooting: 'REBOOT',
  reboot_pending: 'REBOOT',
  reboot_started: 'REBOOT',
  rebooting_hard: 'HARD_REBOOT',
  reboot_pending_hard: 'HARD_REBOOT',
  reboot_started_hard: 'HARD_REBOOT',
}
const rebuilding: Record<string, string> = { rebuilding: 'REBUILD', rebuild_block_device_mapping: 'REBUILD', rebuild_spawning: 'REBUILD' }
const resizing: Record<string, string> = {
  resize_prep: 'RESIZE',
  resize_migrating: 'RESIZE',
  resize_migrated: 'RESIZE',
  resize_finish: 'RESIZE',
}

/** vm_state → the status without a task, and the tasks that make another one of it. */
const table: Record<VmState, { plain: string; tasks?: Record<string, string> }> = {
  active: { plain: 'ACTIVE', tasks: { ...rebooting, ...rebuilding, ...resizing, updating_password: 'PASSWORD', migrating: 'MIGRATING' } },
  building: { plain: 'BUILD' },
  stopped: { plain: 'SHUTOFF', tasks: { ...resizing, ...rebuilding } },
  rescued: { plain: 'RESCUE' },
  paused: { plain: 'PAUSED', tasks: { migrating: 'MIGRATING' } },
  suspended: { plain: 'SUSPENDED' },
  resized: { plain: 'VERIFY_RESIZE', tasks: { resize_reverting: 'REVERT_RESIZE' } },
  error: { plain: 'ERROR', tasks: rebuilding },
  deleted: { plain: 'DELETED' },
  'soft-delete': { plain: 'SOFT_DELETED' },
  shelved: { plain: 'SHELVED' },
  shelved_offloaded: { plain: 'SHELVED_OFFLOADED' },
}

export type StateOf = { vmState: string | null; taskState: string | null; deleted: boolean }

/** The public status: a function of the deleted flag, vm_state and task_state alone. */
export function statusOf({ vmState, taskState, deleted }: StateOf): string {
  if (deleted) return 'DELETED'
  const entry = table[vmState as VmState]
  if (!entry) return 'UNKNOWN'
  return (taskState !== null && entry.tasks?.[taskState]) || entry.plain
}

/** The vm_states (and, where a task decides, task_states) behind a public status; empty for a word that is no status. */
export function statesOf(status: string): { vmState: VmState; tasks: string[] | null; not: string[] }[] {
  const word = status.toUpperCase()
  return Object.entries(table).flatMap(([vmState, { plain, tasks = {} }]): ReturnType<typeof statesOf> => {
    const own = Object.entries(tasks).flatMap(([task, named]) => (named === word ? [task] : []))
    if (plain === word) return [{ vmState: vmState as VmState, tasks: null, not: Object.keys(tasks) }]
    return own.length > 0 ? [{ vmState: vmState as VmState, tasks: own, not: [] }] : []
  })
}

/** Statuses of servers whose `progress` is shown. */
export const showsProgress: ReadonlySet<string> = new Set(['ACTIVE', 'BUILD', 'REBUILD', 'RESIZE', 'VERIFY_RESIZE', 'MIGRATING'])
