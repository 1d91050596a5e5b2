/**
 * The driver for a Linux host: bridges, namespaces, nftables and dnsmasq, of the kernel's and Debian's own making; no daemon of ours.
 *
 * It keeps the last plan of each network and router, to change only what differs: on the hot path (a port comes or goes) that is one run of `nft` and one
 * signal. What it cannot know after a restart, or after somebody else's hand, `converge` finds by looking.
 */
import { readdir, rm } from 'node:fs/promises'
import type { DriverDeps, ExternalPlan, HostPlan, Inventory, NetworkDriver, NetworkPlan, Plugged, PortPlan, RouterPlan } from '../driver.ts'
import { CommandFailed, InvalidPlan } from '../errors.ts'
import { makeNames } from '../names.ts'
import { checkHostPlan, checkNetwork, checkPort, checkRouter, uuid } from '../validate.ts'
import { capabilities } from './capabilities.ts'
import { ensureDnsmasq, listDnsmasq, removeDnsmasq, stop } from './dnsmasq.ts'
import { servedSubnets } from './dnsmasq-files.ts'
import { cutFlows, lostFlows } from './flows.ts'
import {
  ensureBridgeFilter,
  type Host,
  hostResolvers,
  isInitialUserNamespace,
  type Link,
  listLinks,
  listSpaces,
  listTables,
} from './host.ts'
import { makeListeners } from './listeners.ts'
import { convergeNamespace } from './namespace.ts'
import { ensureExternal, ensureNetworkDevices, removalLines, sameDevices } from './networks.ts'
import { passOtherFirewall } from './other-firewall.ts'
import { ensureRouter } from './routers.ts'
import { inside, ipBatch, ipSweep, run } from './run.ts'
import { changeTables, dropTables, externalRules, networkRules, noRules, type Ruleset, replaceTables } from './tables.ts'

/** `isComplete`: its devices and servers were all made. */
type Known = { plan: NetworkPlan; rules: Ruleset; isComplete: boolean }

/** @throws {RangeError} for a malformed prefix. */
export async function makeLinuxDriver(deps: DriverDeps): Promise<NetworkDriver> {
  const host: Host = {
    prefix: deps.cloudPrefix,
    names: makeNames(deps.cloudPrefix),
    space: deps.hostNamespace,
    stateDir: deps.stateDir ?? `/run/minicloud/${deps.cloudPrefix}`,
    resolvers: deps.resolvers ?? (await hostResolvers()),
    rootless: !(await isInitialUserNamespace()),
    log: deps.log,
  }
  const { names } = host
  const networks = new Map<string, Known>()
  const routers = new Map<string, RouterPlan>()
  let external: ExternalPlan | null = null
  let isConverged = false
  const listeners = makeListeners(deps.childCommand, deps.log)
  const inTurn = makeLane()

  const nft = async (text: string) => {
    if (text !== '') await run(inside(host.space, ['nft', '-f', '-']), { stdin: text, deadlineMs: 60_000 })
  }
  const allRules = () => [...[...networks.values()].map((known) => known.rules), externalRules(names, external?.masquerade === true)]

  /** What is there may differ from what we remember: then all is laid down anew, once we know all. */
  async function changeRules(networkId: string, before: Known | undefined, after: Known | null): Promise<void> {
    if (after) networks.set(networkId, after)
    else networks.delete(networkId)
    try {
      await nft(changeTables(names, before?.rules ?? noRules(), after?.rules ?? noRules()))
    } catch (error) {
      if (!isConverged) throw error
      deps.log.warn(`rules are laid down anew: ${(error as Error).message}`)
      await nft(replaceTables(names, allRules()))
    }
  }

  async function unserve(networkId: string): Promise<void> {
    listeners.close(networkId)
    await removeDnsmasq(networkId, host.stateDir)
  }

  async function serve(network: NetworkPlan): Promise<void> {
    if (servedSubnets(network).length === 0) return
    const space = names.networkSpace(network.id)
    const server = { space, stateDir: host.stateDir, resolvers: host.resolvers, asRoot: host.rootless }
    await Promise.all([ensureDnsmasq(network, server), listeners.ensure(network.id, space)])
  }

  /** Rules come first: a guest must not be heard before its rules hold. */
  async function apply(network: NetworkPlan): Promise<void> {
    const before = networks.get(network.id)
    const known = { plan: network, rules: networkRules(names, host.prefix, network), isComplete: false }
    await changeRules(network.id, before, known)
    const devicesStay = before?.isComplete === true && sameDevices(before.plan, network)
    if (servedSubnets(network).length === 0) await unserve(network.id)
    if (!devicesStay) await ensureNetworkDevices(host, await listLinks(host.space), network)
    await serve(network)
    known.isComplete = true
    if (before) await cutFlows(host, network, lostFlows(before, known))
    if (!devicesStay)
      await applyRouters([...routers.values()].filter((router) => router.interfaces.some((leg) => leg.networkId === network.id)))
  }

  async function applyRouters(plans: RouterPlan[]): Promise<void> {
    if (plans.length === 0) return
    const links = await listLinks(host.space)
    const around = { networks: new Map([...networks].map(([id, known]) => [id, known.plan])), externalMtu: external?.mtu ?? 1500 }
    for (const plan of plans) await ensureRouter(host, links, plan, around)
  }

  async function converge(plan: HostPlan): Promise<void> {
    await ensureBridgeFilter(host)
    networks.clear()
    routers.clear()
    external = plan.external
    for (const network of plan.networks)
      networks.set(network.id, { plan: network, rules: networkRules(names, host.prefix, network), isComplete: false })
    for (const router of plan.routers) routers.set(router.id, router)

    const isEmpty = networks.size === 0 && external === null
    await nft(isEmpty ? dropTables(names) : replaceTables(names, allRules()))
    await passOtherFirewall(host, !isEmpty)
    await removeUnplanned(plan)
    const links = await listLinks(host.space)
    const failures: unknown[] = []
    const attempt = async (what: string, work: () => Promise<void>) => {
      await work().catch((error: Error) => {
        deps.log.error(`${what}: ${error.message}`)
        failures.push(error)
      })
    }
    if (plan.external) await attempt('external network', () => ensureExternal(host, links, plan.external as ExternalPlan))
    for (const network of plan.networks) await attempt(`network ${network.id}`, () => ensureNetworkDevices(host, links, network))
    for (const group of groupsOf(4, plan.networks))
      await Promise.all(group.map((network) => attempt(`network ${network.id}`, () => serve(network))))
    for (const router of plan.routers) await attempt(`router ${router.id}`, () => applyRouters([router]))
    isConverged = true
    if (failures.length > 0) throw failures[0]
    for (const known of networks.values()) known.isComplete = true
  }

  /** What carries the cloud's prefix and is in no plan: processes first, since they keep namespaces alive. */
  async function removeUnplanned(plan: HostPlan): Promise<void> {
    const served = new Set(plan.networks.filter((network) => servedSubnets(network).length > 0).map((network) => network.id))
    listeners.closeOthers(served)
    const keep = new Set([...served, ...plan.routers.map((router) => router.id)])
    for (const found of await listDnsmasq(host.stateDir)) if (!keep.has(found.owner)) await stop(found.pid)
    for (const folder of await readdir(host.stateDir).catch(() => [] as string[])) {
      if (!keep.has(folder)) await rm(`${host.stateDir}/${folder}`, { recursive: true, force: true })
    }

    const spaces = new Set([...[...served].map(names.networkSpace), ...plan.routers.map((router) => names.routerSpace(router.id))])
    const bridges = new Set(plan.networks.map((network) => names.bridge(network.id)))
    const legs = new Set([...served].map(names.dhcpLeg))
    if (plan.external) bridges.add(names.external(plan.external.networkId))
    for (const router of plan.routers) {
      for (const { networkId } of router.interfaces) legs.add(names.routerLeg(router.id, networkId))
      if (router.gateway) legs.add(names.gatewayLeg(router.id))
    }
    const taps = new Set(plan.networks.flatMap((network) => network.ports.map((port) => port.tap)))
    const isUnplanned = ({ name, master }: Link) =>
      (names.isBridge(name) && !bridges.has(name)) ||
      (names.isLeg(name) && !legs.has(name)) ||
      (master !== null && names.isBridge(master) && !names.isLeg(name) && !taps.has(name))

    const unplanned = async () => [...(await listLinks(host.space)).values()].filter(isUnplanned).map(({ name }) => name)
    const lost = (await listSpaces(names)).filter((space) => !spaces.has(space))
    await ipSweep(host.space, [...(await unplanned()).map((name) => `link del ${name}`), ...lost.map((space) => `netns del ${space}`)])
    const left = await unplanned()
    if (left.length > 0) throw new CommandFailed('ip link del', null, `${left.join(', ')} cannot be removed`)
  }

  return {
    kind: 'linux',
    async converge(plan) {
      checkHostPlan(plan)
      return inTurn(() => converge(plan))
    },
    async applyNetwork(network) {
      checkNetwork(network)
      return inTurn(() => apply(network))
    },
    async removeNetwork(id) {
      uuid('network', id)
      return inTurn(async () => {
        const before = networks.get(id)
        await unserve(id)
        await ipBatch(host.space, removalLines(host, await listLinks(host.space), id))
        await changeRules(id, before, null)
        if (networks.size > 0 || external !== null) return
        await nft(dropTables(names))
        await passOtherFirewall(host, false)
        if (before) await cutFlows(host, before.plan, lostFlows(before, null))
      })
    },
    async applyRouter(router) {
      checkRouter(router)
      return inTurn(async () => {
        routers.set(router.id, router)
        await applyRouters([router])
      })
    },
    async removeRouter(id) {
      uuid('router', id)
      return inTurn(async () => {
        routers.delete(id)
        const space = names.routerSpace(id)
        await removeDnsmasq(id, host.stateDir)
        if (!(await listSpaces(names)).includes(space)) return
        // The kernel clears an abandoned namespace when it pleases; its devices, and their other ends in bridges, should be gone now.
        await convergeNamespace(space, { devices: new Map(), routes: [], rules: [] })
        await run(['ip', 'netns', 'del', space])
      })
    },
    async plug(networkId, port) {
      checkPort(port)
      return inTurn(() => plug(networkId, port))
    },
    unplug({ tap }) {
      return inTurn(async () => {
        if ((await listLinks(host.space)).has(tap)) await ipBatch(host.space, [`link del ${tap}`])
      })
    },
    inventory: () => inTurn(inventory),
    onMetadataConnection: listeners.listen,
    capabilities: () => capabilities(host),
    close: () => inTurn(async () => listeners.closeOthers(new Set())),
  }

  /** @throws {InvalidPlan} for a network that was not applied. */
  async function plug(networkId: string, port: PortPlan): Promise<Plugged> {
    const plan = networks.get(networkId)?.plan
    if (!plan) throw new InvalidPlan(`network ${networkId} was not applied`)
    const planned = plan.ports.find((one) => one.id === port.id)
    if (JSON.stringify(planned) !== JSON.stringify(port)) {
      await apply({ ...plan, ports: [...plan.ports.filter((one) => one.id !== port.id), port] })
    }
    return { bridge: names.bridge(networkId), tap: port.tap, mtu: plan.mtu }
  }

  async function inventory(): Promise<Inventory> {
    const links = [...(await listLinks(host.space)).values()]
    return {
      bridges: links.filter((link) => names.isBridge(link.name)).map((link) => link.name),
      namespaces: await listSpaces(names),
      legs: links.filter((link) => names.isLeg(link.name)).map((link) => link.name),
      taps: links.filter((link) => link.master !== null && names.isBridge(link.master) && !names.isLeg(link.name)).map((link) => link.name),
      processes: (await listDnsmasq(host.stateDir)).map((found) => found.pid),
      tables: await listTables(host),
      leases: (await readdir(host.stateDir).catch(() => [] as string[])).map((folder) => `${host.stateDir}/${folder}`),
    }
  }
}

/** One piece of work at a time, in the order given; a failed one does not hold up the next. */
function makeLane() {
  let last: Promise<unknown> = Promise.resolve()
  return <T>(work: () => Promise<T>): Promise<T> => {
    const mine = last.then(work, work)
    last = mine.catch(() => {})
    return mine
  }
}

function groupsOf<T>(size: number, all: readonly T[]): T[][] {
  return Array.from({ length: Math.ceil(all.length / size) }, (_, i) => all.slice(i * size, (i + 1) * size))
}
