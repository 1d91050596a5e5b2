import { describe, expect, it } from 'vitest'
import type { NetworkPlan, PortPlan, SubnetPlan } from '../driver.ts'
import { dnsmasqArguments, dnsmasqFiles, dnsmasqPaths, hasForeignLease } from './dnsmasq-files.ts'

const id = '00000000-0000-4000-8000-000000000001'
const subnet: SubnetPlan = {
  id,
  cidr: '10.1.2.0/23',
  ipVersion: 4,
  gatewayIp: '10.1.2.1',
  dhcp: true,
  dhcpServerIp: '10.1.2.2',
  dnsNameservers: [],
  hostRoutes: [{ destination: '192.168.0.0/16', nexthop: '10.1.2.9' }],
}
const port: PortPlan = {
  id,
  mac: 'fa:16:3e:00:00:01',
  fixedIps: [{ subnetId: id, ip: '10.1.2.5' }],
  hostname: 'web1',
  tap: 'tap00000000-00',
  mark: 7,
  adminStateUp: true,
  portSecurity: true,
  allowedAddressPairs: [],
  rules: [],
}
const network = (changes: Partial<SubnetPlan> = {}, ports = [port]): NetworkPlan => ({
  id,
  mtu: 1450,
  zone: 1,
  subnets: [{ ...subnet, ...changes }],
  ports,
  dnsDomain: 'a.test.',
})
const args = (plan: NetworkPlan, resolvers: string[] = []) => dnsmasqArguments(plan, dnsmasqPaths('/run/n'), resolvers, false)
const options = (plan: NetworkPlan) => dnsmasqFiles(plan).options.replaceAll(/^tag:t[0-9a-f]{8},/gm, '')

describe('what dnsmasq is told', () => {
  it('gives planned ports their address, name and routes, default route included', () => {
    expect(dnsmasqFiles(network()).hosts).toBe('fa:16:3e:00:00:01,10.1.2.5,web1\n')
    expect(dnsmasqFiles(network()).names).toBe('10.1.2.5 web1 web1.a.test\n')
    const routes = '169.254.169.254/32,10.1.2.2,192.168.0.0/16,10.1.2.9,0.0.0.0/0,10.1.2.1'
    expect(options(network())).toBe(`option:router,10.1.2.1\noption:dns-server,10.1.2.2\n121,${routes}\n249,${routes}\n`)
    expect(args(network())).toContainEqual(
      expect.stringMatching(/^--dhcp-range=set:t[0-9a-f]{8},10\.1\.2\.0,static,255\.255\.254\.0,86400s$/),
    )
  })

  it('names no router where there is none, and the name servers of the subnet where there are', () => {
    const text = options(network({ gatewayIp: null, dnsNameservers: ['192.0.2.1', '192.0.2.2'] }))
    expect(text).toMatch(/^option:router$/m)
    expect(text).toMatch(/^option:dns-server,192\.0\.2\.1,192\.0\.2\.2$/m)
    expect(text).not.toContain('0.0.0.0/0')
  })

  it('forwards to the name servers of the subnet, else to those of the host', () => {
    expect(args(network({ dnsNameservers: ['192.0.2.1'] }), ['192.0.2.9']).filter((one) => one.startsWith('--server'))).toEqual([
      '--server=192.0.2.1',
    ])
    expect(args(network(), ['192.0.2.9']).filter((one) => one.startsWith('--server'))).toEqual(['--server=192.0.2.9'])
  })

  it('gives no leases where DHCP is off', () => {
    expect(args(network({ dhcp: false })).some((one) => one.startsWith('--dhcp-range'))).toBe(false)
    expect(options(network({ dhcp: false }))).toBe('')
  })

  it('hands a port its own options', () => {
    const special = { ...port, dhcpOptions: [{ name: 'bootfile-name', value: 'pxe.0', ipVersion: 4 as const }] }
    const files = dnsmasqFiles(network({}, [special]))
    const tag = files.hosts.match(/set:(t[0-9a-f]{8})/)?.[1]
    expect(files.options).toContain(`tag:${tag},option:bootfile-name,pxe.0\n`)
  })

  it('changes arguments only where a restart is worth it', () => {
    const more = network({ dnsNameservers: [], hostRoutes: [], gatewayIp: null }, [port, { ...port, mac: 'fa:16:3e:00:00:02' }])
    expect(args(more)).toEqual(args(network()))
    expect(args({ ...network(), mtu: 1300 })).not.toEqual(args(network()))
  })

  it('sees a lease that stands in the way of its address’s new owner, or whose owner is gone', () => {
    const line = (mac: string, ip: string) => `1700000000 ${mac} ${ip} web1 01:${mac}\n`
    expect(hasForeignLease(line('fa:16:3e:00:00:09', '10.1.2.5'), network())).toBe(true)
    expect(hasForeignLease(line('fa:16:3e:00:00:01', '10.1.2.5'), network())).toBe(false)
    expect(hasForeignLease(line('fa:16:3e:00:00:09', '10.1.2.6'), network())).toBe(true)
    expect(hasForeignLease('', network())).toBe(false)
  })

  it('reads leases of IPv6, which name no MAC', () => {
    const wide = network({}, [{ ...port, fixedIps: [{ subnetId: id, ip: 'fd00:0:0:1::5' }] }])
    const leases = (ip: string) => `duid 00:01:00:01:2f\n1700000000 3735928559 ${ip} web1 00:01:00:01:2f\n`
    expect(hasForeignLease(leases('fd00:0:0:1::5'), wide)).toBe(false)
    expect(hasForeignLease(leases('fd00:0:0:1::6'), wide)).toBe(true)
  })
})
