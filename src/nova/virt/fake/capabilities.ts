/**
 * What only some hypervisors can do, and the fake can: each ends in a line of the guest's file, takes its time and fails on request.
 * The echoes of an action are told to nobody, as libvirt's driver does.
 */
import type { Clock } from '../../../base/clock.ts'
import type { FakeConfig } from '../config.ts'
import { type ComputeDriver, GuestError, PowerState } from '../driver.ts'
import type { GuestSpec } from '../specs.ts'
import { checkedUuid, oneLine } from '../text.ts'
import type { FakeConsoles } from './consoles.ts'
import type { Faults } from './faults.ts'
import { type FakeGuest, type GuestFiles, guestOf, pack, sizeOf, unpack } from './guests.ts'
import { fakeLiveMigration } from './live-migration.ts'
import type { FakeSnapshots } from './snapshots.ts'

export type FakeHost = {
  config: FakeConfig
  clock: Clock
  faults: Faults
  guests: Map<string, FakeGuest>
  files: GuestFiles
  pictures: FakeSnapshots
  consoles: FakeConsoles
  delay(ms: number, signal?: AbortSignal): Promise<void>
  /** @throws {GuestError} not-found */
  existing(uuid: string): FakeGuest
  wrongState(guest: FakeGuest, action: string): GuestError
  /** @throws {GuestError} no-resources */
  charge(spec: GuestSpec): void
  boot(guest: FakeGuest): void
  speak(guest: FakeGuest, text: string): void
}

type Capability =
  | 'snapshots'
  | 'rescue'
  | 'resize'
  | 'interfaces'
  | 'setPassword'
  | 'diagnostics'
  | 'injectNmi'
  | 'moves'
  | 'hostControl'
  | 'liveMigration'
type Capabilities = Required<Pick<ComputeDriver, Capability>>

const { running, paused, shutdown } = PowerState

export function fakeCapabilities(host: FakeHost): Capabilities {
  const { config, clock, faults, guests, files, pictures, consoles, delay, existing, wrongState } = host
  const operationMs = config.operationDelayMs

  function start(guest: FakeGuest): void {
    guest.power = running
    host.boot(guest)
    files.save(guest)
  }

  function stop(guest: FakeGuest): void {
    guest.power = shutdown
    consoles.close(guest.uuid)
    files.save(guest)
  }

  /** @throws {GuestError} wrong-state while a rescue or a resize is pending, whose end would undo the change */
  function settled(guest: FakeGuest, action: string): FakeGuest {
    const pending = guest.rescued ? 'in rescue' : guest.before ? 'resized and not confirmed' : null
    if (pending) throw new GuestError(guest.uuid, 'wrong-state', `guest ${guest.uuid} is ${pending}: ${action} is not possible`)
    if (guest.power === PowerState.suspended) throw wrongState(guest, action)
    return guest
  }

  const snapshots: Capabilities['snapshots'] = {
    async take(uuid, signal) {
      signal.throwIfAborted()
      faults.check('snapshot', uuid)
      existing(uuid)
      await delay(operationMs, signal)
      return pictures.take(existing(uuid))
    },
  }

  const rescue: Capabilities['rescue'] = {
    async enter(uuid, _spec, signal) {
      signal.throwIfAborted()
      faults.check('rescue', uuid)
      existing(uuid)
      await delay(operationMs + config.bootDelayMs, signal)
      const guest = existing(uuid)
      if (guest.rescued && guest.power === running) return
      guest.rescued = true
      start(guest)
    },
    async leave(uuid) {
      faults.check('unrescue', uuid)
      if (!existing(uuid).rescued) return
      await delay(operationMs + config.bootDelayMs)
      const guest = existing(uuid)
      guest.rescued = false
      start(guest)
    },
  }

  const resize: Capabilities['resize'] = {
    async apply(spec, startIt, signal) {
      signal.throwIfAborted()
      faults.check('resize', spec.uuid)
      settledSize(existing(spec.uuid), spec)
      host.charge(spec)
      await delay(operationMs + (startIt ? config.bootDelayMs : 0), signal)
      const guest = existing(spec.uuid)
      if (guest.before === null) {
        guest.before = { vcpus: guest.vcpus, memoryMib: guest.memoryMib, diskGib: guest.diskGib }
        Object.assign(guest, sizeOf(spec))
        stop(guest)
      }
      if (startIt && guest.power !== running) start(guest)
    },
    async confirm(uuid) {
      faults.check('confirmResize', uuid)
      const guest = existing(uuid)
      guest.before = null
      files.save(guest)
    },
    async revert(uuid, startIt) {
      faults.check('revertResize', uuid)
      existing(uuid)
      await delay(operationMs + (startIt ? config.bootDelayMs : 0))
      const guest = existing(uuid)
      if (guest.before) {
        Object.assign(guest, guest.before)
        guest.before = null
        stop(guest)
      }
      if (startIt && guest.power !== running) start(guest)
    },
  }

  const interfaces: Capabilities['interfaces'] = {
    async attach(uuid, nic) {
      faults.check('attachInterface', uuid)
      settled(existing(uuid), 'attaching an interface')
      await delay(operationMs)
      const guest = settled(existing(uuid), 'attaching an interface')
      if (guest.macs.includes(nic.mac)) return
      guest.macs = [...guest.macs, nic.mac]
      if (guest.power === running) host.speak(guest, `eth${guest.macs.length - 1}: ${oneLine(nic.mac, 17)} link up\n`)
      files.save(guest)
    },
    async detach(uuid, mac) {
      faults.check('detachInterface', uuid)
      settled(existing(uuid), 'detaching an interface')
      await delay(operationMs)
      const guest = settled(existing(uuid), 'detaching an interface')
      guest.macs = guest.macs.filter((each) => each.toLowerCase() !== mac.toLowerCase())
      files.save(guest)
    },
  }

  const moves: Capabilities['moves'] = {
    async depart(uuid, signal) {
      signal.throwIfAborted()
      faults.check('depart', uuid)
      existing(uuid)
      await delay(operationMs, signal)
      const guest = existing(uuid)
      if (guest.power !== shutdown) stop(guest)
      return pack(guest)
    },
    async arrive(spec, luggage, startIt, signal) {
      checkedUuid(spec.uuid)
      signal.throwIfAborted()
      faults.check('arrive', spec.uuid)
      if (!guests.has(spec.uuid)) host.charge(spec)
      await delay(operationMs, signal)
      const guest = guests.get(spec.uuid) ?? { ...guestOf(spec, shutdown), ...unpack(luggage) }
      guests.set(spec.uuid, guest)
      if (startIt && guest.power !== running && guest.power !== paused) start(guest)
      else files.save(guest)
    },
  }

  return {
    snapshots,
    rescue,
    resize,
    interfaces,
    moves,
    // The host is pretended, and so is its power: guests stay as they are.
    hostControl: {
      power: async () => await delay(operationMs),
      maintain: async () => await delay(operationMs),
    },
    liveMigration: fakeLiveMigration(host),
    async setPassword(uuid, user) {
      faults.check('setPassword', uuid)
      const guest = existing(uuid)
      if (guest.power !== running) throw wrongState(guest, 'setting a password')
      if (!guest.hasAgent) throw new GuestError(uuid, 'wrong-state', `no agent answers in guest ${uuid}`)
      await delay(operationMs)
      host.speak(guest, `password of ${oneLine(user, 64)} was changed\n`)
      files.save(guest)
    },
    async diagnostics(uuid) {
      faults.check('diagnostics', uuid)
      const guest = existing(uuid)
      if (guest.power !== running && guest.power !== paused) throw wrongState(guest, 'diagnosing')
      const aliveMs = Math.max(0, clock.now() - guest.bootedAtMs)
      const idle = { rxBytes: 0, rxPackets: 0, rxErrors: 0, rxDropped: 0, txBytes: 0, txPackets: 0, txErrors: 0, txDropped: 0 }
      return {
        uptimeSeconds: Math.floor(aliveMs / 1000),
        cpus: Array.from({ length: guest.vcpus }, (_, id) => ({ id, timeNs: aliveMs * 10_000, utilisationPercent: 1 })),
        nics: guest.macs.map((mac) => ({ mac, ...idle })),
        disks: [{ device: 'vda', readBytes: 0, readRequests: 0, writeBytes: 0, writeRequests: 0, errors: 0 }],
        memory: { maximumMib: guest.memoryMib, usedMib: guest.memoryMib },
        hasConfigDrive: guest.hasConfigDrive,
      }
    },
    async injectNmi(uuid) {
      faults.check('injectNmi', uuid)
      const guest = existing(uuid)
      if (guest.power !== running && guest.power !== paused) throw wrongState(guest, 'an interrupt')
      host.speak(guest, 'Uhhuh. NMI received.\n')
      files.save(guest)
    },
  }
}

/** @throws {GuestError} wrong-state when another new size waits to be confirmed, or the guest is in rescue */
function settledSize(guest: FakeGuest, spec: GuestSpec): void {
  const wanted = sizeOf(spec)
  const same = guest.vcpus === wanted.vcpus && guest.memoryMib === wanted.memoryMib && guest.diskGib === wanted.diskGib
  if (guest.rescued) throw new GuestError(guest.uuid, 'wrong-state', `guest ${guest.uuid} is in rescue`)
  if (guest.before && !same) throw new GuestError(guest.uuid, 'wrong-state', `a resize of guest ${guest.uuid} waits to be confirmed`)
}
