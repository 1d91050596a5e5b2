import { spawnSync } from 'node:child_process'
import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { blankGuest } from '../../../../test/contract/driver.ts'
import { type Clock, manualClock, systemClock } from '../../../base/clock.ts'
import { loadConfig } from '../../../base/config/index.ts'
import { silentLog } from '../../../base/log.ts'
import { type MockDaemon, startMockDaemon } from '../../../node-libvirt/index.ts'
import { libvirtConfig } from '../config.ts'
import { type ComputeDriver, type GuestEvent, PowerState } from '../driver.ts'
import { makeLibvirtDriver } from './driver.ts'
import { probeLibvirt } from './probe.ts'

let dir: string
let daemon: MockDaemon
let drivers: ComputeDriver[]
let overlays: { path: string; backing: { path: string; format: string }; sizeBytes?: number }[]

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'mc-lv-'))
  daemon = await startMockDaemon({ socket: join(dir, 'sock') })
  drivers = []
  overlays = []
})
afterEach(async () => {
  for (const driver of drivers) await driver[Symbol.asyncDispose]()
  await daemon.stop()
  await rm(dir, { recursive: true, force: true })
})

function open({ cloudPrefix = 'one', clock = systemClock() as Clock, runDir = join(dir, 'r') } = {}): ComputeDriver {
  const driver = makeLibvirtDriver({
    host: 'host-1',
    uri: daemon.uri,
    dataDir: dir,
    instancesDir: join(dir, cloudPrefix),
    runDir,
    clock,
    log: silentLog(),
    config: loadConfig([libvirtConfig], {}).get(libvirtConfig),
    cloudPrefix,
    diskTool: {
      createOverlay: async (overlay) => {
        overlays.push(overlay)
        await writeFile(overlay.path, '')
      },
      convert: async ({ to }) => writeFile(to.path, ''),
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

test("another cloud's guests on the same libvirt are not listed, and not touched", async () => {
  const one = open()
  const two = open({ cloudPrefix: 'two' })
  const spec = blankGuest()
  await one.spawn(spec, never)
  await two.spawn({ ...blankGuest(), name: spec.name }, never)
  expect(daemon.domains.size).toBe(2)
  expect((await two.list()).map((guest) => guest.uuid)).not.toContain(spec.uuid)
  await expect(two.destroy(spec.uuid)).rejects.toMatchObject({ reason: 'failed' })
  await expect(two.powerOff(spec.uuid, 0)).rejects.toMatchObject({ reason: 'failed' })
  await expect(two.spawn({ ...spec, name: 'instance-00ffffff' }, never)).rejects.toMatchObject({ reason: 'failed' })
  expect((await one.info(spec.uuid))?.power).toBe(PowerState.running)
})

test('a domain that only bears our prefix is not ours', async () => {
  const driver = open()
  await driver.spawn(blankGuest(), never)
  const stranger = '11111111-1111-4111-8111-111111111111'
  daemon.state.world.define(`<domain type='qemu'><name>one-instance-x</name><uuid>${stranger}</uuid><memory>1</memory></domain>`)
  expect((await driver.inventory()).guests).not.toContain(stranger)
  await expect(driver.destroy(stranger)).rejects.toMatchObject({ reason: 'failed' })
  expect(daemon.domains.has(stranger)).toBe(true)
})

test('while libvirtd is away calls fail with host-down, and later they work again', async () => {
  const driver = open()
  const spec = blankGuest()
  let returns = 0
  driver.onReturn(() => {
    returns += 1
  })
  await driver.spawn(spec, never)
  await daemon.stop()
  await vi.waitFor(() => expect(driver.status().connected).toBe(false))
  expect(driver.status().problems[0]?.remedy).toContain('libvirtd')
  await expect(driver.info(spec.uuid)).rejects.toMatchObject({ reason: 'host-down' })
  await expect(driver.spawn(blankGuest(), never)).rejects.toMatchObject({ reason: 'host-down' })
  await daemon.listen()
  expect(returns).toBe(0)
  await vi.waitFor(() => expect(returns).toBe(1), 5_000)
  expect((await driver.info(spec.uuid))?.power).toBe(PowerState.running)
})

test('a libvirtd that is not there at the start is tried again', async () => {
  await daemon.stop()
  const clock = manualClock()
  const driver = open({ clock })
  await expect(driver.list()).rejects.toMatchObject({ reason: 'host-down' })
  await daemon.listen()
  await clock.advance('1 s')
  await vi.waitFor(() => expect(driver.status().connected).toBe(true))
  expect(await driver.list()).toEqual([])
})

test('a guest that goes down by itself when asked is not killed', async () => {
  const driver = open()
  const spec = blankGuest()
  await driver.spawn(spec, never)
  await driver.powerOff(spec.uuid, 60_000)
  const procedures = daemon.calls.map((call) => call.procedure)
  expect(procedures).toContain('domainShutdownFlags')
  expect(procedures.slice(0, procedures.indexOf('domainShutdownFlags') + 3)).not.toContain('domainDestroyFlags')
})

test('a guest that does not listen is cut off after its grace', async () => {
  const clock = manualClock()
  const driver = open({ clock })
  const spec = blankGuest()
  await driver.spawn(spec, never)
  daemon.state.guests.ignoreShutdown = true
  const off = driver.powerOff(spec.uuid, 30_000)
  await vi.waitFor(() => expect(daemon.calls.map((call) => call.procedure)).toContain('domainShutdownFlags'))
  let done = false
  void off.then(() => {
    done = true
  })
  await vi.waitFor(
    async () => {
      expect(done).toBe(false)
      await clock.advance('1 s')
      expect(clock.now()).toBeGreaterThan(Date.UTC(2026, 0, 1) + 20_000)
    },
    { interval: 5, timeout: 5_000 },
  )
  await vi.waitFor(
    async () => {
      await clock.advance('1 s')
      expect(done).toBe(true)
    },
    { interval: 5, timeout: 5_000 },
  )
  expect((await driver.info(spec.uuid))?.power).toBe(PowerState.shutdown)
})

test('a disk that fills up while a guest is made is told as such, and leaves nothing', async ({ skip }) => {
  const instances = join(dir, 'one')
  await mkdir(instances)
  if (spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=512k', 'minicloud-test', instances]).status !== 0) skip()
  try {
    const driver = open()
    const root = blankGuest().disks[0]!
    const fileSystem = { type: 'ext4', os: null, label: 'ephemeral0' }
    const drive = { format: 'iso9660', files: [{ path: 'a', data: Buffer.alloc(1 << 20, 7) }] } as const
    for (const spec of [
      blankGuest({ disks: [root, { ...root, name: 'ephemeral0', source: { kind: 'blank', fileSystem } }] }),
      blankGuest({ configDrive: drive }),
    ]) {
      await expect(driver.spawn(spec, never)).rejects.toMatchObject({ reason: 'no-resources' })
      expect(await driver.inventory()).toEqual({ guests: [], files: [] })
    }
  } finally {
    spawnSync('umount', [instances])
  }
})

test('a guest that cannot be started leaves nothing', async () => {
  const driver = open()
  daemon.failNext('domainCreateWithFlags', { message: 'cannot set up guest memory: Cannot allocate memory' })
  const spec = blankGuest()
  await expect(driver.spawn(spec, never)).rejects.toMatchObject({ reason: 'no-resources' })
  expect(await driver.inventory()).toEqual({ guests: [], files: [] })
  expect(daemon.domains.size).toBe(0)
})

test('what happens behind our back is told once, in our words', async () => {
  const driver = open()
  const heard: GuestEvent['change'][] = []
  driver.onEvent((event) => heard.push(event.change))
  const spec = blankGuest()
  await driver.spawn(spec, never)
  await driver.reboot(spec.uuid, 'HARD', 0)
  await driver.suspend(spec.uuid)
  await driver.resume(spec.uuid)
  daemon.crash(spec.uuid)
  await vi.waitFor(() => expect(heard).toContain('crashed'))
  expect(heard.filter((change, i) => change !== 'resumed' || heard[i - 1] !== 'resumed')).toEqual([
    'started',
    'rebooted',
    'suspended',
    'resumed',
    'crashed',
  ])
  expect((await driver.info(spec.uuid))?.power).toBe(PowerState.crashed)
  await driver.powerOn(spec.uuid)
  expect((await driver.info(spec.uuid))?.power).toBe(PowerState.running)
})

test('a driver made anew hears of guests that it has not asked for yet', async () => {
  const spec = blankGuest()
  await open().spawn(spec, never)
  const later = open()
  const heard: GuestEvent[] = []
  later.onEvent((event) => heard.push(event))
  await later.resources()
  daemon.guestShutdown(spec.uuid)
  await vi.waitFor(() => expect(heard).toContainEqual({ uuid: spec.uuid, change: 'stopped' }))
})

test("an image's overlay is never smaller than the image", async () => {
  const driver = open()
  const base = join(dir, 'base')
  await writeFile(base, Buffer.alloc(3 << 20))
  const disk = blankGuest().disks[0]!
  const image = { kind: 'image', file: base, format: 'raw' } as const
  await driver.spawn(blankGuest({ disks: [{ ...disk, sizeGib: 0, source: image }] }), never)
  await driver.spawn(blankGuest({ disks: [{ ...disk, sizeGib: 2, source: image }] }), never)
  expect(overlays.map((overlay) => overlay.sizeBytes)).toEqual([3 << 20, 2 * 1024 ** 3])
  expect(overlays[0]?.backing).toEqual({ path: base, format: 'raw' })
})

test('a guest that libvirt has lost is defined again when something is asked of it, as it was', async () => {
  const driver = open()
  const { uuid } = await spawned(driver)
  const nic = { portId: 'p', mac: 'fa:16:3e:00:00:01', tap: 'tap1', bridge: 'br1', mtu: 1450, model: 'virtio' } as const
  await driver.interfaces?.attach(uuid, nic)
  daemon.state.world.domains.delete(uuid)
  expect(await driver.list()).toEqual([await driver.info(uuid)])
  expect((await driver.info(uuid))?.power).toBe(PowerState.noState)
  await driver.reboot(uuid, 'HARD', 0)
  expect((await driver.info(uuid))?.power).toBe(PowerState.running)
  expect(daemon.domains.get(uuid)?.liveXml).toContain(nic.mac)
  daemon.state.world.domains.delete(uuid)
  await driver.destroy(uuid)
  expect(await driver.list()).toEqual([])
  await expect(driver.powerOn(uuid)).rejects.toMatchObject({ reason: 'not-found' })
  expect(await driver.inventory()).toEqual({ guests: [], files: [] })
})

test('a disk whose name would lead elsewhere is refused, without effect', async () => {
  const driver = open()
  const disk = blankGuest().disks[0]!
  await expect(driver.spawn(blankGuest({ disks: [{ ...disk, name: '../../x' }] }), never)).rejects.toMatchObject({ reason: 'failed' })
  expect(await readdir(join(dir, 'one'))).toEqual([])
  expect(daemon.domains.size).toBe(0)
})

test('a prefix or a place for sockets that cannot work is refused at once', () => {
  expect(() => open({ cloudPrefix: 'a/b' })).toThrow(RangeError)
  expect(() => open({ runDir: join(dir, 'x'.repeat(80)) })).toThrow(RangeError)
  expect(daemon.clients).toBe(0)
})

test('the probe tells a usable libvirt from one that is not', async () => {
  expect(await probeLibvirt({ uri: daemon.uri })).toMatchObject({ ok: true })
  expect(daemon.domains.size).toBe(0)
  daemon.failNext('domainCreateXml', { message: 'no luck' })
  expect((await probeLibvirt({ uri: daemon.uri })).problems.at(-1)?.what).toContain('no luck')
  await daemon.stop()
  expect(await probeLibvirt({ uri: daemon.uri })).toMatchObject({ ok: false })
})

test('a proof is remembered, a failure is not', async () => {
  const memory = join(dir, 'proof.json')
  daemon.failNext('domainCreateXml', { message: 'no luck' })
  expect(await probeLibvirt({ uri: daemon.uri, memory })).toMatchObject({ ok: false })
  expect(await probeLibvirt({ uri: daemon.uri, memory })).toMatchObject({ ok: true })
  daemon.failNext('domainCreateXml', { message: 'no luck' })
  expect(await probeLibvirt({ uri: daemon.uri, memory })).toMatchObject({ ok: true })
  expect(await probeLibvirt({ uri: daemon.uri })).toMatchObject({ ok: false })
})

// A power cut takes the definition and leaves the disks, which are as large as the guest's own.
test.each([
  ['the confirmation of a resize', 'before-resize', (driver: ComputeDriver, uuid: string) => driver.resize?.confirm(uuid)],
  ['the revert of a resize', 'before-resize', (driver: ComputeDriver, uuid: string) => driver.resize?.revert(uuid, true)],
  ['the end of a rescue', 'rescue', (driver: ComputeDriver, uuid: string) => driver.rescue?.leave(uuid)],
])('%s that was cut off while it cleared away leaves nothing when it is repeated', async (_what, kept, repeat) => {
  const driver = open()
  const { uuid } = await spawned(driver)
  const files = join(dir, 'one', uuid)
  const before = await readdir(files)
  await mkdir(join(files, kept))
  await writeFile(join(files, kept, 'root'), '')
  await repeat(driver, uuid)
  expect(await readdir(files)).toEqual(before)
  expect((await driver.info(uuid))?.power).toBe(PowerState.running)
})
