/** What only a daemon that does as it is told can show of the capabilities: lateness, refusals, and lives that are cut off. */
import { existsSync } from 'node:fs'
import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { blankGuest } from '../../../../test/contract/driver.ts'
import { type Clock, manualClock, systemClock } from '../../../base/clock.ts'
import { loadConfig } from '../../../base/config/index.ts'
import { silentLog } from '../../../base/log.ts'
import { connect, type MockDaemon, startMockDaemon } from '../../../node-libvirt/index.ts'
import { libvirtConfig } from '../config.ts'
import { type ComputeDriver, type GuestEvent, PowerState } from '../driver.ts'
import { makeLibvirtDriver } from './driver.ts'

let dir: string
let daemon: MockDaemon
let drivers: ComputeDriver[]

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'mc-lv-'))
  daemon = await startMockDaemon({ socket: join(dir, 'sock') })
  drivers = []
})
afterEach(async () => {
  for (const driver of drivers) await driver[Symbol.asyncDispose]()
  await daemon.stop()
  await rm(dir, { recursive: true, force: true })
})

function open({ clock = systemClock() as Clock } = {}): ComputeDriver {
  const driver = makeLibvirtDriver({
    host: 'host-1',
    uri: daemon.uri,
    dataDir: dir,
    instancesDir: join(dir, 'one'),
    runDir: join(dir, 'r'),
    clock,
    log: silentLog(),
    config: loadConfig([libvirtConfig], {}).get(libvirtConfig),
    cloudPrefix: 'one',
    diskTool: {
      createOverlay: ({ path }) => writeFile(path, ''),
      convert: ({ to }) => writeFile(to.path, ''),
      resize: async () => undefined,
    },
  })
  drivers.push(driver)
  return driver
}
const never = new AbortController().signal
async function spawned(driver: ComputeDriver) {
  const spec = blankGuest()
  await driver.spawn(spec, never)
  return spec
}

const nic = { portId: 'p', mac: 'fa:16:3e:00:00:01', tap: 'tap1', bridge: 'br1', mtu: 1450, model: 'virtio' } as const

test('an interface that the guest does not let go of stays, now and after the next start', async () => {
  const clock = manualClock()
  const driver = open({ clock })
  const { uuid } = await spawned(driver)
  await driver.interfaces?.attach(uuid, nic)
  daemon.state.guests.keepDevices = true
  let failure: unknown
  const detaching = driver.interfaces?.detach(uuid, nic.mac).catch((error: unknown) => {
    failure = error
  })
  await vi.waitFor(
    async () => {
      await clock.advance('1 s')
      expect(failure).toMatchObject({ reason: 'failed' })
    },
    { interval: 5, timeout: 10_000 },
  )
  await detaching
  expect(clock.now() - Date.UTC(2026, 0, 1)).toBeGreaterThanOrEqual(20_000)
  const domain = daemon.domains.get(uuid)
  expect([domain?.configXml?.includes(nic.mac), domain?.liveXml?.includes(nic.mac)]).toEqual([true, true])
})

test('an interface that the guest lets go of late, after the request, is gone from both', async () => {
  const driver = open()
  const { uuid } = await spawned(driver)
  await driver.interfaces?.attach(uuid, nic)
  daemon.state.guests.keepDevices = true
  const detaching = driver.interfaces?.detach(uuid, nic.mac)
  await vi.waitFor(() => expect(daemon.calls.map((call) => call.procedure)).toContain('domainDetachDeviceFlags'))
  daemon.state.guests.keepDevices = false
  await using connection = await connect({ uri: daemon.uri })
  const late = await connection.lookupByUuid(uuid)
  await late.detachDevice(`<interface type='bridge'><mac address='${nic.mac}'/></interface>`, 1)
  await detaching
  const domain = daemon.domains.get(uuid)
  expect([domain?.configXml?.includes(nic.mac), domain?.liveXml?.includes(nic.mac)]).toEqual([false, false])
})

test('an interface attached later has its queues and limits, now and after the next start', async () => {
  const driver = open()
  const { uuid } = await spawned(driver)
  const bandwidth = { inbound: null, outbound: { average: 100, peak: null, burst: 50 } }
  await driver.interfaces?.attach(uuid, { ...nic, queues: 2, bandwidth })
  for (const xml of [daemon.domains.get(uuid)?.configXml, daemon.domains.get(uuid)?.liveXml]) {
    expect(xml).toContain('<driver queues="2"/>')
    expect(xml).toContain('<bandwidth><outbound average="100" burst="50"/></bandwidth>')
  }
})

test('a full guest takes no further interface', async () => {
  const driver = open()
  const { uuid } = await spawned(driver)
  daemon.failNext('domainAttachDeviceFlags', { message: 'internal error: No more available PCI slots' })
  await expect(driver.interfaces?.attach(uuid, nic)).rejects.toMatchObject({ reason: 'no-resources' })
  expect(daemon.domains.get(uuid)?.configXml).not.toContain(nic.mac)
})

test('a password goes to the agent, and its refusal is told as one', async () => {
  const driver = open()
  const { uuid } = await spawned(driver)
  daemon.state.guests.agent = () => ({})
  await driver.setPassword?.(uuid, 'root', 'sesame')
  expect(daemon.domains.get(uuid)?.passwords.get('root')).toBe('sesame')
  daemon.state.guests.agent = () => {
    throw new Error('no such user')
  }
  await expect(driver.setPassword?.(uuid, 'nobody', 'sesame')).rejects.toMatchObject({ reason: 'failed' })
})

test('file systems that a cut-off snapshot left frozen are thawed by the next life', async () => {
  const { uuid } = await spawned(open())
  const mark = join(dir, 'one', uuid, 'frozen')
  await writeFile(mark, '')
  daemon.state.guests.agent = (_, command) => (command as { execute: string }).execute === 'guest-fsfreeze-thaw' && 1
  open()
  await vi.waitFor(() => expect(existsSync(mark)).toBe(false))
  expect(daemon.calls.map((call) => call.procedure)).toContain('domainFsThaw')
})

test('a snapshot is begun between freeze and thaw where an agent is there, and without them where none is', async () => {
  const driver = open()
  const { uuid } = await spawned(driver)
  const steps = ['domainFsFreeze', 'domainBackupBegin', 'domainFsThaw']
  const taken = async () => {
    const from = daemon.calls.length
    await using copy = await driver.snapshots?.take(uuid, never)
    expect(copy?.virtualSizeBytes).toBe(1024 ** 3)
    return daemon.calls.slice(from).flatMap(({ procedure }) => (steps.includes(procedure) ? [procedure] : []))
  }
  expect(await taken()).toEqual(['domainBackupBegin'])
  daemon.state.guests.agent = () => 1
  expect(await taken()).toEqual(steps)
  daemon.failNext('domainFsFreeze', { message: 'freezing took too long' })
  expect(await taken()).toEqual(steps)
  daemon.failNext('domainBackupBegin', { message: 'no luck' })
  await expect(driver.snapshots?.take(uuid, never)).rejects.toMatchObject({ reason: 'failed' })
  expect(daemon.calls.map((call) => call.procedure).lastIndexOf('domainFsThaw')).toBeGreaterThan(
    daemon.calls.map((call) => call.procedure).lastIndexOf('domainBackupBegin'),
  )
  expect(await readdir(join(dir, 'one', uuid))).toEqual(['domain.xml', 'root'])
})

test('a snapshot under way ends when it is called off, or when its guest is destroyed', async () => {
  const driver = open()
  const { uuid } = await spawned(driver)
  daemon.state.guests.holdBackups = true
  const begun = (count: number) =>
    vi.waitFor(() => expect(daemon.calls.filter((call) => call.procedure === 'domainBackupBegin').length).toBe(count))
  const controller = new AbortController()
  const first = driver.snapshots?.take(uuid, controller.signal)
  first?.catch(() => undefined)
  await begun(1)
  controller.abort(new Error('called off'))
  await expect(first).rejects.toThrow('called off')
  expect(await readdir(join(dir, 'one', uuid))).toEqual(['domain.xml', 'root'])
  const second = driver.snapshots?.take(uuid, never)
  second?.catch(() => undefined)
  await begun(2)
  await driver.destroy(uuid)
  await expect(second).rejects.toMatchObject({ reason: 'failed' })
  expect(await driver.inventory()).toEqual({ guests: [], files: [] })
})

test('a snapshot whose guest goes down meanwhile fails, and leaves nothing', async () => {
  const driver = open()
  const { uuid } = await spawned(driver)
  daemon.state.guests.holdBackups = true
  const taking = driver.snapshots?.take(uuid, never)
  taking?.catch(() => undefined)
  await vi.waitFor(() => expect(daemon.calls.map((call) => call.procedure)).toContain('domainBackupBegin'))
  daemon.crash(uuid)
  await expect(taking).rejects.toMatchObject({ name: 'GuestError' })
  expect(await readdir(join(dir, 'one', uuid))).toEqual(['domain.xml', 'root'])
})

test('a rescue that cannot be started leaves the guest as it was', async () => {
  const driver = open()
  const { uuid } = await spawned(driver)
  const before = [daemon.domains.get(uuid)?.configXml, (await driver.inventory()).files]
  const root = { file: join(dir, 'rescue'), format: 'raw' } as const
  await writeFile(root.file, Buffer.alloc(512))
  daemon.failNext('domainCreateWithFlags', { message: 'no luck' })
  const rescue = { root, kernel: null, configDrive: null, device: null }
  await expect(driver.rescue?.enter(uuid, rescue, never)).rejects.toMatchObject({ reason: 'failed' })
  expect((await driver.info(uuid))?.power).toBe(PowerState.running)
  expect([daemon.domains.get(uuid)?.configXml, (await driver.inventory()).files]).toEqual(before)
})

test('a resize that cannot be started gives the guest its old size back, and runs it', async () => {
  const driver = open()
  const spec = await spawned(driver)
  const before = [daemon.domains.get(spec.uuid)?.configXml, (await driver.inventory()).files]
  daemon.failNext('domainCreateWithFlags', { message: 'cannot set up guest memory: Cannot allocate memory' })
  const larger = { ...spec, memoryMib: 1 << 20 }
  await expect(driver.resize?.apply(larger, true, never)).rejects.toMatchObject({ reason: 'no-resources' })
  expect((await driver.info(spec.uuid))?.power).toBe(PowerState.running)
  expect([daemon.domains.get(spec.uuid)?.configXml, (await driver.inventory()).files]).toEqual(before)
})

test('neither a rescue nor a resize tells of the stops and starts that it brings along', async () => {
  const driver = open()
  const spec = await spawned(driver)
  const heard: GuestEvent['change'][] = []
  driver.onEvent((event) => heard.push(event.change))
  const root = { file: join(dir, 'rescue'), format: 'raw' } as const
  await writeFile(root.file, Buffer.alloc(512))
  await driver.rescue?.enter(spec.uuid, { root, kernel: null, configDrive: null, device: null }, never)
  await driver.rescue?.leave(spec.uuid)
  await driver.resize?.apply({ ...spec, vcpus: 2 }, true, never)
  await driver.resize?.revert(spec.uuid, true)
  await driver.pause(spec.uuid)
  await vi.waitFor(() => expect(heard).toContain('paused'))
  expect(heard).toEqual(['paused'])
})

test('a rescue or a resize that was cut off half-way is brought to its end, or back, by the next life', async () => {
  const spec = await spawned(open())
  const { uuid } = spec
  const root = { file: join(dir, 'rescue'), format: 'raw' } as const
  await writeFile(root.file, Buffer.alloc(512))
  const ours = join(dir, 'one', uuid)
  const own = daemon.domains.get(uuid)?.configXml ?? ''
  // The definition is kept, and nothing else has happened yet.
  await mkdir(join(ours, 'rescue'))
  await writeFile(join(ours, 'rescue', 'definition.xml'), own)
  const driver = open()
  await driver.rescue?.enter(uuid, { root, kernel: null, configDrive: null, device: null }, never)
  expect(daemon.domains.get(uuid)?.configXml).toContain(join(ours, 'rescue', 'root'))
  await driver.rescue?.leave(uuid)
  expect(daemon.domains.get(uuid)?.configXml).toBe(own)
  const larger = { ...spec, vcpus: 2 }
  await driver.resize?.apply(larger, true, never)
  await rm(join(ours, 'before-resize', 'applied'))
  await open().resize?.apply(larger, true, never)
  expect((await driver.diagnostics?.(uuid))?.cpus.length).toBe(2)
  await open().resize?.revert(uuid, true)
  expect((await driver.diagnostics?.(uuid))?.cpus.length).toBe(1)
  expect(await readdir(ours)).toEqual(['domain.xml', 'root'])
})
