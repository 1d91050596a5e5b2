/**
 * The config drive: a small disk labelled `config-2` with the metadata's files. A virtio disk in either format, since cloud kernels have
 * no driver for SATA drives.
 *
 * @see https://docs.openstack.org/nova/latest/user/metadata.html#config-drives
 */
import { execFile } from 'node:child_process'
import { mkdir, open, rm, writeFile } from 'node:fs/promises'
import { dirname, join, normalize, sep } from 'node:path'
import { promisify } from 'node:util'
import type { ConfigDrive } from '../specs.ts'

const run = promisify(execFile)
const vfatBytes = 64 << 20
const deadlineMs = 30_000
const systemPath = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'

/**
 * @param folder removed afterwards; must not exist
 * @throws when a tool is missing or fails, or a file's path leads out of the drive
 */
export async function makeConfigDrive(drive: ConfigDrive, path: string, folder: string, signal: AbortSignal): Promise<void> {
  try {
    await mkdir(folder, { mode: 0o700 })
    for (const file of drive.files) {
      const inside = normalize(file.path)
      if (inside.startsWith(sep) || inside === '..' || inside.startsWith(`..${sep}`)) throw new TypeError('a file outside the config drive')
      await mkdir(dirname(join(folder, inside)), { recursive: true })
      await writeFile(join(folder, inside), file.data)
    }
    const options = { timeout: deadlineMs, signal, env: { PATH: systemPath, LC_ALL: 'C' } }
    if (drive.format === 'iso9660') {
      await run('xorriso', ['-as', 'mkisofs', '-quiet', '-o', path, '-V', 'config-2', '-J', '-r', folder], options)
      return
    }
    await using image = await open(path, 'wx', 0o600)
    await image.truncate(vfatBytes)
    await run('mformat', ['-i', path, '-T', String(vfatBytes / 512), '-h', '64', '-s', '32', '-v', 'config-2', '::'], options)
    const tops = [...new Set(drive.files.map((file) => normalize(file.path).split(sep)[0] ?? ''))]
    if (tops.length > 0) await run('mcopy', ['-i', path, '-s', ...tops.map((top) => join(folder, top)), '::/'], options)
  } catch (error) {
    const missing = (error as NodeJS.ErrnoException).code === 'ENOENT' && (error as NodeJS.ErrnoException).syscall?.startsWith('spawn')
    if (missing)
      throw new Error(`a config drive needs ${drive.format === 'vfat' ? 'mtools' : 'xorriso'}, which is not installed`, { cause: error })
    throw error
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}
