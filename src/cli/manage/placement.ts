/**
 * `manage placement`: servers and what they hold, compared. A running cloud heals itself by the same rules; these commands tell, and
 * do so also for a cloud that is stopped.
 *
 * @see https://docs.openstack.org/nova/latest/cli/nova-manage.html#placement-commands
 */
import { CloudError, messageOf } from '../../base/errors.ts'
import { type Instance, Instances, resourcesOf } from '../../nova/model/index.ts'
import { makePlacement, type Placement } from '../../placement/index.ts'
import { out, type Shell } from '../shell.ts'
import { failed } from './db.ts'
import { countIn, type ManageFlags, openScope, type Scope } from './scope.ts'

type HealFlags = ManageFlags & {
  maxCount?: string
  verbose?: boolean
  dryRun?: boolean
  instance?: string
  cell?: string
  force?: boolean
  skipPortAllocations?: boolean
}

type Outcome = 'nothing' | 'healed' | 'no-node' | 'failed'
type Node = { uuid: string; host: string; name: string }

const nodesOf = ({ db }: Scope): Node[] =>
  db.prepare<Node>('SELECT uuid, host, hypervisor_hostname AS name FROM compute_nodes WHERE deleted = 0').all()
const isBusy = ({ db }: Scope, uuid: string): boolean =>
  db.prepare("SELECT 1 FROM minicloud_sagas WHERE key = ? AND state NOT IN ('done', 'undone')").get(uuid) !== undefined

/** @returns nova-manage's exit code: 0 healed, 1 max count reached, 2 no compute node, 3 refused, 4 nothing to do, 127 bad input. */
export function healAllocations(flags: HealFlags, shell: Shell): number {
  const say = flags.verbose || flags.dryRun ? out : () => {}
  if (flags.cell !== undefined && flags.instance !== undefined)
    return failed('The --cell and --instance options are mutually exclusive.', 127)
  if (flags.force && flags.instance === undefined) return failed('The --instance flag is required when using --force flag.', 127)
  const max = flags.maxCount === undefined ? null : countIn(flags.maxCount)
  if (flags.maxCount !== undefined && max === null) return failed('Must supply a positive integer for --max-count.', 127)
  using scope = openScope(flags, shell)
  if (flags.cell !== undefined && !scope.db.prepare('SELECT 1 FROM cell_mappings WHERE uuid = ?').get(flags.cell))
    return failed(`Cell with uuid ${flags.cell} was not found.`, 127)
  const uuids = candidates(scope, flags)
  if (uuids === null) return failed(`Unable to find cell for instance ${flags.instance}, is it mapped?`, 127)

  const instances = new Instances(scope)
  const placement = makePlacement(scope)
  const heal = healer(scope, placement, flags, say)
  let healed = 0
  for (const uuid of uuids) {
    if (max !== null && healed >= max) {
      say(`Max count reached. Processed ${healed} instances.`)
      return 1
    }
    const outcome = scope.db.transaction(() => {
      const instance = instances.find(uuid)
      return instance ? heal(instance) : 'nothing'
    })
    if (outcome === 'no-node') return 2
    if (outcome === 'failed') return 3
    if (outcome === 'healed') healed += 1
  }
  say(`Processed ${healed} instances.`)
  return healed === 0 || flags.dryRun ? 4 : 0
}

/** Live servers, of one cell or one alone; null for one that is not there. */
function candidates({ db }: Scope, { cell, instance }: HealFlags): string[] | null {
  const found = db
    .prepare<{ uuid: string }>(
      `SELECT m.instance_uuid AS uuid FROM instance_mappings m JOIN cell_mappings c ON c.id = m.cell_id
       WHERE m.queued_for_delete = 0 AND (@instance IS NULL OR m.instance_uuid = @instance) AND (@cell IS NULL OR c.uuid = @cell) ORDER BY m.id`,
    )
    .all({ instance: instance ?? null, cell: cell ?? null })
    .map(({ uuid }) => uuid)
  return instance !== undefined && found.length === 0 ? null : found
}

function healer(scope: Scope, placement: Placement, { force, dryRun }: HealFlags, say: (line: string) => void) {
  const nodes = nodesOf(scope)
  return (instance: Instance): Outcome => {
    const { uuid, host, projectId, userId } = instance
    if (instance.taskState !== null || isBusy(scope, uuid)) {
      say(`Instance ${uuid} is undergoing a task state transition: ${instance.taskState ?? 'unfinished'}`)
      return 'nothing'
    }
    if (host === null) {
      say(`Instance ${uuid} is not on a host.`)
      return 'nothing'
    }
    const has = placement.allocationsOf(uuid).length > 0
    if (has && !force) {
      say(`The allocation of instance ${uuid} is up-to-date. Nothing to be healed.`)
      return 'nothing'
    }
    const node = nodes.find((one) => one.host === host && (instance.node === null || one.name === instance.node))
    if (!node) {
      out(`Compute host ${instance.node ?? host} could not be found.`)
      return 'no-node'
    }
    const verb = has ? 'Update' : 'Create'
    const resources = resourcesOf(instance.flavor)
    if (dryRun) {
      say(`[dry-run] ${verb} allocations for instance ${uuid}: ${JSON.stringify({ [node.uuid]: { resources } })}`)
      return 'healed'
    }
    try {
      placement.claim({ uuid, projectId, userId, type: 'INSTANCE' }, [{ providerUuid: node.uuid, resources }])
    } catch (error) {
      if (!(error instanceof CloudError)) throw error
      out(`Failed to ${verb.toLowerCase()} allocations for instance ${uuid} against provider ${node.uuid}: ${messageOf(error)}`)
      return 'failed'
    }
    say(`Successfully ${verb.toLowerCase()}d allocations for instance ${uuid}.`)
    return 'healed'
  }
}

type AuditFlags = ManageFlags & { verbose?: boolean; delete?: boolean; resource_provider?: string }

/** @returns 0 none found, 3 orphans found, 4 deleted, 127 for an unknown provider. */
export function auditAllocations(flags: AuditFlags, shell: Shell): number {
  const say = flags.verbose ? out : () => {}
  using scope = openScope(flags, shell)
  const providers = scope.db
    .prepare<{ uuid: string }>('SELECT uuid FROM resource_providers WHERE @uuid IS NULL OR uuid = @uuid ORDER BY id')
    .all({ uuid: flags.resource_provider ?? null })
  if (flags.resource_provider !== undefined && providers.length === 0)
    return failed(`Resource provider with UUID ${flags.resource_provider} does not exist.`, 127)
  const placement = makePlacement(scope)
  let orphans = 0
  for (const { uuid: provider } of providers)
    for (const { consumerUuid: consumer, resources } of placement.consumersOn(provider)) {
      const isOrphan = scope.db.transaction(() => {
        if (isOwned(scope, consumer, provider)) return false
        if (flags.delete) releaseAt(scope, placement, consumer, provider)
        return true
      })
      if (!isOrphan) continue
      orphans += 1
      const which = `Allocations for consumer UUID ${consumer} on Resource Provider ${provider}`
      out(
        flags.delete
          ? `Deleted allocations for consumer UUID ${consumer} on Resource Provider ${provider}: ${JSON.stringify(resources)}`
          : `${which} can be deleted: ${JSON.stringify(resources)}`,
      )
    }
  say(`Processed ${orphans} ${orphans === 1 ? 'allocation' : 'allocations'}.`)
  if (orphans === 0) return 0
  return flags.delete ? 4 : 3
}

const openMove = "deleted = 0 AND status NOT IN ('confirmed', 'reverted', 'error', 'failed', 'completed', 'cancelled', 'done')"

/** Held by a server that is on this provider's host or moves, by such a move, or by what a saga still works on. */
function isOwned(scope: Scope, consumer: string, provider: string): boolean {
  const { db } = scope
  if (isBusy(scope, consumer)) return true
  if (db.prepare(`SELECT 1 FROM migrations WHERE (uuid = @consumer OR instance_uuid = @consumer) AND ${openMove}`).get({ consumer }))
    return true
  const instance = db.prepare<{ host: string | null }>('SELECT host FROM instances WHERE uuid = ? AND deleted = 0').get(consumer)
  if (!instance) return false
  const node = nodesOf(scope).find(({ uuid }) => uuid === provider)
  // A provider that is no host may be shared by several.
  return node === undefined || node.host === instance.host
}

/** What the consumer has of other providers stays. */
function releaseAt(scope: Scope, placement: Placement, consumer: string, provider: string): void {
  const others = placement.allocationsOf(consumer).filter(({ providerUuid }) => providerUuid !== provider)
  const instance = new Instances(scope).find(consumer)
  if (others.length === 0 || instance === null) placement.release(consumer)
  else placement.claim({ uuid: consumer, projectId: instance.projectId, userId: instance.userId, type: 'INSTANCE' }, others)
}

/** Placement's aggregates of hosts become those of Compute, and stay what others made them. @returns 0; 5 for a host without a node. */
export function syncAggregates(flags: ManageFlags & { verbose?: boolean }, shell: Shell): number {
  const say = flags.verbose ? out : () => {}
  using scope = openScope(flags, shell)
  const placement = makePlacement(scope)
  const nodes = nodesOf(scope)
  const rows = scope.db
    .prepare<{ uuid: string; name: string; host: string }>(
      'SELECT a.uuid, a.name, h.host FROM aggregates a JOIN aggregate_hosts h ON h.aggregate_id = a.id ORDER BY a.id, h.id',
    )
    .all()
  say('Filling in missing placement aggregates')
  const missing: string[] = []
  for (const { uuid, name, host } of rows) {
    const own = nodes.filter((node) => node.host === host)
    if (own.length === 0) missing.push(host)
    for (const node of own) {
      const present = placement.aggregatesOf(node.uuid)
      if (present.includes(uuid)) continue
      placement.setAggregates(node.uuid, [...present, uuid])
      say(`Successfully added host (${host}) and provider (${node.uuid}) to aggregate (${name}) in placement.`)
    }
  }
  if (missing.length === 0) return 0
  return failed(
    `Unable to find matching compute_nodes record entries in the cell database for the following hosts; does the nova-compute service on each host need to be started? ${missing.join(', ')}`,
    5,
  )
}
