/** What a project's member cannot do to the networks of others, whatever it asks for. */
// biome-ignore-all lint/suspicious/noExplicitAny: answers are read as they come
import { beforeEach, describe, expect, it } from 'vitest'
import { type HostPlan, makeFakeDriver, type NetworkPlan, type RouterPlan } from '../../src/network/drivers/index.ts'
import { networkRules, replaceTables } from '../../src/network/drivers/linux/tables.ts'
import { makeNames } from '../../src/network/drivers/names.ts'
import { checkHostPlan } from '../../src/network/drivers/validate.ts'
import { makeNetworks, type Networks, networkConfig, networkQuotaConfig } from '../../src/network/index.ts'
import { soundNetworks, soundRouters } from '../../src/network/sound.ts'
import { network as exampleNetwork, port as examplePort, router as exampleRouter, networkId, routerId } from '../contract/network-plans.ts'
import { type TestApi, testApi } from '../support/api.ts'
import { testGround } from '../support/ground.ts'
import { networkCalls, seed } from '../support/network.ts'

let networks: Networks
let api: TestApi
let db: ReturnType<typeof testGround>['db']
let planned: NetworkPlan[]
let routed: RouterPlan[]

beforeEach(async () => {
  planned = []
  routed = []
  const fake = makeFakeDriver({ cloudPrefix: 'mc' })
  const driver = {
    ...fake,
    applyNetwork: async (plan: NetworkPlan) => {
      planned.push(plan)
      await fake.applyNetwork(plan)
    },
    applyRouter: async (plan: RouterPlan) => {
      routed.push(plan)
      await fake.applyRouter(plan)
    },
  }
  const ground = testGround({ sections: [networkConfig, networkQuotaConfig] })
  db = ground.db
  networks = makeNetworks({ ...ground, driver, host: 'host1' })
  networks.bootstrap(seed)
  await networks.start()
  api = testApi(networks.v2, { prefix: '/network/v2.0' })
})

const { call: send, make } = networkCalls(() => api)
const call = (method: string, path: string, body?: unknown, token = 'demo') => send(method, path, body, { token })

/** A plan that the host's programs would refuse keeps every other network from being brought in line. */
function checkPlans(): HostPlan {
  const plan: HostPlan = { networks: planned.slice(-1), routers: routed.slice(-1), external: null }
  checkHostPlan(plan)
  return plan
}

describe('what members write into plans', () => {
  it.each([
    ['10.1.2.3/08', '10.0.0.0/8'],
    ['10.0.0.0/032', '10.0.0.0/32'],
    ['2001:db8::1.2.3.4', '2001:db8::102:304'],
    ['2001:DB8::1.2.3.4/064', '2001:db8::/64'],
  ])('reads to nftables as to us: allowed address %s', async (given, expected) => {
    const network = await make('network', { name: 'n' })
    await make('subnet', { network_id: network.id, ip_version: 4, cidr: '10.9.0.0/24' })
    const group = await make('security_group', { name: 'g' })
    await make('security_group_rule', {
      security_group_id: group.id,
      direction: 'ingress',
      ethertype: given.includes(':') ? 'IPv6' : 'IPv4',
      remote_group_id: group.id,
    })
    const port = await make('port', { network_id: network.id, allowed_address_pairs: [{ ip_address: given }], security_groups: [group.id] })
    networks.attachPort(port.id, { deviceId: 'server-1', deviceOwner: 'compute:nova', host: 'host1', hostname: 'web' })
    await networks.plug(port.id)
    const plan = checkPlans().networks[0]!
    expect(plan.ports[0]?.allowedAddressPairs.map(({ ip }) => ip)).toEqual([expected])
    const text = replaceTables(makeNames('mtest'), [networkRules(makeNames('mtest'), 'mtest', plan)])
    expect(text).not.toContain(given)
  })

  it('is of one IP version: routes of subnets and routers', async () => {
    const network = await make('network', { name: 'n' })
    const route = (destination: string, nexthop: string) => [{ destination, nexthop }]
    const body = { network_id: network.id, ip_version: 6, cidr: '2001:db8::/64', host_routes: route('2001:db8:1::/64', '10.0.0.1') }
    expect((await call('POST', '/subnets', { subnet: body })).status).toBe(400)
    const subnet = await make('subnet', { network_id: network.id, ip_version: 4, cidr: '10.9.0.0/24' })
    expect((await call('PUT', `/subnets/${subnet.id}`, { subnet: { host_routes: route('10.1.0.0/16', 'fe80::1') } })).status).toBe(400)
    const router = await make('router', { name: 'r' })
    expect((await call('PUT', `/routers/${router.id}/add_router_interface`, { subnet_id: subnet.id })).status).toBe(200)
    const answer = await call('PUT', `/routers/${router.id}`, { router: { routes: route('2001:db8::/64', '10.9.0.5') } })
    expect([answer.status, answer.body.NeutronError.type]).toEqual([400, 'InvalidRoutes'])
    expect((await call('PUT', `/routers/${router.id}`, { router: { routes: route('10.1.0.0/16', '10.9.0.5') } })).status).toBe(200)
  })
})

describe('what no program of the host would read', () => {
  it('is refused by the second lock too', () => {
    const pair = (ip: string) => ({ mac: 'fa:16:3e:00:00:01', ip })
    const port = (n: number, ip: string) => ({ ...examplePort(1, n), allowedAddressPairs: [pair(ip)] })
    for (const ip of ['10.1.2.3/08', '2001:db8::1.2.3.4', '::1.2.3.4/96', '10.0.0.1\n', 'fe80::1%lo'])
      expect(() => checkHostPlan({ networks: [exampleNetwork(1, [port(1, ip)])], routers: [], external: null })).toThrow('is not valid')
  })

  it('stays out alone, of a network or of the host', () => {
    const refused: unknown[] = []
    const bad = { ...examplePort(1, 2), allowedAddressPairs: [{ mac: 'fa:16:3e:00:00:01', ip: '10.0.0.0/08' }] }
    const networks = soundNetworks(
      [
        exampleNetwork(1, [examplePort(1, 1), bad]),
        exampleNetwork(2, [examplePort(2, 1)], { dnsNameservers: ['x\ny'] }),
        exampleNetwork(3),
      ],
      (part) => refused.push(part),
    )
    expect(networks.map(({ id, ports }) => [id, ports.length])).toEqual([
      [networkId(1), 1],
      [networkId(3), 0],
    ])
    const routers = soundRouters([exampleRouter(1), exampleRouter(2, { routes: [{ destination: '::/0', nexthop: '10.0.0.9' }] })], (part) =>
      refused.push(part),
    )
    expect(routers.map(({ id }) => id)).toEqual([routerId(1)])
    expect(refused).toEqual([{ port: bad.id }, { network: networkId(2) }, { router: routerId(2) }])
    checkHostPlan({ networks, routers, external: null })
  })

  it('keeps nobody else from being plugged', async () => {
    const plugged = async (name: string) => {
      const network = await make('network', { name })
      await make('subnet', { network_id: network.id, ip_version: 4, cidr: '10.9.0.0/24' })
      const port = await make('port', { network_id: network.id })
      networks.attachPort(port.id, { deviceId: `server-${name}`, deviceOwner: 'compute:nova', host: 'host1', hostname: 'web' })
      return port.id as string
    }
    const [bad, good] = [await plugged('bad'), await plugged('good')]
    db.prepare('UPDATE ports SET mac_address = ? WHERE id = ?').run('nonsense', bad)
    await networks.plug(good)
    await networks.settled()
    expect(planned.at(-1)?.ports.map(({ id }) => id)).toEqual([good])
  })
})

describe("another project's shared network", () => {
  it('does not lend its gateway address to a router of a mere user', async () => {
    const network = await make('network', { name: 'n', shared: true }, 'admin')
    const subnet = await make('subnet', { network_id: network.id, ip_version: 4, cidr: '10.77.0.0/24' }, 'admin')
    const router = await make('router', { name: 'mine' })
    const answer = await call('PUT', `/routers/${router.id}/add_router_interface`, { subnet_id: subnet.id })
    expect(answer.status).toBe(400)
    expect(answer.body.NeutronError.message).toContain('is not owned by project making the request')
    expect((await call('PUT', `/routers/${router.id}/add_router_interface`, { subnet_id: subnet.id }, 'admin')).status).toBe(200)
  })

  it('gives a port of the user’s own to its router, at an address that the network chooses', async () => {
    const network = await make('network', { name: 'n', shared: true }, 'admin')
    await make('subnet', { network_id: network.id, ip_version: 4, cidr: '10.77.0.0/24' }, 'admin')
    const router = await make('router', { name: 'mine' })
    const port = await make('port', { network_id: network.id })
    expect((await call('PUT', `/routers/${router.id}/add_router_interface`, { port_id: port.id })).status).toBe(200)
    expect(port.fixed_ips[0].ip_address).not.toBe('10.77.0.1')
  })
})
