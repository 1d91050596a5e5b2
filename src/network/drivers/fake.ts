/** The driver for a sandbox without guests: it takes every plan, checks it as the real one does, and remembers what would be on the host. */
import type { NetworkDriver, NetworkPlan, RouterPlan } from './driver.ts'
import { InvalidPlan } from './errors.ts'
import { makeNames } from './names.ts'
import { checkHostPlan, checkNetwork, checkPort, checkRouter, uuid } from './validate.ts'

/** @throws {RangeError} for a malformed prefix. */
export function makeFakeDriver(deps: { cloudPrefix: string }): NetworkDriver {
  const names = makeNames(deps.cloudPrefix)
  const networks = new Map<string, NetworkPlan>()
  const routers = new Map<string, RouterPlan>()
  /** By name of the tap: what is plugged in, and the network it is in. */
  const taps = new Map<string, string>()
  let externalId: string | null = null

  const removeNetwork = (id: string) => {
    networks.delete(id)
    for (const [tap, networkId] of taps) if (networkId === id) taps.delete(tap)
  }

  return {
    kind: 'fake',
    async converge(plan) {
      checkHostPlan(plan)
      for (const id of [...networks.keys()]) if (!plan.networks.some((network) => network.id === id)) removeNetwork(id)
      for (const network of plan.networks) networks.set(network.id, network)
      routers.clear()
      for (const router of plan.routers) routers.set(router.id, router)
      externalId = plan.external?.networkId ?? null
      const planned = new Set(plan.networks.flatMap((network) => network.ports.map((port) => port.tap)))
      for (const tap of [...taps.keys()]) if (!planned.has(tap)) taps.delete(tap)
    },
    async applyNetwork(network) {
      checkNetwork(network)
      networks.set(network.id, network)
    },
    async removeNetwork(id) {
      uuid('network', id)
      removeNetwork(id)
    },
    async applyRouter(router) {
      checkRouter(router)
      routers.set(router.id, router)
    },
    async removeRouter(id) {
      uuid('router', id)
      routers.delete(id)
    },
    async plug(networkId, port) {
      checkPort(port)
      const network = networks.get(networkId)
      if (!network) throw new InvalidPlan(`network ${networkId} was not applied`)
      taps.set(port.tap, networkId)
      return { bridge: names.bridge(networkId), tap: port.tap, mtu: network.mtu }
    },
    async unplug({ tap }) {
      taps.delete(tap)
    },
    async inventory() {
      const served = [...networks.values()].filter((network) => network.subnets.some((subnet) => subnet.dhcpServerIp !== null))
      return {
        bridges: [...[...networks.keys()].map(names.bridge), ...(externalId ? [names.external(externalId)] : [])],
        namespaces: [...served.map((network) => names.networkSpace(network.id)), ...[...routers.keys()].map(names.routerSpace)],
        legs: served.map((network) => names.dhcpLeg(network.id)),
        taps: [...taps.keys()],
        processes: [],
        tables: networks.size > 0 || externalId ? [`bridge ${names.table}`, `inet ${names.table}`] : [],
        leases: [],
      }
    },
    onMetadataConnection() {},
    async capabilities() {
      return { ok: true, mode: 'fake', problems: [] }
    },
    async close() {},
  }
}
