/**
 * Both ends of a console for the benchmark, on a thread of their own so that the main one does nothing but relay: a guest that sends
 * `total` bytes to whoever connects to the socket at `path`, and a client that counts what comes, after the head of an HTTP answer if
 * there is one.
 */
import { connect, createServer, type Socket } from 'node:net'
import { parentPort, workerData } from 'node:worker_threads'

export type Peer = { path: string; totalBytes: number }
export type Job = { port: number; host: string; head: string }

const { path, totalBytes } = workerData as Peer
const chunk = Buffer.alloc(64 * 1024, 7)

function flood(socket: Socket): void {
  let sent = 0
  const more = () => {
    while (sent < totalBytes) {
      const part = chunk.subarray(0, Math.min(chunk.length, totalBytes - sent))
      sent += part.length
      if (!socket.write(part)) return
    }
  }
  socket.on('error', () => socket.destroy())
  socket.on('drain', more)
  more()
}

function receive({ port, host, head }: Job): void {
  const socket = connect({ port, host })
  let received = 0
  let startedAt = 0
  socket.write(head)
  socket.on('data', (data: Buffer) => {
    if (startedAt === 0) startedAt = performance.now()
    received += data.length
    if (received < totalBytes) return
    socket.destroy()
    parentPort?.postMessage((performance.now() - startedAt) / 1000)
  })
}

createServer(flood).listen(path, () => parentPort?.postMessage('ready'))
parentPort?.on('message', receive)
