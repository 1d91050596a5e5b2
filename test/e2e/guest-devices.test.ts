/** A real Linux guest takes interfaces and lets go of them while it runs, and comes back from a rescue and a resize. */
import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { systemClock } from '../../src/base/clock.ts'
import { loadConfig } from '../../src/base/config/index.ts'
import { silentLog } from '../../src/base/log.ts'
import { convert, createOverlay, resize } from '../../src/image/index.ts'
import { buildTiny, type TinyImage, tinyPrerequisites } from '../../src/image/tiny/index.ts'
import { type ComputeDriver, type GuestSpec, libvirtConfig } from '../../src/nova/virt/index.ts'
import { makeLibvirtDriver } from '../../src/nova/virt/libvirt/index.ts'
import { blankGuest } from '../contract/driver.ts'
import { removeLibvirtdDir } from '../support/libvirtd.ts'
import { keepTiny, makeRealHost, type RealHost, realHostMissing, takeTiny } from '../support/real-host.ts'
import { until } from '../support/until.ts'

const missing = realHostMissing() !== null || !(await tinyPrerequisites()).ok
const never = new AbortController().signal

describe.skipIf(missing && !process.env.CI)('the devices of a real guest', () => {
  const dir = mkdtempSync(join(tmpdir(), 'mc-gi-'))
  let host: RealHost
  let tiny: TinyImage
  let driver: ComputeDriver
  let spec: GuestSpec

  beforeAll(async () => {
    takeTiny(join(dir, 'out'))
    tiny = await buildTiny({ workDir: join(dir, 'work'), outDir: join(dir, 'out'), log: () => {} })
    keepTiny(join(dir, 'out'))
    host = await makeRealHost(join(dir, 'libvirt'))
    execFileSync('ip', ['-n', host.namespace, 'link', 'add', 'br0', 'type', 'bridge'])
    driver = makeLibvirtDriver({
      host: 'host-1',
      uri: host.libvirtd.uri,
      dataDir: dir,
      instancesDir: join(dir, 'instances'),
      runDir: join(dir, 'r', 'one'),
      clock: systemClock(),
      log: silentLog(),
      config: loadConfig([libvirtConfig], { flags: { 'libvirt.virt_type': 'qemu' } }).get(libvirtConfig),
      cloudPrefix: 'gi',
      diskTool: { createOverlay, convert, resize },
    })
    const root = { ...blankGuest().disks[0]!, source: { kind: 'image', file: tiny.disk, format: 'qcow2' } } as const
    const files = [{ path: 'openstack/latest/meta_data.json', data: Buffer.from('{"uuid":"u","hostname":"web1"}') }]
    spec = blankGuest({ memoryMib: 192, disks: [root], configDrive: { format: 'iso9660', files } })
    await driver.spawn(spec, never)
  })
  afterAll(async () => {
    await driver?.[Symbol.asyncDispose]()
    await host?.[Symbol.asyncDispose]()
    await removeLibvirtdDir(join(dir, 'libvirt'))
    rmSync(dir, { recursive: true, force: true })
  })

  const boots = async () => (await driver.consoleOutput(spec.uuid, null)).split('tiny: ready').length - 1
  const booted = (times: number) => until(`boot ${times}`, async () => (await boots()) >= times, 120_000)
  const found = async () => {
    const { nics, cpus, memory } = (await driver.diagnostics?.(spec.uuid)) ?? { nics: [], cpus: [], memory: { maximumMib: 0 } }
    return { nics: nics.length, cpus: cpus.length, memoryMib: memory.maximumMib }
  }

  it('come and go while it runs', async () => {
    await booted(1)
    const nic = { portId: 'p', mac: 'fa:16:3e:00:00:01', tap: 'tapgi1', bridge: 'br0', mtu: 1450, model: 'virtio' } as const
    await driver.interfaces?.attach(spec.uuid, nic)
    expect([(await found()).nics, host.taps().length]).toEqual([1, 1])
    await driver.interfaces?.detach(spec.uuid, nic.mac)
    expect([(await found()).nics, host.taps().length]).toEqual([0, 0])
  })

  it('are its own again after a rescue, larger after a resize, and the old ones after its revert', async () => {
    const { uuid } = spec
    const rescue = { root: { file: tiny.disk, format: 'qcow2' }, kernel: null, configDrive: spec.configDrive, device: null } as const
    await driver.rescue?.enter(uuid, rescue, never)
    await booted(2)
    await driver.rescue?.leave(uuid)
    await booted(3)
    const larger = { ...spec, vcpus: 2, memoryMib: 256, disks: spec.disks.map((disk) => ({ ...disk, sizeGib: 2 })) }
    await driver.resize?.apply(larger, true, never)
    await booted(4)
    expect(await found()).toEqual({ nics: 0, cpus: 2, memoryMib: 256 })
    await using copy = await driver.snapshots?.take(uuid, never)
    expect(copy?.virtualSizeBytes).toBe(2 * 1024 ** 3)
    await driver.resize?.revert(uuid, true)
    await booted(5)
    expect(await found()).toEqual({ nics: 0, cpus: 1, memoryMib: 192 })
    await driver.destroy(uuid)
  })
})
