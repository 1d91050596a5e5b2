/** Peers that say nothing more: none of them holds a connection for good. */
import { connect, type Socket } from 'node:net'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { unauthenticated } from '../errors.ts'
import { silentLog } from '../log.ts'
import { HttpServer, identityDialect, mount, operation, PolicyEngine, type Service } from './index.ts'

const operations = [
  operation({ method: 'POST', path: '/echo', auth: 'none', status: 200, errors: [400], handle: ({ body }) => ({ body }) }),
]
const service: Service = { name: 'echo', dialect: identityDialect, operations, deps: {} }
let server: HttpServer
let at: { host: string; port: number }

beforeAll(async () => {
  server = new HttpServer({
    mounts: [mount('/echo', service)],
    authenticate: () => {
      throw unauthenticated('nobody')
    },
    policy: new PolicyEngine(),
    log: silentLog(),
    bodyWithinMs: 50,
    upgrades: { '/refusing': (_request, socket) => socket.end('HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n') },
  })
  at = await server.listen({ host: '127.0.0.1', port: 0 })
})
afterAll(() => server.close())

/** Sends this and nothing more, and never closes; gives what came until the server did. */
function untilCut(text: string): Promise<string> {
  return new Promise((resolve) => {
    let came = ''
    const socket: Socket = connect({ ...at, allowHalfOpen: true }, () => socket.write(text))
    // An answer does not end the wait: a half-open connection takes bytes until the server lets go of it.
    const probe = setInterval(() => socket.write('x'), 100)
    socket.on('data', (chunk) => {
      came += chunk
    })
    socket.on('error', () => undefined)
    socket.on('close', () => {
      clearInterval(probe)
      resolve(came)
    })
  })
}
const upgrade = (path: string) => `GET ${path} HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n`

it.each([
  ['a path without upgrade', '/nowhere', '404'],
  ['a refusal', '/refusing', '401'],
])('an upgrade that ends in %s is closed on both sides', async (_, path, status) => {
  expect(await untilCut(upgrade(path))).toContain(`HTTP/1.1 ${status}`)
})

it('a body that does not come is not waited for', async () => {
  const socket = connect(at)
  const answered = new Promise<string>((resolve) => socket.once('data', (chunk) => resolve(String(chunk))))
  const closed = new Promise((resolve) => socket.once('close', resolve))
  socket.write('POST /echo/echo HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: 500\r\n\r\n{')
  expect(await answered).toContain('HTTP/1.1 400')
  await closed
})
