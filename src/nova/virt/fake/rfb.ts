/**
 * A VNC server for one client and one picture: RFB 3.3, 3.7 and 3.8 without security, raw encoding only.
 *
 * @see https://www.rfc-editor.org/rfc/rfc6143
 */
import type { Socket } from 'node:net'
import { palette, screenHeight, screenWidth } from './screen.ts'

export type Screen = {
  readonly title: string
  /** Pixels as {@link drawScreen} makes them. */
  picture(): Uint8Array
  /** A key went down, as an X11 keysym. */
  key(keysym: number): void
}
export type RfbClient = { /** The picture is another now. */ changed(): void }

type PixelFormat = { bytes: number; bigEndian: boolean; max: readonly number[]; shift: readonly number[] }
const ownFormat: PixelFormat = { bytes: 4, bigEndian: false, max: [255, 255, 255], shift: [16, 8, 0] }
const cutTextMax = 1 << 20

/** Serves a connection until either side ends it; a client that breaks the protocol is cut off. */
export function serveRfb(socket: Socket, screen: Screen): RfbClient {
  let format = ownFormat
  let unseen = true
  let asked = false
  const answer = () => {
    if (!asked || !unseen || socket.writableNeedDrain) return
    asked = false
    unseen = false
    socket.write(update(screen.picture(), format))
  }
  socket.on('drain', answer)
  readAll(socket, async (read) => {
    socket.write('RFB 003.008\n')
    const version = (await read(12)).toString('latin1')
    if (!/^RFB \d{3}\.\d{3}\n$/.test(version)) throw new Error('not RFB')
    if (version < 'RFB 003.007') socket.write(u32(1))
    else {
      socket.write(Buffer.from([1, 1]))
      if ((await read(1))[0] !== 1) throw new Error('security type refused')
      if (version >= 'RFB 003.008') socket.write(u32(0))
    }
    await read(1)
    const title = Buffer.from(screen.title)
    socket.write(Buffer.concat([serverInit(), u32(title.length), title]))
    for (;;) {
      const type = (await read(1))[0]
      if (type === 0) {
        format = pixelFormat((await read(19)).subarray(3))
        unseen = true
      } else if (type === 2) {
        const count = (await read(3)).readUInt16BE(1)
        await read(count * 4)
      } else if (type === 3) {
        if ((await read(9))[0] === 0) unseen = true
        asked = true
        answer()
      } else if (type === 4) {
        const body = await read(7)
        if (body[0] !== 0) screen.key(body.readUInt32BE(3))
      } else if (type === 5) await read(5)
      else if (type === 6) {
        const length = (await read(7)).readUInt32BE(3)
        if (length > cutTextMax) throw new Error('too much text')
        await read(length)
      } else throw new Error('unknown message')
    }
  })
  return {
    changed: () => {
      unseen = true
      answer()
    },
  }
}

/** Gives `talk` bytes by count, from however the socket brings them. */
function readAll(socket: Socket, talk: (read: (bytes: number) => Promise<Buffer>) => Promise<void>): void {
  let waiting: Buffer = Buffer.alloc(0)
  let want: { bytes: number; resolve: (data: Buffer) => void } | undefined
  const serve = () => {
    if (!want || waiting.length < want.bytes) return
    const { bytes, resolve } = want
    want = undefined
    const data = waiting.subarray(0, bytes)
    waiting = waiting.subarray(bytes)
    if (waiting.length < 65_536) socket.resume()
    resolve(data)
  }
  socket.on('data', (chunk: Buffer) => {
    waiting = waiting.length === 0 ? chunk : Buffer.concat([waiting, chunk])
    if (waiting.length > cutTextMax * 2) socket.pause()
    serve()
  })
  socket.on('error', () => socket.destroy())
  talk(
    (bytes) =>
      new Promise((resolve) => {
        want = { bytes, resolve }
        serve()
      }),
  ).catch(() => socket.destroy())
}

function u32(value: number): Buffer {
  const buffer = Buffer.alloc(4)
  buffer.writeUInt32BE(value)
  return buffer
}

function serverInit(): Buffer {
  const init = Buffer.alloc(20)
  init.writeUInt16BE(screenWidth, 0)
  init.writeUInt16BE(screenHeight, 2)
  init.set([32, 24, 0, 1], 4)
  for (const [i, max] of ownFormat.max.entries()) init.writeUInt16BE(max, 8 + i * 2)
  init.set(ownFormat.shift, 14)
  return init
}

function pixelFormat(wire: Buffer): PixelFormat {
  const bits = wire[0] ?? 0
  if (![8, 16, 32].includes(bits) || wire[3] === 0) throw new Error('pixel format not served')
  return {
    bytes: bits / 8,
    bigEndian: wire[2] !== 0,
    max: [wire.readUInt16BE(4), wire.readUInt16BE(6), wire.readUInt16BE(8)],
    shift: [wire[10] ?? 0, wire[11] ?? 0, wire[12] ?? 0],
  }
}

/** The whole picture as one raw rectangle. */
function update(pixels: Uint8Array, format: PixelFormat): Buffer {
  const header = Buffer.alloc(16)
  header.writeUInt16BE(1, 2)
  header.writeUInt16BE(screenWidth, 8)
  header.writeUInt16BE(screenHeight, 10)
  const colours = palette.map((colour) => {
    const value = colour.reduce((sum, part, i) => {
      return sum + Math.round((part * (format.max[i] ?? 255)) / 255) * 2 ** Math.min(format.shift[i] ?? 0, 31)
    }, 0)
    const wire = Buffer.alloc(format.bytes)
    const fitting = value % 2 ** (format.bytes * 8)
    if (format.bigEndian) wire.writeUIntBE(fitting, 0, format.bytes)
    else wire.writeUIntLE(fitting, 0, format.bytes)
    return wire
  })
  const body = Buffer.alloc(pixels.length * format.bytes, colours[0])
  const ink = colours[1] ?? Buffer.alloc(format.bytes)
  pixels.forEach((pixel, i) => {
    if (pixel === 1) body.set(ink, i * format.bytes)
  })
  return Buffer.concat([header, body])
}
