/** Live migration: asked for in every version, watched, aborted, hurried and refused, between pretended hosts and on a clock moved by hand. */
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { manualClock } from '../../src/base/clock.ts'
import type { FakeDriver } from '../../src/nova/virt/fake/index.ts'
import { type CloudCall, startTestCloud, type TestCloud } from '../support/cloud.ts'
import { type Sample, samplesIn, samplesMissing, shapeDifferences } from '../support/samples.ts'

let cloud: TestCloud
let image: string
let id: string
let hosts: string[]
const clock = manualClock(Date.UTC(2031, 4, 17, 12))
const call = (method: string, path: string, options: CloudCall = {}) =>
  cloud.call(method, `/compute/v2.1${path}`, { version: '2.80', ...options })
const act = (body: unknown, options: CloudCall = {}) => call('POST', `/servers/${id}/action`, { body, ...options })
const show = async (options: CloudCall = {}) => (await call('GET', `/servers/${id}`, options)).body.server
const hostNow = async (): Promise<string> => (await show())['OS-EXT-SRV-ATTR:host']
const running = async (options: CloudCall = {}) => (await call('GET', `/servers/${id}/migrations`, options)).body.migrations
const latest = async (options: CloudCall = {}) => (await call('GET', `/os-migrations?instance_uuid=${id}`, options)).body.migrations[0]
const anywhere = { 'os-migrateLive': { host: null, block_migration: 'auto' } }

/** Time stands still until then. */
async function until(holds: () => Promise<boolean>): Promise<void> {
  for (let turns = 0; turns < 300; turns += 1) {
    if (await holds()) return
    await new Promise((resolve) => setImmediate(resolve))
  }
  throw new Error('it never came to be')
}
const reaches = (status: string) => until(async () => (await latest())?.status === status)
/** A migration that is half done; its number. */
async function halfWay(body: unknown = anywhere, options: CloudCall = {}): Promise<number> {
  const answer = await act(body, options)
  expect([answer.status, answer.text]).toEqual([202, ''])
  await reaches('running')
  await clock.advance('30 s')
  return (await running())[0].id
}
async function finish(): Promise<void> {
  await clock.advance('2 min')
  await cloud.settle()
}
async function make(over: object = {}): Promise<string> {
  const server = { name: 'web1', imageRef: image, flavorRef: '42', networks: 'auto', ...over }
  const answer = await call('POST', '/servers', { body: { server } })
  expect(answer.status, answer.text).toBe(202)
  await cloud.settle()
  return answer.body.server.id
}
async function forceDown(host: string, forced_down: boolean): Promise<void> {
  const { id: service } = (await call('GET', `/os-services?binary=nova-compute&host=${host}`)).body.services[0]
  expect((await call('PUT', `/os-services/${service}`, { body: { forced_down } })).status).toBe(200)
}

beforeAll(async () => {
  cloud = await startTestCloud({
    clock,
    flags: { 'fake.hosts': '3', 'fake.live_migration_delay_ms': '60000', 'token.expiration': '864000' },
  })
  image = (await cloud.call('GET', '/image/v2/images?name=tiny')).body.images[0].id
  hosts = (await call('GET', '/os-hypervisors')).body.hypervisors.map((one: { hypervisor_hostname: string }) => one.hypervisor_hostname)
})
afterAll(() => cloud[Symbol.asyncDispose]())
beforeEach(async () => {
  id = await make()
})
afterEach(async () => {
  await call('DELETE', `/servers/${id}`)
  await finish()
})

describe('a live migration', () => {
  it('is shown while it goes on, and the server goes on elsewhere afterwards', async () => {
    const source = await hostNow()
    const heard: string[] = []
    const end = cloud.cloud.ground.queue.subscribe('notification.instance', ({ type }) => heard.push(type.slice(22)))
    const number = await halfWay()
    expect(await show()).toMatchObject({
      status: 'MIGRATING',
      progress: 50,
      'OS-EXT-STS:task_state': 'migrating',
      'OS-EXT-STS:vm_state': 'active',
      'OS-EXT-SRV-ATTR:host': source,
    })
    const [migration] = await running()
    const mib = 1024 ** 2
    expect(migration).toMatchObject({
      id: number,
      server_uuid: id,
      status: 'running',
      source_compute: source,
      memory_total_bytes: 192 * mib,
      memory_processed_bytes: 96 * mib,
      memory_remaining_bytes: 96 * mib,
      disk_remaining_bytes: 512 * mib,
    })
    expect((await call('GET', `/servers/${id}/migrations/${number}`)).body).toEqual({ migration })
    await finish()
    end()
    expect(await show()).toMatchObject({ status: 'ACTIVE', 'OS-EXT-STS:task_state': null, 'OS-EXT-SRV-ATTR:host': migration.dest_compute })
    expect(migration.dest_compute).not.toBe(source)
    const ports = (await cloud.call('GET', `/network/v2.0/ports?device_id=${id}`)).body.ports
    expect(ports.map((port: Record<string, unknown>) => port['binding:host_id'])).toEqual([migration.dest_compute])
    expect(await running()).toEqual([])
    expect((await call('GET', `/servers/${id}/migrations/${number}`)).status).toBe(404)
    expect(await latest()).toMatchObject({ id: number, status: 'completed', migration_type: 'live-migration' })
    expect(heard).toEqual(['live_migration_pre.start', 'live_migration_post.end'])
    const [action] = (await call('GET', `/servers/${id}/os-instance-actions`)).body.instanceActions
    expect(action).toMatchObject({ action: 'live-migration', message: null })
    const { events } = (await call('GET', `/servers/${id}/os-instance-actions/${action.request_id}`)).body.instanceAction
    const destination = migration.dest_compute
    expect(events.map(({ event, host, result }: Record<string, string>) => [event, host, result])).toEqual([
      ['compute_post_live_migration_at_destination', destination, 'Success'],
      ['compute_pre_live_migration', destination, 'Success'],
      ['compute_live_migration', source, 'Success'],
      ['compute_check_can_live_migrate_source', source, 'Success'],
      ['conductor_live_migrate_instance', 'host1', 'Success'],
    ])
  })

  it('has links in the list of all while it goes on, from 2.23', async () => {
    const number = await halfWay()
    const { links } = await latest({ version: '2.23' })
    expect(links.map(({ rel, href }: { rel: string; href: string }) => [rel, new URL(href).pathname])).toEqual([
      ['self', `/compute/v2.1/servers/${id}/migrations/${number}`],
      ['bookmark', `/compute/servers/${id}/migrations/${number}`],
    ])
    expect(await latest({ version: '2.22' })).not.toHaveProperty('links')
    await finish()
    expect(await latest()).not.toHaveProperty('links')
  })

  it('of a paused server, which stays paused', async () => {
    await act({ pause: null })
    await cloud.settle()
    const number = await halfWay()
    expect(await show()).toMatchObject({ status: 'MIGRATING', 'OS-EXT-STS:vm_state': 'paused' })
    const forced = await call('POST', `/servers/${id}/migrations/${number}/action`, { body: { force_complete: null } })
    expect(forced.body.conflictingRequest.message).toBe(`Cannot 'force_complete' instance ${id} while it is in vm_state paused`)
    await finish()
    expect(await show()).toMatchObject({ status: 'PAUSED', 'OS-EXT-STS:power_state': 3 })
  })

  it('ends at once when it is forced to complete', async () => {
    const number = await halfWay()
    const path = `/servers/${id}/migrations/${number}/action`
    const answer = await call('POST', path, { body: { force_complete: null }, version: '2.22' })
    expect([answer.status, answer.text]).toEqual([202, ''])
    await reaches('completed')
    const again = await call('POST', path, { body: { force_complete: null } })
    expect(again.body.conflictingRequest.message).toBe(`Cannot 'force_complete' instance ${id} while it is in task_state None`)
    expect((await call('POST', path, { body: { force_complete: {} } })).status).toBe(400)
  })

  it('is aborted while it runs, from 2.24', async () => {
    const source = await hostNow()
    const path = `/servers/${id}/migrations/${await halfWay()}`
    expect((await call('DELETE', path, { version: '2.23' })).status).toBe(404)
    const answer = await call('DELETE', path, { version: '2.24' })
    expect([answer.status, answer.text]).toEqual([202, ''])
    await reaches('cancelled')
    await cloud.settle()
    expect(await show()).toMatchObject({ status: 'ACTIVE', 'OS-EXT-SRV-ATTR:host': source })
    expect((await call('DELETE', path)).body.conflictingRequest.message).toBe(
      `Cannot 'abort live migration' instance ${id} while it is in task_state None`,
    )
    const { instanceActions } = (await call('GET', `/servers/${id}/os-instance-actions`)).body
    expect(instanceActions.slice(0, 2).map(({ action }: { action: string }) => action)).toEqual(['live_migration_cancel', 'live-migration'])
  })

  it('is aborted while it waits, from 2.65', async () => {
    const first = id
    const second = await make({ availability_zone: `nova:${await hostNow()}` })
    await halfWay()
    id = second
    await act(anywhere)
    await reaches('queued')
    const [{ id: number }] = await running()
    const path = `/servers/${id}/migrations/${number}`
    const early = await call('DELETE', path, { version: '2.64' })
    expect(early.body.badRequest.message).toBe(
      `Migration ${number} state of instance ${id} is queued. Cannot abort live migration while the migration is in this state.`,
    )
    const hurried = await call('POST', `${path}/action`, { body: { force_complete: null } })
    expect(hurried.body.badRequest.message).toContain('is queued. Cannot force complete')
    expect((await call('DELETE', path, { version: '2.65' })).status).toBe(202)
    await reaches('cancelled')
    await call('DELETE', `/servers/${first}`)
  })

  it('is of no server but its own', async () => {
    const number = await halfWay()
    const other = await call('POST', '/servers', { body: { server: { name: 'web2', imageRef: image, flavorRef: '42', networks: 'auto' } } })
    for (const path of [
      `/servers/${id}/migrations/${number + 1}`,
      `/servers/${id}/migrations/one`,
      `/servers/${other.body.server.id}/migrations/${number}`,
    ])
      expect((await call('GET', path)).status, path).toBe(404)
    expect((await call('DELETE', `/servers/${id}/migrations/${number + 1}`)).status).toBe(404)
    expect((await call('POST', `/servers/${id}/migrations/${number + 1}/action`, { body: { force_complete: null } })).status).toBe(400)
    await call('DELETE', `/servers/${other.body.server.id}`)
  })

  it('leaves nothing of a server that is deleted meanwhile', async () => {
    await halfWay()
    expect((await call('DELETE', `/servers/${id}`)).status).toBe(204)
    await cloud.settle()
    for (const driver of cloud.cloud.drivers) expect((await driver.inventory()).guests).not.toContain(id)
    const headers = { 'openstack-api-version': 'placement 1.38' }
    const { uuid } = await latest()
    for (const consumer of [id, uuid])
      expect((await cloud.call('GET', `/placement/allocations/${consumer}`, { headers })).body.allocations).toEqual({})
  })
})

describe('where it goes', () => {
  const elsewhere = async () => {
    const now = await hostNow()
    return hosts.filter((host) => host !== now)
  }
  const to = (host: string | null, over: object = {}) => ({ 'os-migrateLive': { host, block_migration: 'auto', ...over } })

  it.each(['2.29', '2.30', '2.67', '2.80'])('is the host that is asked for, at %s', async (version) => {
    const host = (await elsewhere()).at(-1) ?? ''
    await halfWay(to(host), { version })
    await finish()
    expect(await hostNow()).toBe(host)
  })

  it('is looked at before the answer, up to 2.33', async () => {
    const now = await hostNow()
    const others = await elsewhere()
    const refused = async (body: unknown, version = '2.33') => {
      const answer = await act(body, { version })
      expect(answer.status, answer.text).toBe(400)
      return answer.body.badRequest.message
    }
    expect(await refused(to(now))).toBe(`Unable to migrate instance (${id}) to current host (${now}).`)
    for (const host of others) await forceDown(host, true)
    expect(await refused(to(null))).toMatch(/^No valid host was found\./)
    expect(await refused(to(others[0] ?? ''), '2.25')).toBe(`Compute service of ${others[0]} is unavailable at this time.`)
    expect(await refused(to(others[0] ?? '', { force: true }))).toBe(`Compute service of ${others[0]} is unavailable at this time.`)
    expect(await refused(to(others[0] ?? '', { force: false }))).toMatch(/^No valid host was found\./)
    for (const host of others) await forceDown(host, false)
    await forceDown(now, true)
    expect(await refused(to(null))).toBe(`Compute service of ${now} is unavailable at this time.`)
    await forceDown(now, false)
    expect(await latest()).toBeUndefined()
    expect(await show()).toMatchObject({ status: 'ACTIVE', 'OS-EXT-STS:task_state': null })
  })

  it('is looked at after the answer, from 2.34', async () => {
    const now = await hostNow()
    expect((await act(to(now), { version: '2.34' })).status).toBe(202)
    await reaches('error')
    await cloud.settle()
    expect(await show()).toMatchObject({ status: 'ACTIVE', 'OS-EXT-SRV-ATTR:host': now })
    expect((await call('GET', `/servers/${id}/os-instance-actions`)).body.instanceActions[0]).toMatchObject({
      action: 'live-migration',
      message: 'Error',
    })
  })

  it.each(['2.1', '2.33', '2.34', '2.80'])('is a host that there is, at %s', async (version) => {
    const body = version === '2.1' ? to('nowhere', { block_migration: false, disk_over_commit: false }) : to('nowhere')
    const answer = await act(body, { version })
    expect(answer.body.badRequest.message).toBe('Compute host nowhere could not be found.')
  })

  it('stays the old one when the copy fails', async () => {
    const now = await hostNow()
    for (const driver of cloud.cloud.drivers as FakeDriver[]) driver.failNext('receive')
    await halfWay()
    await finish()
    expect(await latest()).toMatchObject({ status: 'failed' })
    expect(await show()).toMatchObject({ status: 'ACTIVE', 'OS-EXT-SRV-ATTR:host': now })
  })
})

describe('what is asked', () => {
  const whole = { host: null, block_migration: false, disk_over_commit: false }
  it.each<[string, object]>([
    ['2.1', { host: null, block_migration: false }],
    ['2.24', { host: null, block_migration: 'auto', disk_over_commit: false }],
    ['2.24', { ...whole, host: 7 }],
    ['2.24', { ...whole, host: 'a b' }],
    ['2.25', whole],
    ['2.25', { host: null }],
    ['2.25', { host: null, block_migration: 'automatic' }],
    ['2.25', { block_migration: 'auto' }],
    ['2.29', { host: null, block_migration: 'auto', force: false }],
    ['2.30', { host: null, block_migration: 'auto', force: true }],
    ['2.30', { host: null, block_migration: 'auto', force: 'perhaps' }],
    ['2.68', { host: null, block_migration: 'auto', force: false }],
  ])('at %s is not %j', async (version, asked) => {
    expect((await act({ 'os-migrateLive': asked }, { version })).status).toBe(400)
  })

  it.each<[string, string]>([
    ['stopped', 'os-stop'],
    ['suspended', 'suspend'],
  ])('is not of a server that is %s', async (state, action) => {
    await act({ [action]: null })
    await cloud.settle()
    expect((await act(anywhere)).body.conflictingRequest.message).toBe(
      `Cannot 'os-migrateLive' instance ${id} while it is in vm_state ${state}`,
    )
  })

  it('is not asked twice at a time', async () => {
    await halfWay()
    expect((await act(anywhere)).body.conflictingRequest.message).toBe(
      `Cannot 'os-migrateLive' instance ${id} while it is in task_state migrating`,
    )
  })
})

describe('who may', () => {
  it('is a manager of the project, who does not see hosts and names none', async () => {
    const as = 'demo'
    const server = { name: 'web3', imageRef: image, flavorRef: '42', networks: 'auto' }
    id = (await call('POST', '/servers', { as, body: { server } })).body.server.id
    await cloud.settle()
    expect((await act(anywhere, { as })).status).toBe(403)
    for (const [method, path] of [
      ['GET', ''],
      ['GET', '/1'],
      ['DELETE', '/1'],
    ] as const)
      expect((await call(method, `/servers/${id}/migrations${path}`, { as })).status).toBe(403)
    const hurry = (number: number) => call('POST', `/servers/${id}/migrations/${number}/action`, { as, body: { force_complete: null } })
    expect((await hurry(1)).status).toBe(403)

    const list = async (path: string) => (await cloud.call('GET', `/identity/v3/${path}`)).body
    const role = (await list('roles?name=manager')).roles[0].id
    const user = (await list('users?name=demo')).users[0].id
    const project = (await list('projects?name=demo')).projects[0].id
    const grant = `/identity/v3/projects/${project}/users/${user}/roles/${role}`
    expect((await cloud.call('PUT', grant)).status).toBe(204)
    const auth = {
      identity: { methods: ['password'], password: { user: { id: user, password: cloud.cloud.credentials.demoPassword } } },
      scope: { project: { id: project } },
    }
    const token = (await cloud.call('POST', '/identity/v3/auth/tokens', { body: { auth } })).headers.get('x-subject-token') ?? ''
    const manager = { as, headers: { 'x-auth-token': token } } as const
    expect((await act({ 'os-migrateLive': { host: hosts[0], block_migration: 'auto' } }, manager)).status).toBe(403)
    expect((await act(anywhere, manager)).status).toBe(202)
    await reaches('running')
    const [migration] = await running(manager)
    expect(migration).toMatchObject({ status: 'running', source_compute: null, dest_compute: null, dest_host: null, source_node: null })
    expect((await call('GET', `/servers/${id}/migrations/${migration.id}`, manager)).status).toBe(403)
    await act({ lock: null })
    expect((await call('DELETE', `/servers/${id}/migrations/${migration.id}`, manager)).body.conflictingRequest.message).toBe(
      `Instance ${id} is locked`,
    )
    await act({ unlock: null })
    expect((await call('DELETE', `/servers/${id}/migrations/${migration.id}`, manager)).status).toBe(202)
    await reaches('cancelled')
  })
})

describe.skipIf(samplesMissing)('samples', () => {
  const named = (sample: Sample) => [`${sample.folder}/${sample.file} ${sample.version}`, sample] as const
  const of = (folder: string, file: RegExp) => (samplesMissing ? [] : samplesIn(folder).filter((sample) => file.test(sample.file)))

  it.each([...of('os-migrate-server', /^live/), ...of('server-migrations', /^live/)].map(named))(
    '%s',
    async (_name, { document, version }) => {
      const asked = (document as Record<string, { host: string | null }>)['os-migrateLive']
      const now = await hostNow()
      const host = asked?.host ? hosts.find((each) => each !== now) : null
      await halfWay({ 'os-migrateLive': { ...asked, host } }, { version })
    },
  )

  it.each(of('server-migrations', /^migrations/).map(named))('%s', async (_name, { document, version, file }) => {
    const number = await halfWay()
    const path = `/servers/${id}/migrations${file.includes('index') ? '' : `/${number}`}`
    const answer = await call('GET', path, { version })
    expect(answer.status).toBe(200)
    expect(shapeDifferences(document, answer.body)).toEqual([])
  })

  it('of the list of all migrations', async () => {
    await halfWay()
    for (const version of ['2.23', '2.59', '2.80']) {
      const [sample] = samplesIn('os-migrations').filter((one) => one.version === version && one.file === 'migrations-get.json')
      const { migrations } = (sample?.document ?? { migrations: [] }) as { migrations: object[] }
      const wanted = migrations.filter((one) => 'links' in one)
      expect(shapeDifferences(wanted, [await latest({ version })])).toEqual([])
    }
  })
})
