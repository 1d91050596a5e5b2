/** The promises about what only some hypervisors can do; `driver.ts` beside this file asks for them. */
import { randomUUID } from 'node:crypto'
import { existsSync } from 'node:fs'
import { stat } from 'node:fs/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import { describe, expect, type TestContext, test } from 'vitest'
import { type CopyProgress, type GuestError, type GuestSpec, type NicSpec, PowerState, type RescueSpec } from '../../src/nova/virt/index.ts'
import { until } from '../support/until.ts'
import type { DriverWorld, Promised } from './driver.ts'

export type PromiseTools = {
  world(): DriverWorld
  /** Spawned. */
  running(overrides?: Partial<GuestSpec>): Promise<GuestSpec>
  power(uuid: string): Promise<PowerState | null>
  fails(call: Promise<unknown>, reason: GuestError['reason']): Promise<void>
  leavesNothing(uuid: string): Promise<void>
}

const never = () => new AbortController().signal
const calledOff = () => AbortSignal.abort(new Error('called off'))

export function capabilityPromises({ world, running, power, fails, leavesNothing }: PromiseTools): void {
  /** But for sockets, which come and go with the guest's process. */
  const filesOf = async (uuid: string) =>
    (await world().driver.inventory()).files.filter((file) => file.includes(uuid) && !/\.(tty|vnc)$/.test(file)).sort()

  /** Skips the test where the hypervisor lacks the capability, wholly or as the world says. */
  function has<K extends 'snapshots' | 'rescue' | 'resize' | 'interfaces' | 'setPassword' | 'diagnostics' | 'injectNmi' | 'liveMigration'>(
    context: TestContext,
    capability: K,
    also: Promised[] = [],
  ) {
    for (const promised of [capability, ...also]) {
      const lack = world().lacks?.[promised]
      if (lack) context.skip(lack)
    }
    const found = world().driver[capability]
    if (!found) context.skip(`there is no ${capability}`)
    return found as NonNullable<typeof found>
  }

  /** Does something whose signal comes after so long, and says whether it was done. */
  async function cutOff(afterMs: number, work: (signal: AbortSignal) => Promise<unknown>): Promise<boolean> {
    const controller = new AbortController()
    const done = work(controller.signal).then(
      () => true,
      () => false,
    )
    await sleep(afterMs)
    controller.abort(new Error('called off'))
    return done
  }

  describe('snapshots', () => {
    test('of a guest that runs, is paused, or is off: a file of its own, and the guest stays as it was', async (context) => {
      const snapshots = has(context, 'snapshots')
      const { uuid } = await running()
      const before = await filesOf(uuid)
      const { driver } = world()
      for (const [into, state] of [
        [async () => undefined, PowerState.running],
        [() => driver.pause(uuid), PowerState.paused],
        [() => driver.powerOff(uuid, 0), PowerState.shutdown],
      ] as const) {
        await into()
        const taken = await snapshots.take(uuid, never())
        expect((await stat(taken.file)).size).toBeGreaterThan(0)
        expect(taken.virtualSizeBytes).toBeGreaterThan(0)
        expect(await power(uuid)).toBe(state)
        await taken[Symbol.asyncDispose]()
        await taken[Symbol.asyncDispose]()
        expect(existsSync(taken.file)).toBe(false)
        expect(await filesOf(uuid)).toEqual(before)
      }
      await driver.powerOn(uuid)
      await driver.destroy(uuid)
      await leavesNothing(uuid)
    })

    test('of a suspended guest, which wakes up afterwards', async (context) => {
      const snapshots = has(context, 'snapshots', ['suspend'])
      const { uuid } = await running()
      await world().driver.suspend(uuid)
      await (await snapshots.take(uuid, never()))[Symbol.asyncDispose]()
      expect(await power(uuid)).toBe(PowerState.suspended)
      await world().driver.resume(uuid)
      expect(await power(uuid)).toBe(PowerState.running)
      await world().driver.destroy(uuid)
    })

    test('called off at any moment leaves nothing, and the next one works', async (context) => {
      const snapshots = has(context, 'snapshots')
      const { uuid } = await running()
      const before = await filesOf(uuid)
      await expect(snapshots.take(uuid, calledOff())).rejects.toThrow('called off')
      for (const afterMs of [0, 3, 10, 30, 60, 120]) {
        await cutOff(afterMs, async (signal) => (await snapshots.take(uuid, signal))[Symbol.asyncDispose]())
        expect(await filesOf(uuid)).toEqual(before)
        expect(await power(uuid)).toBe(PowerState.running)
      }
      await (await snapshots.take(uuid, never()))[Symbol.asyncDispose]()
      await world().driver.destroy(uuid)
      await leavesNothing(uuid)
    })

    test('of a guest that is destroyed meanwhile, nothing is left', async (context) => {
      const snapshots = has(context, 'snapshots')
      const { uuid } = await running()
      const taking = snapshots.take(uuid, never()).catch((error: unknown) => error)
      await world().driver.destroy(uuid)
      await taking
      await leavesNothing(uuid)
    })

    test('one that nobody let go of goes with its guest', async (context) => {
      const snapshots = has(context, 'snapshots')
      const { uuid } = await running()
      const taken = await snapshots.take(uuid, never())
      await world().driver.destroy(uuid)
      await leavesNothing(uuid)
      await taken[Symbol.asyncDispose]()
      await fails(snapshots.take(uuid, never()), 'not-found')
    })
  })

  describe('rescue', () => {
    const spec = (changes: Partial<RescueSpec> = {}): RescueSpec => ({
      root: world().rescueDisk?.root ?? { file: '/nowhere', format: 'raw' },
      kernel: null,
      configDrive: null,
      device: null,
      ...changes,
    })
    const speaks = async (uuid: string, since: number) => {
      const said = world().rescueDisk?.says
      if (!said) return
      await until(`it says ${said}`, async () => (await world().driver.consoleOutput(uuid, null)).slice(since).includes(said))
    }
    const logLength = async (uuid: string) => (await world().driver.consoleOutput(uuid, null)).length

    test('the guest runs from another disk, over a restart of the driver, until it is left; each as often as asked', async (context) => {
      const rescue = has(context, 'rescue')
      const original = await running()
      const { uuid } = original
      const before = await filesOf(uuid)
      await rescue.leave(uuid)
      expect(await power(uuid)).toBe(PowerState.running)
      const since = await logLength(uuid)
      await rescue.enter(uuid, spec(), never())
      await rescue.enter(uuid, spec(), never())
      expect(await power(uuid)).toBe(PowerState.running)
      await speaks(uuid, since)
      await world().driver.powerOff(uuid, 0)
      expect(await power(uuid)).toBe(PowerState.shutdown)
      await world().reopen()
      await world().driver.powerOn(uuid)
      await world().driver.rescue?.leave(uuid)
      await world().driver.rescue?.leave(uuid)
      expect(await power(uuid)).toBe(PowerState.running)
      expect(await filesOf(uuid)).toEqual(before)
      const says = world().says?.(original)
      if (says) {
        const left = await logLength(uuid)
        await world().driver.reboot(uuid, 'HARD', 0)
        await until(`it says ${says}`, async () => (await world().driver.consoleOutput(uuid, null)).slice(left).includes(says))
      }
      await world().driver.destroy(uuid)
      await leavesNothing(uuid)
    })

    test('from off, and with a disk that leaves the others in their places', async (context) => {
      const rescue = has(context, 'rescue')
      const { uuid } = await running()
      await world().driver.powerOff(uuid, 0)
      for (const device of [
        { bus: 'virtio', kind: 'disk' },
        { bus: 'sata', kind: 'cdrom' },
        { bus: 'usb', kind: 'disk' },
        { bus: 'scsi', kind: 'disk' },
      ] as const) {
        const since = await logLength(uuid)
        await rescue.enter(uuid, spec({ device }), never())
        expect(await power(uuid)).toBe(PowerState.running)
        if (device.bus === 'virtio') await speaks(uuid, since)
        await rescue.leave(uuid)
      }
      await world().driver.destroy(uuid)
      await leavesNothing(uuid)
    })

    test('called off before it began changes nothing; destroyed meanwhile, nothing is left', async (context) => {
      const rescue = has(context, 'rescue')
      const { uuid } = await running()
      const before = await filesOf(uuid)
      await expect(rescue.enter(uuid, spec(), calledOff())).rejects.toThrow('called off')
      expect(await power(uuid)).toBe(PowerState.running)
      expect(await filesOf(uuid)).toEqual(before)
      await rescue.enter(uuid, spec(), never())
      await world().driver.destroy(uuid)
      await leavesNothing(uuid)
      await fails(rescue.enter(uuid, spec(), never()), 'not-found')
      await fails(rescue.leave(uuid), 'not-found')
    })
  })

  describe('resize', () => {
    const larger = (spec: GuestSpec): GuestSpec => ({
      ...spec,
      vcpus: 2,
      memoryMib: 64,
      disks: spec.disks.map((disk) => ({ ...disk, sizeGib: disk.sizeGib + 1 })),
    })
    /** Processors and memory, where that can be asked. */
    const size = async (uuid: string) => {
      const { cpus, memory } = (await world().driver.diagnostics?.(uuid)) ?? { cpus: [], memory: { maximumMib: 0 } }
      return world().driver.diagnostics && !world().lacks?.diagnostics ? [cpus.length, memory.maximumMib] : null
    }
    const hasSize = async (uuid: string, wanted: [number, number]) => {
      const found = await size(uuid)
      if (found) expect(found).toEqual(wanted)
    }

    test('a larger guest, and back again, over a restart of the driver; each as often as asked', async (context) => {
      const resize = has(context, 'resize')
      const spec = await running()
      const { uuid } = spec
      const before = await filesOf(uuid)
      await resize.revert(uuid, true)
      await resize.confirm(uuid)
      await hasSize(uuid, [1, 32])
      await resize.apply(larger(spec), true, never())
      await resize.apply(larger(spec), true, never())
      expect(await power(uuid)).toBe(PowerState.running)
      await hasSize(uuid, [2, 64])
      await fails(resize.apply({ ...larger(spec), vcpus: 3 }, true, never()), 'wrong-state')
      await world().reopen()
      await world().driver.resize?.revert(uuid, true)
      await world().driver.resize?.revert(uuid, true)
      expect(await power(uuid)).toBe(PowerState.running)
      await hasSize(uuid, [1, 32])
      expect(await filesOf(uuid)).toEqual(before)
      await world().driver.destroy(uuid)
      await leavesNothing(uuid)
    })

    test('a guest that stays off, whose new size is confirmed', async (context) => {
      const resize = has(context, 'resize')
      const spec = await running()
      const { uuid } = spec
      const before = await filesOf(uuid)
      await resize.apply(larger(spec), false, never())
      expect(await power(uuid)).toBe(PowerState.shutdown)
      await resize.confirm(uuid)
      await resize.confirm(uuid)
      expect(await filesOf(uuid)).toEqual(before)
      await resize.revert(uuid, false)
      await world().driver.powerOn(uuid)
      await hasSize(uuid, [2, 64])
      await world().driver.destroy(uuid)
      await leavesNothing(uuid)
    })

    test('called off at any moment, the guest has one of both sizes, and can be had back', async (context) => {
      const resize = has(context, 'resize')
      const spec = await running()
      const { uuid } = spec
      const before = await filesOf(uuid)
      await expect(resize.apply(larger(spec), true, calledOff())).rejects.toThrow('called off')
      expect(await power(uuid)).toBe(PowerState.running)
      for (const afterMs of [0, 5, 20, 60]) {
        if (!(await cutOff(afterMs, (signal) => resize.apply(larger(spec), true, signal)))) {
          expect(await filesOf(uuid)).toEqual(before)
          await hasSize(uuid, [1, 32])
        }
        await resize.revert(uuid, true)
        expect(await power(uuid)).toBe(PowerState.running)
        expect(await filesOf(uuid)).toEqual(before)
      }
      await world().driver.destroy(uuid)
      await leavesNothing(uuid)
    })

    test('destroyed before it is confirmed, nothing is left', async (context) => {
      const resize = has(context, 'resize')
      const spec = await running()
      await resize.apply(larger(spec), true, never())
      await world().driver.destroy(spec.uuid)
      await leavesNothing(spec.uuid)
      await fails(resize.apply(spec, true, never()), 'not-found')
      await fails(resize.confirm(spec.uuid), 'not-found')
      await fails(resize.revert(spec.uuid, true), 'not-found')
    })
  })

  describe('interfaces', () => {
    const nic = (): NicSpec => {
      const portId = randomUUID()
      const mac = `fa:16:3e:${portId.slice(0, 2)}:${portId.slice(2, 4)}:${portId.slice(4, 6)}`
      return { portId, mac, tap: `tap${portId.slice(0, 11)}`, bridge: world().bridge ?? 'br0', mtu: 1450, model: 'virtio' }
    }
    const macs = async (uuid: string) => (await world().driver.diagnostics?.(uuid))?.nics.map((each) => each.mac)
    const shows = async (uuid: string, mac: string, wanted: boolean) => {
      if (world().lacks?.diagnostics) return
      const found = await macs(uuid)
      if (found) expect(found.includes(mac)).toBe(wanted)
    }

    test('attached while the guest runs, several at once, and still there after a restart', async (context) => {
      const interfaces = has(context, 'interfaces', ['liveInterfaces'])
      const { uuid } = await running()
      const [one, two] = [nic(), nic()]
      await interfaces.attach(uuid, one)
      await interfaces.attach(uuid, one)
      await interfaces.attach(uuid, two)
      await shows(uuid, one.mac, true)
      await shows(uuid, two.mac, true)
      await world().driver.reboot(uuid, 'HARD', 0)
      await shows(uuid, one.mac, true)
      await world().driver.destroy(uuid)
      await leavesNothing(uuid)
    })

    test('detached from a running guest, it is gone for good', async (context) => {
      const interfaces = has(context, 'interfaces', ['liveInterfaces', 'liveDetach'])
      const { uuid } = await running()
      const added = nic()
      await interfaces.attach(uuid, added)
      await interfaces.detach(uuid, added.mac)
      await interfaces.detach(uuid, added.mac)
      await shows(uuid, added.mac, false)
      await world().driver.reboot(uuid, 'HARD', 0)
      await shows(uuid, added.mac, false)
      await world().driver.destroy(uuid)
    })

    test('attached and detached while the guest is off', async (context) => {
      const interfaces = has(context, 'interfaces')
      const { uuid } = await running()
      await world().driver.powerOff(uuid, 0)
      const [kept, dropped] = [nic(), nic()]
      await interfaces.attach(uuid, kept)
      await interfaces.attach(uuid, kept)
      await interfaces.attach(uuid, dropped)
      await interfaces.detach(uuid, dropped.mac.toUpperCase())
      await interfaces.detach(uuid, dropped.mac)
      await world().driver.powerOn(uuid)
      await shows(uuid, kept.mac, true)
      await shows(uuid, dropped.mac, false)
      await world().driver.destroy(uuid)
      await leavesNothing(uuid)
      await fails(interfaces.attach(uuid, kept), 'not-found')
      await fails(interfaces.detach(uuid, kept.mac), 'not-found')
    })

    test('not while a rescue or an unconfirmed resize would undo it, nor on a suspended guest', async (context) => {
      const interfaces = has(context, 'interfaces', ['rescue', 'resize', 'suspend'])
      const { driver } = world()
      const spec = await running()
      const { uuid } = spec
      await driver.rescue?.enter(
        uuid,
        { root: world().rescueDisk?.root ?? { file: '/nowhere', format: 'raw' }, kernel: null, configDrive: null, device: null },
        never(),
      )
      await fails(interfaces.attach(uuid, nic()), 'wrong-state')
      await driver.rescue?.leave(uuid)
      await driver.resize?.apply({ ...spec, memoryMib: 48 }, true, never())
      await fails(interfaces.attach(uuid, nic()), 'wrong-state')
      await driver.resize?.confirm(uuid)
      await driver.suspend(uuid)
      await fails(interfaces.attach(uuid, nic()), 'wrong-state')
      await driver.destroy(uuid)
      await leavesNothing(uuid)
    })
  })

  describe('live migration', () => {
    /** Both ends; skips where there is no second host. */
    function ends(context: TestContext) {
      const here = has(context, 'liveMigration')
      const { neighbour } = world()
      const there = neighbour?.liveMigration
      if (!neighbour || !there) context.skip('there is no second host')
      return { here, there: there!, neighbour: neighbour! }
    }
    const none = { copiesDisks: null, onProgress: () => undefined }

    test('a guest that runs, or is paused, goes on at the other host as it stood; each step as often as asked', async (context) => {
      const { here, there, neighbour } = ends(context)
      for (const state of [PowerState.running, PowerState.paused]) {
        const spec = await running()
        const { uuid } = spec
        if (state === PowerState.paused) await world().driver.pause(uuid)
        const left: number[] = []
        const how = { ...none, signal: never(), onProgress: ({ memory }: CopyProgress) => left.push(memory.remaining) }
        expect(await here.refusal(uuid, null)).toBeNull()
        for (const _again of [false, true]) {
          const luggage = await here.send(uuid, await there.expect(spec, never()), how)
          expect(await power(uuid)).toBe(state)
          await there.receive(spec, luggage, never())
        }
        expect(left.at(-1)).toBe(0)
        await world().driver.destroy(uuid)
        await leavesNothing(uuid)
        expect((await neighbour.info(uuid))?.power).toBe(state)
        await neighbour.destroy(uuid)
      }
    })

    test('called off, the guest goes on here, and nothing is left of what was expected there', async (context) => {
      const { here, there, neighbour } = ends(context)
      const spec = await running()
      const { uuid } = spec
      await expect(there.expect(spec, calledOff())).rejects.toThrow('called off')
      const to = await there.expect(spec, never())
      await expect(here.send(uuid, to, { ...none, signal: calledOff() })).rejects.toThrow('called off')
      await neighbour.destroy(uuid)
      expect(await power(uuid)).toBe(PowerState.running)
      expect((await neighbour.inventory()).guests).not.toContain(uuid)
      await world().driver.destroy(uuid)
    })

    test('only of a guest that is there and runs', async (context) => {
      const { here } = ends(context)
      const { uuid } = await running()
      await fails(here.forceComplete(uuid), 'wrong-state')
      await world().driver.powerOff(uuid, 0)
      await fails(here.send(uuid, 'anywhere', { ...none, signal: never() }), 'wrong-state')
      await world().driver.destroy(uuid)
      await fails(here.send(uuid, 'anywhere', { ...none, signal: never() }), 'not-found')
      await fails(here.refusal(uuid, null), 'not-found')
    })
  })

  test('diagnostics tell processors, memory, disks and interfaces; none of a guest that is off', async (context) => {
    const diagnostics = has(context, 'diagnostics')
    const spec = await running()
    const found = await diagnostics(spec.uuid)
    expect(found.cpus.map((cpu) => cpu.id)).toEqual([0])
    expect(found.memory.maximumMib).toBe(32)
    expect(found.disks.length).toBeGreaterThan(0)
    expect(found.nics.map((each) => each.mac)).toEqual(spec.nics.map((each) => each.mac))
    expect(found.hasConfigDrive).toBe(spec.configDrive !== null)
    expect(found.uptimeSeconds === null || (found.uptimeSeconds >= 0 && found.uptimeSeconds < 3600)).toBe(true)
    for (const disk of found.disks)
      expect(Math.min(disk.readBytes, disk.readRequests, disk.writeBytes, disk.errors)).toBeGreaterThanOrEqual(0)
    await world().driver.powerOff(spec.uuid, 0)
    await fails(diagnostics(spec.uuid), 'wrong-state')
    await world().driver.destroy(spec.uuid)
    await fails(diagnostics(spec.uuid), 'not-found')
  })

  test('a password is refused where no agent answers', async (context) => {
    const setPassword = has(context, 'setPassword')
    const { uuid } = await running({ guestAgent: false })
    await fails(setPassword(uuid, 'root', 'secret'), 'wrong-state')
    await world().driver.powerOff(uuid, 0)
    await fails(setPassword(uuid, 'root', 'secret'), 'wrong-state')
    await world().driver.destroy(uuid)
    await fails(setPassword(uuid, 'root', 'secret'), 'not-found')
  })

  test('a running guest takes an interrupt that cannot be masked; one that is off takes none', async (context) => {
    const injectNmi = has(context, 'injectNmi')
    const { uuid } = await running()
    await injectNmi(uuid)
    await world().driver.powerOff(uuid, 0)
    await fails(injectNmi(uuid), 'wrong-state')
    await world().driver.destroy(uuid)
    await fails(injectNmi(uuid), 'not-found')
  })
}
