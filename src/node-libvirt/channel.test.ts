import { mkdtemp, rm } from 'node:fs/promises'
import { connect as connectSocket, createServer, type Server, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { Channel, type ChannelOptions } from './channel.ts'
import { readEvent } from './events.ts'
import { encodeRaw, MessageType, type Packet, PacketSplitter } from './framing.ts'
import { procedures } from './procedures.ts'
import { KeepAlive, keepAliveProgram, remoteProgram } from './protocol.ts'

/** The other side of the wire, in the hands of the test. */
let peer: { socket: Socket; received: Packet[] }
let server: Server
let dir: string

const open = async (options: ChannelOptions = {}): Promise<Channel> => {
  const arrived = Promise.withResolvers<void>()
  server.once('connection', (socket: Socket) => {
    const splitter = new PacketSplitter()
    const received: Packet[] = []
    socket.on('data', (chunk: Buffer) => received.push(...splitter.push(chunk)))
    peer = { socket, received }
    arrived.resolve()
  })
  const channel = new Channel(connectSocket(join(dir, 'sock')), options)
  await arrived.promise
  return channel
}
const heard = (count: number) => vi.waitFor(() => expect(peer.received).toHaveLength(count))
const reply = (packet: Packet, payload: string) =>
  peer.socket.write(encodeRaw({ ...packet, type: MessageType.reply }, Buffer.from(payload, 'hex')))

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'lv-'))
  server = createServer()
  await new Promise<void>((resolve) => server.listen(join(dir, 'sock'), resolve))
})

afterEach(async () => {
  peer.socket.destroy()
  await new Promise((resolve) => server.close(resolve))
  await rm(dir, { recursive: true })
})

test('a ping of the daemon is answered', async () => {
  const channel = await open()
  const ping = { program: keepAliveProgram.id, version: 1, procedure: KeepAlive.ping, type: MessageType.message, serial: 0, status: 0 }
  peer.socket.write(encodeRaw(ping))
  await heard(1)
  expect(peer.received[0]).toMatchObject({ ...ping, procedure: KeepAlive.pong, payload: Buffer.alloc(0) })
  channel.destroy()
})

test('an answer that is no answer fails its call alone', async () => {
  const channel = await open()
  const bad = channel.call(procedures.connectGetHostname, undefined)
  const long = channel.call(procedures.connectGetVersion, undefined)
  const good = channel.call(procedures.connectGetVersion, undefined)
  await heard(3)
  reply(peer.received[0]!, 'ffffffff')
  reply(peer.received[1]!, '0000000000000007' + '00000000')
  reply(peer.received[2]!, '0000000000000007')
  await expect(bad).rejects.toMatchObject({ name: 'XdrError' })
  await expect(long).rejects.toThrow('4 bytes too many')
  expect(await good).toEqual({ version: 7 })
  channel.destroy()
})

test('an answer that nobody waits for is passed over', async () => {
  const channel = await open()
  const call = channel.call(procedures.connectGetVersion, undefined)
  await heard(1)
  reply({ ...peer.received[0]!, serial: 4711 }, '')
  reply(peer.received[0]!, '0000000000000001')
  reply(peer.received[0]!, '0000000000000002')
  expect(await call).toEqual({ version: 1 })
  expect(channel.open).toBe(true)
  channel.destroy()
})

test('an event that is none ends the connection', async () => {
  const lost = Promise.withResolvers<Error>()
  await open({ onMessage: (packet) => readEvent(packet), onLost: lost.resolve })
  const header = { program: remoteProgram.id, version: 1, procedure: 318, type: MessageType.message, serial: 0, status: 0 }
  peer.socket.write(encodeRaw(header, Buffer.alloc(3)))
  expect((await lost.promise).message).toBe('the daemon sent what is not the protocol')
})

test('many calls go out without waiting for each other', async () => {
  const channel = await open({ maxInFlight: 100 })
  const calls = Promise.allSettled(Array.from({ length: 50 }, () => channel.call(procedures.connectGetVersion, undefined)))
  await heard(50)
  expect(new Set(peer.received.map(({ serial }) => serial)).size).toBe(50)
  channel.destroy()
  expect((await calls).every(({ status }) => status === 'rejected')).toBe(true)
})
