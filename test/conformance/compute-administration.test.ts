/** Usage, its audit, hosts, migrations and other services' events over HTTP, on two pretended hosts and a clock moved by hand. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { manualClock } from '../../src/base/clock.ts'
import { type CloudCall, startTestCloud, type TestCloud } from '../support/cloud.ts'
import { samplesIn, samplesMissing, shapeDifferences } from '../support/samples.ts'

let cloud: TestCloud
let image: string
let live: string
let gone: string
let project: string
const start = Date.UTC(2031, 4, 17, 12)
const hour = 3_600_000
const clock = manualClock(start)
const unknown = '70a599e0-31e7-49b7-b260-868f441e862b'
const call = (method: string, path: string, options: CloudCall = {}) => cloud.call(method, `/compute/v2.1${path}`, options)
const at = (ms: number) => new Date(ms).toISOString().slice(0, 19)
const boot = async (name: string): Promise<string> => {
  const { server } = (await call('POST', '/servers', { body: { server: { name, imageRef: image, flavorRef: '1' } } })).body
  await cloud.settle()
  return server.id
}

beforeAll(async () => {
  cloud = await startTestCloud({ flags: { 'fake.hosts': '2', 'token.expiration': '864000' }, clock })
  image = (await cloud.call('GET', '/image/v2/images?name=tiny')).body.images[0].id
  gone = await boot('gone')
  live = await boot('live')
  project = (await call('GET', `/servers/${live}`)).body.server.tenant_id
  await clock.advance(hour)
  await call('DELETE', `/servers/${gone}`)
  await cloud.settle()
  await clock.advance(hour)
})
afterAll(() => cloud[Symbol.asyncDispose]())

describe('usage of projects', () => {
  const period = `start=${at(start - hour)}&end=${at(start + 2 * hour)}`
  const usage = (query = period, options: CloudCall = {}) => call('GET', `/os-simple-tenant-usage?${query}`, options)
  const one = (query = period, options: CloudCall = {}) => call('GET', `/os-simple-tenant-usage/${project}?${query}`, options)

  it('counts hours of each server, deleted ones for as long as they ran', async () => {
    const { tenant_usage: found } = (await one()).body
    expect(found.total_hours).toBeCloseTo(3, 2)
    expect(found.total_vcpus_usage).toBeCloseTo(3, 2)
    expect(found.total_memory_mb_usage).toBeCloseTo(3 * 512, 0)
    expect(found.total_local_gb_usage).toBeCloseTo(3, 2)
    const servers = Object.fromEntries(found.server_usages.map((server: { name: string }) => [server.name, server]))
    expect(servers.gone).toMatchObject({ state: 'terminated', instance_id: gone, uptime: 3600, ended_at: expect.any(String) })
    expect(servers.live).toMatchObject({ state: 'active', ended_at: null, uptime: 7200, flavor: 'm1.tiny', tenant_id: project })
  })

  it('counts what lies in the period alone', async () => {
    const total = async (from: number, to: number) => (await one(`start=${at(from)}&end=${at(to)}`)).body.tenant_usage.total_hours
    expect(await total(start - 2 * hour, start - hour)).toBeUndefined()
    expect(await total(start + 1.5 * hour, start + 2 * hour)).toBeCloseTo(0.5, 3)
    expect(await total(start + 1.5 * hour, start + 9 * hour)).toBeCloseTo(0.5, 3)
  })

  it('lists servers when asked for details', async () => {
    expect((await usage()).body.tenant_usages[0]).not.toHaveProperty('server_usages')
    expect((await usage(`${period}&detailed=1`)).body.tenant_usages[0].server_usages).toHaveLength(2)
    expect((await usage('')).body.tenant_usages).toMatchObject([{ total_hours: 0 }])
  })

  it('comes in pages from 2.40', async () => {
    const first = (await usage(`${period}&detailed=1&limit=1`, { version: '2.40' })).body
    const [
      {
        server_usages: [{ instance_id: marker }],
      },
    ] = first.tenant_usages
    expect(first.tenant_usages_links[0].href).toContain(`marker=${marker}`)
    const second = (await usage(`${period}&detailed=1&limit=1&marker=${marker}`, { version: '2.40' })).body
    expect(new Set([marker, second.tenant_usages[0].server_usages[0].instance_id])).toEqual(new Set([live, gone]))
    const beyond = await usage(`${period}&marker=${second.tenant_usages[0].server_usages[0].instance_id}`, { version: '2.40' })
    expect(beyond.body).toEqual({ tenant_usages: [] })
    expect((await usage(`${period}&marker=${unknown}`, { version: '2.40' })).status).toBe(400)
    expect((await usage(`${period}&limit=1`)).body.tenant_usages_links).toBeUndefined()
  })

  it.each([
    'start=yesterday',
    `start=${at(start)}&end=${at(start - hour)}`,
    `start=${at(start)}&end=${at(start)}`,
    `start=${at(start + 9 * hour)}`,
  ])('refuses %s', async (query) => {
    expect((await usage(query)).status).toBe(400)
    expect((await one(query)).status).toBe(400)
  })

  it('is shown to the project itself, and listed to administrators', async () => {
    const demo = { as: 'demo' } as const
    const own = (await cloud.call('GET', '/identity/v3/auth/projects', demo)).body.projects[0].id
    expect((await usage(period, demo)).status).toBe(403)
    expect((await one(period, demo)).status).toBe(403)
    expect((await call('GET', `/os-simple-tenant-usage/${own}?${period}`, demo)).body).toEqual({ tenant_usage: {} })
    expect((await usage('colour=red', { version: '2.75' })).status).toBe(400)
  })
})

describe('the audit of usage', () => {
  const log = async () => (await call('GET', '/os-instance_usage_audit_log')).body.instance_usage_audit_logs

  it('has run nowhere unless the option says so', async () => {
    expect(await log()).toMatchObject({
      period_beginning: '2031-04-01 00:00:00',
      period_ending: '2031-05-01 00:00:00',
      num_hosts: 2,
      num_hosts_not_run: 2,
      overall_status: '0 of 2 hosts done. 0 errors.',
      log: {},
    })
  })

  it('is of the period before a time', async () => {
    const before = (text: string) => call('GET', `/os-instance_usage_audit_log/${encodeURIComponent(text)}`)
    expect((await before('2030-01-10 10:00:00.5')).body.instance_usage_audit_log.period_beginning).toBe('2029-12-01 00:00:00')
    expect((await before('2030-01-10')).status).toBe(400)
    expect((await before('2030-01-10T10:00:00')).status).toBe(400)
    expect((await call('GET', '/os-instance_usage_audit_log', { as: 'demo' })).status).toBe(403)
  })
})

describe('hosts, up to 2.42', () => {
  const version = '2.42'
  const computeHost = async (): Promise<string> => (await call('GET', '/os-hosts?service=compute', { version })).body.hosts[0].host_name

  it('are listed with their services', async () => {
    const list = async (query: string) => (await call('GET', `/os-hosts${query}`, { version })).body.hosts
    expect((await list('')).map(({ service }: { service: string }) => service).sort()).toEqual([
      'compute',
      'compute',
      'conductor',
      'scheduler',
    ])
    expect(await list('?zone=nova')).toHaveLength(2)
    expect((await call('GET', '/os-hosts', { version: '2.43' })).status).toBe(404)
    expect((await call('GET', '/os-hosts', { as: 'demo' })).status).toBe(403)
  })

  it('show what they have and who uses it', async () => {
    const name = (await call('GET', `/servers/${live}`)).body.server['OS-EXT-SRV-ATTR:host']
    const rows = (await call('GET', `/os-hosts/${name}`, { version })).body.host.map(({ resource }: { resource: object }) => resource)
    expect(rows[0]).toMatchObject({ host: name, project: '(total)', cpu: 1000 })
    expect(rows.slice(2)).toEqual([
      { host: name, project: '(used_max)', cpu: 1, memory_mb: 512, disk_gb: 1 },
      { host: name, project, cpu: 1, memory_mb: 512, disk_gb: 1 },
    ])
    expect((await call('GET', '/os-hosts/moon', { version })).status).toBe(404)
  })

  const put = (host: string, body: object) => call('PUT', `/os-hosts/${host}`, { version, body })

  it('are switched off and on, and maintained', async () => {
    const host = await computeHost()
    expect((await put(host, { status: 'disable' })).body).toEqual({ host, status: 'disabled' })
    expect((await call('GET', `/os-services?host=${host}&binary=nova-compute`)).body.services[0].status).toBe('disabled')
    expect((await put(host, { maintenance_mode: 'Enable' })).body).toEqual({ host, maintenance_mode: 'on_maintenance' })
    const [sample] = samplesMissing ? [] : samplesIn('os-hosts').filter(({ file }) => file === 'host-put-maintenance-req.json')
    const both = await put(host, (sample?.document as object | undefined) ?? { status: 'enable', maintenance_mode: 'disable' })
    expect(both.body).toEqual({ host, status: 'enabled', maintenance_mode: 'off_maintenance' })
    for (const body of [{}, { status: 'sleepy' }, { maintenance_mode: 'x' }, { colour: 'red' }])
      expect((await put(host, body)).status).toBe(400)
    expect((await put('moon', { maintenance_mode: 'enable' })).status).toBe(404)
  })

  it.each(['reboot', 'shutdown', 'startup'])('can be told: %s', async (action) => {
    const host = await computeHost()
    expect((await call('GET', `/os-hosts/${host}/${action}`, { version })).body).toEqual({ host, power_action: action })
    expect((await call('GET', `/os-hosts/moon/${action}`, { version })).status).toBe(404)
    expect((await call('GET', `/os-hosts/${host}/${action}`, { version: '2.43' })).status).toBe(404)
    expect((await call('GET', `/os-hosts/${host}/${action}`, { version, as: 'demo' })).status).toBe(403)
  })

  it('without such a hypervisor answer 501, and change nothing', async () => {
    const host = await computeHost()
    const driver = cloud.cloud.drivers.find((one) => one.host === host) as { hostControl?: unknown }
    const control = driver.hostControl
    driver.hostControl = undefined
    expect((await call('GET', `/os-hosts/${host}/reboot`, { version })).status).toBe(501)
    expect((await put(host, { status: 'disable', maintenance_mode: 'enable' })).status).toBe(501)
    expect((await call('GET', `/os-services?host=${host}&binary=nova-compute`)).body.services[0].status).toBe('enabled')
    driver.hostControl = control
  })

  it('that are down are not asked: 400', async () => {
    const host = await computeHost()
    const force = (forced_down: boolean) =>
      call('PUT', '/os-services/force-down', { version: '2.11', body: { host, binary: 'nova-compute', forced_down } })
    await force(true)
    expect((await call('GET', `/os-hosts/${host}/reboot`, { version })).status).toBe(400)
    expect((await put(host, { maintenance_mode: 'enable' })).status).toBe(400)
    await force(false)
  })
})

describe('migrations', () => {
  const list = async (query = '', options: CloudCall = {}) => (await call('GET', `/os-migrations${query}`, options)).body.migrations
  let first: string

  beforeAll(async () => {
    for (const flavorRef of ['2', '3']) {
      await call('POST', `/servers/${live}/action`, { body: { resize: { flavorRef } } })
      await cloud.settle()
      await call('POST', `/servers/${live}/action`, { body: { confirmResize: null } })
      await cloud.settle()
      await clock.advance(60_000)
    }
    first = (await list('', { version: '2.59' })).at(-1).uuid
  })

  it('are listed, the newest first', async () => {
    const found = await list('', { version: '2.80' })
    expect(found).toHaveLength(2)
    expect(found[0]).toMatchObject({ instance_uuid: live, status: 'confirmed', migration_type: 'resize', project_id: project })
    expect(found[0].id).toBeGreaterThan(found[1].id)
  })

  it.each([
    ['?status=confirmed', 2],
    ['?status=error', 0],
    ['?migration_type=resize', 2],
    ['?migration_type=live-migration', 0],
    ['?hidden=0', 2],
    ['?hidden=true', 0],
    [`?instance_uuid=${unknown}`, 0],
    ['?host=moon', 0],
    ['?source_compute=moon', 0],
    [`?user_id=${unknown}`, 0],
    [`?project_id=${unknown}`, 0],
    ['?changes-since=2031-05-17T14:00:30Z', 1],
    ['?changes-before=2031-05-17T14:00:30Z', 1],
  ])('%s finds %i', async (query, count) => {
    expect(await list(query, { version: '2.80' })).toHaveLength(count)
  })

  it('come in pages from 2.59', async () => {
    const page = (await call('GET', '/os-migrations?limit=1', { version: '2.59' })).body
    expect(page.migrations_links[0].href).toContain(`marker=${page.migrations[0].uuid}`)
    expect((await list(`?marker=${page.migrations[0].uuid}`, { version: '2.59' })).map(({ uuid }: { uuid: string }) => uuid)).toEqual([
      first,
    ])
    expect((await call('GET', `/os-migrations?marker=${unknown}`, { version: '2.59' })).status).toBe(400)
    expect((await call('GET', '/os-migrations?colour=red', { version: '2.59' })).status).toBe(400)
    expect((await call('GET', '/os-migrations?colour=red', { version: '2.58' })).status).toBe(200)
    expect((await call('GET', '/os-migrations?hidden=perhaps')).status).toBe(400)
    expect((await call('GET', '/os-migrations?changes-since=now', { version: '2.59' })).status).toBe(400)
  })

  it('are not for members', async () => {
    expect((await call('GET', '/os-migrations', { as: 'demo' })).status).toBe(403)
  })

  it.skipIf(samplesMissing)('look like the samples', async () => {
    for (const { version, document, file } of samplesIn('os-migrations')) {
      const query = file.includes('limit') ? '?limit=1' : ''
      const { body } = await call('GET', `/os-migrations${query}`, { version })
      const optional = ['migrations_links']
      expect(shapeDifferences(document, body, { optional: [...optional, 'links'] }), `${version} ${file}`).toEqual([])
    }
  })
})

describe('events of other services', () => {
  const send = (events: unknown, version = '2.93', options: CloudCall = {}) =>
    call('POST', '/os-server-external-events', { version, body: { events }, ...options })

  it('say for each server what became of it', async () => {
    const event = { name: 'network-changed', server_uuid: live, tag: 'foo', status: 'completed' }
    const all = await send([event])
    expect([all.status, all.body]).toEqual([200, { events: [{ ...event, code: 200 }] }])
    const some = await send([event, { ...event, server_uuid: unknown }, { name: 'volume-extended', server_uuid: live }])
    expect(some.status).toBe(207)
    expect(some.body.events.map(({ code, status }: { code: number; status: string }) => [code, status])).toEqual([
      [200, 'completed'],
      [404, 'failed'],
      [400, 'failed'],
    ])
    expect((await send([{ ...event, server_uuid: unknown }])).status).toBe(207)
  })

  it('have the hypervisor asked for the power state', async () => {
    expect((await send([{ name: 'power-update', server_uuid: live, tag: 'POWER_OFF' }])).status).toBe(200)
    expect((await send([{ name: 'power-update', server_uuid: live, tag: 'sleepy' }])).body.events[0].code).toBe(400)
    await cloud.settle()
    expect((await call('GET', `/servers/${live}`)).body.server.status).toBe('ACTIVE')
  })

  it.each([
    ['nothing', []],
    ['an unknown name', [{ name: 'full-moon', server_uuid: unknown }]],
    ['no server', [{ name: 'network-changed' }]],
    ['what is no id', [{ name: 'network-changed', server_uuid: 'web1' }]],
    ['an unknown status', [{ name: 'network-changed', server_uuid: unknown, status: 'perhaps' }]],
    ['an unknown key', [{ name: 'network-changed', server_uuid: unknown, colour: 'red' }]],
  ])('of %s are refused', async (_what, events) => {
    expect((await send(events)).status).toBe(400)
  })

  it('have names that come with versions, and are for services', async () => {
    const volume = [{ name: 'volume-extended', server_uuid: live, tag: unknown }]
    expect((await send(volume, '2.50')).status).toBe(400)
    expect((await send(volume, '2.51')).status).toBe(200)
    expect((await send(volume, '2.51', { as: 'demo' })).status).toBe(403)
  })
})

describe('assisted snapshots of volumes', () => {
  const path = '/os-assisted-volume-snapshots'
  const snapshot = { volume_id: unknown, create_info: { snapshot_id: unknown, type: 'qcow2', new_file: 'new_file_name', id: unknown } }
  it('find their volume in no server', async () => {
    const post = (body: unknown, options: CloudCall = {}) => call('POST', path, { body: { snapshot: body }, ...options })
    expect((await post(snapshot)).body.badRequest.message).toContain(unknown)
    expect((await post({ volume_id: unknown })).status).toBe(400)
    expect((await post(snapshot, { as: 'demo' })).status).toBe(403)
    const remove = (query: string) => call('DELETE', `${path}/${unknown}${query}`)
    expect((await remove(`?delete_info=${encodeURIComponent(JSON.stringify({ volume_id: unknown }))}`)).status).toBe(404)
    for (const query of ['', '?delete_info=x', '?delete_info={}', '?delete_info=null']) expect((await remove(query)).status).toBe(400)
  })
})

describe.skipIf(samplesMissing)('samples', () => {
  const period = `start=${at(start - hour)}&end=${at(start + 2 * hour)}`
  const host = async () => (await call('GET', '/os-hosts?service=compute', { version: '2.42' })).body.hosts[0].host_name
  const requests: Record<string, (version: string) => Promise<{ body: unknown }>> = {
    'simple-tenant-usage-get.json': (version) =>
      call('GET', `/os-simple-tenant-usage?${period}${version === '2.40' ? '&limit=1' : ''}`, { version }),
    'simple-tenant-usage-get-all.json': (version) => call('GET', `/os-simple-tenant-usage?${period}&detailed=1`, { version }),
    'simple-tenant-usage-get-detail.json': (version) => call('GET', `/os-simple-tenant-usage?${period}&detailed=1&limit=1`, { version }),
    'simple-tenant-usage-get-specific.json': (version) =>
      call('GET', `/os-simple-tenant-usage/${project}?${period}${version === '2.40' ? '&limit=1' : ''}`, { version }),
    'hosts-list-resp.json': (version) => call('GET', '/os-hosts', { version }),
    'host-get-resp.json': async (version) => await call('GET', `/os-hosts/${await host()}`, { version }),
    'inst-usage-audit-log-index-get-resp.json': (version) => call('GET', '/os-instance_usage_audit_log', { version }),
    'inst-usage-audit-log-show-get-resp.json': (version) => call('GET', '/os-instance_usage_audit_log/2012-07-05%2010:00:00', { version }),
    'event-create-resp.json': (version) =>
      call('POST', '/os-server-external-events', {
        version,
        body: { events: [{ name: 'network-changed', status: 'completed', tag: 'foo', server_uuid: live }] },
      }),
  }
  const folders = ['os-simple-tenant-usage', 'os-hosts', 'os-instance-usage-audit-log', 'os-server-external-events']
  const samples = samplesMissing ? [] : folders.flatMap(samplesIn).filter(({ file }) => file in requests)
  it.each(samples.map((sample) => [`${sample.version} ${sample.file}`, sample] as const))('%s', async (_name, sample) => {
    const { body } = await requests[sample.file]!(sample.version)
    expect(shapeDifferences(sample.document, body, { free: ['log'] })).toEqual([])
  })
})
