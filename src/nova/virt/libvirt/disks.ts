/**
 * A guest's files: one directory below `instancesDir` by its uuid, with overlays of base images, empty disks, the config drive, the
 * firmware's variables and the serial log. Sizes are GiB in specs and bytes here.
 */
import { randomUUID } from 'node:crypto'
import { existsSync } from 'node:fs'
import { chmod, mkdir, open, readdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { ConfigDrive, DiskSpec, GuestSpec } from '../specs.ts'
import { checkedUuid } from '../text.ts'
import type { Access } from './access.ts'
import { makeConfigDrive } from './config-drive.ts'
import type { DiskFile } from './domain-xml.ts'
import type { FileSystems } from './file-systems.ts'

type Format = 'raw' | 'qcow2'

/** In a directory of its own beside the disks: what the guest was defined as before. Its being there says that all of that is kept. */
export const definitionName = 'definition.xml'

/** What disks need of `qemu-img`; `image`'s front door has it. Formats are always named, never probed. */
export type DiskTool = {
  createOverlay(
    overlay: { path: string; backing: { path: string; format: Format }; sizeBytes?: number },
    options?: { signal?: AbortSignal },
  ): Promise<void>
  /** A copy without backing file. */
  convert(
    copy: { from: { path: string; format: Format }; to: { path: string; format: Format } },
    options?: { signal?: AbortSignal },
  ): Promise<void>
  resize(disk: { path: string; format: Format; sizeBytes: number }, options?: { signal?: AbortSignal }): Promise<void>
}

/** The disks of a guest, or of its rescue. */
export type DiskPlan = {
  readonly disks: readonly DiskSpec[]
  readonly configDrive: ConfigDrive | null
  readonly kernel: GuestSpec['kernel']
}

const gib = 1024 ** 3
const nameForm = /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/
const configName = 'disk.config'
/** Names that are not for disks. */
const taken: readonly string[] = [
  'domain.xml',
  'domain.xml.new',
  'console.log',
  'nvram.fd',
  configName,
  'frozen',
  'rescue',
  'before-resize',
]

export class InstanceFiles {
  readonly #dir: string
  readonly #tool: DiskTool
  readonly #fileSystems: FileSystems

  constructor(instancesDir: string, tool: DiskTool, fileSystems: FileSystems) {
    this.#dir = instancesDir
    this.#tool = tool
    this.#fileSystems = fileSystems
  }

  dirOf(uuid: string): string {
    return join(this.#dir, checkedUuid(uuid))
  }

  serialLog(uuid: string): string {
    return join(this.dirOf(uuid), 'console.log')
  }

  /** A copy of what libvirt knows of the guest. */
  definition(uuid: string): string {
    return join(this.dirOf(uuid), 'domain.xml')
  }

  nvram(uuid: string): string {
    return join(this.dirOf(uuid), 'nvram.fd')
  }

  rootDisk(uuid: string): string {
    return join(this.dirOf(uuid), 'root')
  }

  configDrive(uuid: string): string {
    return join(this.dirOf(uuid), configName)
  }

  /** What a guest in rescue runs from, and its definition from before. */
  rescueDir(uuid: string): string {
    return join(this.dirOf(uuid), 'rescue')
  }

  /** A resized guest's old disks and definition, until the new size is confirmed. */
  keptDir(uuid: string): string {
    return join(this.dirOf(uuid), 'before-resize')
  }

  /** What has yet to end before the guest's definition is its own again, or null. */
  pending(uuid: string): string | null {
    if (existsSync(join(this.rescueDir(uuid), definitionName))) return 'in rescue'
    return existsSync(join(this.keptDir(uuid), definitionName)) ? 'resized and not confirmed' : null
  }

  /**
   * Makes all disks of a guest; what an earlier try left is replaced.
   * @throws when a tool fails, `signal` aborts, or QEMU cannot reach a file
   */
  async make(spec: GuestSpec, access: Access | null, signal: AbortSignal): Promise<DiskFile[]> {
    return this.makeIn(this.dirOf(spec.uuid), spec, access, signal)
  }

  /** The same in any directory, which is emptied first. */
  async makeIn(dir: string, plan: DiskPlan, access: Access | null, signal: AbortSignal): Promise<DiskFile[]> {
    await rm(dir, { recursive: true, force: true })
    await mkdir(dir, { recursive: true, mode: 0o700 })
    return this.#all(dir, plan, access, (disk) => this.#makeDisk(disk, dir, access, signal), signal)
  }

  /**
   * Fits the guest's disks to a new size: those that are there grow, others are made; a swap area begins anew. None shrinks.
   * @param stored what a disk that is there is stored as, by its path
   * @throws as {@link make} does
   */
  async fit(
    spec: GuestSpec,
    stored: ReadonlyMap<string, Pick<DiskFile, 'format' | 'backing'>>,
    access: Access | null,
    signal: AbortSignal,
  ): Promise<DiskFile[]> {
    const dir = this.dirOf(spec.uuid)
    const fitOne = async (disk: DiskSpec): Promise<DiskFile> => {
      const path = join(dir, disk.name)
      const as = stored.get(path)
      if (!as || disk.name === 'swap' || disk.kind === 'cdrom') {
        await rm(path, { force: true })
        return this.#makeDisk(disk, dir, access, signal)
      }
      const sizeBytes = disk.sizeGib * gib
      if ((await virtualSize(path, as.format)) < sizeBytes) await this.#tool.resize({ path, format: as.format, sizeBytes }, { signal })
      await own(path, access)
      return { spec: disk, path, ...as, readonly: false, shared: false }
    }
    await rm(join(dir, configName), { force: true })
    return this.#all(dir, spec, access, fitOne, signal)
  }

  async #all(dir: string, plan: DiskPlan, access: Access | null, make: (disk: DiskSpec) => Promise<DiskFile>, signal: AbortSignal) {
    const made = await Promise.allSettled([
      ...plan.disks.map(make),
      ...(plan.configDrive ? [this.#makeDrive(plan.configDrive, dir, access, signal)] : []),
    ])
    const failed = made.find((each) => each.status === 'rejected')
    if (failed) throw failed.reason
    const shared = [plan.kernel?.file, plan.kernel?.initrd].filter((file) => typeof file === 'string')
    for (const file of shared) await reachable(access, file)
    if (access) refuse(await access.way(join(dir, 'root')))
    return made.flatMap((each) => (each.status === 'fulfilled' ? [each.value] : []))
  }

  async #makeDisk(disk: DiskSpec, dir: string, access: Access | null, signal: AbortSignal): Promise<DiskFile> {
    if (!nameForm.test(disk.name) || taken.includes(disk.name)) throw new TypeError(`not a disk's name: ${disk.name}`)
    const path = join(dir, disk.name)
    const { source } = disk
    if (source.kind === 'blank') {
      await makeEmpty(path, disk)
      if (source.fileSystem) await this.#fileSystems.make(path, source.fileSystem, signal)
      await access?.give(path, 0o600)
      return { spec: disk, path, format: 'raw', backing: null, readonly: disk.kind === 'cdrom', shared: false }
    }
    const base = { path: source.file, format: source.format }
    await reachable(access, base.path)
    if (disk.kind === 'cdrom') return { spec: disk, path: base.path, format: base.format, backing: null, readonly: true, shared: true }
    const sizeBytes = Math.max(disk.sizeGib * gib, await virtualSize(base.path, base.format))
    await this.#tool.createOverlay({ path, backing: base, sizeBytes }, { signal })
    await own(path, access)
    return { spec: disk, path, format: 'qcow2', backing: base, readonly: false, shared: false }
  }

  async #makeDrive(drive: ConfigDrive, dir: string, access: Access | null, signal: AbortSignal): Promise<DiskFile> {
    const path = join(dir, configName)
    await makeConfigDrive(drive, path, join(dir, 'config.new'), signal)
    await own(path, access)
    // Far from the letters that volumes get.
    return {
      spec: { device: 'vdz', bus: 'virtio', kind: 'disk', bootIndex: null, serial: 'config-2' },
      path,
      format: 'raw',
      backing: null,
      readonly: true,
      shared: false,
    }
  }

  async remove(uuid: string): Promise<void> {
    await rm(this.dirOf(uuid), { recursive: true, force: true })
  }

  /** The guests that have a directory, and all files in it. */
  async all(): Promise<{ uuids: string[]; files: string[] }> {
    const uuids = await readdir(this.#dir).catch(() => [])
    const files = await Promise.all(
      uuids.map(async (uuid) => (await readdir(join(this.#dir, uuid)).catch(() => [])).map((name) => join(this.#dir, uuid, name))),
    )
    return { uuids, files: [...uuids.map((uuid) => join(this.#dir, uuid)), ...files.flat()] }
  }
}

/** All of it is a hole; a swap area has its header. */
async function makeEmpty(path: string, { name, sizeGib }: DiskSpec): Promise<void> {
  await using file = await open(path, 'wx', 0o600)
  await file.truncate(sizeGib * gib)
  if (name === 'swap') await file.write(swapHeader(sizeGib * gib), 0, 4096, 0)
}

function refuse(problems: { what: string; remedy: string }[]): void {
  const first = problems[0]
  if (first) throw new Error(`${first.what}; ${first.remedy}`)
}

async function reachable(access: Access | null, file: string): Promise<void> {
  if (access) refuse(await access.read(file))
}

/** Nobody reads a guest's disk but QEMU. */
export async function own(path: string, access: Access | null): Promise<void> {
  if (access) await access.give(path, 0o600)
  else await chmod(path, 0o600)
}

/** Bytes that the guest sees. From our record of the format, never by probing. */
export async function virtualSize(path: string, format: Format): Promise<number> {
  await using file = await open(path, 'r')
  if (format === 'raw') return (await file.stat()).size
  const { buffer } = await file.read(Buffer.alloc(32), 0, 32, 0)
  if (buffer.toString('latin1', 0, 4) !== 'QFI\u00fb') throw new Error(`${path} is no qcow2 image`)
  return Number(buffer.readBigUInt64BE(24))
}

/**
 * The first page of a swap area, as mkswap(8) writes it: version, last page, UUID, label.
 * @see https://man7.org/linux/man-pages/man8/mkswap.8.html
 */
function swapHeader(bytes: number): Buffer {
  const page = Buffer.alloc(4096)
  page.writeUInt32LE(1, 1024)
  page.writeUInt32LE(Math.min(Math.floor(bytes / 4096) - 1, 0xffffffff), 1028)
  page.write(randomUUID().replaceAll('-', ''), 1036, 'hex')
  page.write('swap', 1052, 'latin1')
  page.write('SWAPSPACE2', 4086, 'latin1')
  return page
}
