import { existsSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { systemClock } from '../../src/base/clock.ts'
import { loadConfig } from '../../src/base/config/index.ts'
import { silentLog } from '../../src/base/log.ts'
import { createOverlay } from '../../src/image/index.ts'
import { connect, startMockDaemon } from '../../src/node-libvirt/index.ts'
import { type ComputeDriver, fakeConfig, libvirtConfig, makeFakeDriver, makeLibvirtDriver } from '../../src/nova/virt/index.ts'
import { libvirtdMissing, removeLibvirtdDir, startPrivateLibvirtd } from '../support/libvirtd.ts'
import { type DriverWorld, driverContract } from './driver.ts'

type World = Omit<DriverWorld, 'driver' | 'reopen' | typeof Symbol.asyncDispose>

/** A world in which `open` makes the driver anew. */
function world(open: () => ComputeDriver, about: World, end: () => Promise<void>): DriverWorld {
  let driver = open()
  return {
    ...about,
    get driver() {
      return driver
    },
    reopen: async () => {
      await driver[Symbol.asyncDispose]()
      driver = open()
      return driver
    },
    [Symbol.asyncDispose]: async () => {
      await driver[Symbol.asyncDispose]()
      await end()
    },
  }
}

async function fakeWorld(): Promise<DriverWorld> {
  const stateDir = await mkdtemp(join(tmpdir(), 'mc-fake-'))
  const config = loadConfig([fakeConfig], {}).get(fakeConfig)
  const open = () => makeFakeDriver({ host: 'fake-1', index: 0, stateDir, clock: systemClock(), log: silentLog(), config })
  return world(open, { says: (spec) => spec.uuid }, () => rm(stateDir, { recursive: true, force: true }))
}

const libvirt = (dir: string, uri: string) => () =>
  makeLibvirtDriver({
    host: 'host-1',
    uri,
    dataDir: dir,
    instancesDir: join(dir, 'instances'),
    runDir: join(dir, 'run-mc'),
    clock: systemClock(),
    log: silentLog(),
    config: loadConfig([libvirtConfig], {}).get(libvirtConfig),
    cloudPrefix: 'mctest',
    diskTool: { createOverlay },
  })

const noSockets = { console: 'its guests have no sockets', consoleOutput: 'its guests have no serial log' }

async function mockWorld(): Promise<DriverWorld> {
  const dir = await mkdtemp(join(tmpdir(), 'mc-mock-'))
  const daemon = await startMockDaemon({ socket: join(dir, 'sock') })
  return world(libvirt(dir, daemon.uri), { lacks: noSockets }, async () => {
    await daemon.stop()
    await rm(dir, { recursive: true, force: true })
  })
}

async function testDriverWorld(): Promise<DriverWorld> {
  const dir = await mkdtemp(join(tmpdir(), 'mc-lvt-'))
  const daemon = await startPrivateLibvirtd({ dir })
  const uri = `test+unix:///default?socket=${daemon.socket}`
  // Its guests live as long as someone is connected.
  const keeper = await connect({ uri })
  return world(libvirt(dir, uri), { lacks: noSockets }, async () => {
    await keeper.close()
    await daemon[Symbol.asyncDispose]()
    await removeLibvirtdDir(dir)
  })
}

async function qemuWorld(): Promise<DriverWorld> {
  const dir = await mkdtemp(join(tmpdir(), 'mc-lvq-'))
  const daemon = await startPrivateLibvirtd({ dir })
  return world(libvirt(dir, daemon.uri), {}, async () => {
    await daemon[Symbol.asyncDispose]()
    await removeLibvirtdDir(dir)
  })
}

const missing = libvirtdMissing() ?? (existsSync('/usr/bin/qemu-system-x86_64') ? undefined : 'QEMU is not installed')
const skip = process.env.CI === 'true' ? undefined : missing

driverContract('the fake', fakeWorld)
driverContract('libvirt over a mock daemon', mockWorld)
driverContract("libvirt over libvirtd's test driver", testDriverWorld, skip)
driverContract('libvirt over libvirtd and QEMU', qemuWorld, skip)
