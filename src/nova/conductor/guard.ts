/**
 * What may be done to a server when: the state that an action needs, the task that it sets, and the refusals.
 *
 * @see https://docs.openstack.org/nova/latest/reference/vm-states.html
 */
import { conflict } from '../../base/errors.ts'
import type { PowerAction } from '../compute/index.ts'
import type { Instance, TaskState, VmState } from '../model/index.ts'

/** When an action may begin, and what it sets; see compute's table of actions. */
export type ActionRule = {
  /** How refusals name it. */
  readonly name: string
  /** How instance actions name it, and notifications, where that differs. */
  readonly action?: string
  /** How notifications name it, where that differs too. */
  readonly phase?: string
  /** `null`: any. */
  readonly vmStates: readonly VmState[] | null
  readonly tasks: readonly (TaskState | null)[] | null
  /** `null`: none is shown while it goes on. */
  readonly task: TaskState | null
  readonly mustHaveLaunched?: boolean
  readonly checksLock?: boolean
  /** Without a host it is refused whatever the state, rather than when the state would let it pass. */
  readonly needsHost?: boolean
  /** It needs no host at all. */
  readonly mayLackHost?: boolean
}

export type PowerRule = ActionRule & { readonly task: TaskState; readonly ends: VmState }

const hardRebootTasks = [
  'rebooting',
  'reboot_pending',
  'reboot_started',
  'resuming',
  'rebooting_hard',
  'unpausing',
  'pausing',
  'suspending',
] as const

export const powerRules: Readonly<Record<PowerAction, PowerRule>> = {
  start: { name: 'start', vmStates: ['stopped'], tasks: [null], task: 'powering-on', ends: 'active', needsHost: true },
  stop: { name: 'stop', vmStates: ['active', 'error'], tasks: [null], task: 'powering-off', ends: 'stopped', needsHost: true },
  pause: { name: 'pause', vmStates: ['active'], tasks: [null], task: 'pausing', ends: 'paused' },
  unpause: { name: 'unpause', vmStates: ['paused'], tasks: [null], task: 'unpausing', ends: 'active' },
  suspend: { name: 'suspend', vmStates: ['active'], tasks: [null], task: 'suspending', ends: 'suspended' },
  resume: { name: 'resume', vmStates: ['suspended'], tasks: [null], task: 'resuming', ends: 'active' },
  'reboot-soft': { name: 'reboot', vmStates: ['active'], tasks: [null], task: 'rebooting', ends: 'active' },
  'reboot-hard': {
    name: 'reboot',
    vmStates: ['active', 'stopped', 'paused', 'suspended', 'error'],
    tasks: [null, ...hardRebootTasks],
    task: 'rebooting_hard',
    ends: 'active',
  },
}

export type Caller = { requestId: string; userId: string | null; projectId: string | null; isAdmin: boolean }

export const isBeingDeleted = ({ taskState }: Pick<Instance, 'taskState'>): boolean =>
  taskState === 'deleting' || taskState === 'soft-deleting'

/** @throws {CloudError} `conflict` when the server is locked and the caller is no administrator. */
export function checkLock(instance: Instance, caller: Pick<Caller, 'isAdmin'>): void {
  if (instance.locked && !caller.isAdmin) throw conflict(`Instance ${instance.uuid} is locked`)
}

/** @throws {CloudError} `conflict` naming the state that stands in the way. */
export function checkState(
  instance: Instance,
  action: string,
  vmStates: readonly VmState[] | null,
  tasks: readonly (TaskState | null)[] | null,
): void {
  const refuse = (attribute: string, state: string | null) =>
    conflict(`Cannot '${action}' instance ${instance.uuid} while it is in ${attribute} ${state ?? 'None'}`)
  if (vmStates && !vmStates.includes(instance.vmState)) throw refuse('vm_state', instance.vmState)
  if (tasks && !tasks.includes(instance.taskState)) throw refuse('task_state', instance.taskState)
}

/** @throws {CloudError} `conflict` for a server that has never run. */
export function checkLaunched(instance: Instance, action: string): void {
  if (instance.launchedAt === null) throw conflict(`Instance ${instance.uuid} is in an invalid state for '${action}'`)
}

/** @throws {CloudError} `conflict` for a server that no host has yet. */
export function hostOf(instance: Instance): string {
  if (instance.host === null) throw conflict(`Instance ${instance.uuid} is not ready`)
  return instance.host
}

/** All that a rule asks, in the order of Nova's answers. @throws {CloudError} `conflict`. */
export function checkRule(instance: Instance, rule: ActionRule, caller: Pick<Caller, 'isAdmin'>): void {
  if (rule.checksLock !== false) checkLock(instance, caller)
  if (rule.needsHost) hostOf(instance)
  checkState(instance, rule.name, rule.vmStates, rule.tasks)
  if (rule.mustHaveLaunched !== false) checkLaunched(instance, rule.name)
  if (!rule.mayLackHost) hostOf(instance)
}
