/**
 * `[api] classic_ports`: each service at the root of the port that OpenStack's installation guides give it, as their endpoints say:
 * `http://controller:5000/v3`, `http://controller:8774/v2.1`.
 *
 * All services are under their paths there too, so that the catalogue, whose URLs follow the address that the client used, holds on
 * every port. Where minicloud's own port is one of these, that listener does both.
 */
import { messageOf } from './base/errors.ts'
import { type AnyOperation, type HttpServer, type Mount, mount, type Service, type UpgradeHandler } from './base/http/index.ts'
import type { Health } from './health.ts'

export const classicMetadataPort = 8775

// biome-ignore lint/suspicious/noExplicitAny: a mount does not care what a service's handlers are given
type AnyService = Service<any>

type Parts = {
  identity: { root: AnyService; v3: AnyService }
  images: { root: AnyService; v2: AnyService }
  placement: { root: AnyService }
  networks: { root: AnyService; v2: AnyService }
  compute: { root: AnyService; v20: AnyService; v21: AnyService }
  consoles: { service: AnyService; upgrades: Readonly<Record<string, UpgradeHandler>> }
}

export type ClassicListener = { port: number; what: string; mounts: Mount[]; upgrades: Readonly<Record<string, UpgradeHandler>> }

/** In the order in which they listen. */
export function classicListeners({ identity, images, placement, networks, compute, consoles }: Parts): ClassicListener[] {
  const [proxy] = Object.values(consoles.upgrades)
  const besidePage: Record<string, UpgradeHandler> = proxy ? { '/websockify': proxy, '/': proxy } : {}
  const console = (port: number, what: string) => ({ port, what, mounts: [mount('', consoles.service)], upgrades: besidePage })
  return [
    { port: 5000, what: 'identity', mounts: [mount('/v3', identity.v3), mount('', identity.root)], upgrades: {} },
    {
      port: 8774,
      what: 'compute',
      mounts: [mount('/v2.1', compute.v21), mount('/v2', compute.v20), mount('', compute.root)],
      upgrades: {},
    },
    { port: 8778, what: 'placement', mounts: [mount('', placement.root)], upgrades: {} },
    { port: 9292, what: 'image', mounts: [mount('/v2', images.v2), mount('', images.root)], upgrades: {} },
    { port: 9696, what: 'network', mounts: [mount('/v2.0', networks.v2), mount('', networks.root)], upgrades: {} },
    console(6080, 'noVNC consoles'),
    console(6082, 'SPICE consoles'),
    console(6083, 'serial consoles'),
  ]
}

/** The root of one listener where another service and this program's own health both have it: that service's `/` wins. */
export const withHealth = (root: AnyService, { service }: Health): AnyService => ({
  ...root,
  operations: [
    ...root.operations,
    ...service.operations
      .filter(({ path }) => path !== '/')
      .map((each): AnyOperation => ({ ...each, target: undefined, handle: (request) => each.handle(request, service.deps) })),
  ],
})

/** @throws {CloudError} `conflict` when a port is taken, saying who wanted it. */
export async function listenClassic(servers: readonly { server: HttpServer; listener: ClassicListener }[], host: string): Promise<void> {
  for (const { server, listener } of servers) {
    try {
      await server.listen({ host, port: listener.port })
    } catch (error) {
      if (error instanceof Error) error.message = `${messageOf(error)} ([api] classic_ports wants it for ${listener.what})`
      throw error
    }
  }
}
