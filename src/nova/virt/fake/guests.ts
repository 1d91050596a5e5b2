/**
 * What a fake host remembers of its guests: one small file each, replaced by rename, so that a kill at any moment leaves the old or the
 * new state. Writes are not synced to disk: after a power cut a guest may be found as it was a little earlier.
 */
import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { PowerState } from '../driver.ts'
import type { GuestSpec } from '../specs.ts'

export type FakeGuest = {
  readonly uuid: string
  readonly name: string
  readonly displayName: string
  readonly hasAgent: boolean
  readonly hasConfigDrive: boolean
  vcpus: number
  memoryMib: number
  diskGib: number
  macs: readonly string[]
  power: PowerState
  boots: number
  /** Of the last boot, milliseconds since the epoch. */
  bootedAtMs: number
  /** It runs from a rescue disk. */
  rescued: boolean
  /** The old size, until a resize is confirmed or reverted. */
  before: FakeSize | null
  /** What the serial port said. */
  log: string
}
export type FakeSize = Pick<FakeGuest, 'vcpus' | 'memoryMib' | 'diskGib'>

export const guestOf = (spec: GuestSpec, power: PowerState): FakeGuest => ({
  uuid: spec.uuid,
  name: spec.name,
  displayName: spec.about.displayName,
  hasAgent: spec.guestAgent,
  hasConfigDrive: spec.configDrive !== null,
  ...sizeOf(spec),
  macs: spec.nics.map((nic) => nic.mac),
  power,
  boots: 0,
  bootedAtMs: 0,
  rescued: false,
  before: null,
  log: '',
})

export const sizeOf = (spec: GuestSpec): FakeSize => ({
  vcpus: spec.vcpus,
  memoryMib: spec.memoryMib,
  diskGib: spec.disks.reduce((sum, disk) => sum + disk.sizeGib, 0),
})

type Luggage = Pick<FakeGuest, 'boots' | 'bootedAtMs' | 'log' | 'power'>

/** What another host must know to go on with the guest. */
export const pack = ({ boots, bootedAtMs, log, power }: FakeGuest): Uint8Array =>
  Buffer.from(JSON.stringify({ boots, bootedAtMs, log, power } satisfies Luggage))

/** @throws {SyntaxError} when it was not packed by a fake host */
export function unpack(luggage: Uint8Array): Luggage {
  const { boots, bootedAtMs, log, power } = JSON.parse(Buffer.from(luggage).toString('utf8'))
  return { boots: Number(boots), bootedAtMs: Number(bootedAtMs), log: String(log), power }
}

/** Of guests whose file says nothing of it. */
const unsaid = { hasAgent: false, hasConfigDrive: false, bootedAtMs: 0, rescued: false, before: null }

const logMax = 64 * 1024

/** Appends to the guest's log and lets go of the oldest lines beyond 64 KiB. */
export function say(guest: FakeGuest, text: string): void {
  const whole = guest.log + text
  guest.log = whole.length > logMax ? whole.slice(whole.indexOf('\n', whole.length - logMax) + 1) : whole
}

export class GuestFiles {
  readonly #dir: string

  constructor(dir: string) {
    mkdirSync(dir, { recursive: true, mode: 0o700 })
    this.#dir = dir
  }

  #path(uuid: string): string {
    return join(this.#dir, `${uuid}.json`)
  }

  /** Files cut off by a power failure hold no guest and are removed. */
  load(): FakeGuest[] {
    return readdirSync(this.#dir).flatMap((name) => {
      const path = join(this.#dir, name)
      if (name.endsWith('.json')) {
        try {
          return [{ ...unsaid, ...JSON.parse(readFileSync(path, 'utf8')) } as FakeGuest]
        } catch {}
      }
      rmSync(path, { force: true, recursive: true })
      return []
    })
  }

  save(guest: FakeGuest): void {
    const path = this.#path(guest.uuid)
    writeFileSync(`${path}.new`, JSON.stringify(guest), { mode: 0o600 })
    renameSync(`${path}.new`, path)
  }

  remove(uuid: string): void {
    rmSync(this.#path(uuid), { force: true })
  }

  names(): string[] {
    return readdirSync(this.#dir).map((name) => join(this.#dir, name))
  }
}
