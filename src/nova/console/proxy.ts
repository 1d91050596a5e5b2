/**
 * The WebSocket side of consoles: who may connect, and the sessions that are open.
 *
 * A token opens one session. Loading the page does not use it up, a WebSocket that connects does. It dies with its guest: when the guest
 * stops or goes away, or has its console at another address. Nothing about a token is ever logged.
 *
 * SPICE opens one WebSocket for the session, and others for screen, keys and pointer: with the same token, as long as the first is open.
 *
 * Refusals: 400 no WebSocket handshake, 401 no good token, 403 a page of another origin, 503 the guest's console cannot be reached. They
 * come with no body, since a client may take what follows the head for the console's bytes.
 *
 * @see https://github.com/novnc/websockify/wiki
 */
import { type IncomingMessage, STATUS_CODES } from 'node:http'
import type { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import type { WebSocket, WebSocketServer } from 'ws'
import { messageOf } from '../../base/errors.ts'
import type { Ground } from '../../base/ground.ts'
import { type GuestChanged, guestChanged } from '../compute/index.ts'
import type { Conductor } from '../conductor/index.ts'
import type { ConsoleToken, Model } from '../model/index.ts'
import type { ConsoleType } from '../virt/index.ts'
import { mayConnect } from './addresses.ts'
import { consoleAuthConfig, consoleConfig } from './config.ts'
import { addressOf, connectConsole } from './endpoint.ts'
import { Session } from './session.ts'

export type ProxyDeps = Pick<Ground, 'clock' | 'config' | 'log' | 'queue'> & { model: Model; conductor: Pick<Conductor, 'console'> }

/** A clipboard is the longest thing that a browser sends. */
const maxMessageBytes = 1024 * 1024
const disposeGraceMs = 2000
/** Of one SPICE session. It has some four channels, and one for each USB device that is passed on. */
const maxChannels = 16

/** After these the guest's console is no more; what a browser is told. */
const ends: Partial<Record<GuestChanged['change'], string>> = {
  stopped: 'guest stopped',
  crashed: 'guest stopped',
  suspended: 'guest suspended',
}

class Refused extends Error {
  readonly status: number
  constructor(status: number, message: string, options?: ErrorOptions) {
    super(message, options)
    this.status = status
  }
}

export class ConsoleProxy implements AsyncDisposable {
  readonly #deps: ProxyDeps
  /** Loaded for the first console: many a cloud never opens one. */
  #server: Promise<WebSocketServer> | undefined
  readonly #sessions = new Set<Session>()
  /** Open SPICE sessions by token: the first is the session. */
  readonly #spice = new Map<string, { readonly row: ConsoleToken; readonly channels: Set<Session> }>()
  readonly #unsubscribe: () => void
  #isClosing = false

  constructor(deps: ProxyDeps) {
    this.#deps = deps
    this.#unsubscribe = deps.queue.subscribe(guestChanged, ({ payload }) => this.#guestChanged(payload as GuestChanged))
  }

  get open(): number {
    return this.#sessions.size
  }

  /** Answers a handshake, in any case. */
  async upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): Promise<void> {
    const { log, model } = this.#deps
    let guest: Socket | undefined
    try {
      checkHandshake(request)
      const token = tokenOf(request)
      const row = this.#check(token, request.headers.origin)
      this.#server ??= makeServer()
      const server = await this.#server
      guest = await this.#reach(row)
      if (socket.destroyed || this.#isClosing) throw new Refused(503, 'gone meanwhile')
      if (!this.#mayJoin(token) && !model.consoleTokens.consume(token)) throw new Refused(401, 'token used meanwhile')
      server.handleUpgrade(request, socket, head, this.#start(request, socket, guest, row, token))
    } catch (error) {
      guest?.destroy()
      if (error instanceof Refused) log.info({ status: error.status, err: error.cause }, `console refused: ${error.message}`)
      else log.error({ err: error }, `console failed: ${messageOf(error)}`)
      refuse(socket, error instanceof Refused ? error.status : 500)
    }
  }

  /** Says good-bye to everyone, and cuts off whoever does not answer. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#isClosing = true
    this.#unsubscribe()
    const sessions = [...this.#sessions]
    for (const session of sessions) session.close(1001, 'going away')
    const cut = setTimeout(() => {
      for (const session of sessions) session.terminate()
    }, disposeGraceMs)
    await Promise.all(sessions.map(({ ended }) => ended))
    clearTimeout(cut)
  }

  #check(token: string, origin: string | undefined): ConsoleToken {
    const { model, config } = this.#deps
    const row = token === '' ? null : (this.#spice.get(token)?.row ?? model.consoleTokens.find(token))
    if (!row) throw new Refused(401, 'no good token')
    if (!mayConnect(origin, row.accessUrlBase, config.get(consoleConfig).allowedOrigins)) throw new Refused(403, 'a page of another origin')
    return row
  }

  /** @throws {Refused} when a session has more channels than any client opens */
  #mayJoin(token: string): boolean {
    const open = this.#spice.get(token)
    if (open && open.channels.size >= maxChannels) throw new Refused(401, 'too many channels')
    return open !== undefined
  }

  async #reach(row: ConsoleToken): Promise<Socket> {
    const { model, conductor } = this.#deps
    const instance = model.instances.find(row.instanceUuid)
    if (!instance) throw new Refused(401, 'the server is gone')
    let endpoint: Awaited<ReturnType<typeof conductor.console>>
    try {
      endpoint = await conductor.console(instance, row.consoleType as ConsoleType)
    } catch (error) {
      throw new Refused(503, 'the guest has no console now', { cause: error })
    }
    const now = addressOf(endpoint, instance.host ?? '')
    if (now.host !== row.host || now.port !== row.port || now.internalAccessPath !== row.internalAccessPath)
      throw new Refused(401, 'the console has moved')
    try {
      return await connectConsole(endpoint)
    } catch (error) {
      throw new Refused(503, 'the console does not answer', { cause: error })
    }
  }

  /** What begins when the handshake is done. */
  #start(request: IncomingMessage, socket: Duplex, guest: Socket, row: ConsoleToken, token: string): (ws: WebSocket) => void {
    const { clock, log, config } = this.#deps
    const endsAtMs = config.get(consoleAuthConfig).enforceSessionTimeout ? row.expires * 1000 : null
    // A handshake that ws refuses after all ends with its socket, and nobody else would know.
    guest.on('error', () => guest.destroy())
    socket.once('close', () => guest.destroy())
    return (ws) => {
      const session = new Session(ws, guest, { clock, log, instanceUuid: row.instanceUuid, endsAtMs })
      this.#sessions.add(session)
      if (row.consoleType === 'spice-html5') this.#addChannel(token, row, session)
      log.info({ instance: row.instanceUuid, console: row.consoleType, remote: request.socket.remoteAddress }, 'console opened')
      void session.ended.then(() => {
        this.#sessions.delete(session)
        log.info({ instance: row.instanceUuid, console: row.consoleType }, 'console closed')
      })
    }
  }

  #addChannel(token: string, row: ConsoleToken, session: Session): void {
    const open = this.#spice.get(token)
    const channels = open?.channels ?? new Set()
    channels.add(session)
    if (!open) this.#spice.set(token, { row, channels })
    void session.ended.then(() => {
      channels.delete(session)
      if (open) return
      this.#spice.delete(token)
      for (const channel of channels) channel.close(1000, 'console closed')
    })
  }

  #guestChanged({ uuid, change }: GuestChanged): void {
    const reason = ends[change]
    if (reason === undefined) return
    this.#deps.model.consoleTokens.revoke(uuid)
    for (const session of this.#sessions) if (session.instanceUuid === uuid) session.close(1000, reason)
  }
}

async function makeServer(): Promise<WebSocketServer> {
  const { WebSocketServer } = await import('ws')
  return new WebSocketServer({
    noServer: true,
    clientTracking: false,
    perMessageDeflate: false,
    maxPayload: maxMessageBytes,
    handleProtocols: (offered) => (offered.has('binary') ? 'binary' : false),
  })
}

/** Before a token is used up, what `ws` will ask for must be there. */
function checkHandshake({ method, headers }: IncomingMessage): void {
  const isGood =
    method === 'GET' &&
    headers.upgrade?.toLowerCase() === 'websocket' &&
    headers['sec-websocket-version'] === '13' &&
    /^[+/0-9A-Za-z]{22}==$/.test(headers['sec-websocket-key'] ?? '')
  if (!isGood) throw new Refused(400, 'no WebSocket handshake')
}

/** From the query, or from the cookie that older pages of noVNC set. */
function tokenOf({ url = '', headers }: IncomingMessage): string {
  const queryAt = url.indexOf('?')
  const fromQuery = queryAt < 0 ? null : new URLSearchParams(url.slice(queryAt + 1)).get('token')
  return fromQuery ?? /(?:^|;\s*)token="?([\w-]+)"?(?:;|$)/.exec(headers.cookie ?? '')?.[1] ?? ''
}

function refuse(socket: Duplex, status: number): void {
  if (socket.destroyed) return
  socket.end(`HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`)
}
