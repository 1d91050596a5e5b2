/**
 * Guests that move between pretended hosts while they run: what is copied is a line of text, but it takes its time from the
 * clock, tells how far it is, and can be called off or hurried.
 */
import { type CopyProgress, GuestError, type LiveMigration, PowerState } from '../driver.ts'
import type { GuestSpec } from '../specs.ts'
import { checkedUuid } from '../text.ts'
import type { FakeHost } from './capabilities.ts'
import { type FakeGuest, guestOf, pack, unpack } from './guests.ts'

/** How often a copy says how far it is. */
const parts = 10
const mib = 1024 ** 2
const gib = 1024 ** 3

export function fakeLiveMigration(host: FakeHost): LiveMigration {
  const { config, faults, guests, files, delay, existing, wrongState } = host
  /** What hurries each guest that is being sent. */
  const sending = new Map<string, AbortController>()

  function movable(uuid: string): FakeGuest {
    const guest = existing(uuid)
    if (guest.rescued || guest.before) throw new GuestError(uuid, 'wrong-state', `guest ${uuid} is in rescue, or a new size waits`)
    if (guest.power !== PowerState.running && guest.power !== PowerState.paused) throw wrongState(guest, 'live migration')
    return guest
  }

  function progressOf({ memoryMib, diskGib }: FakeGuest, copiesDisks: boolean, done: number): CopyProgress {
    const share = (total: number) => {
      const processed = Math.round(total * done)
      return { total, processed, remaining: total - processed }
    }
    return { memory: share(memoryMib * mib), disk: share(copiesDisks ? diskGib * gib : 0) }
  }

  /** A place for a guest that does not run yet; it counts against the host, and no file speaks of it. */
  async function place(spec: GuestSpec, signal: AbortSignal): Promise<FakeGuest> {
    host.charge(spec)
    const guest = guestOf(spec, PowerState.noState)
    guests.set(spec.uuid, guest)
    try {
      await delay(config.operationDelayMs, signal)
      if (guests.get(spec.uuid) !== guest)
        throw new GuestError(spec.uuid, 'failed', `guest ${spec.uuid} was destroyed while it was expected`)
      return guest
    } catch (error) {
      if (guests.get(spec.uuid) === guest) guests.delete(spec.uuid)
      throw error
    }
  }

  return {
    async refusal(uuid, copiesDisks) {
      movable(uuid)
      if (config.storage === 'shared' && copiesDisks === true)
        return `The hosts share the storage of instance ${uuid}: block migration is not possible.`
      if (config.storage === 'local' && copiesDisks === false)
        return `The disks of instance ${uuid} are on its host alone: only block migration is possible.`
      return null
    },
    async expect(spec, signal) {
      checkedUuid(spec.uuid)
      signal.throwIfAborted()
      faults.check('expect', spec.uuid)
      if (!guests.has(spec.uuid)) await place(spec, signal)
      return `fake://${spec.uuid}`
    },
    async send(uuid, _to, { copiesDisks, signal, onProgress }) {
      signal.throwIfAborted()
      faults.check('send', uuid)
      const disks = copiesDisks ?? config.storage !== 'shared'
      const hurry = new AbortController()
      sending.set(uuid, hurry)
      try {
        const steps = config.liveMigrationDelayMs > 0 ? parts : 0
        for (let step = 0; step < steps && !hurry.signal.aborted; step += 1) {
          onProgress(progressOf(movable(uuid), disks, step / steps))
          await delay(config.liveMigrationDelayMs / steps, AbortSignal.any([signal, hurry.signal])).catch(() => signal.throwIfAborted())
        }
        const guest = movable(uuid)
        onProgress(progressOf(guest, disks, 1))
        return pack(guest)
      } finally {
        if (sending.get(uuid) === hurry) sending.delete(uuid)
      }
    },
    async forceComplete(uuid) {
      faults.check('forceComplete', uuid)
      const hurry = sending.get(uuid)
      if (!hurry) throw new GuestError(uuid, 'wrong-state', `guest ${uuid} is not being sent to another host`)
      hurry.abort()
    },
    async receive(spec, luggage, signal) {
      checkedUuid(spec.uuid)
      signal.throwIfAborted()
      faults.check('receive', spec.uuid)
      const expected = guests.get(spec.uuid) ?? (await place(spec, signal))
      if (expected.power !== PowerState.noState) return
      const guest = Object.assign(expected, unpack(luggage))
      files.save(guest)
    },
  }
}
