/**
 * libvirt's events in the driver's words. Saving, moving and restoring a guest also pause, stop and resume it: those echoes tell nothing.
 *
 * @see https://libvirt.org/html/libvirt-libvirt-domain.html#virDomainEventType
 */
import {
  type DomainEvent,
  DomainEventType,
  ResumedDetail,
  StartedDetail,
  StoppedDetail,
  SuspendedDetail,
} from '../../../node-libvirt/index.ts'
import type { GuestEvent } from '../driver.ts'

type Change = GuestEvent['change']

const { started, suspended, resumed, stopped, crashed, pmSuspended } = DomainEventType

const lifecycle: Record<number, Record<number, Change> | Change> = {
  [started]: {
    [StartedDetail.booted]: 'started',
    [StartedDetail.restored]: 'resumed',
    [StartedDetail.fromSnapshot]: 'started',
    [StartedDetail.wakeup]: 'resumed',
  },
  [suspended]: { [SuspendedDetail.paused]: 'paused', [SuspendedDetail.ioerror]: 'paused', [SuspendedDetail.watchdog]: 'paused' },
  [resumed]: { [ResumedDetail.unpaused]: 'resumed' },
  [stopped]: {
    [StoppedDetail.shutdown]: 'stopped',
    [StoppedDetail.destroyed]: 'stopped',
    [StoppedDetail.crashed]: 'crashed',
    [StoppedDetail.saved]: 'suspended',
    [StoppedDetail.failed]: 'crashed',
  },
  [crashed]: 'crashed',
  [pmSuspended]: 'suspended',
}

const agentConnected = 1

/** @returns null for what tells nothing */
export function changeOf(event: DomainEvent): Change | null {
  if (event.kind === 'reboot') return 'rebooted'
  if (event.kind === 'agent-lifecycle') return event.state === agentConnected ? 'agent-connected' : 'agent-disconnected'
  if (event.kind !== 'lifecycle') return null
  const known = lifecycle[event.event]
  return typeof known === 'string' ? known : (known?.[event.detail] ?? null)
}
