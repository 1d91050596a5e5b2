/**
 * nova-manage's commands with their options, by the words that call them. `run` answers the exit code; each loads what it needs when it
 * is called.
 */
import { out, type Shell } from '../shell.ts'
import type { ManageFlags } from './scope.ts'

export type ManageCommand = {
  path: string
  about: string
  /** `<required>` or `[optional]`. */
  arguments?: string[]
  /** Flags as commander writes them, and what they do; a third word marks what must be there or may be repeated. */
  options?: [flags: string, about: string, kind?: 'required' | 'repeated'][]
  // biome-ignore lint/suspicious/noExplicitAny: commander hands over the flags that were declared above
  run: (flags: ManageFlags & any, shell: Shell, ...args: string[]) => Promise<number>
}

const verbose: [string, string] = ['--verbose', 'tell what is done']
const json: [string, string] = ['--json', 'answer in JSON']
const cellUuid: [string, string, 'required'] = ['--cell_uuid <uuid>', 'the cell', 'required']
const oneCell: [string, string] = ['--cell_uuid <uuid>', 'only this cell']
const database: [string, string] = ['--database_connection <url>', 'not used: there is one SQLite file']
const transport: [string, string] = ['--transport-url <url>', 'not used: the queue is within the process']
const before: [string, string] = ['--before <date>', 'only what was deleted before this time']
const allCells: [string, string] = ['--all-cells', 'every cell']
const maxCount: [string, string] = ['--max-count <number>', 'how many at most']

const db = () => import('./db.ts')
const cells = () => import('./cells.ts')
const placement = () => import('./placement.ts')
const instances = () => import('./instances.ts')

/** One sentence on standard output, and exit code 1. */
const refused = (line: string) => async (): Promise<number> => (await db()).failed(line, 1)

export const manageCommands: ManageCommand[] = [
  { path: 'version', about: 'print the release version', run: async () => (await import('./version.ts')).printVersion() },
  { path: 'bash-completion', about: 'print all commands', run: async () => printGroups() },
  {
    path: 'db sync',
    about: "bring the database to this program's schema",
    arguments: ['[version]'],
    options: [['--local_cell', 'the same: all cells share one file']],
    run: async (flags, shell, version) => (await db()).syncDatabase(flags, shell, version),
  },
  {
    path: 'db version',
    about: "print the number of the database's schema",
    options: [json],
    run: async (flags, shell) => (await db()).printDatabaseVersion(flags, shell),
  },
  {
    path: 'db archive_deleted_rows',
    about: 'move deleted rows to shadow tables',
    options: [
      ['--max_rows <number>', 'rows at most, 1000 unless told'],
      before,
      verbose,
      ['--until-complete', 'go on until nothing remains'],
      ['--purge', 'then empty the shadow tables'],
      allCells,
      ['--task-log', 'rows of task_log too'],
      ['--sleep <seconds>', 'pause between batches'],
    ],
    run: async (flags, shell) => (await db()).archiveDeletedRows(flags, shell),
  },
  {
    path: 'db purge',
    about: 'delete rows from shadow tables',
    options: [['--all', 'everything'], before, verbose, allCells],
    run: async (flags, shell) => (await db()).purgeShadows(flags, shell),
  },
  {
    path: 'db online_data_migrations',
    about: 'run pending data migrations',
    options: [maxCount],
    run: async (flags, shell) => (await db()).migrateData(flags, shell),
  },
  {
    path: 'db ironic_compute_node_move',
    about: 'move an ironic node; minicloud has none',
    options: [
      ['--ironic-node-uuid <uuid>', 'the node', 'required'],
      ['--destination-host <host>', 'where to', 'required'],
    ],
    run: refused('minicloud manages no ironic nodes.'),
  },
  {
    path: 'api_db sync',
    about: 'the same as db sync: minicloud has one database',
    arguments: ['[version]'],
    run: async (flags, shell, version) => (await db()).syncDatabase(flags, shell, version),
  },
  {
    path: 'api_db version',
    about: "print the number of the database's schema",
    options: [json],
    run: async (flags, shell) => (await db()).printDatabaseVersion(flags, shell),
  },
  {
    path: 'cell_v2 simple_cell_setup',
    about: 'map cell0 and one cell with all hosts',
    options: [transport],
    run: async (flags, shell) => (await cells()).simpleCellSetup(flags, shell),
  },
  {
    path: 'cell_v2 map_cell0',
    about: 'record cell0',
    options: [database],
    run: async (flags, shell) => (await cells()).mapCell0(flags, shell),
  },
  {
    path: 'cell_v2 map_instances',
    about: 'map unmapped servers to a cell',
    options: [cellUuid, maxCount, ['--reset', 'from the first server on']],
    run: async (flags, shell) => (await cells()).mapInstances(flags, shell),
  },
  {
    path: 'cell_v2 map_cell_and_hosts',
    about: 'create a cell and map its hosts',
    options: [transport, ['--name <name>', "the cell's name"], verbose],
    run: async (flags, shell) => (await cells()).mapCellAndHosts(flags, shell),
  },
  {
    path: 'cell_v2 verify_instance',
    about: "check a server's mapping",
    options: [
      ['--uuid <uuid>', 'the server', 'required'],
      ['--quiet', 'print nothing'],
    ],
    run: async (flags, shell) => (await cells()).verifyInstance(flags, shell),
  },
  {
    path: 'cell_v2 create_cell',
    about: "name this host's cell",
    options: [['--name <name>', "the cell's name"], database, transport, ['--verbose', "print the cell's uuid"], ['--disabled', 'refused']],
    run: async (flags, shell) => (await cells()).createCell(flags, shell),
  },
  {
    path: 'cell_v2 discover_hosts',
    about: 'map new compute hosts to cells',
    options: [oneCell, verbose, ['--strict', 'exit with 1 when none is new'], ['--by-service', 'go by service records, not compute nodes']],
    run: async (flags, shell) => (await cells()).discoverHosts(flags, shell),
  },
  {
    path: 'cell_v2 list_cells',
    about: 'show the cells',
    options: [verbose],
    run: async (flags, shell) => (await cells()).listCells(flags, shell),
  },
  {
    path: 'cell_v2 delete_cell',
    about: 'remove an empty cell',
    options: [cellUuid, ['--force', 'its hosts too']],
    run: async (flags, shell) => (await cells()).deleteCell(flags, shell),
  },
  {
    path: 'cell_v2 list_hosts',
    about: 'show the hosts of cells',
    options: [oneCell],
    run: async (flags, shell) => (await cells()).listHosts(flags, shell),
  },
  {
    path: 'cell_v2 update_cell',
    about: 'change a cell',
    options: [
      cellUuid,
      ['--name <name>', 'its new name'],
      transport,
      database,
      ['--disable', 'schedule no new servers there'],
      ['--enable', 'schedule there again'],
    ],
    run: async (flags, shell) => (await cells()).updateCell(flags, shell),
  },
  {
    path: 'cell_v2 delete_host',
    about: 'unmap a host',
    options: [cellUuid, ['--host <host>', 'the host', 'required']],
    run: async (flags, shell) => (await cells()).deleteHost(flags, shell),
  },
  {
    path: 'placement heal_allocations',
    about: 'create missing allocations of servers',
    options: [
      maxCount,
      verbose,
      ['--dry-run', 'change nothing'],
      ['--instance <uuid>', 'only this server'],
      ['--skip-port-allocations', 'the same: ports hold no allocations here'],
      ['--cell <uuid>', 'only this cell'],
      ['--force', 'also rewrite an allocation that is there'],
    ],
    run: async (flags, shell) => (await placement()).healAllocations(flags, shell),
  },
  {
    path: 'placement sync_aggregates',
    about: 'mirror host aggregates into placement',
    options: [verbose],
    run: async (flags, shell) => (await placement()).syncAggregates(flags, shell),
  },
  {
    path: 'placement audit',
    about: 'find allocations that nobody owns',
    options: [verbose, ['--delete', 'delete them'], ['--resource_provider <uuid>', 'only of this provider']],
    run: async (flags, shell) => (await placement()).auditAllocations(flags, shell),
  },
  {
    path: 'libvirt get_machine_type',
    about: "show a server's stored machine type",
    arguments: ['<instance_uuid>'],
    run: async (flags, shell, uuid = '') => (await instances()).getMachineType(uuid, flags, shell),
  },
  {
    path: 'libvirt update_machine_type',
    about: 'change the stored machine type of a stopped server',
    arguments: ['<instance_uuid>', '<machine_type>'],
    options: [['--force', 'without any check']],
    run: async (flags, shell, uuid = '', type = '') => (await instances()).updateMachineType(uuid, type, flags, shell),
  },
  {
    path: 'libvirt list_unset_machine_type',
    about: 'servers without a stored machine type',
    options: [['--cell-uuid <uuid>', 'only this cell']],
    run: async (flags, shell) => (await instances()).listUnsetMachineType(flags, shell),
  },
  {
    path: 'volume_attachment get_connector',
    about: "show this host's connector",
    options: [json],
    run: async (flags) => (await instances()).showConnector(flags),
  },
  {
    path: 'volume_attachment show',
    about: 'show an attachment',
    arguments: ['<instance_uuid>', '<volume_id>'],
    options: [['--connection_info', 'only how it is connected'], json],
    run: async (flags, shell, uuid = '', volume = '') => (await instances()).showAttachment(uuid, volume, flags, shell),
  },
  {
    path: 'volume_attachment refresh',
    about: 'make an attachment of a stopped server anew',
    arguments: ['<instance_uuid>', '<volume_id>', '<connector_path>'],
    run: async (flags, shell, uuid = '', volume = '', path = '') => (await instances()).refreshAttachment(uuid, volume, path, flags, shell),
  },
  {
    path: 'image_property show',
    about: 'show what is kept of an image property',
    arguments: ['<instance_uuid>', '<image_property>'],
    run: async (flags, shell, uuid = '', property = '') => (await instances()).showImageProperty(uuid, property, flags, shell),
  },
  {
    path: 'image_property set',
    about: 'change what is kept of image properties, of a stopped server',
    arguments: ['<instance_uuid>'],
    options: [['--property <name=value>', 'a property; may be repeated', 'repeated']],
    run: async (flags, shell, uuid = '') => (await instances()).setImageProperties(uuid, flags, shell),
  },
  {
    path: 'limits migrate_to_unified_limits',
    about: 'copy quotas into identity limits; minicloud keeps quotas in Compute',
    options: [
      ['--project-id <id>', 'only this project'],
      ['--region-id <id>', 'region of the limits'],
      verbose,
      ['--dry-run', 'only show'],
      ['--quiet', 'print nothing'],
      ['--no-embedded-flavor-scan', 'skip flavors stored inside servers'],
    ],
    run: refused('Identity has no unified limits here: quotas stay in Compute (openstack quota set).'),
  },
  {
    path: 'policy list',
    about: 'print every rule with what it stands for, as a policy.yaml',
    options: [['--sample', 'the defaults alone, commented out, with the requests that ask them'], json],
    run: async (flags, shell) => (await import('./policy.ts')).listPolicies(flags, shell),
  },
  {
    path: 'status upgrade check',
    about: "nova-status' readiness table",
    options: [json],
    run: async (flags, shell) => (await import('./status.ts')).upgradeCheck(flags, shell),
  },
]

/** A line a group, as scripts of shells read it. */
function printGroups(): number {
  for (const group of new Set(manageCommands.map(({ path }) => path.split(' ')[0] ?? ''))) out(group)
  return 0
}
