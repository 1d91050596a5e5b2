/**
 * Connection URIs: which daemon, how to get there, and which driver to ask it for.
 *
 * `driver[+transport]://[user@][host][:port]/[path][?parameters]`. Without a transport and host it is the UNIX socket of this
 * machine. Unlike libvirt's own library, `test:///default` goes to the daemon too: this client has no drivers of its own.
 *
 * @see https://libvirt.org/uri.html
 */
import { userInfo } from 'node:os'

export type Transport =
  | { kind: 'unix'; sockets: string[] }
  | { kind: 'tcp'; host: string; port: number }
  | { kind: 'tls'; host: string; port: number; pkiPath: string | undefined; verify: boolean }
  | { kind: 'ssh'; host: string; port: number | undefined; user: string | undefined; keyFile: string | undefined; socket: string }

export type ConnectionUri = { transport: Transport /** What the daemon is asked to open. */; remote: string }

const systemDir = '/run/libvirt'

/** @throws {TypeError} when the URI is none, or names a transport that this client doesn't have. */
export function parseUri(uri: string): ConnectionUri {
  const match = /^([a-z][a-z0-9]*)(?:\+([a-z0-9]+))?:\/\/([^/?#]*)(\/[^?#]*)?(?:\?([^#]*))?$/i.exec(uri)
  if (!match) throw new TypeError(`'${uri}' is not a libvirt URI`)
  const [, driver = '', transportName, authority = '', path = '/', query = ''] = match
  const parameters = new URLSearchParams(query)
  const name = parameters.get('name')
  const remote = name ?? `${driver}://${path}`
  const { user, host, port } = parseAuthority(authority, uri)
  const socket = parameters.get('socket') ?? undefined
  switch (transportName ?? (host === '' ? 'unix' : 'tls')) {
    case 'unix':
      return { remote, transport: { kind: 'unix', sockets: socket ? [socket] : defaultSockets(driver, path) } }
    case 'tcp':
      return { remote, transport: { kind: 'tcp', host: host || 'localhost', port: port ?? 16_509 } }
    case 'tls':
      return {
        remote,
        transport: {
          kind: 'tls',
          host: host || 'localhost',
          port: port ?? 16_514,
          pkiPath: parameters.get('pkipath') ?? undefined,
          verify: parameters.get('no_verify') !== '1',
        },
      }
    case 'ssh':
      if (host === '') throw new TypeError(`'${uri}' names no host`)
      return {
        remote,
        transport: {
          kind: 'ssh',
          host,
          port,
          user,
          keyFile: parameters.get('keyfile') ?? undefined,
          socket: socket ?? `${systemDir}/libvirt-sock`,
        },
      }
    default:
      throw new TypeError(`'${uri}' names the unknown transport '${transportName}'`)
  }
}

/** Where a daemon for everything listens, and where one for the driver alone does. */
function defaultSockets(driver: string, path: string): string[] {
  const dir = path === '/session' ? `/run/user/${userInfo().uid}/libvirt` : systemDir
  return [`${dir}/libvirt-sock`, `${dir}/virt${driver}d-sock`]
}

function parseAuthority(authority: string, uri: string): { user: string | undefined; host: string; port: number | undefined } {
  const match = /^(?:([^@]*)@)?(\[[0-9a-f:.]+\]|[^:@[\]]*)(?::(\d{1,5}))?$/i.exec(authority)
  const port = match?.[3] === undefined ? undefined : Number(match[3])
  if (!match || (port !== undefined && (port < 1 || port > 65_535))) throw new TypeError(`'${uri}' has no valid host and port`)
  const host = match[2] ?? ''
  return { user: match[1] ? decodeURIComponent(match[1]) : undefined, host: host.startsWith('[') ? host.slice(1, -1) : host, port }
}
