/**
 * The listener: one address, all services by path; WebSocket upgrades go to whoever asked for their path. Hono and its
 * Node adapter are known here alone.
 */
import type { IncomingMessage, Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Duplex } from 'node:stream'
import { createAdaptorServer, type HttpBindings } from '@hono/node-server'
import { RESPONSE_ALREADY_SENT } from '@hono/node-server/utils/response'
import { Hono } from 'hono/tiny'
import { CloudError, messageOf } from '../errors.ts'
import { Dispatcher, type DispatcherOptions } from './dispatch.ts'
import type { JsonPieces } from './json-pieces.ts'

/** How long a peer may keep its half of an upgraded connection open when ours has ended. */
const halfOpenMs = 500

export type UpgradeHandler = (request: IncomingMessage, socket: Duplex, head: Buffer) => void

export type HttpServerOptions = DispatcherOptions & {
  /** By path prefix: `/console/websockify`. */
  upgrades?: Readonly<Record<string, UpgradeHandler>>
}

/** One listener with all its services. */
export class HttpServer implements AsyncDisposable {
  readonly #app: Hono<{ Bindings: Partial<HttpBindings> }>
  readonly #upgrades: Readonly<Record<string, UpgradeHandler>>
  readonly #options: HttpServerOptions
  #server: Server | undefined
  /** Connections that are HTTP no longer: nobody else would cut them. */
  readonly #upgraded = new Set<Duplex>()

  constructor(options: HttpServerOptions) {
    this.#options = options
    this.#upgrades = options.upgrades ?? {}
    const dispatcher = new Dispatcher(options)
    this.#app = new Hono()
    this.#app.all('*', (c) => {
      const { incoming, outgoing } = c.env ?? {}
      return dispatcher.dispatch(c.req.raw, {
        remoteAddress: incoming?.socket?.remoteAddress,
        ...(outgoing ? { sendPieces: (status, headers, body) => sendPieces(outgoing, status, headers, body) } : {}),
      })
    })
  }

  /** Answers a request with no socket between; for tests and for calls within the process. */
  async fetch(request: Request): Promise<Response> {
    return await this.#app.fetch(request, {})
  }

  /**
   * Listens; port 0 picks a free one.
   * @returns the URL's origin.
   * @throws {CloudError} `conflict` when the port is taken, `invalid` when the address cannot be had.
   */
  async listen({ host, port }: { host: string; port: number }): Promise<{ host: string; port: number }> {
    // A client that offers another protocol (`Upgrade: h2c`, as curl and Java do) is answered in this one.
    const serverOptions = { shouldUpgradeCallback: (request: IncomingMessage) => /^websocket$/i.test(request.headers.upgrade ?? '') }
    // The adapter's own Response knows its text: the global one would make a stream of it first.
    const server = createAdaptorServer({ fetch: this.#app.fetch, serverOptions }) as Server
    server.keepAliveTimeout = 75_000
    server.requestTimeout = 0
    server.headersTimeout = 30_000
    server.on('upgrade', (request, socket, head) => this.#upgrade(request, socket, head))
    await new Promise<void>((resolve, reject) => {
      server.once('error', (error: NodeJS.ErrnoException) => {
        const kind = error.code === 'EADDRINUSE' ? 'conflict' : 'invalid'
        reject(new CloudError(kind, `Cannot listen on ${host}:${port}: ${messageOf(error)}`, { cause: error }))
      })
      server.listen(port, host, resolve)
    })
    server.on('error', (error) => this.#options.log.error({ err: error }, `listener: ${messageOf(error)}`))
    this.#server = server
    const address = server.address() as AddressInfo
    return { host, port: address.port }
  }

  /** Takes no more requests, lets those that run finish within `graceMs`, then cuts. */
  async close(graceMs = 5000): Promise<void> {
    const server = this.#server
    if (!server) return
    this.#server = undefined
    const closed = new Promise<void>((resolve) => server.close(() => resolve()))
    // A connection that was busy is idle once it has answered; Node would keep it for the client's next request.
    const idle = setInterval(() => server.closeIdleConnections(), 25)
    const cut = setTimeout(() => {
      server.closeAllConnections()
      for (const socket of this.#upgraded) socket.destroy()
    }, graceMs)
    await closed
    clearInterval(idle)
    clearTimeout(cut)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }

  #upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    socket.on('error', (error) => this.#options.log.debug({ err: error }, 'socket error'))
    this.#upgraded.add(socket)
    socket.on('close', () => this.#upgraded.delete(socket))
    // Node leaves an upgraded connection to us: a peer that never closes its half would hold it for good.
    socket.once('finish', () => setTimeout(() => socket.destroy(), halfOpenMs).unref())
    const path = (request.url ?? '/').split('?')[0] ?? '/'
    const prefix = Object.keys(this.#upgrades).find((candidate) => path === candidate || path.startsWith(`${candidate}/`))
    const handler = prefix === undefined ? undefined : this.#upgrades[prefix]
    if (handler) {
      try {
        handler(request, socket, head)
      } catch (error) {
        this.#options.log.error({ path, err: error }, `upgrade failed: ${messageOf(error)}`)
        socket.destroy()
      }
    } else socket.end('HTTP/1.1 404 Not Found\r\nConnection: close\r\nContent-Length: 0\r\n\r\n')
  }
}

/** One write of many buffers, where a body in one piece would be copied first. */
function sendPieces(
  outgoing: HttpBindings['outgoing'],
  status: number,
  headers: Readonly<Record<string, string>>,
  body: JsonPieces,
): Response {
  outgoing.writeHead(status, { ...headers, 'content-length': String(body.length) })
  outgoing.cork()
  for (const piece of body.pieces) outgoing.write(piece)
  outgoing.end()
  return RESPONSE_ALREADY_SENT
}
