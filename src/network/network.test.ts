import { afterEach, describe, expect, it } from 'vitest'
import { testGround } from '../../test/support/ground.ts'
import type { HostPlan, NetworkDriver, NetworkPlan, PortPlan, RouterPlan } from './drivers/driver.ts'
import { makeNetworks, networkConfig, networkQuotaConfig, type ServerPort } from './index.ts'

/** A host that remembers what it was told. */
function rememberingDriver() {
  const networks = new Map<string, NetworkPlan>()
  const routers = new Map<string, RouterPlan>()
  const plugged = new Map<string, PortPlan>()
  const calls: string[] = []
  let refusal: Error | null = null
  const call = async (name: string): Promise<void> => {
    calls.push(name)
    if (refusal) throw refusal
  }
  const driver: NetworkDriver = {
    kind: 'fake',
    converge: async (plan: HostPlan) => {
      await call('converge')
      networks.clear()
      routers.clear()
      for (const network of plan.networks) networks.set(network.id, network)
      for (const router of plan.routers) routers.set(router.id, router)
    },
    applyNetwork: async (network) => {
      await call('applyNetwork')
      networks.set(network.id, network)
    },
    removeNetwork: async (id) => {
      await call('removeNetwork')
      networks.delete(id)
    },
    applyRouter: async (router) => {
      await call('applyRouter')
      routers.set(router.id, router)
    },
    removeRouter: async (id) => {
      await call('removeRouter')
      routers.delete(id)
    },
    plug: async (networkId, port) => {
      await call('plug')
      if (!networks.has(networkId)) throw new Error('no such network here')
      plugged.set(port.id, port)
      return { bridge: 'br0', tap: port.tap, mtu: 1500 }
    },
    unplug: async ({ id }) => {
      await call('unplug')
      plugged.delete(id)
    },
    inventory: async () => ({ bridges: [], namespaces: [], taps: [], processes: [], tables: [], leases: [], legs: [] }),
    onMetadataConnection: () => {},
    capabilities: async () => ({ ok: true, mode: 'fake', problems: [] }),
    close: async () => {},
  }
  const refuse = (error: Error | null) => {
    refusal = error
  }
  return { driver, networks, routers, plugged, calls, refuse }
}

const seed = { adminProjectId: 'a'.repeat(32), demoProjectId: 'd'.repeat(32) }
const open: AsyncDisposable[] = []

async function cloud(flags: Record<string, string> = {}) {
  const ground = testGround({ sections: [networkConfig, networkQuotaConfig], flags })
  const host = rememberingDriver()
  const events: string[] = []
  ground.queue.subscribe('network', ({ type }) => events.push(type))
  const networks = makeNetworks({ ...ground, driver: host.driver, host: 'host1' })
  open.push(networks)
  networks.bootstrap(seed)
  await networks.start()
  const [usable] = networks.usableNetworks(seed.demoProjectId, false)
  if (!usable) throw new Error('no network to use')
  const wanted = (over: Partial<ServerPort> = {}): ServerPort => ({
    networkId: usable.id,
    projectId: seed.demoProjectId,
    deviceId: 'server-1',
    deviceOwner: 'compute:nova',
    host: 'host1',
    hostname: 'Web 1.example',
    securityGroupIds: null,
    key: 'nic0',
    ...over,
  })
  return { ground, networks, host, events, usable, wanted }
}

afterEach(async () => {
  for (const it of open.splice(0)) await it[Symbol.asyncDispose]()
})

describe('the first start', () => {
  it('makes one private network for all, once', async () => {
    const { networks, usable } = await cloud()
    networks.bootstrap(seed)
    expect(usable).toMatchObject({ name: 'private', shared: true, external: false, mtu: 1500 })
    expect(networks.usableNetworks(seed.adminProjectId, true).map(({ name }) => name)).toEqual(['private'])
    expect(usable.subnetIds).toHaveLength(1)
  })
})

describe('ports of servers', () => {
  it('gives an address, a MAC, the default group, and the same port for the same key', async () => {
    const { networks, wanted } = await cloud()
    const port = networks.createPort(wanted())
    expect(port.mac).toMatch(/^fa:16:3e(:[0-9a-f]{2}){3}$/)
    expect(port.fixedIps.map(({ ip }) => ip)).toEqual(['10.20.0.3'])
    expect(port.securityGroupIds).toEqual(networks.securityGroupsByNameOrId(seed.demoProjectId, ['default']).map(({ id }) => id))
    expect(networks.createPort(wanted()).id).toBe(port.id)
    expect(networks.createPort(wanted({ key: 'nic1' })).id).not.toBe(port.id)
    expect(networks.portsOf('server-1')).toHaveLength(2)
    expect(networks.ownedDevices()).toEqual(['server-1'])
  })

  it('are given one more address, and lose it again: what is plugged follows', async () => {
    const { networks, wanted, host, usable } = await cloud()
    const { proxies } = networks
    const port = networks.createPort(wanted())
    await networks.plug(port.id)
    const known = async () => {
      await networks.settled()
      const found = host.networks.get(usable.id)?.ports.find(({ id }) => id === port.id)
      return found?.fixedIps.map(({ ip }) => ip)
    }
    proxies.addFixedIp('server-1', usable.id)
    expect(await known()).toEqual(['10.20.0.3', '10.20.0.4'])
    expect(() => proxies.addFixedIp('server-2', usable.id)).toThrow('could not be found')
    expect(proxies.removeFixedIp('server-2', '10.20.0.4')).toBe(false)
    expect(proxies.removeFixedIp('server-1', '10.20.0.3')).toBe(true)
    expect(await known()).toEqual(['10.20.0.4'])
    expect(networks.createPort(wanted({ key: 'nic1' })).fixedIps.map(({ ip }) => ip)).toEqual(['10.20.0.3'])
  })

  it('plugs: the network and its router come to the host, the port is up, the guest can be known by its address', async () => {
    const { networks, wanted, host, events, usable } = await cloud()
    const port = networks.createPort(wanted())
    expect(host.networks.size).toBe(0)
    const plugged = await networks.plug(port.id)
    expect(plugged).toEqual({ bridge: 'br0', tap: `tap${port.id.slice(0, 11)}`, mtu: 1500, mac: port.mac })
    expect(host.networks.get(usable.id)?.subnets[0]).toMatchObject({
      cidr: '10.20.0.0/22',
      gatewayIp: '10.20.0.1',
      dhcpServerIp: '10.20.0.2',
    })
    expect([...host.routers.values()][0]).toMatchObject({ gateway: { snat: true }, interfaces: [{ ip: '10.20.0.1' }] })
    expect(host.plugged.get(port.id)).toMatchObject({ hostname: 'web-1', mark: 1, portSecurity: true })
    expect(host.plugged.get(port.id)?.rules).toHaveLength(4)
    expect(host.plugged.get(port.id)?.rules.find((rule) => rule.direction === 'ingress' && rule.ethertype === 'IPv4')?.remoteIps).toEqual([
      '10.20.0.3',
    ])
    expect(events).toContain('network.port.up')
    expect(networks.findPortByAddress(usable.id, '10.20.0.3')).toEqual({
      portId: port.id,
      deviceId: 'server-1',
      projectId: seed.demoProjectId,
    })
    expect(networks.networkData('server-1')).toMatchObject([
      {
        portId: port.id,
        active: true,
        bridge: 'br0',
        network: { label: 'private' },
        subnets: [{ gateway: '10.20.0.1', fixedIps: [{ ip: '10.20.0.3' }] }],
      },
    ])
  })

  it('tells the other members of a group when one comes or goes', async () => {
    const { networks, wanted, host, usable } = await cloud()
    const one = networks.createPort(wanted())
    await networks.plug(one.id)
    const two = networks.createPort(wanted({ deviceId: 'server-2' }))
    await networks.settled()
    const members = () =>
      host.networks
        .get(usable.id)
        ?.ports.find(({ id }) => id === one.id)
        ?.rules.find((rule) => rule.remoteIps && rule.ethertype === 'IPv4')?.remoteIps
    expect(members()).toEqual(['10.20.0.3', '10.20.0.4'])
    networks.deletePort(two.id)
    networks.deletePort(two.id)
    await networks.settled()
    expect(members()).toEqual(['10.20.0.3'])
    expect(host.networks.get(usable.id)?.ports).toHaveLength(1)
  })

  it('lends a port to one server at a time, and keeps its address afterwards', async () => {
    const { networks, wanted } = await cloud()
    const port = networks.createPort(wanted({ deviceId: '', deviceOwner: '', host: null }))
    const to = { deviceId: 'server-9', deviceOwner: 'compute:nova', host: 'host1', hostname: 'nine' }
    expect(networks.attachPort(port.id, to)).toMatchObject({ deviceId: 'server-9', host: 'host1' })
    expect(networks.attachPort(port.id, to).id).toBe(port.id)
    expect(() => networks.attachPort(port.id, { ...to, deviceId: 'server-10' })).toThrow(
      expect.objectContaining({ kind: 'conflict', type: 'PortInUse' }),
    )
    networks.detachPort(port.id)
    expect(networks.port(port.id, { projectId: seed.demoProjectId, isAdmin: false })).toMatchObject({
      deviceId: '',
      host: null,
      fixedIps: port.fixedIps,
    })
    expect(networks.port(port.id, { projectId: 'x', isAdmin: false })).toBeNull()
  })

  it('refuses under Neutron’s names, and leaves nothing behind', async () => {
    const { networks, wanted } = await cloud({ 'quotas.quota_port': '2' })
    networks.createPort(wanted())
    const refused = (over: Partial<ServerPort>) => {
      try {
        networks.createPort(wanted({ key: 'x', ...over }))
      } catch (error) {
        return (error as { type?: string }).type
      }
      return 'made'
    }
    expect(refused({ fixedIp: '10.20.0.3' })).toBe('IpAddressAlreadyAllocated')
    expect(refused({ fixedIp: '10.99.0.3' })).toBe('InvalidIpForNetwork')
    expect(refused({ networkId: 'nope' })).toBe('NetworkNotFound')
    expect(refused({ securityGroupIds: ['nope'] })).toBe('SecurityGroupNotFound')
    expect(networks.portsOf('server-1')).toHaveLength(1)
    expect(refused({})).toBe('made')
    expect(refused({ key: 'y' })).toBe('OverQuota')
  })

  it('comes back after a restart: what was plugged is on the host again, with its router', async () => {
    const { networks, wanted, ground, usable } = await cloud()
    const port = networks.createPort(wanted())
    await networks.plug(port.id)
    await networks[Symbol.asyncDispose]()
    const host = rememberingDriver()
    const again = makeNetworks({ ...ground, driver: host.driver, host: 'host1' })
    open.push(again)
    again.bootstrap(seed)
    await again.start()
    expect(host.networks.get(usable.id)?.ports.map(({ id }) => id)).toEqual([port.id])
    expect(host.routers.size).toBe(1)
    expect(again.portsOf('server-1')[0]?.status).toBe('ACTIVE')
  })

  it('applies what waits before it ends, and ends all the same when the host refuses that', async () => {
    const { networks, wanted, host, usable } = await cloud()
    const port = networks.createPort(wanted())
    await networks.plug(port.id)
    networks.deletePort(port.id)
    expect(host.networks.get(usable.id)?.ports).toHaveLength(1)
    await networks[Symbol.asyncDispose]()
    expect(host.networks.get(usable.id)?.ports).toEqual([])
    const other = await cloud()
    const kept = other.networks.createPort(other.wanted())
    await other.networks.plug(kept.id)
    other.networks.deletePort(kept.id)
    other.host.refuse(new Error('nft: no'))
    await other.networks[Symbol.asyncDispose]()
    expect(other.host.networks.get(other.usable.id)?.ports).toHaveLength(1)
  })

  it('makes addresses that a member may borrow known to the others', async () => {
    const { networks, wanted, host, ground } = await cloud()
    const port = networks.createPort(wanted())
    const pairs = JSON.stringify([{ mac_address: port.mac, ip_address: '10.20.1.0/24' }])
    ground.db.prepare('UPDATE ports SET allowed_address_pairs = ? WHERE id = ?').run(pairs, port.id)
    await networks.plug(port.id)
    const plan = host.plugged.get(port.id)
    expect(plan?.allowedAddressPairs).toEqual([{ mac: port.mac, ip: '10.20.1.0/24' }])
    expect(plan?.rules.find((rule) => rule.remoteIps && rule.ethertype === 'IPv4')?.remoteIps).toEqual(['10.20.0.3', '10.20.1.0/24'])
  })

  it('applies afterwards what changes while the host is being brought in line', async () => {
    const { networks, wanted, ground } = await cloud()
    const port = networks.createPort(wanted())
    await networks.plug(port.id)
    await networks[Symbol.asyncDispose]()
    const host = rememberingDriver()
    const { converge } = host.driver
    const again = makeNetworks({
      ...ground,
      host: 'host1',
      driver: {
        ...host.driver,
        converge: async (plan) => {
          again.createPort(wanted({ deviceId: 'server-2' }))
          await converge(plan)
        },
      },
    })
    open.push(again)
    await again.start()
    await again.settled()
    expect([...host.networks.values()][0]?.ports).toHaveLength(2)
  })

  it('says unavailable when the host refuses, and mends it at the next comparison', async () => {
    const { networks, wanted, host, ground, usable } = await cloud()
    const port = networks.createPort(wanted())
    host.refuse(new Error('nft: no'))
    await expect(networks.plug(port.id)).rejects.toMatchObject({ kind: 'unavailable' })
    expect(networks.portsOf('server-1')[0]?.status).toBe('DOWN')
    host.refuse(null)
    await (ground.clock as unknown as { advance(by: string): Promise<void> }).advance('11 min')
    expect(host.networks.has(usable.id)).toBe(true)
    await networks.unplug('b'.repeat(36))
  })
})
