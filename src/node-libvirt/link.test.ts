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
  ErrorCode,
  LibvirtError,
  type MockDaemon,
  procedures,
  startMockDaemon,
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

  test('that lasts is met with patience', async () => {
    const connection = await dial({ reconnect: true })
    await daemon.stop()
    let attempts = 0
    const closed = createServer((socket) => {
      attempts++
      socket.destroy()
    })
    await new Promise<void>((resolve) => closed.listen(daemon.socket, resolve))
    await vi.waitFor(() => expect(attempts).toBeGreaterThan(2), { timeout: 5_000 })
    await new Promise((resolve) => closed.close(resolve))
    await daemon.listen()
    await vi.waitFor(() => expect(connection.connected).toBe(true), { timeout: 5_000 })
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
