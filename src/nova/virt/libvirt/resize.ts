/**
 * A guest's new size on the same host. Copies of its disks and its definition are kept beside them until the new size is confirmed; the
 * definition is written last, so that what is kept is whole or nothing.
 */
import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { promisify } from 'node:util'
import { type Domain, XmlFlags } from '../../../node-libvirt/index.ts'
import { GuestError, PowerState, type Resize } from '../driver.ts'
import type { GuestSpec } from '../specs.ts'
import { disksOf, fileOf, parseElement, storedAs } from './definition.ts'
import { type InstanceFiles, own } from './disks.ts'
import type { DiskFile } from './domain-xml.ts'
import { wrongState } from './guests.ts'
import type { Host } from './host.ts'
import { powerOf } from './power.ts'
import { type DefiningParts, keep, original, restart } from './rescue.ts'

const run = promisify(execFile)
/** Its being there says that the guest has its new size. */
const appliedName = 'applied'
const wantedName = 'wanted.json'

type Parts = DefiningParts & { xmlOf(spec: GuestSpec, disks: readonly DiskFile[], host: Host): string }

export class GuestResize implements Resize {
  readonly #parts: Parts
  readonly #files: InstanceFiles

  constructor(parts: Parts) {
    this.#parts = parts
    this.#files = parts.files
  }

  apply(spec: GuestSpec, start: boolean, signal: AbortSignal): Promise<void> {
    const { guests } = this.#parts
    const { uuid } = spec
    const kept = this.#files.keptDir(uuid)
    return guests.on(
      uuid,
      async (domain) => {
        if (await original(this.#files.rescueDir(uuid))) throw wrongState(uuid, 'in rescue', 'a resize')
        const before = await original(kept)
        if (before !== null && (await readFile(join(kept, wantedName), 'utf8').catch(() => '')) !== wantedOf(spec))
          throw wrongState(uuid, 'resized and not confirmed', 'another resize')
        if (before === null || !existsSync(join(kept, appliedName))) await this.#apply(domain, spec, before, start, signal)
        else if (start && (await powerOf(domain)) !== PowerState.running) await guests.silently(uuid, () => restart(guests, domain))
      },
      signal,
    )
  }

  confirm(uuid: string): Promise<void> {
    const kept = this.#files.keptDir(uuid)
    return this.#parts.guests.on(uuid, async (domain) => {
      const before = await original(kept)
      // Cut off while it was let go, or while it was still being made.
      if (before === null) return letGo(kept)
      if (!existsSync(join(kept, appliedName))) return
      const now = this.#filesIn(uuid, await domain.xml(XmlFlags.inactive))
      for (const path of this.#filesIn(uuid, before)) if (!now.includes(path)) await rm(path, { force: true })
      await letGo(kept)
    })
  }

  revert(uuid: string, start: boolean): Promise<void> {
    const { guests } = this.#parts
    return guests.on(uuid, async (domain) => {
      await this.#back(domain)
      if (start && (await powerOf(domain)) !== PowerState.running) await guests.silently(uuid, () => restart(guests, domain))
    })
  }

  async #apply(domain: Domain, spec: GuestSpec, begun: string | null, start: boolean, signal: AbortSignal): Promise<void> {
    const { guests, define, xmlOf } = this.#parts
    const { uuid } = spec
    const kept = this.#files.keptDir(uuid)
    const host = await this.#parts.host()
    const power = await powerOf(domain)
    try {
      await guests.silently(uuid, async () => {
        await guests.stop(domain, 0)
        const before = begun ?? (await this.#keep(domain, spec, signal))
        const stored = new Map(disksOf(parseElement(before)).map((disk) => [fileOf(disk) ?? '', storedAs(disk)]))
        const disks = await this.#files.fit(spec, stored, host.access, signal)
        signal.throwIfAborted()
        const defined = await define(xmlOf(spec, disks, host))
        if (start) await defined.start()
        await writeFile(join(kept, appliedName), '', { mode: 0o600 })
      })
    } catch (error) {
      await this.#back(domain)
      await rm(kept, { recursive: true, force: true })
      if (power === PowerState.running || power === PowerState.paused) await guests.silently(uuid, () => restart(guests, domain))
      throw error
    }
  }

  /** @returns the definition that is kept. @throws {GuestError} no-resources, and the signal's reason */
  async #keep(domain: Domain, spec: GuestSpec, signal: AbortSignal): Promise<string> {
    const kept = this.#files.keptDir(spec.uuid)
    await rm(kept, { recursive: true, force: true })
    await mkdir(kept, { mode: 0o700 })
    const before = await domain.xml(XmlFlags.inactive | XmlFlags.secure)
    for (const path of this.#filesIn(spec.uuid, before)) {
      try {
        // Holes stay holes, and file systems that can share blocks do.
        await run('cp', ['--reflink=auto', '--sparse=always', '--', path, join(kept, basename(path))], { signal })
      } catch (cause) {
        if (!/no space left on device/i.test(String(cause))) throw cause
        throw new GuestError(spec.uuid, 'no-resources', `there is no room to keep the old disks of guest ${spec.uuid}`, { cause })
      }
    }
    await writeFile(join(kept, wantedName), wantedOf(spec), { mode: 0o600 })
    signal.throwIfAborted()
    await keep(kept, before)
    return before
  }

  /** To the old disks and the old definition, if there are any. */
  async #back(domain: Domain): Promise<void> {
    const { guests, define, host } = this.#parts
    const { uuid } = domain
    const kept = this.#files.keptDir(uuid)
    const before = await original(kept)
    if (before === null) return letGo(kept)
    const { access } = await host()
    await guests.silently(uuid, () => guests.stop(domain, 0))
    const old = this.#filesIn(uuid, before)
    const wanted = JSON.parse(await readFile(join(kept, wantedName), 'utf8')) as { files: string[] }
    for (const name of wanted.files) {
      const path = join(this.#files.dirOf(uuid), name)
      if (!old.includes(path)) await rm(path, { force: true })
    }
    const names = await readdir(kept)
    for (const path of old) {
      if (!names.includes(basename(path))) continue
      await rename(join(kept, basename(path)), path)
      await own(path, access)
    }
    await define(before)
    await letGo(kept)
  }

  /** A guest's own disks among those of a definition. */
  #filesIn(uuid: string, xml: string): string[] {
    const dir = this.#files.dirOf(uuid)
    return disksOf(parseElement(xml))
      .map((disk) => fileOf(disk) ?? '')
      .filter((path) => dirname(path) === dir)
  }
}

/** What tells one new size from another, and the files that it needs. */
const wantedOf = (spec: GuestSpec): string =>
  JSON.stringify({
    vcpus: spec.vcpus,
    memoryMib: spec.memoryMib,
    sizesGib: spec.disks.map((disk) => disk.sizeGib),
    files: [...spec.disks.map((disk) => disk.name), ...(spec.configDrive ? ['disk.config'] : [])],
  })

/** At once to those who look for the definition, whatever happens in between. */
async function letGo(kept: string): Promise<void> {
  await rm(join(kept, 'definition.xml'), { force: true })
  await rm(kept, { recursive: true, force: true })
}
