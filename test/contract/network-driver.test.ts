/** Both network drivers keep the contract; and behind the one for Linux, guests see what a cloud's guests should. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type HostPlan, makeFakeDriver, type NetworkDriver, type RulePlan, type SubnetPlan } from '../../src/network/drivers/index.ts'
import { inside, run } from '../../src/network/drivers/linux/run.ts'
import { networkDriverContract } from './network-driver.ts'
import { type Guest, type Lab, makeLab, whyNoLab } from './network-lab.ts'
import { egressAll, network, networkId, pingRule, port, router, routerId, tcpRule } from './network-plans.ts'

describe('fake network driver', () => {
  networkDriverContract(async () => makeFakeDriver({ cloudPrefix: 'fk' }))
})

const missing = await whyNoLab()
if (missing && process.env.CI !== 'true') {
  describe('linux network driver', () => it.skip(`skipped: ${missing}`, () => {}))
} else {
  describe('linux network driver', { timeout: 60_000 }, () => {
    if (missing) return it('has what it needs', () => expect.unreachable(missing))
    describe('on an empty host', () => {
      let lab: Lab
      beforeAll(async () => {
        lab = await makeLab()
      })
      afterAll(() => lab.dispose())
      networkDriverContract(() => lab.driver('ct'))

      it('finds the host capable', async () => {
        expect(await (await lab.driver('ct')).capabilities()).toEqual({ ok: true, mode: expect.stringMatching('root'), problems: [] })
      })
    })
    describe('with guests', guestsSeeACloud)
  })
}

/** Two networks of one CIDR, with a guest at the same address in both; the first has a way out. The tests go on from each other's state. */
function guestsSeeACloud(): void {
  const gateway = { externalNetworkId: networkId(9), ip: '172.24.4.20', cidr: '172.24.4.0/24', nexthop: '172.24.4.1', snat: true }
  const external = { networkId: networkId(9), mtu: 1500, hostIps: [{ ip: '172.24.4.1', cidr: '172.24.4.0/24' }], masquerade: true }
  const open = port(1, 2, {
    rules: [...egressAll, pingRule, tcpRule(22)],
    dhcpOptions: [{ name: 'tftp-server', value: '10.0.0.99', ipVersion: 4 }],
  })
  const plan: HostPlan = {
    networks: [network(1, [port(1, 1), open]), network(2, [port(2, 1), port(2, 3, { rules: [...egressAll, pingRule] })])],
    routers: [router(1, { gateway, floatingIps: [{ floating: '172.24.4.30', fixed: '10.0.0.12' }] })],
    external,
  }
  let lab: Lab
  let driver: NetworkDriver
  let one: Guest
  let two: Guest
  let other: Guest
  let far: Guest
  const heard: string[] = []

  function answerMetadata(given: NetworkDriver): void {
    given.onMetadataConnection((socket, origin) => {
      heard.push(origin.networkId)
      socket.once('data', () => socket.end(`HTTP/1.0 200 OK\r\n\r\n${origin.networkId} ${socket.remoteAddress}`))
    })
  }

  beforeAll(async () => {
    lab = await makeLab()
    driver = await lab.driver('ga')
    answerMetadata(driver)
    await driver.converge(plan)
    const plugged = async (net: number, of: (typeof plan.networks)[0]['ports'][0]) =>
      lab.guest((await driver.plug(networkId(net), of)).bridge, of)
    one = await plugged(1, plan.networks[0]!.ports[0]!)
    two = await plugged(1, plan.networks[0]!.ports[1]!)
    other = await plugged(2, plan.networks[1]!.ports[0]!)
    far = await plugged(2, plan.networks[1]!.ports[1]!)
  }, 60_000)
  afterAll(() => lab.dispose(), 60_000)

  it('get address, routes, name server and MTU by DHCP', async () => {
    const lease = await one.dhcp()
    expect(lease?.get('ip')).toBe('10.0.0.11')
    expect(lease?.get('mtu')).toBe('1400')
    expect(lease?.get('router')).toBe('10.0.0.1')
    expect(lease?.get('dns')).toBe('10.0.0.2')
    expect(lease?.get('domain')).toBe('cloud.test')
    expect(lease?.get('staticroutes')).toBe('169.254.169.254/32 10.0.0.2 0.0.0.0/0 10.0.0.1')
    expect(lease?.get('tftp')).toBeUndefined()
    expect((await two.dhcp())?.get('tftp')).toBe('10.0.0.99')
    expect((await other.dhcp())?.get('ip')).toBe('10.0.0.11')
    expect((await far.dhcp())?.get('ip')).toBe('10.0.0.13')
  })

  it('find each other by name, in their own network only', async () => {
    expect(await lab.resolve(one.space, 'web2.cloud.test', '10.0.0.2')).toBe('10.0.0.12')
    expect(await lab.resolve(one.space, 'web2', '10.0.0.2')).toBe('10.0.0.12')
    expect(await lab.resolve(one.space, 'web3.cloud.test', '10.0.0.2')).toBeNull()
  })

  it('are known to the metadata service by network and address', async () => {
    expect(await lab.get(one.space, 'http://169.254.169.254/')).toBe(`${networkId(1)} 10.0.0.11`)
    expect(await lab.get(other.space, 'http://169.254.169.254/')).toBe(`${networkId(2)} 10.0.0.11`)
    await lab.ip(one.space, 'route replace 169.254.169.254/32 via 10.0.0.1 dev eth0')
    expect(await lab.get(one.space, 'http://169.254.169.254/')).toBe(`${networkId(1)} 10.0.0.11`)
    await lab.ip(one.space, 'route replace 169.254.169.254/32 via 10.0.0.2 dev eth0')
  })

  it('cannot use up the connections of the metadata service', async () => {
    const code = `
      let connected = 0, closed = 0
      const tell = () => { console.log(closed); process.exit() }
      const look = () => connected === 40 && closed >= 8 && tell()
      for (let i = 0; i < 40; i++)
        require('net').connect(80, '169.254.169.254', () => { connected++; look() }).on('close', () => { closed++; look() }).on('error', () => {})
      setTimeout(tell, 3000)`
    expect(Number(await run(inside(one.space, [process.execPath, '-e', code])))).toBe(8)
    expect(await lab.get(other.space, 'http://169.254.169.254/')).toBe(`${networkId(2)} 10.0.0.11`)
  })

  it('reach what rules open, and nothing else', async () => {
    await lab.serve(two.space, 22)
    await lab.serve(two.space, 80)
    await lab.serve(one.space, 22)
    expect(await lab.tcp(one.space, '10.0.0.12', 22)).toBe(true)
    expect(await lab.tcp(one.space, '10.0.0.12', 80)).toBe(false)
    expect(await lab.ping(one.space, '10.0.0.12')).toBe(true)
    expect(await lab.tcp(two.space, '10.0.0.11', 22)).toBe(false)
    expect(await lab.ping(two.space, '10.0.0.11')).toBe(false)
  })

  it('do not reach a network of the same addresses', async () => {
    expect(await lab.ping(other.space, '10.0.0.13')).toBe(true)
    expect(await lab.ping(one.space, '10.0.0.13')).toBe(false)
  })

  it('follow a rule that comes and goes', async () => {
    const opened = port(1, 1, { rules: [...egressAll, pingRule] })
    await driver.applyNetwork(network(1, [opened, open]))
    expect(await lab.ping(two.space, '10.0.0.11')).toBe(true)
    const byGroup = port(1, 1, { rules: [...egressAll, { ...pingRule, remoteIps: ['10.0.0.99'] }] })
    await driver.applyNetwork(network(1, [byGroup, open]))
    expect(await lab.ping(two.space, '10.0.0.11')).toBe(false)
    const inGroup = port(1, 1, { rules: [...egressAll, { ...pingRule, remoteIps: ['10.0.0.99', '10.0.0.12'] }] })
    await driver.applyNetwork(network(1, [inGroup, open]))
    expect(await lab.ping(two.space, '10.0.0.11')).toBe(true)
    await driver.applyNetwork(plan.networks[0]!)
    expect(await lab.ping(two.space, '10.0.0.11')).toBe(false)
  })

  it('cannot borrow an address or a MAC', async () => {
    await lab.ip(one.space, 'addr add 10.0.0.77/24 dev eth0')
    expect(await lab.ping(one.space, '10.0.0.12', '10.0.0.77')).toBe(false)
    expect(await lab.ping(one.space, '10.0.0.12')).toBe(true)
    await lab.ip(one.space, 'addr del 10.0.0.77/24 dev eth0', 'link set eth0 address fa:16:3e:aa:ff:ff')
    expect(await lab.ping(one.space, '10.0.0.12')).toBe(false)
    await lab.ip(
      one.space,
      `link set eth0 address ${port(1, 1).mac}`,
      'route replace default via 10.0.0.1',
      'route replace 169.254.169.254/32 via 10.0.0.2',
    )
    expect(await lab.ping(one.space, '10.0.0.12')).toBe(true)
  })

  it('may use an address that was lent to them, but not to ask for metadata', async () => {
    const lent = port(1, 1, { allowedAddressPairs: [{ mac: port(1, 1).mac, ip: '10.0.0.77' }] })
    await driver.applyNetwork(network(1, [lent, open]))
    await lab.ip(one.space, 'addr add 10.0.0.77/24 dev eth0')
    expect(await lab.ping(one.space, '10.0.0.12', '10.0.0.77')).toBe(true)
    await lab.ip(one.space, 'route replace 169.254.169.254/32 via 10.0.0.2 dev eth0 src 10.0.0.77')
    expect(await lab.tcp(one.space, '169.254.169.254', 80)).toBe(false)
    await lab.ip(one.space, 'route replace 169.254.169.254/32 via 10.0.0.2 dev eth0 src 10.0.0.11', 'addr del 10.0.0.77/24 dev eth0')
    expect(await lab.tcp(one.space, '169.254.169.254', 80)).toBe(true)
    await driver.applyNetwork(plan.networks[0]!)
  })

  it('have no voice while their port is down or unplanned', async () => {
    await driver.applyNetwork(network(1, [port(1, 1, { adminStateUp: false }), open]))
    expect(await lab.ping(one.space, '10.0.0.12')).toBe(false)
    await driver.applyNetwork(network(1, [open]))
    expect(await lab.ping(one.space, '10.0.0.12')).toBe(false)
    await driver.applyNetwork(plan.networks[0]!)
    expect(await lab.ping(one.space, '10.0.0.12')).toBe(true)
  })

  it('reach the outside behind the host, and are reached by a floating address', async () => {
    const outside = await lab.outside()
    expect(await lab.ping(one.space, outside.ip)).toBe(true)
    expect(await lab.ping(other.space, outside.ip)).toBe(false)
    expect(await lab.tcp(lab.hostSpace, '172.24.4.30', 22)).toBe(true)
    expect(await lab.tcp(lab.hostSpace, '172.24.4.30', 80)).toBe(false)
    expect(await lab.tcp(one.space, '172.24.4.30', 22)).toBe(true)
    await driver.applyRouter(router(1, { gateway }))
    expect(await lab.tcp(lab.hostSpace, '172.24.4.30', 22)).toBe(false)
    expect(await lab.ping(two.space, outside.ip)).toBe(true)
  })

  it('find a floating address at once when another router has it', async () => {
    const moved = [{ floating: '172.24.4.30', fixed: '10.0.0.13' }]
    await driver.applyNetwork(network(2, [port(2, 1), port(2, 3, { rules: [...egressAll, tcpRule(22)] })]))
    await lab.serve(far.space, 22)
    await driver.applyRouter(router(1, { gateway, floatingIps: [{ floating: '172.24.4.30', fixed: '10.0.0.12' }] }))
    expect(await lab.tcp(lab.hostSpace, '172.24.4.30', 22)).toBe(true)
    const second = { ...gateway, ip: '172.24.4.21' }
    await driver.applyRouter(router(2, { gateway: second }))
    await driver.removeRouter(routerId(1))
    await driver.applyRouter(router(2, { gateway: second, floatingIps: moved }))
    expect(await lab.tcp(lab.hostSpace, '172.24.4.30', 22)).toBe(true)
    await driver.removeRouter(routerId(2))
    await driver.applyRouter(router(1, { gateway }))
    await driver.applyNetwork(plan.networks[1]!)
  })

  it('ask the host for names that the network does not know', async () => {
    await lab.nameServer('up.test', '198.51.100.7')
    const forwarding = { ...plan.networks[0]!, subnets: [{ ...plan.networks[0]!.subnets[0]!, dnsNameservers: ['203.0.113.2'] }] }
    await driver.applyNetwork(forwarding)
    expect(await lab.resolve(one.space, 'up.test', '10.0.0.2')).toBe('198.51.100.7')
    expect(await lab.resolve(one.space, 'web2', '10.0.0.2')).toBe('10.0.0.12')
    await driver.applyNetwork(plan.networks[0]!)
  })

  it('do not reach the host itself through their bridge', async () => {
    const bridge = (await driver.plug(networkId(2), plan.networks[1]!.ports[0]!)).bridge
    const [{ address }] = JSON.parse(await run(inside(lab.hostSpace, ['ip', '-j', 'link', 'show', bridge]))) as [{ address: string }]
    await lab.ip(lab.hostSpace, `route add 10.0.0.11/32 dev ${bridge}`)
    await lab.ip(other.space, `neigh replace 203.0.113.1 lladdr ${address} dev eth0`, 'route replace 203.0.113.1/32 dev eth0')
    expect(await lab.ping(other.space, '203.0.113.1')).toBe(false)
    await lab.ip(other.space, 'neigh del 203.0.113.1 dev eth0')
    expect(await lab.ping(other.space, '203.0.113.1')).toBe(false)
    expect(await run(inside(other.space, ['ip', 'neigh', 'show', '203.0.113.1']))).not.toContain('lladdr')
    await lab.ip(lab.hostSpace, `route del 10.0.0.11/32 dev ${bridge}`)
  })

  it('lose a connection whose rule is taken away', async () => {
    const talked = { ...open, rules: [...egressAll, pingRule, tcpRule(22), tcpRule(2222)] }
    await driver.applyNetwork(network(1, [port(1, 1), talked]))
    const talk = await lab.connection(one.space, two.space, '10.0.0.12', 2222)
    expect(await talk.says('first')).toBe(true)
    await driver.applyNetwork(plan.networks[0]!)
    expect(await talk.says('second')).toBe(false)
    expect(await lab.tcp(one.space, '10.0.0.12', 22)).toBe(true)
  })

  it('pass another firewall that drops what it does not know', async () => {
    await run(inside(lab.hostSpace, ['iptables', '-P', 'FORWARD', 'DROP']))
    expect(await lab.ping(one.space, '10.0.0.12')).toBe(false)
    await driver.converge(plan)
    expect(await lab.ping(one.space, '10.0.0.12')).toBe(true)
    expect(await lab.ping(one.space, '203.0.113.2')).toBe(true)
    await run(inside(lab.hostSpace, ['iptables', '-P', 'FORWARD', 'ACCEPT']))
  })

  it('make their IPv6 address from what the router advertises, under the same rules', async () => {
    const six = {
      id: networkId(6),
      cidr: 'fd00:6::/64',
      ipVersion: 6 as const,
      gatewayIp: 'fd00:6::1',
      dhcp: true,
      dhcpServerIp: 'fd00:6::2',
    }
    const subnet: SubnetPlan = { ...six, dnsNameservers: [], hostRoutes: [], ipv6RaMode: 'slaac', ipv6AddressMode: 'slaac' }
    const own = (m: number) => ({ subnetId: six.id, ip: `fd00:6::f816:3eff:feaa:${(200 + m).toString(16)}` })
    const pingSix: RulePlan = { ...pingRule, ethertype: 'IPv6' }
    const first = port(2, 11, { fixedIps: [own(11)], rules: egressAll })
    const second = port(2, 12, { fixedIps: [own(12)], rules: [...egressAll, pingSix] })
    const base = plan.networks[1]!
    await driver.applyNetwork({ ...base, subnets: [...base.subnets, subnet], ports: [...base.ports, first, second] })
    await driver.applyRouter(router(3, { interfaces: [{ networkId: networkId(2), ip: six.gatewayIp, cidr: six.cidr }] }))
    const bridge = (await driver.plug(networkId(2), first)).bridge
    const a = await lab.guest(bridge, first)
    const b = await lab.guest(bridge, second)
    await lab.hasAddress(a.space, own(11).ip)
    await lab.hasAddress(b.space, own(12).ip)
    expect(await lab.ping(a.space, 'fd00:6::1')).toBe(true)
    expect(await lab.ping(a.space, own(12).ip)).toBe(true)
    expect(await lab.ping(b.space, own(11).ip)).toBe(false)
    await lab.ip(a.space, 'addr add fd00:6::77/64 dev eth0 nodad preferred_lft forever')
    expect(await lab.ping(a.space, own(12).ip, 'fd00:6::77')).toBe(false)
    await driver.removeRouter(routerId(3))
    await driver.unplug(first)
    await driver.unplug(second)
    await driver.applyNetwork(base)
  })

  it('notice nothing when the cloud restarts, and the next driver takes over', async () => {
    const before = await driver.inventory()
    await driver.close()
    expect(await lab.tcp(one.space, '169.254.169.254', 80)).toBe(false)
    expect(await lab.ping(one.space, '10.0.0.12')).toBe(true)
    expect(await lab.resolve(one.space, 'web2', '10.0.0.2')).toBe('10.0.0.12')
    driver = await lab.driver('ga')
    answerMetadata(driver)
    await driver.converge(plan)
    expect(await driver.inventory()).toEqual(before)
    expect(await lab.get(one.space, 'http://169.254.169.254/')).toBe(`${networkId(1)} 10.0.0.11`)
    expect(await lab.tcp(one.space, '10.0.0.12', 22)).toBe(true)
    expect(await lab.tcp(one.space, '10.0.0.12', 80)).toBe(false)
  })

  it('get a new owner for an address whose lease has not ended', async () => {
    const heir = port(2, 7, { fixedIps: port(2, 3).fixedIps })
    await driver.unplug(port(2, 3))
    await driver.applyNetwork(network(2, [port(2, 1)]))
    const { bridge } = await driver.plug(networkId(2), heir)
    expect((await (await lab.guest(bridge, heir)).dhcp())?.get('ip')).toBe('10.0.0.13')
  })

  it('live beside another cloud that uses the same numbers', async () => {
    const second = await lab.driver('gb')
    const guarded = port(1, 4, { rules: egressAll, mark: port(1, 2).mark })
    const asking = port(1, 5, { mark: port(1, 1).mark, rules: [...egressAll, pingRule] })
    await second.converge({ networks: [network(1, [guarded, asking])], routers: [], external: null })
    const first = await lab.guest((await second.plug(networkId(1), guarded)).bridge, guarded)
    const next = await lab.guest((await second.plug(networkId(1), asking)).bridge, asking)
    expect((await first.dhcp())?.get('ip')).toBe('10.0.0.14')
    expect((await next.dhcp())?.get('ip')).toBe('10.0.0.15')
    expect(await lab.ping(first.space, '10.0.0.15')).toBe(true)
    expect(await lab.ping(next.space, '10.0.0.14')).toBe(false)
    expect(await lab.ping(one.space, '10.0.0.12')).toBe(true)
    const before = await driver.inventory()
    await second.converge({ networks: [], routers: [], external: null })
    expect(await driver.inventory()).toEqual(before)
    expect(await lab.ping(one.space, '10.0.0.12')).toBe(true)
  })

  it('are healed after somebody flushed the rules of the host', async () => {
    await run(inside(lab.hostSpace, ['nft', 'flush', 'ruleset']))
    await driver.converge(plan)
    expect(await lab.tcp(one.space, '10.0.0.12', 22)).toBe(true)
    expect(await lab.tcp(one.space, '10.0.0.12', 80)).toBe(false)
  })
}
