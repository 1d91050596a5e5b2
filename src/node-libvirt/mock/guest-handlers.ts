/** The mock daemon's calls that reach into a guest or its disks: consoles, agent, block jobs, snapshots, migration. */
import {
  BlockJobAbortFlags,
  BlockJobStatus,
  BlockJobType,
  DomainEventType,
  DomainState,
  MetadataType,
  MigrateFlags,
  ShutOffReason,
  SnapshotCreateFlags,
  SnapshotDeleteFlags,
  StoppedDetail,
  SuspendedDetail,
} from '../constants.ts'
import { ErrorCode, LibvirtError } from '../errors.ts'
import type { DomainRef, TypedParam } from '../protocol.ts'
import { devicesOf } from './devices.ts'
import type { CallContext, Handlers } from './handlers.ts'
import type { MockDomain } from './world.ts'
import { attribute, child, childText } from './xml.ts'

const defaultDiskBytes = 1_073_741_824

const found = (args: { domain: DomainRef }, { state }: CallContext): MockDomain => state.world.require(args.domain)
const running = (args: { domain: DomainRef }, { state }: CallContext): MockDomain => state.world.requireActive(args.domain)

export const guestHandlers: Handlers = {
  domainScreenshot: (args, context) => {
    running(args, context)
    const { mime, data } = context.state.guests.screenshot
    context.stream((out) => {
      out.send(data)
      out.end()
    })
    return { mime }
  },
  domainOpenConsole: (args, context) => {
    const domain = running(args, context)
    if (!/<(console|serial)\b/.test(domain.xml))
      throw new LibvirtError(ErrorCode.INTERNAL_ERROR, 'internal error: cannot find console device', 10)
    context.stream((console) => {
      console.send(Buffer.from(context.state.guests.consoleBanner))
      console.onData((typed) => console.send(typed))
    })
  },
  qemuDomainAgentCommand: (args, context) => {
    const answer = agent(running(args, context), args.command, context)
    return { result: JSON.stringify({ return: answer ?? {} }) }
  },
  qemuDomainMonitorCommand: (args, context) => {
    running(args, context)
    return { result: JSON.stringify({ return: {} }) }
  },
  domainSetUserPassword: (args, context) => {
    const domain = running(args, context)
    agent(domain, '{"execute":"guest-set-user-password"}', context)
    domain.passwords.set(args.user ?? '', args.password ?? '')
  },
  domainFsFreeze: (args, context) => ({
    count: Number(agent(running(args, context), '{"execute":"guest-fsfreeze-freeze"}', context)) || 0,
  }),
  domainFsThaw: (args, context) => ({ count: Number(agent(running(args, context), '{"execute":"guest-fsfreeze-thaw"}', context)) || 0 }),
  domainInterfaceAddresses: (args, context) => {
    const cards = devicesOf(running(args, context).xml).filter(({ tag }) => tag === 'interface')
    const interfaces = cards.map(({ text }, index) => {
      const mac = attribute(child(text, 'mac'), 'address') ?? null
      const addresses = (context.state.guests.addresses.get(mac ?? '') ?? []).map((address) => {
        const v6 = address.includes(':')
        return { type: v6 ? 1 : 0, address, prefix: v6 ? 64 : 24 }
      })
      return { name: attribute(child(text, 'target'), 'dev') ?? `vnet${index}`, mac, addresses }
    })
    return { interfaces }
  },
  domainSendKey: (args, context) => {
    running(args, context).sentKeys.push(...args.keys)
  },
  domainInjectNmi: (args, context) => {
    running(args, context)
  },
  domainMemoryStats: (args, context) => ({ stats: [{ tag: 6, value: running(args, context).memoryKib }] }),
  domainInterfaceStats: (args, context) => {
    running(args, context)
    return { rxBytes: 0, rxPackets: 0, rxErrors: 0, rxDropped: 0, txBytes: 0, txPackets: 0, txErrors: 0, txDropped: 0 }
  },
  domainBlockStats: (args, context) => {
    requireDisk(running(args, context), args.disk)
    return { readRequests: 0, readBytes: 0, writeRequests: 0, writeBytes: 0, errors: 0 }
  },
  domainGetBlockInfo: (args, context) => {
    const domain = found(args, context)
    const capacity = domain.diskSizes.get(requireDisk(domain, args.disk)) ?? defaultDiskBytes
    return { allocation: 0, capacity, physical: capacity }
  },
  domainBlockResize: (args, context) => {
    const domain = running(args, context)
    domain.diskSizes.set(requireDisk(domain, args.disk), args.size * (args.flags & 1 ? 1 : 1024))
  },
  domainBlockCopy: (args, context) => startJob(running(args, context), args.disk, BlockJobType.copy, context),
  domainBlockCommit: (args, context) =>
    startJob(running(args, context), args.disk, args.top === null ? BlockJobType.activeCommit : BlockJobType.commit, context),
  domainBlockPull: (args, context) => startJob(running(args, context), args.disk, BlockJobType.pull, context),
  domainBlockRebase: (args, context) => startJob(running(args, context), args.disk, BlockJobType.pull, context),
  domainGetBlockJobInfo: (args, context) => {
    const job = found(args, context).blockJobs.get(args.disk)
    return { found: job !== undefined, type: job?.type ?? 0, bandwidth: 0, current: job ? 100 : 0, end: job ? 100 : 0 }
  },
  domainBlockJobAbort: (args, context) => {
    const domain = running(args, context)
    const job = domain.blockJobs.get(args.disk)
    if (!job) {
      throw new LibvirtError(ErrorCode.INVALID_ARG, `invalid argument: disk ${args.disk} does not have an active block job`, 10)
    }
    domain.blockJobs.delete(args.disk)
    const status = args.flags & BlockJobAbortFlags.pivot ? BlockJobStatus.completed : BlockJobStatus.canceled
    context.state.world.emit({ kind: 'block-job-2', domain: domain.ref, disk: args.disk, type: job.type, status })
  },
  domainSetMetadata: (args, context) => {
    const key = `${args.type} ${args.uri ?? ''}`
    if (args.metadata === null) found(args, context).metadata.delete(key)
    else found(args, context).metadata.set(key, args.metadata)
  },
  domainGetMetadata: (args, context) => {
    const metadata = found(args, context).metadata.get(`${args.type} ${args.type === MetadataType.element ? (args.uri ?? '') : ''}`)
    if (metadata === undefined)
      throw new LibvirtError(ErrorCode.NO_DOMAIN_METADATA, 'metadata not found: Requested metadata element is not present', 20)
    return { metadata }
  },
  domainMigratePerform3Params: (args, context) => {
    migrate(running(args, context), args.destination ?? '', args.flags, args.params, context)
    return { cookie: Buffer.alloc(0) }
  },
  domainMigrateSetMaxDowntime: (args, context) => {
    running(args, context)
  },
  domainSnapshotCreateXml: (args, context) => {
    const domain = found(args, context)
    const name = childText(args.xml, 'name') ?? String(domain.snapshots.size + 1)
    if (domain.snapshots.has(name)) throw new LibvirtError(ErrorCode.OPERATION_INVALID, `domain snapshot ${name} already exists`, 35)
    const memory = domain.active && !(args.flags & SnapshotCreateFlags.diskOnly)
    if (!(args.flags & SnapshotCreateFlags.noMetadata)) domain.snapshots.set(name, { name, xml: args.xml, state: domain.state, memory })
    return { snapshot: { name, domain: domain.ref } }
  },
  domainListAllSnapshots: (args, context) => {
    const domain = found(args, context)
    const snapshots = [...domain.snapshots.keys()].map((name) => ({ name, domain: domain.ref }))
    return { snapshots, count: snapshots.length }
  },
  domainSnapshotLookupByName: (args, context) => ({ snapshot: snapshotOf(found(args, context), args.name).ref }),
  domainSnapshotGetXmlDesc: ({ snapshot }, context) => ({ xml: snapshotOf(found(snapshot, context), snapshot.name).snapshot.xml }),
  domainSnapshotDelete: ({ snapshot, flags }, context) => {
    const domain = found(snapshot, context)
    snapshotOf(domain, snapshot.name)
    if (!(flags & SnapshotDeleteFlags.childrenOnly)) domain.snapshots.delete(snapshot.name)
  },
  domainRevertToSnapshot: ({ snapshot }, context) => {
    const domain = found(snapshot, context)
    const { state } = snapshotOf(domain, snapshot.name).snapshot
    const { world } = context.state
    if (domain.active && state === DomainState.shutOff) world.stop(domain, ShutOffReason.fromSnapshot, StoppedDetail.fromSnapshot)
    if (!domain.active && state !== DomainState.shutOff) world.start(domain, 0)
  },
}

function snapshotOf(domain: MockDomain, name: string) {
  const snapshot = domain.snapshots.get(name)
  if (!snapshot)
    throw new LibvirtError(ErrorCode.NO_DOMAIN_SNAPSHOT, `Domain snapshot not found: no domain snapshot with matching name '${name}'`, 35)
  return { snapshot, ref: { name, domain: domain.ref } }
}

function agent(domain: MockDomain, command: string, { state }: CallContext): unknown {
  if (!state.guests.agent)
    throw new LibvirtError(ErrorCode.AGENT_UNRESPONSIVE, 'Guest agent is not responding: QEMU guest agent is not connected', 10)
  try {
    return state.guests.agent(domain, JSON.parse(command))
  } catch (cause) {
    if (cause instanceof LibvirtError) throw cause
    throw new LibvirtError(ErrorCode.INTERNAL_ERROR, `internal error: unable to execute QEMU agent command: ${String(cause)}`, 10)
  }
}

/** @returns the target of the disk that is named by its target or by its source. */
function requireDisk(domain: MockDomain, disk: string): string {
  for (const { tag, text } of devicesOf(domain.xml)) {
    const target = attribute(child(text, 'target'), 'dev')
    const source = child(text, 'source')
    if (tag === 'disk' && target !== undefined && [target, attribute(source, 'file'), attribute(source, 'dev')].includes(disk))
      return target
  }
  throw new LibvirtError(ErrorCode.INVALID_ARG, `invalid argument: invalid path ${disk} not assigned to domain`, 10)
}

/** A pull or commit is done at once; a copy or an active commit stays ready until it is aborted or pivoted. */
function startJob(domain: MockDomain, disk: string, type: number, { state }: CallContext): void {
  requireDisk(domain, disk)
  if (domain.blockJobs.has(disk)) throw new LibvirtError(ErrorCode.BLOCK_COPY_ACTIVE, `disk '${disk}' already in active block job`, 10)
  const stays = type === BlockJobType.copy || type === BlockJobType.activeCommit
  if (stays) domain.blockJobs.set(disk, { type })
  state.world.emit({ kind: 'block-job-2', domain: domain.ref, disk, type, status: stays ? BlockJobStatus.ready : BlockJobStatus.completed })
}

function migrate(domain: MockDomain, destination: string, flags: number, params: TypedParam[], { state }: CallContext): void {
  const peer = state.peer(destination)
  if (!peer)
    throw new LibvirtError(ErrorCode.OPERATION_FAILED, `operation failed: Failed to connect to remote libvirt URI ${destination}`, 10)
  const text = (name: string) => params.find((param) => param.name === name)?.value as string | undefined
  const configXml = flags & MigrateFlags.persistDest ? (text('persistent_xml') ?? domain.configXml ?? domain.xml) : undefined
  peer.receive(text('destination_xml') ?? domain.xml, { configXml, paused: (flags & MigrateFlags.paused) !== 0 })
  if (flags & MigrateFlags.undefineSource) domain.configXml = undefined
  state.world.lifecycle(domain, DomainEventType.suspended, SuspendedDetail.migrated)
  state.world.stop(domain, ShutOffReason.migrated, StoppedDetail.migrated)
}
