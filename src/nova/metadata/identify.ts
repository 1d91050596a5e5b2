/**
 * Who asks. A connection that the network's data plane hands over is known by its network and source address and by nothing
 * it says. On the metadata port it is the peer's address, or what a network proxy signed.
 *
 * @see https://docs.openstack.org/nova/latest/admin/metadata-service.html
 */
import { createHmac, timingSafeEqual } from 'node:crypto'
import type { IncomingMessage } from 'node:http'
import { forbidden, invalid, notFound } from '../../base/errors.ts'
import type { Ground } from '../../base/ground.ts'
import type { Networks, PortIdentity } from '../../network/index.ts'
import { neutronConfig } from './config.ts'

export type Caller = {
  readonly instanceUuid: string
  /** The address the guest asks from, as far as that is known. */
  readonly address: string | null
  /** The project that the server must belong to; null: any. */
  readonly projectId: string | null
}
/** @throws {CloudError} `invalid`, `forbidden` or `not-found`. */
export type Identify = (request: Pick<IncomingMessage, 'headersDistinct' | 'socket'>) => Caller

const unknownAddress = () => notFound('No server has this address.')

/** A peer's address as the network service writes it. */
export const plainAddress = (address: string | undefined): string => (address ?? '').replace(/^::ffff:(?=\d+\.)/i, '').replace(/%.*$/, '')

const callerAt = (port: PortIdentity, address: string): Caller => ({ instanceUuid: port.deviceId, address, projectId: null })

/**
 * For one connection out of a network. Should its address pass to another port while it is open, it is nobody's.
 */
export function byNetwork(networks: Pick<Networks, 'findPortByAddress'>, networkId: string, address: string): Identify {
  let first: PortIdentity | undefined
  return () => {
    const port = networks.findPortByAddress(networkId, address)
    if (!port) throw unknownAddress()
    first ??= port
    if (port.portId !== first.portId || port.deviceId !== first.deviceId) throw unknownAddress()
    return callerAt(port, address)
  }
}

/** For the metadata port, as `[neutron] service_metadata_proxy` says. */
export function onPort({ config, networks }: Pick<Ground, 'config'> & { networks: Networks }): Identify {
  const { serviceMetadataProxy, metadataProxySharedSecret } = config.get(neutronConfig)
  if (!serviceMetadataProxy) return (request) => byPeer(networks, request)
  return (request) =>
    request.headersDistinct['x-metadata-provider'] === undefined
      ? byProxy(metadataProxySharedSecret, request)
      : byProvider(metadataProxySharedSecret, networks, request)
}

/** Networks may overlap: an address that several ports have is nobody's. */
function byPeer(networks: Networks, { socket }: Pick<IncomingMessage, 'socket'>): Caller {
  const address = plainAddress(socket.remoteAddress)
  const [port, ...others] = networks.findPortsByAddress(address)
  if (!port || others.length > 0) throw unknownAddress()
  return callerAt(port, address)
}

function byProxy(secret: string, request: Pick<IncomingMessage, 'headersDistinct'>): Caller {
  const instanceUuid = header(request, 'X-Instance-ID')
  const signature = header(request, 'X-Instance-ID-Signature')
  const projectId = header(request, 'X-Tenant-ID')
  checkSignature(secret, instanceUuid, signature)
  return { instanceUuid, projectId, address: forwardedFor(request) }
}

/** A load balancer in front of one network, which it names by its id. */
function byProvider(secret: string, networks: Networks, request: Pick<IncomingMessage, 'headersDistinct'>): Caller {
  const networkId = header(request, 'X-Metadata-Provider')
  const signature = header(request, 'X-Metadata-Provider-Signature')
  const address = forwardedFor(request)
  if (address === null) throw invalid('X-Forwarded-For is missing from request.')
  checkSignature(secret, networkId, signature)
  const port = networks.findPortByAddress(networkId, plainAddress(address))
  if (!port) throw invalid('An unknown address: exactly one port must have it.')
  return callerAt(port, address)
}

function header({ headersDistinct }: Pick<IncomingMessage, 'headersDistinct'>, name: string): string {
  const [value, ...others] = headersDistinct[name.toLowerCase()] ?? []
  if (value === undefined || value === '') throw invalid(`${name} header is missing from request.`)
  if (others.length > 0) throw invalid(`Multiple ${name} headers found within request.`)
  return value
}

const forwardedFor = ({ headersDistinct }: Pick<IncomingMessage, 'headersDistinct'>): string | null =>
  headersDistinct['x-forwarded-for']?.[0]?.split(',')[0]?.trim() || null

/** No secret, no belief: an empty one would let anybody sign. */
function checkSignature(secret: string, message: string, signature: string): void {
  const expected = Buffer.from(createHmac('sha256', secret).update(message).digest('hex'))
  const given = Buffer.from(signature)
  if (secret === '' || given.length !== expected.length || !timingSafeEqual(given, expected))
    throw forbidden('Invalid proxy request signature.')
}
