/**
 * The only place that runs `qemu-img`. Every format is named, never probed; a guest's disk and an inspected upload may be given to it,
 * bytes of unknown format may not (`inspect/` comes first). Each call has limits of memory and CPU time, a deadline, and can be called off.
 *
 * @see https://www.qemu.org/docs/master/tools/qemu-img.html
 */
import { isAbsolute } from 'node:path'
import { runTool, ToolFailed } from './run-tool.ts'

export type DiskFormat = 'raw' | 'qcow2' | 'qed' | 'vmdk' | 'vdi' | 'vpc' | 'vhdx'
export type DiskFile = { path: string; format: DiskFormat }
export type QemuImgOptions = { deadlineMs?: number; signal?: AbortSignal }
export type DiskInfo = {
  format: DiskFormat
  virtualSizeBytes: number
  /** Bytes that the file occupies on its file system. */
  actualSizeBytes: number
  backingFile: string | null
  backingFormat: string | null
}

/** Not possible as asked, or `qemu-img` could not do it. `reason` `missing` means that it is not installed. */
export class QemuImgFailed extends Error {
  readonly reason: 'invalid' | ToolFailed['reason']
  constructor(reason: QemuImgFailed['reason'], message: string, options?: ErrorOptions) {
    super(message, options)
    this.name = 'QemuImgFailed'
    this.reason = reason
  }
}

const formats: ReadonlySet<string> = new Set(['raw', 'qcow2', 'qed', 'vmdk', 'vdi', 'vpc', 'vhdx'])
const quick = { deadlineMs: 30_000, addressSpaceBytes: 1 << 30, cpuSeconds: 30 }
const copying = { deadlineMs: 3_600_000, addressSpaceBytes: 4 * 1024 ** 3, cpuSeconds: 3600 }

/** A new empty disk. @throws {QemuImgFailed} */
export async function createDisk(disk: DiskFile & { sizeBytes: number }, options: QemuImgOptions = {}): Promise<void> {
  await qemuImg(['create', '-q', '-f', checked(disk).format, '--', disk.path, size(disk.sizeBytes)], quick, options)
}

/** A qcow2 on top of another disk, as large as that unless `sizeBytes` says more. @throws {QemuImgFailed} */
export async function createOverlay(
  overlay: { path: string; backing: DiskFile; sizeBytes?: number },
  options: QemuImgOptions = {},
): Promise<void> {
  const backing = checked(overlay.backing)
  checked({ path: overlay.path, format: 'qcow2' })
  const sizes = overlay.sizeBytes === undefined ? [] : [size(overlay.sizeBytes)]
  await qemuImg(['create', '-q', '-f', 'qcow2', '-F', backing.format, '-b', backing.path, '--', overlay.path, ...sizes], quick, options)
}

/** A copy with no backing file, sparse where the source reads as zeroes. `compress` is for qcow2 only. @throws {QemuImgFailed} */
export async function convert(copy: { from: DiskFile; to: DiskFile; compress?: boolean }, options: QemuImgOptions = {}): Promise<void> {
  const from = checked(copy.from)
  const to = checked(copy.to)
  if (copy.compress && to.format !== 'qcow2') throw new QemuImgFailed('invalid', `a ${to.format} disk cannot be compressed`)
  const flags = copy.compress ? ['-c'] : []
  await qemuImg(['convert', '-q', ...flags, '-f', from.format, '-O', to.format, '--', from.path, to.path], copying, options)
}

/** Grows a disk; a smaller size is refused by `qemu-img` itself. @throws {QemuImgFailed} */
export async function resize(disk: DiskFile & { sizeBytes: number }, options: QemuImgOptions = {}): Promise<void> {
  await qemuImg(['resize', '-q', '-f', checked(disk).format, '--', disk.path, size(disk.sizeBytes)], quick, options)
}

/** Works on a disk in use too; says what the header says, of this file alone. @throws {QemuImgFailed} */
export async function info(disk: DiskFile, options: QemuImgOptions = {}): Promise<DiskInfo> {
  const out = await qemuImg(['info', '--force-share', '--output=json', '-f', checked(disk).format, '--', disk.path], quick, options)
  const said = JSON.parse(out.toString('utf8')) as Record<string, unknown>
  const text = (key: string) => (typeof said[key] === 'string' ? (said[key] as string) : null)
  return {
    format: disk.format,
    virtualSizeBytes: Number(said['virtual-size']),
    actualSizeBytes: Number(said['actual-size']),
    backingFile: text('backing-filename'),
    backingFormat: text('backing-filename-format'),
  }
}

async function qemuImg(args: string[], bounds: typeof quick, options: QemuImgOptions): Promise<Buffer> {
  try {
    return await runTool('qemu-img', args, {
      deadlineMs: options.deadlineMs ?? bounds.deadlineMs,
      limits: bounds,
      ...(options.signal ? { signal: options.signal } : {}),
    })
  } catch (cause) {
    if (!(cause instanceof ToolFailed)) throw cause
    const remedy = cause.reason === 'missing' ? ' (Debian package qemu-utils)' : ''
    throw new QemuImgFailed(cause.reason, `${cause.message}${remedy}`, { cause })
  }
}

/** A name that is no absolute path could be taken for a protocol (`nbd:`, `json:`). */
function checked(disk: DiskFile): DiskFile {
  if (!isAbsolute(disk.path) || disk.path.includes('\0')) throw new QemuImgFailed('invalid', 'a disk is named by an absolute path')
  if (!formats.has(disk.format)) throw new QemuImgFailed('invalid', `no such disk format: ${disk.format}`)
  return disk
}

function size(bytes: number): string {
  if (!Number.isSafeInteger(bytes) || bytes < 0) throw new QemuImgFailed('invalid', `not a disk size: ${bytes}`)
  return String(bytes)
}
