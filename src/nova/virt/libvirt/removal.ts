/** The end of a domain: its process, and all that libvirt keeps about it. */
import type { Clock } from '../../../base/clock.ts'
import { type Domain, UndefineFlags } from '../../../node-libvirt/index.ts'
import { isLibvirt } from './errors.ts'

const tries = 4

/** Nothing to do for a domain that is off or gone. */
export async function pullPlug(domain: Domain): Promise<void> {
  try {
    await domain.destroy()
  } catch (error) {
    if (!isLibvirt(error, 'OPERATION_INVALID', 'NO_DOMAIN')) throw error
  }
}

/** Also from paused, crashed and saved. Afterwards libvirt doesn't know the domain any more. */
export async function removeDomain(domain: Domain, clock: Clock): Promise<void> {
  for (let nth = 1; ; nth++) {
    try {
      await pullPlug(domain)
      break
    } catch (error) {
      // A process that waits for a slow disk ends late.
      if (nth === tries || !isLibvirt(error, 'SYSTEM_ERROR', 'OPERATION_FAILED', 'OPERATION_TIMEOUT', 'RESOURCE_BUSY')) throw error
      await clock.sleep(1_000 * nth)
    }
  }
  await undefine(domain)
}

/** With all that may hang on the domain; a hypervisor that has less of it refuses the flags. */
async function undefine(domain: Domain): Promise<void> {
  const { managedSave, snapshotsMetadata, checkpointsMetadata, nvram } = UndefineFlags
  const attempts = [managedSave | snapshotsMetadata | checkpointsMetadata | nvram, managedSave | snapshotsMetadata, 0]
  for (const [i, flags] of attempts.entries()) {
    try {
      await domain.undefine(flags)
      return
    } catch (error) {
      if (isLibvirt(error, 'NO_DOMAIN')) return
      if (i === attempts.length - 1 || !isLibvirt(error, 'INVALID_ARG', 'ARGUMENT_UNSUPPORTED')) throw error
    }
  }
}
