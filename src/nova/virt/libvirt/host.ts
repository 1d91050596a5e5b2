/** The host as this driver uses it: what kind of guests, which firmware, how QEMU gets at files. Surveyed once a connection. */
import { constants, existsSync } from 'node:fs'
import { chmod, chown, mkdir, open, rm } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import type { Log } from '../../../base/log.ts'
import type { Connection } from '../../../node-libvirt/index.ts'
import type { LibvirtConfig, SpiceConfig } from '../config.ts'
import type { GuestSpec } from '../specs.ts'
import { Access, type Problem } from './access.ts'
import type { DomainSettings } from './domain-xml.ts'
import { type HostFacts, offersSpice, readCapabilities } from './host-facts.ts'
import { probeKvm } from './kvm-probe.ts'

export type HostPlaces = {
  /** Absolute; closed to others. */
  readonly dataDir: string
  readonly instancesDir: string
  /** For sockets: short, and not below /var/lib/libvirt/qemu. */
  readonly runDir: string
}

export type Host = {
  readonly facts: HostFacts
  /** `kvm`, `qemu`, or `test`. */
  readonly domainType: string
  readonly access: Access | null
  readonly cacheMode: string
  /** Whether guests are given a screen by SPICE too. */
  readonly hasSpice: boolean
  readonly problems: readonly Problem[]
}

const defaultPciePorts = 16

export async function surveyHost(
  connection: Connection,
  places: HostPlaces,
  config: LibvirtConfig,
  log: Log,
  spice?: SpiceConfig,
): Promise<Host> {
  const facts = readCapabilities(await connection.capabilities())
  const problems: Problem[] = []
  const domainType = await chooseDomainType(facts, places, config, problems)
  const access = await Access.make(places.dataDir, facts.runsAs)
  // Its parent is for several clouds; QEMU's user must get through.
  const parent = dirname(places.runDir)
  if (await mkdir(parent, { recursive: true, mode: 0o711 })) await chmod(parent, 0o711)
  for (const dir of [places.instancesDir, places.runDir]) await mkdir(dir, { recursive: true, mode: 0o700 })
  await chmod(places.runDir, 0o700)
  if (facts.runsAs && process.getuid?.() === 0) await chown(places.runDir, facts.runsAs.uid, facts.runsAs.gid)
  for (const dir of [places.instancesDir, places.runDir]) problems.push(...((await access?.way(join(dir, 'file'))) ?? []))
  const hasSpice = spice?.enabled === true && (await findSpice(connection, domainType, problems))
  const host = { facts, domainType, access, cacheMode: await chooseCacheMode(places.instancesDir, config), hasSpice, problems }
  log.info({ domainType, emulator: facts.emulator, runsAs: facts.runsAs, cacheMode: host.cacheMode }, 'libvirt host surveyed')
  for (const problem of problems) log.warn(problem, problem.what)
  return host
}

/** Debian's QEMU has SPICE, others leave it out. */
async function findSpice(connection: Connection, virtType: string, problems: Problem[]): Promise<boolean> {
  const has = virtType !== 'test' && offersSpice(await connection.domainCapabilities({ virtType }))
  if (!has) problems.push({ what: 'QEMU has no SPICE', remedy: 'install QEMU with SPICE, or set [spice] enabled = false' })
  return has
}

async function chooseDomainType(facts: HostFacts, { dataDir }: HostPlaces, config: LibvirtConfig, problems: Problem[]): Promise<string> {
  const { domainTypes, emulator } = facts
  if (domainTypes.includes('test')) return 'test'
  if (emulator === null || domainTypes.length === 0) {
    problems.push({ what: `libvirt knows no emulator for ${facts.arch}`, remedy: 'install QEMU: apt-get install qemu-system' })
    return 'qemu'
  }
  if (config.virtType !== 'auto') return config.virtType
  if (!domainTypes.includes('kvm')) return 'qemu'
  const kvm = await probeKvm({ emulator, memory: join(dataDir, 'kvm-probe.json') })
  if (kvm.works) return 'kvm'
  problems.push({
    what: `KVM is not used: ${kvm.why}`,
    remedy: 'guests are emulated, which is slow; enable (nested) virtualisation, or set [libvirt] virt_type = kvm to use it all the same',
  })
  return 'qemu'
}

/** `none` wants direct I/O, which not every file system has. */
async function chooseCacheMode(instancesDir: string, config: LibvirtConfig): Promise<string> {
  const configured = config.diskCachemodes.find((each) => each.startsWith('file='))?.slice('file='.length)
  if (configured) return configured
  const probe = join(instancesDir, `.direct-${process.pid}`)
  try {
    const file = await open(probe, constants.O_CREAT | constants.O_WRONLY | constants.O_DIRECT, 0o600)
    await file.close()
    return 'none'
  } catch {
    return 'writeback'
  } finally {
    await rm(probe, { force: true })
  }
}

const firmwares: Record<string, readonly (readonly [code: string, vars: string])[]> = {
  x86_64: [
    ['/usr/share/OVMF/OVMF_CODE_4M.fd', '/usr/share/OVMF/OVMF_VARS_4M.fd'],
    ['/usr/share/OVMF/OVMF_CODE.fd', '/usr/share/OVMF/OVMF_VARS.fd'],
    ['/usr/share/edk2/ovmf/OVMF_CODE.fd', '/usr/share/edk2/ovmf/OVMF_VARS.fd'],
  ],
  aarch64: [
    ['/usr/share/AAVMF/AAVMF_CODE.fd', '/usr/share/AAVMF/AAVMF_VARS.fd'],
    ['/usr/share/edk2/aarch64/QEMU_EFI-pflash.raw', '/usr/share/edk2/aarch64/vars-template-pflash.raw'],
  ],
}

export const uefiFirmware = (arch: string) => (firmwares[arch] ?? []).find(([code, vars]) => existsSync(code) && existsSync(vars))

/** @throws {Error} when the guest wants UEFI and the host has none */
export function domainSettings(
  spec: GuestSpec,
  host: Host,
  config: LibvirtConfig,
  files: { cloud: string; nvram: string; serialLog: string; vncSocket: string; serialSocket: string; spiceSocket: string },
  spice?: SpiceConfig,
): DomainSettings {
  const { arch } = host.facts
  const firmware = spec.firmware === 'uefi' ? uefiFirmware(arch) : undefined
  if (spec.firmware === 'uefi' && !firmware) throw new Error('no UEFI firmware is installed (Debian package ovmf)')
  const machineDefault = config.hwMachineType.find((each) => each.startsWith(`${arch}=`))?.slice(arch.length + 1)
  const mode = config.cpuMode === 'auto' ? (host.domainType === 'kvm' ? 'host-model' : 'none') : config.cpuMode
  return {
    cloud: files.cloud,
    arch,
    domainType: host.domainType,
    machineType: spec.machineType ?? machineDefault ?? (arch === 'x86_64' ? 'q35' : 'virt'),
    cpu: { mode, model: config.cpuModels[0] ?? null },
    cacheMode: host.cacheMode,
    discard: config.hwDiskDiscard,
    pciePorts: config.numPciePorts || defaultPciePorts,
    maxQueues: config.maxQueues,
    rngDevice: config.rngDevPath,
    tbCacheMib: config.tbCacheSize,
    firmware: firmware ? { code: firmware[0], vars: firmware[1], nvram: files.nvram } : null,
    vncSocket: files.vncSocket,
    spice: host.hasSpice && spice ? { socket: files.spiceSocket, address: spice.serverListen, agent: spice.agentEnabled } : null,
    serialSocket: files.serialSocket,
    serialLog: files.serialLog,
    keepBaseOwner: host.access !== null,
  }
}
