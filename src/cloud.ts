/**
 * The one place where rooms meet: plain constructor calls from left to right, closed from right to left.
 */
import { chmodSync } from 'node:fs'
import { hostname } from 'node:os'
import { join } from 'node:path'
import { type Clock, systemClock } from './base/clock.ts'
import type { Config } from './base/config/index.ts'
import { Database } from './base/db/index.ts'
import { messageOf } from './base/errors.ts'
import type { Ground } from './base/ground.ts'
import { HttpServer, mount, PolicyEngine, PolicyFiles, policyConfig } from './base/http/index.ts'
import type { Log } from './base/log.ts'
import { makeMetrics } from './base/metrics.ts'
import { InProcessQueue } from './base/queue/index.ts'
import { SagaRunner, sagaConfig } from './base/saga/index.ts'
import { classicListeners, classicMetadataPort, listenClassic, withHealth } from './classic-ports.ts'
import { classicConfig, debugConfig, processConfig } from './config.ts'
import { type Credentials, credentialsOf } from './credentials.ts'
import { chooseDrivers, type DriverKind } from './drivers.ts'
import { makeHealth } from './health.ts'
import { makeIdentity, type Passwords } from './identity/index.ts'
import { makeImages } from './image/index.ts'
import { makeNetworks } from './network/index.ts'
import { makeComputeApi, noVolumeService } from './nova/api/index.ts'
import { ComputeManager, computeConfig } from './nova/compute/index.ts'
import { Conductor, LiveTurns } from './nova/conductor/index.ts'
import { makeConsoles } from './nova/console/index.ts'
import { makeMetadata } from './nova/metadata/index.ts'
import { makeModel, novaConfig } from './nova/model/index.ts'
import { makeScheduler } from './nova/scheduler/index.ts'
import type { ComputeDriver } from './nova/virt/index.ts'
import { makePlacement } from './placement/index.ts'
import { seedCloud } from './seed.ts'

const dayMs = 86_400_000

export type CloudOptions = {
  config: Config
  /** The files that it was read from. */
  configFiles?: readonly string[]
  log: Log
  /** Absolute. */
  dataDir: string
  clock?: Clock
  /** Fill an empty cloud with what a newcomer needs. */
  seed: boolean
  /** With which the passwords of its users may be in work already. */
  passwords?: Passwords
  /** Starts this program anew, for the helper that opens a port inside a network's namespace. */
  childCommand: string[]
  /** The native SQLite addon, where it does not lie in node_modules. */
  nativeBinding?: string
  /** What the user may read of a long first start. */
  say?: (line: string) => void
}

export class Cloud implements AsyncDisposable {
  readonly driverKind: DriverKind
  readonly credentials: Credentials
  readonly server: HttpServer
  readonly ground: Ground
  /** For tests and `doctor`: what the hosts keep. */
  readonly drivers: readonly ComputeDriver[]
  /** Resolves when seeded and reconciled: what `/readyz` says. */
  readonly ready: Promise<void>
  readonly #listenElsewhere: (host: string) => Promise<void>
  readonly #close: () => Promise<void>

  constructor(
    parts: Pick<Cloud, 'driverKind' | 'credentials' | 'server' | 'ground' | 'drivers' | 'ready'>,
    listenElsewhere: (host: string) => Promise<void>,
    close: () => Promise<void>,
  ) {
    this.driverKind = parts.driverKind
    this.credentials = parts.credentials
    this.server = parts.server
    this.ground = parts.ground
    this.drivers = parts.drivers
    this.ready = parts.ready
    this.#listenElsewhere = listenElsewhere
    this.#close = close
  }

  /** Listens; port 0 picks a free one. @throws {CloudError} when an address cannot be had. */
  async listen(): Promise<{ host: string; port: number }> {
    const { host, port } = this.ground.config.get(processConfig)
    const bound = await this.server.listen({ host, port })
    await this.#listenElsewhere(host)
    return bound
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#close()
  }
}

/** @throws {CloudError} when another process has the data directory, or a chosen driver cannot work on this host. */
export async function startCloud(options: CloudOptions): Promise<Cloud> {
  const { config, log, dataDir, clock = systemClock() } = options
  const process_ = config.get(processConfig)
  const { crashAt, strict } = config.get(debugConfig)
  const credentials = credentialsOf(dataDir, config)
  chmodSync(dataDir, 0o700)
  const closers: (() => PromiseLike<void> | void)[] = []
  const close = async () => {
    for (const step of closers.splice(0).reverse())
      await Promise.resolve(step()).then(undefined, (error: unknown) => log.error({ err: error }, `while stopping: ${messageOf(error)}`))
  }

  try {
    const choice = await chooseDrivers({ config, log, clock, dataDir, credentials, childCommand: options.childCommand })
    const synchronous = choice.kind === 'fake' ? 'NORMAL' : 'FULL'
    const db = new Database({
      file: join(dataDir, 'minicloud.db'),
      synchronous,
      ...(options.nativeBinding === undefined ? {} : { nativeBinding: options.nativeBinding }),
    })
    closers.push(() => db[Symbol.dispose]())
    const metrics = makeMetrics()
    const queue = new InProcessQueue({ log })
    const keepMs = config.get(sagaConfig).keepDays * dayMs
    const sagas = new SagaRunner({ db, clock, log, metrics, keepMs, ...(crashAt === '' ? {} : { afterLog: crashAfter(crashAt) }) })
    const ground: Ground = { db, clock, config, log, queue, sagas, metrics, dataDir }
    const host = config.get(computeConfig).host || hostname()

    const { classicPorts } = config.get(classicConfig)
    const identity = makeIdentity(ground, { yieldsCatalog: classicPorts, passwords: options.passwords })
    const placement = makePlacement(ground)
    const images = makeImages(ground)
    closers.push(() => images[Symbol.asyncDispose]())
    const networks = makeNetworks({ ...ground, driver: choice.network, host })
    closers.push(
      () => choice.network.close(),
      () => networks[Symbol.asyncDispose](),
    )

    const model = makeModel(ground)
    const drivers = choice.makeComputeDrivers()
    const scheduler = makeScheduler(ground, model, placement)
    const metadata = makeMetadata({ ...ground, model, networks })
    closers.push(() => metadata[Symbol.asyncDispose]())
    const conductor = new Conductor({
      ...ground,
      model,
      scheduler,
      placement,
      networks,
      images,
      configDriveFiles: metadata.configDriveFiles,
      adminPasswords: new Map(),
      liveTurns: new LiveTurns(),
      host,
    })
    closers.push(() => conductor[Symbol.asyncDispose]())
    const { reportInterval, maxConcurrentBuilds } = config.get(novaConfig)
    const managers = drivers.map(
      (driver) =>
        new ComputeManager({ driver, images, networks, queue, clock, log, reportIntervalMs: reportInterval * 1000, maxConcurrentBuilds }),
    )
    for (const manager of managers) closers.push(() => manager[Symbol.asyncDispose]())
    const consoles = makeConsoles({ ...ground, model, conductor })
    const compute = makeComputeApi({
      ...ground,
      model,
      conductor,
      images,
      networks,
      placement,
      identity,
      consoles,
      volumes: noVolumeService,
    })
    const health = makeHealth(metrics)
    closers.push(() => sagas.stop())

    const { enforceScope, enforceNewDefaults, policyDefaultRule } = config.get(policyConfig)
    const policy = new PolicyEngine({ enforceScope, enforceNewDefaults, defaultRule: policyDefaultRule })
    const mounts = [
      mount('/identity/v3', identity.v3),
      mount('/identity', identity.root),
      mount('/compute/v2.1', compute.v21),
      mount('/compute/v2', compute.v20),
      mount('/compute', compute.root),
      mount('/image/v2', images.v2),
      mount('/image', images.root),
      mount('/network/v2.0', networks.v2),
      mount('/network', networks.root),
      mount('/placement', placement.root),
      mount('/console', consoles.service),
    ]
    const shared = { authenticate: identity.authenticate, policy, log, metrics, trustForwarded: process_.trustForwarded, strict }
    const classic = classicPorts ? classicListeners({ identity, images, placement, networks, compute, consoles }) : []
    const own = classic.find(({ port }) => port === process_.port)
    const ownMounts = own?.mounts.map(({ prefix, service }) => mount(prefix, prefix === '' ? withHealth(service, health) : service))
    const server = new HttpServer({
      mounts: [...mounts, ...(ownMounts ?? [mount('', health.service)])],
      upgrades: { ...consoles.upgrades, ...own?.upgrades },
      ...shared,
    })
    const classicServers = classic
      .filter((listener) => listener !== own)
      .map((listener) => ({
        listener,
        server: new HttpServer({
          mounts: [...mounts, ...listener.mounts],
          upgrades: { ...consoles.upgrades, ...listener.upgrades },
          ...shared,
        }),
      }))
    closers.push(
      () => Promise.all([server, ...classicServers.map((each) => each.server)].map((each) => each.close())).then(() => undefined),
      // First of all, since a listener is closed only when nobody is on a console any more.
      () => consoles[Symbol.asyncDispose](),
    )

    const policyFiles = new PolicyFiles(policy, { config, configFiles: options.configFiles, dataDir })
    await policyFiles.load()
    for (const warning of policyFiles.warnings) log.warn(warning)
    policyFiles.watch({ clock, log })
    closers.push(() => policyFiles[Symbol.dispose]())

    const ready = (async () => {
      networks.onMetadataConnection((socket, origin) => metadata.serveGuest(socket, origin))
      conductor.watch.start()
      if (options.seed)
        await seedCloud({
          ground,
          identity,
          networks,
          images,
          model,
          credentials,
          driverKind: choice.kind,
          followsGuide: classicPorts,
          say: options.say ?? (() => undefined),
        })
      await networks.start()
      for (const manager of managers) await manager.start()
      const metadataPort = process_.metadataPort < 0 && classicPorts ? classicMetadataPort : process_.metadataPort
      if (metadataPort >= 0) await metadata.listen({ host: process_.host, port: metadataPort })
      await conductor.watch.recover()
      health.isReady = true
    })()
    const parts = { driverKind: choice.kind, credentials, server, ground, drivers, ready }
    return new Cloud(parts, (host) => listenClassic(classicServers, host), close)
  } catch (error) {
    await close()
    throw error
  }
}

/** Ends the process as a power cut would, right after the named log row is durable. */
function crashAfter(crashAt: string) {
  return ({ saga, step, event }: { saga: string; step: string; event: string }): void => {
    if (`${saga}:${step}:${event}` === crashAt) process.kill(process.pid, 'SIGKILL')
  }
}
