/**
 * The truth of a host: guests, allocations and ports against records. It takes no input; it is nudged to be early and
 * timed to be certain, and what a saga is still working on it leaves alone.
 */
import { messageOf } from '../../base/errors.ts'
import { type Instance, resourcesOf } from '../model/index.ts'
import { type GuestInfo, PowerState } from '../virt/index.ts'
import { askHost } from './compute-client.ts'
import type { ConductorDeps } from './deps.ts'
import { completeEvacuations, holdsRoom, isLeftover } from './leftovers.ts'
import { readPorts, releasePorts } from './ports.ts'
import { syncPower } from './power-sync.ts'

export type Reconciled = { reaped: string[]; released: string[]; healed: string[]; ports: string[] }

export type ReconcileOptions = {
  powerOff: (instance: Instance) => void
  /** Start guests that ran before the host went down, rather than recording that they stopped. */
  resumeGuests: boolean
}

/** @throws when the hypervisor does not answer: then nothing is concluded. */
export async function reconcileHost(deps: ConductorDeps, host: string, options: ReconcileOptions): Promise<Reconciled> {
  const guests = new Map((await askHost(deps.queue, host, 'list', {})).map((guest) => [guest.uuid, guest]))
  const instances = new Map(deps.model.instances.onHost(host).map((instance) => [instance.uuid, instance]))
  const reaped = await reap(deps, host, guests, instances)
  for (const instance of instances.values()) {
    if (deps.sagas.busy(instance.uuid)) continue
    const guest = guests.get(instance.uuid) ?? null
    if (options.resumeGuests && wasRunning(instance) && isOff(guest)) await restart(deps, host, instance)
    else syncPower(deps, instance, guest, options.powerOff)
  }
  if (isUp(deps, host)) completeEvacuations(deps, host)
  return { reaped, ...healAllocations(deps, host), ports: reapPorts(deps) }
}

/** One that was forced down may not be fenced yet: what is there of a server is not touched. */
const isUp = ({ model }: ConductorDeps, host: string): boolean =>
  model.hosts.services({ host, binary: 'nova-compute' }).some(({ up }) => up)

/** Cut off or saved to disk when the host went down, or forgotten by a hypervisor that was set up anew. */
const isOff = (guest: GuestInfo | null): boolean => offStates.includes(guest?.power ?? PowerState.noState)
const offStates: readonly PowerState[] = [PowerState.noState, PowerState.shutdown, PowerState.crashed, PowerState.suspended]

const wasRunning = ({ vmState, taskState }: Instance): boolean => vmState === 'active' && taskState === null

/** Guests that no record knows, or knows elsewhere: left behind by a crash, by a move, or deleted while their host was away. */
async function reap(
  deps: ConductorDeps,
  host: string,
  guests: ReadonlyMap<string, GuestInfo>,
  instances: ReadonlyMap<string, Instance>,
): Promise<string[]> {
  const { queue, log } = deps
  const reaped: string[] = []
  for (const { uuid } of guests.values()) {
    if (instances.has(uuid) || deps.sagas.busy(uuid)) continue
    const instance = deps.model.instances.find(uuid)
    if (instance && (!isUp(deps, host) || !isLeftover(deps, instance, host))) continue
    await askHost(queue, host, 'destroy', { uuid, portIds: [] })
    log.warn({ instance: uuid, host }, instance ? 'ended what a server left behind' : 'ended a guest that no server owns')
    reaped.push(uuid)
  }
  return reaped
}

async function restart({ queue, log }: ConductorDeps, host: string, instance: Instance): Promise<void> {
  try {
    await askHost(
      queue,
      host,
      'power',
      { uuid: instance.uuid, action: 'start', graceMs: 0, portIds: instance.ports.map(({ portId }) => portId) },
      instance.uuid,
    )
    log.info({ instance: instance.uuid, host }, 'started a guest that ran before the host went down')
  } catch (error) {
    log.error({ instance: instance.uuid, host, err: error }, `cannot start a guest that ran before: ${messageOf(error)}`)
  }
}

/** Each live server on the host holds what its flavor says; nobody else holds anything but servers and migrations that are on their way. */
function healAllocations({ db, model, placement, sagas }: ConductorDeps, host: string): { released: string[]; healed: string[] } {
  const isMoving = (consumer: string): boolean => {
    const migration = model.migrations.find(consumer)
    return migration !== null && holdsRoom(migration) && model.instances.find(migration.instance_uuid) !== null
  }
  return db.transaction(() => {
    const released: string[] = []
    const healed: string[] = []
    for (const node of model.hosts.nodes().filter((candidate) => candidate.host === host)) {
      const consumers = new Set(placement.consumersOn(node.uuid).map(({ consumerUuid }) => consumerUuid))
      const owners = new Map(model.instances.onHost(host).map((instance) => [instance.uuid, instance]))
      for (const uuid of consumers) {
        if (owners.has(uuid) || sagas.busy(uuid) || model.instances.find(uuid) || isMoving(uuid)) continue
        placement.release(uuid)
        released.push(uuid)
      }
      for (const instance of owners.values()) {
        if (consumers.has(instance.uuid) || sagas.busy(instance.uuid)) continue
        placement.claim({ uuid: instance.uuid, projectId: instance.projectId, userId: instance.userId, type: 'INSTANCE' }, [
          { providerUuid: node.uuid, resources: resourcesOf(instance.flavor) },
        ])
        healed.push(instance.uuid)
      }
    }
    return { released, healed }
  })
}

function reapPorts(deps: ConductorDeps): string[] {
  const { db, model, networks, sagas } = deps
  const orphans = networks.ownedDevices().filter((uuid) => !sagas.busy(uuid) && model.instances.find(uuid) === null)
  db.transaction(() => {
    for (const uuid of orphans) releasePorts(deps, uuid)
  })
  return orphans
}

/** The network changed something about a server's ports: its cache is read anew. */
export function refreshPorts(deps: ConductorDeps, uuid: string): void {
  const instance = deps.model.instances.find(uuid)
  if (!instance) return
  const tags = new Map(instance.ports.map(({ portId, tag }) => [portId, tag]))
  const ports = readPorts(deps, uuid).map((port) => ({ ...port, tag: tags.get(port.portId) ?? null }))
  if (JSON.stringify(ports) !== JSON.stringify(instance.ports)) deps.model.instances.setPorts(uuid, ports)
}
