import { randomBytes } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { type Connection, connect, type MockDaemon, procedures, type StorageVolume, type Stream, startMockDaemon } from './index.ts'
import { highWater } from './streams.ts'

let dir: string
let daemon: MockDaemon
let connection: Connection

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'lv-'))
  daemon = await startMockDaemon({ socket: join(dir, 'sock') })
  connection = await connect({ uri: daemon.uri })
})

afterEach(async () => {
  await connection.close()
  await daemon[Symbol.asyncDispose]()
  await rm(dir, { recursive: true })
})

const volumeOf = async (capacity: number): Promise<StorageVolume> => {
  const pool = await connection.createStoragePoolXml('<pool><name>p</name></pool>')
  return pool.createVolumeXml(`<volume><name>v</name><capacity>${capacity}</capacity></volume>`)
}
const readAll = async (stream: Stream): Promise<Buffer> => {
  const chunks: Buffer[] = []
  for await (const chunk of stream) chunks.push(chunk)
  return Buffer.concat(chunks)
}

describe('streams', () => {
  test('carry many packets there and back', async () => {
    const content = randomBytes(1_000_001)
    const volume = await volumeOf(content.length)
    const upload = await volume.upload()
    await upload.write(content.subarray(0, 600_000))
    await upload.write(content.subarray(600_000))
    await upload.finish()
    expect((await readAll(await volume.download())).equals(content)).toBe(true)
    expect((await readAll(await volume.download(10, 20))).equals(content.subarray(10, 30))).toBe(true)
  })

  test('say at the end what went wrong', async () => {
    const volume = await volumeOf(10)
    const upload = await volume.upload()
    await upload.write(Buffer.alloc(11))
    await expect(upload.finish()).rejects.toMatchObject({ codeName: 'WRITE_FAILED' })
    expect(upload.closed).toBe(true)
    expect((await volume.info()).allocation).toBe(0)
  })

  test('are aborted by leaving the loop', async () => {
    const volume = await volumeOf(1_000_000)
    const upload = await volume.upload()
    await upload.write(Buffer.alloc(1_000_000))
    await upload.finish()
    const download = await volume.download()
    for await (const chunk of download) {
      expect(chunk.length).toBeGreaterThan(0)
      break
    }
    expect(download.closed).toBe(true)
    expect(await connection.hostname()).toBe('mock')
  })

  test('show a screen whole', async () => {
    const vm = await connection.createXml("<domain type='qemu'><name>vm</name></domain>")
    daemon.state.guests.screenshot = { mime: 'image/png', data: randomBytes(300_000) }
    const { mime, data } = await vm.screenshot()
    expect(mime).toBe('image/png')
    expect(data.equals(daemon.state.guests.screenshot.data)).toBe(true)
  })

  test('are a console in both directions', async () => {
    const vm = await connection.createXml("<domain type='qemu'><name>vm</name><devices><console type='pty'/></devices></domain>")
    await using console = await vm.openConsole()
    const screen = console[Symbol.asyncIterator]()
    expect((await screen.next()).value?.toString()).toBe('mock console\r\n')
    await console.write(Buffer.from('hello'))
    expect((await screen.next()).value?.toString()).toBe('hello')
  })

  test('that cannot be opened fail as calls do', async () => {
    const vm = await connection.createXml("<domain type='qemu'><name>vm</name></domain>")
    await expect(vm.openConsole()).rejects.toMatchObject({ codeName: 'INTERNAL_ERROR' })
  })

  test('whose opening was given up are aborted when they open after all', async () => {
    const vm = await connection.createXml("<domain type='qemu'><name>vm</name><devices><console type='pty'/></devices></domain>")
    const release = daemon.holdNext('domainOpenConsole')
    const args = { domain: vm.ref, device: null, flags: 0 }
    const opening = connection.openStream(procedures.domainOpenConsole, args, { timeoutMs: 20 })
    await expect(opening).rejects.toMatchObject({ codeName: 'OPERATION_TIMEOUT' })
    release()
    await vi.waitFor(() => expect(daemon.aborted).toEqual(['domainOpenConsole']))
    expect(daemon.openStreams).toBe(0)
  })

  test('end with the connection', async () => {
    const vm = await connection.createXml("<domain type='qemu'><name>vm</name><devices><console type='pty'/></devices></domain>")
    const screen = (await vm.openConsole())[Symbol.asyncIterator]()
    await screen.next()
    const next = expect(screen.next()).rejects.toMatchObject({ name: 'ConnectionLost' })
    daemon.dropConnections()
    await next
  })

  test('wait for a slow reader, but calls get through', async () => {
    const content = randomBytes(highWater * 3)
    const volume = await volumeOf(content.length)
    const upload = await volume.upload()
    await upload.write(content)
    await upload.finish()
    const download = await volume.download()
    await vi.waitFor(() => expect(download.unread).toBeGreaterThan(highWater))
    expect(download.unread).toBeLessThan(highWater * 2)
    expect(await connection.hostname()).toBe('mock')
    expect((await readAll(download)).equals(content)).toBe(true)
  })
})
