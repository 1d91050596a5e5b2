/**
 * Copies of a guest's root disk. Of a running guest QEMU makes them, as a backup that shows one moment and leaves the guest's disks and
 * their chain alone; of one whose disk rests, `qemu-img` does. Either way the copy is a qcow2 without backing file in the guest's directory.
 *
 * A copy that was cut off leaves at most a file, a job that ends by itself, and frozen file systems: {@link Snapshots.heal} mends all three.
 *
 * @see https://libvirt.org/formatbackup.html
 */
import { randomUUID } from 'node:crypto'
import { existsSync } from 'node:fs'
import { chmod, readdir, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { messageOf } from '../../../base/errors.ts'
import type { Log } from '../../../base/log.ts'
import { type Domain, JobStatsFlags, JobType } from '../../../node-libvirt/index.ts'
import { GuestError, type SnapshotFile, type Snapshots } from '../driver.ts'
import { childOf, childrenOf, disksOf, type Element, fileOf, parseElement, storedAs, targetOf } from './definition.ts'
import { type DiskTool, type InstanceFiles, virtualSize } from './disks.ts'
import { isLibvirt } from './errors.ts'
import type { EventWaits } from './event-waits.ts'
import type { Guests } from './guests.ts'
import { el } from './xml.ts'

/** Copying stops here: no disk of this size is meant to be snapshot. */
const copyDeadlineMs = 6 * 3_600_000
const abortDeadlineMs = 30_000
const prefix = 'snapshot-'
const frozenMark = 'frozen'

type Parts = { guests: Guests; files: InstanceFiles; waits: EventWaits; tool: DiskTool; log: Log }

export class DiskSnapshots implements Snapshots {
  readonly #parts: Parts
  /** Files that this driver has handed out, or is making. */
  readonly #own = new Set<string>()
  readonly #takes = new Map<string, Set<AbortController>>()

  constructor(parts: Parts) {
    this.#parts = parts
  }

  async take(uuid: string, signal: AbortSignal): Promise<SnapshotFile> {
    const ended = new AbortController()
    const takes = this.#takes.get(uuid) ?? new Set()
    this.#takes.set(uuid, takes.add(ended))
    const either = AbortSignal.any([signal, ended.signal])
    try {
      return await this.#parts.guests.on(uuid, (domain) => this.#take(domain, either), either)
    } finally {
      takes.delete(ended)
      if (takes.size === 0) this.#takes.delete(uuid)
    }
  }

  /** Ends what is being copied of a guest that is to be destroyed. */
  cutOff(uuid: string): void {
    for (const take of this.#takes.get(uuid) ?? []) take.abort(new GuestError(uuid, 'failed', `guest ${uuid} is being destroyed`))
  }

  /** Mends what an earlier life of minicloud left of its snapshots. */
  async heal(): Promise<void> {
    const { guests, files, log } = this.#parts
    const { uuids } = await files.all()
    for (const uuid of uuids) {
      if ((await this.#leftovers(uuid)).length === 0) continue
      await guests
        .on(uuid, (domain) => this.#mend(domain))
        .catch((error) => log.warn({ err: error, uuid }, `a snapshot that was cut off could not be mended: ${messageOf(error)}`))
    }
  }

  async #take(domain: Domain, signal: AbortSignal): Promise<SnapshotFile> {
    await this.#mend(domain)
    const file = join(this.#parts.files.dirOf(domain.uuid), `${prefix}${randomUUID()}`)
    this.#own.add(file)
    const drop = async () => {
      await rm(file, { force: true })
      this.#own.delete(file)
    }
    try {
      await this.#copy(domain, file, signal)
      await chmod(file, 0o600)
      return { file, format: 'qcow2', virtualSizeBytes: await virtualSize(file, 'qcow2'), [Symbol.asyncDispose]: drop }
    } catch (error) {
      await drop()
      throw error
    }
  }

  async #leftovers(uuid: string): Promise<string[]> {
    const dir = this.#parts.files.dirOf(uuid)
    const names = await readdir(dir).catch(() => [])
    return names
      .filter((name) => name.startsWith(prefix) || name === frozenMark)
      .map((name) => join(dir, name))
      .filter((path) => !this.#own.has(path))
  }

  async #mend(domain: Domain): Promise<void> {
    const left = await this.#leftovers(domain.uuid)
    if (await domain.isActive()) {
      if (left.some((path) => path.endsWith(frozenMark))) await domain.fsThaw().catch(() => undefined)
      await this.#abort(domain)
    }
    for (const path of left) await rm(path, { force: true })
  }

  async #copy(domain: Domain, file: string, signal: AbortSignal): Promise<void> {
    const { files, tool } = this.#parts
    const definition = parseElement(await domain.xml())
    const root = files.rootDisk(domain.uuid)
    const disk = disksOf(definition).find((each) => fileOf(each) === root)
    if (!disk || !existsSync(root)) throw new GuestError(domain.uuid, 'wrong-state', `guest ${domain.uuid} has no root disk of its own`)
    if (!(await domain.isActive())) {
      await tool.convert({ from: { path: root, format: storedAs(disk).format }, to: { path: file, format: 'qcow2' } }, { signal })
      return
    }
    await this.#quiesced(domain, definition, () => domain.backupBegin(backupXml(definition, targetOf(disk), file)))
    try {
      if (!(await this.#parts.waits.until(domain.uuid, () => idle(domain), copyDeadlineMs, signal)))
        throw new GuestError(domain.uuid, 'failed', `the disk of guest ${domain.uuid} could not be copied in time`)
    } catch (error) {
      await this.#abort(domain)
      throw error
    }
    const { type, params } = await domain.jobStats(JobStatsFlags.completed)
    if (type === JobType.completed) return
    const why = params.find((param) => param.name === 'errmsg')?.value ?? 'the copy did not end well'
    throw new GuestError(domain.uuid, 'failed', `the disk of guest ${domain.uuid} could not be copied: ${why}`)
  }

  /** With the guest's file systems at rest, if an agent is there to bring them to it. */
  async #quiesced(domain: Domain, definition: Element, work: () => Promise<void>): Promise<void> {
    if (!hasAgent(definition)) return work()
    const { files, log } = this.#parts
    const mark = join(files.dirOf(domain.uuid), frozenMark)
    this.#own.add(mark)
    try {
      await writeFile(mark, '', { mode: 0o600 })
      await domain.fsFreeze().catch((error) => log.info({ uuid: domain.uuid, err: error }, 'a guest was not frozen for its snapshot'))
      await work()
    } finally {
      await domain
        .fsThaw()
        .then(
          () => rm(mark, { force: true }),
          (error) => {
            const gone = isLibvirt(error, 'NO_DOMAIN', 'OPERATION_INVALID', 'AGENT_UNRESPONSIVE')
            if (!gone) log.error({ uuid: domain.uuid, err: error }, `a frozen guest could not be thawed: ${messageOf(error)}`)
            return gone ? rm(mark, { force: true }) : undefined
          },
        )
        .finally(() => this.#own.delete(mark))
    }
  }

  /** Ends a copy that is under way, if there is one. */
  async #abort(domain: Domain): Promise<void> {
    try {
      if (await idle(domain)) return
      await domain.abortJob()
      await this.#parts.waits.until(domain.uuid, () => idle(domain), abortDeadlineMs)
    } catch (error) {
      if (!isLibvirt(error, 'OPERATION_INVALID', 'NO_DOMAIN')) throw error
    }
  }
}

const idle = async (domain: Domain): Promise<boolean> => (await domain.jobStats()).type === JobType.none

const hasAgent = (definition: Element): boolean =>
  childrenOf(childOf(definition, 'devices'), 'channel').some((channel) => {
    const { name, state } = childOf(channel, 'target')?.attributes ?? {}
    return name === 'org.qemu.guest_agent.0' && state === 'connected'
  })

/** Of one disk into a file; the others are named, since those that are not would be copied too. */
function backupXml(definition: Element, target: string, file: string): string {
  return el(
    'domainbackup',
    { mode: 'push' },
    el(
      'disks',
      {},
      disksOf(definition).map((disk) =>
        targetOf(disk) === target
          ? el('disk', { name: target, type: 'file', backup: 'yes' }, el('target', { file }), el('driver', { type: 'qcow2' }))
          : el('disk', { name: targetOf(disk), backup: 'no' }),
      ),
    ),
  ).xml
}
