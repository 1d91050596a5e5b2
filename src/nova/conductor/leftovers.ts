/**
 * What a server has left behind on hosts that it is no longer on. Ended at once where the host answers; else the reconciler
 * finds it when the host is back.
 */
import { CloudError, messageOf } from '../../base/errors.ts'
import type { Instance, Migration } from '../model/index.ts'
import { GuestError } from '../virt/index.ts'
import { askHost } from './compute-client.ts'
import type { ConductorDeps } from './deps.ts'
import { dropRoom } from './move-claims.ts'

/** Once the running transaction has committed, ends the guest on a host, unless the server is there. Its ports are the server's still. */
export function removeLeftover({ db, model, queue, log }: ConductorDeps, uuid: string, host: string): void {
  if (model.instances.find(uuid)?.host === host) return
  db.afterCommit(() => {
    askHost(queue, host, 'destroy', { uuid, portIds: [] }, uuid).catch((error: unknown) => {
      log.warn({ instance: uuid, host, err: error }, `what is left of a guest is ended when its host is back: ${messageOf(error)}`)
    })
  })
}

/**
 * Work on a host that does not stand in the way of what is undone: when the host is down, it waits for the comparison with the
 * records that follows its return.
 * @throws what the work throws while the host answers.
 */
export async function unlessDown(
  { log }: Pick<ConductorDeps, 'log'>,
  uuid: string,
  host: string,
  work: () => Promise<unknown>,
): Promise<void> {
  try {
    await work()
  } catch (error) {
    const isDown = error instanceof GuestError ? error.reason === 'host-down' : error instanceof CloudError && error.kind === 'unavailable'
    if (!isDown) throw error
    log.warn({ instance: uuid, host, err: error }, `left as it is until the host is back: ${messageOf(error)}`)
  }
}

/** Takes back what was done to a guest, unless it is gone: its disks went with it. @throws what the work throws otherwise. */
export async function unlessGone(work: () => Promise<unknown>): Promise<void> {
  try {
    await work()
  } catch (error) {
    if (!(error instanceof GuestError) || error.reason !== 'not-found') throw error
  }
}

/** Moves whose migration may hold room. */
const held = new Set<string>([
  'accepted',
  'queued',
  'preparing',
  'running',
  'pre-migrating',
  'migrating',
  'post-migrating',
  'finished',
  'confirming',
  'reverting',
])
export const holdsRoom = ({ status }: Pick<Migration, 'status'>): boolean => held.has(status)

/**
 * A guest of a live server on a host where the server is not, and to which no open move may bring it back. Only what moved
 * from or to that host can be one: a host that was given another name keeps its guests.
 */
export function isLeftover({ model, sagas }: Pick<ConductorDeps, 'model' | 'sagas'>, { uuid, host: now }: Instance, host: string): boolean {
  if (now === host || sagas.busy(uuid)) return false
  const moves = model.migrations.list({ instanceUuid: uuid, host })
  return moves.length > 0 && !moves.some(holdsRoom)
}

/**
 * A host is back from which servers were evacuated: what it held for them is free, and their evacuations are complete. Their
 * guests have been ended before.
 */
export function completeEvacuations({ db, model, placement, sagas, log }: ConductorDeps, host: string): string[] {
  const providers = model.hosts.nodes().flatMap((node) => (node.host === host ? [node.uuid] : []))
  return db.transaction(() => {
    const completed: string[] = []
    for (const { id, instance_uuid: uuid } of model.migrations.list({ sourceCompute: host, migrationType: 'evacuation', status: 'done' })) {
      if (sagas.busy(uuid)) continue
      const instance = model.instances.find(uuid)
      if (instance && instance.host !== host) dropRoom({ placement }, instance, providers)
      model.migrations.move(id, ['done'], 'completed')
      log.info({ instance: uuid, host }, 'the host from which the server was evacuated is back')
      completed.push(uuid)
    }
    return completed
  })
}
