/** What is asked of live migrations: to begin one, to abort it, to complete it at once. */
import { conflict, invalid, notFound } from '../../base/errors.ts'
import { type Instance, type Migration, type MigrationStatus, NoValidHost } from '../model/index.ts'
import { GuestError } from '../virt/index.ts'
import { askHost } from './compute-client.ts'
import type { Conductor } from './conductor.ts'
import type { ConductorDeps } from './deps.ts'
import { pickDestination } from './destination.ts'
import { ended } from './endings.ts'
import { inEvent } from './events.ts'
import { type Caller, checkRule, hostOf } from './guard.ts'
import {
  abortLiveMigration,
  abortRule,
  checkLeave,
  checkSend,
  forceCompleteRule,
  type LiveMigrateInput,
  type LiveWish,
  liveMigrateRule,
  liveMigrateServer,
} from './live-migrate.ts'
import { hostsThatCannot } from './move.ts'
import { notify } from './notifications.ts'

export class LiveMigrations {
  readonly #deps: ConductorDeps
  readonly #conductor: Pick<Conductor, 'begin' | 'need'>

  constructor(deps: ConductorDeps, conductor: Pick<Conductor, 'begin' | 'need'>) {
    this.#deps = deps
    this.#conductor = conductor
  }

  /**
   * Begins a live migration. With `checksFirst` it is known when this resolves that a host would take the server.
   * @throws {CloudError} `conflict` as the rule says; `invalid` for a host that is not known, or when a check fails;
   * `not-implemented` when the server's hypervisor cannot.
   */
  async start(instance: Instance, wish: LiveWish, caller: Caller, { checksFirst }: { checksFirst: boolean }): Promise<void> {
    const { model } = this.#deps
    const { uuid, flavor } = instance
    checkRule(instance, liveMigrateRule, caller)
    const source = hostOf(instance)
    const { host } = wish
    if (host !== null && !model.hosts.nodes().some((node) => node.host === host)) throw invalid(`Compute host ${host} could not be found.`)
    await this.#conductor.need(instance, 'liveMigration')
    if (checksFirst) await this.#check(instance, wish, caller)
    const input: LiveMigrateInput = { ...wish, uuid, source, migrationId: 0 }
    void this.#conductor.begin(instance, liveMigrateRule, caller, {
      saga: liveMigrateServer,
      input,
      rows: () => {
        const destination = host === null ? null : { host, node: null }
        input.migrationId = model.migrations.begin({
          instance,
          type: 'live-migration',
          newFlavor: flavor,
          destination,
          by: caller,
          status: 'accepted',
        })
      },
    })
  }

  /**
   * Calls off a live migration; the server stays where it is.
   * @throws {CloudError} `conflict` when the server does not migrate; `not-found`; `invalid` when it is too late, or too early.
   */
  abort(instance: Instance, migrationId: number, caller: Caller, { from }: { from: readonly MigrationStatus[] }): void {
    const input = { uuid: instance.uuid, migrationId }
    void this.#conductor.begin(instance, abortRule, caller, {
      saga: abortLiveMigration,
      input,
      supersedes: true,
      rows: () => {
        const found = this.#deps.model.migrations.findLive(instance.uuid, migrationId)
        if (!found) throw notFound(`Migration ${migrationId} not found for instance ${instance.uuid}`)
        if (!from.includes(found.status)) throw wrongStatus(found, 'abort live migration')
      },
    })
  }

  /** @throws {CloudError} `conflict` when the server does not migrate or is paused; `invalid` unless the migration is running. */
  async forceComplete(instance: Instance, migrationId: number, caller: Caller): Promise<void> {
    const { db, model, queue } = this.#deps
    const { uuid } = instance
    checkRule(instance, forceCompleteRule, caller)
    const found = model.migrations.findLive(uuid, migrationId)
    if (!found) throw invalid(`Migration ${migrationId} not found for instance ${uuid}`)
    if (found.status !== 'running') throw wrongStatus(found, 'force complete')
    const host = hostOf(instance)
    const { requestId } = caller
    model.actions.begin('live_migration_force_complete', uuid, caller)
    notify(queue, 'live_migration_force_complete.start', instance, caller)
    try {
      await inEvent(this.#deps, { input: { uuid }, requestId }, 'compute_live_migration_force_complete', host, () =>
        askHost(queue, host, 'forceComplete', { uuid }),
      )
    } catch (error) {
      model.actions.finish(uuid, requestId, 'Error')
      if (error instanceof GuestError)
        throw invalid(`Migration ${migrationId} of instance ${uuid} cannot be completed now.`, { cause: error })
      throw error
    }
    db.transaction(() => ended(this.#deps, { uuid, requestId, host, phase: 'live_migration_force_complete' }))
  }

  /** @throws {CloudError} as {@link checkLeave} and {@link checkSend}; `conflict` when another request was faster; `invalid` when no host would take the server. */
  async #check(instance: Instance, wish: LiveWish, caller: Caller): Promise<void> {
    const { uuid } = instance
    try {
      checkLeave(this.#deps, instance, wish)
      await checkSend(this.#deps, instance, wish)
    } catch (error) {
      if (!(error instanceof GuestError)) throw error
      checkRule(this.#deps.model.instances.get(uuid), liveMigrateRule, caller)
      throw conflict(`The guest of instance ${uuid} cannot leave its host now.`, { cause: error })
    }
    const excluded = [hostOf(instance), ...(await hostsThatCannot(this.#deps, 'liveMigration'))]
    try {
      pickDestination(this.#deps, instance, { ...wish, flavor: instance.flavor, excluded })
    } catch (error) {
      if (error instanceof NoValidHost) throw invalid(error.message, { cause: error })
      throw error
    }
  }
}

const wrongStatus = ({ id, instance_uuid, status }: Migration, method: string) =>
  invalid(`Migration ${id} state of instance ${instance_uuid} is ${status}. Cannot ${method} while the migration is in this state.`)
