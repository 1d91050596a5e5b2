import { describe, expect, it } from 'vitest'
import { aPort, aSubnet } from '../../../test/support/metadata.ts'
import { type NetworkData, networkData } from './network-data.ts'

const data = (...ports: Parameters<typeof networkData>[0]) => networkData(ports) as NetworkData
const fixed = aSubnet({ dhcpServer: null, dhcp: false, dns: ['9.9.9.9'], routes: [{ cidr: '10.8.0.3/16', gateway: '10.1.0.3' }] })

describe('network_data.json', () => {
  it('is empty without ports, and leaves ports without subnets out', () => {
    expect(networkData([])).toEqual({})
    expect(data(aPort({ subnets: [] }))).toEqual({ links: [], networks: [], services: [] })
  })

  it('tells an address that no DHCP gives, default route first', () => {
    const { links, networks, services } = data(aPort({ subnets: [fixed] }))
    expect(links[0]?.mtu).toBe(1450)
    expect(networks).toEqual([
      {
        id: 'network0',
        type: 'ipv4',
        link: 'tapcccccccc-00',
        ip_address: '10.1.0.7',
        netmask: '255.255.255.0',
        routes: [
          { network: '0.0.0.0', netmask: '0.0.0.0', gateway: '10.1.0.1' },
          { network: '10.8.0.0', netmask: '255.255.0.0', gateway: '10.1.0.3' },
        ],
        network_id: 'network-1',
        services: [{ type: 'dns', address: '9.9.9.9' }],
      },
    ])
    expect(services).toEqual([{ type: 'dns', address: '9.9.9.9' }])
  })

  it('has no default route without a gateway', () => {
    expect(data(aPort({ subnets: [{ ...fixed, gateway: null, routes: [] }] })).networks[0]?.routes).toEqual([])
  })

  it('counts networks over all ports, names links without a tap, and tells a name server once', () => {
    const six = aSubnet({ version: 6, cidr: 'fd00::/64', gateway: null, dns: ['9.9.9.9'], ips: [{ address: 'fd00::5', floating: [] }] })
    const { links, networks, services } = data(aPort({ tap: '', subnets: [fixed, six] }), aPort({ tap: '', subnets: [fixed, fixed] }))
    expect(links.map(({ id }) => id)).toEqual(['interface0', 'interface1'])
    expect(networks.map(({ id, type, link }) => [id, type, link])).toEqual([
      ['network0', 'ipv4', 'interface0'],
      ['network1', 'ipv6_dhcp', 'interface0'],
      ['network2', 'ipv4', 'interface1'],
    ])
    expect(services).toHaveLength(1)
  })

  it.each(['slaac', 'dhcpv6-stateful', 'dhcpv6-stateless'])('lets %s go before DHCP', (ipv6Mode) => {
    const six = aSubnet({ version: 6, cidr: 'fd00::/60', gateway: 'fd00::1', ipv6Mode, ips: [{ address: 'fd00::5', floating: [] }] })
    expect(data(aPort({ subnets: [six] })).networks[0]).toMatchObject({
      type: `ipv6_${ipv6Mode}`,
      netmask: 'ffff:ffff:ffff:fff0::',
      ip_address: 'fd00::5',
    })
  })

  it('tells the link of a subnet from which the port has no address', () => {
    const { links, networks } = data(aPort({ subnets: [{ ...fixed, ips: [] }] }))
    expect([links.length, networks.length]).toEqual([1, 0])
  })
})
