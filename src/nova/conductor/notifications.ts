/**
 * Tells listeners what happens to servers, in the shape of Nova's versioned notifications.
 *
 * @see https://docs.openstack.org/nova/latest/reference/notifications.html
 */
import type { Queue } from '../../base/queue/index.ts'
import type { Instance } from '../model/index.ts'

export type InstanceNotification = {
  uuid: string
  display_name: string
  tenant_id: string
  user_id: string
  host: string | null
  state: string
  task_state: string | null
  power_state: number
  request_id: string | null
  fault: string | null
  /** Of an audit of usage, which counts a server for as long as it was there meanwhile. */
  audit_period: AuditPeriod | null
}

export type AuditPeriod = { audit_period_beginning: string; audit_period_ending: string }

/** `phase` is `create.start`, `power_off.end`, `delete.error` … */
export function notify(
  queue: Queue,
  phase: string,
  instance: Instance,
  about: { requestId: string | null; fault?: string | null; auditPeriod?: AuditPeriod },
): void {
  const payload: InstanceNotification = {
    uuid: instance.uuid,
    display_name: instance.name,
    tenant_id: instance.projectId,
    user_id: instance.userId,
    host: instance.host,
    state: instance.vmState,
    task_state: instance.taskState,
    power_state: instance.powerState,
    request_id: about.requestId,
    fault: about.fault ?? null,
    audit_period: about.auditPeriod ?? null,
  }
  queue.publish({ type: `notification.instance.${phase}`, payload })
}
