/**
 * The client against real daemons: libvirt's test driver, and QEMU without KVM. What the mock daemon claims is checked here.
 */
import { mkdir, mkdtemp, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import {
  BlockResizeFlags,
  type Connection,
  connect,
  DeviceModifyFlags,
  type Domain,
  type DomainEvent,
  DomainEventType,
  DomainState,
  Feature,
  LibvirtError,
  MetadataType,
  MigrateFlags,
  SnapshotCreateFlags,
  StartFlags,
  StatsTypes,
  startMockDaemon,
  XmlFlags,
} from '../../src/node-libvirt/index.ts'
import { libvirtdMissing, type PrivateLibvirtd, removeLibvirtdDir, startPrivateLibvirtd } from '../support/libvirtd.ts'

import { transcript } from './node-libvirt-transcript.ts'

const missing = libvirtdMissing()
if (missing && process.env.CI) throw new Error(`CI must have a libvirtd: ${missing}`)
if (missing) console.warn(`skipped: ${missing}`)

const slow = { timeout: 60_000 }
const codeOf = (attempt: Promise<unknown>): Promise<string> =>
  attempt.then(
    () => 'it did not fail',
    (error: unknown) => (error instanceof LibvirtError ? error.codeName : String(error)),
  )

describe.skipIf(missing !== undefined)('a real libvirtd', () => {
  let dir: string
  let daemon: PrivateLibvirtd
  const open: Connection[] = []

  const dial = async (driver: 'test:///default' | 'qemu:///system', options = {}): Promise<Connection> => {
    const uri = `${driver.replace('://', '+unix://')}?socket=${daemon.socket}`
    const connection = await connect({ uri, ...options })
    open.push(connection)
    return connection
  }

  beforeAll(async () => {
    dir = await mkdtemp(join(tmpdir(), 'lv-'))
    daemon = await startPrivateLibvirtd({ dir })
  }, 30_000)

  afterAll(async () => {
    await Promise.all(open.map((connection) => connection.close()))
    await daemon?.[Symbol.asyncDispose]()
    await removeLibvirtdDir(dir)
  }, 30_000)

  describe('with the test driver', () => {
    test('tells of its node', async () => {
      const connection = await dial('test:///default')
      expect(await connection.type()).toBe('TEST')
      expect(await connection.remoteUri()).toBe('test:///default')
      expect(await connection.nodeInfo()).toMatchObject({ model: 'i686', cpus: 16, nodes: 2 })
      expect(await connection.libVersion()).toBeGreaterThan(6_000_000)
      expect(await connection.capabilities()).toContain('<capabilities>')
      expect(await connection.supportsFeature(Feature.remoteEventCallback)).toBe(true)
      expect((await connection.hostname()).length).toBeGreaterThan(0)
    })

    test('runs domains through all their states, and says so', async () => {
      const connection = await dial('test:///default')
      const heard: DomainEvent[] = []
      connection.onEvent((event) => heard.push(event))
      await connection.eventsReady()
      const vm = await connection.lookupByName('test')
      await vm.suspend()
      expect((await vm.state()).state).toBe(DomainState.paused)
      await vm.resume()
      await vm.destroy()
      expect(await codeOf(vm.destroy())).toBe('OPERATION_INVALID')
      await vm.start()
      expect(vm.id).toBeGreaterThan(0)
      await vi.waitFor(() => expect(heard).toHaveLength(4))
      expect(heard.map((event) => event.kind === 'lifecycle' && event.event)).toEqual([
        DomainEventType.suspended,
        DomainEventType.resumed,
        DomainEventType.stopped,
        DomainEventType.started,
      ])
      expect(await vm.info()).toMatchObject({ state: DomainState.running, vcpus: 2, maxMemoryKib: 8_388_608 })
      expect(await vm.vcpus()).toHaveLength(2)
      await vm.setAutostart(true)
      expect(await vm.autostart()).toBe(true)
      expect((await vm.stats(StatsTypes.state)).map(({ name }) => name)).toContain('state.state')
    })

    test('defines, refuses and forgets', async () => {
      const connection = await dial('test:///default')
      const vm = await connection.defineXml("<domain type='test'><name>éüß</name><memory>8192</memory><os><type>hvm</type></os></domain>")
      expect((await connection.lookupByName('éüß')).uuid).toBe(vm.uuid)
      expect(await vm.xml(XmlFlags.inactive)).toContain(vm.uuid)
      await vm.setMetadata(MetadataType.title, 'a title', null, null)
      expect(await vm.metadata(MetadataType.title)).toBe('a title')
      expect(await codeOf(vm.metadata(MetadataType.description))).toBe('NO_DOMAIN_METADATA')
      const snapshot = await vm.createSnapshot('<domainsnapshot><name>s1</name></domainsnapshot>')
      expect((await vm.listSnapshots()).map(({ name }) => name)).toEqual(['s1'])
      await snapshot.delete()
      await vm.undefine()
      expect(await codeOf(connection.lookupByUuid(vm.uuid))).toBe('NO_DOMAIN')
      expect(await codeOf(connection.defineXml('<domain'))).toBe('XML_DETAIL')
      expect(await codeOf(vm.agentCommand('{}', 1))).toMatch(/INTERNAL_ERROR|NO_SUPPORT|RPC/)
    })

    test('has networks, pools and a picture', async () => {
      const connection = await dial('test:///default')
      expect((await connection.listNetworks()).map(({ name }) => name)).toEqual(['default'])
      const network = await connection.lookupNetworkByName('default')
      expect(await network.isActive()).toBe(true)
      expect(await network.xml()).toContain('<network')
      const pool = await connection.lookupStoragePoolByName('default-pool')
      expect((await pool.info()).capacity).toBeGreaterThan(0)
      const volume = await pool.createVolumeXml('<volume><name>v</name><capacity>1024</capacity></volume>')
      expect(await volume.info()).toMatchObject({ capacity: 1024 })
      const { mime, data } = await (await connection.lookupByName('test')).screenshot()
      expect(mime).toBe('image/png')
      expect(data.subarray(1, 4).toString()).toBe('PNG')
    })

    test('answers a thousand calls at once', async () => {
      const connection = await dial('test:///default')
      const names = await Promise.all(Array.from({ length: 1000 }, () => connection.hostname()))
      expect(new Set(names).size).toBe(1)
    })

    test('says nothing to a reader that may not write', async () => {
      const connection = await dial('test:///default', { readonly: true })
      const vm = await connection.lookupByName('test')
      expect(await codeOf(vm.destroy())).toBe('OPERATION_DENIED')
    })
  })

  describe('with QEMU', () => {
    const guest = (name: string, extra = '') => `<domain type='qemu'>
      <name>${name}</name>${extra}<memory unit='MiB'>32</memory><vcpu>1</vcpu>
      <os><type arch='x86_64' machine='pc'>hvm</type><bios useserial='yes'/></os>
      <features><acpi/></features>
      <devices>
        <emulator>/usr/bin/qemu-system-x86_64</emulator>
        <serial type='pty'><target port='0'/></serial><console type='pty'><target type='serial' port='0'/></console>
        <disk type='file' device='disk'><driver name='qemu' type='raw'/><source file='${dir}/${name}.img'/><target dev='vda' bus='virtio'/></disk>
        <video><model type='vga'/></video><memballoon model='none'/>
      </devices></domain>`
    const blank = (name: string) => writeFile(join(dir, `${name}.img`), Buffer.alloc(1_048_576))
    let connection: Connection
    let vm: Domain
    const heard: DomainEvent[] = []
    const states: string[] = []

    beforeAll(async () => {
      // The first start takes longer than a daemon may be silent, so these pings are answered.
      connection = await dial('qemu:///system', { reconnect: true, keepAlive: { intervalMs: 250, count: 10 } })
      connection.onConnection((state) => states.push(state))
      connection.onEvent((event) => heard.push(event))
      await connection.eventsReady()
      await blank('one')
      vm = await connection.defineXml(guest('one'))
      await vm.start()
    }, 60_000)

    test('tells what it can', slow, async () => {
      expect(await connection.type()).toBe('QEMU')
      expect(await connection.version()).toBeGreaterThan(4_000_000)
      expect(await connection.domainCapabilities({ virtType: 'qemu', arch: 'x86_64' })).toContain('<domainCapabilities>')
      expect(await connection.nodeCpuStats()).toHaveProperty('idle')
      expect((await connection.nodeMemoryStats()).total).toBeGreaterThan(0)
      expect(await connection.nodeFreeMemoryBytes()).toBeGreaterThan(0)
    })

    test('shows a console that was written to, and takes what is typed', slow, async () => {
      await using console = await vm.openConsole(null, 1)
      await vm.reset()
      await console.write(Buffer.from('x'))
      let seen = ''
      for await (const chunk of console) {
        seen += chunk.toString('latin1')
        if (seen.includes('SeaBIOS')) break
      }
      expect(seen).toContain('SeaBIOS')
      await vi.waitFor(() => expect(heard.some(({ kind }) => kind === 'reboot')).toBe(true))
    })

    test('shows its screen and listens to its monitor', slow, async () => {
      const { mime, data } = await vm.screenshot()
      expect(mime).toMatch(/^image\//)
      expect(data.length).toBeGreaterThan(100)
      expect(JSON.parse(await vm.monitorCommand('{"execute":"query-status"}')).return.status).toBe('running')
      expect(await codeOf(vm.agentCommand('{"execute":"guest-ping"}', 1))).toMatch(/AGENT_UNRESPONSIVE|ARGUMENT_UNSUPPORTED/)
      await vm.sendKey(0, [28])
    })

    test('counts and resizes its disks', slow, async () => {
      await vm.blockResize('vda', 2_097_152, BlockResizeFlags.bytes)
      expect((await vm.blockInfo('vda')).capacity).toBe(2_097_152)
      expect((await vm.blockStats('vda')).errors).toBeTypeOf('number')
      const stats = new Map((await vm.stats()).map(({ name, value }) => [name, value]))
      expect(stats.get('state.state')).toBe(DomainState.running)
      expect(stats.get('block.0.name')).toBe('vda')
      expect((await vm.memoryStats()).length).toBeGreaterThan(0)
    })

    test('takes devices while it runs', slow, async () => {
      await blank('two')
      const disk = `<disk type='file' device='disk'><driver name='qemu' type='raw'/><source file='${dir}/two.img'/><target dev='vdb' bus='virtio'/></disk>`
      await vm.attachDevice(disk, DeviceModifyFlags.live | DeviceModifyFlags.config)
      await vi.waitFor(() => expect(heard.some((event) => event.kind === 'device-added' && event.device === 'virtio-disk1')).toBe(true))
      expect(await vm.xml()).toContain("dev='vdb'")
      expect(await codeOf(vm.attachDevice(disk, DeviceModifyFlags.live))).toBe('XML_ERROR')
      await vm.detachDevice(disk, DeviceModifyFlags.config)
      expect(await vm.xml(XmlFlags.inactive)).not.toContain("dev='vdb'")
    })

    test('copies, snapshots and commits disks', slow, async () => {
      const snapshot = `<domainsnapshot><disks><disk name='vda' snapshot='external'><source file='${dir}/overlay.qcow2'/></disk><disk name='vdb' snapshot='no'/></disks></domainsnapshot>`
      await vm.createSnapshot(snapshot, SnapshotCreateFlags.diskOnly | SnapshotCreateFlags.noMetadata)
      expect(await vm.xml()).toContain('overlay.qcow2')
      await vm.blockJobs.commit('vda', null, null, 4)
      await vi.waitFor(() => expect(heard.some((event) => event.kind === 'block-job-2' && event.status === 3)).toBe(true))
      expect(await vm.blockJobs.info('vda')).toMatchObject({ type: 4 })
      await vm.blockJobs.abort('vda', 2)
      expect(await vm.blockJobs.info('vda')).toBeUndefined()
      expect(await vm.xml()).not.toContain('overlay.qcow2')
      expect(await codeOf(vm.blockJobs.abort('vda'))).toBe('INVALID_ARG')
    })

    test('is saved and goes on', slow, async () => {
      await vm.managedSave()
      expect(await vm.hasManagedSave()).toBe(true)
      await vm.managedSaveRemove()
      await vm.start(StartFlags.paused)
      expect((await vm.state()).state).toBe(DomainState.paused)
      await vm.resume()
    })

    test('goes on when libvirtd is killed, and is found again', slow, async () => {
      expect(states).toEqual([])
      await daemon.kill()
      await vi.waitFor(() => expect(states).toEqual(['disconnected']))
      await daemon.start()
      await vi.waitFor(() => expect(states).toEqual(['disconnected', 'connected']), { timeout: 20_000 })
      expect((await vm.state()).state).toBe(DomainState.running)
      const before = heard.length
      await vm.suspend()
      await vi.waitFor(() => expect(heard.length).toBeGreaterThan(before))
      await vm.resume()
    })

    test('moves to another daemon', slow, async () => {
      await mkdir(join(dir, 'b'))
      await using other = await startPrivateLibvirtd({ dir: join(dir, 'b'), cacheFrom: dir })
      await using there = await connect({ uri: other.uri })
      await vm.migrate({
        destinationUri: other.uri,
        flags: MigrateFlags.live | MigrateFlags.peer2peer | MigrateFlags.unsafe,
        params: [
          { name: 'migrate_uri', type: 'string', value: 'tcp://127.0.0.1:49521' },
          { name: 'listen_address', type: 'string', value: '127.0.0.1' },
        ],
      })
      const moved = await there.lookupByUuid(vm.uuid)
      expect((await moved.state()).state).toBe(DomainState.running)
      expect((await vm.state()).state).toBe(DomainState.shutOff)
      await moved.destroy()
    })

    test('writes the same transcript as the mock daemon', slow, async () => {
      await blank('t')
      await blank('u')
      await blank('three')
      await using mock = await startMockDaemon({ socket: join(dir, 'mock') })
      await using pretended = await connect({ uri: mock.uri })
      const real = await transcript(connection, guest, join(dir, 'three.img'))
      expect(await transcript(pretended, guest, join(dir, 'three.img'))).toEqual(real)
      expect(real.length).toBeGreaterThan(60)
    })

    test('is destroyed and forgotten', slow, async () => {
      await vm.start()
      await vm.destroy()
      await vm.undefine()
      expect(await connection.listDomains()).toEqual([])
    })
  })
})
