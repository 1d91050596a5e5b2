import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import {
  type Connection,
  ConnectionLost,
  type ConnectOptions,
  connect,
  DeviceModifyFlags,
  type DomainEvent,
  DomainEventType,
  DomainState,
  ErrorCode,
  LibvirtError,
  ListDomainsFlags,
  type MockDaemon,
  procedures,
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

describe('errors', () => {
  test('carry code, name, part and message', async () => {
    const connection = await dial()
    daemon.failNext('connectGetHostname', { code: ErrorCode.ACCESS_DENIED, message: 'no', domain: 60 })
    const error: LibvirtError = await connection.hostname().catch((error) => error)
    expect(error).toBeInstanceOf(LibvirtError)
    expect([error.code, error.codeName, error.domainName, error.message, error.is('ACCESS_DENIED')]).toEqual([
      88,
      'ACCESS_DENIED',
      'POLKIT',
      'no',
      true,
    ])
    expect(await connection.hostname()).toBe('mock')
  })

  test('bad arguments fail alone, before they are sent', async () => {
    const connection = await dial()
    expect(await reason(connection.lookupByName('a\0b'))).toBe('XdrError')
    expect(await reason(connection.lookupByUuid('nonsense'))).toBe('XdrError')
    expect(await connection.hostname()).toBe('mock')
  })

  test('a call that takes too long is given up, and its late answer harms nobody', async () => {
    const connection = await dial()
    const release = daemon.holdNext('connectGetHostname')
    expect(await reason(connection.call(procedures.connectGetHostname, undefined, { timeoutMs: 20 }))).toBe('OPERATION_TIMEOUT')
    release()
    expect(await connection.hostname()).toBe('mock')
  })

  test('a driver that the daemon lacks is refused', async () => {
    expect(await reason(dial({ uri: `xen+unix:///system?socket=${daemon.socket}` }))).toBe('NO_CONNECT')
    await vi.waitFor(() => expect(daemon.clients).toBe(0))
  })

  test('a daemon that is not there, and what is none', async () => {
    expect(await reason(dial({ uri: `qemu+unix:///system?socket=${dir}/none` }))).toBe('ConnectionLost')
    await writeFile(join(dir, 'file'), '')
    expect(await reason(dial({ uri: `qemu+unix:///system?socket=${dir}/file` }))).toBe('ConnectionLost')
    const stranger = createServer((socket) => socket.resume().end('HTTP/1.1 400 Bad Request\r\n\r\n'))
    await new Promise<void>((resolve) => stranger.listen(join(dir, 'http'), resolve))
    expect(await reason(dial({ uri: `qemu+unix:///system?socket=${dir}/http` }))).toBe('ConnectionLost')
    await new Promise((resolve) => stranger.close(resolve))
  })

  test('a daemon that accepts and says nothing', async () => {
    daemon.freeze()
    expect(await reason(dial({ connectTimeoutMs: 50 }))).toBe('ConnectionLost')
  })
})

describe('calls', () => {
  test('are answered in any order, each to its caller', async () => {
    const connection = await dial()
    const release = daemon.holdNext('connectGetHostname')
    const order: string[] = []
    const slow = connection.hostname().then(() => order.push('slow'))
    await connection.libVersion().then(() => order.push('quick'))
    release()
    await slow
    expect(order).toEqual(['quick', 'slow'])
  })

  test('wait here when the daemon has enough to do', async () => {
    const connection = await dial({ maxInFlight: 2 })
    const before = daemon.calls.length
    const releases = [daemon.holdNext('connectGetHostname'), daemon.holdNext('connectGetHostname')]
    const calls = Array.from({ length: 6 }, () => connection.hostname())
    await vi.waitFor(() => expect(daemon.calls.length - before).toBe(2))
    for (const release of releases) release()
    expect(await Promise.all(calls)).toHaveLength(6)
  })
})

describe('authentication', () => {
  const sasl = { username: 'me', password: 'secret' }

  test('by SASL PLAIN', async () => {
    await using guarded = await startMockDaemon({ socket: join(dir, 'sasl'), sasl })
    expect(await (await dial({ uri: guarded.uri, auth: sasl })).hostname()).toBe('mock')
    expect(await reason(dial({ uri: guarded.uri, auth: { ...sasl, password: 'wrong' } }))).toBe('AUTH_FAILED')
    expect(await reason(dial({ uri: guarded.uri }))).toBe('AUTH_UNAVAILABLE')
  })
})

describe('events', () => {
  test('tell what happens, to each listener until it stops', async () => {
    const connection = await dial()
    const heard: DomainEvent[] = []
    const other: DomainEvent[] = []
    const stop = connection.onEvent((event) => heard.push(event))
    connection.onEvent((event) => other.push(event))
    await connection.eventsReady()
    const vm = await connection.createXml(xml('vm', disk('vda')))
    await vm.reboot()
    await vm.detachDevice(disk('vda'), DeviceModifyFlags.live)
    await vi.waitFor(() => expect(heard.map(({ kind }) => kind)).toEqual(['lifecycle', 'lifecycle', 'reboot', 'device-removed']))
    expect(heard[1]).toMatchObject({ domain: { uuid: vm.uuid, name: 'vm' }, event: DomainEventType.started, detail: 0 })
    expect(heard[3]).toMatchObject({ device: 'virtio-disk0' })
    stop()
    daemon.crash(vm.uuid)
    await vi.waitFor(() => expect(other).toHaveLength(5))
    expect(heard).toHaveLength(4)
  })

  test('of a kind that the daemon lacks are no reason to have none', async () => {
    const connection = await dial()
    daemon.failNext('connectDomainEventCallbackRegisterAny', { code: ErrorCode.NO_SUPPORT })
    connection.onEvent(() => undefined)
    await expect(connection.eventsReady()).resolves.toBeUndefined()
  })

  test('that the daemon refuses to send are an error', async () => {
    const connection = await dial()
    daemon.failNext('connectDomainEventCallbackRegisterAny', { code: ErrorCode.ACCESS_DENIED })
    connection.onEvent(() => undefined)
    expect(await reason(connection.eventsReady())).toBe('ACCESS_DENIED')
  })
})

describe('loss', () => {
  test('fails what is under way, and without reconnect everything after', async () => {
    const connection = await dial()
    daemon.holdNext('connectGetHostname')
    const call = reason(connection.hostname())
    daemon.dropConnections()
    expect(await call).toBe('ConnectionLost')
    expect(connection.connected).toBe(false)
    await expect(connection.hostname()).rejects.toThrow(ConnectionLost)
  })

  test('is overcome with reconnect, events and all', async () => {
    const connection = await dial({ reconnect: true })
    const states: string[] = []
    const heard: DomainEvent[] = []
    connection.onConnection((state) => states.push(state))
    connection.onEvent((event) => heard.push(event))
    await connection.eventsReady()
    await daemon.stop()
    await vi.waitFor(() => expect(states).toEqual(['disconnected']))
    expect(await reason(connection.hostname())).toBe('ConnectionLost')
    await daemon.listen()
    await vi.waitFor(() => expect(states).toEqual(['disconnected', 'connected']), { timeout: 5_000 })
    await connection.defineXml(xml('vm'))
    await vi.waitFor(() => expect(heard).toHaveLength(1))
  })

  test('is found by pings when the daemon just falls silent', async () => {
    const connection = await dial({ keepAlive: { intervalMs: 20, count: 2 } })
    await connection.hostname()
    daemon.freeze()
    expect(await reason(connection.hostname())).toBe('ConnectionLost')
  })

  test('does not come while a call takes long but the daemon lives', async () => {
    const connection = await dial({ keepAlive: { intervalMs: 5, count: 2 } })
    const release = daemon.holdNext('connectGetHostname')
    const call = connection.hostname()
    setTimeout(release, 100)
    expect(await call).toBe('mock')
  })

  test('closing is final, and twice is once', async () => {
    const connection = await dial({ reconnect: true })
    const states: string[] = []
    connection.onConnection((state) => states.push(state))
    await connection.close()
    await connection.close()
    expect(states).toEqual(['disconnected'])
    expect(await reason(connection.hostname())).toBe('ConnectionLost')
    await vi.waitFor(() => expect(daemon.clients).toBe(0))
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
