/**
 * nova-api-metadata: what a guest may read about itself, over HTTP at 169.254.169.254 and from its config drive.
 *
 * @see https://docs.openstack.org/nova/latest/user/metadata.html
 */
import type { IncomingMessage } from 'node:http'
import type { Socket } from 'node:net'
import { notFound } from '../../base/errors.ts'
import type { Ground } from '../../base/ground.ts'
import type { Networks } from '../../network/index.ts'
import type { Instance, Model } from '../model/index.ts'
import { answer, rootAnswer } from './answers.ts'
import { metadataConfig } from './config.ts'
import { type DriveFile, driveFiles, type InjectedFile } from './config-drive.ts'
import { Guests } from './guests.ts'
import { MetadataServer } from './http.ts'
import { byNetwork, type Identify, onPort, plainAddress } from './identify.ts'
import { makeVendorData, type ServiceToken } from './vendor-data.ts'

export { metadataSections } from './config.ts'
export type { DriveFile, InjectedFile } from './config-drive.ts'
export type { ServiceToken } from './vendor-data.ts'

export type Metadata = AsyncDisposable & {
  /**
   * All files of a server's config drive.
   * @throws {CloudError} `unavailable` when dynamic vendor data failed and `vendordata_dynamic_failure_fatal` is set.
   */
  configDriveFiles(instance: Instance, adminPass: string | null, injected?: readonly InjectedFile[]): Promise<DriveFile[]>
  /** Answers a guest's connection, known by its network and source address; for {@link Networks.onMetadataConnection}. */
  serveGuest(socket: Socket, origin: { networkId: string }): void
  /** The classic port, for a network proxy or for guests whose addresses reach it. @throws {CloudError} `conflict`, `invalid`. */
  listen(at: { host: string; port: number }): Promise<{ host: string; port: number }>
}

/** @throws {ConfigError} for options that cannot be used. */
export function makeMetadata(ground: Ground & { model: Model; networks: Networks; serviceToken?: ServiceToken }): Metadata {
  const { networks, config } = ground
  const guests = new Guests({ ...ground, vendor: makeVendorData(ground) })
  const skip = config.get(metadataConfig).configDriveSkipVersions.split(/\s+/)
  const origins = new WeakMap<Socket, { guest: string; identify: Identify }>()

  const handlerFor = (identify: Identify) => (request: IncomingMessage, path: readonly string[], body: Uint8Array) => {
    if (path.length === 0) return Promise.resolve(rootAnswer())
    const { instanceUuid, projectId, address } = identify(request)
    const guest = guests.find(instanceUuid)
    if (!guest || (projectId !== null && guest.instance.projectId !== projectId)) throw notFound('No such server.')
    return answer(ground, guest, { method: request.method ?? 'GET', path, body, address })
  }
  const forGuests = new MetadataServer(
    ground,
    async (request, path, body) => handlerFor(origins.get(request.socket)!.identify)(request, path, body),
    (socket) => origins.get(socket)!.guest,
  )
  const answerOnPort = handlerFor(onPort(ground))
  const onThePort = new MetadataServer(
    ground,
    async (request, path, body) => answerOnPort(request, path, body),
    () => null,
  )

  return {
    configDriveFiles: async (instance, adminPass, injected = []) => driveFiles(guests.read(instance), { adminPass, injected, skip }),
    serveGuest(socket, { networkId }) {
      const address = plainAddress(socket.remoteAddress)
      origins.set(socket, { guest: `${networkId} ${address}`, identify: byNetwork(networks, networkId, address) })
      forGuests.take(socket)
    },
    listen: (at) => onThePort.listen(at),
    async [Symbol.asyncDispose]() {
      await Promise.all([forGuests[Symbol.asyncDispose](), onThePort[Symbol.asyncDispose]()])
    },
  }
}
