/**
 * File systems on ephemeral disks, made by the programs that the host has for them: always on a file that was made a moment ago, in a
 * directory that is closed to guests and people.
 *
 * @see https://docs.openstack.org/nova/latest/configuration/config.html#DEFAULT.default_ephemeral_format
 */
import { execFile } from 'node:child_process'
import { access, constants } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { messageOf } from '../../../base/errors.ts'
import type { Log } from '../../../base/log.ts'
import type { EphemeralConfig } from '../config.ts'
import type { FileSystem } from '../specs.ts'
import type { Problem } from './access.ts'

const run = promisify(execFile)
const deadlineMs = 120_000
const systemPath = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'

type Formatter = { readonly program: string; readonly options: readonly string[]; readonly debianPackage: string }

/** What comes before the label. */
const ext = (type: string): Formatter => ({ program: `mkfs.${type}`, options: ['-q', '-F', '-L'], debianPackage: 'e2fsprogs' })
const formatters: Readonly<Record<string, Formatter>> = {
  ext2: ext('ext2'),
  ext3: ext('ext3'),
  ext4: ext('ext4'),
  xfs: { program: 'mkfs.xfs', options: ['-q', '-f', '-L'], debianPackage: 'xfsprogs' },
  vfat: { program: 'mkfs.vfat', options: ['-n'], debianPackage: 'dosfstools' },
  ntfs: { program: 'mkfs.ntfs', options: ['-q', '-Q', '-F', '-L'], debianPackage: 'ntfs-3g' },
}

/** Nova's choice where nobody says anything. */
const typeFor = (os: string | null): string => (os === 'linux' ? 'ext4' : os === 'windows' ? 'ntfs' : 'vfat')

export class FileSystems {
  readonly #config: EphemeralConfig
  readonly #log: Log

  constructor(config: EphemeralConfig, log: Log) {
    this.#config = config
    this.#log = log
  }

  /**
   * What somebody named is made, or nothing is; where it is the host's choice and its program is not installed, the file stays empty.
   * @throws when there is no such format here, its program fails, or `signal` aborts
   */
  async make(path: string, { type: named, os, label }: FileSystem, signal: AbortSignal): Promise<void> {
    const options = { timeout: deadlineMs, signal, env: { PATH: systemPath, LC_ALL: 'C' } }
    const own = this.#commandFor(os)
    if (own) {
      const [program = '', ...args] = own.map((word) => word.replaceAll('%(fs_label)s', label).replaceAll('%(target)s', path))
      await run(program, args, options)
      return
    }
    const wanted = named ?? (this.#config.defaultEphemeralFormat || null)
    const type = wanted ?? typeFor(os)
    const formatter = Object.hasOwn(formatters, type) ? formatters[type] : undefined
    if (!formatter) throw new Error(`Block Device Mapping is Invalid: ${type} format is not supported`)
    try {
      await run(formatter.program, [...formatter.options, label, path], options)
    } catch (error) {
      if (!isMissing(error)) throw error
      const what = `${formatter.program} is not installed (Debian package ${formatter.debianPackage})`
      if (wanted !== null) throw new Error(`an ephemeral disk cannot be formatted: ${what}`, { cause: error })
      this.#log.warn({ path, type }, `an ephemeral disk stays empty: ${what}`)
    }
  }

  #commandFor(os: string | null): readonly string[] | null {
    const commands = new Map(
      this.#config.virtMkfs.map((entry) => [entry.slice(0, entry.indexOf('=')), entry.slice(entry.indexOf('=') + 1)] as const),
    )
    const command = (os === null ? undefined : commands.get(os)) ?? commands.get('default')
    return command ? command.trim().split(/\s+/) : null
  }
}

/** Of the programs that guests need who ask for nothing special. */
export async function missingFormatters(): Promise<Problem[]> {
  const isThere = async (program: string): Promise<boolean> => {
    const tries = systemPath.split(':').map((folder) => access(join(folder, program), constants.X_OK))
    return (await Promise.allSettled(tries)).some(({ status }) => status === 'fulfilled')
  }
  const missing = await Promise.all(
    [formatters.ext4, formatters.vfat].map(async (each) => (each && !(await isThere(each.program)) ? [each] : [])),
  )
  return missing.flat().map(({ program, debianPackage }) => ({
    what: `${program} is not installed: ephemeral disks stay empty`,
    remedy: `apt-get install ${debianPackage}`,
  }))
}

const isMissing = (error: unknown): boolean => (error as NodeJS.ErrnoException).code === 'ENOENT' && /spawn/.test(messageOf(error))
