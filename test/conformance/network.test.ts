/** Network v2.0 as clients speak it: transcripts through the real dispatcher. */
// biome-ignore-all lint/suspicious/noExplicitAny: answers are read as they come
import { beforeEach, describe, expect, it } from 'vitest'
import type { Networks } from '../../src/network/index.ts'
import type { TestApi } from '../support/api.ts'
import { networkCalls, seed, startNetworks } from '../support/network.ts'

let networks: Networks
let api: TestApi
const cloud = (flags: Record<string, string> = {}): void => {
  ;({ networks, api } = startNetworks(flags))
}
beforeEach(() => cloud())
const { call, asAdmin, make, netWithSubnet, errorOf } = networkCalls(() => api)

describe('roots', () => {
  it('lists versions and resources without a token', async () => {
    const versions = await api.fetch(new Request('http://cloud.test/network/'))
    expect(await versions.json()).toEqual({
      versions: [{ id: 'v2.0', status: 'CURRENT', links: [{ rel: 'self', href: 'http://cloud.test/network/v2.0/' }] }],
    })
    const root = await call('GET', '/', undefined, { token: null })
    expect(root.body.resources.find((one: any) => one.name === 'security_group').links[0].href).toBe(
      'http://cloud.test/network/v2.0/security-groups',
    )
  })
  it('lists extensions, each by its alias', async () => {
    const { body } = await call('GET', '/extensions')
    expect(body.extensions.map((one: any) => one.alias)).toEqual(
      expect.arrayContaining(['security-group', 'port-security', 'quota_details', 'router']),
    )
    expect((await call('GET', '/extensions/external-net')).body.extension.alias).toBe('external-net')
    expect(await errorOf(call('GET', '/extensions/qos'))).toEqual([404, 'HTTPNotFound'])
  })
})

describe('networks', () => {
  it('are made, shown, changed and deleted', async () => {
    const made = await call('POST', '/networks', { network: { name: 'n1', description: 'mine', mtu: 1400 } })
    expect(made.status).toBe(201)
    const { id } = made.body.network
    expect(made.body.network).toEqual({
      id: expect.any(String),
      name: 'n1',
      description: 'mine',
      project_id: seed.demoProjectId,
      tenant_id: seed.demoProjectId,
      tags: [],
      created_at: '2026-01-01T00:00:00Z',
      updated_at: '2026-01-01T00:00:00Z',
      revision_number: 0,
      status: 'ACTIVE',
      admin_state_up: true,
      shared: false,
      'router:external': false,
      mtu: 1400,
      port_security_enabled: true,
      subnets: [],
      availability_zone_hints: [],
      availability_zones: [],
      ipv4_address_scope: null,
      ipv6_address_scope: null,
    })
    const changed = await call('PUT', `/networks/${id}`, { network: { name: 'n2', admin_state_up: 'False' } })
    expect(changed.body.network).toMatchObject({ name: 'n2', admin_state_up: false, revision_number: 1 })
    expect((await asAdmin('GET', `/networks/${id}`)).body.network['provider:network_type']).toBe('local')
    expect((await call('DELETE', `/networks/${id}`)).status).toBe(204)
    expect(await errorOf(call('GET', `/networks/${id}`))).toEqual([404, 'NetworkNotFound'])
  })
  it('are seen by their project, or by all when shared or external', async () => {
    await make('network', { name: 'mine' })
    const names = async (token: string) =>
      (await call('GET', '/networks?fields=name', undefined, { token })).body.networks.map((one: any) => one.name).sort()
    expect(await names('demo')).toEqual(['mine', 'private', 'public'])
    expect(await names('reader')).toEqual(['mine', 'private', 'public'])
    expect(await names('other')).toEqual(['private', 'public'])
    expect(await names('service')).toEqual(['mine', 'private', 'public'])
  })
  it('leave admins’ attributes to admins, and writing to members', async () => {
    expect(await errorOf(call('POST', '/networks', { network: { shared: true } }))).toEqual([403, 'PolicyNotAuthorized'])
    expect(await errorOf(call('POST', '/networks', { network: { 'provider:network_type': 'vlan' } }))).toEqual([403, 'PolicyNotAuthorized'])
    expect(await errorOf(call('POST', '/networks', { network: { project_id: seed.adminProjectId } }))).toEqual([403, 'PolicyNotAuthorized'])
    expect((await call('POST', '/networks', { network: {} }, { token: 'reader' })).status).toBe(403)
    const [shared] = (await call('GET', '/networks?name=private')).body.networks
    expect(await errorOf(call('PUT', `/networks/${shared.id}`, { network: { name: 'x' } }))).toEqual([403, 'PolicyNotAuthorized'])
    expect((await asAdmin('POST', '/networks', { network: { shared: true, project_id: seed.demoProjectId } })).status).toBe(201)
  })
  it('stay while ports are on them', async () => {
    const { network, subnet } = await netWithSubnet()
    const port = await make('port', { network_id: network.id })
    expect(await errorOf(call('DELETE', `/networks/${network.id}`))).toEqual([409, 'NetworkInUse'])
    expect(await errorOf(call('DELETE', `/subnets/${subnet.id}`))).toEqual([409, 'SubnetInUse'])
    expect((await call('DELETE', `/ports/${port.id}`)).status).toBe(204)
    expect((await call('DELETE', `/networks/${network.id}`)).status).toBe(204)
    expect((await asAdmin('GET', `/ports?network_id=${network.id}`)).body.ports).toEqual([])
  })
  it('are made in bulk, all or none', async () => {
    cloud({ 'quotas.quota_network': '2' })
    const bulk = (n: number) => call('POST', '/networks', { networks: Array.from({ length: n }, (_, i) => ({ name: `b${i}` })) })
    expect(await errorOf(bulk(3))).toEqual([409, 'OverQuota'])
    expect((await bulk(2)).body.networks.map((one: any) => one.name)).toEqual(['b0', 'b1'])
    expect(await errorOf(bulk(1))).toEqual([409, 'OverQuota'])
  })
})

describe('lists', () => {
  it('filter by any attribute, and repeated values are an or', async () => {
    for (const name of ['a', 'b', 'c']) await make('network', { name, admin_state_up: name !== 'c' })
    const names = async (query: string) =>
      (await call('GET', `/networks?sort_key=name&fields=name&${query}`)).body.networks.map((one: any) => one.name)
    expect(await names('name=a&name=b')).toEqual(['a', 'b'])
    expect(await names('admin_state_up=False')).toEqual(['c'])
    expect(await names('router:external=True')).toEqual(['public'])
    expect(await names(`tenant_id=${seed.demoProjectId}&sort_dir=desc`)).toEqual(['c', 'b', 'a'])
    expect(await names('mtu=9')).toEqual([])
    expect((await call('GET', '/networks?admin_state_up=maybe')).status).toBe(400)
    expect((await call('GET', '/networks?sort_key=shoe')).status).toBe(400)
    expect((await call('GET', '/networks?limit=-1')).status).toBe(400)
    expect(await errorOf(call('GET', '/networks?marker=nope'))).toEqual([404, 'NetworkNotFound'])
  })
  it('come in pages, forwards and backwards, each row once', async () => {
    for (let i = 0; i < 7; i += 1) await make('network', { name: `same${i % 2}` })
    const seen: string[] = []
    let next = '/networks?limit=3&sort_key=name&sort_dir=desc&fields=id'
    let previous = ''
    for (let pages = 0; pages < 9 && next !== ''; pages += 1) {
      const { body } = await call('GET', next)
      seen.push(...body.networks.map((one: any) => one.id))
      const link = (rel: string) =>
        body.networks_links?.find((one: any) => one.rel === rel)?.href.replace('http://cloud.test/network/v2.0', '') ?? ''
      next = link('next')
      if (pages === 1) previous = link('previous')
    }
    const all = (await call('GET', '/networks?sort_key=name&sort_dir=desc')).body.networks.map((one: any) => one.id)
    expect(seen).toEqual(all)
    expect((await call('GET', previous)).body.networks.map((one: any) => one.id)).toEqual(all.slice(0, 3))
  })
})

describe('subnets', () => {
  it('take a gateway, pools and a DHCP server as Neutron does', async () => {
    const { network, subnet } = await netWithSubnet()
    expect(subnet).toMatchObject({
      cidr: '192.168.7.0/24',
      gateway_ip: '192.168.7.1',
      allocation_pools: [{ start: '192.168.7.2', end: '192.168.7.254' }],
      enable_dhcp: true,
      dns_nameservers: [],
      host_routes: [],
      ipv6_ra_mode: null,
    })
    const { ports } = (await call('GET', `/ports?network_id=${network.id}`)).body
    expect(ports).toMatchObject([{ device_owner: 'network:dhcp', fixed_ips: [{ subnet_id: subnet.id, ip_address: '192.168.7.2' }] }])
    const set = await call('PUT', `/subnets/${subnet.id}`, {
      subnet: { enable_dhcp: false, gateway_ip: null, dns_nameservers: ['9.9.9.9'] },
    })
    expect(set.body.subnet).toMatchObject({ enable_dhcp: false, gateway_ip: null, dns_nameservers: ['9.9.9.9'] })
    expect((await call('GET', `/ports?network_id=${network.id}`)).body.ports).toEqual([])
  })
  it.each([
    ['overlaps', { cidr: '192.168.7.128/25' }, 400, 'InvalidInput'],
    ['host bits', { cidr: '10.0.0.1/24' }, 400, 'HTTPBadRequest'],
    ['nonsense', { cidr: 'ten' }, 400, 'HTTPBadRequest'],
    ['other version', { cidr: 'fd00::/64' }, 400, 'InvalidInput'],
    ['gateway outside', { cidr: '10.0.0.0/24', gateway_ip: '10.0.1.1' }, 400, 'InvalidInput'],
    ['pool outside', { cidr: '10.0.0.0/24', allocation_pools: [{ start: '10.0.0.9', end: '10.0.1.1' }] }, 400, 'OutOfBoundsAllocationPool'],
    ['pool backwards', { cidr: '10.0.0.0/24', allocation_pools: [{ start: '10.0.0.9', end: '10.0.0.3' }] }, 400, 'InvalidAllocationPool'],
    [
      'pool with gateway',
      { cidr: '10.0.0.0/24', allocation_pools: [{ start: '10.0.0.1', end: '10.0.0.3' }] },
      409,
      'GatewayConflictWithAllocationPools',
    ],
    [
      'pools overlap',
      {
        cidr: '10.0.0.0/24',
        allocation_pools: [
          { start: '10.0.0.2', end: '10.0.0.9' },
          { start: '10.0.0.9', end: '10.0.0.20' },
        ],
      },
      409,
      'OverlappingAllocationPools',
    ],
    ['IPv6 mode in IPv4', { cidr: '10.0.0.0/24', ipv6_ra_mode: 'slaac' }, 400, 'InvalidInput'],
    ['no network', { cidr: '10.0.0.0/24', network_id: '00000000-0000-4000-8000-000000000000' }, 404, 'NetworkNotFound'],
    ['unknown attribute', { cidr: '10.0.0.0/24', shoe: 1 }, 400, 'HTTPBadRequest'],
  ])('refuse what cannot be: %s', async (_what, over, status, type) => {
    const { network } = await netWithSubnet()
    expect(await errorOf(call('POST', '/subnets', { subnet: { network_id: network.id, ip_version: 4, ...over } }))).toEqual([status, type])
    expect((await call('GET', `/subnets?network_id=${network.id}`)).body.subnets).toHaveLength(1)
  })
  it('give IPv6 addresses by the MAC', async () => {
    const { network, subnet } = await netWithSubnet('fd00:1::/64', { ipv6_ra_mode: 'slaac', ipv6_address_mode: 'slaac' })
    const port = await make('port', { network_id: network.id, mac_address: 'fa:16:3e:00:11:22' })
    expect(port.fixed_ips).toEqual([{ subnet_id: subnet.id, ip_address: 'fd00:1::f816:3eff:fe00:1122' }])
    expect(await errorOf(call('PUT', `/subnets/${subnet.id}`, { subnet: { cidr: 'fd00:2::/64' } }))).toEqual([400, 'HTTPBadRequest'])
  })
})

describe('ports', () => {
  it('get an address, a MAC and the default group', async () => {
    const { network, subnet } = await netWithSubnet()
    const port = await make('port', { network_id: network.id, name: 'p' })
    expect(port).toMatchObject({
      name: 'p',
      status: 'DOWN',
      admin_state_up: true,
      device_id: '',
      device_owner: '',
      fixed_ips: [{ subnet_id: subnet.id, ip_address: '192.168.7.3' }],
      port_security_enabled: true,
      allowed_address_pairs: [],
      extra_dhcp_opts: [],
      'binding:vnic_type': 'normal',
    })
    expect(port.security_groups).toHaveLength(1)
    expect(port['binding:host_id']).toBeUndefined()
    expect((await asAdmin('GET', `/ports/${port.id}`)).body.port).toMatchObject({ 'binding:host_id': '', 'binding:vif_type': 'unbound' })
    expect(await errorOf(call('GET', `/ports/${port.id}`, undefined, { token: 'other' }))).toEqual([404, 'PortNotFound'])
  })
  it('keep, change and free addresses', async () => {
    const { network, subnet } = await netWithSubnet()
    const port = await make('port', { network_id: network.id, fixed_ips: [{ ip_address: '192.168.7.77' }] })
    expect(
      await errorOf(call('POST', '/ports', { port: { network_id: network.id, fixed_ips: [{ ip_address: '192.168.7.77' }] } })),
    ).toEqual([409, 'IpAddressAlreadyAllocated'])
    expect(await errorOf(call('POST', '/ports', { port: { network_id: network.id, fixed_ips: [{ ip_address: '10.1.1.1' }] } }))).toEqual([
      400,
      'InvalidIpForNetwork',
    ])
    const both = { fixed_ips: [{ ip_address: '192.168.7.77', subnet_id: subnet.id }, { subnet_id: subnet.id }] }
    expect((await call('PUT', `/ports/${port.id}`, { port: both })).body.port.fixed_ips.map((one: any) => one.ip_address)).toEqual([
      '192.168.7.77',
      '192.168.7.3',
    ])
    await call('PUT', `/ports/${port.id}`, { port: { fixed_ips: [] } })
    expect((await make('port', { network_id: network.id })).fixed_ips[0].ip_address).toBe('192.168.7.3')
    const by = async (query: string) => (await call('GET', `/ports?network_id=${network.id}&${query}`)).body.ports.length
    expect(await by('fixed_ips=ip_address=192.168.7.3')).toBe(1)
    expect(await by(`fixed_ips=subnet_id=${subnet.id}`)).toBe(2)
    expect(await by('fixed_ips=ip_address_substr=168.7')).toBe(2)
    expect((await call('GET', '/ports?fixed_ips=shoe')).status).toBe(400)
  })
  it('are made and bound by the compute service for others', async () => {
    const [shared] = (await call('GET', '/networks?name=private')).body.networks
    const port = {
      network_id: shared.id,
      project_id: seed.demoProjectId,
      device_id: 'server',
      device_owner: 'compute:nova',
      'binding:host_id': 'host1',
    }
    const made = await call('POST', '/ports', { port }, { token: 'service' })
    expect([made.status, made.body.port]).toMatchObject([201, { ...port, 'binding:vif_type': 'bridge' }])
    expect(await errorOf(call('POST', '/ports', { port: { network_id: shared.id, 'binding:host_id': 'host1' } }))).toEqual([
      403,
      'PolicyNotAuthorized',
    ])
    await networks.plug(made.body.port.id)
    expect((await call('GET', `/ports?device_id=server`)).body.ports[0].status).toBe('ACTIVE')
    const freed = { device_id: '', device_owner: '', 'binding:host_id': '' }
    expect((await call('PUT', `/ports/${made.body.port.id}`, { port: freed }, { token: 'service' })).body.port).toMatchObject({
      ...freed,
      status: 'DOWN',
    })
  })
  it('are no server’s because a user says so', async () => {
    const [shared] = networks.usableNetworks(seed.demoProjectId, false)
    const mine = networks.createPort({
      networkId: shared?.id ?? '',
      projectId: seed.demoProjectId,
      deviceId: 'mine',
      deviceOwner: 'compute:nova',
      host: 'host1',
      hostname: 'mine',
      securityGroupIds: null,
      key: 'k',
    })
    const ip = mine.fixedIps[0]?.ip ?? ''
    expect(networks.findPortByAddress(mine.networkId, ip)?.deviceId).toBe('mine')
    expect((await call('PUT', `/ports/${mine.id}`, { port: { device_id: 'victim' } })).status).toBe(200)
    await make('port', { network_id: mine.networkId, device_id: 'victim' })
    expect(networks.findPortByAddress(mine.networkId, ip)).toBeNull()
    expect(networks.findPortsByAddress(ip)).toEqual([])
    expect([networks.portsOf('victim'), networks.networkData('victim'), networks.ownedDevices()]).toEqual([[], [], []])
  })
  it('run out of addresses with 409', async () => {
    const { network } = await netWithSubnet('192.168.9.0/29', { enable_dhcp: false })
    for (let i = 0; i < 5; i += 1) await make('port', { network_id: network.id })
    expect(await errorOf(call('POST', '/ports', { port: { network_id: network.id } }))).toEqual([409, 'IpAddressGenerationFailure'])
  })
  it('on somebody’s shared network take what is given', async () => {
    const [shared] = (await call('GET', '/networks?name=private')).body.networks
    const [outside] = (await call('GET', '/networks?name=public')).body.networks
    await make('port', { network_id: shared.id })
    for (const wish of [
      { mac_address: 'fa:16:3e:01:02:03' },
      { fixed_ips: [{ ip_address: '10.20.0.99' }] },
      { port_security_enabled: false },
      { device_owner: 'network:dhcp' },
    ])
      expect(await errorOf(call('POST', '/ports', { port: { network_id: shared.id, ...wish } }))).toEqual([403, 'PolicyNotAuthorized'])
    expect(await errorOf(call('POST', '/ports', { port: { network_id: outside.id } }))).toEqual([403, 'PolicyNotAuthorized'])
  })
  it('keep security and what it needs together', async () => {
    const { network } = await netWithSubnet()
    const bare = await make('port', { network_id: network.id, port_security_enabled: false })
    expect(bare.security_groups).toEqual([])
    const pair = { allowed_address_pairs: [{ ip_address: '192.168.7.0/28' }] }
    expect(await errorOf(call('PUT', `/ports/${bare.id}`, { port: pair }))).toEqual([409, 'AddressPairAndPortSecurityRequired'])
    const port = await make('port', { network_id: network.id, ...pair })
    expect(port.allowed_address_pairs).toEqual([{ mac_address: port.mac_address, ip_address: '192.168.7.0/28' }])
    expect(await errorOf(call('PUT', `/ports/${port.id}`, { port: { port_security_enabled: false, allowed_address_pairs: [] } }))).toEqual([
      409,
      'PortSecurityPortHasSecurityGroup',
    ])
    const off = { port_security_enabled: false, allowed_address_pairs: [], security_groups: [] }
    expect((await call('PUT', `/ports/${port.id}`, { port: off })).body.port).toMatchObject(off)
    const options = { extra_dhcp_opts: [{ opt_name: 'bootfile-name', opt_value: 'pxe.0' }] }
    expect((await call('PUT', `/ports/${port.id}`, { port: options })).body.port.extra_dhcp_opts).toEqual([
      { opt_name: 'bootfile-name', opt_value: 'pxe.0', ip_version: 4 },
    ])
    expect((await call('PUT', `/ports/${port.id}`, { port: { extra_dhcp_opts: [{ opt_name: 'x', opt_value: 'a\nb' }] } })).status).toBe(400)
  })
})

describe('routers', () => {
  it('the seeded one joins private to public', async () => {
    const [router] = (await asAdmin('GET', '/routers')).body.routers
    expect(router).toMatchObject({
      name: 'router1',
      status: 'ACTIVE',
      external_gateway_info: { enable_snat: true, external_fixed_ips: [{ ip_address: '172.24.4.2' }] },
    })
    expect(await errorOf(asAdmin('DELETE', `/routers/${router.id}`))).toEqual([409, 'RouterInUse'])
    expect((await call('GET', '/routers')).body).toEqual({ routers: [] })
    expect((await call('GET', '/floatingips')).body).toEqual({ floatingips: [] })
  })
  it('take and give back interfaces', async () => {
    const { subnet } = await netWithSubnet()
    const router = await make('router', { name: 'r' })
    const path = `/routers/${router.id}`
    const added = await call('PUT', `${path}/add_router_interface`, { subnet_id: subnet.id })
    expect([added.status, added.body]).toMatchObject([200, { id: router.id, subnet_id: subnet.id, subnet_ids: [subnet.id] }])
    expect(await errorOf(call('PUT', `${path}/add_router_interface`, { subnet_id: subnet.id }))).toEqual([400, 'HTTPBadRequest'])
    expect(await errorOf(call('DELETE', `/ports/${added.body.port_id}`))).toEqual([409, 'ServicePortInUse'])
    expect(await errorOf(call('DELETE', `/subnets/${subnet.id}`))).toEqual([409, 'SubnetInUse'])
    expect(await errorOf(call('PUT', `${path}/add_router_interface`, {}))).toEqual([400, 'HTTPBadRequest'])
    expect((await call('PUT', `${path}/remove_router_interface`, { subnet_id: subnet.id })).status).toBe(200)
    expect(await errorOf(call('PUT', `${path}/remove_router_interface`, { subnet_id: subnet.id }))).toEqual([
      404,
      'RouterInterfaceNotFoundForSubnet',
    ])
    const [outside] = (await call('GET', '/networks?name=public')).body.networks
    const set = await call('PUT', path, { router: { external_gateway_info: { network_id: outside.id } } })
    expect(set.body.router.external_gateway_info).toMatchObject({ network_id: outside.id, enable_snat: true })
    expect(await errorOf(call('PUT', path, { router: { external_gateway_info: { network_id: outside.id, enable_snat: false } } }))).toEqual(
      [403, 'PolicyNotAuthorized'],
    )
    expect((await call('PUT', path, { router: { external_gateway_info: {} } })).body.router.external_gateway_info).toBeNull()
    expect((await call('DELETE', path)).status).toBe(204)
  })
})

describe('quotas, tags and the host', () => {
  it('shows, sets and resets quotas', async () => {
    const path = `/quotas/${seed.demoProjectId}`
    expect((await asAdmin('GET', path)).body.quota).toMatchObject({
      network: 100,
      port: 500,
      security_group: 10,
      security_group_rule: 100,
      floatingip: 50,
    })
    expect((await asAdmin('PUT', path, { quota: { network: 1, port: '-1' } })).body.quota).toMatchObject({ network: 1, port: -1 })
    expect((await asAdmin('GET', '/quotas')).body.quotas).toMatchObject([{ project_id: seed.demoProjectId, network: 1 }])
    await make('network', {})
    expect((await asAdmin('GET', `${path}/details`)).body.quota.network).toEqual({ limit: 1, used: 1, reserved: 0 })
    expect(await errorOf(call('POST', '/networks', { network: {} }))).toEqual([409, 'OverQuota'])
    expect((await asAdmin('PUT', path, { quota: { shoe: 1 } })).status).toBe(400)
    expect((await asAdmin('PUT', path, { quota: { network: -2 } })).status).toBe(400)
    expect((await call('PUT', path, { quota: {} })).status).toBe(403)
    expect((await asAdmin('DELETE', path)).status).toBe(204)
    expect((await asAdmin('GET', `${path}/default`)).body.quota.network).toBe(100)
    expect(networks.quotas(seed.demoProjectId).security_groups).toEqual({ limit: 10, used: 1 })
  })
  it('keeps tags and filters by them', async () => {
    const { id } = await make('network', { name: 'tagged' })
    expect((await call('PUT', `/networks/${id}/tags`, { tags: ['red', 'blue'] })).body).toEqual({ tags: ['red', 'blue'] })
    expect((await call('PUT', `/networks/${id}/tags/green`)).status).toBe(201)
    const found = async (query: string) => (await call('GET', `/networks?name=tagged&${query}`)).body.networks.length
    expect([
      await found('tags=red,green'),
      await found('tags=red,black'),
      await found('tags-any=red,black'),
      await found('not-tags=red'),
    ]).toEqual([1, 0, 1, 0])
    expect((await call('GET', `/networks/${id}/tags/red`)).status).toBe(204)
    expect((await call('DELETE', `/networks/${id}/tags/red`)).status).toBe(204)
    expect(await errorOf(call('GET', `/networks/${id}/tags/red`))).toEqual([404, 'TagNotFound'])
    expect((await call('DELETE', `/networks/${id}/tags`)).status).toBe(204)
  })
  it('tells of agents, zones and free addresses', async () => {
    const { agents } = (await asAdmin('GET', '/agents')).body
    expect(agents.map((agent: any) => agent.binary)).toContain('neutron-dhcp-agent')
    expect((await asAdmin('GET', `/agents/${agents[0].id}`)).body.agent.host).toBe('host1')
    expect((await call('GET', '/agents')).status).toBe(403)
    expect((await call('GET', '/availability_zones')).body.availability_zones).toHaveLength(2)
    const [outside] = (await asAdmin('GET', '/network-ip-availabilities?network_name=public')).body.network_ip_availabilities
    expect(outside).toMatchObject({ total_ips: 253, used_ips: 1 })
  })
})
