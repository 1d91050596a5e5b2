/** A session's two sides, each faster than the other: nothing is lost, and little is held. */
import { once } from 'node:events'
import { createServer, type Server } from 'node:http'
import { type AddressInfo, connect, type Socket } from 'node:net'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { WebSocket, WebSocketServer } from 'ws'
import { type ManualClock, manualClock } from '../../src/base/clock.ts'
import { silentLog } from '../../src/base/log.ts'
import { highWaterBytes, Session } from '../../src/nova/console/session.ts'
import { type GuestConsole, serveConsole } from '../support/console.ts'
import { until } from '../support/until.ts'

const readBytes = 64 * 1024
const chunk = Buffer.from(Array.from({ length: readBytes }, (_, i) => i % 251))

let http: Server
let guest: GuestConsole
let guestSide: Socket
let clock: ManualClock
/** The proxy's ends of both connections, and the browser's. */
let ws: WebSocket
let socket: Socket
let browser: WebSocket
let session: Session

beforeEach(async () => {
  clock = manualClock()
  guest = await serveConsole(() => undefined)
  socket = connect({ path: guest.path })
  await once(socket, 'connect')
  await until('the guest to be connected', () => guest.sockets.size === 1)
  guestSide = [...guest.sockets][0]!
  const upgrades = new WebSocketServer({ noServer: true, perMessageDeflate: false })
  http = createServer()
  const opened = new Promise<WebSocket>((resolve) => http.on('upgrade', (...args) => upgrades.handleUpgrade(...args, resolve)))
  http.listen(0, '127.0.0.1')
  await once(http, 'listening')
  browser = new WebSocket(`ws://127.0.0.1:${(http.address() as AddressInfo).port}/`, { perMessageDeflate: false })
  ws = await opened
  await once(browser, 'open')
  session = new Session(ws, socket, { clock, log: silentLog(), instanceUuid: 'x', endsAtMs: clock.now() + 120_000 })
})
afterEach(async () => {
  browser.terminate()
  await session.ended
  await guest[Symbol.asyncDispose]()
  await new Promise<void>((resolve) => http.close(() => resolve()))
})

/** The same number for a while, which a level that still moves is not. */
async function settled(read: () => number): Promise<number> {
  let last = -1
  let same = 0
  await until('a level that stays', () => {
    same = read() === last ? same + 1 : 0
    last = read()
    return same >= 8
  })
  return last
}

describe('back-pressure', () => {
  test('a browser that does not read stops the guest, and goes on with not a byte lost', async () => {
    const total = 64 * 1024 * 1024
    let sent = 0
    const flood = () => {
      while (sent < total) {
        sent += chunk.length
        if (!guestSide.write(chunk)) return
      }
    }
    guestSide.on('drain', flood)
    let highest = 0
    const watch = setInterval(() => {
      highest = Math.max(highest, ws.bufferedAmount)
    }, 1)
    browser.pause()
    flood()
    await settled(() => sent)
    expect(sent).toBeLessThan(total / 2)
    expect(socket.isPaused()).toBe(true)
    expect(ws.bufferedAmount).toBeGreaterThan(0)

    let received = 0
    let wrong = 0
    browser.on('message', (data: Buffer) => {
      for (let i = 0; i < data.length; i += 4093) if (data[i] !== ((received + i) % readBytes) % 251) wrong += 1
      received += data.length
    })
    browser.resume()
    await until('everything', () => received >= total, 60_000)
    clearInterval(watch)
    expect([received, wrong]).toEqual([total, 0])
    expect(highest).toBeLessThanOrEqual(highWaterBytes + 2 * readBytes)
  })

  test('a guest that does not read stops the browser, and goes on with not a byte lost', async () => {
    const total = 32 * 1024 * 1024
    guestSide.pause()
    for (let sent = 0; sent < total; sent += chunk.length) browser.send(chunk)
    await until('the browser to be held', () => ws.isPaused)
    await settled(() => browser.bufferedAmount)
    expect(browser.bufferedAmount).toBeGreaterThan(total / 2)
    expect(socket.writableLength).toBeLessThan(highWaterBytes)

    let received = 0
    guestSide.on('data', (data: Buffer) => {
      received += data.length
    })
    guestSide.resume()
    await until('everything', () => received === total, 60_000)
  })
})

describe('the end', () => {
  const closed = () => once(browser, 'close').then(([code, reason]) => ({ code, reason: String(reason) }))

  /** Time for a ping, which a browser that reads answers. */
  async function beat(): Promise<void> {
    const answered = once(ws, 'pong')
    await clock.advance('30 s')
    await answered
  }

  test('the time limit ends it', async () => {
    const end = closed()
    for (let i = 0; i < 3; i++) await beat()
    await clock.advance('29 s')
    expect(ws.readyState).toBe(ws.OPEN)
    await clock.advance('1 s')
    expect(await end).toEqual({ code: 1000, reason: 'session timeout' })
    expect(socket.destroyed).toBe(true)
  })

  test('a guest that hangs up leaves a moment for the word that it stopped', async () => {
    const end = closed()
    guestSide.end()
    await until('the hang-up to arrive', () => socket.closed)
    expect(ws.readyState).toBe(ws.OPEN)
    session.close(1000, 'guest stopped')
    expect(await end).toEqual({ code: 1000, reason: 'guest stopped' })
  })

  test('without such word the console is closed', async () => {
    const end = closed()
    guestSide.end()
    await until('the hang-up to arrive', () => socket.closed)
    await clock.advance('3 s')
    expect(await end).toEqual({ code: 1000, reason: 'console closed' })
  })

  test('a browser that answers pings stays', async () => {
    for (let i = 0; i < 3; i++) await beat()
    expect(ws.readyState).toBe(ws.OPEN)
  })

  test('one that answers none is cut off when the next is due', async () => {
    browser.pause()
    await clock.advance('30 s')
    expect(ws.readyState).toBe(ws.OPEN)
    await clock.advance('30 s')
    await session.ended
    expect(ws.readyState).toBe(ws.CLOSED)
  })
})
