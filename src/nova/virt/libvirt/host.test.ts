import { existsSync } from 'node:fs'
import { chmod, chown, mkdir, mkdtemp, readFile, rm, stat, truncate, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { Access } from './access.ts'
import { makeConfigDrive } from './config-drive.ts'
import { readCapabilities } from './host-facts.ts'
import { probeKvm, runProbeGuest } from './kvm-probe.ts'
import { capSerialLog, readSerialLog } from './serial-log.ts'

let dir: string
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'mc-host-'))
})
afterEach(() => rm(dir, { recursive: true, force: true }))

describe('capabilities', () => {
  test("tell the host's processor, what it can run, and as whom", () => {
    const facts = readCapabilities(`<capabilities><host><cpu><arch>x86_64</arch><model>Haswell</model><vendor>Intel</vendor>
      <topology sockets='2' dies='1' cores='4' threads='2'/><feature name='vmx'/><feature name='pcid'/></cpu>
      <topology><cells num='2'><cell id='0'/></cells></topology>
      <secmodel><model>apparmor</model><doi>0</doi></secmodel>
      <secmodel><model>dac</model><doi>0</doi><baselabel type='kvm'>+64055:+107</baselabel><baselabel type='qemu'>+64055:+107</baselabel></secmodel></host>
      <guest><os_type>hvm</os_type><arch name='i686'><emulator>/a</emulator><domain type='qemu'/></arch></guest>
      <guest><os_type>hvm</os_type><arch name='x86_64'><emulator>/b</emulator><domain type='qemu'/><domain type='kvm'/></arch></guest></capabilities>`)
    expect(facts).toEqual({
      arch: 'x86_64',
      domainTypes: ['qemu', 'kvm'],
      emulator: '/b',
      cpu: { model: 'Haswell', vendor: 'Intel', features: ['vmx', 'pcid'], topology: { cells: 2, sockets: 2, cores: 4, threads: 2 } },
      runsAs: { uid: 64055, gid: 107 },
    })
  })

  test('may tell hardly anything', () => {
    const facts = readCapabilities('<capabilities><host/></capabilities>')
    expect(facts).toMatchObject({ domainTypes: [], emulator: null, runsAs: null })
  })
})

describe.skipIf(process.getuid?.() !== 0)('access for QEMU under a user of its own', () => {
  const runsAs = { uid: 64321, gid: 64321 }

  test('opens the way to a file by group, and no more', async () => {
    const data = join(dir, 'data')
    await chmod(dir, 0o755)
    await mkdir(join(data, 'images'), { recursive: true })
    for (const each of [data, join(data, 'images')]) await chmod(each, 0o700)
    const base = join(data, 'images', 'base')
    await writeFile(base, '', { mode: 0o600 })
    const access = await Access.make(data, runsAs)
    expect(await access?.read(base)).toEqual([])
    const modes = await Promise.all([data, join(data, 'images'), base].map(async (path) => (await stat(path)).mode & 0o777))
    expect(modes).toEqual([0o710, 0o710, 0o640])
    expect((await stat(base)).gid).toBe(runsAs.gid)
    expect((await stat(base)).uid).toBe(0)
  })

  test('names what is in the way outside, and leaves it alone', async () => {
    const data = join(dir, 'data')
    await mkdir(data)
    await chmod(dir, 0o700)
    const access = await Access.make(data, runsAs)
    const problems = await access?.way(join(data, 'file'))
    expect(problems?.[0]?.what).toContain(dir)
    expect((await stat(dir)).mode & 0o777).toBe(0o700)
  })

  test('is needed by nobody when QEMU runs as root', async () => {
    expect(await Access.make(dir, { uid: 0, gid: 0 })).toBeNull()
    expect(await Access.make(dir, null)).toBeNull()
  })

  test('gives a disk away whole', async () => {
    const disk = join(dir, 'disk')
    await writeFile(disk, '')
    await chown(disk, 0, 0)
    await (await Access.make(dir, runsAs))?.give(disk, 0o600)
    expect(await stat(disk)).toMatchObject(runsAs)
  })
})

describe('the probe guest', () => {
  const qemu = '/usr/bin/qemu-system-x86_64'

  test.skipIf(!existsSync(qemu))('proves an accelerator that works', async () => {
    expect(await runProbeGuest(qemu, 'tcg', 15_000)).toEqual({ works: true, why: 'a probe guest ran' })
  })

  test('that hangs proves nothing, nor one that cannot be started', async () => {
    const hangs = join(dir, 'qemu')
    await writeFile(hangs, '#!/bin/sh\nexec sleep 30\n', { mode: 0o755 })
    expect(await runProbeGuest(hangs, 'kvm', 100)).toMatchObject({ works: false, why: expect.stringContaining('100 ms') })
    expect((await runProbeGuest('/bin/true', 'kvm')).works).toBe(false)
    expect((await runProbeGuest(join(dir, 'nothing'), 'kvm')).works).toBe(false)
  })
})

test.skipIf(process.arch !== 'x64' || !existsSync('/dev/kvm'))(
  "KVM's proof is remembered: a yes for good, a no until the next boot",
  async () => {
    const memory = join(dir, 'kvm.json')
    const emulator = join(dir, 'qemu')
    const answers = async (status: number) => {
      await writeFile(emulator, `#!/bin/sh\nexit ${status}\n`, { mode: 0o755 })
      return (await probeKvm({ emulator, memory })).works
    }
    expect(await answers(1)).toBe(false)
    expect(await answers(33)).toBe(false)
    await writeFile(memory, (await readFile(memory, 'utf8')).replace(/"boot":"[^"]*"/, '"boot":"an earlier one"'))
    expect(await answers(33)).toBe(true)
    expect(await answers(1)).toBe(true)
  },
)

describe('the serial log', () => {
  test('is read from its end, over the start of a new file', async () => {
    const path = join(dir, 'console.log')
    expect(await readSerialLog(path, 10)).toBe('')
    await writeFile(`${path}.0`, 'one\ntwo\n')
    await writeFile(path, 'three\nfour\n')
    expect(await readSerialLog(path, 3)).toBe('two\nthree\nfour\n')
    await writeFile(path, `${'x'.repeat(99)}\n`.repeat(20_000))
    expect((await readSerialLog(path, null)).length).toBe(1 << 20)
  })

  test('is let go when it grows without end', async () => {
    const path = join(dir, 'console.log')
    await writeFile(path, 'small')
    await capSerialLog(path)
    expect((await stat(path)).size).toBe(5)
    await truncate(path, 9 << 20)
    await capSerialLog(path)
    expect((await stat(path)).size).toBe(0)
    await capSerialLog(join(dir, 'none'))
  })
})

describe('the config drive', () => {
  const files = [{ path: 'openstack/latest/meta_data.json', data: Buffer.from('{"uuid":"x"}') }]
  const never = new AbortController().signal

  test.skipIf(!existsSync('/usr/bin/xorriso'))('is an ISO with its label and files', async () => {
    const path = join(dir, 'disk.config')
    await makeConfigDrive({ format: 'iso9660', files }, path, join(dir, 'new'), never)
    const image = await readFile(path)
    expect(image.toString('latin1', 32_808, 32_816)).toBe('config-2')
    expect(image.includes('{"uuid":"x"}')).toBe(true)
    expect(existsSync(join(dir, 'new'))).toBe(false)
  })

  test.skipIf(!existsSync('/usr/bin/mcopy'))('is a FAT disk on request', async () => {
    const path = join(dir, 'disk.config')
    await makeConfigDrive({ format: 'vfat', files }, path, join(dir, 'new'), never)
    const image = await readFile(path)
    expect(image.toString('latin1', 54, 59) + image.toString('latin1', 82, 87)).toContain('FAT')
    expect(image.includes('{"uuid":"x"}')).toBe(true)
    expect(image.includes('CONFIG-2')).toBe(true)
  })

  test.each(['/etc/x', '../x', 'a/../../x'])('refuses a file at %s', async (path) => {
    const drive = { format: 'iso9660', files: [{ path, data: Buffer.from('') }] } as const
    await expect(makeConfigDrive(drive, join(dir, 'd'), join(dir, 'new'), never)).rejects.toThrow(TypeError)
  })
})
