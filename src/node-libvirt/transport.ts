/**
 * The ways to a daemon: UNIX socket, TCP, TLS, and SSH (whose far end joins its standard streams to the daemon's UNIX socket).
 *
 * @see https://libvirt.org/remote.html
 */
import { access, readFile } from 'node:fs/promises'
import { connect as connectSocket, type NetConnectOpts } from 'node:net'
import { join } from 'node:path'
import type { Duplex } from 'node:stream'
import { connect as connectTls, type TLSSocket } from 'node:tls'
import { ConnectionLost } from './errors.ts'
import { openSsh } from './ssh.ts'
import type { Transport } from './uri.ts'

/** @throws {ConnectionLost} when nobody answers there. */
export async function openTransport(transport: Transport, timeoutMs: number): Promise<Duplex> {
  switch (transport.kind) {
    case 'unix':
      return openSocket({ path: await firstThatExists(transport.sockets) }, timeoutMs)
    case 'tcp':
      return openSocket({ host: transport.host, port: transport.port, noDelay: true }, timeoutMs)
    case 'tls':
      return openTls(transport, timeoutMs)
    case 'ssh':
      return openSsh(transport)
  }
}

async function firstThatExists(paths: string[]): Promise<string> {
  for (const path of paths) {
    try {
      await access(path)
      return path
    } catch {
      // The next one may; if none does, connecting to the first says so.
    }
  }
  return paths[0]!
}

function openSocket(options: NetConnectOpts, timeoutMs: number): Promise<Duplex> {
  const socket = connectSocket(options)
  return opened(socket, 'connect', timeoutMs)
}

/** libvirt's daemon accepts the client's certificate by sending one byte of value 1. */
async function openTls(transport: Transport & { kind: 'tls' }, timeoutMs: number): Promise<Duplex> {
  const { pkiPath, host, port, verify } = transport
  const file = (name: string, system: string) => readFile(pkiPath ? join(pkiPath, name) : system).catch(lost(`reading ${name}`))
  const socket = connectTls({
    host,
    port,
    ca: await file('cacert.pem', '/etc/pki/CA/cacert.pem'),
    cert: await file('clientcert.pem', '/etc/pki/libvirt/clientcert.pem'),
    key: await file('clientkey.pem', '/etc/pki/libvirt/private/clientkey.pem'),
    rejectUnauthorized: verify,
    minVersion: 'TLSv1.2',
  })
  await opened(socket, 'secureConnect', timeoutMs)
  await greeting(socket, timeoutMs)
  return socket
}

function greeting(socket: TLSSocket, timeoutMs: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const refuse = (why: string) => {
      settle()
      socket.destroy()
      reject(new ConnectionLost(why))
    }
    const timer = setTimeout(() => refuse('the daemon did not answer the TLS handshake'), timeoutMs)
    const onClose = () => refuse('the daemon refused the client certificate')
    const onReadable = () => {
      const byte: Buffer | null = socket.read(1)
      if (byte === null) return
      if (byte[0] !== 1) return refuse('the daemon refused the client certificate')
      settle()
      resolve()
    }
    const settle = () => {
      clearTimeout(timer)
      socket.off('readable', onReadable).off('close', onClose)
    }
    socket.on('readable', onReadable).on('close', onClose)
    onReadable()
  })
}

function opened<S extends Duplex>(socket: S, event: 'connect' | 'secureConnect', timeoutMs: number): Promise<S> {
  return new Promise((resolve, reject) => {
    const fail = (cause: Error) => {
      clearTimeout(timer)
      socket.destroy()
      reject(new ConnectionLost(`cannot reach the daemon: ${cause.message}`, { cause }))
    }
    const timer = setTimeout(() => fail(new Error(`no answer after ${timeoutMs} ms`)), timeoutMs)
    socket.once('error', fail)
    socket.once(event, () => {
      clearTimeout(timer)
      socket.off('error', fail)
      resolve(socket)
    })
  })
}

function lost(doing: string): (cause: Error) => never {
  return (cause) => {
    throw new ConnectionLost(`${doing}: ${cause.message}`, { cause })
  }
}
