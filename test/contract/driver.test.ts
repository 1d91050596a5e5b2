import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { systemClock } from '../../src/base/clock.ts'
import { loadConfig } from '../../src/base/config/index.ts'
import { silentLog } from '../../src/base/log.ts'
import { convert, createOverlay, resize } from '../../src/image/index.ts'
import { connect, startMockDaemon } from '../../src/node-libvirt/index.ts'
import { type ComputeDriver, fakeConfig, type GuestSpec, libvirtConfig, makeFakeDriver } from '../../src/nova/virt/index.ts'
import { makeLibvirtDriver } from '../../src/nova/virt/libvirt/index.ts'
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
  const host = (index: number) => () =>
    makeFakeDriver({
      host: `fake-${index}`,
      index,
      stateDir: join(stateDir, String(index)),
      clock: systemClock(),
      log: silentLog(),
      config,
    })
  const neighbour = host(1)()
  return world(host(0), { says: (spec) => spec.uuid, neighbour }, async () => {
    await neighbour[Symbol.asyncDispose]()
    await rm(stateDir, { recursive: true, force: true })
  })
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
    diskTool: { createOverlay, convert, resize },
  })

const noSockets = { console: 'its guests have no sockets', consoleOutput: 'its guests have no serial log' }

async function emptyDisk(dir: string): Promise<DriverWorld['rescueDisk']> {
  const file = join(dir, 'rescue.raw')
  await writeFile(file, Buffer.alloc(1 << 20))
  return { root: { file, format: 'raw' } }
}

async function mockWorld(): Promise<DriverWorld> {
  const dir = await mkdtemp(join(tmpdir(), 'mc-mock-'))
  const daemon = await startMockDaemon({ socket: join(dir, 'sock') })
  const about = { lacks: noSockets, rescueDisk: await emptyDisk(dir) }
  return world(libvirt(dir, daemon.uri), about, async () => {
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
  const lacks = {
    ...noSockets,
    snapshots: 'it copies no disks of running guests',
    interfaces: 'its domains take no devices',
    diagnostics: 'it keeps no statistics',
    setPassword: 'it has no agents',
    injectNmi: 'it has no interrupts',
  }
  return world(libvirt(dir, uri), { lacks, rescueDisk: await emptyDisk(dir) }, async () => {
    await keeper.close()
    await daemon[Symbol.asyncDispose]()
    await removeLibvirtdDir(dir)
  })
}

/** A boot sector that says `text` on the first serial port, and halts. */
function speakingSector(text: string): Buffer {
  const program = [
    ...[0x31, 0xc0, 0x8e, 0xd8, 0xfc, 0xbe, 0x23, 0x7c], // ds = 0, si = the text behind the program
    ...[0xac, 0x84, 0xc0, 0x74, 0x12, 0x88, 0xc4], // next character, until zero
    ...[0xba, 0xfd, 0x03, 0xec, 0xa8, 0x20, 0x74, 0xfb], // wait for the port
    ...[0x88, 0xe0, 0xba, 0xf8, 0x03, 0xee, 0xeb, 0xe9], // send it
    ...[0xfa, 0xf4, 0xeb, 0xfd],
  ]
  const sector = Buffer.alloc(512)
  sector.set([...program, ...Buffer.from(text)])
  sector.set([0x55, 0xaa], 510)
  return sector
}

const run = promisify(execFile)

async function qemuWorld(): Promise<DriverWorld> {
  const dir = await mkdtemp(join(tmpdir(), 'mc-lvq-'))
  const netns = `mc-lvq-${process.pid}`
  await run('ip', ['netns', 'add', netns])
  await run('ip', ['-n', netns, 'link', 'add', 'br0', 'type', 'bridge'])
  await run('ip', ['-n', netns, 'link', 'set', 'br0', 'up'])
  const daemon = await startPrivateLibvirtd({ dir, netns })
  const file = join(dir, 'base.raw')
  await writeFile(file, speakingSector('first line\r\nthe sector speaks\r\nlast line\r\n'))
  const fit = (spec: GuestSpec): GuestSpec => ({
    ...spec,
    disks: spec.disks.map((disk) => ({ ...disk, source: { kind: 'image', file, format: 'raw' } })),
    nics: [
      {
        portId: spec.uuid,
        mac: `fa:16:3e:${spec.uuid.slice(0, 2)}:${spec.uuid.slice(2, 4)}:${spec.uuid.slice(4, 6)}`,
        tap: `tap${spec.uuid.slice(0, 11)}`,
        bridge: 'br0',
        mtu: 1450,
        model: 'virtio',
      },
    ],
    configDrive: { format: 'iso9660', files: [{ path: 'openstack/latest/meta_data.json', data: Buffer.from('{}') }] },
  })
  const rescueFile = join(dir, 'rescue.raw')
  // The BIOS boots from no disk as small as a sector.
  await writeFile(rescueFile, Buffer.concat([speakingSector('rescue\r\nthe rescuer speaks\r\n'), Buffer.alloc(1 << 20)]))
  const about: World = {
    fit,
    says: () => 'the sector speaks',
    rescueDisk: { root: { file: rescueFile, format: 'raw' }, says: 'the rescuer speaks' },
    bridge: 'br0',
    lacks: { liveDetach: 'a boot sector does not let go of devices' },
  }
  return world(libvirt(dir, daemon.uri), about, async () => {
    await daemon[Symbol.asyncDispose]()
    await run('ip', ['netns', 'delete', netns])
    await removeLibvirtdDir(dir)
  })
}

const missing = libvirtdMissing() ?? (existsSync('/usr/bin/qemu-system-x86_64') ? undefined : 'QEMU is not installed')
const skip = process.env.CI === 'true' ? undefined : missing

driverContract('the fake', fakeWorld)
driverContract('libvirt over a mock daemon', mockWorld)
driverContract("libvirt over libvirtd's test driver", testDriverWorld, skip)
driverContract('libvirt over libvirtd and QEMU', qemuWorld, skip)
