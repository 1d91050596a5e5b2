/** Zones, hypervisors and services over HTTP, on two pretended hosts. */
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { manualClock } from '../../src/base/clock.ts'
import { type CloudCall, startTestCloud, type TestCloud } from '../support/cloud.ts'

let cloud: TestCloud
const clock = manualClock(Date.now())
const call = (method: string, path: string, options: CloudCall = {}) => cloud.call(method, `/compute/v2.1${path}`, options)
const services = async (query = '', version = '2.53') => (await call('GET', `/os-services${query}`, { version })).body.services
let hosts: string[]
let busyHost: string

beforeAll(async () => {
  cloud = await startTestCloud({ flags: { 'fake.hosts': '2' }, clock })
  hosts = (await services('?binary=nova-compute')).map(({ host }: { host: string }) => host)
  const image = (await cloud.call('GET', '/image/v2/images?name=tiny')).body.images[0].id
  const { server } = (await call('POST', '/servers', { body: { server: { name: 'web1', imageRef: image, flavorRef: '42' } } })).body
  await cloud.settle()
  busyHost = (await call('GET', `/servers/${server.id}`)).body.server['OS-EXT-SRV-ATTR:host']
})
afterAll(() => cloud[Symbol.asyncDispose]())

describe('hypervisors', () => {
  const list = (query = '', version = '2.53') => call('GET', `/os-hypervisors${query}`, { version })

  it('are known by number up to 2.52, by uuid after', async () => {
    const [old] = (await list('', '2.52')).body.hypervisors
    const [now] = (await list()).body.hypervisors
    expect([typeof old.id, now.id]).toEqual(['number', expect.stringMatching(/^[0-9a-f-]{36}$/)])
    expect((await call('GET', `/os-hypervisors/${old.id}`, { version: '2.52' })).status).toBe(200)
    expect((await call('GET', `/os-hypervisors/${old.id}`, { version: '2.53' })).status).toBe(400)
    expect((await call('GET', `/os-hypervisors/${now.id}`, { version: '2.53' })).status).toBe(200)
    expect((await call('GET', '/os-hypervisors/x', { version: '2.52' })).status).toBe(404)
    expect((await call('GET', '/os-hypervisors/70a599e0-31e7-49b7-b260-868f441e862b', { version: '2.53' })).status).toBe(404)
  })

  it('come in pages from 2.33', async () => {
    const page = (await list('?limit=1')).body
    expect(page.hypervisors_links[0].href).toContain(`marker=${page.hypervisors[0].id}`)
    expect((await list(`?marker=${page.hypervisors[0].id}`)).body.hypervisors).toHaveLength(1)
    expect((await list('?marker=nope')).status).toBe(400)
    expect((await list('?limit=1', '2.32')).body.hypervisors).toHaveLength(2)
  })

  it('are found by a part of the name, which excludes pages', async () => {
    expect((await list(`?hypervisor_hostname_pattern=${hosts[1]}`)).body.hypervisors).toHaveLength(1)
    expect((await list('?hypervisor_hostname_pattern=moon')).status).toBe(404)
    expect((await list('?hypervisor_hostname_pattern=host&limit=1')).status).toBe(400)
    expect((await call('GET', `/os-hypervisors/${hosts[1]}/search`)).body.hypervisors).toHaveLength(1)
    expect((await call('GET', '/os-hypervisors/moon/search')).status).toBe(404)
    expect((await call('GET', '/os-hypervisors/host/search', { version: '2.53' })).status).toBe(404)
  })

  it('list their servers; an empty list is shown from 2.75', async () => {
    const serversOf = async (version: string) =>
      Object.fromEntries(
        (await list('?with_servers=true', version)).body.hypervisors.map((one: { hypervisor_hostname: string; servers?: unknown[] }) => [
          one.hypervisor_hostname,
          one.servers?.length,
        ]),
      )
    const idle = hosts.find((host) => host !== busyHost) ?? ''
    expect(await serversOf('2.53')).toEqual({ [busyHost]: 1, [idle]: undefined })
    expect(await serversOf('2.75')).toEqual({ [busyHost]: 1, [idle]: 0 })
    expect((await list('?with_servers=perhaps')).status).toBe(400)
    expect((await list('?colour=red', '2.52')).status).toBe(200)
    expect((await list('?colour=red')).status).toBe(400)
  })

  it('count what is used', async () => {
    const { hypervisor_statistics: sum } = (await call('GET', '/os-hypervisors/statistics')).body
    expect(sum).toMatchObject({ count: 2, vcpus: 2000, vcpus_used: 1, running_vms: 1 })
    expect((await call('GET', '/os-hypervisors/statistics', { version: '2.88' })).status).not.toBe(200)
  })

  it('are for administrators', async () => {
    expect((await call('GET', '/os-hypervisors', { as: 'demo' })).status).toBe(403)
  })
})

describe('services', () => {
  beforeEach(async () => {
    for (const { id } of await services('?binary=nova-compute'))
      await call('PUT', `/os-services/${id}`, { version: '2.53', body: { status: 'enabled', forced_down: false } })
  })
  const one = async (host = hosts[0]) => (await services(`?host=${host}&binary=nova-compute`))[0]
  const put = (id: string, body: unknown) => call('PUT', `/os-services/${id}`, { version: '2.53', body })

  it('are found by host and binary', async () => {
    expect((await services()).map(({ binary }: { binary: string }) => binary).sort()).toEqual([
      'nova-compute',
      'nova-compute',
      'nova-conductor',
      'nova-scheduler',
    ])
    expect(await services('?binary=nova-compute&host=moon')).toEqual([])
    expect((await call('GET', '/os-services?colour=red', { version: '2.75' })).status).toBe(400)
  })

  it('are switched off with a reason, and on again without', async () => {
    const { id } = await one()
    expect((await put(id, { status: 'disabled', disabled_reason: 'test2' })).body.service).toMatchObject({
      status: 'disabled',
      disabled_reason: 'test2',
    })
    expect((await put(id, { status: 'disabled', disabled_reason: ' ' })).body.service).toMatchObject({ disabled_reason: ' ' })
    expect((await put(id, { status: 'enabled' })).body.service).toMatchObject({ status: 'enabled', disabled_reason: null })
  })

  it('are down when they are said to be', async () => {
    const { id } = await one()
    expect((await put(id, { forced_down: true })).body.service).toMatchObject({ state: 'down', forced_down: true })
    expect((await put(id, { forced_down: 'false' })).body.service).toMatchObject({ state: 'up', forced_down: false })
  })

  it.each([
    ['nothing', {}],
    ['a reason without switching off', { status: 'enabled', disabled_reason: 'x' }],
    ['a reason alone', { disabled_reason: 'x' }],
    ['an unknown status', { status: 'sleepy' }],
    ['an unknown key', { status: 'enabled', colour: 'red' }],
  ])('refuse %s', async (_what, body) => {
    const { id } = await one()
    expect((await put(id, body)).status).toBe(400)
  })

  it('of other kinds cannot be changed', async () => {
    const [scheduler] = await services('?binary=nova-scheduler')
    expect((await put(scheduler.id, { status: 'disabled' })).status).toBe(400)
    expect((await put('1', { status: 'disabled' })).status).toBe(400)
    expect((await put('70a599e0-31e7-49b7-b260-868f441e862b', { status: 'disabled' })).status).toBe(404)
  })

  it('have four verbs up to 2.52', async () => {
    const body = { host: hosts[0], binary: 'nova-compute' }
    const verb = (name: string, more: object = {}, version = '2.11') =>
      call('PUT', `/os-services/${name}`, { version, body: { ...body, ...more } })
    expect((await verb('disable')).body.service.status).toBe('disabled')
    expect((await verb('disable-log-reason')).status).toBe(400)
    expect((await verb('disable-log-reason', { disabled_reason: 'test2' })).body.service.disabled_reason).toBe('test2')
    expect((await verb('enable')).body.service.status).toBe('enabled')
    expect((await verb('force-down', { forced_down: true }, '2.10')).status).toBe(404)
    expect((await verb('force-down', { forced_down: true })).body.service).toEqual({ ...body, forced_down: true })
    expect((await verb('enable', { host: 'moon' })).status).toBe(404)
    expect((await verb('enable', {}, '2.53')).status).toBe(404)
  })

  it('cannot be deleted while they host servers; then hypervisor and provider go too', async () => {
    const busy = await one(busyHost)
    expect((await call('DELETE', `/os-services/${busy.id}`, { version: '2.53' })).status).toBe(409)
    const idleHost = hosts.find((host) => host !== busyHost) ?? ''
    const idle = await one(idleHost)
    expect((await call('DELETE', `/os-services/${idle.id}`, { version: '2.53' })).status).toBe(204)
    expect((await call('DELETE', `/os-services/${idle.id}`, { version: '2.53' })).status).toBe(404)
    expect((await call('GET', '/os-hypervisors')).body.hypervisors).toHaveLength(1)
    const providers = (await cloud.call('GET', '/placement/resource_providers')).body.resource_providers
    expect(providers.map(({ name }: { name: string }) => name)).toEqual([busyHost])
  })
})

describe('zones', () => {
  it('show names to all, hosts to administrators', async () => {
    expect((await call('GET', '/os-availability-zone', { as: 'demo' })).body.availabilityZoneInfo).toEqual([
      { zoneName: 'nova', zoneState: { available: true }, hosts: null },
    ])
    expect((await call('GET', '/os-availability-zone/detail', { as: 'demo' })).status).toBe(403)
    const detail = (await call('GET', '/os-availability-zone/detail')).body.availabilityZoneInfo
    expect(detail.map(({ zoneName }: { zoneName: string }) => zoneName)).toEqual(['internal', 'nova'])
    expect(detail[1].hosts[busyHost]['nova-compute']).toMatchObject({ active: true, available: true })
  })

  it('are not available when all their services are off', async () => {
    const ids = (await services('?binary=nova-compute')).map(({ id }: { id: string }) => id)
    const all = (status: string) =>
      Promise.all(ids.map((id: string) => call('PUT', `/os-services/${id}`, { version: '2.53', body: { status } })))
    await all('disabled')
    expect((await call('GET', '/os-availability-zone')).body.availabilityZoneInfo[0].zoneState.available).toBe(false)
    expect((await call('GET', '/os-availability-zone/detail')).body.availabilityZoneInfo[1].hosts).toBeNull()
    await all('enabled')
  })
})
