import { connect } from 'node:net'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { unauthenticated } from '../errors.ts'
import { makeLog } from '../log.ts'
import {
  ByteStream,
  HttpServer,
  identityDialect,
  JsonPieces,
  mount,
  novaDialect,
  operation,
  PolicyEngine,
  type Principal,
  Reply,
  type Service,
} from './index.ts'

const gates = { entered: Promise.withResolvers<void>(), leave: Promise.withResolvers<void>() }
const operations = [
  operation({ method: 'GET', path: '/hello', auth: 'none', status: 200, handle: ({ context }) => ({ url: context.baseUrl }) }),
  operation({ method: 'POST', path: '/echo', auth: 'none', status: 200, errors: [400], handle: ({ body }) => ({ body: body ?? null }) }),
  operation({ method: 'GET', path: '/items/{item_id}', auth: 'none', status: 200, handle: ({ params, search }) => [params, [...search]] }),
  operation({
    method: 'GET',
    path: '/slow',
    auth: 'none',
    status: 200,
    handle: async () => {
      gates.entered.resolve()
      await gates.leave.promise
      return { slow: true }
    },
  }),
  operation({
    method: 'PUT',
    path: '/stream',
    auth: 'none',
    status: 200,
    stream: true,
    handle: async ({ stream }) => {
      let size = 0
      for await (const chunk of stream()) size += chunk.byteLength
      return { size }
    },
  }),
  operation({
    method: 'GET',
    path: '/bytes',
    auth: 'none',
    status: 200,
    handle: () => new Reply({ body: new ByteStream(pieces(), 6) }),
  }),
  operation({
    method: 'GET',
    path: '/pages/{count}',
    auth: 'none',
    status: 200,
    handle: ({ params: { count } }) => JsonPieces.list('items', Array.from({ length: Number(count) }, item), { links: ['ü'] }),
  }),
  operation({ method: 'DELETE', path: '/items/{item_id}', status: 204, handle: () => undefined }),
]
const item = (_: unknown, i: number): Uint8Array => Buffer.from(JSON.stringify({ i, name: 'ä€😀' }))
async function* pieces(): AsyncIterable<Uint8Array> {
  yield Buffer.from('abc')
  yield Buffer.from('def')
}
const nova: Service = { name: 'compute', dialect: novaDialect, operations, deps: {}, jsonOnly: true }
const identity: Service = { name: 'identity', dialect: identityDialect, operations, deps: {} }

const logged: string[] = []
const makeServer = () =>
  new HttpServer({
    mounts: [mount('/compute', nova), mount('/identity', identity)],
    authenticate: (token) => {
      if (token !== 't') throw unauthenticated('no')
      return { roles: ['reader'], projectId: 'p' } as unknown as Principal
    },
    policy: new PolicyEngine(),
    log: makeLog({ stream: { write: (line: string) => void logged.push(line) } }),
    strict: true,
    upgrades: {
      '/ws': (_request, socket) =>
        void socket.write('HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n'),
      '/bad': () => {
        throw new Error('no session')
      },
    },
  })

let server: HttpServer
let port: number
beforeAll(async () => {
  server = makeServer()
  port = (await server.listen({ host: '127.0.0.1', port: 0 })).port
})
afterAll(() => server.close(0))

/** Sends these bytes, waits until `enough` of the answer is there or the server hangs up, and gives all that came. */
function raw(text: string, { to = port, enough = (_answer: string): boolean => false } = {}): Promise<string> {
  return new Promise((resolve) => {
    let answer = ''
    const socket = connect(to, '127.0.0.1', () => socket.write(text, 'latin1'))
    const end = () => {
      socket.destroy()
      resolve(answer)
    }
    socket.on('data', (data) => {
      answer += data.toString('latin1')
      if (enough(answer)) end()
    })
    socket.on('close', end)
    socket.on('error', end)
  })
}
const statuses = (answer: string) => [...answer.matchAll(/HTTP\/1\.1 (\d{3})/g)].map((match) => Number(match[1]))
const closing = (line: string, headers = '', body = '') =>
  `${line} HTTP/1.1\r\nHost: a.test:8774\r\nConnection: close\r\n${headers}\r\n${body}`

describe('a connection', () => {
  it('is kept alive, and pipelined requests are answered in order', async () => {
    const one = (path: string) => `GET ${path} HTTP/1.1\r\nHost: a\r\n\r\n`
    const answer = await raw(one('/compute/items/1') + one('/compute/nowhere') + closing('GET /compute/items/2'))
    expect(statuses(answer)).toEqual([200, 401, 200])
    expect(answer.indexOf('"1"')).toBeLessThan(answer.indexOf('"2"'))
  })

  it.each([0, 1, 3, 700, 5000])('is answered with JSON made of %i pieces as with any other', async (count) => {
    const items = Array.from({ length: count }, (_, i) => ({ i, name: 'ä€😀' }))
    const expected = JSON.stringify({ items, links: ['ü'] })
    const path = `/compute/pages/${count}`
    const answer = await fetch(`http://127.0.0.1:${port}${path}`)
    expect(answer.headers.get('content-type')).toBe('application/json')
    expect(answer.headers.get('content-length')).toBe(String(Buffer.byteLength(expected)))
    expect(answer.headers.get('x-compute-request-id')).toMatch(/^req-/)
    expect(await answer.text()).toBe(expected)
    expect(await (await server.fetch(new Request(`http://a.test${path}`))).text()).toBe(expected)
    const head = await fetch(`http://127.0.0.1:${port}${path}`, { method: 'HEAD' })
    expect([head.status, await head.text()]).toEqual([200, ''])
  })

  it('may end in the middle of them', async () => {
    const request = 'GET /compute/pages/5000 HTTP/1.1\r\nHost: a\r\n\r\n'
    await raw(request.repeat(5), { enough: (answer) => answer.length > 1000 })
    expect(statuses(await raw(closing('GET /compute/hello')))).toEqual([200])
  })

  it('may bring a body in pieces, declared or chunked', async () => {
    const slow = (head: string, parts: string[]): Promise<string> =>
      new Promise((resolve) => {
        let answer = ''
        const socket = connect(port, '127.0.0.1', () => {
          socket.setNoDelay(true)
          socket.write(head)
          const next = () => {
            const part = parts.shift()
            if (part !== undefined) socket.write(part, () => setImmediate(next))
          }
          next()
        })
        socket.on('data', (data) => {
          answer += data
        })
        socket.on('close', () => resolve(answer))
      })
    expect(await slow(closing('POST /compute/echo', 'Content-Length: 8\r\n'), ['{"a"', ':', ' 1', '}'])).toContain('{"body":{"a":1}}')
    const chunks = ['4\r\n{"a"\r\n', '4\r\n: 2}\r\n', '0\r\n\r\n']
    expect(await slow(closing('POST /compute/echo', 'Transfer-Encoding: chunked\r\n'), chunks)).toContain('{"body":{"a":2}}')
  })

  it.each([
    ['a declared body above the limit', closing('POST /compute/echo', 'Content-Length: 114689\r\n', 'x'), 413],
    [
      'a chunked body above the limit',
      closing('POST /compute/echo', 'Transfer-Encoding: chunked\r\n', `1c001\r\n${'x'.repeat(0x1c001)}\r\n0\r\n\r\n`),
      413,
    ],
    ['two lengths', closing('POST /compute/echo', 'Content-Length: 2\r\nContent-Length: 3\r\n', '{}'), 400],
    ['length and chunks', closing('POST /compute/echo', 'Content-Length: 2\r\nTransfer-Encoding: chunked\r\n', '0\r\n\r\n'), 400],
    ['headers too large', closing('GET /compute/hello', `X-Large: ${'x'.repeat(40_000)}\r\n`), 431],
    ['no HTTP', 'hello\r\n\r\n', 400],
    ['no host', 'GET /compute/hello HTTP/1.1\r\nConnection: close\r\n\r\n', 400],
    ['a host that is none', 'GET /compute/hello HTTP/1.1\r\nHost: a b/c\r\nConnection: close\r\n\r\n', 400],
    ['a target that is no path', closing('GET hello'), 400],
    ['the whole server', closing('OPTIONS *'), 400],
    ['OPTIONS', closing('OPTIONS /compute/hello'), 401],
    ['TRACE', closing('TRACE /compute/hello'), 401],
    ['an unknown method', closing('BREW /compute/hello'), 400],
    ['a tunnel', closing('CONNECT a.test:443'), undefined],
    ['an absolute target', closing('GET http://b.test/compute/hello'), 200],
    ['dots that leave the mount', closing('GET /compute/../../etc/passwd'), 404],
    ['an encoded path that is none', closing('GET /compute/items/%ff', 'X-Auth-Token: t\r\n'), 404],
    ['nobody’s path', closing('GET /elsewhere'), 404],
    ['a mount with more letters', closing('GET /computer/hello'), 404],
  ])('with %s is answered', async (_what, text, status) => {
    expect(statuses(await raw(text))[0]).toBe(status)
    expect(statuses(await raw(closing('GET /compute/hello')))).toEqual([200])
  })

  it('that brings more than it declared has no second request taken from the rest', async () => {
    const answer = await raw(`${closing('POST /compute/echo', 'Content-Length: 2\r\n', '{}')}GET /compute/items/smuggled HTTP/1.1\r\n\r\n`)
    expect(statuses(answer)).toHaveLength(1)
    expect(answer).not.toContain('smuggled')
  })

  it('that offers another protocol is answered in this one', async () => {
    const answer = await raw(
      'GET /compute/hello HTTP/1.1\r\nHost: a\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n\r\n',
      { enough: (text) => text.includes('url') },
    )
    expect(statuses(answer)).toEqual([200])
  })

  it('that breaks off in the middle of a body harms nobody', async () => {
    const before = logged.length
    const socket = connect(port, '127.0.0.1', () => {
      socket.write(closing('POST /compute/echo', 'Content-Length: 100\r\n', '{'), () => socket.destroy())
    })
    await new Promise((resolve) => socket.on('close', resolve))
    expect(statuses(await raw(closing('GET /compute/hello')))).toEqual([200])
    expect(logged.slice(before).join('')).not.toContain('unexpected')
  })
})

describe('answers', () => {
  it('carry links of the host that the client wrote', async () => {
    expect(await raw(closing('GET /compute/hello'))).toContain('"http://a.test:8774/compute"')
    expect(await raw(closing('GET http://b.test:1234/compute/hello'))).toContain('"http://b.test:1234/compute"')
  })
  it('to HEAD have no body', async () => {
    for (const path of ['/compute/hello', '/compute/bytes', '/compute/nowhere']) {
      const answer = await raw(closing(`HEAD ${path}`))
      expect(answer.split('\r\n\r\n')[1], path).toBe('')
    }
  })
  it('of bytes come whole, with their length', async () => {
    const answer = await raw(closing('GET /compute/bytes'))
    expect(answer).toMatch(/content-length: 6/i)
    expect(answer).toMatch(/\r\n\r\nabcdef$/)
  })
  it('take streams beyond the limit of bodies', async () => {
    expect(await raw(closing('PUT /compute/stream', 'Content-Length: 300000\r\n', 'x'.repeat(300_000)))).toContain('{"size":300000}')
  })
  it('of 405 say what is allowed', async () => {
    const open: Service = { ...identity, operations: operations.slice(0, 2) }
    const one = new HttpServer({
      mounts: [mount('', open)],
      authenticate: () => ({ roles: [] }) as never,
      policy: new PolicyEngine(),
      log: makeLog({ level: 'silent' }),
    })
    for (const method of ['OPTIONS', 'DELETE', 'PATCH']) {
      const answer = await one.fetch(new Request('http://a/hello', { method, headers: { 'x-auth-token': 't' } }))
      expect([answer.status, answer.headers.get('allow')]).toEqual([405, 'GET, HEAD'])
    }
  })
})

describe('upgrades', () => {
  const ask = (path: string) => `GET ${path} HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n`
  it('go to who asked for the path; others get 404; a handler that throws ends its socket alone', async () => {
    expect(statuses(await raw(ask('/ws?token=x'), { enough: (text) => text.includes('\r\n\r\n') }))).toEqual([101])
    expect(statuses(await raw(ask('/wsx')))).toEqual([404])
    expect(statuses(await raw(ask('/bad')))).toEqual([])
    expect(logged.join('')).toContain('no session')
    expect(statuses(await raw(closing('GET /compute/hello')))).toEqual([200])
  })
})

describe('closing', () => {
  it('lets running requests finish and waits for no idle connection', async () => {
    const other = makeServer()
    const { port: to } = await other.listen({ host: '127.0.0.1', port: 0 })
    const running = raw('GET /compute/slow HTTP/1.1\r\nHost: a\r\n\r\n', { to })
    await gates.entered.promise
    const closed = other.close(60_000)
    expect(statuses(await raw(closing('GET /compute/hello'), { to }))).toEqual([])
    gates.leave.resolve()
    expect(await running).toContain('{"slow":true}')
    await closed
  })
  it('cuts upgraded connections after the grace, and may be asked twice', async () => {
    const other = makeServer()
    const { port: to } = await other.listen({ host: '127.0.0.1', port: 0 })
    const opened = Promise.withResolvers<void>()
    const upgraded = raw('GET /ws HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n', {
      to,
      enough: () => {
        opened.resolve()
        return false
      },
    })
    await opened.promise
    await other.close(10)
    await other.close()
    expect(statuses(await upgraded)).toEqual([101])
  })
  it('tells a port that is taken, and an address that is not here', async () => {
    await expect(makeServer().listen({ host: '127.0.0.1', port })).rejects.toMatchObject({ kind: 'conflict' })
    await expect(makeServer().listen({ host: '192.0.2.1', port: 0 })).rejects.toMatchObject({ kind: 'invalid' })
  })
})

describe('whatever comes', () => {
  const segment = fc.oneof(
    fc.constantFrom('hello', 'echo', 'items', 'stream', '..', '%2e', '%00', '%ff', '', '__proto__'),
    fc.string({ maxLength: 8 }),
  )
  const path = fc
    .tuple(
      fc.constantFrom('/compute', '/identity', '/compute/items', ''),
      fc.array(segment, { maxLength: 4 }),
      fc.string({ maxLength: 10 }),
    )
    .map(([prefix, parts, query]) => `${prefix}/${parts.join('/')}${query === '' ? '' : `?${query}`}`)
  const method = fc.constantFrom('GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'TRACE', 'PROPFIND', 'get', 'X')
  const header = fc.tuple(
    fc.constantFrom(
      'X-Auth-Token',
      'Content-Type',
      'OpenStack-API-Version',
      'X-Forwarded-Host',
      'Accept',
      'Expect',
      'Host',
      'Range',
      'Cookie',
      'Upgrade',
    ),
    fc.oneof(
      fc.string({ maxLength: 20, unit: 'binary' }),
      fc.constantFrom('t', '100-continue', 'application/json', 'compute 2.5', 'websocket', '*/*'),
    ),
  )
  const body = fc.oneof(fc.json(), fc.string({ unit: 'binary' }), fc.constantFrom('', '{', '[[[['.repeat(100), '{"__proto__": 1}'))

  it('over a socket, the server lives and answers below 500', { timeout: 60_000 }, async () => {
    await fc.assert(
      fc.asyncProperty(method, path, fc.array(header, { maxLength: 4 }), body, async (verb, target, headers, content) => {
        const bytes = Buffer.from(content)
        const lines = headers.map(([name, value]) => `${name}: ${value}\r\n`).join('')
        const text = closing(`${verb} ${target}`, `${lines}Content-Length: ${bytes.byteLength}\r\n`, bytes.toString('latin1'))
        for (const status of statuses(await raw(text))) expect(status).toBeLessThan(500)
      }),
      { numRuns: 300 },
    )
    expect(statuses(await raw(closing('GET /compute/hello')))).toEqual([200])
  })

  it('in process, every path, method and body is answered below 500', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom('GET', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'),
        fc.webPath(),
        body,
        async (verb, target, content) => {
          for (const prefix of ['/compute', '/identity/items']) {
            const url = `http://a.test${prefix}${target}`
            const answer = await server.fetch(
              new Request(url, { method: verb, headers: { 'x-auth-token': 't' }, ...(verb === 'GET' ? {} : { body: content }) }),
            )
            expect(answer.status).toBeLessThan(500)
            await answer.arrayBuffer()
          }
        },
      ),
      { numRuns: 200 },
    )
  })
})
