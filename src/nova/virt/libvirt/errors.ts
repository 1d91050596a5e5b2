/** libvirt's refusals as the driver's. */
import { messageOf } from '../../../base/errors.ts'
import { ConnectionLost, LibvirtError } from '../../../node-libvirt/index.ts'
import { GuestError } from '../driver.ts'

export function guestError(uuid: string, error: unknown): GuestError {
  if (error instanceof GuestError) return error
  return new GuestError(uuid, reasonOf(error), messageOf(error), { cause: error })
}

function reasonOf(error: unknown): GuestError['reason'] {
  if (error instanceof ConnectionLost) return 'host-down'
  if (error instanceof LibvirtError) {
    if (error.is('NO_DOMAIN')) return 'not-found'
    if (error.is('OPERATION_INVALID')) return 'wrong-state'
    if (error.is('NO_MEMORY') || /cannot allocate memory|cannot set up guest memory/i.test(error.message)) return 'no-resources'
  }
  return (error as NodeJS.ErrnoException)?.code === 'ENOSPC' || /no space left on device/i.test(messageOf(error))
    ? 'no-resources'
    : 'failed'
}

export const isLibvirt = (error: unknown, ...codes: Parameters<LibvirtError['is']>): boolean =>
  error instanceof LibvirtError && error.is(...codes)
