/**
 * Hosts, as they were seen up to 2.42: services and hypervisors say it better since.
 *
 * @see https://docs.openstack.org/api-ref/compute/#hosts-os-hosts-deprecated
 */
import { CloudError, invalid, notFound } from '../../base/errors.ts'
import { as, bodies, closed, type Incoming, operation, Type } from '../../base/http/index.ts'
import type { HostQuestion } from '../conductor/index.ts'
import type { Service } from '../model/index.ts'
import type { NovaApi } from './deps.ts'
import { anyText, type Known, knownQuery } from './known-query.ts'

const until = '2.42'

/** @throws {CloudError} `not-found` for what is no compute host. */
function serviceOf({ params }: Incoming<unknown, unknown>, { model }: NovaApi): Service {
  const host = params.host_name ?? ''
  const [found] = model.hosts.services({ host, binary: 'nova-compute' })
  if (!found) throw notFound(`Compute host ${host.slice(0, 255)} could not be found.`)
  return found
}

const listHosts = operation({
  method: 'GET',
  path: '/os-hosts',
  until,
  status: 200,
  errors: [400, 403],
  policy: 'os_compute_api:os-hosts:list',
  query: knownQuery({ '2.1': { zone: anyText, service: anyText } }, '2.102'),
  handle: ({ query }: Incoming<undefined, Known>, { model }: NovaApi) => ({
    hosts: model.hosts
      .services()
      .map(({ host, binary, availabilityZone }) => ({ host_name: host, service: binary.replace(/^nova-/, ''), zone: availabilityZone }))
      .filter(({ service, zone }) => (query.zone ? zone === query.zone : true) && (query.service ? service === query.service : true)),
  }),
})

const showHost = operation({
  method: 'GET',
  path: '/os-hosts/{host_name}',
  until,
  status: 200,
  errors: [400, 403, 404],
  policy: 'os_compute_api:os-hosts:show',
  handle: (request: Incoming, nova: NovaApi) => {
    const { host } = serviceOf(request, nova)
    const row = (project: string, cpu: number, memory: number, disk: number) => ({
      resource: { host, project, cpu, memory_mb: memory, disk_gb: disk },
    })
    const nodes = nova.model.hosts.nodes().filter((node) => node.host === host)
    const total = (of: (node: (typeof nodes)[number]) => number) => nodes.reduce((sum, node) => sum + of(node), 0)
    const byProject = nova.model.hosts.usageByProject(host)
    const used = (of: (usage: (typeof byProject)[number]) => number) => byProject.reduce((sum, usage) => sum + of(usage), 0)
    return {
      host: [
        row(
          '(total)',
          total(({ resources }) => resources.vcpus),
          total(({ resources }) => resources.memoryMib),
          total(({ resources }) => resources.diskGib),
        ),
        row(
          '(used_now)',
          used(({ vcpus }) => vcpus),
          total(({ resources }) => resources.memoryUsedMib),
          total(({ resources }) => resources.diskUsedGib),
        ),
        row(
          '(used_max)',
          used(({ vcpus }) => vcpus),
          used(({ memoryMib }) => memoryMib),
          used(({ diskGib }) => diskGib),
        ),
        ...byProject.map(({ projectId, vcpus, memoryMib, diskGib }) => row(projectId, vcpus, memoryMib, diskGib)),
      ],
    }
  },
})

/** Asks a host about its own machine. @throws {CloudError} `invalid` for one that is down; `not-implemented`. */
async function ask({ host, up }: Service, { conductor }: NovaApi, ...question: HostQuestion): Promise<void> {
  const unavailable = (cause?: unknown) => invalid(`Compute service of ${host} is unavailable at this time.`, { cause })
  if (!up) throw unavailable()
  try {
    await conductor.askHost(host, ...question)
  } catch (error) {
    if (error instanceof CloudError && error.kind === 'unavailable') throw unavailable(error)
    throw error
  }
}

const onOff = Type.Optional(Type.Unsafe<string>({ type: 'string', pattern: '^([Ee][Nn]|[Dd][Ii][Ss])[Aa][Bb][Ll][Ee]$' }))
const hostChange = Type.Object({ status: onOff, maintenance_mode: onOff }, { ...closed, minProperties: 1 })

const updateHost = operation({
  method: 'PUT',
  path: '/os-hosts/{host_name}',
  until,
  status: 200,
  errors: [400, 403, 404, 501],
  policy: 'os_compute_api:os-hosts:update',
  body: bodies({ '2.1': as(hostChange) }),
  handle: async (request: Incoming<{ status?: string; maintenance_mode?: string }>, nova: NovaApi) => {
    const service = serviceOf(request, nova)
    const status = request.body.status?.toLowerCase()
    const maintenance = request.body.maintenance_mode?.toLowerCase()
    // First what the host may refuse: then nothing has changed.
    if (maintenance !== undefined) await ask(service, nova, 'hostMaintenance', { on: maintenance === 'enable' })
    const answer = {
      host: service.host,
      ...(maintenance === undefined ? {} : { maintenance_mode: maintenance === 'enable' ? 'on_maintenance' : 'off_maintenance' }),
    }
    if (status === undefined) return answer
    const disabled = status === 'disable'
    nova.model.hosts.updateService(service.id, { disabled, disabledReason: null })
    return { ...answer, status: disabled ? 'disabled' : 'enabled' }
  },
})

const powerAction = (action: 'reboot' | 'shutdown' | 'startup', policy: string) =>
  operation({
    method: 'GET',
    path: `/os-hosts/{host_name}/${action}`,
    until,
    status: 200,
    errors: [400, 403, 404, 501],
    policy,
    handle: async (request: Incoming, nova: NovaApi) => {
      const service = serviceOf(request, nova)
      await ask(service, nova, 'hostPower', { action })
      return { host: service.host, power_action: action }
    },
  })

export const hostOperations = [
  listHosts,
  showHost,
  updateHost,
  powerAction('reboot', 'os_compute_api:os-hosts:reboot'),
  powerAction('shutdown', 'os_compute_api:os-hosts:shutdown'),
  powerAction('startup', 'os_compute_api:os-hosts:start'),
]
