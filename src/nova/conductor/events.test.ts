import { describe, expect, it } from 'vitest'
import { caller, type TestCompute, testCompute } from '../../../test/support/compute.ts'
import { manualClock } from '../../base/clock.ts'
import { Shutdown } from '../../base/saga/index.ts'
import { inEvent } from './events.ts'

const requestId = 'req-22222222-2222-4222-8222-222222222222'

const eventsOf = ({ deps: { model } }: TestCompute, uuid: string, request = requestId) =>
  model.actions.events(model.actions.find(uuid, request)?.id ?? 0)

describe('an event', () => {
  it('is seen from its beginning on, and ends with its work', async () => {
    const clock = manualClock()
    await using cloud = await testCompute({ clock })
    const { uuid } = await cloud.build()
    cloud.deps.model.actions.begin('stop', uuid, { ...caller, requestId })
    const startTime = clock.text()
    const work = Promise.withResolvers<string>()
    const told = inEvent(cloud.deps, { input: { uuid }, requestId }, 'compute_stop_instance', 'host1', () => work.promise)
    expect(eventsOf(cloud, uuid)).toMatchObject([
      { event: 'compute_stop_instance', host: 'host1', startTime, finishTime: null, result: null },
    ])
    await clock.advance('5 s')
    work.resolve('done')
    expect(await told).toBe('done')
    expect(eventsOf(cloud, uuid)).toMatchObject([{ startTime, finishTime: clock.text(), result: 'Success', traceback: null }])
  })

  it('that fails says why, and throws on', async () => {
    await using cloud = await testCompute()
    const { uuid } = await cloud.build()
    cloud.deps.model.actions.begin('stop', uuid, { ...caller, requestId })
    const failing = inEvent(cloud.deps, { input: { uuid }, requestId }, 'x', null, () => Promise.reject(new Error('no more power')))
    await expect(failing).rejects.toThrow('no more power')
    const [event] = eventsOf(cloud, uuid)
    expect(event).toMatchObject({ result: 'Error', host: null })
    expect(event?.details).toContain('no more power')
    expect(event?.traceback).toContain('no more power')
  })

  it('of two steps is one, from the start of the first to the end of the second', async () => {
    await using cloud = await testCompute()
    const { uuid } = await cloud.build()
    cloud.deps.model.actions.begin('rebuild', uuid, { ...caller, requestId })
    const step = (staysOpen: boolean) => inEvent(cloud.deps, { input: { uuid }, requestId }, 'x', 'host1', () => null, { staysOpen })
    await step(true)
    expect(eventsOf(cloud, uuid)).toMatchObject([{ finishTime: null }])
    await step(false)
    expect(eventsOf(cloud, uuid)).toMatchObject([{ result: 'Success' }])
  })

  it('that a shutdown cuts off goes on after the next start', async () => {
    await using cloud = await testCompute()
    const { uuid } = await cloud.build()
    cloud.deps.model.actions.begin('stop', uuid, { ...caller, requestId })
    const end = new AbortController()
    end.abort(new Shutdown('shutting down'))
    const cut = { input: { uuid }, requestId, signal: end.signal }
    await expect(inEvent(cloud.deps, cut, 'x', 'host1', () => Promise.reject(end.signal.reason))).rejects.toBe(end.signal.reason)
    expect(eventsOf(cloud, uuid)).toMatchObject([{ finishTime: null, result: null }])
    await inEvent(cloud.deps, { input: { uuid }, requestId }, 'x', 'host1', () => null)
    expect(eventsOf(cloud, uuid)).toMatchObject([{ result: 'Success' }])
  })

  it('that is open ends when another request takes the server over', async () => {
    await using cloud = await testCompute()
    const { uuid } = await cloud.build()
    const { actions } = cloud.deps.model
    actions.begin('rebuild', uuid, { ...caller, requestId })
    await inEvent(cloud.deps, { input: { uuid }, requestId }, 'x', 'host1', () => null, { staysOpen: true })
    actions.supersede(uuid)
    expect(eventsOf(cloud, uuid)).toMatchObject([{ result: 'Error' }])
    expect(eventsOf(cloud, uuid)[0]?.finishTime).not.toBeNull()
    expect(eventsOf(cloud, uuid, caller.requestId)).toMatchObject([{ result: 'Success' }])
  })
})

it('a build that fails names each host that it failed on', async () => {
  await using cloud = await testCompute({ hosts: 2 })
  for (const driver of cloud.drivers) driver.failNext('spawn')
  const { uuid } = await cloud.build()
  const events = eventsOf(cloud, uuid, caller.requestId)
  expect(events.map(({ event, result }) => [event, result])).toEqual([
    ['conductor_schedule_and_build_instances', 'Error'],
    ['compute__do_build_and_run_instance', 'Error'],
    ['compute__do_build_and_run_instance', 'Error'],
  ])
  expect(events.map(({ host }) => host).sort()).toEqual(['host1', 'host1', 'host2'])
})
