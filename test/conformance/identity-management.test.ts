/** Identity v3's management API: what the openstack command, SDKs and tempest do to projects, users, roles and the catalog. */
import { beforeAll, describe, expect, it } from 'vitest'
import { operationId } from '../../src/base/http/index.ts'
import { demoPassword, passwordBody, projectScope, type TestIdentity, testIdentity } from '../support/identity.ts'

let cloud: TestIdentity
const admin = (method: string, path: string, body?: unknown) => cloud.call(method, `/v3${path}`, { token: cloud.admin, body })
const names = (things: { name: string }[]): string[] => things.map(({ name }) => name)

beforeAll(async () => {
  cloud = await testIdentity()
})

describe('projects', () => {
  it('are made, found, changed and deleted', async () => {
    const made = await admin('POST', '/projects', { project: { name: 'p', description: 'd', tags: ['x', 'y'], colour: 'red' } })
    expect(made.status).toBe(201)
    const { project } = made.body
    expect(project).toMatchObject({
      domain_id: 'default',
      parent_id: 'default',
      enabled: true,
      is_domain: false,
      options: {},
      colour: 'red',
    })
    expect(project.links.self).toBe(`http://cloud.test/identity/v3/projects/${project.id}`)
    expect(names((await admin('GET', '/projects?name=p&enabled=true&domain_id=default')).body.projects)).toEqual(['p'])
    expect(names((await admin('GET', '/projects?tags=x,y&not-tags=z')).body.projects)).toEqual(['p'])
    expect((await admin('GET', '/projects?name__icontains=DEM')).body.projects[0].name).toBe('demo')
    const changed = await admin('PATCH', `/projects/${project.id}`, { project: { name: 'q', enabled: false } })
    expect(changed.body.project).toMatchObject({ name: 'q', enabled: false, description: 'd', colour: 'red', tags: ['x', 'y'] })
    expect((await admin('DELETE', `/projects/${project.id}`)).status).toBe(204)
    const gone = await admin('GET', `/projects/${project.id}`)
    expect(gone.body).toEqual({ error: { code: 404, title: 'Not Found', message: `Could not find project: ${project.id}.` } })
  })
  it('have names that are unique in their domain, a bounded tree, and leaves that go first', async () => {
    expect((await admin('POST', '/projects', { project: { name: 'demo' } })).status).toBe(409)
    expect((await admin('POST', '/projects', { project: { name: ' ' } })).status).toBe(400)
    expect((await admin('POST', '/projects', { project: { name: 'x', domain_id: 'nowhere' } })).status).toBe(404)
    const ids: string[] = []
    let status = 201
    while (status === 201 && ids.length < 10) {
      const made = await admin('POST', '/projects', { project: { name: `level ${ids.length}`, parent_id: ids.at(-1) ?? 'default' } })
      status = made.status
      if (status === 201) ids.push(made.body.project.id)
    }
    expect([status, ids.length]).toEqual([403, 5])
    expect((await admin('DELETE', `/projects/${ids[0]}`)).status).toBe(403)
    expect((await admin('PATCH', `/projects/${ids[0]}`, { project: { enabled: false } })).status).toBe(403)
    const shown = (await admin('GET', `/projects/${ids[1]}?parents_as_ids&subtree_as_list`)).body.project
    expect(shown.parents).toEqual({ [ids[0]!]: { default: null } })
    expect(shown.subtree.map((entry: { project: { id: string } }) => entry.project.id)).toEqual(ids.slice(2))
    for (const id of ids.reverse()) expect((await admin('DELETE', `/projects/${id}`)).status).toBe(204)
  })
  it('guard what is immutable', async () => {
    const { id } = (await admin('POST', '/projects', { project: { name: 'rock', options: { immutable: true } } })).body.project
    expect((await admin('DELETE', `/projects/${id}`)).status).toBe(403)
    expect((await admin('PATCH', `/projects/${id}`, { project: { name: 'sand' } })).status).toBe(403)
    const lifted = await admin('PATCH', `/projects/${id}`, { project: { options: { immutable: null } } })
    expect(lifted.status).toBe(200)
    expect(lifted.body.project.options).toEqual({})
    expect((await admin('DELETE', `/projects/${id}`)).status).toBe(204)
  })
  it('take tags one by one', async () => {
    const path = `/projects/${cloud.seeded.demoProjectId}/tags`
    expect((await admin('PUT', `${path}/blue`)).status).toBe(201)
    expect((await admin('GET', path)).body.tags).toEqual(['blue'])
    expect((await admin('GET', `${path}/blue`)).status).toBe(204)
    expect((await admin('DELETE', `${path}/blue`)).status).toBe(204)
    expect((await admin('GET', `${path}/blue`)).status).toBe(404)
  })
})

describe('domains', () => {
  it('hold users, groups and projects, must be disabled before they go, and take those along', async () => {
    const { id } = (await admin('POST', '/domains', { domain: { name: 'd' } })).body.domain
    const user = (await admin('POST', '/users', { user: { name: 'demo', password: 'p', domain_id: id } })).body.user
    const project = (await admin('POST', '/projects', { project: { name: 'demo', domain_id: id } })).body.project
    await admin('PUT', `/projects/${project.id}/users/${user.id}/roles/${cloud.seeded.roleIds.member}`)
    expect((await admin('DELETE', `/domains/${id}`)).status).toBe(403)
    expect((await admin('PATCH', `/domains/${id}`, { domain: { enabled: false } })).status).toBe(200)
    expect((await admin('DELETE', `/domains/${id}`)).status).toBe(204)
    for (const path of [`/domains/${id}`, `/users/${user.id}`, `/projects/${project.id}`])
      expect((await admin('GET', path)).status).toBe(404)
    expect((await admin('GET', `/role_assignments?user.id=${user.id}`)).body.role_assignments).toEqual([])
    expect((await admin('PATCH', '/domains/default', { domain: { description: 'ours' } })).body.domain.description).toBe('ours')
    expect((await admin('DELETE', '/domains/default')).status).toBe(403)
  })
  it('have managers who rule in them and nowhere else', async () => {
    const { id } = (await admin('POST', '/domains', { domain: { name: 'managed' } })).body.domain
    const boss = (await admin('POST', '/users', { user: { name: 'boss', password: 'p', domain_id: id } })).body.user
    await admin('PUT', `/domains/${id}/users/${boss.id}/roles/${cloud.seeded.roleIds.manager}`)
    const login = {
      auth: { identity: { methods: ['password'], password: { user: { id: boss.id, password: 'p' } } }, scope: { domain: { id } } },
    }
    const token = (await cloud.call('POST', '/v3/auth/tokens', { body: login })).headers.get('x-subject-token')
    const call = (method: string, path: string, body?: unknown) => cloud.call(method, `/v3${path}`, { token, body })
    const user = await call('POST', '/users', { user: { name: 'mine' } })
    expect(user.body.user.domain_id).toBe(id)
    const project = await call('POST', '/projects', { project: { name: 'mine' } })
    expect(project.body.project.domain_id).toBe(id)
    const grant = (role: string) => call('PUT', `/projects/${project.body.project.id}/users/${user.body.user.id}/roles/${role}`)
    const { roleIds, demoUserId, demoProjectId } = cloud.seeded
    expect((await grant(roleIds.member)).status).toBe(204)
    expect((await grant(roleIds.admin)).status).toBe(403)
    expect((await call('PUT', `/projects/${project.body.project.id}/users/${demoUserId}/roles/${roleIds.member}`)).status).toBe(403)
    expect((await call('PUT', `/projects/${demoProjectId}/users/${boss.id}/roles/${roleIds.member}`)).status).toBe(403)
    expect((await call('POST', '/users', { user: { name: 'x', domain_id: 'default' } })).status).toBe(403)
    expect((await call('PATCH', `/users/${demoUserId}`, { user: { password: 'x' } })).status).toBe(403)
    expect((await call('PATCH', `/projects/${id}`, { project: { name: 'mine too' } })).status).toBe(403)
    expect((await call('POST', '/roles', { role: { name: 'x' } })).status).toBe(403)
    expect(names((await call('GET', '/users')).body.users)).toEqual(['boss', 'mine'])
    expect(names((await call('GET', '/domains')).body.domains)).toEqual(['managed'])
  })
})

describe('users', () => {
  it('are made, changed and deleted, and never show a password', async () => {
    const made = await admin('POST', '/users', { user: { name: 'u', password: 'p-1', email: 'u@example.org', default_project_id: null } })
    expect(made.status).toBe(201)
    expect(made.body.user).toMatchObject({
      domain_id: 'default',
      enabled: true,
      options: {},
      email: 'u@example.org',
      password_expires_at: null,
    })
    expect(made.text).not.toContain('p-1')
    expect((await admin('POST', '/users', { user: { name: 'u' } })).status).toBe(409)
    expect((await admin('POST', '/users', { user: { name: 'v', password: '' } })).status).toBe(400)
    const { id } = made.body.user
    const changed = await admin('PATCH', `/users/${id}`, { user: { name: 'w', description: 'x', options: { lock_password: true } } })
    expect(changed.body.user).toMatchObject({ name: 'w', description: 'x', email: 'u@example.org', options: { lock_password: true } })
    expect((await admin('GET', '/users?name=w')).body.users).toHaveLength(1)
    expect((await admin('DELETE', `/users/${id}`)).status).toBe(204)
    expect((await admin('GET', `/users/${id}`)).body.error.message).toBe(`Could not find user: ${id}.`)
  })
  it('see themselves, their project and their projects, and nobody else', async () => {
    const token = await cloud.login('demo', projectScope('demo'))
    const { demoUserId, adminUserId, demoProjectId, adminProjectId } = cloud.seeded
    const statuses = await Promise.all(
      [`/users/${demoUserId}`, `/projects/${demoProjectId}`, `/users/${demoUserId}/projects`, '/domains/default'].map(
        async (path) => (await cloud.call('GET', `/v3${path}`, { token })).status,
      ),
    )
    expect(statuses).toEqual([200, 200, 200, 200])
    const refused = [
      '/users',
      `/users/${adminUserId}`,
      '/users/nobody',
      `/projects/${adminProjectId}`,
      '/projects/none',
      '/role_assignments',
    ]
    for (const path of refused) expect((await cloud.call('GET', `/v3${path}`, { token })).status).toBe(403)
    const create = await cloud.call('POST', '/v3/projects', { token, body: { project: { name: 'mine' } } })
    expect(create.body.error.message).toBe('You are not authorized to perform the requested action: identity:create_project.')
  })
  it('who need two factors get no token for one', async () => {
    const options = { multi_factor_auth_rules: [['password', 'totp']] }
    const { id } = (await admin('POST', '/users', { user: { name: 'careful', password: 'p', options } })).body.user
    expect(await cloud.login('careful', undefined, 'p')).toBe('401')
    await admin('PATCH', `/users/${id}`, { user: { options: { multi_factor_auth_enabled: false } } })
    expect(await cloud.login('careful', undefined, 'p')).not.toBe('401')
    expect((await admin('PATCH', `/users/${id}`, { user: { options: { multi_factor_auth_rules: ['password'] } } })).status).toBe(400)
  })
})

describe('roles and assignments', () => {
  it('are given, checked, listed and taken away, twice without harm', async () => {
    const { demoUserId, demoProjectId } = cloud.seeded
    const { id } = (await admin('POST', '/roles', { role: { name: 'operator' } })).body.role
    for (const place of [`/projects/${demoProjectId}`, '/domains/default', '/system', `/OS-INHERIT/domains/default`]) {
      const list = `${place}/users/${demoUserId}/roles`
      const suffix = place.startsWith('/OS-INHERIT') ? '/inherited_to_projects' : ''
      const one = `${list}/${id}${suffix}`
      expect((await admin('HEAD', one)).status).toBe(404)
      for (const method of ['PUT', 'PUT', 'HEAD', 'GET']) expect((await admin(method, one)).status).toBe(204)
      expect(names((await admin('GET', list + suffix)).body.roles)).toContain('operator')
      expect((await admin('DELETE', one)).status).toBe(204)
      expect((await admin('DELETE', one)).status).toBe(404)
    }
    expect((await admin('PUT', `/projects/${demoProjectId}/users/nobody/roles/${id}`)).body.error.message).toBe(
      'Could not find user: nobody.',
    )
    expect((await admin('DELETE', `/roles/${id}`)).status).toBe(204)
  })
  it('reach users through groups, projects through inheritance, and further through what roles imply', async () => {
    const { roleIds, demoUserId, demoProjectId, serviceProjectId } = cloud.seeded
    const group = (await admin('POST', '/groups', { group: { name: 'crew' } })).body.group
    expect((await admin('PUT', `/groups/${group.id}/users/${demoUserId}`)).status).toBe(204)
    expect(names((await admin('GET', `/groups/${group.id}/users`)).body.users)).toEqual(['demo'])
    expect(names((await admin('GET', `/users/${demoUserId}/groups`)).body.groups)).toEqual(['crew'])
    const grant = `/OS-INHERIT/domains/default/groups/${group.id}/roles/${roleIds.manager}/inherited_to_projects`
    expect((await admin('PUT', grant)).status).toBe(204)

    const scope = projectScope('service')
    const token = await cloud.call('POST', '/v3/auth/tokens', { body: passwordBody('demo', demoPassword, scope) })
    expect(names(token.body.token.roles)).toEqual(['manager', 'member', 'reader'])
    expect(names((await admin('GET', `/users/${demoUserId}/projects`)).body.projects)).toContain('service')

    const raw = await admin('GET', `/role_assignments?group.id=${group.id}&include_names`)
    expect(raw.body.role_assignments).toEqual([
      {
        role: { id: roleIds.manager, name: 'manager' },
        group: { id: group.id, name: 'crew', domain: { id: 'default', name: 'Default' } },
        scope: { domain: { id: 'default', name: 'Default' }, 'OS-INHERIT:inherited_to': 'projects' },
        links: { assignment: `http://cloud.test/identity/v3${grant}` },
      },
    ])
    const effective = await admin('GET', `/role_assignments?effective&user.id=${demoUserId}&scope.project.id=${serviceProjectId}`)
    expect(effective.body.role_assignments.map((row: { role: { id: string } }) => row.role.id).sort()).toEqual(
      [roleIds.manager, roleIds.member, roleIds.reader].sort(),
    )
    expect((await admin('GET', `/role_assignments?scope.project.id=${demoProjectId}&scope.domain.id=default`)).status).toBe(400)

    expect((await admin('DELETE', `/groups/${group.id}/users/${demoUserId}`)).status).toBe(204)
    expect(await cloud.login('demo', scope)).toBe('401')
  })
  it('imply others, without circles and never admin', async () => {
    const { roleIds } = cloud.seeded
    expect((await admin('PUT', `/roles/${roleIds.reader}/implies/${roleIds.admin}`)).status).toBe(403)
    expect((await admin('PUT', `/roles/${roleIds.reader}/implies/${roleIds.manager}`)).status).toBe(400)
    const made = await admin('PUT', `/roles/${roleIds.reader}/implies/${roleIds.service}`)
    expect(made.status).toBe(201)
    expect(made.body.role_inference).toMatchObject({ prior_role: { name: 'reader' }, implies: { name: 'service' } })
    expect((await admin('HEAD', `/roles/${roleIds.reader}/implies/${roleIds.service}`)).status).toBe(204)
    expect((await admin('GET', '/role_inferences')).body.role_inferences).toHaveLength(4)
    expect((await admin('DELETE', `/roles/${roleIds.reader}/implies/${roleIds.service}`)).status).toBe(204)
  })
})

describe('the catalog', () => {
  it('follows services, endpoints and regions, and fills in the project', async () => {
    expect((await admin('PUT', '/regions/Two', { region: {} })).status).toBe(201)
    expect((await admin('POST', '/regions', { region: { id: 'Two' } })).status).toBe(409)
    const { id } = (await admin('POST', '/services', { service: { type: 'dns', name: 'designate' } })).body.service
    const endpoint = { interface: 'public', service_id: id, region_id: 'Two', url: 'http://dns.example/v2/$(project_id)s' }
    const made = await admin('POST', '/endpoints', { endpoint })
    expect(made.status).toBe(201)
    expect(made.body.endpoint.url).toBe(endpoint.url)
    for (const wrong of [{ region_id: 'Three' }, { url: 'nonsense' }, { url: 'http://x/%(secret)s' }, { interface: 'secret' }])
      expect((await admin('POST', '/endpoints', { endpoint: { ...endpoint, ...wrong } })).status).toBe(400)
    const entry = async () => (await admin('GET', '/auth/catalog')).body.catalog.find((service: { type: string }) => service.type === 'dns')
    expect((await entry()).endpoints[0]).toMatchObject({ url: `http://dns.example/v2/${cloud.seeded.adminProjectId}`, region: 'Two' })
    expect((await admin('DELETE', '/regions/Two')).status).toBe(403)
    expect((await admin('PATCH', `/endpoints/${made.body.endpoint.id}`, { endpoint: { enabled: false } })).status).toBe(200)
    expect((await entry()).endpoints).toEqual([])
    expect((await admin('DELETE', `/services/${id}`)).status).toBe(204)
    expect((await admin('GET', `/endpoints/${made.body.endpoint.id}`)).status).toBe(404)
    expect((await admin('DELETE', '/regions/Two')).status).toBe(204)
  })
  it('shows our own endpoints at the host that was asked', async () => {
    const { endpoints } = (await admin('GET', '/endpoints?interface=public')).body
    expect(endpoints.map(({ url }: { url: string }) => url)).toContain('http://cloud.test/compute/v2.1')
  })
})

describe('credentials', () => {
  it('are their user’s and the administrators’, and lie encrypted', async () => {
    const demo = await cloud.login('demo', projectScope('demo'))
    const call = (method: string, path: string, body?: unknown) => cloud.call(method, `/v3${path}`, { token: demo, body })
    const blob = JSON.stringify({ access: 'AKEY', secret: 'S-secret' })
    const made = await call('POST', '/credentials', { credential: { type: 'ec2', blob, project_id: cloud.seeded.demoProjectId } })
    expect(made.status).toBe(201)
    const { id } = made.body.credential
    expect(made.body.credential).toMatchObject({ blob, user_id: cloud.seeded.demoUserId })
    expect(JSON.stringify(cloud.ground.db.prepare('SELECT * FROM credential').all())).not.toContain('S-secret')
    expect((await call('POST', '/credentials', { credential: { type: 'ec2', blob, project_id: cloud.seeded.demoProjectId } })).status).toBe(
      409,
    )
    expect((await call('POST', '/credentials', { credential: { type: 'x', blob, user_id: cloud.seeded.adminUserId } })).status).toBe(403)
    expect((await call('POST', '/credentials', { credential: { type: 'ec2', blob: '{}' } })).status).toBe(400)
    const admins = (await admin('POST', '/credentials', { credential: { type: 'cert', blob: 'x' } })).body.credential
    expect((await call('GET', '/credentials')).body.credentials.map((credential: { id: string }) => credential.id)).toEqual([id])
    expect((await admin('GET', '/credentials?type=cert')).body.credentials).toHaveLength(1)
    expect((await call('GET', `/credentials/${admins.id}`)).status).toBe(403)
    expect((await call('PATCH', `/credentials/${id}`, { credential: { type: 'other', blob: 'y' } })).body.credential.blob).toBe('y')
    expect((await call('DELETE', `/credentials/${id}`)).status).toBe(204)
    expect((await admin('GET', `/credentials/${id}`)).status).toBe(404)
  })
})

describe('bootstrap', () => {
  it('repeats without changing anything, and leaves passwords alone', async () => {
    const again = await cloud.identity.bootstrap({ password: 'other', demoPassword: 'other', region: 'RegionOne', catalog: [] })
    expect(again).toEqual(cloud.seeded)
    expect(await cloud.login('demo')).not.toBe('401')
  })
})

describe('coverage', () => {
  it('names a policy that exists, for each operation that has one', () => {
    for (const operation of cloud.identity.v3.operations)
      if (operation.policy) expect(Object.keys(cloud.identity.v3.policies ?? {}), operationId(operation)).toContain(operation.policy)
  })
})
