/** One client of a mock daemon: packets in, calls to their handlers, answers, streams and events out. */
import type { Socket } from 'node:net'
import type { Codec } from '../codec.ts'
import { ErrorCode, LibvirtError } from '../errors.ts'
import { type DomainEvent, eventTypes } from '../events.ts'
import { encode, encodeRaw, MessageStatus, MessageType, maxStreamBytes, type Packet, PacketSplitter } from '../framing.ts'
import { type ProcedureName, procedures } from '../procedures.ts'
import { errorBody, KeepAlive, keepAliveProgram, type Procedure, remoteProgram } from '../protocol.ts'
import { XdrReader } from '../xdr.ts'
import type { CallContext, ServerStream } from './handlers.ts'

export type SessionHost = {
  handle: (name: ProcedureName, args: unknown, context: Omit<CallContext, 'state'>) => Promise<unknown>
  /** While true nothing is heard and nothing answered, as if the machine hung. */
  frozen: () => boolean
  /** A client breaks a stream off. */
  aborted: (name: ProcedureName) => void
}

const byNumber = new Map<string, [ProcedureName, Procedure<unknown, unknown>]>(
  Object.entries(procedures).map(([name, procedure]) => [
    `${procedure.program.id} ${procedure.number}`,
    [name as ProcedureName, procedure as unknown as Procedure<unknown, unknown>],
  ]),
)

type OpenStream = { name: ProcedureName; data: (bytes: Buffer) => void; finish: () => void }

export class Session {
  readonly #socket: Socket
  readonly #host: SessionHost
  readonly #splitter = new PacketSplitter()
  readonly #callbacks = new Map<number, number>()
  readonly #streams = new Map<number, OpenStream>()
  #nextCallback = 1

  constructor(socket: Socket, host: SessionHost) {
    this.#socket = socket
    this.#host = host
    socket.on('data', (chunk: Buffer) => {
      if (host.frozen()) return
      try {
        for (const packet of this.#splitter.push(chunk)) this.#receive(packet)
      } catch {
        socket.destroy()
      }
    })
    // A client that goes away is no failure of the daemon.
    socket.on('error', () => socket.destroy())
  }

  get openStreams(): number {
    return this.#streams.size
  }

  destroy(): void {
    this.#socket.destroy()
  }

  /** Like libvirt, sends an event once for each callback that asked for its kind. */
  send(event: DomainEvent): void {
    const { kind, ...body } = event
    const type = eventTypes[kind]
    for (const [callback, id] of this.#callbacks) {
      if (id !== type.id) continue
      const codec: Codec<unknown> = {
        read: () => undefined,
        write: (writer) => {
          writer.i32(callback)
          ;(type.body as Codec<unknown>).write(writer, body)
        },
      }
      const { id: program, version } = remoteProgram
      const header = { program, version, procedure: type.procedure, type: MessageType.message, serial: 0, status: MessageStatus.ok }
      this.#socket.write(encode(header, codec, undefined))
    }
  }

  #receive(packet: Packet): void {
    if (packet.program === keepAliveProgram.id) {
      if (packet.procedure === KeepAlive.ping) this.#socket.write(encodeRaw({ ...packet, procedure: KeepAlive.pong }))
    } else if (packet.type === MessageType.stream) this.#receiveStream(packet)
    else if (packet.type === MessageType.call) void this.#call(packet)
    else this.#socket.destroy()
  }

  async #call(packet: Packet): Promise<void> {
    const reply = { ...packet, type: MessageType.reply }
    let opens: ((stream: ServerStream) => void) | undefined
    try {
      const known = byNumber.get(`${packet.program} ${packet.procedure}`)
      if (!known) throw new LibvirtError(ErrorCode.RPC, `unknown procedure: ${packet.procedure}`, 7)
      const [name, procedure] = known
      const reader = new XdrReader(packet.payload)
      const args = procedure.args.read(reader)
      reader.end()
      const result = await this.#host.handle(name, args, {
        stream: (run) => {
          opens = run
        },
        registerEvent: (event) => {
          this.#callbacks.set(this.#nextCallback, event)
          return this.#nextCallback++
        },
        deregisterEvent: (callback) => {
          this.#callbacks.delete(callback)
        },
      })
      if (this.#host.frozen()) return
      this.#socket.write(encode({ ...reply, status: MessageStatus.ok }, procedure.ret, result))
      opens?.(this.#openStream(packet, name))
    } catch (error) {
      this.#sendError(reply, error)
    }
  }

  #openStream(packet: Packet, name: ProcedureName): ServerStream {
    const header = { ...packet, type: MessageType.stream }
    const stream: OpenStream = { name, data: () => undefined, finish: () => undefined }
    const open = () => this.#streams.get(packet.serial) === stream
    this.#streams.set(packet.serial, stream)
    return {
      send: (data) => {
        for (let at = 0; at < data.length && open(); at += maxStreamBytes) {
          this.#socket.write(encodeRaw({ ...header, status: MessageStatus.continue }, data.subarray(at, at + maxStreamBytes)))
        }
      },
      end: () => {
        if (open()) this.#socket.write(encodeRaw({ ...header, status: MessageStatus.continue }))
      },
      fail: (error) => {
        if (this.#streams.delete(packet.serial)) this.#sendError(header, error)
      },
      onData: (listener) => {
        stream.data = listener
      },
      onFinish: (listener) => {
        stream.finish = listener
      },
    }
  }

  #receiveStream(packet: Packet): void {
    const stream = this.#streams.get(packet.serial)
    if (!stream) return
    try {
      if (packet.status === MessageStatus.continue) {
        stream.data(packet.payload)
        return
      }
      this.#streams.delete(packet.serial)
      if (packet.status === MessageStatus.ok) stream.finish()
      else this.#host.aborted(stream.name)
      this.#socket.write(encodeRaw({ ...packet, status: MessageStatus.ok }))
    } catch (error) {
      this.#sendError(packet, error)
    }
  }

  #sendError(header: Packet, error: unknown): void {
    const { code, domain, level, message } =
      error instanceof LibvirtError ? error : new LibvirtError(ErrorCode.INTERNAL_ERROR, `internal error: ${String(error)}`)
    const none = { dom: null, text1: message, text2: null, text3: null, number1: 0, number2: 0, network: null }
    this.#socket.write(encode({ ...header, status: MessageStatus.error }, errorBody, { code, domain, message, level, ...none }))
  }
}
