/**
 * A libvirt daemon for tests, in this process: it speaks the wire protocol on a UNIX socket, remembers domains, networks and
 * volumes, follows libvirt's rules about them, sends events, and fails, stalls or hangs up when told to.
 */
import { chmod, rm } from 'node:fs/promises'
import { createServer, type Server } from 'node:net'
import { ShutOffReason, StoppedDetail } from '../constants.ts'
import { ErrorCode, LibvirtError } from '../errors.ts'
import type { ProcedureName } from '../procedures.ts'
import { parseUri } from '../uri.ts'
import { backupHandlers } from './backup-handlers.ts'
import { domainHandlers } from './domain-handlers.ts'
import { guestHandlers } from './guest-handlers.ts'
import type { AnyHandler, CallContext, Handlers } from './handlers.ts'
import { nodeHandlers } from './node-handlers.ts'
import { Session } from './session.ts'
import { type MockState, newState } from './state.ts'
import { type MockDomain, World } from './world.ts'

export type MockCall = { procedure: ProcedureName; args: unknown }
export type MockFailure = { code?: number; message?: string; domain?: number }

const handlers: Handlers = { ...nodeHandlers, ...domainHandlers, ...guestHandlers, ...backupHandlers }
const running = new Map<string, MockDaemon>()

/**
 * @param options.sasl asks clients for this name and password
 * @throws when the socket cannot be made
 */
export async function startMockDaemon(options: { socket: string; sasl?: { username: string; password: string } }): Promise<MockDaemon> {
  const daemon = new MockDaemon(options)
  await daemon.listen()
  return daemon
}

export class MockDaemon implements AsyncDisposable {
  readonly socket: string
  /** What the daemon knows and how its guests behave. */
  readonly state: MockState
  /** Every call since the start, in the order of arrival. */
  readonly calls: MockCall[] = []
  /** The calls whose streams were broken off by the client. */
  readonly aborted: ProcedureName[] = []
  readonly #sasl: { username: string; password: string } | undefined
  readonly #sessions = new Set<Session>()
  readonly #failures = new Map<ProcedureName, LibvirtError[]>()
  readonly #holds = new Map<ProcedureName, Promise<void>[]>()
  #server: Server | undefined
  #frozen = false

  /** Use {@link startMockDaemon}. */
  constructor({ socket, sasl }: { socket: string; sasl?: { username: string; password: string } }) {
    this.socket = socket
    this.#sasl = sasl
    const world = new World((event) => {
      for (const session of this.#sessions) session.send(event)
    })
    this.state = newState(world, peerOf)
  }

  get uri(): string {
    return `qemu+unix:///system?socket=${this.socket}`
  }

  /** By UUID. */
  get domains(): ReadonlyMap<string, MockDomain> {
    return this.state.world.domains
  }

  get clients(): number {
    return this.#sessions.size
  }

  /** Streams that clients have open just now. */
  get openStreams(): number {
    return [...this.#sessions].reduce((sum, session) => sum + session.openStreams, 0)
  }

  /** The next call of this kind fails; asked for twice, the next two do. */
  failNext(procedure: ProcedureName, error: MockFailure | LibvirtError = {}): void {
    const { code = ErrorCode.OPERATION_FAILED, message = `${procedure} was told to fail`, domain = 10 } = error
    append(this.#failures, procedure, new LibvirtError(code, message, domain))
  }

  /** The next call of this kind waits. @returns what lets it go on */
  holdNext(procedure: ProcedureName): () => void {
    const { promise, resolve } = Promise.withResolvers<void>()
    append(this.#holds, procedure, promise)
    return resolve
  }

  /** A guest ends by itself, badly. */
  crash(uuid: string): void {
    const domain = this.state.world.requireActive({ uuid, name: '' })
    this.state.world.stop(domain, ShutOffReason.crashed, StoppedDetail.failed)
  }

  /** Someone in the guest shuts it down. */
  guestShutdown(uuid: string): void {
    this.state.world.shutdown(this.state.world.requireActive({ uuid, name: '' }))
  }

  /** Hangs up on all clients; they may come again. */
  dropConnections(): void {
    for (const session of this.#sessions) session.destroy()
  }

  /** Hears and says nothing, but keeps its connections; `false` ends that, for connections made afterwards. */
  freeze(frozen = true): void {
    this.#frozen = frozen
  }

  /** Stops listening and hangs up; what it knows stays, and {@link listen} brings it back. */
  async stop(): Promise<void> {
    running.delete(this.socket)
    const server = this.#server
    this.#server = undefined
    const closed = new Promise<void>((resolve) => (server ? server.close(() => resolve()) : resolve()))
    this.dropConnections()
    await closed
    await rm(this.socket, { force: true })
  }

  async listen(): Promise<void> {
    await rm(this.socket, { force: true })
    const server = createServer((socket) => {
      const session = new Session(socket, {
        handle: (name, args, context) => this.#handle(name, args, context),
        frozen: () => this.#frozen,
        aborted: (name) => this.aborted.push(name),
      })
      this.#sessions.add(session)
      socket.on('close', () => this.#sessions.delete(session))
    })
    await new Promise<void>((resolve, reject) => server.once('error', reject).listen(this.socket, resolve))
    await chmod(this.socket, 0o600)
    this.#server = server
    running.set(this.socket, this)
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop()
  }

  async #handle(name: ProcedureName, args: unknown, context: Omit<CallContext, 'state'>): Promise<unknown> {
    this.calls.push({ procedure: name, args })
    await this.#holds.get(name)?.shift()
    const failure = this.#failures.get(name)?.shift()
    if (failure) throw failure
    const handler = (handlers[name] ?? this.#authHandlers[name]) as AnyHandler | undefined
    if (!handler) throw new LibvirtError(ErrorCode.NO_SUPPORT, `this function is not supported by the connection driver: ${name}`)
    return handler(args, { ...context, state: this.state })
  }

  readonly #authHandlers: Handlers = {
    authList: () => ({ types: [this.#sasl ? 1 : 0] }),
    authSaslInit: () => ({ mechanisms: 'SCRAM-SHA-256,PLAIN' }),
    authSaslStart: ({ mechanism, data }) => {
      const right = this.#sasl && mechanism === 'PLAIN' && data.toString() === `\0${this.#sasl.username}\0${this.#sasl.password}`
      if (!right) throw new LibvirtError(ErrorCode.AUTH_FAILED, 'authentication failed')
      return { complete: true, nil: true, data: Buffer.alloc(0) }
    },
  }
}

function peerOf(uri: string): World | undefined {
  const { transport } = parseUri(uri)
  return transport.kind === 'unix' ? running.get(transport.sockets[0] ?? '')?.state.world : undefined
}

function append<K, V>(map: Map<K, V[]>, key: K, value: V): void {
  map.set(key, [...(map.get(key) ?? []), value])
}
