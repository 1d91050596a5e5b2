/** Who cannot become what: attempts on roles, scopes and secrets. */
import { beforeEach, describe, expect, it } from 'vitest'
import { HttpServer, mount, PolicyEngine } from '../../src/base/http/index.ts'
import { makeLog } from '../../src/base/log.ts'
import { adminPassword, passwordBody, type TestIdentity, testIdentity } from '../support/identity.ts'

let cloud: TestIdentity
let manager: string
let ids: { admin: string; member: string; manager: string; adminProject: string; role: Record<string, string> }
const admin = (method: string, path: string, body?: unknown) => cloud.call(method, `/v3${path}`, { token: cloud.admin, body })
const asManager = async (method: string, path: string, body?: unknown) =>
  (await cloud.call(method, `/v3${path}`, { token: manager, body })).status

beforeEach(async () => {
  cloud = await testIdentity()
  const idOf = async (kind: string, name: string): Promise<string> => (await admin('GET', `/${kind}?name=${name}`)).body[kind][0].id
  const user = async (name: string): Promise<string> =>
    (await admin('POST', '/users', { user: { name, password: 'Passw0rd', domain_id: 'default' } })).body.user.id
  const roles: { id: string; name: string }[] = (await admin('GET', '/roles')).body.roles
  ids = {
    admin: await idOf('users', 'admin'),
    adminProject: await idOf('projects', 'admin'),
    manager: await user('manager'),
    member: await user('member'),
    role: Object.fromEntries(roles.map(({ id, name }) => [name, id])),
  }
  expect((await admin('PUT', `/domains/default/users/${ids.manager}/roles/${ids.role.manager}`)).status).toBe(204)
  manager = await cloud.login('manager', { domain: { id: 'default' } }, 'Passw0rd')
})

describe("a domain's manager", () => {
  it('cannot take over an administrator who lives in the domain', async () => {
    expect(await asManager('PATCH', `/users/${ids.admin}`, { user: { password: 'mine-now' } })).toBe(403)
    expect(await asManager('PATCH', `/users/${ids.admin}`, { user: { enabled: false } })).toBe(403)
    expect(await asManager('DELETE', `/users/${ids.admin}`)).toBe(403)
    const login = await cloud.call('POST', '/v3/auth/tokens', { body: passwordBody('admin', adminPassword) })
    expect(login.status).toBe(201)
  })

  it('cannot put anyone into a group of administrators, nor take one out', async () => {
    const { id } = (await admin('POST', '/groups', { group: { name: 'chiefs', domain_id: 'default' } })).body.group
    await admin('PUT', `/projects/${ids.adminProject}/groups/${id}/roles/${ids.role.admin}`)
    await admin('PUT', `/groups/${id}/users/${ids.member}`)
    expect(await asManager('PUT', `/groups/${id}/users/${ids.manager}`)).toBe(403)
    expect(await asManager('DELETE', `/groups/${id}/users/${ids.member}`)).toBe(403)
    expect(await asManager('DELETE', `/groups/${id}`)).toBe(403)
    // By the group, the member is an administrator too.
    expect(await asManager('PATCH', `/users/${ids.member}`, { user: { password: 'mine-now' } })).toBe(403)
  })

  it('cannot take over who has a role of the system, or one that implies that of services', async () => {
    await admin('PUT', `/system/users/${ids.member}/roles/${ids.role.reader}`)
    expect(await asManager('PATCH', `/users/${ids.member}`, { user: { password: 'mine-now' } })).toBe(403)
    await admin('DELETE', `/system/users/${ids.member}/roles/${ids.role.reader}`)
    expect(await asManager('PATCH', `/users/${ids.member}`, { user: { password: 'mine-now' } })).toBe(200)
    const { id } = (await admin('POST', '/roles', { role: { name: 'boss' } })).body.role
    expect((await admin('PUT', `/roles/${id}/implies/${ids.role.service}`)).status).toBe(201)
    await admin('PUT', `/projects/${ids.adminProject}/users/${ids.member}/roles/${id}`)
    expect(await asManager('PATCH', `/users/${ids.member}`, { user: { password: 'mine-now' } })).toBe(403)
  })

  it('gives no role beyond its own, and none of the system', async () => {
    const at = `/users/${ids.manager}/roles`
    expect(await asManager('PUT', `/domains/default${at}/${ids.role.admin}`)).toBe(403)
    expect(await asManager('PUT', `/projects/${ids.adminProject}${at}/${ids.role.admin}`)).toBe(403)
    expect(await asManager('PUT', `/system${at}/${ids.role.reader}`)).toBe(403)
    expect(await asManager('PUT', `/roles/${ids.role.manager}/implies/${ids.role.admin}`)).toBe(403)
    expect(await asManager('DELETE', `/projects/${ids.adminProject}/users/${ids.admin}/roles/${ids.role.admin}`)).toBe(403)
  })

  it('goes on managing the users and groups of the domain', async () => {
    expect(await asManager('PATCH', `/users/${ids.member}`, { user: { password: 'new', enabled: true } })).toBe(200)
    const { id } = (await cloud.call('POST', '/v3/groups', { token: manager, body: { group: { name: 'crew' } } })).body.group
    expect(await asManager('PUT', `/groups/${id}/users/${ids.member}`)).toBe(204)
    expect(await asManager('DELETE', `/groups/${id}/users/${ids.member}`)).toBe(204)
    expect(await asManager('DELETE', `/groups/${id}`)).toBe(204)
    expect(await asManager('DELETE', `/users/${ids.member}`)).toBe(204)
  })
})

describe('a body that is no JSON', () => {
  it('is not quoted in the log, since it may hold a password', async () => {
    let logged = ''
    const stream = {
      write(line: string) {
        logged += line
      },
    }
    const server = new HttpServer({
      mounts: [mount('/identity/v3', cloud.identity.v3)],
      authenticate: cloud.identity.authenticate,
      policy: new PolicyEngine(),
      log: makeLog({ level: 'trace', stream }),
    })
    const send = async (path: string, body: string) => {
      const headers = { 'content-type': 'application/json', 'x-auth-token': cloud.admin }
      return (await server.fetch(new Request(`http://cloud.test/identity/v3${path}`, { method: 'POST', headers, body }))).status
    }
    expect(await send('/auth/tokens', '{"password": "s3cret" oops')).toBe(400)
    const credential = { type: 'ec2', blob: '{"secret": "s3cret" oops', project_id: ids.adminProject }
    expect(await send('/credentials', JSON.stringify({ credential }))).toBe(400)
    expect(logged).toContain('/auth/tokens')
    expect(logged).not.toContain('cret')
  })
})
