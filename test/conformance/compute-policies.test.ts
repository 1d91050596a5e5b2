/** Who may do what, over HTTP: the defaults of OpenStack's table, and what an operator's policy.yaml makes of them. */
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { factsMissing, routes } from '../../scripts/api-coverage.ts'
import { type AnyOperation, operationId, PolicyEngine } from '../../src/base/http/index.ts'
import { computeOperations } from '../../src/nova/api/index.ts'
import { policies } from '../../src/nova/api/policy.ts'
import { startTestCloud, type TestCloud } from '../support/cloud.ts'

const operations = new Map((computeOperations as readonly AnyOperation[]).map((operation) => [operationId(operation), operation]))
const routeId = (route: { method: string; path: string; action: string }) =>
  `${route.method} ${route.path}${route.action === '' ? '' : `#${route.action}`}`

/** Rules that the table names and that no handler asks, and why. */
const unasked: Record<string, string> = {
  'os_compute_api:servers:create_image:allow_volume_backed': 'no server boots from a volume',
}

describe.skipIf(factsMissing)('the table of routes', () => {
  const here = factsMissing ? [] : routes().filter((route) => operations.has(routeId(route)) && route.rules.length > 0)
  const engine = new PolicyEngine()
  engine.add(policies)
  const ruleOf = (word: string) => {
    const one = new PolicyEngine()
    one.add({ word })
    return one.known().find(({ name }) => name === 'word')?.text
  }

  it('has rules for most routes', () => expect(here.length).toBeGreaterThan(180))

  it.each(here.map((route) => [`${routeId(route)}`, route] as const))('%s asks its rule, with its default', (_id, route) => {
    const [first = ''] = route.rules
    const asked = operations.get(routeId(route))?.policy
    if (asked) expect(route.rules).toContain(asked)
    // Where anybody may, and no rule says so, the rules are for parts of the answer.
    const text = engine.known().find(({ name }) => name === first)?.text
    if (asked || route.word !== 'any') expect(text).toBe(ruleOf(route.word.replace('admin_or_', '')))
    for (const rule of route.rules) expect(engine.has(rule) || unasked[rule] !== undefined, rule).toBe(true)
  })

  it('names no rule that nobody asks', () => {
    const folder = fileURLToPath(new URL('../../src/nova/api/', import.meta.url))
    const text = readdirSync(folder, { recursive: true, encoding: 'utf8' })
      .filter((name) => name.endsWith('.ts') && name !== 'policy.ts')
      .map((name) => readFileSync(join(folder, name), 'utf8'))
      .join('\n')
    const ofOperations = new Set([...operations.values()].map(({ policy }) => policy))
    const composed = [...text.matchAll(/`((?:os_compute_api|compute):[^`]*)`/g)].map(
      ([, template = '']) => new RegExp(`^${template.replaceAll(/\$\{[^}]*\}/g, '[\\w-]+')}$`),
    )
    const isAsked = (rule: string) => {
      return ofOperations.has(rule) || text.includes(`'${rule}'`) || composed.some((pattern) => pattern.test(rule))
    }
    const named = new Set(here.flatMap(({ rules }) => rules))
    expect([...named].filter((rule) => !isAsked(rule) && unasked[rule] === undefined)).toEqual([])
    expect(Object.keys(unasked).filter((rule) => isAsked(rule) || !named.has(rule))).toEqual([])
  })
})

const names = ['reader', 'member', 'manager', 'operator', 'service'] as const
type Person = (typeof names)[number] | 'admin' | 'other' | 'system' | 'unscoped' | 'nobody'
const everybody: Person[] = ['nobody', 'unscoped', 'reader', 'member', 'manager', 'service', 'other', 'system', 'admin']

const dataDir = mkdtempSync(join(tmpdir(), 'minicloud-policies-'))
let cloud: TestCloud
let server: string
let member: string
let demoProject: string
const tokens: Partial<Record<Person, string>> = {}

async function call(who: Person, method: string, path: string, { body, version }: { body?: unknown; version?: string } = {}) {
  const token = tokens[who]
  const response = await cloud.cloud.server.fetch(
    new Request(`http://cloud.test/compute/v2.1${path}`, {
      method,
      headers: {
        ...(token === undefined ? {} : { 'x-auth-token': token }),
        ...(version === undefined ? {} : { 'openstack-api-version': `compute ${version}` }),
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      },
      body: body === undefined ? null : JSON.stringify(body),
    }),
  )
  const text = await response.text()
  return { status: response.status, body: text === '' ? undefined : JSON.parse(text) }
}

async function signIn(name: string, password: string, scope?: unknown): Promise<string> {
  const identity = { methods: ['password'], password: { user: { name, domain: { id: 'default' }, password } } }
  const answer = await cloud.call('POST', '/identity/v3/auth/tokens', { body: { auth: { identity, scope } } })
  return answer.headers.get('x-subject-token') ?? ''
}

async function boot(who: Person): Promise<string> {
  const image = (await cloud.call('GET', '/image/v2/images?name=tiny')).body.images[0].id
  const made = await call(who, 'POST', '/servers', { body: { server: { name: `of-${who}`, imageRef: image, flavorRef: '42' } } })
  await cloud.settle()
  return made.body.server.id
}

beforeAll(async () => {
  cloud = await startTestCloud({ dataDir })
  const admin = (method: string, path: string, body?: unknown) => cloud.call(method, `/identity/v3${path}`, { body })
  demoProject = (await admin('GET', '/projects?name=demo')).body.projects[0].id
  const otherProject = (await admin('POST', '/projects', { project: { name: 'elsewhere', domain_id: 'default' } })).body.project.id
  const password = 'Pass-word-1'
  const person = async (name: string, role: string, project: string) => {
    const user = (await admin('POST', '/users', { user: { name: `p-${name}`, domain_id: 'default', password } })).body.user.id as string
    const found = (await admin('GET', `/roles?name=${role}`)).body.roles[0]?.id
    const roleId = found ?? (await admin('POST', '/roles', { role: { name: role } })).body.role.id
    await admin('PUT', `/projects/${project}/users/${user}/roles/${roleId}`)
    tokens[name as Person] = await signIn(`p-${name}`, password, { project: { id: project } })
    return user
  }
  for (const name of names) {
    const user = await person(name, name, demoProject)
    if (name === 'member') member = user
  }
  await person('other', 'member', otherProject)
  tokens.unscoped = await signIn('p-member', password, 'unscoped')
  tokens.admin = await cloud.token('admin')
  tokens.system = await signIn('admin', cloud.cloud.credentials.adminPassword, { system: { all: true } })
  server = await boot('member')
}, 30_000)
afterAll(async () => {
  await cloud[Symbol.asyncDispose]()
  rmSync(dataDir, { recursive: true, force: true })
})

describe('by default', () => {
  const event = () => ({ body: { events: [{ name: 'network-changed', server_uuid: server }] } })
  const asks: [string, string, () => string, () => { body?: unknown; version?: string }, Person[]][] = [
    ['any', 'GET', () => '/os-availability-zone', () => ({}), ['unscoped', 'reader', 'member', 'manager', 'service', 'other', 'admin']],
    ['admin', 'GET', () => '/os-hypervisors', () => ({}), ['admin']],
    ['service', 'POST', () => '/os-server-external-events', event, ['service', 'admin']],
    ['project_reader', 'GET', () => `/servers/${server}`, () => ({}), ['reader', 'member', 'manager', 'admin']],
    ['project_reader', 'GET', () => `/os-quota-sets/${demoProject}`, () => ({}), ['reader', 'member', 'manager', 'admin']],
    ['project_member', 'POST', () => `/servers/${server}/action`, () => ({ body: { lock: null } }), ['member', 'manager', 'admin']],
    ['project_manager', 'GET', () => '/os-migrations', () => ({}), ['manager', 'admin']],
    ['self', 'GET', () => `/os-keypairs?user_id=${member}`, () => ({ version: '2.10' }), ['unscoped', 'member', 'admin']],
  ]
  it.each(asks)('%s: %s', async (word, method, path, options, allowed) => {
    const status = new Map<Person, number>()
    for (const who of everybody) status.set(who, (await call(who, method, path(), options())).status)
    const passed = everybody.filter((who) => (status.get(who) ?? 500) < 300)
    expect(passed, word).toEqual(everybody.filter((who) => allowed.includes(who)))
    const refused = everybody.filter((who) => who !== 'nobody' && !passed.includes(who)).map((who) => status.get(who))
    expect(refused.every((code) => code === 403 || code === 404)).toBe(true)
    expect(status.get('nobody')).toBe(401)
  })

  it('refuses in the words of Nova', async () => {
    const sentence = "Policy doesn't allow os_compute_api:os-hypervisors:list to be performed."
    for (const who of ['member', 'system'] as const)
      expect((await call(who, 'GET', '/os-hypervisors')).body).toEqual({ forbidden: { code: 403, message: sentence } })
  })

  it('asks for some requests more', async () => {
    const all = ['/servers?all_tenants=1', '/servers/detail?all_tenants=1']
    const said = await Promise.all(all.map(async (path) => (await call('member', 'GET', path)).body.forbidden.message))
    expect(said[0]).toContain('servers:index:get_all_tenants')
    expect(said[1]).toContain('servers:detail:get_all_tenants')
    const flavor = { name: 'diskless', ram: 64, vcpus: 1, disk: 0, id: 'diskless' }
    await call('admin', 'POST', '/flavors', { body: { flavor } })
    const image = (await cloud.call('GET', '/image/v2/images?name=tiny')).body.images[0].id
    const body = { server: { name: 'x', imageRef: image, flavorRef: 'diskless' } }
    const answer = await call('member', 'POST', '/servers', { body })
    expect(answer.body.forbidden.message).toBe('Only volume-backed servers are allowed for flavors with zero disk.')
    expect((await call('admin', 'GET', '/servers?host=host1&all_tenants=1')).body.servers).toHaveLength(1)
    expect((await call('member', 'GET', '/servers?host=nowhere')).body.servers).toHaveLength(1)
  })
})

describe('a policy.yaml', () => {
  const put = async (text: string, seen: () => Promise<boolean>) => {
    writeFileSync(join(dataDir, 'policy.yaml'), text)
    await expect.poll(seen, { timeout: 10_000, interval: 50 }).toBe(true)
  }
  const status = async (who: Person, path: string) => (await call(who, 'GET', path)).status

  it('that comes while the cloud runs changes what is answered', async () => {
    await put(
      `"os_compute_api:os-hypervisors:list": "rule:project_reader_or_admin"
"os_compute_api:os-aggregates:index": "!"
"os_compute_api:os-services:list": "role:operator"
"os_compute_api:servers:update": "user_id:%(user_id)s"
"os_compute_api:os-flavor-manage:create": "@"
"os_compute_api:servers:create:zero_disk_flavor": ""
"os_compute_api:servers:allow_all_filters": "rule:project_reader_or_admin"
`,
      async () => (await status('reader', '/os-hypervisors')) === 200,
    )
    expect([await status('admin', '/os-aggregates'), await status('operator', '/os-aggregates')]).toEqual([403, 403])
    expect([await status('operator', '/os-services'), await status('admin', '/os-services')]).toEqual([200, 403])
    expect((await call('member', 'GET', '/servers?host=nowhere')).body.servers).toHaveLength(0)
    const rename = (who: Person) => call(who, 'PUT', `/servers/${server}`, { body: { server: { name: 'mine' } } })
    expect([(await rename('member')).status, (await rename('manager')).status, (await rename('admin')).status]).toEqual([200, 403, 403])
  })

  it('that is bad is left aside', async () => {
    writeFileSync(join(dataDir, 'policy.yaml'), '"os_compute_api:os-aggregates:index": (role:admin\n')
    const until = Date.now() + 1500
    await expect.poll(async () => Date.now() > until || (await status('admin', '/os-aggregates')) !== 403, { timeout: 5000 }).toBe(true)
    expect([await status('admin', '/os-aggregates'), await status('reader', '/os-hypervisors')]).toEqual([403, 200])
  })

  it('may say who is an administrator', async () => {
    await put('context_is_admin: role:operator', async () => (await status('operator', '/os-hypervisors')) === 200)
    expect(await status('admin', '/os-hypervisors')).toBe(403)
    expect([await status('operator', `/servers/${server}`), await status('admin', `/servers/${server}`)]).toEqual([200, 404])
    expect((await cloud.call('GET', '/identity/v3/users')).status).toBe(200)
  })

  it('may change a rule that others are built on', async () => {
    await put(
      'project_member_api: role:operator and project_id:%(project_id)s',
      async () => (await status('operator', '/os-hypervisors')) === 403,
    )
    const lock = async (who: Person) => (await call(who, 'POST', `/servers/${server}/action`, { body: { lock: null } })).status
    expect([await lock('member'), await lock('operator'), await lock('admin')]).toEqual([403, 202, 202])
  })

  it('that is bad from the start ends it with one line', async () => {
    const dir = mkdtempSync(join(tmpdir(), 'minicloud-policies-'))
    writeFileSync(join(dir, 'policy.yaml'), 'a: "@"\nb: rule:b\n')
    await expect(startTestCloud({ dataDir: dir })).rejects.toThrow(
      `${join(dir, 'policy.yaml')}:2: b: rules ask each other in a circle: b → b`,
    )
    rmSync(dir, { recursive: true, force: true })
  })
})
