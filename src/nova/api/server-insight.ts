/**
 * What a server's host, guest and record tell: diagnostics, the password that the guest made, its topology.
 *
 * @see https://docs.openstack.org/api-ref/compute/#servers-diagnostics-servers-diagnostics
 */
import { conflict } from '../../base/errors.ts'
import { atLeast, type Incoming, operation } from '../../base/http/index.ts'
import type { Instance } from '../model/index.ts'
import { type GuestDiagnostics, GuestError, PowerState } from '../virt/index.ts'
import type { NovaApi } from './deps.ts'
import { type Known, noQuery } from './known-query.ts'
import { serverOf } from './servers.ts'

const errors = [400, 403, 404] as const
type Request = Incoming<undefined, Known>

/** Up to 2.47 what a hypervisor has to say, under names of its own making. */
function freeForm({ cpus, disks, nics, memory }: GuestDiagnostics, { ports }: Instance): Record<string, number> {
  const tapOf = (mac: string) => ports.find((port) => port.mac.toLowerCase() === mac.toLowerCase())?.tap ?? mac
  return Object.fromEntries([
    ...cpus.flatMap(({ id, timeNs }) => (timeNs === null ? [] : [[`cpu${id}_time`, timeNs]])),
    ['memory', memory.maximumMib * 1024],
    ...disks.flatMap((disk) => [
      [`${disk.device}_errors`, disk.errors],
      [`${disk.device}_read`, disk.readBytes],
      [`${disk.device}_read_req`, disk.readRequests],
      [`${disk.device}_write`, disk.writeBytes],
      [`${disk.device}_write_req`, disk.writeRequests],
    ]),
    ...nics.flatMap((nic) =>
      (
        [
          ['rx', nic.rxBytes],
          ['rx_drop', nic.rxDropped],
          ['rx_errors', nic.rxErrors],
          ['rx_packets', nic.rxPackets],
          ['tx', nic.txBytes],
          ['tx_drop', nic.txDropped],
          ['tx_errors', nic.txErrors],
          ['tx_packets', nic.txPackets],
        ] as const
      ).map(([name, value]) => [`${tapOf(nic.mac)}_${name}`, value]),
    ),
  ])
}

const states: Partial<Record<number, string>> = {
  [PowerState.running]: 'running',
  [PowerState.paused]: 'paused',
  [PowerState.shutdown]: 'shutdown',
  [PowerState.crashed]: 'crashed',
  [PowerState.suspended]: 'suspended',
}

const fixedForm = (told: GuestDiagnostics, { powerState }: Instance, hypervisor: string) => ({
  config_drive: told.hasConfigDrive,
  cpu_details: told.cpus.map(({ id, timeNs, utilisationPercent }) => ({ id, time: timeNs, utilisation: utilisationPercent })),
  disk_details: told.disks.map((disk) => ({
    errors_count: disk.errors,
    read_bytes: disk.readBytes,
    read_requests: disk.readRequests,
    write_bytes: disk.writeBytes,
    write_requests: disk.writeRequests,
  })),
  // One of a closed list, on which no pretended hypervisor stands.
  driver: 'libvirt',
  hypervisor,
  hypervisor_os: 'linux',
  memory_details: { maximum: told.memory.maximumMib, used: told.memory.usedMib },
  nic_details: told.nics.map((nic) => ({
    mac_address: nic.mac,
    rx_drop: nic.rxDropped,
    rx_errors: nic.rxErrors,
    rx_octets: nic.rxBytes,
    rx_packets: nic.rxPackets,
    rx_rate: null,
    tx_drop: nic.txDropped,
    tx_errors: nic.txErrors,
    tx_octets: nic.txBytes,
    tx_packets: nic.txPackets,
    tx_rate: null,
  })),
  num_cpus: told.cpus.length,
  num_disks: told.disks.length,
  num_nics: told.nics.length,
  state: states[powerState] ?? 'pending',
  uptime: told.uptimeSeconds,
})

const showDiagnostics = operation({
  method: 'GET',
  path: '/servers/{server_id}/diagnostics',
  status: 200,
  errors: [...errors, 409, 501],
  policy: 'os_compute_api:os-server-diagnostics',
  query: noQuery,
  handle: async (request: Request, nova: NovaApi) => {
    const instance = serverOf(request, nova)
    const told = await nova.conductor.ask(instance, 'diagnostics', { uuid: instance.uuid }).catch((error: unknown) => {
      if (error instanceof GuestError) throw conflict(`Instance ${instance.uuid} is not ready`, { cause: error })
      throw error
    })
    if (!atLeast(request.context, '2.48')) return freeForm(told, instance)
    const node = nova.model.hosts.nodes().find(({ host }) => host === instance.host)
    const type = (node?.resources.hypervisorType ?? '').toLowerCase()
    return fixedForm(told, instance, type)
  },
})

const passwordPieces = ['password_0', 'password_1', 'password_2', 'password_3'] as const

const showPassword = operation({
  method: 'GET',
  path: '/servers/{server_id}/os-server-password',
  status: 200,
  errors,
  policy: 'os_compute_api:os-server-password:show',
  query: noQuery,
  handle: (request: Request, nova: NovaApi) => {
    const kept = nova.model.instances.systemMetadata(serverOf(request, nova).uuid)
    return { password: passwordPieces.map((piece) => kept[piece] ?? '').join('') }
  },
})

const clearPassword = operation({
  method: 'DELETE',
  path: '/servers/{server_id}/os-server-password',
  status: 204,
  errors: [403, 404],
  policy: 'os_compute_api:os-server-password:clear',
  handle: (request, nova: NovaApi) => {
    const { uuid } = serverOf(request, nova)
    nova.model.instances.setSystemMetadata(uuid, Object.fromEntries(passwordPieces.map((piece) => [piece, null])))
    return undefined
  },
})

/** No guest here is given NUMA nodes of its own. */
const showTopology = operation({
  method: 'GET',
  path: '/servers/{server_id}/topology',
  since: '2.78',
  status: 200,
  errors,
  policy: 'compute:server:topology:index',
  query: noQuery,
  handle: (request: Request, nova: NovaApi) => {
    serverOf(request, nova)
    return { nodes: [], pagesize_kb: null }
  },
})

export const serverInsightOperations = [showDiagnostics, showPassword, clearPassword, showTopology]
