/**
 * The promises of `nova/virt/driver.ts`, for every implementation.
 *
 * A world is a host with one driver at a time; `reopen` is what a restart of minicloud does to it. Waiting is for levels, by polling with
 * an end; worlds that pretend have no delays.
 */
import { randomUUID } from 'node:crypto'
import { connect as connectSocket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type ComputeDriver, GuestError, type GuestEvent, type GuestSpec, PowerState, type RescueSpec } from '../../src/nova/virt/index.ts'
import { until } from '../support/until.ts'
import { capabilityPromises } from './driver-capabilities.ts'

export type DriverWorld = AsyncDisposable & {
  readonly driver: ComputeDriver
  /** The driver is closed and made anew over the same host. */
  reopen(): Promise<ComputeDriver>
  /** Makes a spec fit this world: image files, network devices. */
  readonly fit?: (spec: GuestSpec) => GuestSpec
  /** What guests are known to say on their serial port. */
  readonly says?: (spec: GuestSpec) => string
  /** What to rescue with here, and what the rescue disk says on the serial port. */
  readonly rescueDisk?: { readonly root: RescueSpec['root']; readonly says?: string }
  /** A network device's bridge that exists here. */
  readonly bridge?: string
  /** Another host of the same kind, to which guests can go. */
  readonly neighbour?: ComputeDriver
  /** Promises that this hypervisor cannot keep, with the reason. */
  readonly lacks?: { readonly [P in Promised]?: string }
}

export type Promised =
  | 'suspend'
  | 'console'
  | 'consoleOutput'
  | 'events'
  | 'reboot'
  | 'snapshots'
  | 'rescue'
  | 'resize'
  | 'interfaces'
  | 'liveInterfaces'
  | 'liveDetach'
  | 'setPassword'
  | 'diagnostics'
  | 'injectNmi'
  | 'liveMigration'

let counter = 0

/** A guest without network that boots from an empty disk. */
export function blankGuest(overrides: Partial<GuestSpec> = {}): GuestSpec {
  counter += 1
  return {
    uuid: randomUUID(),
    name: `instance-${counter.toString(16).padStart(8, '0')}`,
    vcpus: 1,
    memoryMib: 32,
    firmware: 'bios',
    machineType: null,
    kernel: null,
    disks: [
      { name: 'root', device: 'vda', bus: 'virtio', kind: 'disk', source: { kind: 'blank' }, sizeGib: 1, bootIndex: 0, serial: null },
    ],
    nics: [],
    configDrive: null,
    video: 'vga',
    guestAgent: true,
    rng: true,
    about: { displayName: 'one & <two> "three"', projectId: 'p'.repeat(32), userId: 'u'.repeat(32), flavor: 'm1.tiny', imageId: null },
    ...overrides,
  }
}

const never = () => new AbortController().signal

/** @param skip why this implementation cannot be tried here */
export function driverContract(name: string, makeWorld: () => Promise<DriverWorld>, skip?: string): void {
  describe.skipIf(skip !== undefined)(`${name}${skip === undefined ? '' : `: skipped, ${skip}`}`, { timeout: 60_000 }, () => {
    let world: DriverWorld
    beforeAll(async () => {
      world = await makeWorld()
    }, 120_000)
    afterAll(async () => {
      await world?.[Symbol.asyncDispose]()
    }, 60_000)

    const guest = (overrides: Partial<GuestSpec> = {}) => {
      const spec = blankGuest(overrides)
      return world.fit?.(spec) ?? spec
    }
    const power = async (uuid: string) => (await world.driver.info(uuid))?.power ?? null
    const reaches = (uuid: string, state: PowerState) => until(`${uuid} reaches ${state}`, async () => (await power(uuid)) === state)
    const running = async (overrides: Partial<GuestSpec> = {}) => {
      const spec = guest(overrides)
      await world.driver.spawn(spec, never())
      return spec
    }
    const fails = async (call: Promise<unknown>, reason: GuestError['reason']) => {
      const error = await call.then(
        () => undefined,
        (thrown: unknown) => thrown,
      )
      expect(error).toBeInstanceOf(GuestError)
      expect((error as GuestError).reason).toBe(reason)
    }
    const leavesNothing = async (uuid: string) => {
      expect(await world.driver.info(uuid)).toBeNull()
      expect((await world.driver.list()).map((each) => each.uuid)).not.toContain(uuid)
      const { guests, files } = await world.driver.inventory()
      expect(guests).not.toContain(uuid)
      expect(files.filter((file) => file.includes(uuid))).toEqual([])
    }

    test('a spawned guest runs, is listed under its name, and destroyed leaves nothing', async () => {
      const spec = await running()
      expect(await world.driver.info(spec.uuid)).toEqual({ uuid: spec.uuid, name: spec.name, power: PowerState.running })
      expect(await world.driver.list()).toContainEqual({ uuid: spec.uuid, name: spec.name, power: PowerState.running })
      expect((await world.driver.inventory()).guests).toContain(spec.uuid)
      await world.driver.destroy(spec.uuid)
      await leavesNothing(spec.uuid)
    })

    test('an unknown guest is null to ask for, gone to destroy, and not found for the rest', async () => {
      const uuid = randomUUID()
      const { driver } = world
      expect(await driver.info(uuid)).toBeNull()
      await driver.destroy(uuid)
      for (const call of [
        () => driver.powerOn(uuid),
        () => driver.powerOff(uuid, 0),
        () => driver.reboot(uuid, 'HARD', 0),
        () => driver.pause(uuid),
        () => driver.unpause(uuid),
        () => driver.suspend(uuid),
        () => driver.resume(uuid),
        () => driver.consoleOutput(uuid, 10),
        () => driver.console(uuid, 'novnc'),
      ]) {
        await fails(call(), 'not-found')
      }
    })

    test('spawning what runs and destroying what is gone are no errors', async () => {
      const spec = await running()
      await world.driver.spawn(spec, never())
      expect(await power(spec.uuid)).toBe(PowerState.running)
      await world.driver.destroy(spec.uuid)
      await world.driver.destroy(spec.uuid)
      await leavesNothing(spec.uuid)
    })

    test('a guest that stands half-made or off is taken over by a spawn', async () => {
      const spec = await running()
      await world.driver.powerOff(spec.uuid, 0)
      await world.driver.spawn(spec, never())
      expect(await power(spec.uuid)).toBe(PowerState.running)
      await world.driver.destroy(spec.uuid)
    })

    test('power goes off and on, each as often as asked', async () => {
      const { uuid } = await running()
      await world.driver.powerOn(uuid)
      expect(await power(uuid)).toBe(PowerState.running)
      await world.driver.powerOff(uuid, 0)
      await world.driver.powerOff(uuid, 0)
      expect(await power(uuid)).toBe(PowerState.shutdown)
      await world.driver.powerOn(uuid)
      await world.driver.powerOn(uuid)
      expect(await power(uuid)).toBe(PowerState.running)
      await world.driver.powerOff(uuid, 200)
      expect(await power(uuid)).toBe(PowerState.shutdown)
      await world.driver.destroy(uuid)
      await leavesNothing(uuid)
    })

    test('a reboot leaves the guest running, also one that was off or paused', async (context) => {
      if (world.lacks?.reboot) return context.skip(world.lacks.reboot)
      const { uuid } = await running()
      await world.driver.reboot(uuid, 'HARD', 0)
      expect(await power(uuid)).toBe(PowerState.running)
      await world.driver.reboot(uuid, 'SOFT', 200)
      await reaches(uuid, PowerState.running)
      await world.driver.pause(uuid)
      await world.driver.reboot(uuid, 'HARD', 0)
      expect(await power(uuid)).toBe(PowerState.running)
      await world.driver.powerOff(uuid, 0)
      await world.driver.reboot(uuid, 'HARD', 0)
      expect(await power(uuid)).toBe(PowerState.running)
      await world.driver.destroy(uuid)
    })

    test('pause and unpause, each as often as asked; not from off', async () => {
      const { uuid } = await running()
      await world.driver.unpause(uuid)
      await world.driver.pause(uuid)
      await world.driver.pause(uuid)
      expect(await power(uuid)).toBe(PowerState.paused)
      await fails(world.driver.powerOn(uuid), 'wrong-state')
      await world.driver.unpause(uuid)
      await world.driver.unpause(uuid)
      expect(await power(uuid)).toBe(PowerState.running)
      await world.driver.powerOff(uuid, 0)
      await fails(world.driver.pause(uuid), 'wrong-state')
      await fails(world.driver.unpause(uuid), 'wrong-state')
      await world.driver.destroy(uuid)
    })

    test('a paused guest can be powered off, and destroyed', async () => {
      const first = await running()
      await world.driver.pause(first.uuid)
      await world.driver.powerOff(first.uuid, 0)
      expect(await power(first.uuid)).toBe(PowerState.shutdown)
      await world.driver.powerOn(first.uuid)
      await world.driver.pause(first.uuid)
      await world.driver.destroy(first.uuid)
      await leavesNothing(first.uuid)
    })

    test('suspend and resume, each as often as asked; not from off', async (context) => {
      if (world.lacks?.suspend) return context.skip(world.lacks.suspend)
      const { uuid } = await running()
      await world.driver.resume(uuid)
      await world.driver.suspend(uuid)
      await world.driver.suspend(uuid)
      expect(await power(uuid)).toBe(PowerState.suspended)
      expect((await world.driver.list()).find((each) => each.uuid === uuid)?.power).toBe(PowerState.suspended)
      await fails(world.driver.pause(uuid), 'wrong-state')
      await world.driver.resume(uuid)
      await world.driver.resume(uuid)
      expect(await power(uuid)).toBe(PowerState.running)
      await world.driver.powerOff(uuid, 0)
      await fails(world.driver.suspend(uuid), 'wrong-state')
      await fails(world.driver.resume(uuid), 'wrong-state')
      await world.driver.destroy(uuid)
      await leavesNothing(uuid)
    })

    test('a suspended guest loses its memory when powered off, and is destroyed without trace', async (context) => {
      if (world.lacks?.suspend) return context.skip(world.lacks.suspend)
      const { uuid } = await running()
      await world.driver.suspend(uuid)
      await world.driver.powerOff(uuid, 0)
      expect(await power(uuid)).toBe(PowerState.shutdown)
      await world.driver.powerOn(uuid)
      await world.driver.suspend(uuid)
      await world.driver.destroy(uuid)
      await leavesNothing(uuid)
    })

    test('the serial log is there in each state, and cut to the last lines', async (context) => {
      if (world.lacks?.consoleOutput) return context.skip(world.lacks.consoleOutput)
      const spec = await running()
      const said = world.says?.(spec)
      if (said) {
        const whole = await until(`it says ${said}`, async () => {
          const text = await world.driver.consoleOutput(spec.uuid, null)
          return text.includes(said) ? text : undefined
        })
        const last = await world.driver.consoleOutput(spec.uuid, 1)
        expect(last.length).toBeLessThan(whole.length)
        expect(last.replace(/\n$/, '')).not.toContain('\n')
      }
      expect(await world.driver.consoleOutput(spec.uuid, 0)).toBe('')
      await world.driver.powerOff(spec.uuid, 0)
      expect(typeof (await world.driver.consoleOutput(spec.uuid, 5))).toBe('string')
      await world.driver.destroy(spec.uuid)
    })

    test('a running guest has a VNC console that speaks RFB; one that is off has none', async (context) => {
      if (world.lacks?.console) return context.skip(world.lacks.console)
      const { uuid } = await running()
      expect(world.driver.consoleTypes).toContain('novnc')
      const endpoint = await world.driver.console(uuid, 'novnc')
      const greeting = await new Promise<string>((resolve, reject) => {
        const socket =
          endpoint.kind === 'unix' ? connectSocket({ path: endpoint.path }) : connectSocket({ host: endpoint.host, port: endpoint.port })
        socket.once('error', reject)
        socket.once('data', (data) => {
          resolve(data.toString('latin1'))
          socket.destroy()
        })
      })
      expect(greeting).toMatch(/^RFB 003\.\d{3}\n/)
      await world.driver.powerOff(uuid, 0)
      await fails(world.driver.console(uuid, 'novnc'), 'wrong-state')
      await world.driver.destroy(uuid)
    })

    test('what happens to a guest is told, until one stops listening', async (context) => {
      if (world.lacks?.events) return context.skip(world.lacks.events)
      const heard: GuestEvent[] = []
      const stop = world.driver.onEvent((event) => heard.push(event))
      const { uuid } = await running()
      const changes = () => heard.filter((event) => event.uuid === uuid).map((event) => event.change)
      await until('started is told', () => changes().includes('started'))
      await world.driver.pause(uuid)
      await until('paused is told', () => changes().includes('paused'))
      await world.driver.unpause(uuid)
      await until('resumed is told', () => changes().includes('resumed'))
      await world.driver.powerOff(uuid, 0)
      await until('stopped is told', () => changes().includes('stopped'))
      stop()
      const count = heard.length
      await world.driver.destroy(uuid)
      expect(heard.length).toBe(count)
    })

    test('a spawn that was called off before it began leaves nothing', async () => {
      const spec = guest()
      await expect(world.driver.spawn(spec, AbortSignal.abort(new Error('called off')))).rejects.toThrow()
      await leavesNothing(spec.uuid)
    })

    test('a spawn called off at any moment has either made the guest or left nothing', async () => {
      for (const afterMs of [0, 1, 5, 20, 60, 150]) {
        const spec = guest()
        const controller = new AbortController()
        const spawned = world.driver.spawn(spec, controller.signal).then(
          () => true,
          () => false,
        )
        await sleep(afterMs)
        controller.abort(new Error('called off'))
        if (await spawned) {
          expect(await power(spec.uuid)).toBe(PowerState.running)
          await world.driver.destroy(spec.uuid)
        }
        await leavesNothing(spec.uuid)
      }
    })

    test('a driver made anew finds the guests as they were', async () => {
      const on = await running()
      const off = await running()
      await world.driver.powerOff(off.uuid, 0)
      await world.reopen()
      expect(await world.driver.info(on.uuid)).toEqual({ uuid: on.uuid, name: on.name, power: PowerState.running })
      expect(await world.driver.info(off.uuid)).toEqual({ uuid: off.uuid, name: off.name, power: PowerState.shutdown })
      await world.driver.powerOn(off.uuid)
      expect(await power(off.uuid)).toBe(PowerState.running)
      await world.driver.destroy(on.uuid)
      await world.driver.destroy(off.uuid)
      await leavesNothing(on.uuid)
      await leavesNothing(off.uuid)
    })

    test('several guests are made and ended side by side', async () => {
      const specs = [guest(), guest(), guest()]
      await Promise.all(specs.map((spec) => world.driver.spawn(spec, never())))
      const listed = (await world.driver.list()).map((each) => each.uuid)
      for (const spec of specs) expect(listed).toContain(spec.uuid)
      await Promise.all(specs.map((spec) => world.driver.destroy(spec.uuid)))
      for (const spec of specs) await leavesNothing(spec.uuid)
    })

    test('what the host has makes sense, and the host is up', async () => {
      expect(world.driver.status().connected).toBe(true)
      const host = await world.driver.resources()
      expect(host.hypervisorHostname).not.toBe('')
      for (const amount of [host.vcpus, host.memoryMib, host.diskGib, host.hypervisorVersion]) expect(amount).toBeGreaterThan(0)
      expect(host.supportedInstances.length).toBeGreaterThan(0)
      for (const trait of host.traits) expect(trait).toMatch(/^[A-Z0-9_]{1,255}$/)
      expect(host.cpuInfo.topology.sockets * host.cpuInfo.topology.cores * host.cpuInfo.topology.threads).toBeGreaterThan(0)
    })

    capabilityPromises({ world: () => world, running, power, fails, leavesNothing })

    test('at the end nothing is left', async () => {
      expect(await world.driver.inventory()).toEqual({ guests: [], files: [] })
    })
  })
}
