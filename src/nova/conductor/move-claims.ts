/**
 * Room for a server that is on its way between two hosts. While it moves, its migration (by its uuid, consumer type
 * `MIGRATION`) holds what the server had at the source, and the server holds what it gets at the destination; each change of
 * hands is one transaction.
 *
 * @see https://docs.openstack.org/nova/latest/admin/migration.html
 */
import { CloudError, messageOf } from '../../base/errors.ts'
import type { ConsumerIdentity } from '../../placement/index.ts'
import { type Flavor, type Instance, NoValidHost, type Rejection, resourcesOf } from '../model/index.ts'
import type { ConductorDeps } from './deps.ts'
import { type Destination, type DestinationWish, rankDestinations } from './destination.ts'

type Deps = Pick<ConductorDeps, 'db' | 'model' | 'placement' | 'scheduler'>
type Owner = Pick<Instance, 'uuid' | 'projectId' | 'userId'>

/** Hosts that lost their room since they were ranked, before the search is given up. */
const mostCollisions = 10

const consumerOf = ({ uuid, projectId, userId }: Owner): ConsumerIdentity => ({ uuid, projectId, userId, type: 'INSTANCE' })

/**
 * Finds a destination and claims its room for the server, whose source is the migration's from then on. Asked again for a
 * move that has claimed, it claims anew at the destination that it finds then.
 * @throws {NoValidHost} with each host's reason.
 */
export function claimDestination(deps: Deps, instance: Instance, migrationUuid: string, wish: DestinationWish): Destination {
  return deps.db.transaction(() =>
    firstWithRoom(deps, instance, wish, ({ providerUuid }) =>
      claimMove(deps, { instance, migrationUuid, providerUuid, flavor: wish.flavor }),
    ),
  )
}

/** @throws {NoValidHost} when every claim met a `conflict`. */
function firstWithRoom(deps: Deps, instance: Instance, wish: DestinationWish, claim: (destination: Destination) => void): Destination {
  const rejections: Rejection[] = []
  for (const destination of rankDestinations(deps, instance, wish).slice(0, mostCollisions)) {
    try {
      claim(destination)
      return destination
    } catch (error) {
      if (!(error instanceof CloudError) || error.kind !== 'conflict') throw error
      rejections.push({ host: destination.host, filter: 'Placement', reason: messageOf(error) })
    }
  }
  throw new NoValidHost(rejections, 'There is not enough free CPU, memory or disk for this flavor.')
}

/**
 * The source's room becomes the migration's, and the server claims its flavor at the destination.
 * @throws {CloudError} `conflict` when the destination has no room; then nothing has changed.
 */
function claimMove(
  { placement }: Pick<Deps, 'placement'>,
  { instance, migrationUuid, providerUuid, flavor }: { instance: Owner; migrationUuid: string; providerUuid: string; flavor: Flavor },
): void {
  const kept = placement.allocationsOf(migrationUuid)
  const atSource = kept.length > 0 ? kept : placement.allocationsOf(instance.uuid)
  placement.claimTogether([
    { consumer: { ...consumerOf(instance), uuid: migrationUuid, type: 'MIGRATION' }, allocations: atSource },
    { consumer: consumerOf(instance), allocations: [{ providerUuid, resources: resourcesOf(flavor) }] },
  ])
}

/** A server claims on the host where it is. @throws {NoValidHost} when there is not enough room. */
export function claimOnHost(
  { model, placement }: Pick<Deps, 'model' | 'placement'>,
  instance: Instance,
  resources: Record<string, number>,
): void {
  const node = model.hosts.nodes().find(({ host, hypervisorHostname }) => host === instance.host && hypervisorHostname === instance.node)
  if (!node) throw new NoValidHost([], 'The host of the server is not known any more.')
  try {
    placement.claim(consumerOf(instance), [{ providerUuid: node.uuid, resources }])
  } catch (error) {
    if (!(error instanceof CloudError) || error.kind !== 'conflict') throw error
    throw new NoValidHost(
      [{ host: node.host, filter: 'Placement', reason: messageOf(error) }],
      'There is not enough free CPU, memory or disk for this flavor on the host of the server.',
    )
  }
}

/**
 * An evacuated server holds its flavor at the destination beside what it has at its lost source, until that host is back.
 * @throws {NoValidHost} with each host's reason.
 */
export function claimEvacuation(deps: Deps, instance: Instance, wish: DestinationWish): Destination {
  return deps.db.transaction(() =>
    firstWithRoom(deps, instance, wish, ({ providerUuid }) => {
      const elsewhere = deps.placement.allocationsOf(instance.uuid).filter((held) => held.providerUuid !== providerUuid)
      deps.placement.claim(consumerOf(instance), [...elsewhere, { providerUuid, resources: resourcesOf(wish.flavor) }])
    }),
  )
}

/** The server holds nothing more of these providers. */
export function dropRoom({ placement }: Pick<Deps, 'placement'>, instance: Owner, providerUuids: readonly string[]): void {
  const kept = placement.allocationsOf(instance.uuid).filter(({ providerUuid }) => !providerUuids.includes(providerUuid))
  placement.claim(consumerOf(instance), kept)
}

/** The move has succeeded: the room at the source is free. Harmless when it is already. */
export function settle({ placement }: Pick<Deps, 'placement'>, migrationUuid: string): void {
  placement.release(migrationUuid)
}

/** The move has failed or is reverted: the server holds what it had at the source, and nothing elsewhere. Harmless when nothing was claimed. */
export function giveBack({ placement }: Pick<Deps, 'placement'>, instance: Owner, migrationUuid: string): void {
  const atSource = placement.allocationsOf(migrationUuid)
  if (atSource.length === 0) return
  placement.claimTogether([
    { consumer: { ...consumerOf(instance), uuid: migrationUuid, type: 'MIGRATION' }, allocations: [] },
    { consumer: consumerOf(instance), allocations: atSource },
  ])
}
