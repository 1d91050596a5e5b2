/** The compute service with real neighbours, on pretended hosts and networks: what conductor tests stand on. */

import { rmSync } from 'node:fs'
import { join } from 'node:path'
import type { Clock } from '../../src/base/clock.ts'
import { systemClock } from '../../src/base/clock.ts'
import type { Section } from '../../src/base/config/index.ts'
import { silentLog } from '../../src/base/log.ts'
import { type Images, imageCacheConfig, imageConfig, imageDiskConfig, makeImages } from '../../src/image/index.ts'
import { makeFakeDriver as makeFakeNetwork } from '../../src/network/drivers/index.ts'
import { makeNetworks, networkConfig, networkQuotaConfig } from '../../src/network/index.ts'
import { ComputeManager, computeConfig } from '../../src/nova/compute/index.ts'
import {
  type BuildRequest,
  type Caller,
  Conductor,
  type ConductorDeps,
  conductorConfig,
  LiveTurns,
} from '../../src/nova/conductor/index.ts'
import { apiConfig, type Instance, makeModel, novaConfig, quotaConfig } from '../../src/nova/model/index.ts'
import { filterSchedulerConfig, makeScheduler, metricsConfig, schedulerConfig } from '../../src/nova/scheduler/index.ts'
import { type FakeDriver, fakeConfig, makeFakeDriver } from '../../src/nova/virt/index.ts'
import { makePlacement } from '../../src/placement/index.ts'
import { testGround } from './ground.ts'

const computeSections: Section[] = [
  novaConfig,
  quotaConfig,
  apiConfig,
  computeConfig,
  conductorConfig,
  schedulerConfig,
  filterSchedulerConfig,
  metricsConfig,
  fakeConfig,
  networkConfig,
  networkQuotaConfig,
  imageConfig,
  imageCacheConfig,
  imageDiskConfig,
]

export const projectId = '0b0b0b0b0b0b4b0b8b0b0b0b0b0b0b0b'
export const caller: Caller = { requestId: 'req-11111111-1111-4111-8111-111111111111', userId: 'user-demo', projectId, isAdmin: false }

/** The record of an evacuation that begins, as the API writes it; its id. */
export function beginEvacuation({ migrations }: ConductorDeps['model'], instance: Instance): number {
  return migrations.begin({
    instance,
    type: 'evacuation',
    newFlavor: instance.flavor,
    destination: null,
    by: caller,
    status: 'accepted',
  })
}

export type TestCompute = {
  deps: ConductorDeps
  conductor: Conductor
  images: Images
  drivers: readonly FakeDriver[]
  networkDriver: ReturnType<typeof makeFakeNetwork>
  networkId: string
  /** What a build of one server asks for. */
  wish(over?: Partial<BuildRequest['server']>): BuildRequest
  /** Builds one server and waits for its end. */
  build(over?: Partial<BuildRequest['server']>): Promise<Instance>
  settle(): Promise<void>
  /** Everything that exists for no live server: guests, allocations, ports. */
  leaks(): Promise<string[]>
  [Symbol.asyncDispose](): Promise<void>
}

export type TestComputeOptions = { hosts?: number; flags?: Record<string, string>; clock?: Clock }

export async function testCompute({ hosts = 1, flags = {}, clock = systemClock() }: TestComputeOptions = {}): Promise<TestCompute> {
  const ground = testGround({ sections: computeSections, flags, clock })
  const placement = makePlacement(ground)
  const images = makeImages(ground)
  const networkDriver = makeFakeNetwork({ cloudPrefix: 'test' })
  const networks = makeNetworks({ ...ground, driver: networkDriver, host: 'host1' })
  networks.bootstrap({ adminProjectId: '0a0a0a0a0a0a4a0a8a0a0a0a0a0a0a0a', demoProjectId: projectId })
  const model = makeModel(ground)
  const deps: ConductorDeps = {
    ...ground,
    model,
    placement,
    networks,
    images,
    scheduler: makeScheduler(ground, model, placement),
    configDriveFiles: async () => [],
    adminPasswords: new Map(),
    liveTurns: new LiveTurns(),
    host: 'host1',
  }
  const conductor = new Conductor(deps)
  conductor.watch.start()
  const config = ground.config.get(fakeConfig)
  const drivers = Array.from({ length: hosts }, (_, index) =>
    makeFakeDriver({
      host: `host${index + 1}`,
      index,
      stateDir: join(ground.dataDir, 'fake', String(index)),
      clock,
      log: silentLog(),
      config,
    }),
  )
  const managers = drivers.map(
    (driver) =>
      new ComputeManager({
        driver,
        images,
        networks,
        queue: ground.queue,
        clock,
        log: silentLog(),
        reportIntervalMs: 10_000,
        maxConcurrentBuilds: 10,
      }),
  )
  await networks.start()
  for (const manager of managers) await manager.start()
  const networkId = networks.usableNetworks(projectId, false)[0]?.id ?? ''
  const flavor = model.flavors.create({
    flavorId: '42',
    name: 'm1.nano',
    vcpus: 1,
    memoryMib: 192,
    rootGib: 1,
    ephemeralGib: 0,
    swapMib: 0,
    rxtxFactor: 1,
    isPublic: true,
    description: null,
    extraSpecs: {},
  })

  const wish: TestCompute['wish'] = (over = {}) => ({
    count: 1,
    minCount: 1,
    adminPass: 'secret',
    nics: [{ networkId, portId: null, fixedIp: null, tag: null }],
    securityGroupIds: null,
    imageProperties: {},
    server: {
      name: 'web1',
      description: null,
      hostname: 'web1',
      imageId: '70a599e0-31e7-49b7-b260-868f441e862b',
      kernelId: null,
      ramdiskId: null,
      keyName: null,
      keyData: null,
      keyType: null,
      flavor,
      userData: null,
      configDrive: false,
      accessIpV4: null,
      accessIpV6: null,
      autoDiskConfig: true,
      spec: { schedulerHints: {}, pinnedZone: null, requestedHost: null, requestedNode: null },
      trustedCerts: null,
      metadata: {},
      systemMetadata: {},
      tags: [],
      ...over,
    },
  })
  const settle = async () => {
    await ground.sagas.settled()
    await ground.queue.settled()
    await networks.settled()
  }
  return {
    deps,
    conductor,
    images,
    drivers,
    networkDriver,
    networkId,
    wish,
    settle,
    async build(over) {
      const { uuids } = conductor.build(wish(over), caller)
      await settle()
      return model.instances.get(uuids[0] ?? '')
    },
    async leaks() {
      const live = new Set(model.instances.onHost(null).map(({ uuid }) => uuid))
      const guests = (await Promise.all(drivers.map((driver) => driver.inventory()))).flatMap((found) => found.guests)
      const holders = model.hosts.nodes().flatMap(({ uuid }) => placement.consumersOn(uuid).map(({ consumerUuid }) => consumerUuid))
      const owners = networks.ownedDevices()
      return [
        ...guests.map((uuid) => `guest ${uuid}`),
        ...holders.map((uuid) => `allocation ${uuid}`),
        ...owners.map((uuid) => `port ${uuid}`),
      ].filter((line) => !live.has(line.split(' ')[1] ?? ''))
    },
    async [Symbol.asyncDispose]() {
      for (const manager of managers) await manager[Symbol.asyncDispose]()
      await conductor[Symbol.asyncDispose]()
      await networks[Symbol.asyncDispose]()
      await images[Symbol.asyncDispose]()
      ground[Symbol.dispose]()
      rmSync(ground.dataDir, { recursive: true, force: true })
    },
  }
}
