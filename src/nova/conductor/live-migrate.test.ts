/** Live migrations under the laws, and what can come in between: aborts, deletions, crashes, hosts that refuse. */
import { describe, expect, it } from 'vitest'
import { caller, type TestCompute, type TestComputeOptions, testCompute } from '../../../test/support/compute.ts'
import { sagaLaws } from '../../../test/support/saga-laws.ts'
import { serverWorld } from '../../../test/support/server-laws.ts'
import { type ManualClock, manualClock } from '../../base/clock.ts'
import { silentLog } from '../../base/log.ts'
import { SagaRunner } from '../../base/saga/index.ts'
import type { Instance, MigrationStatus } from '../model/index.ts'
import { PowerState } from '../virt/index.ts'
import type { ConductorDeps } from './deps.ts'
import { abortLiveMigration, type LiveMigrateInput, type LiveWish, liveMigrateServer } from './live-migrate.ts'
import { LiveTurns } from './live-turns.ts'

const options: TestComputeOptions = { hosts: 2 }
const nano = { VCPU: 1, MEMORY_MB: 192, DISK_GB: 1 }
const anywhere: LiveWish = { host: null, forced: false, copiesDisks: null }
const minute = { 'fake.live_migration_delay_ms': '60000' }

/** A server on host1, unless another host is said. */
const built = (cloud: TestCompute, requestedHost = 'host1') =>
  cloud.build({ spec: { schedulerHints: {}, pinnedZone: null, requestedHost, requestedNode: null } })

async function begun(cloud: TestCompute, paused = false): Promise<{ uuid: string; input: LiveMigrateInput }> {
  const { model } = cloud.deps
  const built1 = await built(cloud)
  const { uuid } = built1
  if (paused) {
    cloud.conductor.power(built1, 'pause', caller)
    await cloud.settle()
  }
  const instance = model.instances.get(uuid)
  const wish = { instance, type: 'live-migration', newFlavor: instance.flavor, destination: null, by: caller, status: 'accepted' } as const
  const migrationId = model.migrations.begin(wish)
  model.instances.update(uuid, { task_state: 'migrating' })
  return { uuid, input: { ...anywhere, uuid, source: 'host1', migrationId } }
}

const guests = async ({ drivers }: TestCompute, uuid: string) =>
  await Promise.all(drivers.map(async (driver) => (await driver.info(uuid))?.power ?? null))
function holders({ deps: { model, placement } }: TestCompute) {
  return model.hosts.nodes().map((node) => placement.consumersOn(node.uuid).map(({ resources }) => resources))
}
const boundTo = ({ deps }: TestCompute, uuid: string) => deps.networks.portsOf(uuid).map(({ host }) => host)
const statusOf = ({ deps }: TestCompute, uuid: string) => deps.model.migrations.latest(uuid)?.status
async function tidied(cloud: TestCompute): Promise<void> {
  await cloud.settle()
  for (const host of ['host1', 'host2']) await cloud.conductor.watch.reconcile(host, { resumeGuests: false })
}
async function expectMoved(cloud: TestCompute, uuid: string, power: number = PowerState.running): Promise<void> {
  await tidied(cloud)
  const { model } = cloud.deps
  expect(model.instances.get(uuid)).toMatchObject({ taskState: null, powerState: power, host: 'host2', node: 'host2', progress: 0 })
  expect(await guests(cloud, uuid)).toEqual([null, power])
  expect(holders(cloud)).toEqual([[], [nano]])
  expect(boundTo(cloud, uuid)).toEqual(['host2'])
  expect(statusOf(cloud, uuid)).toBe('completed')
}
async function expectStayed(cloud: TestCompute, uuid: string, status: string): Promise<void> {
  await tidied(cloud)
  const { model } = cloud.deps
  expect(model.instances.get(uuid)).toMatchObject({ vmState: 'active', taskState: null, host: 'host1', progress: 0 })
  expect(await guests(cloud, uuid)).toEqual([PowerState.running, null])
  expect(holders(cloud)).toEqual([[nano], []])
  expect(boundTo(cloud, uuid)).toEqual(['host1'])
  expect(statusOf(cloud, uuid)).toEqual(status)
}

sagaLaws<LiveMigrateInput, ConductorDeps>('migrating live', liveMigrateServer, () =>
  serverWorld({
    options,
    prepare: (cloud) => begun(cloud),
    done: (cloud, { uuid }) => expectMoved(cloud, uuid),
    undone: (cloud, { uuid }) => expectStayed(cloud, uuid, expect.stringMatching(/^(error|failed)$/)),
  }),
)

/** Time stands still until then. */
async function untilStatus(cloud: TestCompute, uuid: string, status: string): Promise<void> {
  for (let turns = 0; turns < 1000 && statusOf(cloud, uuid) !== status; turns += 1) await new Promise((resolve) => setImmediate(resolve))
  expect(statusOf(cloud, uuid)).toBe(status)
}

/** A server on its way, half copied. */
async function onItsWay(
  cloud: TestCompute,
  clock: ManualClock,
  wish: LiveWish = anywhere,
): Promise<{ uuid: string; id: number; now: () => Instance }> {
  const { uuid } = await built(cloud)
  const now = () => cloud.deps.model.instances.get(uuid)
  await cloud.conductor.live.start(now(), wish, caller, { checksFirst: false })
  await untilStatus(cloud, uuid, 'running')
  await clock.advance('30 s')
  const { id = 0 } = cloud.deps.model.migrations.latest(uuid) ?? {}
  return { uuid, id, now }
}

describe('a live migration', () => {
  it('of a paused server leaves it paused', async () => {
    await using cloud = await testCompute(options)
    const { uuid, input } = await begun(cloud, true)
    await cloud.deps.sagas.start(liveMigrateServer, input, { key: uuid })
    expect(cloud.deps.model.instances.get(uuid).vmState).toBe('paused')
    await expectMoved(cloud, uuid, PowerState.paused)
  })

  it('tells how far it is, and holds room on both hosts meanwhile', async () => {
    const clock = manualClock()
    await using cloud = await testCompute({ ...options, clock, flags: minute })
    const { uuid, now } = await onItsWay(cloud, clock)
    expect(now()).toMatchObject({ host: 'host1', taskState: 'migrating', progress: 50 })
    const mib = 1024 ** 2
    expect(cloud.deps.model.migrations.latest(uuid)).toMatchObject({
      status: 'running',
      dest_compute: 'host2',
      memory_total: 192 * mib,
      memory_remaining: 96 * mib,
      disk_total: 1024 * mib,
    })
    expect(holders(cloud)).toEqual([[nano], [nano]])
    await clock.advance('1 min')
    await expectMoved(cloud, uuid)
  })

  it('waits for its turn to leave the host, and can be aborted before it comes', async () => {
    const clock = manualClock()
    await using cloud = await testCompute({ ...options, clock, flags: minute })
    const { model } = cloud.deps
    const [first, second, third] = [await built(cloud), await built(cloud), await built(cloud)]
    for (const [instance, status] of [
      [first, 'running'],
      [second, 'queued'],
      [third, 'queued'],
    ] as const) {
      await cloud.conductor.live.start(instance, anywhere, caller, { checksFirst: false })
      await untilStatus(cloud, instance.uuid, status)
    }
    const id = model.migrations.latest(second.uuid)?.id ?? 0
    const abort = (from: MigrationStatus[]) => cloud.conductor.live.abort(model.instances.get(second.uuid), id, caller, { from })
    expect(() => abort(['running'])).toThrow(`Migration ${id} state of instance ${second.uuid} is queued`)
    abort(['queued', 'running'])
    await untilStatus(cloud, second.uuid, 'cancelled')
    await clock.advance('1 min')
    await untilStatus(cloud, third.uuid, 'running')
    expect(statusOf(cloud, first.uuid)).toBe('completed')
    await clock.advance('1 min')
    await untilStatus(cloud, third.uuid, 'completed')
  })

  it('is aborted, and the server is as it was', async () => {
    const clock = manualClock()
    await using cloud = await testCompute({ ...options, clock, flags: minute })
    const { uuid, id, now } = await onItsWay(cloud, clock)
    cloud.conductor.live.abort(now(), id, { ...caller, requestId: 'req-2' }, { from: ['running'] })
    await expectStayed(cloud, uuid, 'cancelled')
    const events = (requestId: string) => {
      const action = cloud.deps.model.actions.find(uuid, requestId)
      return [action?.action, action?.message, ...cloud.deps.model.actions.events(action?.id ?? 0).map(({ event }) => event)]
    }
    expect(events('req-2')).toEqual(['live_migration_cancel', null, 'compute_live_migration_abort'])
  })

  it('that was called off before a crash turns back after it', async () => {
    const clock = manualClock()
    await using cloud = await testCompute({ ...options, clock, flags: minute })
    const { uuid, id, now } = await onItsWay(cloud, clock)
    const { sagas, db } = cloud.deps
    const stopped = sagas.stop(0)
    cloud.conductor.live.abort(now(), id, { ...caller, requestId: 'req-2' }, { from: ['running'] })
    await stopped
    await sagas.settled()
    const next = new SagaRunner({ db, clock, log: silentLog() })
    for (const definition of [liveMigrateServer, abortLiveMigration]) next.register(definition as typeof liveMigrateServer, cloud.deps)
    expect(next.resume()).toBe(2)
    await next.settled()
    await next.stop(0)
    await expectStayed(cloud, uuid, 'cancelled')
  })

  it('completes at once when it is forced', async () => {
    const clock = manualClock()
    await using cloud = await testCompute({ ...options, clock, flags: minute })
    const { uuid, id, now } = await onItsWay(cloud, clock)
    await cloud.conductor.live.forceComplete(now(), id, { ...caller, requestId: 'req-2' })
    await expectMoved(cloud, uuid)
    await expect(cloud.conductor.live.forceComplete(now(), id, caller)).rejects.toMatchObject({ kind: 'conflict' })
  })

  it('leaves no end open of what was asked beside it and forgotten, and keeps its own open', async () => {
    const clock = manualClock()
    await using cloud = await testCompute({ ...options, clock, flags: minute })
    const { uuid, now } = await onItsWay(cloud, clock)
    const { actions } = cloud.deps.model
    const open = () =>
      actions
        .list(uuid)
        .flatMap(({ action, finishTime, id }) =>
          finishTime === null ? [[action, actions.events(id).some((event) => event.finishTime === null)]] : [],
        )
    const forced = 'live_migration_force_complete'
    // As a process leaves it that ends between the question and the host's answer.
    actions.begin(forced, uuid, { ...caller, requestId: 'req-cut' })
    actions.openEvent(uuid, 'req-cut', forced, now().host)
    expect(open()).toEqual([
      [forced, true],
      ['live-migration', true],
    ])
    await cloud.conductor.watch.recover()
    expect(open()).toEqual([['live-migration', true]])
    expect(actions.find(uuid, 'req-cut')).toMatchObject({ message: 'Error' })
  })

  it('of a server that is deleted on the way leaves nothing on either host', async () => {
    const clock = manualClock()
    await using cloud = await testCompute({ ...options, clock, flags: minute })
    const { uuid, now } = await onItsWay(cloud, clock)
    cloud.conductor.delete(now(), { ...caller, requestId: 'req-2' })
    await cloud.settle()
    expect(cloud.deps.model.instances.find(uuid)).toBeNull()
    expect(await cloud.leaks()).toEqual([])
    expect(holders(cloud)).toEqual([[], []])
    expect(statusOf(cloud, uuid)).toBe('cancelled')
  })

  it.each([
    ['send', 'failed'],
    ['receive', 'failed'],
    ['expect', 'error'],
  ] as const)('that fails to %s leaves the server where it was', async (action, status) => {
    await using cloud = await testCompute(options)
    const { uuid } = await built(cloud)
    for (const driver of cloud.drivers) driver.failNext(action)
    await cloud.conductor.live.start(cloud.deps.model.instances.get(uuid), anywhere, caller, { checksFirst: true })
    await expectStayed(cloud, uuid, status)
  })

  it('goes to another host when one refuses it, unless that one was asked for', async () => {
    await using cloud = await testCompute({ hosts: 3 })
    const { uuid } = await built(cloud)
    await built(cloud, 'host3')
    const now = () => cloud.deps.model.instances.get(uuid)
    cloud.drivers[1]?.failNext('expect', 'no-resources', 2)
    for (const [host, status, end] of [
      ['host2', 'error', 'host1'],
      [null, 'completed', 'host3'],
    ] as const) {
      await cloud.conductor.live.start(now(), { ...anywhere, host }, caller, { checksFirst: true })
      await cloud.settle()
      expect([statusOf(cloud, uuid), now().host]).toEqual([status, end])
    }
  })

  it.each<[string, LiveWish, RegExp, Record<string, string>]>([
    ['to its own host', { ...anywhere, host: 'host1' }, /current host/, {}],
    ['to a host that is not there', { ...anywhere, host: 'host9' }, /host9 could not be found/, {}],
    ['without disks that the hosts do not share', { ...anywhere, copiesDisks: false }, /only block migration/, { 'fake.storage': 'local' }],
    [
      'with disks that the hosts share',
      { ...anywhere, copiesDisks: true },
      /block migration is not possible/,
      { 'fake.storage': 'shared' },
    ],
  ])('%s is refused', async (_name, wish, message, flags) => {
    await using cloud = await testCompute({ ...options, flags })
    const instance = await built(cloud)
    const start = cloud.conductor.live.start(instance, wish, caller, { checksFirst: true })
    await expect(start).rejects.toMatchObject({ kind: 'invalid', message: expect.stringMatching(message) })
    expect(cloud.deps.model.migrations.latest(instance.uuid)).toBeNull()
    expect(cloud.deps.model.instances.get(instance.uuid).taskState).toBeNull()
  })

  it('is refused where a hypervisor cannot, and goes to no host whose hypervisor cannot', async () => {
    await using cloud = await testCompute({ hosts: 3 })
    const instance = await built(cloud)
    const start = () => cloud.conductor.live.start(instance, anywhere, caller, { checksFirst: true })
    Object.assign(cloud.drivers[1] ?? {}, { liveMigration: undefined })
    await start()
    await cloud.settle()
    expect(cloud.deps.model.instances.get(instance.uuid).host).toBe('host3')
    await cloud.conductor.live.start(cloud.deps.model.instances.get(instance.uuid), anywhere, caller, { checksFirst: true })
    await cloud.settle()
    Object.assign(cloud.drivers[2] ?? {}, { liveMigration: undefined })
    await expect(start()).rejects.toMatchObject({ kind: 'invalid', message: expect.stringMatching(/^No valid host/) })
    Object.assign(cloud.drivers[0] ?? {}, { liveMigration: undefined })
    await expect(start()).rejects.toMatchObject({ kind: 'not-implemented' })
  })

  it('is refused when the guest stopped while it was asked for, whether the record knows it yet or not', async () => {
    await using cloud = await testCompute(options)
    const instance = await built(cloud)
    const { uuid } = instance
    const start = () => cloud.conductor.live.start(instance, anywhere, caller, { checksFirst: true })
    cloud.conductor.power(instance, 'stop', { ...caller, requestId: 'req-stop' })
    await cloud.settle()
    await expect(start()).rejects.toMatchObject({ kind: 'conflict', message: expect.stringContaining('vm_state stopped') })
    cloud.deps.model.instances.update(uuid, { vm_state: 'active', power_state: PowerState.running })
    await expect(start()).rejects.toMatchObject({ kind: 'conflict', message: `The guest of instance ${uuid} cannot leave its host now.` })
    expect(statusOf(cloud, uuid)).toBeUndefined()
  })

  it('is refused where no host is up', async () => {
    await using cloud = await testCompute(options)
    const { model } = cloud.deps
    const instance = await built(cloud)
    const down = (host: string, forcedDown: boolean) => {
      for (const { id } of model.hosts.services({ host, binary: 'nova-compute' })) model.hosts.updateService(id, { forcedDown })
    }
    const start = (wish: LiveWish) => cloud.conductor.live.start(instance, wish, caller, { checksFirst: true })
    down('host2', true)
    await expect(start(anywhere)).rejects.toMatchObject({ kind: 'invalid', message: expect.stringMatching(/^No valid host/) })
    await expect(start({ ...anywhere, host: 'host2', forced: true })).rejects.toThrow(
      'Compute service of host2 is unavailable at this time.',
    )
    down('host2', false)
    down('host1', true)
    await expect(start(anywhere)).rejects.toThrow('Compute service of host1 is unavailable at this time.')
  })
})

describe('turns', () => {
  it('come in order; who stops waiting holds up nobody', async () => {
    const turns = new LiveTurns()
    const never = new AbortController().signal
    const given: string[] = []
    const take = async (name: string, signal = never) => {
      const end = await turns.take('host1', 1, signal)
      given.push(name)
      return end
    }
    const endFirst = await take('first')
    const stopped = new AbortController()
    const second = take('second', stopped.signal)
    const third = take('third')
    stopped.abort(new Error('no more'))
    await expect(second).rejects.toThrow('no more')
    endFirst()
    const endThird = await third
    endThird()
    await (await take('fourth'))()
    expect(given).toEqual(['first', 'third', 'fourth'])
    await expect(turns.take('host1', 1, AbortSignal.abort(new Error('too late')))).rejects.toThrow('too late')
  })

  it('are not waited for without a limit, nor behind another host', async () => {
    const turns = new LiveTurns()
    const { signal } = new AbortController()
    await Promise.all([turns.take('host1', 0, signal), turns.take('host1', 0, signal), turns.take('host2', 1, signal)])
  })
})
