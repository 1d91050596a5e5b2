/** A real Linux guest finds what it was given, takes interfaces and lets go of them while it runs, and comes back from a rescue and a resize. */
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
import { type ComputeDriver, type GuestSpec, type GuestTuning, libvirtConfig } from '../../src/nova/virt/index.ts'
import { makeLibvirtDriver } from '../../src/nova/virt/libvirt/index.ts'
import { blankGuest } from '../contract/driver.ts'
import { removeLibvirtdDir } from '../support/libvirtd.ts'
import { keepTiny, makeRealHost, type RealHost, realHostMissing, takeTiny } from '../support/real-host.ts'
import { until } from '../support/until.ts'

const missing = realHostMissing() !== null || !(await tinyPrerequisites()).ok
const never = new AbortController().signal

/** What the guest itself sees of what it was given, told at every boot. */
const script = `#!/bin/sh
rm -f /data/.tiny/user-data-done; sync
cd /sys/devices/system/cpu
for cpu in cpu[0-9]*; do echo "see $cpu package $(cat $cpu/topology/physical_package_id) core $(cat $cpu/topology/core_id)."; done
echo "see random $(cat /sys/class/misc/hw_random/rng_current)."
echo "see serial ports $(grep -c 16550A /proc/tty/driver/serial)."
for device in /sys/bus/pci/devices/*; do
  case "$(cat $device/vendor) $(cat $device/device) $(cat $device/class)" in
    '0x8086 0x25ab'*) echo 'see watchdog.' ;;
    *' 0x030000') echo "see video $(head -n 1 $device/resource)." ;;
  esac
done
mount -t ext4 /dev/vdb /mnt && echo "see ext4 on $(($(cat /sys/block/vdb/size) / 2097152)) GiB."
umount /mnt
swapon /dev/vdc && echo "see swap $(awk '/SwapTotal/ { print $2 }' /proc/meminfo)."
`
const tuning: GuestTuning = {
  topology: { sockets: 1, cores: 2, threads: 1 },
  watchdog: 'reset',
  hidesHypervisor: false,
  pmu: null,
  bootMenu: true,
  videoRamMib: 32,
  rngRate: { bytes: 4096, periodMs: 1000 },
  cpu: { shares: null, periodUs: null, quotaUs: null },
  disk: { total_bytes_sec: 200 << 20, write_iops_sec: 5000 },
}

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
    const files = [
      { path: 'openstack/latest/meta_data.json', data: Buffer.from('{"uuid":"u","hostname":"web1"}') },
      { path: 'openstack/latest/user_data', data: Buffer.from(script) },
    ]
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

  /** All that a flavor and an image can ask for, and the guest or else the hypervisor has it. */
  const isTuned = async () => {
    const ephemeral = execFileSync('dumpe2fs', ['-h', join(dir, 'instances', spec.uuid, 'ephemeral0')], { stdio: 'pipe' }).toString()
    expect(ephemeral).toMatch(/volume name: +ephemeral0\n/)
    const log = (await driver.consoleOutput(spec.uuid, null)).split('tiny: ready').at(-2) ?? ''
    const said = [...log.matchAll(/^see (.*)\.\r?$/gm)].map(([, seen = '']) => seen)
    expect(said.filter((line) => !line.startsWith('video'))).toEqual([
      'cpu0 package 0 core 0',
      'cpu1 package 0 core 1',
      'random virtio_rng.0',
      'serial ports 1',
      'watchdog',
      'ext4 on 1 GiB',
      'swap 65532',
    ])
    const [from = 0, to = 0] = (/^video (\w+) (\w+)/m.exec(said.join('\n')) ?? []).slice(1).map(Number)
    expect((to + 1 - from) / 2 ** 20).toBe(32)
    expect(host.virsh('blkdeviotune', spec.uuid, 'vda')).toMatch(/total_bytes_sec *: 209715200\n[\s\S]*write_iops_sec *: 5000\n/)
    const xml = host.virsh('dumpxml', spec.uuid)
    for (const part of ["<rate bytes='4096' period='1000'/>", "<watchdog model='i6300esb' action='reset'>"]) expect(xml).toContain(part)
  }

  it('come and go while it runs', async () => {
    await booted(1)
    const nic = { portId: 'p', mac: 'fa:16:3e:00:00:01', tap: 'tapgi1', bridge: 'br0', mtu: 1450, model: 'virtio', queues: 2 } as const
    await driver.interfaces?.attach(spec.uuid, nic)
    expect([(await found()).nics, host.taps().length]).toEqual([1, 1])
    expect(host.inside('ip', '-d', 'link', 'show', nic.tap)).toContain('multi_queue')
    await driver.interfaces?.detach(spec.uuid, nic.mac)
    expect([(await found()).nics, host.taps().length]).toEqual([0, 0])
  })

  it('are its own again after a rescue, what its flavor and image asked for after a resize, and the old ones after its revert', async () => {
    const { uuid } = spec
    const rescue = { root: { file: tiny.disk, format: 'qcow2' }, kernel: null, configDrive: spec.configDrive, device: null } as const
    await driver.rescue?.enter(uuid, rescue, never)
    await booted(2)
    await driver.rescue?.leave(uuid)
    await booted(3)
    const [root] = spec.disks.map((disk) => ({ ...disk, sizeGib: 2 }))
    const blank = { ...root!, bootIndex: null, sizeGib: 1 }
    const fileSystem = { type: 'ext4', os: null, label: 'ephemeral0' }
    const disks = [
      root!,
      { ...blank, name: 'ephemeral0', device: 'vdb', source: { kind: 'blank', fileSystem } },
      { ...blank, name: 'swap', device: 'vdc', sizeGib: 1 / 16, source: { kind: 'blank' } },
    ] as const
    const larger = { ...spec, vcpus: 2, memoryMib: 256, disks, rng: true, tuning }
    await driver.resize?.apply(larger, true, never)
    await booted(4)
    expect(await found()).toEqual({ nics: 0, cpus: 2, memoryMib: 256 })
    await isTuned()
    await using copy = await driver.snapshots?.take(uuid, never)
    expect(copy?.virtualSizeBytes).toBe(2 * 1024 ** 3)
    await driver.resize?.revert(uuid, true)
    await booted(5)
    expect(await found()).toEqual({ nics: 0, cpus: 1, memoryMib: 192 })
    await driver.destroy(uuid)
  })
})
