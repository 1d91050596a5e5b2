/**
 * What a network driver promises: it makes one host look like the plan it is handed, and takes away what no plan names.
 *
 * Plans are plain data, computed from the database by the network service; a driver never sees the database. Everything a driver makes on the host carries
 * the cloud's prefix, so that two clouds live side by side and a restarted one finds its own things again. MTUs are bytes; addresses are text without a mask
 * unless called `cidr`.
 *
 * Order of calls: `converge` once at start (it brings the external network and clears leftovers), then the incremental calls. All calls of one driver are
 * carried out one after the other; each is safe to repeat.
 *
 * @see docs/networking.md
 */
import type { Socket } from 'node:net'

/** What must exist for one network on this host. */
export type NetworkPlan = {
  id: string
  mtu: number
  /** Conntrack zone, 1..65535, unique in the cloud: keeps flows of equal addresses in two networks apart. */
  zone: number
  subnets: SubnetPlan[]
  ports: PortPlan[]
  /** Names of ports resolve below this; '' for none. A trailing dot is allowed. */
  dnsDomain: string
}

export type SubnetPlan = {
  id: string
  cidr: string
  ipVersion: 4 | 6
  gatewayIp: string | null
  dhcp: boolean
  /** Address of the DHCP, DNS and metadata server in this subnet; null when the subnet has none. */
  dhcpServerIp: string | null
  /** Handed to guests as they are; with none, guests get the network's own resolver, which forwards to the host's. */
  dnsNameservers: string[]
  hostRoutes: RoutePlan[]
  /** How routers advertise themselves; without, they do not. */
  ipv6RaMode?: Ipv6Mode | null
  /** How guests get their address; with a DHCPv6 mode, from the network's server. */
  ipv6AddressMode?: Ipv6Mode | null
}

export type Ipv6Mode = 'slaac' | 'dhcpv6-stateful' | 'dhcpv6-stateless'

export type RoutePlan = { destination: string; nexthop: string }

export type PortPlan = {
  id: string
  mac: string
  fixedIps: { subnetId: string; ip: string }[]
  /** One DNS label; '' for none. */
  hostname: string
  /** Name of the guest's device on the host: `tap` and the first eleven characters of the port's id. */
  tap: string
  /** 1..65534, unique in the cloud: how the rules know the port again between bridge and IP hooks. */
  mark: number
  adminStateUp: boolean
  /** False: no anti-spoofing and no rules; only the metadata service stays protected from borrowed addresses. */
  portSecurity: boolean
  /** `ip` may be a CIDR. */
  allowedAddressPairs: { mac: string; ip: string }[]
  rules: RulePlan[]
  dhcpOptions?: { name: string; value: string; ipVersion: 4 | 6 }[]
}

/** One allowed kind of traffic. `remoteCidr` and `remoteIps` both null: from or to anywhere. An empty `remoteIps` allows nothing. */
export type RulePlan = {
  direction: 'ingress' | 'egress'
  ethertype: 'IPv4' | 'IPv6'
  /** tcp, udp, icmp, … or a number as text; null for any. */
  protocol: string | null
  /** For ICMP the type. */
  portMin: number | null
  /** For ICMP the code. */
  portMax: number | null
  remoteCidr: string | null
  /** The addresses of the members of the remote group, or the CIDRs of an address group. */
  remoteIps: readonly string[] | null
}

export type RouterPlan = {
  id: string
  /** `mac` may be left out; it is then derived and stays the same. */
  interfaces: { networkId: string; ip: string; cidr: string; mac?: string }[]
  gateway: { externalNetworkId: string; ip: string; cidr: string; nexthop: string; snat: boolean; mac?: string } | null
  floatingIps: { floating: string; fixed: string }[]
  routes: RoutePlan[]
}

/** The way out: a bridge on which the host itself has the gateway's address and hides the routers behind its own. */
export type ExternalPlan = {
  networkId: string
  mtu: number
  /** The host's own addresses there, which are the nexthops of the routers. */
  hostIps: { ip: string; cidr: string }[]
  /** True: what leaves towards other interfaces of the host takes the host's address. */
  masquerade: boolean
}

export type HostPlan = { networks: NetworkPlan[]; routers: RouterPlan[]; external: ExternalPlan | null }

/** What a guest's definition needs: the hypervisor makes the device `tap` itself and puts it into `bridge`. */
export type Plugged = { bridge: string; tap: string; mtu: number }

/** All that exists on the host for this cloud; empty lists after everything was removed. `leases` are directories of network files. */
export type Inventory = {
  bridges: string[]
  namespaces: string[]
  /** Ends of pairs that join a bridge and a namespace of ours. */
  legs: string[]
  taps: string[]
  processes: number[]
  tables: string[]
  leases: string[]
}

export type Capabilities = { ok: boolean; mode: 'root' | 'rootless' | 'fake'; problems: { what: string; remedy: string }[] }

export type MetadataListener = (socket: Socket, origin: { networkId: string }) => void

/**
 * Every call that changes something throws {@link InvalidPlan} before it touches the host when the plan is malformed, and {@link CommandFailed} when the host
 * refuses; after the latter the next `converge` mends what was left half done.
 */
export type NetworkDriver = {
  readonly kind: 'linux' | 'fake'
  /** Converges the host to the whole plan; removes what carries this cloud's prefix and is in no plan. Also the cure after somebody flushed the host's rules. */
  converge(plan: HostPlan): Promise<void>
  applyNetwork(network: NetworkPlan): Promise<void>
  /** Takes the network's taps away too: a guest still plugged in there loses its link. */
  removeNetwork(id: string): Promise<void>
  applyRouter(router: RouterPlan): Promise<void>
  removeRouter(id: string): Promise<void>
  /** Rules, lease and name of the port are in force when this returns. The network must have been applied before. */
  plug(networkId: string, port: PortPlan): Promise<Plugged>
  /** Removes the device if it is still there; rules and lease stay until the port leaves the plan. */
  unplug(port: { tap: string; id: string }): Promise<void>
  inventory(): Promise<Inventory>
  /**
   * Guests' connections to 169.254.169.254:80, each with the network it came from. The peer's address is that of the guest's port: the host lets no other
   * through. One listener at a time; it should be set before `converge`. Without one, connections are closed.
   */
  onMetadataConnection(listener: MetadataListener): void
  capabilities(): Promise<Capabilities>
  /** Closes the metadata listeners. Bridges, rules and name servers stay as they are: guests keep running. */
  close(): Promise<void>
}

export type DriverLog = { info(message: string): void; warn(message: string): void; error(message: string): void }

export type DriverDeps = {
  /** 1 to 5 characters [a-z0-9], unique per cloud on this machine: begins the name of every device, namespace and table. */
  cloudPrefix: string
  /** The network namespace in which bridges and guests live; null for the one we run in. */
  hostNamespace: string | null
  /**
   * Starts {@link runNetnsListener} in a fresh process of this program, for example `[process.execPath, 'src/main.ts', 'internal-listen']`.
   * It is run inside a network's namespace, opens the metadata port, hands it over and ends.
   */
  childCommand: string[]
  log: DriverLog
  /** Files of the name servers, which give up their privileges: every folder above must be open to others. Default `/run/minicloud/<cloudPrefix>`. */
  stateDir?: string
  /** Name servers to forward to; by default those of /etc/resolv.conf that are not on loopback. */
  resolvers?: string[]
}
