/** Consoles over real sockets: what a test of the proxy or the page needs around it. */
import { mkdtempSync, rmSync } from 'node:fs'
import { createServer, type Server, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { WebSocket } from 'ws'

export type Ended = { code: number; reason: string }
export type TestConsole = {
  ws: WebSocket
  /** Of the handshake; 101 when the console is open. */
  status: number
  /** All bytes so far. */
  bytes(): Buffer
  ended: Promise<Ended>
}

export type OpenOptions = { origin?: string; cookie?: string; protocols?: string[]; paused?: boolean }

/** Opens a WebSocket and resolves when the handshake is answered, whatever the answer. */
export async function openConsole(
  url: string,
  { origin, cookie, protocols = ['binary'], paused = false }: OpenOptions = {},
): Promise<TestConsole> {
  const headers = { ...(origin === undefined ? {} : { origin }), ...(cookie === undefined ? {} : { cookie }) }
  const ws = new WebSocket(url, protocols, { headers, perMessageDeflate: false })
  const chunks: Buffer[] = []
  ws.on('message', (data: Buffer) => chunks.push(data))
  const ended = new Promise<Ended>((resolve) => ws.on('close', (code, reason) => resolve({ code, reason: reason.toString() })))
  const status = await new Promise<number>((resolve) => {
    ws.on('open', () => {
      if (paused) ws.pause()
      resolve(101)
    })
    ws.on('unexpected-response', (request, response) => {
      request.destroy()
      resolve(response.statusCode ?? 0)
    })
    ws.on('error', () => resolve(0))
  })
  return { ws, status, bytes: () => Buffer.concat(chunks), ended }
}

export type GuestConsole = AsyncDisposable & { path: string; sockets: Set<Socket> }

/** A console of one's own on a UNIX socket. */
export async function serveConsole(serve: (socket: Socket) => void): Promise<GuestConsole> {
  const dir = mkdtempSync(join(tmpdir(), 'minicloud-console-'))
  const path = join(dir, 'vnc')
  const sockets = new Set<Socket>()
  const server: Server = createServer((socket) => {
    sockets.add(socket)
    socket.on('error', () => socket.destroy())
    socket.on('close', () => sockets.delete(socket))
    serve(socket)
  })
  await new Promise<void>((resolve) => server.listen({ path }, resolve))
  return {
    path,
    sockets,
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy()
      await new Promise<void>((resolve) => server.close(() => resolve()))
      rmSync(dir, { recursive: true, force: true })
    },
  }
}
