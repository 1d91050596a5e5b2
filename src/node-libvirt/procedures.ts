/**
 * The calls of libvirt's remote and QEMU programs that this client makes: number, arguments, answer.
 *
 * Lists are asked for with `needResults: 1`; counts that the answer repeats are named `count` and not used.
 *
 * @see https://libvirt.org/kbase/internals/rpc.html
 */
import { array, type Codec, characters, flag, i32, i64, nothing, opaque, optional, struct, u32, u64, uuid } from './codec.ts'
import {
  bytes,
  domainRef,
  listMax,
  maybeText,
  named,
  networkRef,
  poolRef,
  procedure,
  qemuProgram,
  snapshotRef,
  text,
  typedParams,
  volumeRef,
} from './protocol.ts'

const flags = u32
const onDomain = struct({ domain: domainRef })
const onDomainFlags = struct({ domain: domainRef, flags })
const onDomainXml = struct({ domain: domainRef, xml: text, flags })
const onDisk = struct({ domain: domainRef, disk: text, flags })
const aDomain = struct({ domain: domainRef })
const xml = struct({ xml: text })
const xmlFlags = struct({ xml: text, flags })
const byUuid = struct({ uuid })
const byName = struct({ name: text })
const wantList = struct({ needResults: i32, flags })
const sasl = opaque(65_536)
/** One byte in C, four on the wire. */
const byte: Codec<number> = { read: (r) => r.u32() & 0xff, write: (w, v) => w.u32(v & 0xff) }
const stat = struct({ name: text, value: u64 })

const connection = {
  connectOpen: procedure(1, struct({ name: maybeText, flags }), nothing),
  connectClose: procedure(2, nothing, nothing),
  connectGetType: procedure(3, nothing, struct({ type: text })),
  connectGetVersion: procedure(4, nothing, struct({ version: u64 })),
  connectGetMaxVcpus: procedure(5, struct({ type: maybeText }), struct({ count: i32 })),
  nodeGetInfo: procedure(
    6,
    nothing,
    struct({ model: characters(32), memoryKib: u64, cpus: i32, mhz: i32, nodes: i32, sockets: i32, cores: i32, threads: i32 }),
  ),
  connectGetCapabilities: procedure(7, nothing, xml),
  connectGetHostname: procedure(59, nothing, struct({ hostname: text })),
  connectSupportsFeature: procedure(60, struct({ feature: i32 }), struct({ supported: flag })),
  authList: procedure(66, nothing, struct({ types: array(i32, 20) })),
  authSaslInit: procedure(67, nothing, struct({ mechanisms: text })),
  authSaslStart: procedure(68, struct({ mechanism: text, nil: flag, data: sasl }), struct({ complete: flag, nil: flag, data: sasl })),
  authPolkit: procedure(70, nothing, struct({ complete: flag })),
  nodeGetFreeMemory: procedure(102, nothing, struct({ bytes: u64 })),
  connectGetUri: procedure(110, nothing, struct({ uri: text })),
  connectGetLibVersion: procedure(157, nothing, struct({ version: u64 })),
  connectGetSysinfo: procedure(203, struct({ flags }), xml),
  nodeGetCpuStats: procedure(227, struct({ cpu: i32, max: i32, flags }), struct({ stats: array(stat, 16), count: i32 })),
  nodeGetMemoryStats: procedure(228, struct({ max: i32, cell: i32, flags }), struct({ stats: array(stat, 16), count: i32 })),
  connectListAllDomains: procedure(273, wantList, struct({ domains: array(domainRef, listMax), count: u32 })),
  connectListAllStoragePools: procedure(281, wantList, struct({ pools: array(poolRef, listMax), count: u32 })),
  connectListAllNetworks: procedure(283, wantList, struct({ networks: array(networkRef, listMax), count: u32 })),
  connectDomainEventCallbackRegisterAny: procedure(316, struct({ event: i32, domain: optional(domainRef) }), struct({ callback: i32 })),
  connectDomainEventCallbackDeregisterAny: procedure(317, struct({ callback: i32 }), nothing),
  connectGetDomainCapabilities: procedure(
    342,
    struct({ emulator: maybeText, arch: maybeText, machine: maybeText, virtType: maybeText, flags }),
    xml,
  ),
  connectGetAllDomainStats: procedure(
    344,
    struct({ domains: array(domainRef, listMax), stats: u32, flags }),
    struct({ records: array(struct({ domain: domainRef, params: typedParams(262_144) }), listMax) }),
  ),
}

const domains = {
  domainCreateXml: procedure(10, xmlFlags, aDomain),
  domainGetAutostart: procedure(15, onDomain, struct({ autostart: flag })),
  domainGetInfo: procedure(16, onDomain, struct({ state: byte, maxMemoryKib: u64, memoryKib: u64, vcpus: u32, cpuTimeNs: u64 })),
  domainGetVcpus: procedure(
    20,
    struct({ domain: domainRef, max: i32, mapBytes: i32 }),
    struct({
      vcpus: array(struct({ number: u32, state: i32, cpuTimeNs: u64, cpu: i32 }), listMax),
      maps: opaque(8_388_608),
    }),
  ),
  domainLookupById: procedure(22, struct({ id: i32 }), aDomain),
  domainLookupByName: procedure(23, byName, aDomain),
  domainLookupByUuid: procedure(24, byUuid, aDomain),
  domainReboot: procedure(27, onDomainFlags, nothing),
  domainResume: procedure(28, onDomain, nothing),
  domainSetAutostart: procedure(29, struct({ domain: domainRef, autostart: flag }), nothing),
  domainSuspend: procedure(34, onDomain, nothing),
  domainGetXmlDesc: procedure(14, onDomainFlags, xml),
  domainInterfaceStats: procedure(
    65,
    struct({ domain: domainRef, device: text }),
    struct({ rxBytes: i64, rxPackets: i64, rxErrors: i64, rxDropped: i64, txBytes: i64, txPackets: i64, txErrors: i64, txDropped: i64 }),
  ),
  domainBlockStats: procedure(
    64,
    struct({ domain: domainRef, disk: text }),
    struct({ readRequests: i64, readBytes: i64, writeRequests: i64, writeBytes: i64, errors: i64 }),
  ),
  domainIsActive: procedure(150, onDomain, struct({ active: flag })),
  domainIsPersistent: procedure(151, onDomain, struct({ persistent: flag })),
  domainMemoryStats: procedure(
    159,
    struct({ domain: domainRef, max: u32, flags }),
    struct({ stats: array(struct({ tag: i32, value: u64 }), 1024) }),
  ),
  domainAttachDeviceFlags: procedure(160, onDomainXml, nothing),
  domainDetachDeviceFlags: procedure(161, onDomainXml, nothing),
  domainUpdateDeviceFlags: procedure(174, onDomainXml, nothing),
  domainDetachDeviceAlias: procedure(392, struct({ domain: domainRef, alias: text, flags }), nothing),
  domainAbortJob: procedure(164, onDomain, nothing),
  domainBackupBegin: procedure(421, struct({ domain: domainRef, xml: text, checkpointXml: maybeText, flags }), nothing),
  domainMigrateSetMaxDowntime: procedure(166, struct({ domain: domainRef, downtimeMs: u64, flags }), nothing),
  domainManagedSave: procedure(182, onDomainFlags, nothing),
  domainHasManagedSaveImage: procedure(183, onDomainFlags, struct({ result: flag })),
  domainManagedSaveRemove: procedure(184, onDomainFlags, nothing),
  domainSnapshotCreateXml: procedure(185, onDomainXml, struct({ snapshot: snapshotRef })),
  domainSnapshotGetXmlDesc: procedure(186, struct({ snapshot: snapshotRef, flags }), xml),
  domainSnapshotLookupByName: procedure(189, struct({ domain: domainRef, name: text, flags }), struct({ snapshot: snapshotRef })),
  domainRevertToSnapshot: procedure(192, struct({ snapshot: snapshotRef, flags }), nothing),
  domainSnapshotDelete: procedure(193, struct({ snapshot: snapshotRef, flags }), nothing),
  domainListAllSnapshots: procedure(
    274,
    struct({ domain: domainRef, needResults: i32, flags }),
    struct({ snapshots: array(snapshotRef, listMax), count: i32 }),
  ),
  domainGetBlockInfo: procedure(194, onDisk, struct({ allocation: u64, capacity: u64, physical: u64 })),
  domainCreateWithFlags: procedure(196, onDomainFlags, aDomain),
  domainSetVcpusFlags: procedure(199, struct({ domain: domainRef, vcpus: u32, flags }), nothing),
  domainGetVcpusFlags: procedure(200, onDomainFlags, struct({ count: i32 })),
  domainOpenConsole: procedure(201, struct({ domain: domainRef, device: maybeText, flags }), nothing),
  domainSetMemoryFlags: procedure(204, struct({ domain: domainRef, memoryKib: u64, flags }), nothing),
  domainInjectNmi: procedure(210, onDomainFlags, nothing),
  domainScreenshot: procedure(211, struct({ domain: domainRef, screen: u32, flags }), struct({ mime: maybeText })),
  domainGetState: procedure(212, onDomainFlags, struct({ state: i32, reason: i32 })),
  domainSendKey: procedure(226, struct({ domain: domainRef, codeset: u32, holdMs: u32, keys: array(u32, 16), flags }), nothing),
  domainUndefineFlags: procedure(231, onDomainFlags, nothing),
  domainDestroyFlags: procedure(234, onDomainFlags, nothing),
  domainBlockJobAbort: procedure(237, onDisk, nothing),
  domainGetBlockJobInfo: procedure(238, onDisk, struct({ found: flag, type: i32, bandwidth: u64, current: u64, end: u64 })),
  domainBlockPull: procedure(240, struct({ domain: domainRef, disk: text, bandwidth: u64, flags }), nothing),
  domainReset: procedure(245, onDomainFlags, nothing),
  domainBlockResize: procedure(251, struct({ domain: domainRef, disk: text, size: u64, flags }), nothing),
  domainShutdownFlags: procedure(258, onDomainFlags, nothing),
  domainSetMetadata: procedure(
    264,
    struct({ domain: domainRef, type: i32, metadata: maybeText, key: maybeText, uri: maybeText, flags }),
    nothing,
  ),
  domainGetMetadata: procedure(265, struct({ domain: domainRef, type: i32, uri: maybeText, flags }), struct({ metadata: text })),
  domainBlockRebase: procedure(266, struct({ domain: domainRef, disk: text, base: maybeText, bandwidth: u64, flags }), nothing),
  domainBlockCommit: procedure(
    290,
    struct({ domain: domainRef, disk: text, base: maybeText, top: maybeText, bandwidth: u64, flags }),
    nothing,
  ),
  domainGetJobStats: procedure(298, onDomainFlags, struct({ type: i32, params: typedParams(64) })),
  domainMigratePerform3Params: procedure(
    305,
    struct({ domain: domainRef, destination: maybeText, params: typedParams(64), cookie: bytes, flags }),
    struct({ cookie: bytes }),
  ),
  domainFsFreeze: procedure(335, struct({ domain: domainRef, mountpoints: array(text, 256), flags }), struct({ count: i32 })),
  domainFsThaw: procedure(336, struct({ domain: domainRef, mountpoints: array(text, 256), flags }), struct({ count: i32 })),
  domainBlockCopy: procedure(345, struct({ domain: domainRef, disk: text, destinationXml: text, params: typedParams(16), flags }), nothing),
  domainDefineXmlFlags: procedure(350, xmlFlags, aDomain),
  domainInterfaceAddresses: procedure(
    353,
    struct({ domain: domainRef, source: u32, flags }),
    struct({
      interfaces: array(
        struct({ name: text, mac: maybeText, addresses: array(struct({ type: i32, address: text, prefix: u32 }), 2048) }),
        2048,
      ),
    }),
  ),
  domainSetUserPassword: procedure(357, struct({ domain: domainRef, user: maybeText, password: maybeText, flags }), nothing),
  domainMigrateStartPostCopy: procedure(364, onDomainFlags, nothing),
}

const onNetwork = struct({ network: networkRef })
const aNetwork = struct({ network: networkRef })
const networks = {
  networkCreate: procedure(39, onNetwork, nothing),
  networkCreateXml: procedure(40, xml, aNetwork),
  networkDefineXml: procedure(41, xml, aNetwork),
  networkDestroy: procedure(42, onNetwork, nothing),
  networkGetXmlDesc: procedure(43, struct({ network: networkRef, flags }), xml),
  networkGetBridgeName: procedure(45, onNetwork, struct({ name: text })),
  networkLookupByName: procedure(46, byName, aNetwork),
  networkLookupByUuid: procedure(47, byUuid, aNetwork),
  networkSetAutostart: procedure(48, struct({ network: networkRef, autostart: flag }), nothing),
  networkUndefine: procedure(49, onNetwork, nothing),
  networkIsActive: procedure(152, onNetwork, struct({ active: flag })),
}

const onPool = struct({ pool: poolRef })
const onPoolFlags = struct({ pool: poolRef, flags })
const onVolume = struct({ volume: volumeRef })
const onVolumeFlags = struct({ volume: volumeRef, flags })
const volumeRange = struct({ volume: volumeRef, offset: u64, length: u64, flags })
const storage = {
  storagePoolCreateXml: procedure(76, xmlFlags, onPool),
  storagePoolDefineXml: procedure(77, xmlFlags, onPool),
  storagePoolCreate: procedure(78, onPoolFlags, nothing),
  storagePoolBuild: procedure(79, onPoolFlags, nothing),
  storagePoolDestroy: procedure(80, onPool, nothing),
  storagePoolUndefine: procedure(82, onPool, nothing),
  storagePoolRefresh: procedure(83, onPoolFlags, nothing),
  storagePoolLookupByName: procedure(84, byName, onPool),
  storagePoolGetInfo: procedure(87, onPool, struct({ state: byte, capacity: u64, allocation: u64, available: u64 })),
  storagePoolListAllVolumes: procedure(
    282,
    struct({ pool: poolRef, needResults: i32, flags }),
    struct({ volumes: array(volumeRef, listMax), count: u32 }),
  ),
  storageVolCreateXml: procedure(93, struct({ pool: poolRef, xml: text, flags }), onVolume),
  storageVolDelete: procedure(94, onVolumeFlags, nothing),
  storageVolLookupByName: procedure(95, struct({ pool: poolRef, name: text }), onVolume),
  storageVolGetInfo: procedure(98, onVolume, struct({ type: i32, capacity: u64, allocation: u64 })),
  storageVolGetPath: procedure(100, onVolume, struct({ path: text })),
  storageVolUpload: procedure(208, volumeRange, nothing),
  storageVolDownload: procedure(209, volumeRange, nothing),
}

const qemu = {
  qemuDomainMonitorCommand: procedure(1, struct({ domain: domainRef, command: text, flags }), struct({ result: text }), qemuProgram),
  qemuDomainAgentCommand: procedure(
    3,
    struct({ domain: domainRef, command: text, timeoutS: i32, flags }),
    struct({ result: maybeText }),
    qemuProgram,
  ),
}

export const procedures = named({ ...connection, ...domains, ...networks, ...storage, ...qemu })
export type Procedures = typeof procedures
export type ProcedureName = keyof Procedures
