/**
 * What a network's dnsmasq is told, pure: its arguments, and the files that it reads again on SIGHUP (leases to give, options, names).
 *
 * What may change while guests run is in the files; a change of the arguments means a restart. Addresses are given only to the planned ports (`static`).
 * Guests learn the metadata service's route by option 121, which replaces the default route, so that it is repeated there; 249 is the same for Windows.
 *
 * @see https://thekelleys.org.uk/dnsmasq/docs/dnsmasq-man.html
 */
import { isIP, isIPv4 } from 'node:net'
import ipaddr from 'ipaddr.js'
import type { NetworkPlan, SubnetPlan } from '../driver.ts'
import { hash } from '../names.ts'

export type DnsmasqFiles = { hosts: string; options: string; names: string }
export type DnsmasqPaths = { folder: string; pid: string; leases: string } & DnsmasqFiles

const leaseSeconds = 86_400
const metadataRoute = '169.254.169.254/32'

export function dnsmasqPaths(folder: string): DnsmasqPaths {
  const at = (name: string) => `${folder}/${name}`
  return { folder, pid: at('pid'), leases: at('leases'), hosts: at('hosts'), options: at('options'), names: at('names') }
}

export type ServedSubnet = SubnetPlan & { dhcpServerIp: string }

/** The subnets in which the network's server has an address. */
export function servedSubnets(network: NetworkPlan): ServedSubnet[] {
  return network.subnets.filter((subnet): subnet is ServedSubnet => subnet.dhcpServerIp !== null)
}

/** `asRoot`: in a user namespace there is nobody else to become. */
export function dnsmasqArguments(network: NetworkPlan, paths: DnsmasqPaths, resolvers: readonly string[], asRoot: boolean): string[] {
  const domain = domainOf(network)
  const own = network.subnets.flatMap((subnet) => subnet.dnsNameservers)
  const ranges = servedSubnets(network).filter(
    (subnet) => subnet.dhcp && (subnet.ipVersion === 4 || subnet.ipv6AddressMode?.startsWith('dhcpv6')),
  )
  return [
    'dnsmasq',
    '--conf-file=/dev/null',
    '--no-hosts',
    '--no-resolv',
    '--bind-interfaces',
    '--interface=ns0',
    '--except-interface=lo',
    `--pid-file=${paths.pid}`,
    `--dhcp-hostsfile=${paths.hosts}`,
    `--dhcp-optsfile=${paths.options}`,
    `--addn-hosts=${paths.names}`,
    `--dhcp-leasefile=${paths.leases}`,
    '--dhcp-lease-max=65536',
    '--dhcp-authoritative',
    '--dhcp-no-override',
    '--dhcp-ignore-names',
    '--no-ping',
    '--domain-needed',
    '--bogus-priv',
    ...(domain ? [`--domain=${domain}`, `--local=/${domain}/`] : []),
    ...[...new Set(own.length > 0 ? own : resolvers)].map((server) => `--server=${server}`),
    ...ranges.map(rangeArgument),
    `--dhcp-option-force=option:mtu,${network.mtu}`,
    ...(asRoot ? ['--user=root'] : []),
  ]
}

function rangeArgument(subnet: SubnetPlan): string {
  const base = subnet.cidr.split('/')[0]
  if (subnet.ipVersion === 6) return `--dhcp-range=set:${tagOf(subnet.id)},${base},static,${prefixLength(subnet.cidr)},${leaseSeconds}s`
  const mask = ipaddr.IPv4.subnetMaskFromPrefixLength(prefixLength(subnet.cidr)).toString()
  return `--dhcp-range=set:${tagOf(subnet.id)},${base},static,${mask},${leaseSeconds}s`
}

/**
 * What advertises a router to the guests of its IPv6 subnets; null when none of them wants that. `legs` are the router's devices in the networks. The server
 * knows no guest, and so leaves their requests for addresses to the network's own.
 */
export function advertiserArguments(
  legs: { device: string; subnets: SubnetPlan[] }[],
  paths: DnsmasqPaths,
  asRoot: boolean,
): string[] | null {
  const advertised = legs.flatMap(({ device, subnets }) =>
    subnets.filter((subnet) => subnet.ipVersion === 6 && subnet.ipv6RaMode).map((subnet) => ({ device, subnet })),
  )
  if (advertised.length === 0) return null
  const range = ({ cidr, ipv6RaMode }: SubnetPlan) => {
    const how = { slaac: 'ra-only', 'dhcpv6-stateless': 'ra-stateless', 'dhcpv6-stateful': 'static' }[ipv6RaMode ?? 'slaac']
    return `${cidr.split('/')[0]},${how},${prefixLength(cidr)},${leaseSeconds}s`
  }
  return [
    'dnsmasq',
    '--conf-file=/dev/null',
    '--port=0',
    '--bind-interfaces',
    '--except-interface=lo',
    `--pid-file=${paths.pid}`,
    `--dhcp-leasefile=${paths.leases}`,
    '--enable-ra',
    '--dhcp-ignore=tag:!known',
    ...new Set(advertised.map(({ device }) => `--interface=${device}`)),
    ...advertised.flatMap(({ subnet }) => {
      const servers =
        subnet.dnsNameservers.length > 0
          ? subnet.dnsNameservers.filter((ip) => !isIPv4(ip))
          : [subnet.dhcpServerIp].filter((ip) => ip !== null)
      const tag = tagOf(subnet.id)
      const option = servers.length > 0 ? [`--dhcp-option=tag:${tag},option6:dns-server,${servers.map((ip) => `[${ip}]`).join(',')}`] : []
      return [`--dhcp-range=set:${tag},${range(subnet)}`, ...option]
    }),
    ...(asRoot ? ['--user=root'] : []),
  ]
}

export function dnsmasqFiles(network: NetworkPlan): DnsmasqFiles {
  const domain = domainOf(network)
  const hosts: string[] = []
  const options: string[] = []
  const names: string[] = []

  for (const subnet of servedSubnets(network).filter((one) => one.dhcp)) options.push(...subnetOptions(subnet))
  for (const port of network.ports) {
    const set = port.dhcpOptions?.length ? `set:${tagOf(port.id)},` : ''
    const name = port.hostname ? `,${port.hostname}` : ''
    for (const { ip } of port.fixedIps) {
      hosts.push(`${port.mac},${set}${isIPv4(ip) ? ip : `[${ip}]`}${name}`)
      if (port.hostname) names.push(`${ip} ${port.hostname}${domain ? ` ${port.hostname}.${domain}` : ''}`)
    }
    for (const option of port.dhcpOptions ?? []) {
      const key = /^\d+$/.test(option.name) ? option.name : `option${option.ipVersion === 6 ? '6' : ''}:${option.name}`
      options.push(`tag:${tagOf(port.id)},${key},${option.value}`)
    }
  }
  return { hosts: lines(hosts), options: lines(options), names: lines(names) }
}

function subnetOptions(subnet: ServedSubnet): string[] {
  const option = (name: string, ...values: string[]) => [`tag:${tagOf(subnet.id)}`, name, ...values].join(',')
  if (subnet.ipVersion === 6) {
    const servers = subnet.dnsNameservers.length > 0 ? subnet.dnsNameservers : [subnet.dhcpServerIp]
    return [option('option6:dns-server', ...servers.map((server) => (isIPv4(server) ? server : `[${server}]`)))]
  }
  const servers = subnet.dnsNameservers.filter(isIPv4)
  const routes = [metadataRoute, subnet.dhcpServerIp, ...subnet.hostRoutes.flatMap((route) => [route.destination, route.nexthop])]
  if (subnet.gatewayIp !== null) routes.push('0.0.0.0/0', subnet.gatewayIp)
  return [
    // An empty option keeps dnsmasq from naming itself as the router.
    subnet.gatewayIp === null ? option('option:router') : option('option:router', subnet.gatewayIp),
    option('option:dns-server', ...(servers.length > 0 ? servers : [subnet.dhcpServerIp])),
    option('121', ...routes),
    option('249', ...routes),
  ]
}

/**
 * Leases whose address now belongs to another MAC, which dnsmasq would refuse to the new owner until they end; or to nobody, whose name it would
 * go on answering. Lines are `expiry mac ip name client-id`; those of IPv6 name no MAC.
 */
export function hasForeignLease(leases: string, network: NetworkPlan): boolean {
  const owners = new Map(network.ports.flatMap((port) => port.fixedIps.map(({ ip }) => [canonical(ip), port.mac.toLowerCase()])))
  return leases.split('\n').some((line) => {
    const [, mac = '', ip = ''] = line.split(' ')
    if (isIP(ip) === 0) return false
    const owner = owners.get(canonical(ip))
    return owner === undefined || (isIPv4(ip) && owner !== mac.toLowerCase())
  })
}

const canonical = (ip: string): string => ipaddr.parse(ip).toString()

function domainOf(network: NetworkPlan): string {
  return network.dnsDomain.replace(/\.$/, '')
}

export function prefixLength(cidr: string): number {
  return Number(cidr.split('/')[1])
}

function tagOf(id: string): string {
  return `t${hash(id)}`
}

function lines(all: string[]): string {
  return all.map((line) => `${line}\n`).join('')
}
