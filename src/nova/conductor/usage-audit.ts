/**
 * The audit of usage: for every host, once a period, each server that was on it for a part of the period is told of, and the
 * host's line in the log says so. A host that is down is audited when it is back, if the period is still the last one.
 *
 * @see https://docs.openstack.org/nova/latest/admin/configuration/api.html (instance_usage_audit)
 */
import { isoSeconds, timeText } from '../../base/clock.ts'
import { lastPeriod, novaConfig } from '../model/index.ts'
import type { ConductorDeps } from './deps.ts'
import { notify } from './notifications.ts'

/** Audits the hosts that were not yet audited for the last period. */
export function auditUsage({ model, clock, config, queue, log, db }: ConductorDeps): void {
  const { beginning, ending } = lastPeriod(clock.now(), config.get(novaConfig).instanceUsageAuditPeriod)
  const [from, to] = [timeText(beginning), timeText(ending)]
  const done = new Set(model.auditLog.tasks(from, to).map(({ host }) => host))
  for (const { host, up } of model.hosts.services({ binary: 'nova-compute' })) {
    if (!up || done.has(host)) continue
    const startedAt = clock.now()
    const instances = model.instances.list(
      'WHERE i.host = @host AND i.launched_at < @to AND (i.terminated_at IS NULL OR i.terminated_at > @from) ORDER BY i.id',
      { host, from, to },
    )
    const auditPeriod = { audit_period_beginning: isoSeconds(from), audit_period_ending: isoSeconds(to) }
    db.transaction(() => {
      const seconds = (clock.now() - startedAt) / 1000
      const message = `Instance usage audit ran for host ${host}, ${instances.length} instances in ${seconds} seconds.`
      model.auditLog.write({ host, state: 'DONE', message, items: instances.length, errors: 0 }, from, to)
      db.afterCommit(() => {
        for (const instance of instances) notify(queue, 'exists', instance, { requestId: null, auditPeriod })
      })
    })
    log.info({ host, instances: instances.length, ...auditPeriod }, 'usage was audited')
  }
}
