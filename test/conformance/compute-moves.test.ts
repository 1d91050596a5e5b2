/** Moves between hosts without running: cold migration, resize to another host, evacuation, and where a shelved server wakes up. */
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import type { FakeDriver } from '../../src/nova/virt/fake/index.ts'
import { type CloudCall, startTestCloud, type TestCloud } from '../support/cloud.ts'
import { type Sample, samplesIn, samplesMissing, shapeDifferences } from '../support/samples.ts'

let cloud: TestCloud
let hosts: string[]
let image: string
let id: string
const compute = '/compute/v2.1'
const call = (method: string, path: string, options: CloudCall = {}) =>
  cloud.call(method, `${compute}${path}`, { version: '2.80', ...options })
const act = async (body: Record<string, unknown>, options: CloudCall = {}) => {
  const answer = await call('POST', `/servers/${id}/action`, { body, ...options })
  await cloud.settle()
  return answer
}
const show = async () => (await call('GET', `/servers/${id}`)).body.server
const hostNow = async (): Promise<string> => (await show())['OS-EXT-SRV-ATTR:host']
const migrations = async (query = '') => (await call('GET', `/os-migrations?instance_uuid=${id}${query}`)).body.migrations
const actions = async () => (await call('GET', `/servers/${id}/os-instance-actions`)).body.instanceActions
const elsewhere = async () => {
  const now = await hostNow()
  return hosts.filter((host) => host !== now)
}
const driver = (host: string) => cloud.cloud.drivers.find((each) => each.host === host) as FakeDriver
/** Hosts that have a guest of the server. */
const guestsOn = async () => {
  const found = await Promise.all(hosts.map(async (host) => ((await driver(host).info(id)) ? host : null)))
  return found.filter((host) => host !== null)
}
const ports = async () => (await cloud.call('GET', `/network/v2.0/ports?device_id=${id}`)).body.ports
/** What each consumer holds: the server, and its migration while it holds anything. */
const allocations = async (consumer = id) => {
  const headers = { 'openstack-api-version': 'placement 1.38' }
  return (await cloud.call('GET', `/placement/allocations/${consumer}`, { headers })).body.allocations as Record<string, unknown>
}
async function service(host: string) {
  return (await call('GET', `/os-services?binary=nova-compute&host=${host}`)).body.services[0]
}
async function forceDown(host: string, forced_down: boolean): Promise<void> {
  await call('PUT', `/os-services/${(await service(host)).id}`, { body: { forced_down } })
}
async function until(holds: () => Promise<boolean>): Promise<void> {
  for (let i = 0; i < 100; i += 1) {
    if (await holds()) return
    await new Promise((resolve) => setImmediate(resolve))
    await cloud.settle()
  }
  throw new Error('it never came to be')
}
async function make(over: object = {}, hints: object = {}): Promise<string> {
  const server = { name: 'web1', imageRef: image, flavorRef: '42', networks: 'auto', ...over }
  const answer = await call('POST', '/servers', { body: { server, ...hints } })
  expect(answer.status, answer.text).toBe(202)
  await cloud.settle()
  return answer.body.server.id
}

beforeAll(async () => {
  cloud = await startTestCloud({ flags: { 'fake.hosts': '3', 'quota.instances': '-1', 'quota.cores': '-1', 'quota.ram': '-1' } })
  hosts = cloud.cloud.drivers.map(({ host }) => host)
  image = (await cloud.call('GET', '/image/v2/images?name=tiny')).body.images[0].id
})
beforeEach(async () => {
  id = await make()
  return async () => {
    for (const host of hosts) await forceDown(host, false)
    await call('DELETE', `/servers/${id}`)
    await cloud.settle()
    await until(async () => (await guestsOn()).length === 0)
    expect(await allocations()).toEqual({})
  }
})
afterAll(() => cloud[Symbol.asyncDispose]())

describe('a cold migration', () => {
  it('goes to another host and waits to be confirmed', async () => {
    const source = await hostNow()
    const [before] = await ports()
    const answer = await act({ migrate: null }, { version: '2.1' })
    expect([answer.status, answer.text]).toEqual([202, ''])
    const destination = await hostNow()
    expect(destination).not.toBe(source)
    expect(await show()).toMatchObject({ status: 'VERIFY_RESIZE', 'OS-EXT-STS:power_state': 1, 'OS-EXT-STS:task_state': null })
    expect((await guestsOn()).sort()).toEqual([source, destination].sort())
    const [migration] = await migrations()
    expect(migration).toMatchObject({
      status: 'finished',
      migration_type: 'migration',
      source_compute: source,
      dest_compute: destination,
      dest_node: destination,
      dest_host: expect.stringMatching(/^[\d.]+$/),
    })
    expect(migration.old_instance_type_id).toBe(migration.new_instance_type_id)
    expect(Object.keys(await allocations())).toHaveLength(1)
    expect(Object.keys(await allocations(migration.uuid))).toHaveLength(1)
    const [after] = await ports()
    expect(after).toMatchObject({
      id: before.id,
      fixed_ips: before.fixed_ips,
      mac_address: before.mac_address,
      'binding:host_id': destination,
    })

    expect((await act({ confirmResize: null })).status).toBe(204)
    expect(await show()).toMatchObject({ status: 'ACTIVE', 'OS-EXT-SRV-ATTR:host': destination })
    expect(await guestsOn()).toEqual([destination])
    expect(await allocations(migration.uuid)).toEqual({})
    expect(await migrations('&status=confirmed')).toHaveLength(1)
    expect((await actions()).map(({ action }: { action: string }) => action)).toEqual(['confirmResize', 'migrate', 'create'])
  })

  it('tells its steps and their hosts', async () => {
    const source = await hostNow()
    await act({ migrate: null })
    const [{ request_id }] = await actions()
    const { events } = (await call('GET', `/servers/${id}/os-instance-actions/${request_id}`)).body.instanceAction
    const told = events.map(({ event, host, result }: Record<string, string>) => [event, host, result])
    const destination = await hostNow()
    expect(told).toEqual([
      ['compute_finish_resize', destination, 'Success'],
      ['compute_resize_instance', source, 'Success'],
      ['compute_prep_resize', destination, 'Success'],
      ['cold_migrate', 'host1', 'Success'],
      ['conductor_migrate_server', 'host1', 'Success'],
    ])
  })

  it('of a stopped server leaves it stopped, and is reverted', async () => {
    const source = await hostNow()
    await act({ 'os-stop': null })
    await act({ migrate: null })
    expect(await show()).toMatchObject({ status: 'VERIFY_RESIZE', 'OS-EXT-STS:power_state': 4 })
    const [{ uuid }] = await migrations()
    const answer = await act({ revertResize: null })
    expect([answer.status, answer.text]).toEqual([202, ''])
    expect(await show()).toMatchObject({ status: 'SHUTOFF', 'OS-EXT-SRV-ATTR:host': source })
    expect(await guestsOn()).toEqual([source])
    expect((await ports())[0]['binding:host_id']).toBe(source)
    expect(await allocations(uuid)).toEqual({})
    expect((await migrations())[0]).toMatchObject({ status: 'reverted' })
    expect((await act({ 'os-start': null })).status).toBe(202)
    expect(await show()).toMatchObject({ status: 'ACTIVE' })
  })

  it('goes to the host that is named from 2.56 on', async () => {
    const source = await hostNow()
    const [, wanted = ''] = await elsewhere()
    expect((await act({ migrate: { host: wanted } }, { version: '2.56' })).status).toBe(202)
    expect(await hostNow()).toBe(wanted)
    await act({ confirmResize: null })
    expect((await act({ migrate: { host: wanted } })).body.badRequest.message).toBe('Cannot migrate to the host where the server exists.')
    expect((await act({ migrate: { host: 'moon' } })).body.badRequest.message).toBe('Compute host moon could not be found.')
    expect((await act({ migrate: { host: source } }, { version: '2.55' })).status).toBe(202)
  })

  it.each([{ migrate: {}, more: 1 }, { migrate: { host: '' } }, { migrate: { host: 'a', more: 1 } }, { migrate: 'x' }])(
    'does not take %j from 2.56 on',
    async (body) => {
      expect((await act(body)).status).toBe(400)
    },
  )

  it('is for managers of the project, and naming a host for administrators', async () => {
    const made = await call('POST', '/servers', {
      as: 'demo',
      body: { server: { name: 'own', imageRef: image, flavorRef: '42', networks: 'none' } },
    })
    await cloud.settle()
    const path = `/servers/${made.body.server.id}`
    expect((await call('POST', `${path}/action`, { body: { migrate: null }, as: 'demo' })).status).toBe(403)
    expect((await call('POST', `${path}/action`, { body: { evacuate: {} }, as: 'demo', version: '2.95' })).status).toBe(403)
    await call('DELETE', path)
    await cloud.settle()
  })

  it('that every host refuses leaves the server where it was', async () => {
    const source = await hostNow()
    for (const host of await elsewhere()) driver(host).failNext('arrive', 'no-resources')
    expect((await act({ migrate: null })).status).toBe(202)
    expect(await show()).toMatchObject({ status: 'ACTIVE', 'OS-EXT-SRV-ATTR:host': source, 'OS-EXT-STS:power_state': 1 })
    expect(await guestsOn()).toEqual([source])
    const [migration] = await migrations()
    expect(migration.status).toBe('error')
    expect(await allocations(migration.uuid)).toEqual({})
    expect(Object.keys(await allocations())).toHaveLength(1)
    expect((await actions())[0]).toMatchObject({ action: 'migrate', message: 'Error' })
  })

  it('for which there is no other host says so', async () => {
    for (const host of await elsewhere()) await call('PUT', `/os-services/${(await service(host)).id}`, { body: { status: 'disabled' } })
    expect((await act({ migrate: null })).status).toBe(202)
    const [{ request_id }] = await actions()
    const { events } = (await call('GET', `/servers/${id}/os-instance-actions/${request_id}`, { version: '2.84' })).body.instanceAction
    expect(events[0]).toMatchObject({ event: 'cold_migrate', result: 'Error' })
    expect(events[0].details).toContain('ComputeFilter')
    for (const host of hosts) await call('PUT', `/os-services/${(await service(host)).id}`, { body: { status: 'enabled' } })
    expect(await show()).toMatchObject({ status: 'ACTIVE' })
  })

  it('needs its own host to be up', async () => {
    await forceDown(await hostNow(), true)
    for (const body of [{ migrate: null }, { resize: { flavorRef: '84' } }]) {
      const answer = await act(body)
      expect([answer.status, answer.body.conflictingRequest.message]).toEqual([409, 'Service is unavailable at this time.'])
    }
    expect(await show()).toMatchObject({ status: 'ACTIVE', 'OS-EXT-STS:task_state': null })
  })

  it('is followed by a rebuild where the server is now', async () => {
    await act({ migrate: null })
    await act({ confirmResize: null })
    const destination = await hostNow()
    expect((await act({ rebuild: { imageRef: image } })).status).toBe(202)
    expect(await show()).toMatchObject({ status: 'ACTIVE', 'OS-EXT-SRV-ATTR:host': destination })
    expect(await guestsOn()).toEqual([destination])
  })

  it('is found by its hosts, its kind and its state', async () => {
    const source = await hostNow()
    await act({ migrate: null })
    const destination = await hostNow()
    const count = async (query: string) => (await migrations(query)).length
    expect(await count(`&host=${source}`)).toBe(1)
    expect(await count(`&host=${destination}`)).toBe(1)
    expect(await count(`&source_compute=${source}`)).toBe(1)
    expect(await count(`&source_compute=${destination}`)).toBe(0)
    expect(await count('&migration_type=migration&status=finished')).toBe(1)
    expect(await count('&migration_type=resize')).toBe(0)
    const keys = async (version: string) =>
      Object.keys((await call('GET', `/os-migrations?instance_uuid=${id}`, { version })).body.migrations[0])
    expect(await keys('2.22')).not.toContain('migration_type')
    expect(await keys('2.23')).toContain('migration_type')
    expect(await keys('2.58')).not.toContain('uuid')
    expect(await keys('2.59')).toContain('uuid')
    expect(await keys('2.79')).not.toContain('user_id')
    expect(await keys('2.80')).toEqual(expect.arrayContaining(['user_id', 'project_id']))
  })

  it('keeps a compute service from being removed until it is ended', async () => {
    const source = await hostNow()
    await act({ migrate: null })
    const answer = await call('DELETE', `/os-services/${(await service(source)).id}`)
    expect([answer.status, answer.body.conflictingRequest?.message]).toEqual([
      409,
      'Unable to delete compute service that has in-progress migrations. Complete the migrations or delete the instances first.',
    ])
  })

  it('is left by a deletion without a trace', async () => {
    await act({ migrate: null })
    const [{ uuid }] = await migrations()
    await call('DELETE', `/servers/${id}`)
    await cloud.settle()
    expect(await guestsOn()).toEqual([])
    expect(await allocations(uuid)).toEqual({})
    expect(await ports()).toEqual([])
  })
})

describe('an evacuation', () => {
  const lose = async () => {
    const source = await hostNow()
    await forceDown(source, true)
    return source
  }

  it('needs a host that is down', async () => {
    const source = await hostNow()
    const answer = await act({ evacuate: {} })
    expect([answer.status, answer.body.badRequest.message]).toEqual([400, `Compute service of ${source} is still in use.`])
    expect(await show()).toMatchObject({ status: 'ACTIVE', 'OS-EXT-STS:task_state': null })
  })

  it('builds the server again elsewhere, and is complete when the lost host is back', async () => {
    const [before] = await ports()
    const source = await lose()
    const answer = await act({ evacuate: {} }, { version: '2.94' })
    expect([answer.status, answer.text]).toEqual([200, ''])
    const destination = await hostNow()
    expect(destination).not.toBe(source)
    expect(await show()).toMatchObject({ id, status: 'ACTIVE' })
    const [after] = await ports()
    expect(after).toMatchObject({ id: before.id, fixed_ips: before.fixed_ips, 'binding:host_id': destination })
    expect((await migrations())[0]).toMatchObject({
      status: 'done',
      migration_type: 'evacuation',
      source_compute: source,
      dest_compute: destination,
    })
    expect(Object.keys(await allocations())).toHaveLength(2)
    await forceDown(source, false)
    await until(async () => (await migrations())[0].status === 'completed')
    expect(await guestsOn()).toEqual([destination])
    expect(Object.keys(await allocations())).toHaveLength(1)
    expect((await actions())[0]).toMatchObject({ action: 'evacuate', message: null })
  })

  it('leaves the server stopped from 2.95 on, and a stopped one always', async () => {
    await lose()
    expect((await act({ evacuate: {} }, { version: '2.95' })).status).toBe(200)
    expect(await show()).toMatchObject({ status: 'SHUTOFF', 'OS-EXT-STS:power_state': 4 })
    await lose()
    await act({ evacuate: {} }, { version: '2.94' })
    expect(await show()).toMatchObject({ status: 'SHUTOFF' })
  })

  it('answers the password up to 2.13', async () => {
    await lose()
    const answer = await act({ evacuate: { onSharedStorage: 'False', adminPass: 'MySecretPass' } }, { version: '2.1' })
    expect([answer.status, answer.body]).toEqual([200, { adminPass: 'MySecretPass' }])
    await lose()
    const made = await act({ evacuate: { onSharedStorage: false } }, { version: '2.13' })
    expect(made.body.adminPass).toMatch(/^\w{8,}$/)
  })

  it.each<[Record<string, unknown>, string, number, string]>([
    [{ onSharedStorage: true, adminPass: 'x' }, '2.13', 400, "admin password can't be changed on existing disk"],
    [{ force: true }, '2.29', 400, "Can't force to a non-provided destination"],
    [{ host: 'moon' }, '2.68', 404, 'Compute host moon not found.'],
  ])('%j at %s is refused with %i', async (evacuate, version, status, message) => {
    await lose()
    const answer = await act({ evacuate }, { version })
    expect([answer.status, (answer.body.badRequest ?? answer.body.itemNotFound).message]).toEqual([status, message])
  })

  it.each([
    [{}, '2.13'],
    [{ onSharedStorage: 'False' }, '2.14'],
    [{ force: true }, '2.28'],
    [{ host: 'a', force: false }, '2.68'],
    [{ host: '' }, '2.1'],
  ])('%j is not taken at %s', async (evacuate, version) => {
    expect((await act({ evacuate }, { version })).status).toBe(400)
  })

  it('to the host where the server is makes no sense', async () => {
    const source = await lose()
    expect((await act({ evacuate: { host: source } })).body.badRequest.message).toBe("The target host can't be the same one.")
  })

  it('asks the scheduler about a named host, unless forced', async () => {
    await lose()
    const [full = '', other = ''] = await elsewhere()
    await call('PUT', `/os-services/${(await service(full)).id}`, { body: { status: 'disabled' } })
    await act({ evacuate: { host: full } })
    expect(await show()).toMatchObject({ status: 'ERROR', fault: { message: expect.stringContaining('No valid host was found.') } })
    await act({ evacuate: { host: full, force: true } }, { version: '2.67' })
    expect(await show()).toMatchObject({ status: 'ACTIVE', 'OS-EXT-SRV-ATTR:host': full })
    await call('PUT', `/os-services/${(await service(full)).id}`, { body: { status: 'enabled' } })
    expect(other).not.toBe(full)
  })

  it('lets a lost host be removed', async () => {
    const source = await lose()
    await act({ evacuate: {} })
    const others = (await call('GET', '/servers/detail?all_tenants=1')).body.servers
    expect(others.filter((each: Record<string, string>) => each['OS-EXT-SRV-ATTR:host'] === source)).toEqual([])
    expect((await call('DELETE', `/os-services/${(await service(source)).id}`)).status).toBe(204)
    expect(Object.keys(await allocations())).toHaveLength(1)
    for (const manager of [driver(source)]) await manager.destroy(id)
    hosts = hosts.filter((host) => host !== source)
  })
})

describe('a shelved server', () => {
  it('wakes up on the host that is named', async () => {
    await act({ shelve: null })
    expect(await show()).toMatchObject({ status: 'SHELVED_OFFLOADED', 'OS-EXT-SRV-ATTR:host': null })
    for (const host of hosts) {
      expect((await act({ unshelve: { host } }, { version: '2.91' })).status).toBe(202)
      expect(await show()).toMatchObject({ status: 'ACTIVE', 'OS-EXT-SRV-ATTR:host': host })
      expect(await guestsOn()).toEqual([host])
      expect((await ports())[0]['binding:host_id']).toBe(host)
      await act({ shelve: null })
    }
    const [host = ''] = hosts
    await act({ unshelve: { host } }, { version: '2.91' })
  })

  it('wakes up in the zone that is named, and stays there until it is let go', async () => {
    const [host = ''] = await elsewhere()
    const wish = { aggregate: { name: 'far', availability_zone: 'far' } }
    const { aggregate } = (await call('POST', '/os-aggregates', { body: wish })).body
    expect((await call('POST', `/os-aggregates/${aggregate.id}/action`, { body: { add_host: { host } } })).status).toBe(200)
    await act({ shelve: null })
    expect((await act({ unshelve: { availability_zone: 'far' } }, { version: '2.77' })).status).toBe(202)
    expect(await show()).toMatchObject({ status: 'ACTIVE', 'OS-EXT-SRV-ATTR:host': host, 'OS-EXT-AZ:availability_zone': 'far' })
    await act({ migrate: null })
    expect(await show()).toMatchObject({ status: 'ACTIVE', 'OS-EXT-SRV-ATTR:host': host })
    await act({ shelve: null })
    expect((await act({ unshelve: { availability_zone: null } }, { version: '2.91' })).status).toBe(202)
    const [wanted = ''] = await elsewhere()
    await act({ migrate: { host: wanted } })
    expect(await show()).toMatchObject({ status: 'VERIFY_RESIZE', 'OS-EXT-SRV-ATTR:host': wanted })
  })
})

const samplesOf = (folder: string): [string, Sample][] =>
  samplesMissing ? [] : samplesIn(folder).map((sample) => [`${sample.file} ${sample.version}`, sample])

describe.skipIf(samplesMissing)('the samples', () => {
  it.each(samplesOf('os-migrate-server').filter(([name]) => name.startsWith('migrate-server')))(
    '%s',
    async (_name, { document, version }) => {
      const body = structuredClone(document) as { migrate: { host: string } | null }
      if (body.migrate) body.migrate.host = (await elsewhere())[0] ?? ''
      expect((await act(body, { version })).status).toBe(202)
      expect(await show()).toMatchObject({ status: 'VERIFY_RESIZE' })
    },
  )

  it.each(samplesOf('os-evacuate').filter(([name]) => name.includes('-req')))('%s', async (name, { document, version }) => {
    await forceDown(await hostNow(), true)
    const body = structuredClone(document) as { evacuate: { host?: string } }
    if (body.evacuate.host !== undefined) body.evacuate.host = (await elsewhere())[0] ?? ''
    const answer = await act(body, { version })
    expect(answer.status, answer.text).toBe(200)
    const sample = samplesOf('os-evacuate').find(([other]) => other === name.replace('-req', '-resp'))
    if (sample) expect(shapeDifferences(sample[1].document, answer.body)).toEqual([])
    else expect(answer.text).toBe('')
    expect((await show()).status).toBe(version === '2.95' ? 'SHUTOFF' : 'ACTIVE')
  })

  it.each(samplesOf('os-migrations'))('%s', async (_name, { document, version }) => {
    await act({ migrate: null })
    const answer = await call('GET', '/os-migrations', { version })
    expect(shapeDifferences(document, answer.body, { optional: ['links', 'migrations_links'] })).toEqual([])
  })
})
