/** What a project's member cannot do to the networks of others, whatever it asks for. */
// biome-ignore-all lint/suspicious/noExplicitAny: answers are read as they come
import { beforeEach, describe, expect, it } from 'vitest'
import { type HostPlan, makeFakeDriver, type NetworkPlan, type RouterPlan } from '../../src/network/drivers/index.ts'
import { networkRules, replaceTables } from '../../src/network/drivers/linux/tables.ts'
import { makeNames } from '../../src/network/drivers/names.ts'
import { checkHostPlan } from '../../src/network/drivers/validate.ts'
import { makeNetworks, type Networks, networkConfig, networkQuotaConfig } from '../../src/network/index.ts'
import { type TestApi, testApi, testPrincipals } from '../support/api.ts'
import { testGround } from '../support/ground.ts'

const { admin, demo } = testPrincipals()
const seed = { adminProjectId: admin?.projectId ?? '', demoProjectId: demo?.projectId ?? '' }
let networks: Networks
let api: TestApi
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
  networks = makeNetworks({ ...ground, driver, host: 'host1' })
  networks.bootstrap(seed)
  await networks.start()
  api = testApi(networks.v2, { prefix: '/network/v2.0' })
})

const call = (method: string, path: string, body?: unknown, token = 'demo') => api.call(method, path, { token, body })
async function make(kind: string, body: Record<string, unknown>, token = 'demo'): Promise<any> {
  const answer = await call('POST', `/${kind.replaceAll('_', '-')}s`, { [kind]: body }, token)
  if (answer.status !== 201) throw new Error(`${kind}: ${answer.status} ${answer.text}`)
  return answer.body[kind]
}

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
