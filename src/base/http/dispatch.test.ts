import { describe, expect, it } from 'vitest'
import { testApi } from '../../../test/support/api.ts'
import { CloudError, conflict } from '../errors.ts'
import { as, bodies, field, novaDialect, operation, type Service, view } from './index.ts'
import { Type } from './type.ts'

type Thing = { id: string; note: string }
const thingView = view<Thing>({ id: (t) => t.id, note: field((t) => t.note, { since: '2.19' }) })
const create = operation({
  method: 'POST',
  path: '/things',
  status: { '2.1': 200, '2.2': 201 },
  errors: [400],
  body: bodies<{ name: string }>({
    '2.1': as(Type.Object({ name: Type.String({ minLength: 1 }) }, { additionalProperties: false })),
    '2.37': as(Type.Object({ name: Type.String(), networks: Type.String() }, { additionalProperties: false }), ({ name }) => ({ name })),
  }),
  view: thingView,
  handle: ({ body }) => ({ id: '1', note: body.name }),
})
const late = operation({ method: 'GET', path: '/late', since: '2.50', status: 200, handle: () => ({ ok: true }) })
const gone = operation({ method: 'GET', path: '/gone', until: '2.35', status: 200, handle: () => ({ ok: true }) })
const pause = operation({
  method: 'POST',
  path: '/things/{thing_id}/action',
  action: 'pause',
  status: 202,
  errors: [409],
  handle: (): unknown => {
    throw conflict('busy')
  },
})
const touch = operation({ method: 'PUT', path: '/touch', status: 202, handle: () => undefined })
const bug = operation({
  method: 'GET',
  path: '/bug',
  status: 200,
  handle: (): unknown => {
    throw new CloudError('conflict', 'x')
  },
})
const things: Service = {
  name: 'compute',
  dialect: novaDialect,
  operations: [create, late, gone, pause, touch, bug],
  deps: {},
  projectInPath: true,
  answersHead: false,
  toleratesSlash: false,
  jsonOnly: true,
  microversions: { service: 'compute', legacyHeader: 'X-OpenStack-Nova-API-Version', min: '2.1', max: '2.104' },
}
const api = testApi(things, { prefix: '/compute/v2.1' })
const at = (version: string) => ({ 'openstack-api-version': `compute ${version}` })

describe('answers', () => {
  it('says that an empty one is empty', async () => {
    const answer = await api.call('PUT', '/touch', { body: {} })
    expect(answer.status).toBe(202)
    expect(answer.headers.get('content-length')).toBe('0')
  })
})

describe('negotiation', () => {
  it('serves the oldest version to a client that names none, and says so', async () => {
    const answer = await api.call('POST', '/things', { body: { name: 'a' } })
    expect(answer.status).toBe(200)
    expect(answer.body).toEqual({ id: '1' })
    expect(answer.headers.get('openstack-api-version')).toBe('compute 2.1')
    expect(answer.headers.get('x-openstack-nova-api-version')).toBe('2.1')
  })
  it('serves latest with its number, by either header, the newer one first', async () => {
    const answer = await api.call('GET', '/late', { headers: { ...at('latest'), 'x-openstack-nova-api-version': '2.1' } })
    expect(answer.status).toBe(200)
    expect(answer.headers.get('openstack-api-version')).toBe('compute 2.104')
    expect((await api.call('GET', '/late', { headers: { 'x-openstack-nova-api-version': '2.60' } })).status).toBe(200)
  })
  it('refuses what is no version with 400 and what is out of range with 406 and the echoed header', async () => {
    expect((await api.call('GET', '/late', { headers: at('2.x') })).status).toBe(400)
    const answer = await api.call('GET', '/late', { headers: at('2.999') })
    expect(answer.status).toBe(406)
    expect(answer.body.computeFault.message).toContain('2.104')
    expect(answer.headers.get('openstack-api-version')).toBe('compute 2.999')
  })
  it('hides an operation outside its window', async () => {
    expect((await api.call('GET', '/late', { headers: at('2.49') })).body.itemNotFound.code).toBe(404)
    expect((await api.call('GET', '/gone', { headers: at('2.35') })).status).toBe(200)
    expect((await api.call('GET', '/gone', { headers: at('2.36') })).status).toBe(404)
  })
  it('takes the rung, the status and the fields of the version', async () => {
    const answer = await api.call('POST', '/things', { body: { name: 'a', networks: 'auto' }, headers: at('2.37') })
    expect([answer.status, answer.body]).toEqual([201, { id: '1', note: 'a' }])
    expect((await api.call('POST', '/things', { body: { name: 'a', networks: 'auto' } })).body.badRequest.message).toBe(
      "Additional properties are not allowed ('networks' was unexpected)",
    )
  })
})

describe('refusals', () => {
  it.each([
    ['no token', () => api.call('GET', '/late', { token: null }), 401],
    ['bad token', () => api.call('GET', '/late', { token: 'nope' }), 401],
    ['unknown route', () => api.call('GET', '/nothing/here'), 404],
    ['wrong method', () => api.call('DELETE', '/things'), 404],
    ['a slash at the end', () => api.call('GET', '/things/'), 404],
    ['HEAD, where that is no other form of GET', () => api.call('HEAD', '/late', { headers: at('2.60') }), 404],
    ['a project id that is none', () => api.call('POST', '/anybody/things', { body: { name: 'a' } }), 404],
    ['too large', () => api.call('POST', '/things', { body: { name: 'x'.repeat(200_000) } }), 413],
    ['media type', () => api.call('POST', '/things', { raw: '<a/>', headers: { 'content-type': 'application/xml' } }), 415],
    ['no JSON', () => api.call('POST', '/things', { raw: '{', headers: { 'content-type': 'application/json' } }), 400],
    ['unknown action', () => api.call('POST', '/things/1/action', { body: { fly: null } }), 400],
    ['two actions', () => api.call('POST', '/things/1/action', { body: { pause: null, fly: null } }), 400],
    ['state', () => api.call('POST', '/things/1/action', { body: { pause: null } }), 409],
    ["another project's id in the path", () => api.call('POST', '/0b0b0b0b0b0b4b0b8b0b0b0b0b0b0b0b/things', { body: { name: 'a' } }), 400],
    ['an unlisted status', () => api.call('GET', '/bug'), 500],
  ])('%s', async (_what, call, status) => {
    expect((await call()).status).toBe(status)
  })
  it('words a schema violation as OpenStack does', async () => {
    const { body } = await api.call('POST', '/things', { body: { name: 7 } })
    expect(body.badRequest.message).toBe("Invalid input for field/attribute name. Value: 7. 7 is not of type 'string'")
  })
  it('takes the own project id in the path', async () => {
    expect((await api.call('POST', '/0a0a0a0a0a0a4a0a8a0a0a0a0a0a0a0a/things', { body: { name: 'a' } })).status).toBe(200)
  })
})
