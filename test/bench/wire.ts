/**
 * A client that costs next to nothing, so that the server is what is measured: requests are made beforehand, connections stay open, and of an
 * answer no more is read than its status and its length.
 */
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'

export type Request = { method?: string; path: string; headers?: Readonly<Record<string, string>>; body?: string }
export type Answer = { status: number; head: string; body: Buffer }

/** The bytes of a request. */
export function encode({ method = 'GET', path, headers = {}, body }: Request): Buffer {
  const lines = [`${method} ${path} HTTP/1.1`, 'host: bench', ...Object.entries(headers).map(([name, value]) => `${name}: ${value}`)]
  if (body !== undefined) lines.push('content-type: application/json')
  if (body !== undefined || method !== 'GET') lines.push(`content-length: ${Buffer.byteLength(body ?? '')}`)
  return Buffer.from(`${lines.join('\r\n')}\r\n\r\n${body ?? ''}`)
}

/** One connection, one request at a time. */
export class Wire implements Disposable {
  readonly #socket: Socket
  #chunks: Buffer[] = []
  #size = 0
  /** Bytes of the whole answer, once its head is there; 0 before. */
  #wanted = 0
  #headLength = 0
  #waiting: { resolve: (answer: Answer) => void; reject: (error: Error) => void } | null = null

  private constructor(socket: Socket) {
    this.#socket = socket
    socket.on('data', (chunk: Buffer) => this.#take(chunk))
    socket.on('error', (error) => this.#fail(error))
    socket.on('close', () => this.#fail(new Error('the server closed the connection')))
  }

  /** @throws {Error} when nobody listens. */
  static async open(url: string): Promise<Wire> {
    const { hostname, port } = new URL(url)
    const socket = connect({ host: hostname, port: Number(port), noDelay: true })
    await once(socket, 'connect')
    return new Wire(socket)
  }

  /** @throws {Error} when the connection ends before the answer does. */
  send(request: Buffer): Promise<Answer> {
    return new Promise((resolve, reject) => {
      this.#waiting = { resolve, reject }
      this.#socket.write(request)
    })
  }

  [Symbol.dispose](): void {
    this.#socket.destroy()
  }

  #take(chunk: Buffer): void {
    this.#chunks.push(chunk)
    this.#size += chunk.length
    if (this.#wanted === 0) {
      const whole = this.#chunks.length === 1 ? chunk : Buffer.concat(this.#chunks)
      this.#chunks = [whole]
      const end = whole.indexOf('\r\n\r\n')
      if (end < 0) return
      const head = whole.toString('latin1', 0, end)
      const length = /\r\ncontent-length: (\d+)/i.exec(head)
      if (!length && !/^HTTP\/1.1 204/.test(head) && /\r\ntransfer-encoding:/i.test(head)) {
        this.#fail(new Error(`an answer of unknown length: ${head}`))
        return
      }
      this.#headLength = end + 4
      this.#wanted = this.#headLength + Number(length?.[1] ?? 0)
    }
    if (this.#size < this.#wanted) return
    const whole = this.#chunks.length === 1 ? this.#chunks[0]! : Buffer.concat(this.#chunks)
    const head = whole.toString('latin1', 0, this.#headLength)
    const answer = { status: Number(head.slice(9, 12)), head, body: whole.subarray(this.#headLength, this.#wanted) }
    this.#chunks = []
    this.#size = 0
    this.#wanted = 0
    const waiting = this.#waiting
    this.#waiting = null
    waiting?.resolve(answer)
  }

  #fail(error: Error): void {
    const waiting = this.#waiting
    this.#waiting = null
    waiting?.reject(error)
  }
}

export type Load = { url: string; count: number; concurrency: number; request: Buffer | ((index: number) => Buffer); expect?: number }

/**
 * Sends `count` requests over `concurrency` connections; answers the latencies (ms) in the order of their ends, and all that took.
 * @throws {Error} at the first answer of another status.
 */
export async function load({ url, count, concurrency, request, expect = 200 }: Load): Promise<{ ms: number; latencies: number[] }> {
  const latencies: number[] = []
  const wires = await Promise.all(Array.from({ length: Math.min(concurrency, count) }, () => Wire.open(url)))
  let next = 0
  const startedAt = performance.now()
  try {
    await Promise.all(
      wires.map(async (wire) => {
        while (next < count) {
          const index = next++
          const bytes = typeof request === 'function' ? request(index) : request
          const sentAt = performance.now()
          const { status, head, body } = await wire.send(bytes)
          latencies.push(performance.now() - sentAt)
          if (status !== expect) throw new Error(`expected ${expect}: ${head}${body.toString('utf8', 0, 400)}`)
        }
      }),
    )
    return { ms: performance.now() - startedAt, latencies }
  } finally {
    for (const wire of wires) wire[Symbol.dispose]()
  }
}
