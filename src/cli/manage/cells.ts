/**
 * `manage cell_v2`. All hosts and servers of minicloud are in one cell, cell1, from the first start on; cell0 holds the servers that no
 * host took. Both are there, and every host and server is mapped at any time, so most commands tell what is rather than do something.
 *
 * The first `create_cell` gives that cell the operator's name, as an installation guide has it; a second one is a duplicate.
 *
 * @see https://docs.openstack.org/nova/latest/admin/cells.html
 */
import type { Shell } from '../shell.ts'
import { out } from '../shell.ts'
import { failed } from './db.ts'
import { countIn, type ManageFlags, openScope, type Scope } from './scope.ts'
import { table } from './table.ts'

const cell0Uuid = '00000000-0000-0000-0000-000000000000'
const fileUrl = 'sqlite:///minicloud.db'

type Cell = { id: number; uuid: string; name: string | null; transport_url: string; database_connection: string; updated_at: string | null }
type CellFlags = ManageFlags & {
  cell_uuid?: string
  name?: string
  database_connection?: string
  transportUrl?: string
  verbose?: boolean
  disabled?: boolean
  disable?: boolean
  enable?: boolean
  strict?: boolean
  byService?: boolean
  maxCount?: string
  reset?: boolean
  uuid?: string
  quiet?: boolean
  force?: boolean
  host?: string
}

const cellsOf = ({ db }: Scope): Cell[] => db.prepare<Cell>('SELECT * FROM cell_mappings ORDER BY id').all()
const cellOf = (scope: Scope, uuid: string | undefined): Cell | undefined => cellsOf(scope).find((cell) => cell.uuid === uuid)
const ownCell = (scope: Scope): Cell => {
  const cell = cellsOf(scope).find(({ uuid }) => uuid !== cell0Uuid)
  if (!cell) throw new Error('the database has no cell for its hosts')
  return cell
}
const identityOf = ({ name, uuid }: Cell): string => (name ? `${uuid}(${name})` : uuid)
const notFound = (uuid: string | undefined): number => failed(`Cell with uuid ${uuid} was not found.`, 1)
const hostsOf = ({ db }: Scope, cellId: number | null = null): { host: string; cell_id: number }[] =>
  db
    .prepare<{ host: string; cell_id: number }>('SELECT host, cell_id FROM host_mappings WHERE @id IS NULL OR cell_id = @id ORDER BY host')
    .all({ id: cellId })

const oneCell = (cell: Cell): string =>
  `minicloud keeps all its hosts in one cell, ${cell.name ?? 'unnamed'} (${cell.uuid}), and cannot have another.`

/** A given address of another database or queue is said to be of no use. */
function tellUnused({ database_connection, transportUrl }: CellFlags): void {
  if (database_connection !== undefined) out('--database_connection is not used: minicloud keeps its state in one SQLite file.')
  if (transportUrl !== undefined) out('--transport-url is not used: the queue is within the process.')
}

export function mapCell0(flags: CellFlags, shell: Shell): number {
  using _scope = openScope(flags, shell)
  tellUnused(flags)
  out('Cell0 is already setup')
  return 0
}

/** @returns 0 when the cell now is the operator's; 1 for a disabled one, 2 when it was so already. */
export function createCell(flags: CellFlags, shell: Shell): number {
  using scope = openScope(flags, shell)
  const cell = ownCell(scope)
  tellUnused(flags)
  if (cell.updated_at !== null)
    return failed(
      `The specified transport_url and/or database_connection combination already exists for another cell with uuid ${cell.uuid}. ${oneCell(cell)}`,
      2,
    )
  if (flags.disabled) return failed(neverDisabled, 1)
  scope.db
    .prepare('UPDATE cell_mappings SET name = ?, updated_at = ? WHERE id = ?')
    .run(flags.name ?? cell.name, scope.clock.text(), cell.id)
  if (flags.verbose) out(cell.uuid)
  return 0
}

const neverDisabled = 'The only cell cannot be disabled: disable compute services instead (openstack compute service set --disable).'

export function listCells(flags: CellFlags, shell: Shell): number {
  using scope = openScope(flags, shell)
  const rows = cellsOf(scope)
    .sort((a, b) => (a.name ?? '').localeCompare(b.name ?? ''))
    .map(({ name, uuid, transport_url, database_connection }) => [
      name ?? '',
      uuid,
      transport_url,
      database_connection === fileUrl ? `sqlite:///${scope.file}` : database_connection,
      'False',
    ])
  out(table(['Name', 'UUID', 'Transport URL', 'Database Connection', 'Disabled'], rows))
  return 0
}

/** @returns 0; 1 not found, 2 what cannot be set, 4 and 5 as nova-manage. */
export function updateCell(flags: CellFlags, shell: Shell): number {
  using scope = openScope(flags, shell)
  const cell = cellOf(scope, flags.cell_uuid)
  if (!cell) return notFound(flags.cell_uuid)
  if (flags.disable && flags.enable) return failed('Cell cannot be disabled and enabled at the same time.', 4)
  if (flags.disable) return cell.uuid === cell0Uuid ? failed('Cell0 cannot be disabled.', 5) : failed(neverDisabled, 2)
  if (flags.enable) out(`Cell ${cell.uuid} is already enabled`)
  if (flags.transportUrl !== undefined || flags.database_connection !== undefined)
    return failed('Unable to update CellMapping: minicloud has one SQLite file and a queue within its process.', 2)
  if (flags.name !== undefined)
    scope.db.prepare('UPDATE cell_mappings SET name = ?, updated_at = ? WHERE id = ?').run(flags.name, scope.clock.text(), cell.id)
  return 0
}

/** @returns 1 not found; else 2, as for any cell that has hosts: both cells stay, whatever is in them. */
export function deleteCell(flags: CellFlags, shell: Shell): number {
  using scope = openScope(flags, shell)
  const cell = cellOf(scope, flags.cell_uuid)
  if (!cell) return notFound(flags.cell_uuid)
  if (cell.uuid === cell0Uuid) return failed('cell0 stays: servers that no host took are in it.', 2)
  return failed(`There are existing hosts mapped to cell with uuid ${cell.uuid}. ${oneCell(cell)}`, 2)
}

export function listHosts(flags: CellFlags, shell: Shell): number {
  using scope = openScope(flags, shell)
  const cells = flags.cell_uuid === undefined ? cellsOf(scope) : cellsOf(scope).filter(({ uuid }) => uuid === flags.cell_uuid)
  if (cells.length === 0) return notFound(flags.cell_uuid)
  const rows = cells.flatMap(({ id, uuid, name }) => hostsOf(scope, id).map(({ host }) => [name ?? '', uuid, host]))
  out(table(['Cell Name', 'Cell UUID', 'Hostname'], rows))
  return 0
}

/** Hosts are mapped when they first report. @returns 0; 1 for `--strict`, since none is ever new. */
export function discoverHosts(flags: CellFlags, shell: Shell): number {
  using scope = openScope(flags, shell)
  const cells = flags.cell_uuid === undefined ? cellsOf(scope) : cellsOf(scope).filter(({ uuid }) => uuid === flags.cell_uuid)
  if (cells.length === 0) return notFound(flags.cell_uuid)
  if (flags.verbose) {
    if (flags.cell_uuid === undefined) out(`Found ${cells.length} cell mappings.`)
    for (const cell of cells) {
      if (cell.uuid === cell0Uuid) {
        out('Skipping cell0 since it does not contain hosts.')
        continue
      }
      const what = flags.byService ? 'compute services' : 'computes'
      out(`Getting ${flags.byService ? what : 'computes'} from cell '${cell.name ?? ''}': ${cell.uuid}`)
      for (const { host } of hostsOf(scope, cell.id)) out(`Host ${host} is mapped already.`)
      out(`Found 0 unmapped ${what} in cell: ${cell.uuid}`)
    }
  }
  return flags.strict ? 1 : 0
}

/** @returns 0; 127 for a bad count, 255 for an unknown cell. */
export function mapInstances(flags: CellFlags, shell: Shell): number {
  using scope = openScope(flags, shell)
  if (flags.maxCount !== undefined && countIn(flags.maxCount) === null) return failed('Must supply a positive value for max-count', 127)
  if (!cellOf(scope, flags.cell_uuid)) return failed(`Cell with uuid ${flags.cell_uuid} was not found.`, 255)
  return 0
}

/** Both make the mappings of what is there. @returns 1 for a simple setup without hosts. */
const setUp =
  (codeWithoutHosts: number) =>
  (flags: CellFlags, shell: Shell): number => {
    using scope = openScope(flags, shell)
    tellUnused(flags)
    if (codeWithoutHosts === 1) out('Cell0 is already setup')
    if (hostsOf(scope).length === 0) return failed('No hosts found to map to cell, exiting.', codeWithoutHosts)
    out('All hosts are already mapped to cell(s).')
    return 0
  }
export const simpleCellSetup = setUp(1)
export const mapCellAndHosts = setUp(0)

/** @returns 0 mapped, 1 not mapped (also when archived), 3 deleted and not yet archived. */
export function verifyInstance(flags: CellFlags, shell: Shell): number {
  using scope = openScope(flags, shell)
  const say = (line: string) => {
    if (!flags.quiet) out(line)
  }
  const found = scope.db
    .prepare<{ cell_id: number; queued_for_delete: number }>(
      'SELECT cell_id, queued_for_delete FROM instance_mappings WHERE instance_uuid = ?',
    )
    .get(flags.uuid)
  if (!found) {
    say(`Instance ${flags.uuid} is not mapped to a cell (upgrade is incomplete) or instance does not exist`)
    return 1
  }
  const cell = cellsOf(scope).find(({ id }) => id === found.cell_id) ?? ownCell(scope)
  if (found.queued_for_delete) {
    say(`The instance with uuid ${flags.uuid} has been deleted.`)
    return 3
  }
  say(`Instance ${flags.uuid} is in cell: ${cell.name ?? ''} (${cell.uuid})`)
  return 0
}

/** A host is mapped as long as its compute service is there. @returns 1 to 4; a live host stays. */
export function deleteHost(flags: CellFlags, shell: Shell): number {
  using scope = openScope(flags, shell)
  const cell = cellOf(scope, flags.cell_uuid)
  if (!cell) return notFound(flags.cell_uuid)
  const mapped = hostsOf(scope).find(({ host }) => host === flags.host)
  if (!mapped) return failed(`The host ${flags.host} was not found.`, 2)
  if (mapped.cell_id !== cell.id) return failed(`The host ${flags.host} was not found in the cell ${identityOf(cell)}.`, 3)
  const { n } = scope.db.prepare<{ n: number }>('SELECT count(*) AS n FROM instances WHERE host = ? AND deleted = 0').get(flags.host) ?? {
    n: 0,
  }
  if (n > 0) return failed(`There are instances on the host ${flags.host}.`, 4)
  return failed(`The host ${flags.host} is mapped as long as it has a compute service: openstack compute service delete removes both.`, 4)
}
