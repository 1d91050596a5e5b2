/** The metadata listeners: one socket per network, made inside its namespace by a child and served here. */
import { stat } from 'node:fs/promises'
import type { Server, Socket } from 'node:net'
import type { DriverLog, MetadataListener } from '../driver.ts'
import { inside, runForServer, spacePath } from './run.ts'

/** A guest that opens connections and never ends them must not use up what the process may open. */
const connectionsPerGuest = 32

export function makeListeners(childCommand: readonly string[], log: DriverLog) {
  const open = new Map<string, { server: Server; inode: number; sockets: Set<Socket> }>()
  let listener: MetadataListener | null = null

  const close = (networkId: string) => {
    const entry = open.get(networkId)
    open.delete(networkId)
    entry?.server.close()
    for (const socket of entry?.sockets ?? []) socket.destroy()
  }

  return {
    listen(given: MetadataListener): void {
      listener = given
    },
    /** @throws {CommandFailed} when the port cannot be opened in the namespace. */
    async ensure(networkId: string, space: string): Promise<void> {
      const { ino } = await stat(spacePath(space))
      if (open.get(networkId)?.inode === ino) return
      close(networkId)
      const server = await runForServer(inside(space, childCommand))
      const sockets = new Set<Socket>()
      server.on('error', (error) => log.error(`metadata listener of network ${networkId}: ${error.message}`))
      server.on('connection', (socket) => {
        const { remoteAddress } = socket
        if ([...sockets].filter((one) => one.remoteAddress === remoteAddress).length >= connectionsPerGuest) return socket.destroy()
        sockets.add(socket)
        socket.on('close', () => sockets.delete(socket))
        socket.on('error', () => socket.destroy())
        if (listener) listener(socket, { networkId })
        else socket.destroy()
      })
      open.set(networkId, { server, inode: ino, sockets })
    },
    close,
    closeOthers(keep: ReadonlySet<string>): void {
      for (const networkId of [...open.keys()]) if (!keep.has(networkId)) close(networkId)
    },
  }
}
