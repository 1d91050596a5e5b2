/**
 * What an instance knows of its ports: the network's answer, kept with the instance so that a list of servers asks no
 * other service, in the form that Nova keeps in `instance_info_caches`.
 *
 * @see https://docs.openstack.org/nova/latest/reference/glossary.html
 */
import { remembered } from '../../base/remembered.ts'

/** One port of an instance, as the network service tells it. */
export type InstancePort = {
  readonly portId: string
  readonly mac: string
  readonly tap: string
  readonly networkId: string
  /** The network's name: the key under which `addresses` shows it. */
  readonly label: string
  readonly bridge: string
  readonly mtu: number
  readonly active: boolean
  /** True when the user made the port: deleting the server leaves it. */
  readonly preserve: boolean
  readonly tag: string | null
  readonly subnets: readonly PortSubnet[]
  readonly securityGroups: readonly { readonly id: string; readonly name: string }[]
}

export type PortSubnet = {
  readonly id: string
  readonly cidr: string
  readonly version: 4 | 6
  readonly gateway: string | null
  readonly dhcpServer: string | null
  readonly dhcp: boolean
  readonly ipv6Mode: string | null
  readonly dns: readonly string[]
  readonly routes: readonly { readonly cidr: string; readonly gateway: string }[]
  readonly ips: readonly { readonly address: string; readonly floating: readonly string[] }[]
}

type Vif = {
  id: string
  address: string
  devname: string
  active: boolean
  type: string
  preserve_on_delete: boolean
  network: {
    id: string
    bridge: string
    label: string
    meta: { mtu: number }
    subnets: {
      cidr: string
      version: number
      gateway: { address: string | null }
      dns: { address: string }[]
      routes: { cidr: string; gateway: { address: string } }[]
      ips: { address: string; type: string; version: number; floating_ips: { address: string; type: string }[] }[]
      meta: { id: string; dhcp_server: string | null; dhcp: boolean; ipv6_mode: string | null }
    }[]
  }
  meta: { tag: string | null; security_groups: readonly { id: string; name: string }[] }
}

const toVif = (port: InstancePort): Vif => ({
  id: port.portId,
  address: port.mac,
  devname: port.tap,
  active: port.active,
  type: 'bridge',
  preserve_on_delete: port.preserve,
  network: {
    id: port.networkId,
    bridge: port.bridge,
    label: port.label,
    meta: { mtu: port.mtu },
    subnets: port.subnets.map((subnet) => ({
      cidr: subnet.cidr,
      version: subnet.version,
      gateway: { address: subnet.gateway },
      dns: subnet.dns.map((address) => ({ address })),
      routes: subnet.routes.map(({ cidr, gateway }) => ({ cidr, gateway: { address: gateway } })),
      ips: subnet.ips.map(({ address, floating }) => ({
        address,
        type: 'fixed',
        version: subnet.version,
        floating_ips: floating.map((ip) => ({ address: ip, type: 'floating' })),
      })),
      meta: { id: subnet.id, dhcp_server: subnet.dhcpServer, dhcp: subnet.dhcp, ipv6_mode: subnet.ipv6Mode },
    })),
  },
  meta: { tag: port.tag, security_groups: port.securityGroups },
})

const toPort = (vif: Vif): InstancePort => ({
  portId: vif.id,
  mac: vif.address,
  tap: vif.devname,
  networkId: vif.network.id,
  label: vif.network.label,
  bridge: vif.network.bridge,
  mtu: vif.network.meta.mtu,
  active: vif.active,
  preserve: vif.preserve_on_delete,
  tag: vif.meta.tag ?? null,
  subnets: vif.network.subnets.map((subnet) => ({
    id: subnet.meta.id,
    cidr: subnet.cidr,
    version: subnet.version === 6 ? 6 : 4,
    gateway: subnet.gateway.address,
    dhcpServer: subnet.meta.dhcp_server,
    dhcp: subnet.meta.dhcp,
    ipv6Mode: subnet.meta.ipv6_mode,
    dns: subnet.dns.map(({ address }) => address),
    routes: subnet.routes.map(({ cidr, gateway }) => ({ cidr, gateway: gateway.address })),
    ips: subnet.ips.map(({ address, floating_ips }) => ({ address, floating: floating_ips.map((ip) => ip.address) })),
  })),
  securityGroups: vif.meta.security_groups ?? [],
})

export const networkInfoText = (ports: readonly InstancePort[]): string => JSON.stringify(ports.map(toVif))

/** A client that polls has the same texts read over and over. */
const portsIn = remembered((text: string): readonly InstancePort[] => (JSON.parse(text) as Vif[]).map(toPort), 2000)

/** Reads what {@link networkInfoText} wrote; the same text gives the same objects. */
export const networkInfoOf = (text: string | null): readonly InstancePort[] => (text === null || text === '[]' ? [] : portsIn(text))
