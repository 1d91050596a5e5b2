/**
 * A guest's files: one directory below `instancesDir` by its uuid, with overlays of base images, empty disks, the config drive, the
 * firmware's variables and the serial log. Sizes are GiB in specs and bytes here.
 */
import { chmod, mkdir, open, readdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { DiskSpec, GuestSpec } from '../driver.ts'
import { checkedUuid } from '../text.ts'
import type { Access } from './access.ts'
import { makeConfigDrive } from './config-drive.ts'
import type { DiskFile } from './domain-xml.ts'

type Format = 'raw' | 'qcow2'

/** What disks need of `qemu-img`; `image`'s front door has it. */
export type DiskTool = {
  createOverlay(
    overlay: { path: string; backing: { path: string; format: Format }; sizeBytes?: number },
    options?: { signal?: AbortSignal },
  ): Promise<void>
}

const gib = 1024 ** 3
const nameForm = /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/

export class InstanceFiles {
  readonly #dir: string
  readonly #tool: DiskTool

  constructor(instancesDir: string, tool: DiskTool) {
    this.#dir = instancesDir
    this.#tool = tool
  }

  dirOf(uuid: string): string {
    return join(this.#dir, checkedUuid(uuid))
  }

  serialLog(uuid: string): string {
    return join(this.dirOf(uuid), 'console.log')
  }

  nvram(uuid: string): string {
    return join(this.dirOf(uuid), 'nvram.fd')
  }

  /**
   * Makes all disks of a guest; what an earlier try left is replaced.
   * @throws when a tool fails, `signal` aborts, or QEMU cannot reach a file
   */
  async make(spec: GuestSpec, access: Access | null, signal: AbortSignal): Promise<DiskFile[]> {
    const dir = this.dirOf(spec.uuid)
    await rm(dir, { recursive: true, force: true })
    await mkdir(dir, { recursive: true, mode: 0o700 })
    const made = await Promise.allSettled([
      ...spec.disks.map((disk) => this.#makeDisk(disk, dir, access, signal)),
      ...(spec.configDrive ? [this.#makeDrive(spec, dir, access, signal)] : []),
    ])
    const failed = made.find((each) => each.status === 'rejected')
    if (failed) throw failed.reason
    const shared = [spec.kernel?.file, spec.kernel?.initrd].filter((file) => typeof file === 'string')
    for (const file of shared) await reachable(access, file)
    if (access) refuse(await access.way(join(dir, 'root')))
    return made.flatMap((each) => (each.status === 'fulfilled' ? [each.value] : []))
  }

  async #makeDisk(disk: DiskSpec, dir: string, access: Access | null, signal: AbortSignal): Promise<DiskFile> {
    if (!nameForm.test(disk.name) || disk.name === 'console.log') throw new TypeError(`not a disk's name: ${disk.name}`)
    const path = join(dir, disk.name)
    const { source } = disk
    if (source.kind === 'blank') {
      await using file = await open(path, 'wx', 0o600)
      await file.truncate(disk.sizeGib * gib)
      if (disk.name === 'swap') await file.write(swapHeader(disk.sizeGib * gib), 0, 4096, 0)
      await access?.give(path, 0o600)
      return { spec: disk, path, format: 'raw', backing: null, readonly: disk.kind === 'cdrom', shared: false }
    }
    const base = { path: source.file, format: source.format }
    await reachable(access, base.path)
    if (disk.kind === 'cdrom') return { spec: disk, path: base.path, format: base.format, backing: null, readonly: true, shared: true }
    const sizeBytes = Math.max(disk.sizeGib * gib, await virtualSize(base.path, base.format))
    await this.#tool.createOverlay({ path, backing: base, sizeBytes }, { signal })
    if (access) await access.give(path, 0o600)
    else await chmod(path, 0o600)
    return { spec: disk, path, format: 'qcow2', backing: base, readonly: false, shared: false }
  }

  async #makeDrive(spec: GuestSpec, dir: string, access: Access | null, signal: AbortSignal): Promise<DiskFile> {
    const path = join(dir, 'disk.config')
    if (spec.configDrive) await makeConfigDrive(spec.configDrive, path, join(dir, 'config.new'), signal)
    if (access) await access.give(path, 0o600)
    else await chmod(path, 0o600)
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

function refuse(problems: { what: string; remedy: string }[]): void {
  const first = problems[0]
  if (first) throw new Error(`${first.what}; ${first.remedy}`)
}

async function reachable(access: Access | null, file: string): Promise<void> {
  if (access) refuse(await access.read(file))
}

/** From our record of the format, never by probing. */
async function virtualSize(path: string, format: Format): Promise<number> {
  await using file = await open(path, 'r')
  if (format === 'raw') return (await file.stat()).size
  const { buffer } = await file.read(Buffer.alloc(32), 0, 32, 0)
  if (buffer.toString('latin1', 0, 4) !== 'QFI\u00fb') throw new Error(`${path} is no qcow2 image`)
  return Number(buffer.readBigUInt64BE(24))
}

/**
 * The first page of a swap area, as mkswap(8) writes it.
 * @see https://man7.org/linux/man-pages/man8/mkswap.8.html
 */
function swapHeader(bytes: number): Buffer {
  const page = Buffer.alloc(4096)
  page.writeUInt32LE(1, 1024)
  page.writeUInt32LE(Math.min(Math.floor(bytes / 4096) - 1, 0xffffffff), 1028)
  page.write('SWAPSPACE2', 4086, 'latin1')
  return page
}
