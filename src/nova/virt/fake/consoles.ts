/**
 * The sockets behind a fake guest's consoles: VNC and serial, opened when first asked for and closed with the guest. For kinds that only
 * others' proxies can show, there is a TCP port at which the serial line's text is to be had.
 *
 * What is typed into either goes to the guest's log, and what the guest says is shown on both.
 */
import { mkdirSync, rmSync } from 'node:fs'
import { createServer, type Server, type Socket } from 'node:net'
import { join } from 'node:path'
import type { ConsoleEndpoint } from '../driver.ts'
import { type RfbClient, serveRfb } from './rfb.ts'
import { drawScreen } from './screen.ts'

export type ConsoleGuest = {
  readonly uuid: string
  readonly name: string
  readonly log: string
}
type Open = { endpoint: ConsoleEndpoint; server: Server; sockets: Set<Socket> }
type Kind = (typeof kinds)[number]

const kinds = ['vnc', 'serial', 'port'] as const

/** The room in `sockaddr_un`, without its final zero. */
const socketPathMax = 107

export class FakeConsoles {
  readonly #dir: string
  readonly #typed: (uuid: string, text: string) => void
  readonly #open = new Map<string, Promise<Open>>()
  readonly #screens = new Map<string, Set<RfbClient>>()
  readonly #terminals = new Map<string, Set<Socket>>()

  constructor(dir: string, typed: (uuid: string, text: string) => void) {
    this.#dir = dir
    this.#typed = typed
    rmSync(dir, { recursive: true, force: true })
  }

  async endpoint(guest: ConsoleGuest, kind: Kind): Promise<ConsoleEndpoint> {
    const key = `${guest.uuid}.${kind}`
    let open = this.#open.get(key)
    if (!open) {
      open = this.#listen(key, kind === 'vnc' ? (socket) => this.#vnc(guest, socket) : (socket) => this.#serial(guest, socket))
      this.#open.set(key, open)
    }
    return (await open).endpoint
  }

  /** Shows what the guest has just said. */
  said(uuid: string, text: string): void {
    for (const client of this.#screens.get(uuid) ?? []) client.changed()
    for (const socket of this.#terminals.get(uuid) ?? []) socket.write(text.replaceAll('\n', '\r\n'))
  }

  close(uuid: string): void {
    for (const kind of kinds) {
      const open = this.#open.get(`${uuid}.${kind}`)
      if (!open) continue
      this.#open.delete(`${uuid}.${kind}`)
      open.then(end, () => undefined)
    }
    this.#screens.delete(uuid)
    this.#terminals.delete(uuid)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const all = [...this.#open.values()]
    this.#open.clear()
    for (const open of all) await open.then(end, () => undefined)
  }

  async #listen(key: string, serve: (socket: Socket) => void): Promise<Open> {
    const sockets = new Set<Socket>()
    const server = createServer((socket) => {
      sockets.add(socket)
      socket.on('close', () => sockets.delete(socket))
      serve(socket)
    })
    server.unref()
    const path = join(this.#dir, key)
    const onPath = !key.endsWith('.port') && Buffer.byteLength(path) <= socketPathMax
    if (onPath) {
      mkdirSync(this.#dir, { recursive: true, mode: 0o700 })
      rmSync(path, { force: true })
    }
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject)
      server.listen(onPath ? { path } : { host: '127.0.0.1', port: 0 }, resolve)
    })
    const address = server.address()
    const endpoint: ConsoleEndpoint =
      typeof address === 'object' && address ? { kind: 'tcp', host: address.address, port: address.port } : { kind: 'unix', path }
    return { endpoint, server, sockets }
  }

  #vnc(guest: ConsoleGuest, socket: Socket): void {
    const client = serveRfb(socket, {
      title: guest.name,
      picture: () => drawScreen(`${guest.uuid}\n${guest.log}`),
      key: (keysym) => this.#typed(guest.uuid, keyText(keysym)),
    })
    joinGroup(this.#screens, guest.uuid, client, socket)
  }

  #serial(guest: ConsoleGuest, socket: Socket): void {
    socket.on('error', () => socket.destroy())
    socket.on('data', (chunk: Buffer) => this.#typed(guest.uuid, printable(chunk.toString('utf8'))))
    socket.write(guest.log.slice(-4096).replaceAll('\n', '\r\n'))
    joinGroup(this.#terminals, guest.uuid, socket, socket)
  }
}

function joinGroup<T>(groups: Map<string, Set<T>>, uuid: string, member: T, socket: Socket): void {
  const group = groups.get(uuid) ?? new Set<T>()
  groups.set(uuid, group.add(member))
  socket.on('close', () => group.delete(member))
}

async function end({ server, sockets }: Open): Promise<void> {
  for (const socket of sockets) socket.destroy()
  await new Promise<void>((resolve) => server.close(() => resolve()))
}

const printable = (text: string): string => text.replaceAll('\r', '\n').replace(/[^\n\x20-\x7e]/g, '')

/** Latin letters are their own keysyms; Return and the keypad's Enter end a line; the rest says nothing. */
function keyText(keysym: number): string {
  if (keysym === 0xff0d || keysym === 0xff8d) return '\n'
  return keysym >= 0x20 && keysym <= 0x7e ? String.fromCharCode(keysym) : ''
}
