/**
 * Random sequences of requests by two users to a cloud of three hosts: servers come, change and go, several requests at once,
 * hosts fail and are slow, the process ends and starts again. Whenever nothing runs, all that is recorded tells one story, and
 * when everything is deleted nothing is left.
 *
 * `SEQUENCES_SEED`, `SEQUENCES_RUNS` and `SEQUENCES_LENGTH` hunt longer or repeat what failed; a failure prints its steps.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { type Clock, systemClock } from '../../src/base/clock.ts'
import type { FakeDriver } from '../../src/nova/virt/fake/index.ts'
import { startTestCloud, type TestCloud } from '../support/cloud.ts'
import { brokenInvariants, compareHosts, leftovers, misnamed } from '../support/compute-invariants.ts'
import {
  evacuating,
  liveMigrating,
  pick,
  type Random,
  type RandomScene,
  randomFrom,
  randomRequest,
  resetting,
  type Step,
  scratchFlavor,
} from '../support/random-requests.ts'

const seed = Number(process.env.SEQUENCES_SEED ?? 20_261_122)
const runs = Number(process.env.SEQUENCES_RUNS ?? 25)
const length = Number(process.env.SEQUENCES_LENGTH ?? 20)
const hosts = 3
const compute = '/compute/v2.1'
const flags: Record<string, string> = {
  'fake.hosts': String(hosts),
  'fake.memory_mb': '2048',
  'fake.local_gb': '40',
  'fake.operation_delay_ms': '1',
  'fake.boot_delay_ms': '2',
  'fake.live_migration_delay_ms': '10',
  'DEFAULT.ram_allocation_ratio': '1',
  'DEFAULT.reserved_host_memory_mb': '0',
  'quota.instances': '8',
  'quota.cores': '12',
  'quota.ram': '6000',
}
/** What an operator may have set at the next start. */
const settings: readonly Record<string, string>[] = [
  {},
  { 'DEFAULT.reclaim_instance_interval': '3600' },
  { 'DEFAULT.shelved_offload_time': '-1' },
  { 'DEFAULT.allow_resize_to_same_host': 'true' },
]
/** Actions of a host that may fail. */
const failing = [
  'spawn',
  'destroy',
  'powerOn',
  'powerOff',
  'reboot',
  'pause',
  'unpause',
  'suspend',
  'resume',
  'snapshot',
  'rescue',
] as const
const failingToo = [
  'unrescue',
  'resize',
  'confirmResize',
  'revertResize',
  'attachInterface',
  'detachInterface',
  'depart',
  'arrive',
  'expect',
  'send',
  'receive',
] as const
const statuses = new Set([200, 201, 202, 204, 400, 403, 404, 409, 501])

let dataDir: string
let cloud: TestCloud
let image: string
let network: string
let group: string
/** Servers of which an administrator has said what is not so, for as long as the cloud stands: its sagas are looked at until then. */
let untrue: Set<string>
let random: Random = randomFrom(seed)

/** Hosts take their time, some much more than others. */
function unevenClock(): Clock {
  const clock = systemClock()
  return { ...clock, sleep: (ms, signal) => clock.sleep(ms < 50 && random() < 0.1 ? ms * 15 : ms, signal) }
}

async function start(more: Record<string, string>): Promise<void> {
  cloud = await startTestCloud({ flags: { ...flags, ...more }, dataDir, clock: unevenClock() })
}

/** A new cloud, with what the requests name. */
async function found(): Promise<void> {
  dataDir = mkdtempSync(join(tmpdir(), 'minicloud-sequences-'))
  untrue = new Set()
  await start({})
  await cloud.call('POST', `${compute}/flavors`, { body: { flavor: scratchFlavor } })
  image = (await cloud.call('GET', '/image/v2/images?name=tiny')).body.images[0].id
  network = (await cloud.call('GET', '/network/v2.0/networks?name=private', { as: 'demo' })).body.networks[0].id
  const wish = { server_group: { name: 'apart', policy: 'soft-anti-affinity' } }
  group = (await cloud.call('POST', `${compute}/os-server-groups`, { as: 'demo', version: '2.64', body: wish })).body.server_group.id
}

async function raze(): Promise<void> {
  await cloud[Symbol.asyncDispose]()
  rmSync(dataDir, { recursive: true, force: true })
}
beforeAll(found)
afterAll(raze)

/** One sequence, and what was done. */
class Run {
  readonly steps: string[] = []
  #settings: Record<string, string> = {}
  #mayHaveLeft = false

  async send(step: Step): Promise<number> {
    const { as, method, path, version, body } = step
    const answer = await cloud.call(method, `${compute}${path}`, {
      as,
      ...(version ? { version } : {}),
      ...(body === undefined ? {} : { body }),
    })
    this.steps.push(
      `${as} ${method} ${path} ${version ?? ''} ${JSON.stringify(body) ?? ''} → ${answer.status} ${answer.status >= 400 ? answer.text : ''}`,
    )
    expect([...statuses], answer.text).toContain(answer.status)
    // Of what is in error nothing follows but that its parts fit together.
    if (answer.status === 202 && JSON.stringify(body)?.includes('{"os-resetState":{"state":"active"')) untrue.add(step.server ?? '')
    return answer.status
  }

  async settled(): Promise<void> {
    await cloud.settle()
    // What guests have told meanwhile is looked into once nothing runs.
    await new Promise((resolve) => setImmediate(resolve))
    await cloud.settle()
    for (const uuid of misnamed(cloud)) untrue.add(uuid)
    const look = () => brokenInvariants(cloud, { dataDir, untrue })
    let broken = look()
    // A host may fail again while it is compared with its records.
    for (let times = 0; this.#mayHaveLeft && broken.length > 0 && times < 5; times += 1) {
      await compareHosts(cloud)
      broken = look()
    }
    const over = await this.#quotas()
    this.steps.push('settled')
    expect([...broken, ...over]).toEqual([])
  }

  /** What the quota counts is what the servers come to. */
  async #quotas(): Promise<string[]> {
    const wrong: string[] = []
    for (const as of ['admin', 'demo'] as const) {
      const { absolute } = (await cloud.call('GET', `${compute}/limits`, { as })).body.limits
      const { servers } = (await cloud.call('GET', `${compute}/servers/detail`, { as, version: '2.47' })).body
      const counted = servers.filter((server: { status: string }) => server.status !== 'SOFT_DELETED')
      const sum = (of: (flavor: { vcpus: number; ram: number }) => number) =>
        counted.reduce((total: number, server: { flavor: { vcpus: number; ram: number } }) => total + of(server.flavor), 0)
      const used = [absolute.totalInstancesUsed, absolute.totalCoresUsed, absolute.totalRAMUsed]
      const wanted = [counted.length, sum(({ vcpus }) => vcpus), sum(({ ram }) => ram)]
      if (used.join() !== wanted.join()) wrong.push(`quota of ${as}: ${used} is used, its servers come to ${wanted}`)
    }
    return wrong
  }

  fail(): void {
    const driver = cloud.cloud.drivers[Math.floor(random() * hosts)] as FakeDriver
    const [action, reason, times] = [
      pick(random, [...failing, ...failingToo]),
      pick(random, ['failed', 'wrong-state'] as const),
      1 + Math.floor(random() * 2),
    ]
    this.steps.push(`${driver.host} fails ${action} ${reason} ${times} times`)
    if (action === 'destroy') this.#mayHaveLeft = true
    driver.failNext(action, reason, times)
  }

  /** A host is lost, servers leave it while other things go on, and it comes back. */
  async lose(scene: RandomScene): Promise<void> {
    const { host } = pick(random, cloud.cloud.drivers)
    const { services } = (await cloud.call('GET', `${compute}/os-services?binary=nova-compute&host=${host}`, { version: '2.53' })).body
    const say = (isDown: boolean) =>
      this.send({ as: 'admin', method: 'PUT', path: `/os-services/${services[0].id}`, version: '2.53', body: { forced_down: isDown } })
    await this.settled()
    await say(true)
    const there = scene.db.prepare<{ uuid: string }>('SELECT uuid FROM instances WHERE deleted = 0 AND host = ?').all(host)
    const lost = scene.servers.filter((server) => random() < 0.8 && there.some(({ uuid }) => uuid === server.uuid))
    await Promise.all(lost.map((server) => this.send(evacuating(random, scene, server))))
    for (const server of lost.slice(0, 2)) await this.send(randomRequest(random, scene, server))
    await cloud.settle()
    await say(false)
    await compareHosts(cloud)
    await this.settled()
  }

  /** A guest does something of its own accord. */
  async happen(): Promise<void> {
    const driver = pick(random, cloud.cloud.drivers) as FakeDriver
    const running = (await driver.list()).filter(({ power }) => power === 1)
    if (running.length === 0) return
    const [{ uuid }, what] = [pick(random, running), pick(random, ['shutdown', 'crash', 'reboot'] as const)]
    this.steps.push(`guest ${uuid} on ${driver.host}: ${what}`)
    driver.happen(uuid, what)
  }

  async restart(): Promise<void> {
    this.#settings = pick(random, settings)
    this.steps.push(`restarted with ${JSON.stringify(this.#settings)}`)
    await cloud[Symbol.asyncDispose]()
    await start(this.#settings)
  }

  /** Live servers, and who would ask about them. */
  servers(): RandomScene['servers'] {
    return cloud.cloud.ground.db
      .prepare<{ uuid: string; owner: string }>(
        `SELECT i.uuid, p.name AS owner FROM instances i JOIN project p ON p.id = i.project_id WHERE i.deleted = 0 ORDER BY i.id`,
      )
      .all() as RandomScene['servers']
  }

  async step(): Promise<void> {
    const dice = random()
    if (dice < 0.05) return this.fail()
    if (dice < 0.09) return await this.happen()
    if (dice < 0.1) return await this.restart()
    const scene = { image, network, group, servers: this.servers(), db: cloud.cloud.ground.db }
    if (dice > 0.985) return await this.lose(scene)
    if (dice > 0.96 && scene.servers.length > 0) {
      for (const next of liveMigrating(random, scene, pick(random, scene.servers))) await this.send(next())
    } else if (dice < 0.25 && scene.servers.length > 0) {
      const server = pick(random, scene.servers)
      const several = Array.from({ length: 2 + Math.floor(random() * 3) }, () => randomRequest(random, scene, server))
      this.steps.push(`${several.length} at once`)
      await Promise.all(several.map((each) => this.send(each)))
    } else if (dice < 0.29 && scene.servers.length > 0) {
      const steps = resetting(random, scene, pick(random, scene.servers))
      this.steps.push('reset while')
      if (random() < 0.5) await Promise.all(steps.map((each) => this.send(each)))
      else for (const each of steps) await this.send(each)
    } else await this.send(randomRequest(random, scene))
    if (random() < 0.6) await this.settled()
  }

  async end(): Promise<void> {
    await this.settled()
    // Faults that nobody has met yet go with the hosts.
    await this.restart()
    await cloud.settle()
    for (const { uuid } of this.servers())
      await this.send({ as: 'admin', method: 'POST', path: `/servers/${uuid}/action`, body: { forceDelete: null }, server: uuid })
    await cloud.settle()
    expect(await leftovers(cloud)).toEqual([])
  }
}

it.each(Array.from({ length: runs }, (_, i) => seed + i))(
  'of seed %i',
  async (own) => {
    random = randomFrom(own)
    const run = new Run()
    try {
      for (let i = 0; i < length; i++) await run.step()
      await run.end()
    } catch (error) {
      await raze()
      await found()
      throw new Error(
        `SEQUENCES_SEED=${own} SEQUENCES_RUNS=1 SEQUENCES_LENGTH=${length}\n${run.steps.join('\n')}\n${error instanceof Error ? error.message : error}`,
        {
          cause: error,
        },
      )
    }
  },
  60_000,
)
