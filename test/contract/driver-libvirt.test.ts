/**
 * The libvirt driver where Debian's defaults hold: QEMU runs as a user of its own, and the data directory is closed to it. And what
 * only a real libvirtd can do: be killed, and find its guests again.
 */
import { randomBytes } from 'node:crypto'
import { existsSync } from 'node:fs'
import { chmod, mkdir, mkdtemp, open, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { systemClock } from '../../src/base/clock.ts'
import { loadConfig } from '../../src/base/config/index.ts'
import { silentLog } from '../../src/base/log.ts'
import { convert, createOverlay, diskInfo, resize } from '../../src/image/index.ts'
import { connect } from '../../src/node-libvirt/index.ts'
import { type ComputeDriver, type GuestEvent, type GuestSpec, libvirtConfig, PowerState } from '../../src/nova/virt/index.ts'
import { makeLibvirtDriver, probeLibvirt } from '../../src/nova/virt/libvirt/index.ts'
import { libvirtdMissing, type PrivateLibvirtd, removeLibvirtdDir, startPrivateLibvirtd } from '../support/libvirtd.ts'
import { blankGuest } from './driver.ts'

const mark = 'what the image holds'
const never = new AbortController().signal
const missing = libvirtdMissing() ?? (existsSync('/usr/bin/qemu-system-x86_64') ? undefined : 'QEMU is not installed')
const skip = process.env.CI === 'true' ? undefined : missing

describe.skipIf(skip !== undefined)(`libvirt as Debian sets it up${skip ? `: skipped, ${skip}` : ''}`, { timeout: 60_000 }, () => {
  let dir: string
  let daemon: PrivateLibvirtd
  let driver: ComputeDriver
  let base: string
  const taken = async (uuid: string) => {
    const copy = await driver.snapshots?.take(uuid, never)
    if (!copy) throw new Error('the driver takes no snapshots')
    return copy
  }
  /** Whether a qcow2 shows what the base image holds. */
  const marked = async (file: string) => {
    const raw = join(dir, 'copy.raw')
    await convert({ from: { path: file, format: 'qcow2' }, to: { path: raw, format: 'raw' } })
    await using opened = await open(raw)
    const { buffer } = await opened.read(Buffer.alloc(mark.length), 0, mark.length, 0)
    await rm(raw)
    return buffer.toString() === mark
  }
  const image = (): GuestSpec['disks'] => [{ ...blankGuest().disks[0]!, source: { kind: 'image', file: base, format: 'qcow2' } }]

  beforeAll(async () => {
    dir = await mkdtemp(join(tmpdir(), 'mc-lvd-'))
    await chmod(dir, 0o755)
    daemon = await startPrivateLibvirtd({ dir })
    await writeFile(join(dir, 'etc/libvirt/qemu.conf'), '# every option as delivered\n')
    await daemon.restart()
    const dataDir = join(dir, 'data')
    await mkdir(join(dataDir, 'images'), { recursive: true })
    for (const each of [dataDir, join(dataDir, 'images')]) await chmod(each, 0o700)
    base = join(dataDir, 'images', 'base')
    const plain = join(dir, 'plain')
    await writeFile(plain, mark.padEnd(64 << 20, '\0'))
    await convert({ from: { path: plain, format: 'raw' }, to: { path: base, format: 'qcow2' } })
    await chmod(base, 0o600)
    driver = makeLibvirtDriver({
      host: 'host-1',
      uri: daemon.uri,
      dataDir,
      instancesDir: join(dataDir, 'instances'),
      runDir: join(dir, 'run-mc', 'one'),
      clock: systemClock(),
      log: silentLog(),
      config: loadConfig([libvirtConfig], { flags: { 'libvirt.virt_type': 'qemu' } }).get(libvirtConfig),
      cloudPrefix: 'mcd',
      diskTool: { createOverlay, convert, resize },
    })
  }, 120_000)
  afterAll(async () => {
    await driver?.[Symbol.asyncDispose]()
    await daemon?.[Symbol.asyncDispose]()
    if (dir) await removeLibvirtdDir(dir)
  }, 60_000)

  test('it proves usable', async () => {
    expect(await probeLibvirt({ uri: daemon.uri })).toMatchObject({ ok: true })
  })

  test('QEMU reaches disks in the closed data directory, and shared bases stay ours', async () => {
    const files = [{ path: 'openstack/latest/meta_data.json', data: Buffer.from('{}') }]
    const cdrom = { ...image()[0]!, name: 'cd', device: 'sda', bus: 'sata', kind: 'cdrom', bootIndex: 1 } as const
    const swap = { ...blankGuest().disks[0]!, name: 'swap', device: 'vdb', bus: 'scsi', bootIndex: null } as const
    const spec = blankGuest({ disks: [...image(), cdrom, swap], configDrive: { format: 'iso9660', files } })
    await driver.spawn(spec, never)
    expect((await driver.info(spec.uuid))?.power).toBe(PowerState.running)
    await driver.suspend(spec.uuid)
    await driver.resume(spec.uuid)
    await driver.reboot(spec.uuid, 'HARD', 0)
    expect((await stat(base)).uid).toBe(0)
    expect((await stat(join(dir, 'data'))).mode & 0o007).toBe(0)
    await driver.destroy(spec.uuid)
    expect(await driver.inventory()).toEqual({ guests: [], files: [] })
  })

  test('QEMU reaches what copies, a rescue and a resize make, and nobody else does', async () => {
    const ephemeral = { ...blankGuest().disks[0]!, name: 'ephemeral0', device: 'vdb', bootIndex: null } as const
    const configDrive = { format: 'iso9660', files: [{ path: 'a', data: Buffer.from('{}') }] } as const
    const spec = blankGuest({ disks: [...image(), ephemeral], configDrive })
    const { uuid } = spec
    await driver.spawn(spec, never)
    for (const power of ['running', 'off']) {
      if (power === 'off') await driver.powerOff(uuid, 0)
      await using copy = await taken(uuid)
      const info = await diskInfo({ path: copy.file, format: 'qcow2' })
      expect([info.virtualSizeBytes, info.backingFile, copy.virtualSizeBytes]).toEqual([1024 ** 3, null, 1024 ** 3])
      expect((await stat(copy.file)).mode & 0o777).toBe(0o600)
      expect(await marked(copy.file)).toBe(true)
    }
    await driver.rescue?.enter(uuid, { root: { file: base, format: 'qcow2' }, kernel: null, configDrive, device: null }, never)
    expect((await driver.diagnostics?.(uuid))?.disks.map((disk) => disk.device)).toEqual(['vda', 'vdb', 'vdz'])
    await driver.rescue?.leave(uuid)
    expect((await driver.diagnostics?.(uuid))?.disks.map((disk) => disk.device)).toEqual(['vda', 'vdb', 'vdz'])
    const swap = { ...ephemeral, name: 'swap', device: 'vdc', sizeGib: 0.25 }
    const larger = { ...spec, disks: [...spec.disks.map((disk) => ({ ...disk, sizeGib: 2 })), swap] }
    await driver.resize?.apply(larger, true, never)
    expect((await driver.diagnostics?.(uuid))?.disks.map((disk) => disk.device)).toEqual(['vda', 'vdb', 'vdc', 'vdz'])
    const grown = await taken(uuid)
    expect(grown.virtualSizeBytes).toBe(2 * 1024 ** 3)
    expect(await marked(grown.file)).toBe(true)
    await driver.resize?.revert(uuid, true)
    expect((await driver.diagnostics?.(uuid))?.disks.map((disk) => disk.device)).toEqual(['vda', 'vdb', 'vdz'])
    expect((await taken(uuid)).virtualSizeBytes).toBe(1024 ** 3)
    expect((await driver.inventory()).files.filter((file) => file.endsWith('swap'))).toEqual([])
    expect((await stat(base)).uid).toBe(0)
    await driver.destroy(uuid)
    expect(await driver.inventory()).toEqual({ guests: [], files: [] })
  })

  test('a copy that was cut off by the end of minicloud is mended by the next life, and by the next copy', async () => {
    const data = join(dir, 'data', 'images', 'much')
    await writeFile(data, randomBytes(192 << 20))
    const spec = blankGuest({ disks: [{ ...image()[0]!, source: { kind: 'image', file: data, format: 'raw' } }] })
    const { uuid } = spec
    await driver.spawn(spec, never)
    const ours = join(dir, 'data', 'instances', uuid)
    await using connection = await connect({ uri: daemon.uri })
    const domain = await connection.lookupByUuid(uuid)
    const begin = async (name: string) => {
      const disk = `<disk name='vda' type='file' backup='yes'><target file='${join(ours, name)}'/><driver type='qcow2'/></disk>`
      await domain.backupBegin(`<domainbackup mode='push'><disks>${disk}</disks></domainbackup>`)
    }
    await begin('snapshot-one')
    await (await taken(uuid))[Symbol.asyncDispose]()
    expect(existsSync(join(ours, 'snapshot-one'))).toBe(false)
    await begin('snapshot-two')
    await daemon.restart()
    await vi.waitFor(() => expect(existsSync(join(ours, 'snapshot-two'))).toBe(false), 15_000)
    await vi.waitFor(async () => expect((await driver.info(uuid))?.power).toBe(PowerState.running), 15_000)
    await driver.destroy(uuid)
    expect(await driver.inventory()).toEqual({ guests: [], files: [] })
    await rm(data)
  })

  test.skipIf(!existsSync('/usr/share/OVMF'))("a UEFI guest's variables go with it", async () => {
    const spec = blankGuest({ firmware: 'uefi', disks: image() })
    await driver.spawn(spec, never)
    expect((await driver.inventory()).files.some((file) => file.endsWith('nvram.fd'))).toBe(true)
    await driver.destroy(spec.uuid)
    expect(await driver.inventory()).toEqual({ guests: [], files: [] })
  })

  test('guests outlive a killed libvirtd, which is host-down until it is back', async () => {
    const spec = blankGuest({ disks: image() })
    await driver.spawn(spec, never)
    await daemon.kill()
    await vi.waitFor(() => expect(driver.status().connected).toBe(false), 10_000)
    await expect(driver.info(spec.uuid)).rejects.toMatchObject({ reason: 'host-down' })
    await daemon.start()
    await vi.waitFor(() => expect(driver.status().connected).toBe(true), 15_000)
    expect((await driver.info(spec.uuid))?.power).toBe(PowerState.running)
    await driver.destroy(spec.uuid)
    expect(await driver.inventory()).toEqual({ guests: [], files: [] })
  })

  test('a killed QEMU is told as a crash, and the guest can be started again', async () => {
    const heard: GuestEvent[] = []
    const stop = driver.onEvent((event) => heard.push(event))
    const spec = blankGuest({ disks: image() })
    await driver.spawn(spec, never)
    const pid = Number(await readFile(join(dir, `run/libvirt/qemu/mcd-${spec.name}.pid`), 'utf8'))
    process.kill(pid, 'SIGKILL')
    await vi.waitFor(() => expect(heard).toContainEqual({ uuid: spec.uuid, change: 'crashed' }), 10_000)
    expect((await driver.info(spec.uuid))?.power).toBe(PowerState.crashed)
    await driver.powerOn(spec.uuid)
    expect((await driver.info(spec.uuid))?.power).toBe(PowerState.running)
    await driver.destroy(spec.uuid)
    stop()
  })

  test("somebody else's domain is neither seen nor ended", async () => {
    await using connection = await connect({ uri: daemon.uri })
    const uuid = '22222222-2222-4222-8222-222222222222'
    const xml = `<domain type='qemu'><name>mcd-mine</name><uuid>${uuid}</uuid><memory>16384</memory><os><type>hvm</type></os></domain>`
    const domain = await connection.defineXml(xml)
    expect(await driver.list()).toEqual([])
    await expect(driver.destroy(uuid)).rejects.toMatchObject({ reason: 'failed' })
    await domain.undefine()
  })
})
