/**
 * What `manage libvirt`, `image_property` and `volume_attachment` show and change of a single server: what is kept of the image that it
 * was made from, as `image_…` in its system metadata.
 *
 * @see https://docs.openstack.org/nova/latest/cli/nova-manage.html#libvirt-commands
 */
import { existsSync, readFileSync } from 'node:fs'
import { hostname } from 'node:os'
import { Instances } from '../../nova/model/index.ts'
import { out, type Shell } from '../shell.ts'
import { failed } from './db.ts'
import { type ManageFlags, openScope, type Scope } from './scope.ts'
import { pairs } from './table.ts'

const prefix = 'image_'
const machineType = `${prefix}hw_machine_type`
const offline = new Set(['stopped', 'shelved', 'shelved_offloaded'])
/** Properties that Compute knows begin with one of these. */
const knownProperty = /^(hw|os|img|cinder|traits?)_[a-z0-9_]{1,200}$|^(os_type|os_distro|os_version|architecture)$/
const longest = 255

type Found = { uuid: string; vm_state: string }

const find = ({ db }: Scope, uuid: string): Found | undefined =>
  db.prepare<Found>('SELECT uuid, vm_state FROM instances WHERE uuid = ? AND deleted = 0').get(uuid)
const missing = (uuid: string, code = 2): number => failed(`Instance ${uuid} could not be found.`, code)
const notOffline = ({ uuid, vm_state }: Found, code: number): number =>
  failed(`Instance ${uuid} in vm_state ${vm_state}. Cannot change it while the instance is in this state: stop or shelve it first.`, code)

/** @returns 0 and the type; 2 no such server, 3 none recorded. */
export function getMachineType(uuid: string, flags: ManageFlags, shell: Shell): number {
  using scope = openScope(flags, shell)
  if (!find(scope, uuid)) return missing(uuid)
  const found = new Instances(scope).systemMetadata(uuid)[machineType]
  if (found === undefined) return failed(`No machine type registered for instance ${uuid}`, 3)
  out(found)
  return 0
}

const familyOf = (type: string): string => ['q35', 'virt', 's390'].find((name) => type.includes(name)) ?? 'i440fx'
const versionOf = (type: string): number[] => (/(\d+(?:\.\d+)*)$/.exec(type)?.[1] ?? '').split('.').map(Number)

function isOlder(next: string, before: string): boolean {
  const [a, b] = [versionOf(next), versionOf(before)]
  const at = a.findIndex((part, i) => part !== (b[i] ?? 0))
  return /\d$/.test(next) && /\d$/.test(before) && at >= 0 && (a[at] ?? 0) < (b[at] ?? 0)
}

/** @returns 0; 2 no such server, 3 not offline, 4 another or an older machine, 5 unknown type. */
export function updateMachineType(uuid: string, type: string, flags: ManageFlags & { force?: boolean }, shell: Shell): number {
  if (flags.force) out('Forcing update of machine type.')
  using scope = openScope(flags, shell)
  const instance = find(scope, uuid)
  if (!instance) return missing(uuid)
  const instances = new Instances(scope)
  const before = instances.systemMetadata(uuid)[machineType]
  if (!flags.force) {
    if (!offline.has(instance.vm_state)) return notOffline(instance, 3)
    if (!/^(pc|q35|virt|s390-ccw-virtio)(-[\w.]+)?$|^pc-(i440fx|q35)-[\w.]+$|^virt-[\d.]+$/.test(type))
      return failed(`Machine type ${type} is not supported.`, 5)
    if (before !== undefined && (familyOf(before) !== familyOf(type) || isOlder(type, before)))
      return failed(`Cannot update machine type ${before} to ${type}.`, 4)
  }
  instances.setSystemMetadata(uuid, { [machineType]: type })
  out(`Updated instance ${uuid} machine type to ${type} (previously ${before ?? 'None'})`)
  return 0
}

/** @returns 0 none without, 2 no such cell, 3 some without. */
export function listUnsetMachineType(flags: ManageFlags & { cellUuid?: string }, shell: Shell): number {
  using scope = openScope(flags, shell)
  if (flags.cellUuid !== undefined && !scope.db.prepare('SELECT 1 FROM cell_mappings WHERE uuid = ?').get(flags.cellUuid))
    return failed(`Cell ${flags.cellUuid} has no mapping.`, 2)
  const uuids = withoutMachineType(scope, flags.cellUuid ?? null)
  if (uuids.length === 0) return failed('No instances found without hw_machine_type set.', 0)
  for (const uuid of uuids) out(uuid)
  return 3
}

/** Live servers for which no machine type is recorded. */
export const withoutMachineType = ({ db }: Scope, cellUuid: string | null): string[] =>
  db
    .prepare<{ uuid: string }>(
      `SELECT m.instance_uuid AS uuid FROM instance_mappings m JOIN cell_mappings c ON c.id = m.cell_id
       WHERE m.queued_for_delete = 0 AND (@cell IS NULL OR c.uuid = @cell) AND NOT EXISTS
       (SELECT 1 FROM instance_system_metadata s WHERE s.instance_uuid = m.instance_uuid AND s.key = @key AND s.deleted = 0) ORDER BY m.id`,
    )
    .all({ cell: cellUuid, key: machineType })
    .map(({ uuid }) => uuid)

/** @returns 0 and the value; 2 no such server, 3 no such property. */
export function showImageProperty(uuid: string, property: string, flags: ManageFlags, shell: Shell): number {
  using scope = openScope(flags, shell)
  if (!find(scope, uuid)) return missing(uuid)
  const value = new Instances(scope).systemMetadata(uuid)[prefix + property]
  if (value === undefined) return failed(`Image property ${property} not found for instance ${uuid}.`, 3)
  out(value)
  return 0
}

/** @returns 0; 2 no such server, 3 not offline, 4 not NAME=VALUE, 5 unknown name, 6 bad value. */
export function setImageProperties(uuid: string, flags: ManageFlags & { property?: string[] }, shell: Shell): number {
  using scope = openScope(flags, shell)
  const instance = find(scope, uuid)
  if (!instance) return missing(uuid)
  const change: Record<string, string> = {}
  for (const pair of flags.property ?? []) {
    const at = pair.indexOf('=')
    if (at < 1) return failed(`Invalid input received: --property should use the format key=value, not ${pair}`, 4)
    const [name, value] = [pair.slice(0, at), pair.slice(at + 1)]
    if (!knownProperty.test(name)) return failed(`Invalid image property name ${name}.`, 5)
    if (value.length > longest || /\p{Cc}/u.test(value)) return failed(`The value of ${name} is too long, or no text.`, 6)
    change[prefix + name] = value
  }
  if (!offline.has(instance.vm_state)) return notOffline(instance, 3)
  new Instances(scope).setSystemMetadata(uuid, change)
  return 0
}

const notAttached = (uuid: string, volume: string, code: number): number =>
  failed(`Volume ${volume} is not attached to instance ${uuid}: minicloud attaches no volumes.`, code)

/** @returns 2 no such server, 3 not attached. */
export function showAttachment(uuid: string, volume: string, flags: ManageFlags, shell: Shell): number {
  using scope = openScope(flags, shell)
  return find(scope, uuid) ? notAttached(uuid, volume, 3) : missing(uuid)
}

/** @returns 2 no connector file, 3 no JSON in it, 4 no such server, 6 not attached. */
export function refreshAttachment(uuid: string, volume: string, connector: string, flags: ManageFlags, shell: Shell): number {
  if (!existsSync(connector)) return failed(`Invalid input received: Connector file not found at ${connector}`, 2)
  try {
    JSON.parse(readFileSync(connector, 'utf8'))
  } catch {
    return failed(`Failed to open ${connector}. Does it contain valid connector_info data?`, 3)
  }
  using scope = openScope(flags, shell)
  return find(scope, uuid) ? notAttached(uuid, volume, 6) : missing(uuid, 4)
}

/** What a volume service would be told of this host. */
export function showConnector(flags: ManageFlags & { json?: boolean }): number {
  const { platform, arch } = process
  const connector = { platform: arch === 'x64' ? 'x86_64' : 'aarch64', os_type: platform, host: hostname(), multipath: false }
  if (flags.json) out(JSON.stringify(connector))
  else out(pairs('Property', 'Value', Object.entries(connector)))
  return 0
}
