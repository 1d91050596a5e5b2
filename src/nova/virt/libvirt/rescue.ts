/**
 * Rescue: the guest boots another disk and finds its own as the second one. All of it lies in a directory beside the guest's disks, with
 * the definition to return to; that file is written before the guest is touched and goes last, so each step may be repeated.
 */
import { readFile, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type Domain, XmlFlags } from '../../../node-libvirt/index.ts'
import { GuestError, PowerState, type Rescue } from '../driver.ts'
import type { DiskSpec, RescueSpec } from '../specs.ts'
import { disksOf, fileOf, parseElement } from './definition.ts'
import { definitionName, type InstanceFiles } from './disks.ts'
import type { Guests } from './guests.ts'
import type { Host } from './host.ts'
import { powerOf } from './power.ts'
import { rescueXml } from './rescue-xml.ts'

export type DefiningParts = {
  guests: Guests
  files: InstanceFiles
  host(): Promise<Host>
  define(xml: string): Promise<Domain>
  discard: 'ignore' | 'unmap'
}

export class GuestRescue implements Rescue {
  readonly #parts: DefiningParts

  constructor(parts: DefiningParts) {
    this.#parts = parts
  }

  enter(uuid: string, spec: RescueSpec, signal: AbortSignal): Promise<void> {
    const { guests, files } = this.#parts
    const dir = files.rescueDir(uuid)
    return guests.on(
      uuid,
      async (domain) => {
        const begun = await original(dir)
        const now = await domain.xml(XmlFlags.inactive | XmlFlags.secure)
        if (begun !== null && bootsFrom(now, dir)) {
          if ((await powerOf(domain)) !== PowerState.running) await guests.silently(uuid, () => restart(guests, domain))
          return
        }
        await this.#enter(domain, spec, begun ?? now, signal)
      },
      signal,
    )
  }

  leave(uuid: string): Promise<void> {
    const { guests, files, define } = this.#parts
    const dir = files.rescueDir(uuid)
    return guests.on(uuid, async (domain) => {
      const before = await original(dir)
      // Cut off while it was removed, or while it was still being made.
      if (before === null) return rm(dir, { recursive: true, force: true })
      await guests.silently(uuid, async () => {
        if (bootsFrom(await domain.xml(XmlFlags.inactive), dir)) {
          await guests.stop(domain, 0)
          await define(before)
        }
        if ((await powerOf(domain)) !== PowerState.running) await restart(guests, domain)
      })
      await rm(dir, { recursive: true, force: true })
    })
  }

  async #enter(domain: Domain, spec: RescueSpec, before: string, signal: AbortSignal): Promise<void> {
    const { guests, files, define, host, discard } = this.#parts
    const { uuid } = domain
    const dir = files.rescueDir(uuid)
    if (!disksOf(parseElement(before)).some((disk) => fileOf(disk) === files.rootDisk(uuid)))
      throw new GuestError(uuid, 'wrong-state', `guest ${uuid} has no root disk of its own`)
    const { access, cacheMode } = await host()
    const ran = (await powerOf(domain)) === PowerState.running
    let stopped = false
    try {
      const plan = { disks: [rescueDisk(spec)], configDrive: spec.configDrive, kernel: spec.kernel }
      const [root, configDrive = null] = await files.makeIn(dir, plan, access, signal)
      if (!root) throw new Error('no rescue disk was made')
      const xml = rescueXml(before, {
        root,
        configDrive,
        kernel: spec.kernel,
        device: spec.device,
        guestRoot: files.rootDisk(uuid),
        guestConfigDrive: files.configDrive(uuid),
        settings: { cacheMode, discard, keepBaseOwner: access !== null },
      })
      signal.throwIfAborted()
      await keep(dir, before)
      await guests.silently(uuid, async () => {
        await guests.stop(domain, 0)
        stopped = true
        const defined = await define(xml)
        await defined.start()
      })
    } catch (error) {
      if (stopped) {
        await guests.silently(uuid, async () => {
          await guests.stop(domain, 0)
          await define(before)
          if (ran) await domain.start()
        })
      }
      await rm(dir, { recursive: true, force: true })
      throw error
    }
  }
}

/** From the definition at hand, whatever process of an older one still stands. */
export async function restart(guests: Guests, domain: Domain): Promise<void> {
  await guests.stop(domain, 0)
  await domain.start()
}

/** Whole or not at all. */
export async function keep(dir: string, definition: string): Promise<void> {
  const path = join(dir, definitionName)
  await writeFile(`${path}.new`, definition, { mode: 0o600 })
  await rename(`${path}.new`, path)
}

/** The definition that is kept in a directory, or null. */
export async function original(dir: string): Promise<string | null> {
  return readFile(join(dir, definitionName), 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return null
    throw error
  })
}

const bootsFrom = (xml: string, dir: string): boolean =>
  disksOf(parseElement(xml)).some((disk) => childBoots(disk) && (fileOf(disk) ?? '').startsWith(join(dir, '/')))

const childBoots = (disk: ReturnType<typeof disksOf>[number]): boolean =>
  disk.children.some((child) => typeof child !== 'string' && child.tag === 'boot')

/** Its target and bus are chosen beside the guest's own disks. */
const rescueDisk = (spec: RescueSpec): DiskSpec => ({
  name: 'root',
  device: 'vda',
  bus: spec.device?.bus ?? 'virtio',
  kind: spec.device?.kind ?? 'disk',
  source: { kind: 'image', ...spec.root },
  sizeGib: 0,
  bootIndex: 0,
  serial: null,
})
