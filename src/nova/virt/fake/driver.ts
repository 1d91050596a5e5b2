/**
 * A hypervisor that pretends: guests are a line in a file, but they are charged for, refused when the host is full, found again after a
 * restart, take their time from the clock and fail on request. Consoles show a picture and take keys.
 */
import { join } from 'node:path'
import type { Clock } from '../../../base/clock.ts'
import { messageOf } from '../../../base/errors.ts'
import type { Log } from '../../../base/log.ts'
import type { FakeConfig } from '../config.ts'
import { type ComputeDriver, GuestError, type GuestEvent, PowerState } from '../driver.ts'
import type { GuestSpec } from '../specs.ts'
import { checkedUuid, lastLines, oneLine } from '../text.ts'
import { fakeCapabilities } from './capabilities.ts'
import { FakeConsoles } from './consoles.ts'
import { type FakeAction, Faults } from './faults.ts'
import { type FakeGuest, GuestFiles, guestOf, say } from './guests.ts'
import { fakeResources } from './resources.ts'
import { FakeSnapshots } from './snapshots.ts'

export type FakeDriverDeps = {
  /** The compute host's name. */
  host: string
  /** Which of the fake hosts it is, from 0. */
  index: number
  /** Absolute; this host's own folder. */
  stateDir: string
  clock: Clock
  log: Log
  config: FakeConfig
}

export type FakeDriver = ComputeDriver & {
  /** Makes the next calls of an action fail, once unless `times` says more. */
  failNext(action: FakeAction, error?: Error | GuestError['reason'], times?: number): void
  /** The guest does something of its own accord. @throws {GuestError} */
  happen(uuid: string, what: 'shutdown' | 'crash' | 'reboot'): void
}

/** @throws {RangeError} when `[fake] fail` cannot be read */
export function makeFakeDriver(deps: FakeDriverDeps): FakeDriver {
  const { host, clock, log, config } = deps
  const faults = new Faults(config.fail)
  const files = new GuestFiles(join(deps.stateDir, 'guests'))
  const guests = new Map<string, FakeGuest>(files.load().map((guest) => [guest.uuid, guest]))
  const consoles = new FakeConsoles(join(deps.stateDir, 'consoles'), typed)
  const pictures = new FakeSnapshots(join(deps.stateDir, 'snapshots'))
  const listeners = new Set<(event: GuestEvent) => void>()

  function emit(uuid: string, change: GuestEvent['change']): void {
    for (const listener of [...listeners]) {
      try {
        listener({ uuid, change })
      } catch (error) {
        log.error({ err: error, uuid, change }, `a listener failed: ${messageOf(error)}`)
      }
    }
  }

  function speak(guest: FakeGuest, text: string): void {
    say(guest, text)
    consoles.said(guest.uuid, text)
  }

  function typed(uuid: string, text: string): void {
    const guest = guests.get(uuid)
    if (guest?.power !== PowerState.running || text === '') return
    speak(guest, text)
    if (text.includes('\n')) {
      speak(guest, '$ ')
      files.save(guest)
    }
  }

  function boot(guest: FakeGuest): void {
    guest.boots += 1
    guest.bootedAtMs = clock.now()
    speak(guest, bootText(guest, host))
  }

  const delay = async (ms: number, signal?: AbortSignal): Promise<void> => {
    if (ms > 0) await clock.sleep(ms, signal)
  }

  const existing = (uuid: string): FakeGuest => {
    const guest = guests.get(uuid)
    if (!guest) throw new GuestError(uuid, 'not-found', `guest ${uuid} is not on host ${host}`)
    return guest
  }

  /** Brings a guest to a state; does nothing when it is there already. */
  async function change(
    uuid: string,
    action: FakeAction,
    to: { power: PowerState; from: readonly PowerState[] | 'any'; event: GuestEvent['change']; delayMs: number; boots?: boolean },
  ): Promise<void> {
    faults.check(action, uuid)
    const allowed = () => {
      const guest = existing(uuid)
      if (guest.power !== to.power && to.from !== 'any' && !to.from.includes(guest.power)) throw wrongState(guest, action)
      return guest
    }
    if (allowed().power === to.power) return
    await delay(to.delayMs)
    const guest = allowed()
    if (guest.power === to.power) return
    guest.power = to.power
    if (to.boots) boot(guest)
    if (to.power === PowerState.shutdown) consoles.close(uuid)
    files.save(guest)
    emit(uuid, to.event)
  }

  /** @throws {GuestError} no-resources */
  function charge(spec: GuestSpec): void {
    const others = [...guests.values()].filter((guest) => guest.uuid !== spec.uuid)
    const wanted = guestOf(spec, PowerState.noState)
    for (const [what, asked, limit] of [
      ['vcpus', 'vcpus', config.vcpus * config.cpuLimitRatio],
      ['MiB of memory', 'memoryMib', config.memoryMb * config.memoryLimitRatio],
      ['GiB of disk', 'diskGib', config.localGb * config.diskLimitRatio],
    ] as const) {
      const used = others.reduce((sum, guest) => sum + guest[asked], 0)
      if (used + wanted[asked] <= limit) continue
      throw new GuestError(
        spec.uuid,
        'no-resources',
        `host ${host} has ${Math.max(0, Math.floor(limit - used))} ${what} left, the guest needs ${wanted[asked]}`,
      )
    }
  }

  async function spawn(spec: GuestSpec, signal: AbortSignal): Promise<void> {
    checkedUuid(spec.uuid)
    signal.throwIfAborted()
    faults.check('spawn', spec.uuid)
    const before = guests.get(spec.uuid)
    if (before?.power === PowerState.running || before?.power === PowerState.paused) return
    charge(spec)
    // It counts from now on, so that a spawn beside it sees what is left; it is kept only once it runs.
    const guest = guestOf(spec, PowerState.noState)
    guests.set(spec.uuid, guest)
    try {
      await delay(config.bootDelayMs, signal)
      if (guests.get(spec.uuid) !== guest)
        throw new GuestError(spec.uuid, 'failed', `guest ${spec.uuid} was destroyed while it was spawned`)
      guest.power = PowerState.running
      boot(guest)
      files.save(guest)
    } catch (error) {
      if (guests.get(spec.uuid) === guest) {
        guests.delete(spec.uuid)
        files.remove(spec.uuid)
      }
      throw error
    }
    emit(spec.uuid, 'started')
  }

  async function destroy(uuid: string): Promise<void> {
    faults.check('destroy', uuid)
    if (!guests.has(uuid)) return
    await delay(config.operationDelayMs)
    const guest = guests.get(uuid)
    if (!guest) return
    pictures.remove(uuid)
    files.remove(uuid)
    guests.delete(uuid)
    consoles.close(uuid)
    if (guest.power !== PowerState.shutdown && guest.power !== PowerState.noState) emit(uuid, 'stopped')
  }

  async function reboot(uuid: string, type: 'SOFT' | 'HARD', graceMs: number): Promise<void> {
    faults.check('reboot', uuid)
    const asked = type === 'SOFT' && existing(uuid).power === PowerState.running
    existing(uuid)
    await delay((asked ? Math.min(config.shutdownDelayMs, graceMs) : 0) + config.bootDelayMs)
    const guest = existing(uuid)
    const ran = guest.power === PowerState.running
    guest.power = PowerState.running
    boot(guest)
    files.save(guest)
    emit(uuid, ran ? 'rebooted' : 'started')
  }

  function happen(uuid: string, what: 'shutdown' | 'crash' | 'reboot'): void {
    const guest = existing(uuid)
    if (guest.power !== PowerState.running) throw wrongState(guest, what)
    if (what === 'reboot') boot(guest)
    else guest.power = what === 'crash' ? PowerState.crashed : PowerState.shutdown
    files.save(guest)
    if (what !== 'reboot') consoles.close(uuid)
    emit(uuid, what === 'reboot' ? 'rebooted' : what === 'crash' ? 'crashed' : 'stopped')
  }

  const { running, paused, shutdown, crashed, suspended } = PowerState
  const operationMs = config.operationDelayMs
  return {
    kind: 'fake',
    host,
    usesImageFiles: false,
    status: () => ({ connected: true, problems: [] }),
    async resources() {
      faults.check('resources', host)
      return fakeResources(host, config, [...guests.values()], clock.now())
    },
    async list() {
      faults.check('list', host)
      return [...guests.values()].map(({ uuid, name, power }) => ({ uuid, name, power }))
    },
    async info(uuid) {
      const guest = guests.get(uuid)
      return guest ? { uuid, name: guest.name, power: guest.power } : null
    },
    spawn,
    destroy,
    powerOn: (uuid) =>
      change(uuid, 'powerOn', {
        power: running,
        from: [shutdown, crashed, suspended],
        event: 'started',
        delayMs: config.bootDelayMs,
        boots: true,
      }),
    powerOff: (uuid, graceMs) =>
      change(uuid, 'powerOff', { power: shutdown, from: 'any', event: 'stopped', delayMs: Math.min(config.shutdownDelayMs, graceMs) }),
    reboot,
    pause: (uuid) => change(uuid, 'pause', { power: paused, from: [running], event: 'paused', delayMs: operationMs }),
    unpause: (uuid) => change(uuid, 'unpause', { power: running, from: [paused], event: 'resumed', delayMs: operationMs }),
    suspend: (uuid) => change(uuid, 'suspend', { power: suspended, from: [running], event: 'suspended', delayMs: operationMs }),
    resume: (uuid) => change(uuid, 'resume', { power: running, from: [suspended], event: 'resumed', delayMs: operationMs }),
    async consoleOutput(uuid, lines) {
      faults.check('consoleOutput', uuid)
      return lastLines(existing(uuid).log, lines)
    },
    consoleTypes: ['novnc', 'xvpvnc', 'serial', 'spice-html5', 'spice-direct', 'rdp-html5', 'webmks'],
    async console(uuid, type) {
      faults.check('console', uuid)
      const guest = existing(uuid)
      if (guest.power !== running && guest.power !== paused) throw wrongState(guest, 'console')
      return consoles.endpoint(guest, type === 'novnc' || type === 'xvpvnc' ? 'vnc' : type === 'serial' ? 'serial' : 'port')
    },
    onReturn: () => () => undefined,
    onEvent(listener) {
      const own = (event: GuestEvent) => listener(event)
      listeners.add(own)
      return () => listeners.delete(own)
    },
    inventory: async () => ({ guests: [...guests.keys()], files: [...files.names(), ...pictures.names()] }),
    ...fakeCapabilities({ config, clock, faults, guests, files, pictures, delay, existing, wrongState, charge, boot, speak, consoles }),
    failNext: (action, error, times) => faults.add(action, error, times),
    happen,
    [Symbol.asyncDispose]: () => consoles[Symbol.asyncDispose](),
  }
}

const powerNames = new Map<PowerState, string>(Object.entries(PowerState).map(([name, power]) => [power, name]))

const wrongState = (guest: FakeGuest, action: string): GuestError =>
  new GuestError(guest.uuid, 'wrong-state', `guest ${guest.uuid} is ${powerNames.get(guest.power)}: ${action} is not possible`)

function bootText(guest: FakeGuest, host: string): string {
  const name = oneLine(guest.displayName, 63)
  const lines = [
    `[    0.000000] ${name} (${guest.name}) starts on ${host}, start ${guest.boots}${guest.rescued ? ', from the rescue disk' : ''}`,
    `[    0.004000] uuid ${guest.uuid}`,
    `[    0.012000] memory: ${guest.memoryMib} MiB, processors: ${guest.vcpus}`,
    ...guest.macs.map((mac, i) => `[    0.4${i}0000] eth${i}: ${mac} link up`),
    '[    1.000000] system is up',
    '',
    `${name.replace(/[^A-Za-z0-9.-]+/g, '-')} login: `,
  ]
  return `${guest.log === '' || guest.log.endsWith('\n') ? '' : '\n'}${lines.join('\n')}`
}
