/** Identity v3 as clients meet it: tokens, scopes, revocation, and the management of users, projects and roles. */
import fc from 'fast-check'
import { beforeEach, describe, expect, it } from 'vitest'
import type { ManualClock } from '../../src/base/clock.ts'
import { manualClock } from '../../src/base/clock.ts'
import { adminPassword, demoPassword, passwordBody, projectScope, type TestIdentity, testIdentity } from '../support/identity.ts'

const tokenBody = (id: string, scope?: unknown) => ({
  auth: { identity: { methods: ['token'], token: { id } }, ...(scope === undefined ? {} : { scope }) },
})
const unauthorized = { error: { code: 401, title: 'Unauthorized', message: 'The request you have made requires authentication.' } }

let clock: ManualClock
let cloud: TestIdentity
const admin = (method: string, path: string, body?: unknown) => cloud.call(method, path, { token: cloud.admin, body })
const worksFor = async (token: string): Promise<boolean> => (await cloud.call('GET', '/v3/auth/projects', { token })).status === 200

beforeEach(async () => {
  clock = manualClock()
  cloud = await testIdentity({ clock })
})

describe('version discovery', () => {
  it('lists versions with 300 and shows v3 with and without a slash, at the host that was asked', async () => {
    const list = await cloud.call('GET', '')
    expect(list.status).toBe(300)
    expect(list.body.versions.values[0]).toMatchObject({ id: 'v3.14', status: 'stable' })
    for (const path of ['/v3', '/v3/']) {
      const shown = await cloud.call('GET', path)
      expect(shown.status).toBe(200)
      expect(shown.body.version.links[0].href).toBe('http://cloud.test/identity/v3/')
    }
  })
})

describe('issuing tokens', () => {
  it('answers a password with a scoped token, roles, and a catalog at the host that was asked', async () => {
    const answer = await cloud.call('POST', '/v3/auth/tokens', { body: passwordBody('demo', demoPassword, projectScope('demo')) })
    expect(answer.status).toBe(201)
    const { token } = answer.body
    expect(token.methods).toEqual(['password'])
    expect(token.project).toEqual({ id: cloud.seeded.demoProjectId, name: 'demo', domain: { id: 'default', name: 'Default' } })
    expect(token.roles.map((role: { name: string }) => role.name)).toEqual(['member', 'reader'])
    expect(token.expires_at).toBe('2026-01-01T01:00:00.000000Z')
    const compute = token.catalog.find((service: { type: string }) => service.type === 'compute')
    expect(compute.endpoints.map((endpoint: { interface: string }) => endpoint.interface).sort()).toEqual(['admin', 'internal', 'public'])
    expect(compute.endpoints[0]).toMatchObject({ url: 'http://cloud.test/compute/v2.1', region: 'RegionOne', region_id: 'RegionOne' })
    expect(answer.text).not.toContain(demoPassword)
  })
  it('leaves the catalog out when asked, and out of an unscoped token', async () => {
    const without = await cloud.call('POST', '/v3/auth/tokens?nocatalog', {
      body: passwordBody('demo', demoPassword, projectScope('demo')),
    })
    expect(without.body.token.catalog).toBeUndefined()
    const unscoped = await cloud.call('POST', '/v3/auth/tokens', { body: passwordBody('demo', demoPassword) })
    expect(unscoped.body.token).not.toHaveProperty('project')
    expect(unscoped.body.token).not.toHaveProperty('roles')
    const catalog = await cloud.call('GET', '/v3/auth/catalog', { token: unscoped.headers.get('x-subject-token') })
    expect(catalog.status).toBe(403)
  })
  it('scopes to the system, to a domain with a role there, and to the default project', async () => {
    const system = await cloud.call('POST', '/v3/auth/tokens', { body: passwordBody('admin', adminPassword, { system: { all: true } }) })
    expect(system.body.token.system).toEqual({ all: true })
    const domain = passwordBody('demo', demoPassword, { domain: { id: 'default' } })
    expect((await cloud.call('POST', '/v3/auth/tokens', { body: domain })).status).toBe(401)
    const { demoUserId, roleIds, demoProjectId } = cloud.seeded
    expect((await admin('PUT', `/v3/domains/default/users/${demoUserId}/roles/${roleIds.reader}`)).status).toBe(204)
    expect((await cloud.call('POST', '/v3/auth/tokens', { body: domain })).body.token.domain).toEqual({ id: 'default', name: 'Default' })
    await admin('PATCH', `/v3/users/${demoUserId}`, { user: { default_project_id: demoProjectId } })
    const byDefault = await cloud.call('POST', '/v3/auth/tokens', { body: passwordBody('demo', demoPassword) })
    expect(byDefault.body.token.project.id).toBe(demoProjectId)
    const asked = await cloud.call('POST', '/v3/auth/tokens', { body: passwordBody('demo', demoPassword, 'unscoped') })
    expect(asked.body.token.project).toBeUndefined()
  })
  it.each([
    ['a wrong password', passwordBody('demo', 'wrong')],
    ['an unknown user', passwordBody('nobody', 'wrong')],
    ['an unknown project', passwordBody('demo', demoPassword, projectScope('nowhere'))],
    ['a project without a role', passwordBody('demo', demoPassword, projectScope('service'))],
    ['the system without a role', passwordBody('demo', demoPassword, { system: { all: true } })],
    ['a token of nobody', tokenBody('gAAAA')],
    ['an unknown method', { auth: { identity: { methods: ['magic'] } } }],
    ['an inherited name as a method', { auth: { identity: { methods: ['constructor'] } } }],
    ['no method', { auth: { identity: { methods: [] } } }],
  ])('answers %s with the same 401', async (_what, body) => {
    const answer = await cloud.call('POST', '/v3/auth/tokens', { body })
    expect(answer.status).toBe(401)
    expect(answer.body).toEqual(unauthorized)
    expect(answer.headers.get('www-authenticate')).toContain('/identity')
  })
  it.each([
    ['no auth', {}],
    ['no payload', { auth: { identity: { methods: ['password'] } } }],
    ['a name without domain', { auth: { identity: { methods: ['password'], password: { user: { name: 'demo', password: 'x' } } } } }],
    ['two scopes', passwordBody('demo', demoPassword, { domain: { id: 'default' }, ...projectScope('demo') })],
    ['a trust', passwordBody('demo', demoPassword, { 'OS-TRUST:trust': { id: 'x' } })],
    ['a password too long', passwordBody('demo', 'ü'.repeat(2049))],
    ['no JSON object', [1]],
  ])('answers %s with 400', async (_what, body) => {
    const answer = await cloud.call('POST', '/v3/auth/tokens', { body })
    expect(answer.status).toBe(400)
    expect(answer.body.error).toMatchObject({ code: 400, title: 'Bad Request' })
  })
  it('answers a body that nests without end with 400', async () => {
    const deep = `${'['.repeat(50_000)}${']'.repeat(50_000)}`
    for (const raw of [deep, `{"auth": ${deep}}`, `{"auth": {"identity": {"methods": ${deep}}}}`])
      expect((await cloud.call('POST', '/v3/auth/tokens', { raw })).status).toBe(400)
    expect((await cloud.call('POST', '/v3/users', { token: cloud.admin, raw: `{"user": {"name": "x", "x": ${deep}}}` })).status).toBe(400)
    const brackets = JSON.stringify({ user: { name: 'brackets', note: `"\\${'[{'.repeat(100)}` } })
    expect((await cloud.call('POST', '/v3/users', { token: cloud.admin, raw: brackets })).status).toBe(201)
  })
  it('never fails on a body of any shape', async () => {
    const words = fc.constantFrom(
      'auth',
      'identity',
      'methods',
      'password',
      'token',
      'user',
      'id',
      'name',
      'domain',
      'scope',
      'project',
      'all',
    )
    const junk = fc.letrec((tie) => ({
      value: fc.oneof(
        { depthSize: 'small', withCrossShrink: true },
        fc.constantFrom('default', 'demo', 'admin', 'unscoped', null, true, 0, '', '\u0000', '\ud800'),
        fc.string(),
        fc.array(tie('value'), { maxLength: 3 }),
        fc.dictionary(fc.oneof(words, fc.constant('__proto__')), tie('value'), { maxKeys: 4 }),
      ),
    })).value
    const shaped = fc.record({
      auth: fc.record({
        identity: fc.record(
          {
            methods: fc.array(fc.constantFrom('password', 'token', 'application_credential', '__proto__'), { maxLength: 3 }),
            password: fc.record({ user: fc.oneof(junk, fc.record({ name: fc.string(), password: fc.string(), domain: junk })) }),
            token: fc.oneof(junk, fc.record({ id: fc.oneof(fc.string(), fc.constant('a.b.c')) })),
            application_credential: fc.oneof(junk, fc.record({ id: fc.string(), secret: fc.string() })),
          },
          { requiredKeys: ['methods'] },
        ),
        scope: junk,
      }),
    })
    // Each run has a cloud whose throttle has seen nothing yet, or the clock would have to move.
    const open = await testIdentity({ clock, flags: { 'identity.lockout_failure_attempts': '1000000' } })
    await fc.assert(
      fc.asyncProperty(fc.oneof(junk, shaped), async (body) => {
        const answer = await open.call('POST', '/v3/auth/tokens', { body })
        expect([400, 401]).toContain(answer.status)
      }),
      { numRuns: 300 },
    )
  })
})

describe('tokens shown as proof', () => {
  it('give an unscoped token a scope, and no more time', async () => {
    const unscoped = await cloud.login('demo')
    await clock.advance('30 min')
    const answer = await cloud.call('POST', '/v3/auth/tokens', { body: tokenBody(unscoped, projectScope('demo')) })
    expect(answer.status).toBe(201)
    expect(answer.body.token.expires_at).toBe('2026-01-01T01:00:00.000000Z')
    expect(answer.body.token.methods).toEqual(['token', 'password'])
    expect(answer.body.token.audit_ids).toHaveLength(2)
    await clock.advance('30 min')
    expect(await worksFor(answer.headers.get('x-subject-token')!)).toBe(false)
  })
  it('keep their scope', async () => {
    const scoped = await cloud.login('admin', projectScope('demo'))
    expect((await cloud.call('POST', '/v3/auth/tokens', { body: tokenBody(scoped) })).body.token.project.name).toBe('demo')
    expect((await cloud.call('POST', '/v3/auth/tokens', { body: tokenBody(scoped, projectScope('demo')) })).status).toBe(201)
    for (const scope of [projectScope('admin'), { system: { all: true } }, 'unscoped'])
      expect((await cloud.call('POST', '/v3/auth/tokens', { body: tokenBody(scoped, scope) })).status).toBe(403)
  })
})

describe('validation and revocation', () => {
  it('shows a token to its owner and to administrators, not to others', async () => {
    const demo = await cloud.login('demo', projectScope('demo'))
    for (const token of [demo, cloud.admin]) {
      const answer = await cloud.call('GET', '/v3/auth/tokens', { token, headers: { 'x-subject-token': demo } })
      expect(answer.status).toBe(200)
      expect(answer.body.token.user.name).toBe('demo')
      expect(answer.headers.get('x-subject-token')).toBe(demo)
    }
    const head = await cloud.call('HEAD', '/v3/auth/tokens', { token: demo, headers: { 'x-subject-token': demo } })
    expect([head.status, head.text]).toEqual([200, ''])
    const foreign = await cloud.call('GET', '/v3/auth/tokens', { token: demo, headers: { 'x-subject-token': cloud.admin } })
    expect(foreign.status).toBe(403)
    expect(foreign.body.error.message).toBe('You are not authorized to perform the requested action: identity:validate_token.')
    expect((await cloud.call('GET', '/v3/auth/tokens', { token: demo, headers: { 'x-subject-token': 'x' } })).status).toBe(404)
  })
  it('ends with DELETE, and only that token', async () => {
    const [one, two] = [await cloud.login('demo'), await cloud.login('demo')]
    expect((await cloud.call('DELETE', '/v3/auth/tokens', { token: two, headers: { 'x-subject-token': one } })).status).toBe(204)
    expect([await worksFor(one), await worksFor(two)]).toEqual([false, true])
  })
  it('ends with its time, and a service may still look at it', async () => {
    const demo = await cloud.login('demo')
    await clock.advance('61 min')
    expect(await worksFor(demo)).toBe(false)
    const token = await cloud.login('admin', projectScope('admin'))
    const look = (query: string) => cloud.call('GET', `/v3/auth/tokens${query}`, { token, headers: { 'x-subject-token': demo } })
    expect((await look('')).status).toBe(404)
    expect((await look('?allow_expired=1')).status).toBe(200)
  })
  it('refuses a token that was touched', async () => {
    const [header, payload, signature] = cloud.admin.split('.')
    const other = Buffer.from(JSON.stringify({ ...JSON.parse(Buffer.from(payload!, 'base64url').toString()), exp: 9e9 })).toString(
      'base64url',
    )
    const none = Buffer.from('{"alg":"none"}').toString('base64url')
    for (const token of [
      `${header}.${other}.${signature}`,
      `${none}.${payload}.`,
      `${header}.${payload}.${signature}=`,
      `${cloud.admin}.x`,
    ])
      expect(await worksFor(token)).toBe(false)
  })
  const { roles } = { roles: (id: string) => `/v3/projects/${cloud.seeded.demoProjectId}/users/${id}/roles/${cloud.seeded.roleIds.member}` }
  it.each<[string, () => Promise<unknown>]>([
    ['the user is disabled', () => admin('PATCH', `/v3/users/${cloud.seeded.demoUserId}`, { user: { enabled: false } })],
    ['the user is deleted', () => admin('DELETE', `/v3/users/${cloud.seeded.demoUserId}`)],
    ['the password is reset', () => admin('PATCH', `/v3/users/${cloud.seeded.demoUserId}`, { user: { password: 'other' } })],
    ['the project is disabled', () => admin('PATCH', `/v3/projects/${cloud.seeded.demoProjectId}`, { project: { enabled: false } })],
    ['the project is deleted', () => admin('DELETE', `/v3/projects/${cloud.seeded.demoProjectId}`)],
    ['the role is taken away', () => admin('DELETE', roles(cloud.seeded.demoUserId))],
    ['the role is deleted', () => admin('DELETE', `/v3/roles/${cloud.seeded.roleIds.member}`)],
  ])('ends at once when %s', async (_what, change) => {
    const demo = await cloud.login('demo', projectScope('demo'))
    expect(await worksFor(demo)).toBe(true)
    await change()
    expect(await worksFor(demo)).toBe(false)
    expect(await worksFor(cloud.admin)).toBe(true)
  })
  it('stays ended when what was disabled is enabled again, and a new log-in works', async () => {
    const old = await cloud.login('demo', projectScope('demo'))
    for (const enabled of [false, true]) await admin('PATCH', `/v3/users/${cloud.seeded.demoUserId}`, { user: { enabled } })
    expect(await worksFor(old)).toBe(false)
    expect(await worksFor(await cloud.login('demo', projectScope('demo')))).toBe(true)
  })
  it('changes with the roles', async () => {
    const demo = await cloud.login('demo', projectScope('demo'))
    expect((await cloud.call('GET', '/v3/users', { token: demo })).status).toBe(403)
    await admin('PUT', `/v3/projects/${cloud.seeded.demoProjectId}/users/${cloud.seeded.demoUserId}/roles/${cloud.seeded.roleIds.admin}`)
    expect((await cloud.call('GET', '/v3/users', { token: demo })).status).toBe(200)
  })
})

describe('passwords', () => {
  it('are changed by who knows the old one, without a token', async () => {
    const path = `/v3/users/${cloud.seeded.demoUserId}/password`
    const change = (original: string) =>
      cloud.call('POST', path, { body: { user: { original_password: original, password: 'new-Secret' } } })
    const old = await cloud.login('demo')
    expect((await change('wrong')).body).toEqual(unauthorized)
    expect((await change(demoPassword)).status).toBe(204)
    expect(await worksFor(old)).toBe(false)
    expect(await cloud.login('demo')).toBe('401')
    expect(await worksFor(await cloud.login('demo', undefined, 'new-Secret'))).toBe(true)
  })
  it('cannot be guessed fast: after five failures attempts wait their turn', async () => {
    for (let i = 0; i < 5; i++) expect(await cloud.login('demo', undefined, `guess ${i}`)).toBe('401')
    expect(await cloud.login('demo', undefined, 'guess 5')).toBe('401')
    let done = false
    const next = cloud.login('demo').finally(() => {
      done = true
    })
    await clock.advance('200 ms')
    expect(done).toBe(false)
    await clock.advance('100 ms')
    expect(await worksFor(await next)).toBe(true)
    expect(await worksFor(await cloud.login('demo'))).toBe(true)
    expect(await cloud.login('admin')).not.toBe('401')
  })
})

describe('application credentials', () => {
  const create = async (token: string, extra: object = {}) =>
    cloud.call('POST', `/v3/users/${cloud.seeded.demoUserId}/application_credentials`, {
      token,
      body: { application_credential: { name: 'ci', roles: [{ name: 'reader' }], ...extra } },
    })
  const use = ({ id, secret }: { id: string; secret: string }, scope?: unknown) =>
    cloud.call('POST', '/v3/auth/tokens', {
      body: {
        auth: { identity: { methods: ['application_credential'], application_credential: { id, secret } }, ...(scope ? { scope } : {}) },
      },
    })

  it('log in with fewer roles, cannot make more of themselves, and end with what they stand on', async () => {
    const demo = await cloud.login('demo', projectScope('demo'))
    const made = await create(demo)
    expect(made.status).toBe(201)
    const credential = made.body.application_credential
    const issued = await use(credential)
    expect(issued.body.token.roles.map((role: { name: string }) => role.name)).toEqual(['reader'])
    expect(issued.body.token.application_credential).toMatchObject({ id: credential.id, restricted: true })
    const token = issued.headers.get('x-subject-token')!
    expect((await create(token, { name: 'more' })).status).toBe(403)
    const other = { credential: { type: 'x', blob: 'x' } }
    expect((await cloud.call('POST', '/v3/credentials', { token, body: other })).status).toBe(403)
    expect((await cloud.call('POST', '/v3/auth/tokens', { body: tokenBody(token, 'unscoped') })).status).toBe(403)
    const again = await cloud.call('POST', '/v3/auth/tokens', { body: tokenBody(token) })
    expect((await create(again.headers.get('x-subject-token')!, { name: 'more' })).status).toBe(403)
    expect((await use(credential, projectScope('demo'))).status).toBe(401)
    expect((await use({ ...credential, secret: 'x' })).body).toEqual(unauthorized)
    const path = `/v3/users/${cloud.seeded.demoUserId}/application_credentials/${credential.id}`
    expect((await cloud.call('GET', path, { token: demo })).body.application_credential.secret).toBeUndefined()
    expect((await cloud.call('DELETE', path, { token: demo })).status).toBe(204)
    expect(await worksFor(token)).toBe(false)
  })
  it('give no role that the token lacks, and to nobody else', async () => {
    const demo = await cloud.login('demo', projectScope('demo'))
    expect((await create(demo, { roles: [{ name: 'admin' }] })).status).toBe(400)
    expect((await create(cloud.admin)).status).toBe(403)
    const expiring = (await create(demo, { expires_at: '2026-01-01T00:10:00.000000' })).body.application_credential
    expect((await use(expiring)).body.token.expires_at).toBe('2026-01-01T00:10:00.000000Z')
    await clock.advance('11 min')
    expect((await use(expiring)).status).toBe(401)
  })
})
