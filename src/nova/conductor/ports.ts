/** An instance's ports: made or taken at build, given back at delete, and read into the instance's own cache. */
import type { Networks } from '../../network/index.ts'
import type { Instance, InstancePort } from '../model/index.ts'
import type { ConductorDeps } from './deps.ts'

/** One network interface that was asked for: a new port on a network, or a port that the user has made. */
export type RequestedNic = { networkId: string | null; portId: string | null; fixedIp: string | null; tag: string | null }

export const computeOwner = (zone: string): string => `compute:${zone}`

export type PortWish = { instance: Instance; nics: readonly RequestedNic[]; securityGroupIds: readonly string[] | null }

/** Makes and attaches the ports; asked again, it finds those that it made. */
export function allocatePorts({ networks }: Pick<ConductorDeps, 'networks'>, { instance, nics, securityGroupIds }: PortWish): string[] {
  const binding = {
    deviceId: instance.uuid,
    deviceOwner: computeOwner(instance.availabilityZone ?? 'nova'),
    host: instance.host ?? '',
    hostname: instance.hostname,
  }
  return nics.map((nic, i) => {
    if (nic.portId !== null) return networks.attachPort(nic.portId, binding).id
    const port = networks.createPort({
      ...binding,
      key: `${instance.uuid}:${i}`,
      networkId: nic.networkId ?? '',
      projectId: instance.projectId,
      securityGroupIds: securityGroupIds === null ? null : [...securityGroupIds],
      fixedIp: nic.fixedIp,
      mac: null,
    })
    return port.id
  })
}

/** Deletes the ports that were made for the instance and lets go of those that the user gave. */
export function releasePorts({ networks }: { networks: Networks }, instanceUuid: string): void {
  for (const { id, key } of networks.portsOf(instanceUuid)) {
    if (key === null) networks.detachPort(id)
    else networks.deletePort(id)
  }
}

/** What the network says of the instance's ports, in the order of the interfaces that were asked for. */
export function readPorts(
  { networks }: { networks: Networks },
  instanceUuid: string,
  nics: readonly { tag: string | null }[] = [],
): InstancePort[] {
  const given = new Set(networks.portsOf(instanceUuid).flatMap(({ id, key }) => (key === null ? [id] : [])))
  return networks.networkData(instanceUuid).map((entry, i) => ({
    portId: entry.portId,
    mac: entry.mac,
    tap: entry.tap,
    networkId: entry.network.id,
    label: entry.network.label,
    bridge: entry.bridge ?? '',
    mtu: entry.mtu,
    active: entry.active,
    preserve: given.has(entry.portId),
    tag: nics[i]?.tag ?? null,
    subnets: entry.subnets.map((subnet) => ({
      id: subnet.id,
      cidr: subnet.cidr,
      version: subnet.ipVersion,
      gateway: subnet.gateway,
      dhcpServer: subnet.dhcpServer,
      dhcp: subnet.dhcpEnabled,
      ipv6Mode: subnet.ipv6AddressMode,
      dns: subnet.dns,
      routes: subnet.routes.map(({ destination, nexthop }) => ({ cidr: destination, gateway: nexthop })),
      ips: subnet.fixedIps.map(({ ip, floatingIps }) => ({ address: ip, floating: floatingIps })),
    })),
    securityGroups: entry.securityGroups,
  }))
}

/** The instance's ports follow it to its host and zone; in the transaction that puts it there. */
export function bindPorts(deps: Pick<ConductorDeps, 'model' | 'networks'>, uuid: string): void {
  const { host, hostname, availabilityZone, ports } = deps.model.instances.get(uuid)
  for (const { id, key, networkId, projectId, securityGroupIds } of deps.networks.portsOf(uuid)) {
    const binding = { deviceId: uuid, deviceOwner: computeOwner(availabilityZone ?? 'nova'), host, hostname }
    if (key === null) deps.networks.attachPort(id, binding)
    else deps.networks.createPort({ ...binding, key, networkId, projectId, securityGroupIds })
  }
  deps.model.instances.setPorts(uuid, readPorts(deps, uuid, ports))
}
