/**
 * What no client should send: bodies and queries bent out of shape. The answer is never a fault of the server, a refusal
 * changes nothing, and no text of a client comes out as more than a text where hypervisor and network are told of it.
 */
import fc from 'fast-check'
import { XMLParser, XMLValidator } from 'fast-xml-parser'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { ComputeDriver, GuestSpec } from '../../src/nova/virt/index.ts'
import { domainXml } from '../../src/nova/virt/libvirt/domain-xml.ts'
import { startTestCloud, type TestCloud } from '../support/cloud.ts'

let cloud: TestCloud
let image: string
let network: string
let id: string
let token: string
/** What the hypervisor was asked for. */
const spawned: GuestSpec[] = []
const compute = '/compute/v2.1'
const runs = 300

beforeAll(async () => {
  cloud = await startTestCloud({ flags: { 'quota.instances': '20', 'quota.cores': '-1', 'quota.ram': '-1' } })
  const driver = cloud.cloud.drivers[0] as { spawn: ComputeDriver['spawn'] }
  const spawn = driver.spawn
  driver.spawn = (spec, ...rest) => {
    spawned.push(spec)
    return spawn.call(driver, spec, ...rest)
  }
  token = await cloud.token('demo')
  image = (await cloud.call('GET', '/image/v2/images?name=tiny')).body.images[0].id
  network = (await cloud.call('GET', '/network/v2.0/networks?name=private')).body.networks[0].id
  id = (await send('POST', '/servers', { server: { name: 'kept', imageRef: image, flavorRef: '42' } })).body.server.id
  await cloud.settle()
})
afterAll(() => cloud[Symbol.asyncDispose]())

async function send(method: string, path: string, body?: unknown, version = '2.1') {
  return await cloud.call(method, `${compute}${path}`, { as: 'demo', version, ...(body === undefined ? {} : { body }) })
}
/** Sends the bytes as they are. */
async function sendRaw(path: string, bytes: string | Uint8Array<ArrayBuffer>) {
  const headers = { 'x-auth-token': token, 'content-type': 'application/json', 'openstack-api-version': 'compute 2.90' }
  const response = await cloud.cloud.server.fetch(
    new Request(`http://cloud.test${compute}${path}`, { method: 'POST', headers, body: bytes }),
  )
  return { status: response.status, text: await response.text() }
}

const db = () => cloud.cloud.ground.db
const count = (): number => db().prepare<{ n: number }>('SELECT count(*) AS n FROM instances WHERE deleted = 0').get()?.n ?? 0
const traces = (): string =>
  JSON.stringify([
    db().prepare('SELECT count(*) AS n FROM instance_metadata').all(),
    db().prepare('SELECT count(*) AS n FROM instance_actions').all(),
    db().prepare('SELECT count(*) AS n FROM request_specs').all(),
    db().prepare('SELECT count(*) AS n FROM tags').all(),
  ])
/** All that is written of the server that is kept. */
const state = (): string =>
  JSON.stringify([
    db().prepare('SELECT * FROM instances WHERE uuid = ?').all(id),
    db().prepare('SELECT key, value FROM instance_metadata WHERE instance_uuid = ? AND deleted = 0 ORDER BY key').all(id),
    db().prepare('SELECT tag FROM tags WHERE resource_id = ? ORDER BY tag').all(id),
  ])
async function removeOthers(): Promise<void> {
  await cloud.settle()
  for (const { uuid } of db().prepare<{ uuid: string }>('SELECT uuid FROM instances WHERE deleted = 0 AND uuid != ?').all(id))
    await cloud.call('DELETE', `${compute}/servers/${uuid}`)
  await cloud.settle()
}

const nested = (depth: number): unknown => Array.from({ length: depth }).reduce((inner) => [inner], 'x')
const text = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 40 }),
  fc.string({ maxLength: 300 }),
  fc.constantFrom(
    '',
    ' ',
    'a\nb',
    'a\r\nb',
    '\u0000',
    'a\u0085b',
    'a\u2028b',
    '\ud800',
    '\u202eabc',
    "'; DROP TABLE instances; --",
    '</name><uuid>x</uuid>',
    ']]>',
    '&amp;',
    '%s%n',
    '../../etc/passwd',
    '__proto__',
    'constructor',
    'x'.repeat(256),
    'é'.repeat(255),
    '😀',
  ),
)
const number = fc.oneof(
  fc.double(),
  fc.integer(),
  fc.nat(5),
  fc.constantFrom(0, -1, 1e21, 2 ** 31, 2 ** 53, -(2 ** 63), Number.MAX_VALUE, 1e-7),
)
const anything = fc.oneof(
  text,
  number,
  fc.boolean(),
  fc.constant(null),
  fc.jsonValue({ maxDepth: 3 }),
  fc.integer({ min: 1, max: 70 }).map(nested),
)

type Json = unknown
/** Puts a value at a place of a document, removes what is there, or adds a key. */
function bend(document: Json, steps: readonly number[], value: Json, how: 'set' | 'remove' | 'add', name: string): Json {
  const [step = 0, ...rest] = steps
  if (typeof document !== 'object' || document === null) return how === 'remove' ? undefined : value
  const entries = Object.entries(document)
  if (rest.length === 0 || entries.length === 0) {
    if (how === 'add') return Array.isArray(document) ? [...document, value] : Object.fromEntries([...entries, [name, value]])
    if (entries.length === 0) return value
  }
  const at = step % entries.length
  const changed = entries.flatMap(([key, inner], i): [string, Json][] => {
    if (i !== at) return [[key, inner]]
    if (rest.length === 0 && how === 'remove') return []
    return [[key, rest.length === 0 ? value : bend(inner, rest, value, how, name)]]
  })
  return Array.isArray(document) ? changed.map(([, inner]) => inner) : Object.fromEntries(changed)
}
const bends = fc.array(
  fc.record({
    steps: fc.array(fc.nat(30), { minLength: 1, maxLength: 4 }),
    value: anything,
    how: fc.constantFrom('set', 'set', 'remove', 'add'),
    name: fc.oneof(text, fc.constantFrom('tags', 'host', 'hostname', 'personality', 'key_name', 'min_count', 'trusted_image_certificates')),
  }),
  { minLength: 1, maxLength: 3 },
)
const bent = (document: Json, changes: typeof bends extends fc.Arbitrary<infer T> ? T : never): Json =>
  changes.reduce<Json>((at, { steps, value, how, name }) => bend(at, steps, value, how as 'set', name), document)
const versions = fc.constantFrom('2.1', '2.19', '2.37', '2.52', '2.63', '2.74', '2.90', '2.94', '2.100', '2.104')

const whole = (version: string) => {
  const since = (minor: number, more: object) => (Number(version.slice(2)) >= minor ? more : {})
  return {
    server: {
      name: 'web1',
      imageRef: image,
      flavorRef: '42',
      networks: [{ uuid: network }],
      metadata: { role: 'db' },
      security_groups: [{ name: 'default' }],
      availability_zone: 'nova',
      config_drive: false,
      min_count: 1,
      max_count: 1,
      user_data: 'aGVsbG8=',
      accessIPv4: '1.2.3.4',
      'OS-DCF:diskConfig': 'AUTO',
      block_device_mapping_v2: [{ source_type: 'image', destination_type: 'local', uuid: image, boot_index: 0 }],
      ...since(19, { description: 'a text' }),
      ...since(52, { tags: ['a'] }),
      ...since(63, { trusted_image_certificates: ['a'] }),
      ...since(90, { hostname: 'web1' }),
    },
    'os:scheduler_hints': { build_near_host_ip: '10.0.0.1' },
  }
}

describe('POST /servers', () => {
  it('refuses or makes a server, and a refusal leaves nothing', async () => {
    let made = 0
    await fc.assert(
      fc.asyncProperty(versions, bends, async (version, changes) => {
        const before = [count(), traces()]
        const body = bent(whole(version), changes)
        const answer = await send('POST', '/servers', body ?? null, version)
        expect([202, 400, 403, 404, 409], `${JSON.stringify(body)?.slice(0, 2000)} ${answer.text}`).toContain(answer.status)
        if (answer.status === 202) {
          made += 1
          await removeOthers()
        } else expect([count(), traces()]).toEqual(before)
      }),
      { numRuns: runs },
    )
    expect(made).toBeGreaterThan(0)
  }, 120_000)

  it.each<[string, string | Uint8Array<ArrayBuffer>]>([
    ['no JSON', '{'],
    ['nothing', ''],
    ['a text', '"x"'],
    ['null', 'null'],
    ['a number that is none', '{"server": {"name": NaN}}'],
    ['a number beyond all', '{"server": {"name": "x", "min_count": 1e999}}'],
    ['bytes that are no UTF-8', Uint8Array.from([0x7b, 0xff, 0xfe, 0x7d])],
    ['half a surrogate', '{"server": {"name": "\\ud800", "imageRef": "x", "flavorRef": "1"}}'],
    ['100,000 brackets', '['.repeat(100_000)],
    ['10,000 objects', '{"server":'.repeat(10_000)],
    ['a prototype', '{"__proto__": {"server": {}}, "server": {"__proto__": {"name": "x"}}}'],
    ['too much', `{"server": {"name": "${'x'.repeat(200_000)}"}}`],
  ])('refuses %s', async (_what, bytes) => {
    const before = count()
    const { status, text: said } = await sendRaw('/servers', bytes)
    expect([400, 413], said).toContain(status)
    expect(said.length).toBeLessThan(2000)
    expect(count()).toBe(before)
  })

  it.each(['a\nb', 'a\rb', 'a\u0000b', 'a\u007fb', 'a\u0085b', 'a\u2028b', 'a\u200bb', '\ud800', '\n', ' a', 'a\t'])(
    'refuses the name %j',
    async (name) => {
      const before = count()
      expect((await send('POST', '/servers', { server: { ...whole('2.1').server, name } })).status).toBe(400)
      expect((await send('PUT', `/servers/${id}`, { server: { name } })).status).toBe(400)
      expect(count()).toBe(before)
    },
  )
})

describe('without a quota', () => {
  it.each(['9'.repeat(400), '1001', 1e21, 2 ** 31])('%s servers at once are too many', async (min_count) => {
    const project = (await cloud.call('GET', '/identity/v3/auth/projects', { as: 'demo' })).body.projects[0].id
    await cloud.call('PUT', `${compute}/os-quota-sets/${project}`, { body: { quota_set: { instances: -1 } } })
    const answer = await send('POST', '/servers', { server: { ...whole('2.1').server, min_count, max_count: min_count } })
    expect([answer.status, count()]).toEqual([400, 1])
    await cloud.call('DELETE', `${compute}/os-quota-sets/${project}`)
  })
})

describe('what hypervisor and network are told', () => {
  const settings = {
    cloud: 'minicloud',
    arch: 'x86_64',
    domainType: 'qemu',
    machineType: 'pc-q35-7.2',
    cpu: { mode: 'maximum', model: null },
    cacheMode: 'none',
    discard: 'unmap',
    pciePorts: 1,
    maxQueues: 0,
    rngDevice: '/dev/urandom',
    tbCacheMib: 32,
    firmware: null,
    vncSocket: '/run/vnc',
    serialSocket: '/run/serial',
    serialLog: '/run/log',
    keepBaseOwner: true,
    spice: null,
  } as const

  it('is one line a name, whatever the client wrote', async () => {
    const parser = new XMLParser({ ignoreAttributes: false })
    let made = 0
    await fc.assert(
      fc.asyncProperty(text, text, text, async (name, description, value) => {
        const body = { server: { ...whole('2.19').server, name, description, metadata: { a: value } } }
        const answer = await send('POST', '/servers', body, '2.19')
        expect([202, 400], answer.text).toContain(answer.status)
        if (answer.status !== 202) return
        made += 1
        await cloud.settle()
        const spec = spawned.at(-1) as GuestSpec
        const xml = domainXml(spec, [], settings)
        expect(XMLValidator.validate(xml)).toBe(true)
        const { domain } = parser.parse(xml)
        expect([domain.uuid, domain.name]).toEqual([answer.body.server.id, expect.stringMatching(/^minicloud-instance-[0-9a-f]{8}$/)])
        expect(xml.replace(/>\n\s*</g, '><').trim()).not.toMatch(/[\u0000-\u001f\u007f-\u009f\u2028\u2029]/)
        const port = db().prepare<{ dns_name: string }>('SELECT dns_name FROM ports WHERE device_id = ?').get(spec.uuid)
        expect(port?.dns_name).toMatch(/^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/)
        await removeOthers()
      }),
      { numRuns: 150 },
    )
    expect(made).toBeGreaterThan(5)
  }, 120_000)
})

describe('a server that is there', () => {
  const action = { reboot: { type: 'SOFT' } }
  const requests = [
    ['PUT', '', { server: { name: 'kept', accessIPv4: '1.2.3.4', accessIPv6: '', 'OS-DCF:diskConfig': 'AUTO' } }],
    ['POST', '/action', action],
    ['POST', '/action', { 'os-getConsoleOutput': { length: 5 } }],
    ['POST', '/action', { 'os-getVNCConsole': { type: 'novnc' } }],
    ['POST', '/action', { pause: null }],
    ['POST', '/remote-consoles', { remote_console: { protocol: 'vnc', type: 'novnc' } }],
    ['POST', '/metadata', { metadata: { a: 'b' } }],
    ['PUT', '/metadata', { metadata: { a: 'b' } }],
    ['PUT', '/metadata/a', { meta: { a: 'b' } }],
    ['PUT', '/tags', { tags: ['a', 'b'] }],
  ] as const

  it.each(requests)(
    '%s %s: refuses or changes, and a refusal changes nothing',
    async (method, path, body) => {
      await fc.assert(
        fc.asyncProperty(versions, bends, async (version, changes) => {
          const before = state()
          const sent = bent(body, changes)
          const answer = await send(method, `/servers/${id}${path}`, sent ?? null, version)
          expect(answer.status, `${JSON.stringify(sent)?.slice(0, 2000)} ${answer.text}`).toBeLessThan(500)
          if (answer.status >= 300) expect(state()).toBe(before)
          await cloud.settle()
          if (path === '/action' && answer.status === 202) await send('POST', `/servers/${id}/action`, { unpause: null })
          await cloud.settle()
        }),
        { numRuns: 100 },
      )
    },
    60_000,
  )

  it('is found by its id alone', async () => {
    await fc.assert(
      fc.asyncProperty(fc.oneof(text, fc.constantFrom(`${''}%00`, '..', '%2e%2e', 'detail/', '*')), versions, async (word, version) => {
        const encoded = encodeURIComponent(word.toWellFormed())
        for (const method of ['GET', 'DELETE'])
          expect((await send(method, `/servers/${encoded === '' ? '_' : encoded}`, undefined, version)).status).toBeLessThan(500)
        expect((await send('GET', `/servers/${id}/metadata/${encoded || '_'}`, undefined, version)).status).toBeLessThan(500)
        expect((await send('PUT', `/servers/${id}/tags/${encoded || '_'}`, undefined, '2.26')).status).toBeLessThan(500)
        await send('PUT', `/servers/${id}/tags`, { tags: [] }, '2.26')
      }),
      { numRuns: runs },
    )
    expect(count()).toBe(1)
  }, 60_000)
})

describe('GET /servers', () => {
  const names = fc.oneof(
    fc.constantFrom(
      ...['name', 'status', 'image', 'flavor', 'ip', 'ip6', 'reservation_id', 'changes-since', 'changes-before', 'all_tenants', 'limit'],
      ...['marker', 'sort_key', 'sort_dir', 'tags', 'tags-any', 'not-tags', 'not-tags-any', 'locked', 'availability_zone', 'power_state'],
      ...[
        'deleted',
        'soft_deleted',
        'host',
        'uuid',
        'project_id',
        'tenant_id',
        'user_id',
        'metadata',
        'created_at',
        'hostname',
        'task_state',
      ],
    ),
    text,
  )
  const values = fc.oneof(
    text,
    fc.constantFrom(
      '1',
      '-1',
      '0',
      'true',
      'nope',
      '(',
      '(a+)+$',
      '[a-',
      '\\',
      '.*',
      '^',
      '$',
      '(?=x)',
      'a{99999}',
      '%',
      '_',
      '2026-01-01',
      '9e99',
    ),
    fc.constantFrom('ACTIVE', 'deleted', 'created_at', 'uuid', 'asc', 'desc', '10.0.0.1', '::1', "' OR 1=1 --"),
  )

  it('answers or refuses, soon, and never another project', async () => {
    await cloud.call('POST', `${compute}/servers`, { body: { server: { name: 'of-admin', imageRef: image, flavorRef: '42' } } })
    await cloud.settle()
    await fc.assert(
      fc.asyncProperty(
        versions,
        fc.constantFrom('/servers', '/servers/detail'),
        fc.array(fc.tuple(names, values), { maxLength: 5 }),
        async (version, path, pairs) => {
          const query = pairs
            .map(([name, value]) => `${encodeURIComponent(name.toWellFormed())}=${encodeURIComponent(value.toWellFormed())}`)
            .join('&')
          for (const as of ['demo', 'admin'] as const) {
            const started = performance.now()
            const answer = await cloud.call('GET', `${compute}${path}?${query}`, { as, version })
            expect(answer.status, `${query} ${answer.text}`).toBeLessThan(500)
            expect(performance.now() - started).toBeLessThan(1500)
            if (as === 'demo' && answer.status === 200) expect(answer.text).not.toContain('of-admin')
          }
        },
      ),
      { numRuns: runs },
    )
  }, 60_000)
})
