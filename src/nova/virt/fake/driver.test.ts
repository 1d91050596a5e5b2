import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { manualClock } from '../../../base/clock.ts'
import { loadConfig } from '../../../base/config/index.ts'
import { silentLog } from '../../../base/log.ts'
import { fakeConfig } from '../config.ts'
import { type ComputeDriver, PowerState } from '../driver.ts'
import type { GuestSpec } from '../specs.ts'
import { makeFakeDriver } from './driver.ts'

let stateDir: string
beforeEach(() => {
  stateDir = mkdtempSync(join(tmpdir(), 'mc-fake-'))
})
afterEach(() => rmSync(stateDir, { recursive: true, force: true }))

const open = (flags: Record<string, string> = {}, clock = manualClock(), host = '') =>
  makeFakeDriver({
    host: 'fake-1',
    index: 0,
    stateDir: join(stateDir, host),
    clock,
    log: silentLog(),
    config: loadConfig([fakeConfig], { flags: Object.fromEntries(Object.entries(flags).map(([k, v]) => [`fake.${k}`, v])) }).get(
      fakeConfig,
    ),
  })

let serial = 0
const spec = (overrides: Partial<GuestSpec> = {}): GuestSpec => ({
  uuid: `00000000-0000-4000-8000-${(++serial).toString(16).padStart(12, '0')}`,
  name: `instance-${serial.toString(16).padStart(8, '0')}`,
  vcpus: 1,
  memoryMib: 64,
  firmware: 'bios',
  machineType: null,
  kernel: null,
  disks: [],
  nics: [],
  configDrive: null,
  video: 'vga',
  guestAgent: false,
  rng: false,
  about: { displayName: 'tea\u001b[31m\npot', projectId: 'p', userId: 'u', flavor: 'f', imageId: null },
  ...overrides,
})
const never = new AbortController().signal

describe('a full host', () => {
  test('refuses what goes beyond its memory, and takes it once there is room', async () => {
    const driver = open({ memory_mb: '100', memory_limit_ratio: '1' })
    const first = spec()
    await driver.spawn(first, never)
    await expect(driver.spawn(spec(), never)).rejects.toMatchObject({ reason: 'no-resources' })
    expect((await driver.list()).length).toBe(1)
    await driver.destroy(first.uuid)
    await driver.spawn(spec(), never)
  })

  test('counts guests that are still being spawned', async () => {
    const clock = manualClock()
    const driver = open({ vcpus: '1', cpu_limit_ratio: '1', boot_delay_ms: '1000' }, clock)
    const first = driver.spawn(spec(), never)
    await expect(driver.spawn(spec(), never)).rejects.toMatchObject({ reason: 'no-resources' })
    await clock.advance('1 s')
    await first
  })
})

describe('time', () => {
  test('a guest boots after the delay, and a spawn called off before leaves nothing', async () => {
    const clock = manualClock()
    const driver = open({ boot_delay_ms: '3000' }, clock)
    const guest = spec()
    const controller = new AbortController()
    const spawned = driver.spawn(guest, controller.signal)
    await clock.advance('2 s')
    expect((await driver.info(guest.uuid))?.power).toBe(PowerState.noState)
    controller.abort(new Error('called off'))
    await expect(spawned).rejects.toThrow('called off')
    expect(await driver.inventory()).toEqual({ guests: [], files: [] })
  })

  test('a guest that is slow to shut down is cut off after its grace', async () => {
    const clock = manualClock()
    const driver = open({ shutdown_delay_ms: '60000' }, clock)
    const guest = spec()
    await driver.spawn(guest, never)
    const off = driver.powerOff(guest.uuid, 5_000)
    await clock.advance('4 s')
    expect((await driver.info(guest.uuid))?.power).toBe(PowerState.running)
    await clock.advance('1 s')
    await off
    expect((await driver.info(guest.uuid))?.power).toBe(PowerState.shutdown)
  })
})

describe('failures on request', () => {
  test('configured ones happen as often as said', async () => {
    const driver = open({ fail: 'spawn:2:no-resources, power_off:always' })
    const guest = spec()
    await expect(driver.spawn(guest, never)).rejects.toMatchObject({ reason: 'no-resources' })
    await expect(driver.spawn(guest, never)).rejects.toMatchObject({ reason: 'no-resources' })
    await driver.spawn(guest, never)
    for (let i = 0; i < 3; i++) await expect(driver.powerOff(guest.uuid, 0)).rejects.toMatchObject({ reason: 'failed' })
  })

  test.each(['jump', 'spawn:often', 'spawn:1:tired', 'spawn:1:failed:x'])('%s is refused at the start', (fail) => {
    expect(() => open({ fail })).toThrow(RangeError)
  })

  test('a test can ask for its own error', async () => {
    const driver = open()
    driver.failNext('spawn', new Error('flood'))
    await expect(driver.spawn(spec(), never)).rejects.toThrow('flood')
    await driver.spawn(spec(), never)
  })
})

describe('a move', () => {
  const luggageOf = async (from: ReturnType<typeof open>, uuid: string) => {
    const luggage = await from.moves?.depart(uuid, never)
    if (!luggage) throw new Error('no luggage')
    return luggage
  }
  const other = () => open({}, manualClock(), 'there')

  test('of a guest that is put off boots it anew, or leaves it off', async () => {
    const here = open()
    const there = other()
    const [boots, rests] = [spec(), spec()]
    for (const guest of [boots, rests]) {
      await here.spawn(guest, never)
      const luggage = await luggageOf(here, guest.uuid)
      expect((await here.info(guest.uuid))?.power).toBe(PowerState.shutdown)
      for (const _again of [false, true]) await there.moves?.arrive(guest, luggage, guest === boots, never)
    }
    expect(await there.consoleOutput(boots.uuid, null)).toContain('start 2')
    expect((await there.info(rests.uuid))?.power).toBe(PowerState.shutdown)
    expect(await there.consoleOutput(boots.uuid, null)).not.toContain('start 3')
  })

  test('to a full host is refused and leaves nothing there', async () => {
    const here = open()
    const there = open({ memory_mb: '10', memory_limit_ratio: '1' }, manualClock(), 'there')
    const guest = spec()
    await here.spawn(guest, never)
    const luggage = await luggageOf(here, guest.uuid)
    await expect(there.moves?.arrive(guest, luggage, true, never)).rejects.toMatchObject({ reason: 'no-resources' })
    expect(await there.inventory()).toEqual({ guests: [], files: [] })
  })
})

test('a resize to more than the host has is refused, and the guest is left alone', async () => {
  const driver = open({ memory_mb: '100', memory_limit_ratio: '1' })
  const guest = spec()
  await driver.spawn(guest, never)
  await expect(driver.resize?.apply({ ...guest, memoryMib: 128 }, true, never)).rejects.toMatchObject({ reason: 'no-resources' })
  expect((await driver.info(guest.uuid))?.power).toBe(PowerState.running)
  expect((await driver.resources()).memoryUsedMib).toBe(64)
})

test('a password is set by the agent, and is written nowhere', async () => {
  const driver = open()
  const guest = spec({ guestAgent: true })
  await driver.spawn(guest, never)
  await driver.setPassword?.(guest.uuid, 'root', 'sesame')
  const { files } = await driver.inventory()
  expect(await driver.consoleOutput(guest.uuid, 1)).toContain('password of root')
  for (const file of files) expect(readFileSync(file, 'utf8')).not.toContain('sesame')
})

test('each capability fails on request, once, and takes its time', async () => {
  const clock = manualClock()
  const driver = open({ operation_delay_ms: '1000' }, clock)
  const guest = spec({ guestAgent: true })
  const { uuid } = guest
  const nic = { portId: uuid, mac: 'fa:16:3e:00:00:01', tap: 'tap1', bridge: 'br1', mtu: 1450, model: 'virtio' } as const
  await driver.spawn(guest, never)
  const root = { file: '/nowhere', format: 'raw' } as const
  for (const [action, call, takesTime] of [
    ['snapshot', () => driver.snapshots?.take(uuid, never), true],
    ['rescue', () => driver.rescue?.enter(uuid, { root, kernel: null, configDrive: null, device: null }, never), true],
    ['unrescue', () => driver.rescue?.leave(uuid), true],
    ['attachInterface', () => driver.interfaces?.attach(uuid, nic), true],
    ['detachInterface', () => driver.interfaces?.detach(uuid, nic.mac), true],
    ['resize', () => driver.resize?.apply(guest, true, never), true],
    ['confirmResize', () => driver.resize?.confirm(uuid), false],
    ['revertResize', () => driver.resize?.revert(uuid, true), true],
    ['setPassword', () => driver.setPassword?.(uuid, 'root', 'x'), true],
    ['diagnostics', () => driver.diagnostics?.(uuid), false],
    ['injectNmi', () => driver.injectNmi?.(uuid), false],
    ['depart', () => driver.moves?.depart(uuid, never), true],
  ] as const) {
    driver.failNext(action, 'host-down')
    await expect(call()).rejects.toMatchObject({ reason: 'host-down' })
    let done = false
    const going = Promise.resolve(call()).then(() => {
      done = true
    })
    await clock.advance('900 ms')
    expect([action, done]).toEqual([action, !takesTime])
    await clock.advance('100 ms')
    await going
  }
})

test('a guest does things of its own accord, and they are told', async () => {
  const driver = open()
  const heard: string[] = []
  driver.onEvent(({ change }) => heard.push(change))
  driver.onEvent(() => {
    throw new Error('a bad listener')
  })
  const guest = spec()
  await driver.spawn(guest, never)
  driver.happen(guest.uuid, 'reboot')
  driver.happen(guest.uuid, 'crash')
  expect(heard).toEqual(['started', 'rebooted', 'crashed'])
  expect((await driver.info(guest.uuid))?.power).toBe(PowerState.crashed)
  expect(() => driver.happen(guest.uuid, 'shutdown')).toThrow('crashed')
})

test("a display name's control characters don't reach the log", async () => {
  const driver = open()
  const guest = spec()
  await driver.spawn(guest, never)
  const log = await driver.consoleOutput(guest.uuid, null)
  expect(log).toContain('tea [31m pot')
  expect(log).not.toContain('\u001b')
})

/** Reads from a console until `enough` bytes are there. */
async function talk(driver: ComputeDriver, uuid: string) {
  const endpoint = await driver.console(uuid, 'novnc')
  if (endpoint.kind !== 'unix') throw new Error('expected a UNIX socket')
  const socket = connect(endpoint.path)
  let data = Buffer.alloc(0)
  let wake = () => {}
  socket.on('data', (chunk: Buffer) => {
    data = Buffer.concat([data, chunk])
    wake()
  })
  const read = async (bytes: number): Promise<Buffer> => {
    while (data.length < bytes) await new Promise<void>((resolve) => (wake = resolve))
    const head = data.subarray(0, bytes)
    data = data.subarray(bytes)
    return head
  }
  return { socket, read }
}

test('the VNC console shows a picture that changes as one types', async () => {
  await using driver = open()
  const guest = spec()
  await driver.spawn(guest, never)
  const { socket, read } = await talk(driver, guest.uuid)
  expect((await read(12)).toString()).toBe('RFB 003.008\n')
  socket.write('RFB 003.008\n')
  expect([...(await read(2))]).toEqual([1, 1])
  socket.write(Buffer.from([1]))
  expect((await read(4)).readUInt32BE()).toBe(0)
  socket.write(Buffer.from([1]))
  const init = await read(24)
  const [width, height] = [init.readUInt16BE(0), init.readUInt16BE(2)]
  expect((await read(init.readUInt32BE(20))).toString()).toBe(guest.name)
  const request = (incremental: number) =>
    socket.write(Buffer.from([3, incremental, 0, 0, 0, 0, width >> 8, width & 255, height >> 8, height & 255]))
  const picture = () => read(16 + width * height * 4)
  request(0)
  const first = await picture()
  expect(new Set(Array.from({ length: width * height }, (_, i) => first.readUInt32LE(16 + i * 4))).size).toBe(2)
  request(1)
  for (const key of [0x68, 0x69, 0xff0d]) socket.write(Buffer.from([4, 1, 0, 0, 0, 0, key >> 8, key & 255]))
  expect((await picture()).equals(first)).toBe(false)
  socket.destroy()
  // The picture answers the first key; the others are on their way.
  await expect.poll(() => driver.consoleOutput(guest.uuid, null)).toContain('hi\n')
})

test('a client that does not speak RFB is cut off', async () => {
  await using driver = open()
  const guest = spec()
  await driver.spawn(guest, never)
  const { socket, read } = await talk(driver, guest.uuid)
  await read(12)
  socket.write('GET / HTTP/1.1\r\n\r\n')
  await new Promise((resolve) => socket.once('close', resolve))
})
