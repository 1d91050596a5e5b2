/** The mock daemon's backups: a target gets the head of an empty qcow2 image, and is done at once unless the test holds it. */
import { writeFileSync } from 'node:fs'
import { JobStatsFlags, JobType } from '../constants.ts'
import { ErrorCode, LibvirtError } from '../errors.ts'
import type { DomainRef } from '../protocol.ts'
import type { CallContext, Handlers } from './handlers.ts'
import { invalid, type MockDomain } from './world.ts'
import { attribute, child, childrenOf } from './xml.ts'

const running = (args: { domain: DomainRef }, { state }: CallContext): MockDomain => state.world.requireActive(args.domain)

export const backupHandlers: Handlers = {
  domainBackupBegin: (args, context) => {
    const domain = running(args, context)
    if (domain.backup === JobType.unbounded) throw new LibvirtError(ErrorCode.OPERATION_TIMEOUT, 'cannot acquire state change lock', 10)
    for (const disk of childrenOf(child(args.xml, 'disks') ?? '<disks/>') ?? []) {
      const file = attribute(child(disk.text, 'target'), 'file')
      if (file !== undefined) writeFileSync(file, emptyQcow2(), { flag: 'wx' })
    }
    domain.backup = JobType.unbounded
    if (!context.state.guests.holdBackups) end(domain, JobType.completed, context)
  },
  domainGetJobStats: (args, context) => {
    const { backup = JobType.none } = running(args, context)
    const asked = args.flags & JobStatsFlags.completed ? backup !== JobType.unbounded : backup === JobType.unbounded
    return { type: asked ? backup : JobType.none, params: [] }
  },
  domainAbortJob: (args, context) => {
    const domain = running(args, context)
    if (domain.backup !== JobType.unbounded) throw invalid('no job is active on the domain')
    end(domain, JobType.cancelled, context)
  },
}

function end(domain: MockDomain, result: number, { state }: CallContext): void {
  domain.backup = result
  state.world.emit({ kind: 'job-completed', domain: domain.ref, params: [] })
}

/** @see https://gitlab.com/qemu-project/qemu/-/blob/master/docs/interop/qcow2.txt */
function emptyQcow2(): Buffer {
  const head = Buffer.alloc(512)
  head.write('QFI\u00fb', 'latin1')
  head.writeUInt32BE(3, 4)
  head.writeBigUInt64BE(1n << 30n, 24)
  return head
}
