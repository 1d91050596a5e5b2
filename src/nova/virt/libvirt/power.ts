/** A domain's state in Nova's numbers, and the waits that soft actions need. */
import type { Clock } from '../../../base/clock.ts'
import { type Domain, DomainState, LibvirtError, PausedReason, ShutOffReason } from '../../../node-libvirt/index.ts'
import { PowerState } from '../driver.ts'

/** @throws {LibvirtError} NO_DOMAIN when it is gone */
export async function powerOf(domain: Domain): Promise<PowerState> {
  const { state, reason } = await domain.state()
  switch (state) {
    case DomainState.running:
    case DomainState.blocked:
    case DomainState.shutdown:
      return PowerState.running
    case DomainState.paused:
      // Pauses that are part of a save or a move end by themselves.
      return reason === PausedReason.migration || reason === PausedReason.save || reason === PausedReason.snapshot
        ? PowerState.running
        : PowerState.paused
    case DomainState.crashed:
      return PowerState.crashed
    case DomainState.pmSuspended:
      return PowerState.suspended
    case DomainState.shutOff:
      if (await domain.hasManagedSave()) return PowerState.suspended
      return reason === ShutOffReason.crashed ? PowerState.crashed : PowerState.shutdown
    default:
      return PowerState.noState
  }
}

const pollMs = 2_000

/**
 * Asks the guest to go down and waits, at most `graceMs`, until it has.
 * @param stopped resolves when an event tells that the domain stopped; an event that is lost costs two seconds
 * @returns whether it is down
 */
export async function softShutdown(domain: Domain, graceMs: number, clock: Clock, stopped: Promise<void>): Promise<boolean> {
  try {
    await domain.shutdown()
  } catch (error) {
    if (error instanceof LibvirtError && error.is('OPERATION_INVALID')) return !(await domain.isActive())
    throw error
  }
  const untilMs = clock.now() + graceMs
  for (let leftMs = graceMs; leftMs > 0; leftMs = untilMs - clock.now()) {
    const calledOff = new AbortController()
    const waited = clock.sleep(Math.min(leftMs, pollMs), calledOff.signal).catch(() => undefined)
    await Promise.race([stopped, waited])
    calledOff.abort()
    if (!(await domain.isActive())) return true
  }
  return false
}
