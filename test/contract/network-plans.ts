/** Plans for tests of network drivers: a network with a served subnet, ports in it, a router. Ids follow from small numbers, so that a failure is easy to read. */
import type { NetworkPlan, PortPlan, RouterPlan, RulePlan, SubnetPlan } from '../../src/network/drivers/index.ts'

const id = (kind: number, n: number) => `${kind}${String(n).padStart(7, '0')}-0000-4000-8000-${String(kind * 1000 + n).padStart(12, '0')}`
export const networkId = (n: number) => id(1, n)
export const routerId = (n: number) => id(4, n)

const any = { portMin: null, portMax: null, remoteCidr: null, remoteIps: null }
export const egressAll: RulePlan[] = [
  { direction: 'egress', ethertype: 'IPv4', protocol: null, ...any },
  { direction: 'egress', ethertype: 'IPv6', protocol: null, ...any },
]
export const pingRule: RulePlan = { direction: 'ingress', ethertype: 'IPv4', protocol: 'icmp', ...any }
export const tcpRule = (port: number): RulePlan => ({ ...pingRule, protocol: 'tcp', portMin: port, portMax: port })

/** Subnet 10.0.0.0/24 with the gateway at .1 and the server at .2, whatever the network's number: overlap is the normal case. */
export function network(n: number, ports: PortPlan[] = [], changes: Partial<SubnetPlan> = {}): NetworkPlan {
  const subnet: SubnetPlan = {
    id: id(2, n),
    cidr: '10.0.0.0/24',
    ipVersion: 4,
    gatewayIp: '10.0.0.1',
    dhcp: true,
    dhcpServerIp: '10.0.0.2',
    dnsNameservers: [],
    hostRoutes: [],
    ...changes,
  }
  return { id: networkId(n), mtu: 1400, zone: n, subnets: [subnet], ports, dnsDomain: 'cloud.test.' }
}

/** Port m of network n: 10.0.0.(10+m), named web<m>, with all egress and no ingress unless told. */
export function port(n: number, m: number, changes: Partial<PortPlan> = {}): PortPlan {
  const number = n * 100 + m
  const hex = number.toString(16).padStart(4, '0')
  return {
    id: id(3, number),
    mac: `fa:16:3e:aa:${hex.slice(0, 2)}:${hex.slice(2)}`,
    fixedIps: [{ subnetId: id(2, n), ip: `10.0.0.${10 + m}` }],
    hostname: `web${m}`,
    tap: `tap${id(3, number).slice(0, 11)}`,
    mark: number,
    adminStateUp: true,
    portSecurity: true,
    allowedAddressPairs: [],
    rules: egressAll,
    ...changes,
  }
}

export function router(n: number, changes: Partial<RouterPlan> = {}): RouterPlan {
  return {
    id: routerId(n),
    interfaces: [{ networkId: networkId(n), ip: '10.0.0.1', cidr: '10.0.0.0/24' }],
    gateway: null,
    floatingIps: [],
    routes: [],
    ...changes,
  }
}
