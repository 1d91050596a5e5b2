import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import {
  type Connection,
  type ConnectOptions,
  connect,
  DeviceModifyFlags,
  DomainState,
  LibvirtError,
  ListDomainsFlags,
  type MockDaemon,
  startMockDaemon,
  UndefineFlags,
} from './index.ts'

const xml = (name: string, devices = '') =>
  `<domain type='qemu'><name>${name}</name><memory unit='MiB'>64</memory><vcpu>2</vcpu><devices>${devices}</devices></domain>`
const disk = (target: string) => `<disk type='file'><source file='/${target}'/><target dev='${target}' bus='virtio'/></disk>`

let dir: string
let daemon: MockDaemon
let open: Connection[]

const dial = async (options: Partial<ConnectOptions> = {}): Promise<Connection> => {
  const connection = await connect({ uri: daemon.uri, ...options })
  open.push(connection)
  return connection
}
const reason = async (attempt: Promise<unknown>): Promise<string> => {
  const error = await attempt.then(
    () => new Error('it did not fail'),
    (error: unknown) => error,
  )
  return error instanceof LibvirtError ? error.codeName : (error as Error).name
}

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'lv-'))
  daemon = await startMockDaemon({ socket: join(dir, 'sock') })
  open = []
})

afterEach(async () => {
  await Promise.all(open.map((connection) => connection.close()))
  await daemon[Symbol.asyncDispose]()
  await rm(dir, { recursive: true })
})

describe('domains', () => {
  test('are defined, found, started, stopped and forgotten', async () => {
    const connection = await dial()
    const vm = await connection.defineXml(xml('vm'))
    expect(vm.id).toBe(-1)
    expect((await connection.lookupByName('vm')).uuid).toBe(vm.uuid)
    expect((await connection.lookupByUuid(vm.uuid)).name).toBe('vm')
    await vm.start()
    expect(vm.id).toBeGreaterThan(0)
    expect(await vm.state()).toEqual({ state: DomainState.running, reason: 1 })
    expect(await vm.info()).toMatchObject({ maxMemoryKib: 65_536, vcpus: 2 })
    expect(await vm.vcpus()).toHaveLength(2)
    await vm.suspend()
    expect((await vm.state()).state).toBe(DomainState.paused)
    await vm.resume()
    expect(await connection.listDomains(ListDomainsFlags.inactive)).toEqual([])
    expect((await connection.listDomains()).map(({ name }) => name)).toEqual(['vm'])
    await vm.destroy()
    await vm.undefine()
    expect(await reason(connection.lookupByUuid(vm.uuid))).toBe('NO_DOMAIN')
    expect(daemon.domains.size).toBe(0)
  })

  test('follow the rules of when what is allowed', async () => {
    const connection = await dial()
    const vm = await connection.defineXml(xml('vm'))
    expect(await reason(vm.destroy())).toBe('OPERATION_INVALID')
    expect(await reason(vm.attachDevice(disk('vdb'), DeviceModifyFlags.live))).toBe('OPERATION_INVALID')
    await vm.start()
    expect(await reason(vm.start())).toBe('OPERATION_INVALID')
    await vm.managedSave()
    expect(await vm.hasManagedSave()).toBe(true)
    expect(await reason(vm.undefine())).toBe('OPERATION_INVALID')
    await vm.undefine(UndefineFlags.managedSave)
    expect(await reason(connection.defineXml('<domain'))).toMatch(/^XML_/)
    expect(await reason(connection.defineXml('<domain/>'))).toBe('NO_NAME')
  })

  test('a transient domain is gone when it stops', async () => {
    const connection = await dial()
    const vm = await connection.createXml(xml('vm'))
    expect(await vm.isPersistent()).toBe(false)
    await vm.destroy()
    expect(await connection.listDomains()).toEqual([])
  })

  test('take and give devices, in what runs and in what is known', async () => {
    const connection = await dial()
    const vm = await connection.defineXml(xml('vm', disk('vda')))
    await vm.start()
    await vm.attachDevice(disk('vdb'), DeviceModifyFlags.live | DeviceModifyFlags.config)
    await vm.attachDevice(disk('vdc'), DeviceModifyFlags.live)
    expect((await vm.xml()).match(/dev='vd./g)).toEqual(["dev='vda", "dev='vdb", "dev='vdc"])
    expect((await vm.xml(2)).match(/dev='vd./g)).toEqual(["dev='vda", "dev='vdb"])
    expect(await reason(vm.attachDevice(disk('vdb'), DeviceModifyFlags.live))).toBe('XML_ERROR')
    await vm.detachDevice(disk('vdb'), DeviceModifyFlags.live)
    expect((await vm.xml()).match(/dev='vd./g)).toEqual(["dev='vda", "dev='vdc"])
    await vm.blockResize('vda', 2 ** 40, 1)
    expect((await vm.blockInfo('vda')).capacity).toBe(2 ** 40)
  })

  test('remember snapshots and metadata', async () => {
    const connection = await dial()
    const vm = await connection.defineXml(xml('vm'))
    const snapshot = await vm.createSnapshot('<domainsnapshot><name>one</name></domainsnapshot>')
    expect((await vm.listSnapshots()).map(({ name }) => name)).toEqual(['one'])
    expect(await reason(vm.snapshot('two'))).toBe('NO_DOMAIN_SNAPSHOT')
    await snapshot.delete()
    expect(await vm.listSnapshots()).toEqual([])
    expect(await reason(vm.metadata(2, 'urn:x'))).toBe('NO_DOMAIN_METADATA')
    await vm.setMetadata(2, '<a/>', 'k', 'urn:x')
    expect(await vm.metadata(2, 'urn:x')).toBe('<a/>')
  })

  test('move to another daemon', async () => {
    await using other = await startMockDaemon({ socket: join(dir, 'other') })
    const connection = await dial()
    const vm = await connection.createXml(xml('vm'))
    expect(await reason(vm.migrate({ destinationUri: 'qemu+unix:///system?socket=/nowhere', flags: 3 }))).toBe('OPERATION_FAILED')
    await vm.migrate({ destinationUri: other.uri, flags: 3 })
    expect(daemon.domains.size).toBe(0)
    expect([...other.domains.values()].map(({ name, active }) => [name, active])).toEqual([['vm', true]])
  })

  test('have a guest agent or not', async () => {
    const connection = await dial()
    const vm = await connection.createXml(xml('vm'))
    expect(await reason(vm.agentCommand('{"execute":"guest-ping"}', 1))).toBe('AGENT_UNRESPONSIVE')
    daemon.state.guests.agent = (_, { execute }) => ({ did: execute })
    expect(await vm.agentCommand('{"execute":"guest-ping"}', 1)).toBe('{"return":{"did":"guest-ping"}}')
    await vm.setUserPassword('root', 'secret')
    expect([...daemon.domains.values()][0]?.passwords.get('root')).toBe('secret')
  })
})

describe('the node', () => {
  test('tells of itself', async () => {
    const connection = await dial()
    expect(await connection.nodeInfo()).toEqual(daemon.state.node)
    expect(await connection.libVersion()).toBe(9_000_000)
    expect(await connection.capabilities()).toContain('<capabilities>')
    expect(await connection.domainCapabilities({ virtType: 'qemu' })).toContain('<domainCapabilities>')
    expect(await connection.nodeCpuStats()).toHaveProperty('idle')
    expect(await connection.nodeMemoryStats()).toHaveProperty('total')
    const vm = await connection.createXml(xml('vm'))
    const [record] = await connection.allDomainStats()
    expect(record?.domain.uuid).toBe(vm.uuid)
    expect(record?.params).toContainEqual({ name: 'vcpu.current', type: 'uint', value: 2 })
  })

  test('runs networks', async () => {
    const connection = await dial()
    const network = await connection.defineNetworkXml('<network><name>net</name></network>')
    await network.create()
    expect(await network.isActive()).toBe(true)
    await network.destroy()
    await network.undefine()
    expect(await connection.listNetworks()).toEqual([])
    expect(await reason(connection.lookupNetworkByName('net'))).toBe('NO_NETWORK')
  })
})
