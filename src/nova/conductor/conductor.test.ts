import { describe, expect, it } from 'vitest'
import { caller, projectId, testCompute } from '../../../test/support/compute.ts'
import { PowerState } from '../virt/index.ts'

describe('building', () => {
  it('ends in an active server with an address, an allocation and a finished action', async () => {
    await using cloud = await testCompute()
    const instance = await cloud.build()
    expect(instance).toMatchObject({
      vmState: 'active',
      taskState: null,
      powerState: PowerState.running,
      host: 'host1',
      availabilityZone: 'nova',
    })
    expect(instance.ports[0]?.subnets[0]?.ips[0]?.address).toMatch(/^10\.20\./)
    expect(instance.ports[0]?.securityGroups.map(({ name }) => name)).toEqual(['default'])
    expect(cloud.deps.placement.allocationsOf(instance.uuid)[0]?.resources).toEqual({ VCPU: 1, MEMORY_MB: 192, DISK_GB: 1 })
    const [action] = cloud.deps.model.actions.list(instance.uuid)
    expect(action).toMatchObject({ action: 'create', requestId: caller.requestId })
    expect(action?.finishTime).not.toBeNull()
    expect(cloud.deps.model.actions.events(action?.id ?? 0)).toMatchObject([{ result: 'Success', host: 'host1' }])
  })

  it('takes the next host when one fails, and keeps nothing on the first', async () => {
    await using cloud = await testCompute({ hosts: 2 })
    const [first, second] = cloud.drivers
    first?.failNext('spawn')
    second?.failNext('spawn')
    const instance = await cloud.build()
    expect(instance).toMatchObject({ vmState: 'error' })
    expect(await cloud.leaks()).toEqual([])
    first?.failNext('spawn')
    const next = await cloud.build()
    expect(next.vmState).toBe('active')
    expect(cloud.deps.placement.allocationsOf(next.uuid)).toHaveLength(1)
  })

  it('says why no host is valid: to the user without names, to the operator with them', async () => {
    await using cloud = await testCompute({ flags: { 'fake.memory_mb': '600' } })
    await cloud.build()
    const big = cloud.deps.model.flavors.create({ ...cloud.wish().server.flavor, flavorId: 'big', name: 'big', memoryMib: 4096 })
    const instance = await cloud.build({ flavor: big })
    expect(instance).toMatchObject({ vmState: 'error', host: null, ports: [] })
    expect(instance.fault?.message).toMatch(/^No valid host was found\. There is not enough free CPU, memory or disk/)
    expect(instance.fault?.message).not.toContain('host1')
    expect(instance.fault?.details).toMatch(/host1: Placement: .*MEMORY_MB/)
  })

  it('makes as many as quota allows between min and max, and refuses fewer without a trace', async () => {
    await using cloud = await testCompute()
    cloud.deps.model.quotas.set(projectId, { instances: 3 })
    expect(cloud.conductor.build({ ...cloud.wish(), count: 5, minCount: 2 }, caller).uuids).toHaveLength(3)
    await cloud.settle()
    expect(() => cloud.conductor.build(cloud.wish(), caller)).toThrow(
      /Quota exceeded for instances: Requested 1, but already used 3 of 3 instances/,
    )
    const instances = cloud.deps.model.instances.onHost(null)
    expect(instances.map(({ name, vmState }) => [name, vmState]).sort()).toEqual([
      ['web1-1', 'active'],
      ['web1-2', 'active'],
      ['web1-3', 'active'],
    ])
  })
})

describe('deleting', () => {
  it('leaves nothing', async () => {
    await using cloud = await testCompute()
    const instance = await cloud.build()
    cloud.conductor.delete(instance, { ...caller, requestId: 'req-2' })
    expect(cloud.deps.model.instances.get(instance.uuid).taskState).toBe('deleting')
    await cloud.settle()
    expect(cloud.deps.model.instances.find(instance.uuid)).toBeNull()
    expect(cloud.deps.model.instances.get(instance.uuid, null, { deleted: true })).toMatchObject({ vmState: 'deleted', deleted: true })
    expect(await cloud.leaks()).toEqual([])
    expect(cloud.deps.model.quotas.usage(projectId)).toEqual({ instances: 0, cores: 0, ram: 0 })
  })

  it('overtakes a build that runs', async () => {
    await using cloud = await testCompute()
    const { uuids } = cloud.conductor.build(cloud.wish(), caller)
    cloud.conductor.delete(cloud.deps.model.instances.get(uuids[0] ?? ''), caller)
    await cloud.settle()
    expect(cloud.deps.model.instances.find(uuids[0] ?? '')).toBeNull()
    expect(await cloud.leaks()).toEqual([])
  })

  it('works in error, and of a locked server for administrators only', async () => {
    await using cloud = await testCompute()
    cloud.drivers[0]?.failNext('spawn', 'failed')
    const failed = await cloud.build()
    expect(failed.vmState).toBe('error')
    cloud.conductor.delete(failed, caller)
    await cloud.settle()
    expect(cloud.deps.model.instances.find(failed.uuid)).toBeNull()
    const { uuid } = await cloud.build()
    cloud.deps.model.instances.update(uuid, { locked: 1 })
    const locked = cloud.deps.model.instances.get(uuid)
    expect(() => cloud.conductor.delete(locked, caller)).toThrow(`Instance ${uuid} is locked`)
    cloud.conductor.delete(locked, { ...caller, isAdmin: true })
    await cloud.settle()
    expect(await cloud.leaks()).toEqual([])
  })
})

describe('power', () => {
  it.each([
    ['stop', 'stopped', PowerState.shutdown, 'start'],
    ['pause', 'paused', PowerState.paused, 'unpause'],
    ['suspend', 'suspended', PowerState.shutdown, 'resume'],
  ] as const)('%s and back', async (there, vmState, powerState, back) => {
    await using cloud = await testCompute()
    const { uuid } = await cloud.build()
    const now = () => cloud.deps.model.instances.get(uuid)
    cloud.conductor.power(now(), there, caller)
    expect(now().taskState).not.toBeNull()
    await cloud.settle()
    expect(now()).toMatchObject({ vmState, taskState: null })
    expect([powerState, PowerState.suspended]).toContain(now().powerState)
    expect(() => cloud.conductor.power(now(), there, caller)).toThrow(
      new RegExp(`^Cannot '${there}' instance ${uuid} while it is in vm_state ${vmState}`),
    )
    cloud.conductor.power(now(), back, caller)
    await cloud.settle()
    expect(now()).toMatchObject({ vmState: 'active', powerState: PowerState.running, taskState: null })
  })

  it('lets one hand at a time', async () => {
    await using cloud = await testCompute()
    const seen = await cloud.build()
    cloud.conductor.power(seen, 'stop', caller)
    expect(() => cloud.conductor.power(seen, 'pause', caller)).toThrow(/another request was faster/)
    await cloud.settle()
    expect(cloud.deps.model.instances.get(seen.uuid).vmState).toBe('stopped')
  })

  it('returns to where it was when the hypervisor refuses, and says so in the action', async () => {
    await using cloud = await testCompute()
    const { uuid } = await cloud.build()
    cloud.drivers[0]?.failNext('pause')
    cloud.conductor.power(cloud.deps.model.instances.get(uuid), 'pause', { ...caller, requestId: 'req-9' })
    await cloud.settle()
    expect(cloud.deps.model.instances.get(uuid)).toMatchObject({ vmState: 'active', taskState: null })
    expect(cloud.deps.model.actions.find(uuid, 'req-9')).toMatchObject({ message: 'Error' })
  })

  it('follows a guest that stops by itself', async () => {
    await using cloud = await testCompute()
    const { uuid } = await cloud.build()
    cloud.drivers[0]?.happen(uuid, 'shutdown')
    await cloud.settle()
    expect(cloud.deps.model.instances.get(uuid)).toMatchObject({ vmState: 'stopped', powerState: PowerState.shutdown })
  })
})

describe('reconciling', () => {
  it('ends guests and gives back room and ports that no server owns', async () => {
    await using cloud = await testCompute()
    const { uuid } = await cloud.build()
    cloud.deps.model.instances.remove(uuid)
    expect(await cloud.leaks()).toHaveLength(3)
    await cloud.conductor.watch.reconcile('host1', { resumeGuests: false })
    expect(await cloud.leaks()).toEqual([])
  })

  it('heals an allocation that a live server lacks', async () => {
    await using cloud = await testCompute()
    const { uuid } = await cloud.build()
    cloud.deps.placement.release(uuid)
    await cloud.conductor.watch.reconcile('host1', { resumeGuests: false })
    expect(cloud.deps.placement.allocationsOf(uuid)).toHaveLength(1)
  })

  it('starts guests that ran before the host went down, when it is told to', async () => {
    await using cloud = await testCompute()
    const { uuid } = await cloud.build()
    await cloud.drivers[0]?.powerOff(uuid, 0)
    await cloud.settle()
    cloud.deps.model.instances.update(uuid, { vm_state: 'active' })
    await cloud.conductor.watch.reconcile('host1', { resumeGuests: true })
    expect((await cloud.drivers[0]?.info(uuid))?.power).toBe(PowerState.running)
  })

  it('starts them when the hypervisor answers, though that is long after the start, and once', async () => {
    await using cloud = await testCompute({ flags: { 'DEFAULT.resume_guests_state_on_host_boot': 'true' } })
    const [driver] = cloud.drivers
    const uuids = [await cloud.build(), await cloud.build()].map(({ uuid }) => uuid)
    const powers = () => Promise.all(uuids.map(async (uuid) => (await driver?.info(uuid))?.power))
    const cut = async () => {
      driver?.happen(uuids[0] ?? '', 'crash')
      await driver?.suspend(uuids[1] ?? '')
      await cloud.settle()
      for (const uuid of uuids) cloud.deps.model.instances.update(uuid, { vm_state: 'active', power_state: PowerState.running })
    }
    await cut()
    driver?.failNext('list', 'host-down')
    await cloud.conductor.watch.recover()
    expect(await powers()).toEqual([PowerState.crashed, PowerState.suspended])
    await cloud.conductor.watch.reconcile('host1')
    expect(await powers()).toEqual([PowerState.running, PowerState.running])
    await cut()
    await cloud.conductor.watch.reconcile('host1')
    expect(await powers()).toEqual([PowerState.crashed, PowerState.suspended])
    expect(uuids.map((uuid) => cloud.deps.model.instances.get(uuid).vmState)).toEqual(['stopped', 'stopped'])
  })
})
