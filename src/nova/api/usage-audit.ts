/**
 * Whether usage was audited for the last whole period, host by host.
 *
 * @see https://docs.openstack.org/api-ref/compute/#server-usage-audit-log-os-instance-usage-audit-log
 */
import { timeText } from '../../base/clock.ts'
import { invalid } from '../../base/errors.ts'
import { type Incoming, operation } from '../../base/http/index.ts'
import { lastPeriod, novaConfig } from '../model/index.ts'
import type { NovaApi } from './deps.ts'
import { type Known, noQuery } from './known-query.ts'
import { plainTime } from './times.ts'

function audit(at: number, { model, config }: NovaApi): Record<string, unknown> {
  const { beginning, ending } = lastPeriod(at, config.get(novaConfig).instanceUsageAuditPeriod)
  const tasks = model.auditLog.tasks(timeText(beginning), timeText(ending))
  const hosts = model.hosts.services({ binary: 'nova-compute' }).map(({ host }) => host)
  const known = new Set(tasks.map(({ host }) => host))
  const sum = (of: (task: (typeof tasks)[number]) => number) => tasks.reduce((total, task) => total + of(task), 0)
  const done = tasks.filter(({ state }) => state === 'DONE').length
  const errors = sum((task) => task.errors)
  const seconds = (ms: number) => timeText(ms).slice(0, 19)
  return {
    period_beginning: seconds(beginning),
    period_ending: seconds(ending),
    num_hosts: hosts.length,
    num_hosts_done: done,
    num_hosts_running: tasks.length - done,
    num_hosts_not_run: hosts.filter((host) => !known.has(host)).length,
    hosts_not_run: hosts.filter((host) => !known.has(host)),
    total_instances: sum(({ items }) => items),
    total_errors: errors,
    overall_status: `${done === hosts.length ? 'ALL' : `${done} of ${hosts.length}`} hosts done. ${errors} errors.`,
    log: Object.fromEntries(
      tasks.map((task) => [task.host, { state: task.state, instances: task.items, errors: task.errors, message: task.message }]),
    ),
  }
}

const listAudit = operation({
  method: 'GET',
  path: '/os-instance_usage_audit_log',
  status: 200,
  errors: [400, 403],
  policy: 'os_compute_api:os-instance-usage-audit-log:list',
  query: noQuery,
  handle: (_request: Incoming<undefined, Known>, nova: NovaApi) => ({ instance_usage_audit_logs: audit(nova.clock.now(), nova) }),
})

const showAudit = operation({
  method: 'GET',
  path: '/os-instance_usage_audit_log/{before_timestamp}',
  status: 200,
  errors: [400, 403],
  policy: 'os_compute_api:os-instance-usage-audit-log:show',
  query: noQuery,
  handle: ({ params }: Incoming<undefined, Known>, nova: NovaApi) => {
    const text = params.before_timestamp ?? ''
    const before = text.includes('T') ? null : plainTime(text)
    if (before === null) throw invalid(`Invalid timestamp for date ${text.slice(0, 255)}`)
    return { instance_usage_audit_log: audit(before, nova) }
  },
})

export const usageAuditOperations = [listAudit, showAudit]
