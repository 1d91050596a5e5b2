/**
 * Where a server goes next: the scheduler is asked with what was asked of it when the server was made (zone, group, hints),
 * but not with the host that was named then.
 *
 * @see https://docs.openstack.org/nova/latest/admin/migration.html
 */
import { type Flavor, type Instance, NoValidHost } from '../model/index.ts'
import type { ConductorDeps } from './deps.ts'

export type Destination = { host: string; node: string; providerUuid: string; zone: string }
export type DestinationWish = {
  flavor: Flavor
  /** Asked for by name. */
  host?: string | null
  node?: string | null
  /** The named host is taken whatever the scheduler would say. */
  forced?: boolean
  /** Hosts that are not to be taken. */
  excluded: readonly string[]
}

type Deps = Pick<ConductorDeps, 'model' | 'scheduler'>

/** Hosts that may take the server, best first; claims nothing. @throws {NoValidHost} with each host's reason. */
export function rankDestinations({ model, scheduler }: Deps, instance: Instance, wish: DestinationWish): Destination[] {
  const { flavor, host = null, node = null, forced = false, excluded } = wish
  if (forced && host !== null) return [namedHost(model, host, node)]
  const { uuid, projectId, userId, spec, imageProperties } = instance
  const ranked = scheduler.rank({
    instanceUuid: uuid,
    projectId,
    userId,
    flavor,
    spec: { ...spec, requestedHost: host, requestedNode: node, isForced: false },
    imageProperties,
    ignoreHosts: excluded,
  })
  return ranked.map((found) => ({ host: found.host, node: found.node, providerUuid: found.nodeUuid, zone: found.zone }))
}

/** The best of {@link rankDestinations}. @throws {NoValidHost} with each host's reason. */
export function pickDestination(deps: Deps, instance: Instance, wish: DestinationWish): Destination {
  const [best] = rankDestinations(deps, instance, wish)
  if (!best) throw new NoValidHost([], 'There is no other host.')
  return best
}

function namedHost(model: Deps['model'], host: string, node: string | null): Destination {
  const found = model.hosts.nodes().find((each) => each.host === host && (node === null || each.hypervisorHostname === node))
  if (!found) throw new NoValidHost([], 'The host that was asked for is not known.')
  return { host, node: found.hypervisorHostname, providerUuid: found.uuid, zone: model.hosts.zoneOfHost(host) }
}
