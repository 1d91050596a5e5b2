/**
 * Consoles through a whole cloud: the page's files, who may open the WebSocket, and how a session ends.
 *
 * @see https://www.rfc-editor.org/rfc/rfc6143
 */
import { once } from 'node:events'
import { type IncomingMessage, request } from 'node:http'
import { Writable } from 'node:stream'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { Dispatcher, HttpServer, mount, PolicyEngine } from '../../src/base/http/index.ts'
import { makeLog } from '../../src/base/log.ts'
import { makeMetrics } from '../../src/base/metrics.ts'
import { makeConsoles } from '../../src/nova/console/index.ts'
import { makeModel } from '../../src/nova/model/index.ts'
import { openConsole, serveConsole, type TestConsole } from '../support/console.ts'
import { type ConsoleCloud, socketUrl, startConsoleCloud } from '../support/console-cloud.ts'
import { until } from '../support/until.ts'

let room: ConsoleCloud
let server: string

beforeAll(async () => {
  room = await startConsoleCloud({
    flags: { 'console.allowed_origins': 'horizon.example', 'serial_console.enabled': 'true', 'spice.enabled': 'true' },
  })
  server = await room.boot('web-1')
})
afterAll(() => room?.[Symbol.asyncDispose]())

/** Consoles that are open. */
const sessions = async () => Number(/^minicloud_console_sessions (\d+)$/m.exec(await room.cloud.cloud.ground.metrics.text())?.[1])
const greeting = (console: TestConsole) => until('the greeting', () => console.bytes().length >= 12)

describe('the page', () => {
  test.each(['vnc_lite.html', 'vnc.html', 'vnc_auto.html'])(
    '%s is noVNC, keeps its token and runs only what is from here',
    async (name) => {
      const answer = await fetch(`${room.origin}/console/${name}?path=x&title=y`)
      const text = await answer.text()
      expect(answer.status).toBe(200)
      expect(answer.headers.get('content-type')).toBe('text/html; charset=utf-8')
      expect(text).toMatch(/<html[^>]*>[\s\S]*<script[\s\S]*noVNC|noVNC[\s\S]*<script/)
      expect(text).not.toMatch(/<script(?![^>]*\bsrc=)|\son\w+=|\sstyle=/)
      expect(answer.headers.get('referrer-policy')).toBe('no-referrer')
      expect(answer.headers.get('cache-control')).toBe('no-store')
      expect(answer.headers.get('x-content-type-options')).toBe('nosniff')
      expect(answer.headers.get('x-frame-options')).toBe('SAMEORIGIN')
      const policy = answer.headers.get('content-security-policy') ?? ''
      expect(policy).toContain("default-src 'none'; script-src 'self'; style-src 'self';")
      expect(policy).toContain("frame-ancestors 'self'")
      expect(policy).not.toContain('unsafe')
    },
  )

  test('every module that it names is served as script, and again as not modified', async () => {
    const text = await (await fetch(`${room.origin}/console/vnc_lite.html`)).text()
    const names = [...text.matchAll(/(?:href|src)="([\w./-]+\.(?:js|css))"/g)].map((match) => match[1] ?? '')
    expect(names.length).toBeGreaterThan(40)
    for (const name of names) {
      const answer = await fetch(`${room.origin}/console/${name}`)
      await answer.arrayBuffer()
      expect([name, answer.status]).toEqual([name, 200])
      expect(answer.headers.get('content-type')).toMatch(name.endsWith('.css') ? /^text\/css/ : /^text\/javascript/)
      const again = await fetch(`${room.origin}/console/${name}`, { headers: { 'if-none-match': answer.headers.get('etag') ?? '' } })
      expect(again.status).toBe(304)
    }
  })

  test("a serial line's page is at its WebSocket's address, and tells its server's name", async () => {
    const id = await room.boot('<i>"serial"</i>')
    const url = await room.url(id, 'serial', 'serial')
    expect(url).toMatch(/^ws:\/\/127\.0\.0\.1:\d+\/console\/websockify\?token=[0-9a-f-]{36}$/)
    const answer = await fetch(url.replace(/^ws/, 'http'))
    expect([answer.status, answer.headers.get('content-type')]).toEqual([200, 'text/html; charset=utf-8'])
    expect(answer.headers.get('cache-control')).toBe('no-store')
    expect(answer.headers.get('referrer-policy')).toBe('no-referrer')
    const policy = answer.headers.get('content-security-policy') ?? ''
    expect(policy).toContain(
      "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; connect-src 'self';",
    )
    const text = await answer.text()
    expect(text).toContain('data-name="&lt;i&gt;&quot;serial&quot;&lt;/i&gt;"')
    expect(text).not.toMatch(/<script(?![^>]*\bsrc=)|\son\w+=/)
    // Looking at the page has not used the token up.
    const console = await openConsole(url, { origin: room.origin })
    expect(console.status).toBe(101)
    console.ws.terminate()
    expect(await (await fetch(url.replace(/^ws/, 'http'))).text()).toContain('data-name=""')
  })

  test('the link of a screen is no serial line', async () => {
    const url = socketUrl(await room.url(server)).replace(/^ws/, 'http')
    expect((await fetch(url)).status).toBe(404)
  })

  test.each([
    '',
    '/',
    '/novnc',
    '/novnc/',
    '/novnc/core/',
    '/novnc/package.json',
    '/novnc/../package.json',
    '/novnc/..%2f..%2fpackage.json',
    '/novnc/core/%2e%2e/%2e%2e/package.json',
    '/page',
    '/index.html',
    '/serial.html',
    '/spice/',
    '/spice/spice.html',
    '/xterm/',
    '/xterm/package.json',
    '//etc/passwd',
  ])('nothing is listed, and nothing leads elsewhere: %j', async (path) => {
    const answer = await fetch(`${room.origin}/console${path}`, { redirect: 'manual' })
    expect(answer.status).toBe(404)
    expect(await answer.text()).not.toContain('novnc/')
  })
})

describe('who may connect', () => {
  test('the page itself: a VNC server answers, in the subprotocol that was offered', async () => {
    const console = await openConsole(socketUrl(await room.url(server)), { origin: room.origin })
    expect(console.status).toBe(101)
    expect(console.ws.protocol).toBe('binary')
    await greeting(console)
    expect(console.bytes().toString()).toBe('RFB 003.008\n')
    console.ws.send(Buffer.from('RFB 003.008\n'))
    await until('the security types', () => console.bytes().length >= 14)
    expect([...console.bytes().subarray(12)]).toEqual([1, 1])
    console.ws.close()
    await console.ended
  })

  test.each([
    ['no browser', {}, 101],
    ['an allowed host', { origin: 'http://horizon.example' }, 101],
    ['another origin', { origin: 'http://evil.test' }, 403],
    ['the same host on another port', { origin: 'http://127.0.0.1:1' }, 403],
    ['a sandboxed frame', { origin: 'null' }, 403],
  ])('%s', async (_, options, status) => {
    const url = socketUrl(await room.url(server))
    const console = await openConsole(url, options)
    expect(console.status).toBe(status)
    console.ws.terminate()
    // Being refused for the origin does not use a token up.
    if (status !== 403) return
    const again = await openConsole(url)
    expect(again.status).toBe(101)
    again.ws.terminate()
  })

  test('a token opens one session', async () => {
    const url = socketUrl(await room.url(server))
    const [one, two] = await Promise.all([openConsole(url), openConsole(url)])
    expect([one.status, two.status].sort()).toEqual([101, 401])
    expect((await openConsole(url)).status).toBe(401)
    for (const { ws } of [one, two]) ws.terminate()
  })

  test('an expired token opens nothing', async () => {
    const url = socketUrl(await room.url(server))
    const { db, clock } = room.cloud.cloud.ground
    db.prepare('UPDATE console_auth_tokens SET expires = ?').run(Math.floor(clock.now() / 1000))
    expect((await openConsole(url)).status).toBe(401)
  })

  test('a guest whose console is elsewhere now is not opened with an older token', async () => {
    const url = socketUrl(await room.url(server))
    room.cloud.cloud.ground.db.prepare("UPDATE console_auth_tokens SET internal_access_path = '/before', port = 1").run()
    expect((await openConsole(url)).status).toBe(401)
  })

  test('a guest that cannot be reached keeps its token', async () => {
    const url = socketUrl(await room.url(server))
    room.driver.failNext('console')
    expect((await openConsole(url)).status).toBe(503)
    const console = await openConsole(url)
    expect(console.status).toBe(101)
    console.ws.terminate()
  })

  test('a handshake that fails late leaves no connection to the guest', async () => {
    let connections = 0
    await using guest = await serveConsole(() => {
      connections += 1
    })
    const { ground } = room.cloud.cloud
    const model = makeModel(ground)
    const conductor = { consoleTypes: async () => ['novnc'] as const, console: async () => ({ kind: 'unix', path: guest.path }) as const }
    await using consoles = makeConsoles({ ...ground, metrics: makeMetrics(), model, conductor })
    const authenticate = () => Promise.reject(new Error('nobody'))
    await using http = new HttpServer({
      mounts: [],
      upgrades: consoles.upgrades,
      authenticate,
      policy: new PolicyEngine(),
      log: ground.log,
    })
    const { host, port } = await http.listen({ host: '127.0.0.1', port: 0 })
    const { url } = await consoles.create(model.instances.get(server), 'novnc', `http://${host}:${port}`)
    const headers = {
      connection: 'upgrade',
      upgrade: 'websocket',
      'sec-websocket-version': '13',
      'sec-websocket-key': `${'A'.repeat(22)}==`,
    }
    const path = `/${new URL(url).searchParams.get('path')}`
    const asked = request({ host, port, path, headers: { ...headers, 'sec-websocket-protocol': 'a,,b' } }).end()
    const [answer] = (await once(asked, 'response')) as [IncomingMessage]
    expect(answer.statusCode).toBe(400)
    await until('the guest to be let go of', () => connections === 1 && guest.sockets.size === 0)
  })

  test('a token in the cookie is as good', async () => {
    const url = socketUrl(await room.url(server))
    const token = new URL(url).searchParams.get('token')
    const console = await openConsole(url.split('?')[0] ?? '', { cookie: `a=b; token=${token}; c=d` })
    expect(console.status).toBe(101)
    console.ws.terminate()
  })

  test.each(['', '?token=', '?token=b48316c5-71e8-45e4-9884-6c78055b9b13', '?other=1'])('no good token: %j', async (query) => {
    expect((await openConsole(`${room.origin.replace('http', 'ws')}/console/websockify${query}`)).status).toBe(401)
  })

  test('what is no handshake uses no token up', async () => {
    const url = socketUrl(await room.url(server))
    const { hostname, port, pathname, search } = new URL(url)
    const asked = request({ hostname, port, path: pathname + search, headers: { connection: 'upgrade', upgrade: 'websocket' } }).end()
    const [answer] = (await once(asked, 'response')) as [IncomingMessage]
    expect(answer.statusCode).toBe(400)
    const console = await openConsole(url)
    expect(console.status).toBe(101)
    console.ws.terminate()
  })

  test('a message beyond a mebibyte ends the session', async () => {
    const console = await openConsole(socketUrl(await room.url(server)))
    console.ws.send(Buffer.alloc(1024 * 1024 + 1))
    expect((await console.ended).code).toBe(1009)
  })

  test('the access log has the path and never the token', async () => {
    const lines: string[] = []
    const stream = new Writable({
      write(chunk, _encoding, done) {
        lines.push(String(chunk))
        done()
      },
    })
    const { ground } = room.cloud.cloud
    const log = makeLog({ level: 'trace', stream })
    const conductor = { consoleTypes: async () => ['novnc'] as const, console: () => room.driver.console(server, 'novnc') }
    const model = makeModel(ground)
    await using consoles = makeConsoles({ ...ground, log, metrics: makeMetrics(), model, conductor })
    const { url } = await consoles.create(model.instances.get(server), 'novnc', 'http://cloud.test')
    const token = new URL(socketUrl(url)).searchParams.get('token') ?? ''
    const dispatcher = new Dispatcher({
      mounts: [mount('/console', consoles.service)],
      authenticate: () => Promise.reject(new Error('nobody')),
      policy: new PolicyEngine(),
      log,
    })
    expect((await dispatcher.dispatch(new Request(url))).status).toBe(200)
    expect(lines.join('')).toContain('/console/vnc_lite.html')
    expect(token).toHaveLength(36)
    expect(lines.join('')).not.toContain(token)
  })
})

describe('a SPICE session', () => {
  test('has channels as long as its first is open, and no other', async () => {
    const url = socketUrl(await room.url(server, 'spice', 'spice-html5'))
    const main = await openConsole(url, { origin: room.origin })
    const screen = await openConsole(url, { origin: room.origin })
    expect([main.status, screen.status]).toEqual([101, 101])
    expect((await openConsole(url, { origin: 'http://evil.test' })).status).toBe(403)
    const brief = await openConsole(url)
    brief.ws.close()
    await brief.ended
    expect(screen.ws.readyState).toBe(screen.ws.OPEN)
    main.ws.close()
    expect(await screen.ended).toEqual({ code: 1000, reason: 'console closed' })
    expect((await openConsole(url)).status).toBe(401)
  })

  test('has no end of channels', async () => {
    const url = socketUrl(await room.url(server, 'spice', 'spice-html5'))
    const opened = []
    for (let i = 0; i < 17; i++) opened.push(await openConsole(url))
    expect(opened.map(({ status }) => status)).toEqual([...Array(16).fill(101), 401])
    for (const { ws } of opened) ws.terminate()
  })

  test('ends with its guest', async () => {
    const id = await room.boot('spiced')
    const url = socketUrl(await room.url(id, 'spice', 'spice-html5'))
    const [main, screen] = [await openConsole(url), await openConsole(url)]
    room.driver.happen(id, 'shutdown')
    expect(await main.ended).toEqual({ code: 1000, reason: 'guest stopped' })
    expect(await screen.ended).toEqual({ code: 1000, reason: 'guest stopped' })
  })
})

describe('how it ends', () => {
  test('a guest that stops ends its sessions and its tokens, and no other guest does', async () => {
    const [one, two] = [await room.boot('stops'), await room.boot('stays')]
    const [open, other] = [await openConsole(socketUrl(await room.url(one))), await openConsole(socketUrl(await room.url(two)))]
    const unused = socketUrl(await room.url(one))
    await greeting(open)
    room.driver.happen(one, 'shutdown')
    expect(await open.ended).toEqual({ code: 1000, reason: 'guest stopped' })
    await room.cloud.settle()
    await room.driver.powerOn(one)
    expect((await openConsole(unused)).status).toBe(401)
    expect(other.ws.readyState).toBe(other.ws.OPEN)
    other.ws.terminate()
  })

  test('a server that is deleted ends them too', async () => {
    const id = await room.boot('goes')
    const open = await openConsole(socketUrl(await room.url(id)))
    const unused = socketUrl(await room.url(id))
    await room.cloud.call('DELETE', `/compute/v2.1/servers/${id}`)
    expect(await open.ended).toEqual({ code: 1000, reason: 'guest stopped' })
    await room.cloud.settle()
    expect((await openConsole(unused)).status).toBe(401)
  })

  test('a browser that leaves is let go of', async () => {
    const before = await sessions()
    const open = await openConsole(socketUrl(await room.url(server)))
    await greeting(open)
    expect(await sessions()).toBe(before + 1)
    open.ws.terminate()
    await until('one session less', async () => (await sessions()) === before)
  })

  test('with enforce_session_timeout it ends with its token', async () => {
    await using cloud = await startConsoleCloud({ flags: { 'consoleauth.enforce_session_timeout': 'true', 'consoleauth.token_ttl': '1' } })
    const open = await openConsole(socketUrl(await cloud.url(await cloud.boot('brief'))))
    expect(await open.ended).toEqual({ code: 1000, reason: 'session timeout' })
  })

  test('a cloud that stops says good-bye at once, also to who does not read', async () => {
    await using cloud = await startConsoleCloud()
    const id = await cloud.boot('last')
    const [polite, deaf] = [
      await openConsole(socketUrl(await cloud.url(id))),
      await openConsole(socketUrl(await cloud.url(id)), { paused: true }),
    ]
    await greeting(polite)
    const startedAt = performance.now()
    await cloud.cloud[Symbol.asyncDispose]()
    expect(performance.now() - startedAt).toBeLessThan(4000)
    expect(await polite.ended).toEqual({ code: 1001, reason: 'going away' })
    deaf.ws.resume()
    expect((await deaf.ended).code).toBeGreaterThan(1000)
  })
})
