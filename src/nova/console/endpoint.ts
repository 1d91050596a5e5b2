/** Connects to a guest's console on its compute host. */
import { connect, type Socket } from 'node:net'
import type { ConsoleEndpoint } from '../virt/index.ts'

const connectTimeoutMs = 10_000

/** @throws {Error} when nobody listens there, or nobody answers in time. */
export async function connectConsole(endpoint: ConsoleEndpoint): Promise<Socket> {
  const socket =
    endpoint.kind === 'unix' ? connect({ path: endpoint.path }) : connect({ host: endpoint.host, port: endpoint.port, noDelay: true })
  socket.setTimeout(connectTimeoutMs, () => socket.destroy(new Error('the console does not answer')))
  return await new Promise((resolve, reject) => {
    socket.once('error', reject)
    socket.once('connect', () => {
      socket.off('error', reject)
      // A guest that says nothing for long is still there.
      socket.setTimeout(0)
      resolve(socket)
    })
  })
}

/** How a token's row names an endpoint. */
export const addressOf = (endpoint: ConsoleEndpoint, computeHost: string) =>
  endpoint.kind === 'unix'
    ? { host: computeHost, port: 0, tlsPort: null, internalAccessPath: endpoint.path }
    : { host: endpoint.host, port: endpoint.port, tlsPort: endpoint.tlsPort ?? null, internalAccessPath: null }
