/**
 * The numbers that libvirt's calls take and give, under readable names. Flags of one kind are combined with `|`.
 *
 * @see https://libvirt.org/html/libvirt-libvirt-domain.html
 */

export const DomainState = { noState: 0, running: 1, blocked: 2, paused: 3, shutdown: 4, shutOff: 5, crashed: 6, pmSuspended: 7 } as const
export type DomainState = (typeof DomainState)[keyof typeof DomainState]

/** The second half of a state says how the domain came into it; which list applies depends on the state. */
export const RunningReason = {
  unknown: 0,
  booted: 1,
  migrated: 2,
  restored: 3,
  fromSnapshot: 4,
  unpaused: 5,
  migrationCanceled: 6,
  saveCanceled: 7,
  wakeup: 8,
  crashed: 9,
  postcopy: 10,
  postcopyFailed: 11,
} as const
export const PausedReason = {
  unknown: 0,
  user: 1,
  migration: 2,
  save: 3,
  dump: 4,
  ioerror: 5,
  watchdog: 6,
  fromSnapshot: 7,
  shuttingDown: 8,
  snapshot: 9,
  crashed: 10,
  startingUp: 11,
  postcopy: 12,
  postcopyFailed: 13,
} as const
export const ShutOffReason = {
  unknown: 0,
  shutdown: 1,
  destroyed: 2,
  crashed: 3,
  migrated: 4,
  saved: 5,
  failed: 6,
  fromSnapshot: 7,
  daemon: 8,
} as const
export const CrashedReason = { unknown: 0, panicked: 1 } as const

/** What a lifecycle event tells; its detail is one of the lists below. */
export const DomainEventType = {
  defined: 0,
  undefined: 1,
  started: 2,
  suspended: 3,
  resumed: 4,
  stopped: 5,
  shutdown: 6,
  pmSuspended: 7,
  crashed: 8,
} as const
export const DefinedDetail = { added: 0, updated: 1, renamed: 2, fromSnapshot: 3 } as const
export const UndefinedDetail = { removed: 0, renamed: 1 } as const
export const StartedDetail = { booted: 0, migrated: 1, restored: 2, fromSnapshot: 3, wakeup: 4 } as const
export const SuspendedDetail = {
  paused: 0,
  migrated: 1,
  ioerror: 2,
  watchdog: 3,
  restored: 4,
  fromSnapshot: 5,
  apiError: 6,
  postcopy: 7,
  postcopyFailed: 8,
} as const
export const ResumedDetail = { unpaused: 0, migrated: 1, fromSnapshot: 2, postcopy: 3, postcopyFailed: 4 } as const
export const StoppedDetail = { shutdown: 0, destroyed: 1, crashed: 2, migrated: 3, saved: 4, failed: 5, fromSnapshot: 6 } as const
export const ShutdownDetail = { finished: 0, guest: 1, host: 2 } as const

export const ListDomainsFlags = {
  active: 1,
  inactive: 2,
  persistent: 4,
  transient: 8,
  running: 16,
  paused: 32,
  shutoff: 64,
  other: 128,
  managedsave: 256,
  noManagedsave: 512,
  autostart: 1024,
  noAutostart: 2048,
  hasSnapshot: 4096,
  noSnapshot: 8192,
  hasCheckpoint: 16384,
  noCheckpoint: 32768,
} as const
export const StartFlags = { none: 0, paused: 1, autodestroy: 2, bypassCache: 4, forceBoot: 8, validate: 16, resetNvram: 32 } as const
export const DefineFlags = { validate: 1 } as const
/** Ways to ask a guest to go down; with `default` libvirt tries those that it has. */
export const ShutdownFlags = { default: 0, acpiPowerBtn: 1, guestAgent: 2, initctl: 4, signal: 8, paravirt: 16 } as const
export const RebootFlags = { default: 0, acpiPowerBtn: 1, guestAgent: 2, initctl: 4, signal: 8, paravirt: 16 } as const
export const DestroyFlags = { default: 0, graceful: 1, removeLogs: 2 } as const
export const UndefineFlags = {
  managedSave: 1,
  snapshotsMetadata: 2,
  nvram: 4,
  keepNvram: 8,
  checkpointsMetadata: 16,
  tpm: 32,
  keepTpm: 64,
} as const
/** Whether a change is for the running guest, for its next start, or both. */
export const DeviceModifyFlags = { current: 0, live: 1, config: 2, force: 4 } as const
export const XmlFlags = { secure: 1, inactive: 2, updateCpu: 4, migratable: 8 } as const
export const SaveFlags = { bypassCache: 1, running: 2, paused: 4, resetNvram: 8 } as const
export const BlockResizeFlags = { bytes: 1 } as const
export const BlockCopyFlags = { shallow: 1, reuseExt: 2, transientJob: 4, synchronousWrites: 8 } as const
export const BlockCommitFlags = { shallow: 1, delete: 2, active: 4, relative: 8, bandwidthBytes: 16 } as const
export const BlockRebaseFlags = { shallow: 1, reuseExt: 2, copyRaw: 4, copy: 8, relative: 16, copyDev: 32, bandwidthBytes: 64 } as const
export const BlockJobAbortFlags = { async: 1, pivot: 2 } as const
export const BlockJobType = { unknown: 0, pull: 1, copy: 2, commit: 3, activeCommit: 4, backup: 5 } as const
export const BlockJobStatus = { completed: 0, failed: 1, canceled: 2, ready: 3 } as const
export const SnapshotCreateFlags = {
  redefine: 1,
  current: 2,
  noMetadata: 4,
  halt: 8,
  diskOnly: 16,
  reuseExt: 32,
  quiesce: 64,
  atomic: 128,
  live: 256,
  validate: 512,
} as const
export const SnapshotDeleteFlags = { children: 1, metadataOnly: 2, childrenOnly: 4 } as const
export const MigrateFlags = {
  live: 1,
  peer2peer: 2,
  tunnelled: 4,
  persistDest: 8,
  undefineSource: 16,
  paused: 32,
  nonSharedDisk: 64,
  nonSharedInc: 128,
  changeProtection: 256,
  unsafe: 512,
  offline: 1024,
  compressed: 2048,
  abortOnError: 4096,
  autoConverge: 8192,
  rdmaPinAll: 16384,
  postcopy: 32768,
  tls: 65536,
  parallel: 131072,
  nonSharedSynchronousWrites: 262144,
  postcopyResume: 524288,
  zerocopy: 1048576,
} as const
export const ConsoleFlags = { force: 1, safe: 2 } as const
/** Groups of statistics; 0 asks for all. */
export const StatsTypes = {
  state: 1,
  cpuTotal: 2,
  balloon: 4,
  vcpu: 8,
  interface: 16,
  block: 32,
  perf: 64,
  iothread: 128,
  memory: 256,
  dirtyrate: 512,
  vm: 1024,
} as const
export const AllDomainStatsFlags = {
  active: 1,
  inactive: 2,
  persistent: 4,
  transient: 8,
  running: 16,
  paused: 32,
  shutoff: 64,
  other: 128,
  nowait: 536870912,
  backing: 1073741824,
  enforceStats: 2147483648,
} as const
export const InterfaceAddressesSource = { lease: 0, agent: 1, arp: 2 } as const
export const MetadataType = { description: 0, title: 1, element: 2 } as const
export const MemoryStatTag = {
  swapIn: 0,
  swapOut: 1,
  majorFault: 2,
  minorFault: 3,
  unused: 4,
  available: 5,
  actualBalloon: 6,
  rss: 7,
  usable: 8,
  lastUpdate: 9,
  diskCaches: 10,
  hugetlbPgalloc: 11,
  hugetlbPgfail: 12,
} as const
export const VcpuFlags = { current: 0, live: 1, config: 2, maximum: 4, guest: 8, hotpluggable: 16 } as const
export const MemoryFlags = { current: 0, live: 1, config: 2, maximum: 4 } as const
export const JobStatsFlags = { completed: 1, keepCompleted: 2 } as const
export const JobType = { none: 0, bounded: 1, unbounded: 2, completed: 3, failed: 4, cancelled: 5 } as const
export const SetUserPasswordFlags = { encrypted: 1 } as const
export const KeycodeSet = { linux: 0, xt: 1, atset1: 2, atset2: 3, atset3: 4, osx: 5, xtKbd: 6, usb: 7, win32: 8, qnum: 9 } as const
export const AgentLifecycleState = { connected: 1, disconnected: 2 } as const
