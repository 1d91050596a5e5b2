/**
 * `network_data.json`: links, the addresses on them, and name servers.
 *
 * Of each port the first IPv4 and the first IPv6 subnet are told, as one that asks for no DHCP needs them; a subnet that has
 * a DHCP server is named only. MTUs are bytes, and null where DHCP tells them.
 *
 * @see https://docs.openstack.org/nova/latest/user/metadata.html#openstack-format-metadata
 */
import ipaddr from 'ipaddr.js'
import type { InstancePort, PortSubnet } from '../model/index.ts'

type Dns = { type: 'dns'; address: string }
type Route = { network: string; netmask: string; gateway: string }
type Link = { id: string; vif_id: string; type: string; mtu: number | null; ethernet_mac_address: string }
type Network = {
  id: string
  type: string
  link: string
  network_id: string
  ip_address?: string
  netmask?: string
  routes?: Route[]
  services?: Dns[]
}
export type NetworkData = { links: Link[]; networks: Network[]; services: Dns[] }

/** `{}` for a guest without ports. */
export function networkData(ports: readonly InstancePort[]): NetworkData | Record<never, never> {
  if (ports.length === 0) return {}
  const data: NetworkData = { links: [], networks: [], services: [] }
  for (const port of ports) {
    if (port.subnets.length === 0) continue
    const link: Link = {
      id: port.tap === '' ? `interface${data.links.length}` : port.tap,
      vif_id: port.portId,
      type: 'bridge',
      mtu: port.subnets.some((subnet) => subnet.dhcpServer !== null) ? null : port.mtu,
      ethernet_mac_address: port.mac,
    }
    data.links.push(link)
    for (const version of [4, 6] as const) {
      const subnet = port.subnets.find((candidate) => candidate.version === version)
      const address = subnet?.ips[0]?.address
      if (subnet === undefined || address === undefined) continue
      data.networks.push(networkOf(subnet, { address, id: `network${data.networks.length}`, link: link.id, network_id: port.networkId }))
      for (const dns of servicesOf(subnet)) if (!data.services.some((known) => known.address === dns.address)) data.services.push(dns)
    }
  }
  return data
}

function networkOf(
  subnet: PortSubnet,
  { address, id, link, network_id }: { address: string; id: string; link: string; network_id: string },
): Network {
  const family = `ipv${subnet.version}`
  if (subnet.ipv6Mode === null && subnet.dhcpServer !== null) return { id, type: `${family}_dhcp`, link, network_id }
  const [, netmask] = networkAndMask(subnet.cidr)
  return {
    id,
    type: subnet.ipv6Mode === null ? family : `${family}_${subnet.ipv6Mode}`,
    link,
    ip_address: address,
    netmask,
    routes: routesOf(subnet),
    network_id,
    services: servicesOf(subnet),
  }
}

function routesOf(subnet: PortSubnet): Route[] {
  const anywhere = subnet.version === 4 ? '0.0.0.0' : '::'
  const toAnywhere = subnet.gateway === null ? [] : [{ network: anywhere, netmask: anywhere, gateway: subnet.gateway }]
  const others = subnet.routes.map(({ cidr, gateway }) => {
    const [network, netmask] = networkAndMask(cidr)
    return { network, netmask, gateway }
  })
  return [...toAnywhere, ...others]
}

const servicesOf = (subnet: PortSubnet): Dns[] => subnet.dns.map((address) => ({ type: 'dns', address }))

function networkAndMask(cidr: string): [network: string, netmask: string] {
  const [address, length] = ipaddr.parseCIDR(cidr)
  const kind = address.kind() === 'ipv4' ? ipaddr.IPv4 : ipaddr.IPv6
  return [kind.networkAddressFromCIDR(cidr).toString(), kind.subnetMaskFromPrefixLength(length).toString()]
}
