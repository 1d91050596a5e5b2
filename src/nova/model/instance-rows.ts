/** From rows to instances: the columns that are read together, and what they mean. */
import { remembered } from '../../base/remembered.ts'
import { embeddedFlavor } from './embedded-flavors.ts'
import type { Fault, Instance, RequestSpec } from './instance.ts'
import { networkInfoOf } from './network-info.ts'
import type { TaskState, VmState } from './states.ts'

export type Row = Record<string, string | number | null> & { id: number; uuid: string }

export const instanceColumns = `i.id, i.uuid, i.display_name, i.display_description, i.hostname, i.project_id, i.user_id, i.image_ref, i.kernel_id, i.ramdisk_id, i.key_name, i.key_data, i.launch_index,
  i.reservation_id, i.vm_state, i.task_state, i.power_state, i.host, i.node, i.availability_zone, i.user_data, i.config_drive, i.root_device_name, i.access_ip_v4, i.access_ip_v6, i.auto_disk_config,
  i.progress, i.locked, i.locked_by, i.created_at, i.updated_at, i.launched_at, i.terminated_at, i.deleted, e.flavor, e.trusted_certs, c.network_info, r.spec,
  (SELECT json_group_object(m.key, m.value) FROM instance_metadata m WHERE m.instance_uuid = i.uuid) AS metadata,
  (SELECT json_group_array(t.tag) FROM tags t WHERE t.resource_id = i.uuid) AS tags,
  (SELECT json_group_object(s.key, s.value) FROM instance_system_metadata s
   WHERE s.instance_uuid = i.uuid AND (substr(s.key, 1, 6) = 'image_' OR s.key = 'locked_reason') AND s.deleted = 0) AS kept,
  CASE WHEN i.vm_state = 'error' OR i.deleted <> 0 THEN
    (SELECT json_object('code', f.code, 'message', f.message, 'details', f.details, 'created', f.created_at)
     FROM instance_faults f WHERE f.instance_uuid = i.uuid ORDER BY f.id DESC LIMIT 1) END AS fault`
export const instanceJoins = `FROM instances i JOIN instance_extra e ON e.instance_uuid = i.uuid LEFT JOIN instance_info_caches c ON c.instance_uuid = i.uuid LEFT JOIN request_specs r ON r.instance_uuid = i.uuid`

const emptySpec: RequestSpec = { schedulerHints: {}, pinnedZone: null, requestedHost: null, requestedNode: null }

const text = (value: string | number | null | undefined): string | null => (value === null || value === undefined ? null : String(value))

/** Servers of one image have the same. */
const keptOf = remembered((text): Pick<Instance, 'imageProperties' | 'lockedReason'> => {
  const { locked_reason: lockedReason = null, ...properties } = JSON.parse(text) as Record<string, string>
  return {
    imageProperties: Object.fromEntries(Object.entries(properties).map(([key, value]) => [key.slice('image_'.length), value])),
    lockedReason,
  }
})

export function toInstance(row: Row): Instance {
  return {
    id: row.id,
    uuid: row.uuid,
    name: String(row.display_name),
    description: text(row.display_description),
    hostname: String(row.hostname),
    projectId: String(row.project_id),
    userId: String(row.user_id),
    imageId: row.image_ref === '' ? null : text(row.image_ref),
    kernelId: row.kernel_id === '' ? null : text(row.kernel_id),
    ramdiskId: row.ramdisk_id === '' ? null : text(row.ramdisk_id),
    keyName: text(row.key_name),
    keyData: text(row.key_data),
    launchIndex: Number(row.launch_index),
    reservationId: String(row.reservation_id),
    vmState: row.vm_state as VmState,
    taskState: row.task_state as TaskState | null,
    powerState: Number(row.power_state ?? 0),
    host: text(row.host),
    node: text(row.node),
    availabilityZone: text(row.availability_zone),
    flavor: embeddedFlavor(String(row.flavor)),
    userData: text(row.user_data),
    configDrive: row.config_drive === 'True',
    rootDeviceName: text(row.root_device_name),
    accessIpV4: text(row.access_ip_v4),
    accessIpV6: text(row.access_ip_v6),
    autoDiskConfig: row.auto_disk_config === 1,
    progress: Number(row.progress ?? 0),
    locked: row.locked === 1,
    lockedBy: row.locked_by as Instance['lockedBy'],
    createdAt: String(row.created_at),
    updatedAt: text(row.updated_at),
    launchedAt: text(row.launched_at),
    terminatedAt: text(row.terminated_at),
    deleted: row.deleted !== 0,
    ports: networkInfoOf(text(row.network_info)),
    spec: row.spec === null ? emptySpec : (JSON.parse(String(row.spec)) as RequestSpec),
    trustedCerts: row.trusted_certs === null ? null : (JSON.parse(String(row.trusted_certs)) as string[]),
    metadata: row.metadata === '{}' ? {} : (JSON.parse(String(row.metadata)) as Record<string, string>),
    tags: row.tags === '[]' ? [] : (JSON.parse(String(row.tags)) as string[]).sort(),
    ...keptOf(String(row.kept)),
    fault: row.fault === null ? null : (JSON.parse(String(row.fault)) as Fault),
  }
}
