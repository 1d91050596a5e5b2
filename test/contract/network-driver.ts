/** What every network driver promises, whatever it does with packets. What guests see is in the tests of the driver for Linux. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { InvalidPlan, type NetworkDriver } from '../../src/network/drivers/index.ts'
import { network, networkId, port, router, routerId } from './network-plans.ts'

/** `open` gives a new driver for the same host and prefix each time: the second is what a restarted cloud has. */
export function networkDriverContract(open: () => Promise<NetworkDriver>): void {
  const nothing = { bridges: [], namespaces: [], legs: [], taps: [], processes: [], tables: [], leases: [] }
  const empty = { networks: [], routers: [], external: null }
  let driver: NetworkDriver

  beforeEach(async () => {
    driver = await open()
    await driver.converge(empty)
  }, 60_000)
  afterEach(async () => {
    await driver.converge(empty)
    await driver.close()
  }, 60_000)

  describe('contract', () => {
    it('starts from nothing and leaves nothing', async () => {
      expect(await driver.inventory()).toEqual(nothing)
      await driver.converge({ networks: [network(1, [port(1, 1)]), network(2)], routers: [router(1)], external: null })
      const there = await driver.inventory()
      expect(there.bridges).toHaveLength(2)
      expect(there.namespaces).toHaveLength(3)
      expect(there.tables).toHaveLength(2)
      await driver.converge(empty)
      expect(await driver.inventory()).toEqual(nothing)
    })

    it('removes one by one what was applied one by one', async () => {
      await driver.applyNetwork(network(1))
      await driver.applyNetwork(network(2))
      await driver.applyRouter(router(1))
      await driver.removeRouter(routerId(1))
      await driver.removeNetwork(networkId(1))
      expect((await driver.inventory()).bridges).toHaveLength(1)
      await driver.removeNetwork(networkId(2))
      expect(await driver.inventory()).toEqual(nothing)
    })

    it('may be told the same again, and to remove what is not there', async () => {
      const plan = { networks: [network(1, [port(1, 1)])], routers: [router(1)], external: null }
      await driver.converge(plan)
      const first = await driver.inventory()
      await driver.converge(plan)
      await driver.applyNetwork(network(1, [port(1, 1)]))
      await driver.applyRouter(router(1))
      expect(await driver.inventory()).toEqual(first)
      await driver.removeNetwork(networkId(7))
      await driver.removeRouter(routerId(7))
      await driver.unplug(port(1, 9))
      expect(await driver.inventory()).toEqual(first)
    })

    it('is found again by the next driver, which removes what the plan no longer has', async () => {
      await driver.converge({ networks: [network(1), network(2)], routers: [router(1)], external: null })
      const before = await driver.inventory()
      await driver.close()
      driver = await open()
      await driver.converge({ networks: [network(1), network(2)], routers: [router(1)], external: null })
      expect(await driver.inventory()).toEqual(before)
      await driver.close()
      driver = await open()
      await driver.converge({ networks: [network(2)], routers: [], external: null })
      expect((await driver.inventory()).bridges).toHaveLength(1)
      expect((await driver.inventory()).namespaces).toHaveLength(1)
    })

    it('takes the servers of a network away with its last subnet', async () => {
      await driver.applyNetwork(network(1))
      expect((await driver.inventory()).namespaces).toHaveLength(1)
      await driver.applyNetwork({ ...network(1), subnets: [] })
      expect(await driver.inventory()).toMatchObject({ namespaces: [], legs: [], processes: [], leases: [] })
      expect((await driver.inventory()).bridges).toHaveLength(1)
      await driver.applyNetwork(network(1))
      expect((await driver.inventory()).namespaces).toHaveLength(1)
    })

    it('says where a guest plugs in', async () => {
      await driver.applyNetwork(network(1))
      const plugged = await driver.plug(networkId(1), port(1, 1))
      expect(plugged).toEqual({ bridge: (await driver.inventory()).bridges[0], tap: port(1, 1).tap, mtu: 1400 })
      expect(plugged.bridge.length).toBeLessThanOrEqual(15)
      expect(await driver.plug(networkId(1), port(1, 1))).toEqual(plugged)
      await expect(driver.plug(networkId(3), port(3, 1))).rejects.toThrow(InvalidPlan)
    })

    it.each([
      ['a host name with a line break', port(1, 1, { hostname: 'a\nb' })],
      ['a host name with a comma', port(1, 1, { hostname: 'a,b' })],
      ['an address that is none', port(1, 1, { fixedIps: [{ subnetId: networkId(1), ip: '10.0.0.5 accept' }] })],
      ['a MAC that is none', port(1, 1, { mac: 'fa:16:3e:00:00:0g' })],
      ['a foreign device', port(1, 1, { tap: 'eth0' })],
      ['a rule for a CIDR that is none', port(1, 1, { rules: [{ ...port(1, 1).rules[0]!, remoteCidr: '10.0.0.0/33' }] })],
      ['a protocol that is none', port(1, 1, { rules: [{ ...port(1, 1).rules[0]!, protocol: 'tcp drop' }] })],
      ['a DHCP option with a line break', port(1, 1, { dhcpOptions: [{ name: 'tftp-server', value: 'x\ny', ipVersion: 4 }] })],
      ['a mark too large', port(1, 1, { mark: 65_535 })],
    ])('refuses %s and changes nothing', async (_what, bad) => {
      await expect(driver.applyNetwork(network(1, [bad]))).rejects.toThrow(InvalidPlan)
      expect(await driver.inventory()).toEqual(nothing)
    })
  })
}
