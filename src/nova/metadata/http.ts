/**
 * HTTP/1.1 for guests, over sockets that others accepted and over a listener of its own. Small bodies, small headers, plain
 * texts as errors; nothing a guest sends makes more than a 4xx.
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import { CloudError, type ErrorKind, invalid, messageOf } from '../../base/errors.ts'
import type { Ground } from '../../base/ground.ts'
import type { Answer } from './answers.ts'
import { Connections } from './connections.ts'
import { segmentsOf } from './render.ts'

const maxHeaderBytes = 16 * 1024
const maxBodyBytes = 64 * 1024

const statuses: Partial<Record<ErrorKind, [status: number, title: string]>> = {
  invalid: [400, 'Bad Request'],
  forbidden: [403, 'Forbidden'],
  'not-found': [404, 'Not Found'],
  conflict: [409, 'Conflict'],
  'too-large': [413, 'Request Entity Too Large'],
}

/** @throws {CloudError} whose kind becomes the status. */
export type Handler = (request: IncomingMessage, path: readonly string[], body: Uint8Array) => Promise<Answer>

export class MetadataServer implements AsyncDisposable {
  readonly #log: Ground['log']
  readonly #connections: Connections
  readonly #server: Server

  /** `guestOf` names whose connection a socket is, for the limits, when it is opened; null for one that speaks for many. */
  constructor({ log, clock }: Pick<Ground, 'log' | 'clock'>, handler: Handler, guestOf: (socket: Socket) => string | null) {
    this.#log = log
    this.#connections = new Connections(clock)
    this.#server = createServer({ maxHeaderSize: maxHeaderBytes, requireHostHeader: false, requestTimeout: 0, headersTimeout: 0 })
    this.#server.prependListener('connection', (socket: Socket) => {
      socket.on('error', () => socket.destroy())
      this.#connections.admit(socket, guestOf(socket))
    })
    this.#server.on('request', (request, response) => void this.#serve(handler, request, response))
  }

  /** Takes a connection that somebody else accepted. */
  take(socket: Socket): void {
    this.#server.emit('connection', socket)
    // Listeners that hand sockets over between processes keep them paused until somebody reads.
    socket.resume()
  }

  /** @throws {CloudError} `conflict` when the port is taken, `invalid` when the address cannot be had. */
  async listen({ host, port }: { host: string; port: number }): Promise<{ host: string; port: number }> {
    await new Promise<void>((resolve, reject) => {
      this.#server.once('error', (error: NodeJS.ErrnoException) => {
        const kind = error.code === 'EADDRINUSE' ? 'conflict' : 'invalid'
        reject(new CloudError(kind, `Cannot listen on ${host}:${port}: ${messageOf(error)}`, { cause: error }))
      })
      this.#server.listen(port, host, resolve)
    })
    const address = this.#server.address()
    return { host, port: typeof address === 'object' && address !== null ? address.port : port }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#connections.cutAll()
    if (this.#server.listening) await new Promise<void>((resolve) => this.#server.close(() => resolve()))
  }

  async #serve(handler: Handler, request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { socket } = request
    response.once('finish', () => this.#connections.waiting(socket))
    try {
      const path = segmentsOf(request.url ?? '/')
      const body = await readBody(request)
      this.#connections.answering(socket)
      if (path === null) throw invalid('Invalid path.')
      const { body: text, contentType } = await handler(request, path, body)
      send(response, 200, contentType, text)
    } catch (error) {
      if (socket.destroyed) return
      const [status, title] = (error instanceof CloudError ? statuses[error.kind] : undefined) ?? [500, 'Internal Server Error']
      if (status === 500) this.#log.error({ err: error }, 'metadata: a request failed')
      // What is left of a body that was not read would be taken for the next request.
      if (!request.complete) response.setHeader('connection', 'close')
      const why = status === 500 ? 'An unknown error has occurred. Please try your request again.' : messageOf(error)
      send(response, status, 'text/plain; charset=UTF-8', `${status} ${title}\n\n${why}\n`)
    }
  }
}

function send(response: ServerResponse, status: number, contentType: string, body: string | Uint8Array): void {
  response.writeHead(status, { 'content-type': contentType, 'content-length': Buffer.byteLength(body) })
  response.end(body)
}

async function readBody(request: IncomingMessage): Promise<Uint8Array> {
  const chunks: Buffer[] = []
  let length = 0
  // A plain loop would destroy the request when it ends early, and its answer is still to be sent.
  for await (const chunk of request.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
    length += chunk.length
    if (length > maxBodyBytes) throw new CloudError('too-large', `A body has at most ${maxBodyBytes} bytes.`)
    chunks.push(chunk)
  }
  return Buffer.concat(chunks)
}
