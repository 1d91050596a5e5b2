/** The order of a list of servers, and where in it a page begins. */
import { forbidden, invalid } from '../../base/errors.ts'
import { type Incoming, version } from '../../base/http/index.ts'
import { type NovaApi, viewerOf } from './deps.ts'
import { markerNotFound } from './paging.ts'
import type { Where } from './server-filters.ts'
import { wrongChoice } from './wrong-query.ts'

const sortColumns = new Map(
  [
    'access_ip_v4',
    'access_ip_v6',
    'auto_disk_config',
    'availability_zone',
    'config_drive',
    'created_at',
    'display_description',
    'display_name',
    'host',
    'hostname',
    'image_ref',
    'instance_type_id',
    'kernel_id',
    'key_name',
    'launch_index',
    'launched_at',
    'locked_by',
    'node',
    'power_state',
    'progress',
    'project_id',
    'ramdisk_id',
    'root_device_name',
    'task_state',
    'terminated_at',
    'updated_at',
    'user_id',
    'uuid',
    'vm_state',
  ].map((name): [string, string] => [name, `i.${name}`]),
)
const ignoredSortKeys = new Set(
  'architecture,cell_name,cleaned,default_ephemeral_device,default_swap_device,deleted,deleted_at,disable_terminate,ephemeral_gb,ephemeral_key_uuid,id,key_data,launched_on,memory_mb,os_type,reservation_id,root_gb,shutdown_terminate,user_data,vcpus,vm_mode'.split(
    ',',
  ),
)

const keysAt = (at: number): string[] => [
  ...sortColumns.keys(),
  ...(at >= version('2.73') ? ['locked'] : []),
  ...(at >= version('2.75') ? [] : ignoredSortKeys),
]

export type Order = { key: string; column: string; direction: 'ASC' | 'DESC' }[]

/** @throws {CloudError} `invalid` for what is no key or direction; `forbidden` for a key that only administrators may see. */
export function orderOf({ context, search }: Incoming, isAdmin: boolean): Order {
  const keys = search.getAll('sort_key')
  const directions = search.getAll('sort_dir')
  for (const direction of directions)
    if (direction !== 'asc' && direction !== 'desc')
      throw invalid("Invalid input received: Unknown sort direction, must be 'desc' or 'asc'")
  if (directions.length > Math.max(keys.length, 1)) throw invalid('Invalid input received: Sort direction size exceeds sort key size')
  const order: Order = []
  for (const [i, key] of keys.entries()) {
    const direction = (directions[i] ?? directions[0] ?? 'desc') === 'asc' ? 'ASC' : 'DESC'
    const isLocked = key === 'locked' && context.version >= version('2.73')
    const column = isLocked ? 'i.locked' : sortColumns.get(key)
    if ((key === 'host' || key === 'node') && !isAdmin) throw forbidden(`Only administrators can sort servers by ${key}`)
    if (column) order.push({ key, column, direction })
    else if (!ignoredSortKeys.has(key) || context.version >= version('2.75')) throw wrongChoice('sort_key', key, keysAt(context.version))
  }
  const direction = order[0]?.direction ?? (directions[0] === 'asc' ? 'ASC' : 'DESC')
  if (order.length === 0) order.push({ key: 'created_at', column: 'i.created_at', direction })
  return [...order, { key: 'id', column: 'i.id', direction: order.at(-1)?.direction ?? direction }]
}

/**
 * Rows beyond the marker in the list's order: the first key beyond, or equal and the next beyond, and so on.
 * The marker may be deleted since its page was read: whoever deletes page after page goes on behind it.
 * @throws {CloudError} `invalid` for a marker that was no server of the caller's.
 */
export function after({ context }: Incoming, nova: NovaApi, where: Where, order: Order, marker: string): void {
  if (!nova.model.instances.find(marker, viewerOf(context), { deleted: true })) throw markerNotFound(marker)
  const at = (column: string) => `(SELECT ${column.replace('i.', 'm.')} FROM instances m WHERE m.uuid = ?)`
  // NULLs sort first in SQLite, and `IS` compares them; a row is beyond NULL when it is not NULL.
  const beyond = ({ column, direction }: Order[number]) =>
    direction === 'ASC'
      ? `(${column} > ${at(column)} OR (${at(column)} IS NULL AND ${column} IS NOT NULL))`
      : `(${column} < ${at(column)} OR (${column} IS NULL AND ${at(column)} IS NOT NULL))`
  const branches = order.map((entry, i) =>
    [...order.slice(0, i).map(({ column }) => `${column} IS ${at(column)}`), beyond(entry)].join(' AND '),
  )
  const [first] = order
  // Lets the index seek to the marker, where the branches alone would have it read the whole list.
  if (first && first.key === 'created_at')
    where.add(`${first.column} ${first.direction === 'ASC' ? '>=' : '<='} ${at(first.column)}`, marker)
  where.add(`(${branches.map((branch) => `(${branch})`).join(' OR ')})`, marker)
}
