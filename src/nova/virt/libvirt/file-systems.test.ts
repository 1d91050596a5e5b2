import { existsSync } from 'node:fs'
import { mkdtemp, open, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { loadConfig } from '../../../base/config/index.ts'
import { silentLog } from '../../../base/log.ts'
import { type EphemeralConfig, ephemeralConfig } from '../config.ts'
import type { FileSystem } from '../specs.ts'
import { FileSystems } from './file-systems.ts'

const never = new AbortController().signal
const installed = (program: string) => ['/usr/sbin', '/sbin'].some((folder) => existsSync(join(folder, program)))

describe('the file system of an ephemeral disk', () => {
  let dir: string
  let path: string
  let warnings: unknown[]

  beforeEach(async () => {
    dir = await mkdtemp(join(tmpdir(), 'mc fs-'))
    path = join(dir, 'ephemeral0')
    await using file = await open(path, 'wx')
    await file.truncate(64 << 20)
    warnings = []
  })
  afterEach(() => rm(dir, { recursive: true, force: true }))

  const make = async (wish: Partial<FileSystem>, config: Partial<EphemeralConfig> = {}, signal = never) => {
    const log = { ...silentLog(), warn: (about: unknown) => warnings.push(about) }
    const fileSystems = new FileSystems({ defaultEphemeralFormat: '', virtMkfs: [], ...config }, log)
    await fileSystems.make(path, { type: null, os: null, label: 'ephemeral0', ...wish }, signal)
    return found()
  }
  /** By the signatures on the disk itself. */
  const found = async (): Promise<string> => {
    const bytes = await readFile(path)
    if (bytes.readUInt16LE(1080) === 0xef53) {
      const [compatible, incompatible] = [bytes.readUInt32LE(1116), bytes.readUInt32LE(1120)]
      const type = incompatible & 0x40 ? 'ext4' : compatible & 0x4 ? 'ext3' : 'ext2'
      return `${type} ${bytes.toString('latin1', 1144, 1160).replaceAll('\0', '')}`
    }
    for (const at of [43, 71])
      if (bytes.toString('latin1', at + 11, at + 14) === 'FAT') return `vfat ${bytes.toString('latin1', at, at + 11).trim()}`
    return bytes.equals(Buffer.alloc(bytes.length)) ? 'empty' : bytes.toString('latin1', 0, 20).replaceAll('\0', '')
  }

  it.skipIf(!installed('mkfs.ext4')).each<[Partial<FileSystem>, Partial<EphemeralConfig>, string]>([
    [{ os: 'linux' }, {}, 'ext4 ephemeral0'],
    [{ type: 'ext3' }, { defaultEphemeralFormat: 'ext2' }, 'ext3 ephemeral0'],
    [{ label: 'ephemeral1' }, { defaultEphemeralFormat: 'ext2' }, 'ext2 ephemeral1'],
    [{ os: 'linux' }, { virtMkfs: ['windows=false', 'default=mkfs.ext3 -q -F -L  %(fs_label)s %(target)s'] }, 'ext3 ephemeral0'],
  ])('of %j under %j is %s', async (wish, config, expected) => expect(await make(wish, config)).toBe(expected))

  it.skipIf(!installed('mkfs.vfat'))('is one that every system can read where nobody knows better', async () => {
    expect(await make({})).toMatch(/^vfat ephemeral0$/i)
  })

  it('is made by the command of its system, whose words no shell reads', async () => {
    const virtMkfs = ['other=false', 'bsd=dd if=/proc/self/cmdline of=%(target)s conv=notrunc status=none', 'default=false']
    expect(await make({ os: 'bsd' }, { virtMkfs })).toMatch(/^ddif=/)
    await expect(make({ os: 'linux' }, { virtMkfs })).rejects.toThrow('Command failed')
  })

  it('is refused when nobody here can make it, and when it is called off', async () => {
    for (const type of ['btrfs', 'constructor', '-x'])
      await expect(make({ type })).rejects.toThrow(`Block Device Mapping is Invalid: ${type} format is not supported`)
    await expect(make({ type: 'ext4' }, {}, AbortSignal.abort(new Error('enough')))).rejects.toThrow()
    expect(await found()).toBe('empty')
  })

  it.skipIf(installed('mkfs.ntfs'))('is none where its program is missing and nobody named it; who names it is told', async () => {
    expect(await make({ os: 'windows' })).toBe('empty')
    expect(warnings).toHaveLength(1)
    await expect(make({ type: 'ntfs' })).rejects.toThrow('mkfs.ntfs is not installed (Debian package ntfs-3g)')
    await expect(make({}, { defaultEphemeralFormat: 'ntfs' })).rejects.toThrow('ntfs-3g')
  })

  it('is configured as in nova.conf', () => {
    const load = (virtMkfs: string) => loadConfig([ephemeralConfig], { flags: { 'DEFAULT.virt_mkfs': virtMkfs } }).get(ephemeralConfig)
    expect(load('linux=mkfs.ext4 %(target)s').virtMkfs).toEqual(['linux=mkfs.ext4 %(target)s'])
    for (const wrong of ['mkfs.ext4', 'linux=', '=mkfs']) expect(() => load(wrong)).toThrow('expected os_type=command')
  })
})
