/**
 * Keeps the host as the database says. Networks come to the host when a guest needs them, and their routers with them; changes are nudged, gathered for a
 * moment and applied off the request's path; from time to time the whole host is compared.
 *
 * All calls to the driver go through one lane, in order, so that what we believe to be on the host is what is there.
 */
import type { Clock, Timer } from '../base/clock.ts'
import { CloudError, conflict, unavailable } from '../base/errors.ts'
import type { Log } from '../base/log.ts'
import type { NetworkDriver, NetworkPlan, RouterPlan } from './drivers/driver.ts'
import { portNotFound } from './errors.ts'
import { externalPlan, networkPlans, networksInUse, portPlan, routerPlans, tapOf, withRouters } from './plans.ts'
import { bind } from './ports.ts'
import { networksOfGroup } from './security-groups.ts'
import { type Refused, soundNetworks, soundRouters } from './sound.ts'
import { rowOf, type Store } from './store.ts'

export type PluggedPort = { bridge: string; tap: string; mtu: number; mac: string }
export type ReconcilerDeps = {
  store: Store
  driver: NetworkDriver
  clock: Clock
  log: Log
  host: string
  dnsDomain: string
  intervalMs: number
}

const shortestDelayMs = 25
const retryDelayMs = 5000

const nothing = () => ({
  networks: new Set<string>(),
  groups: new Set<string>(),
  routers: new Set<string>(),
  goneNetworks: new Set<string>(),
  goneRouters: new Set<string>(),
})

export class Reconciler implements AsyncDisposable {
  readonly #deps: ReconcilerDeps
  /** Networks and routers that are on the host. */
  readonly #networks = new Set<string>()
  readonly #routers = new Set<string>()
  #dirty = nothing()
  #lane: Promise<unknown> = Promise.resolve()
  #flushTimer: Timer | null = null
  #convergeTimer: Timer | null = null
  #started = false
  #closed = false
  #lastTookMs = 0

  constructor(deps: ReconcilerDeps) {
    this.#deps = deps
  }

  /** Brings the host in line, then keeps it so. @throws when the host refuses. */
  async start(): Promise<void> {
    this.#started = true
    await this.converge()
  }

  /** Compares the whole host with the database. @throws when the host refuses; tried again later by itself. */
  converge(): Promise<void> {
    return this.#run(async () => {
      const { store, driver } = this.#deps
      const kept = [...this.#networks].filter((id) => rowOf(store, 'networks', id) !== undefined)
      const { networks, routers } = withRouters(store, [...new Set([...networksInUse(store), ...kept])])
      const plans = this.#networkPlans(networks)
      const ways = this.#routerPlans(routers)
      this.#dirty = nothing()
      // Known before they are there, so that a change that comes meanwhile is applied afterwards.
      refill(
        this.#networks,
        plans.map(({ id }) => id),
      )
      refill(
        this.#routers,
        ways.map(({ id }) => id),
      )
      try {
        await driver.converge({ networks: plans, routers: ways, external: externalPlan(store) })
      } catch (error) {
        refill(this.#networks, [])
        refill(this.#routers, [])
        this.#arm(retryDelayMs)
        throw error
      }
      this.#arm(this.#deps.intervalMs)
    })
  }

  touchNetwork(id: string): void {
    if (this.#networks.has(id)) {
      this.#dirty.networks.add(id)
      this.#nudge()
    } else if (this.#started && rowOf(this.#deps.store, 'networks', id)?.external) this.#arm(shortestDelayMs)
  }

  touchGroup(id: string): void {
    if (this.#networks.size === 0) return
    this.#dirty.groups.add(id)
    this.#nudge()
  }

  touchRouter(id: string): void {
    this.#dirty.routers.add(id)
    this.#nudge()
  }

  networkGone(id: string): void {
    if (!this.#networks.has(id)) return
    this.#dirty.goneNetworks.add(id)
    this.#nudge()
  }

  routerGone(id: string): void {
    if (!this.#routers.has(id)) return
    this.#dirty.goneRouters.add(id)
    this.#nudge()
  }

  /**
   * Makes the port's rules, lease and name good on the host, its network first if need be.
   * @throws {CloudError} `not-found`; `conflict` on an external network; `unavailable` when the host refuses.
   */
  plug(portId: string): Promise<PluggedPort> {
    const { store, driver, host } = this.#deps
    return this.#run(async () => {
      const port = rowOf(store, 'ports', portId)
      if (!port) throw portNotFound(portId)
      if (rowOf(store, 'networks', port.network_id)?.external)
        throw conflict(`Port ${portId} is on an external network, which guests cannot be plugged into.`, { type: 'PortBindingFailed' })
      if (port.mark === null) bind(store, portId, port.host_id || host)
      if (!this.#networks.has(port.network_id)) await this.#bring(port.network_id)
      const plan = portPlan(store, portId)
      if (!plan) throw portNotFound(portId)
      const plugged = await driver.plug(port.network_id, plan)
      store.db.transaction(() => {
        const now = rowOf(store, 'ports', portId)
        if (!now) throw portNotFound(portId)
        store.db.prepare("UPDATE ports SET status = 'ACTIVE', bridge = ? WHERE id = ?").run(plugged.bridge, portId)
        if (now.status !== 'ACTIVE') store.portStatus('up', now)
      })
      return { ...plugged, mac: port.mac_address }
    }).catch((error: unknown) => this.#explain(error, `Port ${portId} cannot be plugged on this host.`))
  }

  /** Takes the guest's device away; a port that is gone is no fault. */
  unplug(portId: string): Promise<void> {
    const { store, driver } = this.#deps
    return this.#run(async () => {
      await driver.unplug({ id: portId, tap: tapOf(portId) })
      store.db.transaction(() => {
        const port = rowOf(store, 'ports', portId)
        if (port?.status !== 'ACTIVE') return
        store.db.prepare("UPDATE ports SET status = 'DOWN' WHERE id = ?").run(portId)
        store.portStatus('down', port)
      })
    }).catch((error: unknown) => this.#explain(error, `Port ${portId} cannot be unplugged on this host.`))
  }

  /** Applies what waits, and resolves when the host has it. */
  async settled(): Promise<void> {
    this.#flushTimer?.cancel()
    this.#flushTimer = null
    await this.#flush()
  }

  /** What waits is applied first: nobody follows the database any more afterwards, and rules of ports that are gone are to go. */
  async [Symbol.asyncDispose](): Promise<void> {
    const isWaiting = this.#flushTimer !== null
    this.#closed = true
    this.#convergeTimer?.cancel()
    if (isWaiting)
      await this.settled().catch((error: unknown) => {
        this.#deps.log.error({ err: error }, 'the host does not follow the network database; it is compared again at the next start')
      })
    await this.#lane.catch(() => undefined)
  }

  /** One call after the other; one that fails does not stop the next. */
  #run<T>(work: () => Promise<T>): Promise<T> {
    const run = this.#lane.then(work, work)
    this.#lane = run.catch(() => undefined)
    return run
  }

  #explain(error: unknown, message: string): never {
    if (error instanceof CloudError) throw error
    this.#arm(retryDelayMs)
    throw unavailable(message, { type: 'PortBindingFailed', cause: error })
  }

  readonly #refused: Refused = (part, error) => this.#deps.log.error({ ...part, err: error }, 'left out of the host: its plan is not sound')

  #networkPlans(ids: readonly string[]): NetworkPlan[] {
    const { store, dnsDomain } = this.#deps
    return soundNetworks(networkPlans(store, ids, dnsDomain).values(), this.#refused)
  }

  #routerPlans(ids: readonly string[]): RouterPlan[] {
    return soundRouters(routerPlans(this.#deps.store, ids), this.#refused)
  }

  async #bring(networkId: string): Promise<void> {
    const { store, driver } = this.#deps
    const { networks, routers } = withRouters(store, [networkId])
    const missing = networks.filter((id) => !this.#networks.has(id))
    for (const plan of this.#networkPlans(missing)) {
      this.#networks.add(plan.id)
      try {
        await driver.applyNetwork(plan)
      } catch (error) {
        this.#networks.delete(plan.id)
        throw error
      }
    }
    for (const plan of this.#routerPlans(routers)) {
      await driver.applyRouter(plan)
      this.#routers.add(plan.id)
    }
  }

  #nudge(): void {
    if (!this.#started || this.#closed || this.#flushTimer) return
    this.#flushTimer = this.#deps.clock.after(Math.max(shortestDelayMs, 10 * this.#lastTookMs), () => {
      this.#flushTimer = null
      this.#flush().catch((error: unknown) => {
        this.#deps.log.error({ err: error }, 'the host does not follow the network database; it is compared again soon')
        this.#arm(retryDelayMs)
      })
    })
  }

  #flush(): Promise<void> {
    return this.#run(async () => {
      const { store, driver } = this.#deps
      const startedAt = performance.now()
      const dirty = this.#dirty
      this.#dirty = nothing()
      for (const group of dirty.groups) for (const id of networksOfGroup(store, group)) dirty.networks.add(id)
      for (const id of dirty.goneRouters) {
        await driver.removeRouter(id)
        this.#routers.delete(id)
      }
      for (const id of dirty.goneNetworks) {
        await driver.removeNetwork(id)
        this.#networks.delete(id)
      }
      const here = [...dirty.networks].filter((id) => this.#networks.has(id))
      for (const plan of this.#networkPlans(here)) await driver.applyNetwork(plan)
      if (dirty.routers.size > 0) await this.#applyRouters(dirty.routers)
      this.#lastTookMs = performance.now() - startedAt
    })
  }

  /** Routers follow their networks: one of whose networks is here comes, one that joins none of them goes. */
  async #applyRouters(ids: ReadonlySet<string>): Promise<void> {
    const { store, driver } = this.#deps
    const wanted = new Set(withRouters(store, [...this.#networks]).routers)
    const plans = new Map(this.#routerPlans([...ids].filter((id) => wanted.has(id))).map((plan) => [plan.id, plan]))
    for (const id of ids) {
      const plan = plans.get(id)
      if (plan) {
        for (const { networkId } of plan.interfaces) if (!this.#networks.has(networkId)) await this.#bring(networkId)
        await driver.applyRouter(plan)
        this.#routers.add(id)
      } else if (this.#routers.delete(id)) await driver.removeRouter(id)
    }
  }

  #arm(delayMs: number): void {
    if (this.#closed) return
    this.#convergeTimer?.cancel()
    this.#convergeTimer = this.#deps.clock.after(delayMs, () => {
      this.converge().catch((error: unknown) =>
        this.#deps.log.error({ err: error }, 'the host cannot be brought in line with the network database'),
      )
    })
  }
}

function refill(set: Set<string>, ids: readonly string[]): void {
  set.clear()
  for (const id of ids) set.add(id)
}
