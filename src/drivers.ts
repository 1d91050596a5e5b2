/**
 * Which hypervisor and which network: what was asked for, or what proves usable here. The first start may take
 * seconds, since libvirt is believed only when a guest has been started.
 */
import { readdir } from 'node:fs/promises'
import { hostname } from 'node:os'
import { join } from 'node:path'
import type { Clock } from './base/clock.ts'
import type { Config } from './base/config/index.ts'
import { CloudError, messageOf } from './base/errors.ts'
import type { Log } from './base/log.ts'
import { processConfig } from './config.ts'
import type { Credentials } from './credentials.ts'
import { convert, createOverlay, resize } from './image/index.ts'
import { makeNetworkDriver, type NetworkDriver } from './network/drivers/index.ts'
import { computeConfig } from './nova/compute/index.ts'
import {
  type ComputeDriver,
  ephemeralConfig,
  fakeConfig,
  libvirtConfig,
  loadLibvirt,
  makeFakeDriver,
  spiceConfig,
} from './nova/virt/index.ts'

export type DriverKind = 'libvirt' | 'fake'

export type DriverChoice = {
  kind: DriverKind
  network: NetworkDriver
  makeComputeDrivers(): ComputeDriver[]
}

export type DriverDeps = { config: Config; log: Log; clock: Clock; dataDir: string; credentials: Credentials; childCommand: string[] }

const systemUri = 'qemu:///system'
/** Sockets and name servers' files: short paths, and open to the users that QEMU and dnsmasq become. */
const runDir = '/run/minicloud'

/** @throws {CloudError} `unavailable` naming every problem and remedy, when what was asked for cannot work. */
export async function chooseDrivers(deps: DriverDeps): Promise<DriverChoice> {
  const { config, log, credentials, childCommand } = deps
  const { driver, networkDriver, hostNamespace } = config.get(processConfig)
  const kind = await chooseKind(deps, driver)
  const networkKind = networkDriver === 'auto' ? (kind === 'libvirt' ? 'linux' : 'fake') : networkDriver
  const network = await makeNetworkDriver(networkKind, {
    cloudPrefix: credentials.prefix,
    stateDir: join(runDir, credentials.prefix, 'network'),
    hostNamespace: hostNamespace || null,
    childCommand,
    log: { info: (line) => log.info(line), warn: (line) => log.warn(line), error: (line) => log.error(line) },
  }).catch((error: unknown) => {
    throw new CloudError('unavailable', messageOf(error), { cause: error })
  })
  return { kind, network, makeComputeDrivers: kind === 'fake' ? () => fakeDrivers(deps) : await libvirtDrivers(deps) }
}

export const libvirtUri = (config: Config): string => config.get(libvirtConfig).connectionUri || systemUri

async function chooseKind({ config, log, dataDir }: DriverDeps, wanted: 'auto' | DriverKind): Promise<DriverKind> {
  if (wanted === 'fake') return 'fake'
  const { probeLibvirt } = await loadLibvirt()
  const { ok, problems } = await probeLibvirt({ uri: libvirtUri(config), memory: join(dataDir, 'libvirt-probe.json') })
  const said = problems.map(({ what, remedy }) => `${what} (remedy: ${remedy})`)
  if (!ok && (await hasGuests(dataDir))) {
    for (const line of said) log.error(`hypervisor: ${line}`)
    log.error('the guests of this cloud are on libvirt: they are waited for')
    return 'libvirt'
  }
  if (!ok && wanted === 'libvirt') throw new CloudError('unavailable', `No guest can run on this host: ${said.join('; ')}`)
  for (const line of said) log.warn(`hypervisor: ${line}`)
  if (!ok) log.warn('no usable hypervisor: guests are pretended (--driver fake)')
  return ok ? 'libvirt' : 'fake'
}

/** Whether guests were made by libvirt here: then nobody is to pretend them, though libvirt may come up after us. */
const hasGuests = async (dataDir: string): Promise<boolean> => (await readdir(instancesIn(dataDir)).catch(() => [])).length > 0
const instancesIn = (dataDir: string): string => join(dataDir, 'instances')

/** The first has the compute host's own name, the others a number behind it. */
function fakeDrivers({ config, clock, log, dataDir }: DriverDeps): ComputeDriver[] {
  const values = config.get(fakeConfig)
  const name = config.get(computeConfig).host || hostname()
  return Array.from({ length: values.hosts }, (_, index) =>
    makeFakeDriver({
      host: index === 0 ? name : `${name}-${index + 1}`,
      index,
      stateDir: join(dataDir, 'fake', String(index)),
      clock,
      log,
      config: values,
    }),
  )
}

async function libvirtDrivers({ config, clock, log, dataDir, credentials }: DriverDeps): Promise<() => ComputeDriver[]> {
  const { makeLibvirtDriver } = await loadLibvirt()
  return () => [
    makeLibvirtDriver({
      host: config.get(computeConfig).host || hostname(),
      dataDir,
      uri: libvirtUri(config),
      instancesDir: instancesIn(dataDir),
      runDir: join(runDir, credentials.prefix, 'guests'),
      clock,
      log,
      config: config.get(libvirtConfig),
      spice: config.get(spiceConfig),
      ephemeral: config.get(ephemeralConfig),
      cloudPrefix: credentials.prefix,
      diskTool: { createOverlay, convert, resize },
    }),
  ]
}
