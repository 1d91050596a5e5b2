/** Options that the whole compute service shares. */
import { bool, int, section, text } from '../../base/config/index.ts'
import { auditPeriod } from './audit-period.ts'

export const novaConfig = section('DEFAULT', {
  defaultAvailabilityZone: text({ default: 'nova', doc: 'The availability zone of hosts that no aggregate puts into another.' }),
  defaultScheduleZone: text({ default: '', doc: 'The zone of servers that name none; empty: any.' }),
  serviceDownTime: int({ default: 60, min: 1, doc: 'Seconds without a report after which a host counts as down.' }),
  reportInterval: int({ default: 10, min: 1, doc: 'Seconds between two reports of a host.' }),
  resumeGuestsStateOnHostBoot: bool({ default: false, doc: 'Start the guests that ran before the host went down.' }),
  syncPowerStateInterval: int({
    default: 600,
    min: 0,
    doc: 'Seconds between two comparisons of guests with their records; 0: only on events.',
  }),
  shutdownTimeout: int({ default: 60, min: 0, doc: 'Seconds that a guest is given to shut down before its plug is pulled.' }),
  cpuAllocationRatio: int({ default: 4, min: 1, doc: 'Virtual CPUs given out for each one of the host.' }),
  ramAllocationRatio: int({ default: 1, min: 1, doc: 'Memory given out for each MiB of the host.' }),
  diskAllocationRatio: int({ default: 1, min: 1, doc: 'Disk given out for each GiB of the host.' }),
  reservedHostMemoryMb: int({ default: 512, min: 0, doc: "MiB of the host's memory that no guest gets." }),
  reservedHostDiskMb: int({ default: 0, min: 0, doc: "MiB of the host's disk that no guest gets." }),
  reclaimInstanceInterval: int({
    default: 0,
    min: 0,
    doc: 'Seconds for which a deleted server may be restored; 0: it is gone at once.',
  }),
  instanceDeleteInterval: int({ default: 300, min: 1, doc: 'Seconds between two searches for deleted servers whose time is over.' }),
  allowResizeToSameHost: bool({
    default: true,
    doc: 'Let a server be resized on its own host, which it then leaves only for want of room; false: another host is needed.',
  }),
  resizeConfirmWindow: int({ default: 0, min: 0, doc: 'Seconds after which a resize is confirmed by itself; 0: never.' }),
  shelvedOffloadTime: int({
    default: 0,
    min: -1,
    doc: 'Seconds after which a shelved server leaves its host; 0: at once, -1: only when told to.',
  }),
  shelvedPollInterval: int({
    default: 3600,
    min: 1,
    doc: 'Seconds between two searches for shelved servers that are to leave their host.',
  }),
  instanceUsageAudit: bool({ default: false, doc: 'Tell once a period of each server that was there, and keep a log of it.' }),
  instanceUsageAuditPeriod: {
    ...text({
      default: 'month',
      doc: 'The period whose usage an audit counts: hour, day, month or year; where it begins may follow, as in month@15.',
    }),
    parse: auditPeriod,
  },
  maxLocalBlockDevices: int({ default: 3, min: -1, doc: 'Disks of its own that a server may have, the root disk too; -1: any number.' }),
  maxConcurrentLiveMigrations: int({ default: 1, min: 0, doc: 'Guests that leave a host at the same time while they run; 0: no limit.' }),
  migrateMaxRetries: int({ default: -1, min: -1, doc: 'Further hosts that are tried for a live migration; -1: all.' }),
  maxConcurrentBuilds: int({ default: 10, min: 0, doc: 'Guests that a host builds at the same time; 0: no limit.' }),
})

export const quotaConfig = section('quota', {
  instances: int({ default: 10, min: -1, doc: 'Servers a project may have.' }),
  cores: int({ default: 20, min: -1, doc: 'Virtual CPUs a project may use.' }),
  ram: int({ default: 51_200, min: -1, doc: 'MiB of memory a project may use.' }),
  metadataItems: int({ default: 128, min: -1, doc: 'Metadata items a server may have.' }),
  injectedFiles: int({ default: 5, min: -1, doc: 'Files a request may inject.' }),
  injectedFileContentBytes: int({ default: 10_240, min: -1, doc: 'Bytes of an injected file.' }),
  injectedFilePathLength: int({ default: 255, min: -1, doc: "Length of an injected file's path." }),
  keyPairs: int({ default: 100, min: -1, doc: 'Key pairs a user may have.' }),
  serverGroups: int({ default: 10, min: -1, doc: 'Server groups a project may have.' }),
  serverGroupMembers: int({ default: 10, min: -1, doc: 'Servers a server group may have.' }),
})

export const apiConfig = section('api', {
  maxLimit: int({ default: 1000, min: 1, doc: 'The longest page of a list.' }),
  dhcpDomain: text({ default: 'novalocal', doc: "The domain that follows a guest's name in its metadata." }),
  metadataCacheExpiration: int({ default: 15, min: 0, doc: 'Seconds for which an answer of the metadata service is kept.' }),
  vendordataJsonfilePath: text({ default: '', doc: 'A file whose JSON every guest reads as its vendor data.' }),
  enableInstancePassword: bool({ default: true, doc: 'Answer the administrator password of a new server.' }),
})

export const glanceConfig = section('glance', {
  verifyGlanceSignatures: bool({
    default: false,
    doc: "Take images only whose signature can be verified. That needs a key manager's certificates, and this cloud has none: every image is refused.",
  }),
})
