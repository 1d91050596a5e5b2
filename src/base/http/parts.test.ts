import { describe, expect, it } from 'vitest'
import { CloudError, forbidden } from '../errors.ts'
import { checkMediaType, parseJson, readText } from './body.ts'
import type { Principal, RequestContext } from './context.ts'
import { type Dialect, type Fault, statusOf, titleOf } from './faults.ts'
import {
  field,
  identityDialect,
  imageDialect,
  networkDialect,
  novaDialect,
  operation,
  PolicyEngine,
  placementDialect,
  version,
  versionText,
  view,
} from './index.ts'
import { negotiator } from './microversion.ts'
import { Router } from './router.ts'

describe('the router', () => {
  const at = (method: 'GET' | 'POST' | 'DELETE', path: string, more: object = {}) =>
    operation({ method, path, status: 200, handle: () => path, ...more })
  const router = new Router([
    at('GET', '/servers'),
    at('GET', '/servers/detail'),
    at('GET', '/servers/{server_id}'),
    at('DELETE', '/servers/{server_id}'),
    at('GET', '/servers/{server_id}/ips/{label}'),
    at('GET', '/files/{*rest}'),
    at('GET', '/files/own'),
  ])
  const matched = (method: 'GET' | 'HEAD' | 'POST' | 'DELETE', path: string) => {
    const found = router.match(method, path)
    return found === null || found === 'wrong-method' ? found : [found.entries[0]?.operation.path, found.params]
  }

  it.each([
    ['/servers', '/servers', {}],
    ['/servers/', '/servers', {}],
    ['/servers/detail', '/servers/detail', {}],
    ['/servers/a', '/servers/{server_id}', { server_id: 'a' }],
    ['/servers/a%2Fb%20c', '/servers/{server_id}', { server_id: 'a/b c' }],
    ['/servers/detail/ips/x', '/servers/{server_id}/ips/{label}', { server_id: 'detail', label: 'x' }],
    ['/files/own', '/files/own', {}],
    ['/files/a/b%2Fc', '/files/{*rest}', { rest: 'a/b/c' }],
    ['/files/own/more', '/files/{*rest}', { rest: 'own/more' }],
  ])('takes %s to %s', (path, to, params) => {
    expect(matched('GET', path)).toEqual([to, params])
  })
  it('takes a parameter where the literal has no such method', () => {
    expect(matched('DELETE', '/servers/detail')).toEqual(['/servers/{server_id}', { server_id: 'detail' }])
  })
  it('answers HEAD with GET', () => {
    expect(matched('HEAD', '/servers')).toEqual(['/servers', {}])
  })
  it.each(['/', '', '/nothing', '/servers/a/ips', '/files', '/servers/%E0%A4%A', '/SERVERS'])('does not know %s', (path) => {
    expect(matched('GET', path)).toBe(null)
  })
  it('tells a wrong method, and which there are', () => {
    expect(matched('POST', '/servers/a')).toBe('wrong-method')
    expect(router.methods('/servers/a')).toEqual(['DELETE', 'GET', 'HEAD'])
    expect(router.methods('/nothing')).toEqual([])
  })
  it('refuses two operations of one version, and takes windows that only touch', () => {
    const early = at('GET', '/a', { until: '2.5' })
    expect(() => new Router([early, at('GET', '/a', { since: '2.5' })])).toThrow(/GET \/a/)
    expect(() => new Router([early, at('GET', '/a', { since: '2.6' })])).not.toThrow()
    expect(() => new Router([at('POST', '/a', { action: 'x' }), at('POST', '/a', { action: 'y' })])).not.toThrow()
  })
  it('knows its first segments', () => {
    expect([router.knows('servers'), router.knows('detail')]).toEqual([true, false])
  })
})

describe('microversions', () => {
  const negotiate = negotiator({ service: 'compute', legacyHeader: 'X-Old', min: '2.1', max: '2.104' })
  const ask = (headers: Record<string, string>) =>
    negotiate(
      (name) => headers[name],
      () => undefined,
    ).version
  it('go from text to number and back', () => {
    for (const text of ['2.1', '2.10', '2.104', '3.0']) expect(versionText(version(text))).toBe(text)
    expect(version('2.9') < version('2.10')).toBe(true)
    for (const text of ['2', '2.01', '2.1.1', 'latest', '', '2.1000']) expect(() => version(text)).toThrow(RangeError)
  })
  it.each([
    [{}, 2001],
    [{ 'openstack-api-version': 'compute 2.5' }, 2005],
    [{ 'openstack-api-version': 'Compute  2.5' }, 2005],
    [{ 'openstack-api-version': 'volume 3.1, compute 2.6' }, 2006],
    [{ 'openstack-api-version': 'volume 3.1' }, 2001],
    [{ 'openstack-api-version': 'volume 3.1', 'x-old': '2.7' }, 2007],
    [{ 'x-old': 'latest' }, 2104],
    [{ 'x-old': '2.7, 2.8' }, 2008],
    [{ 'openstack-api-version': 'compute 2.5, compute 2.6' }, 2006],
    [{ 'openstack-api-version': 'compute' }, 2001],
  ])('%j means %i', (headers, number) => {
    expect(ask(headers as Record<string, string>)).toBe(number)
  })
  it.each(['compute 2.5 2.6', 'compute 2', 'compute 2.x', 'compute 02.1.1', 'compute 1.5.3'])('%s is refused as no version', (header) => {
    expect(() => ask({ 'openstack-api-version': header })).toThrow(/invalid format/)
  })
  // Read from each blank anew, these would take a minute: the test's own deadline ends it.
  it('reads a header of blanks in one pass', { timeout: 5_000 }, () => {
    expect(() => ask({ 'openstack-api-version': `compute 2${' '.repeat(250_000)}x` })).toThrow(/invalid format/)
  })
  it.each(['compute 2.0', 'compute 2.105', 'compute 3.1'])('%s is refused as out of range', (header) => {
    expect(() => ask({ 'openstack-api-version': header })).toThrow(/not supported by the API. Minimum is 2.1 and maximum is 2.104/)
  })
})

describe('a view', () => {
  const show = view<{ a: number | undefined }>({
    always: ({ a }) => a,
    late: field(() => 'late', { since: '2.5' }),
    early: field(() => 'early', { until: '2.4' }),
    version: (_thing, context) => context.version,
  })
  const at = (number: number) => ({ version: number }) as RequestContext
  it('has the fields of the version, and leaves out what is undefined', () => {
    expect(JSON.stringify(show({ a: 1 }, at(2004)))).toBe('{"always":1,"early":"early","version":2004}')
    expect(JSON.stringify(show({ a: undefined }, at(2005)))).toBe('{"late":"late","version":2005}')
  })
})

describe('policies', () => {
  const principal = (more: Partial<Principal>) => ({ roles: [], projectId: 'p', userId: 'u', ...more }) as unknown as Principal
  const engine = new PolicyEngine()
  engine.add({
    read: 'project_reader',
    both: 'project_member|service',
    own: 'self',
    any: 'any',
    mine: "user_name:x and not 'p':%(project_id)s",
  })
  const here = { projectId: 'p', userId: 'u' }
  it.each([
    ['read', { roles: ['reader'] }, here, true],
    ['read', { roles: ['reader'] }, { projectId: 'q' }, false],
    ['read', { roles: ['reader'], projectId: null }, { projectId: null }, false],
    ['read', { roles: ['admin'] }, { projectId: 'q' }, true],
    ['read', { roles: ['member'] }, here, false],
    ['both', { roles: ['service'] }, { projectId: 'q' }, true],
    ['own', {}, here, true],
    ['own', {}, { userId: 'v' }, false],
    ['own', {}, {}, false],
    ['any', {}, {}, true],
    ['mine', { userName: 'x' }, { projectId: 'q' }, true],
    ['mine', { userName: 'x' }, here, false],
  ])('%s for %j on %j: %s', (name, who, target, allowed) => {
    expect(engine.allows(name, principal(who as Partial<Principal>), target)).toBe(allowed)
  })
  it('refuse with the sentence of the service, and an unknown word or name loudly', () => {
    expect(() => engine.enforce('read', principal({}), here)).toThrow("Policy doesn't allow read to be performed.")
    expect(() => engine.enforce('read', principal({}), here, (rule) => `no ${rule}`)).toThrow('no read')
    expect(() => engine.add({ x: 'reeder' })).toThrow(/reeder/)
    expect(() => engine.allows('nothing', principal({}), here)).toThrow(/nothing/)
    expect(engine.has('read')).toBe(true)
  })
})

describe('faults', () => {
  const fault = (status: number, more: Partial<Fault> = {}): Fault => ({
    status,
    title: titleOf(status),
    message: 'a <b>',
    type: undefined,
    code: undefined,
    requestId: 'req-1',
    ...more,
  })
  const keystone = (status: number) => ({ error: { code: status, title: titleOf(status), message: 'a <b>' } })
  it.each<[string, Dialect, Fault, unknown]>([
    ['nova', novaDialect, fault(404), { itemNotFound: { code: 404, message: 'a <b>' } }],
    ['nova', novaDialect, fault(406), { computeFault: { code: 406, message: 'a <b>' } }],
    ['nova', novaDialect, fault(401), keystone(401)],
    ['identity', identityDialect, fault(409), keystone(409)],
    ['network', networkDialect, fault(404), { NeutronError: { type: 'HTTPNotFound', message: 'a <b>', detail: '' } }],
    ['network', networkDialect, fault(500), { NeutronError: { type: 'HTTPInternalServerError', message: 'a <b>', detail: '' } }],
    [
      'network',
      networkDialect,
      fault(409, { type: 'IpAddressInUse' }),
      { NeutronError: { type: 'IpAddressInUse', message: 'a <b>', detail: '' } },
    ],
    ['network', networkDialect, fault(401), keystone(401)],
    [
      'placement',
      placementDialect,
      fault(409, { code: 'placement.concurrent_update' }),
      { errors: [{ status: 409, title: 'Conflict', detail: 'a <b>', code: 'placement.concurrent_update', request_id: 'req-1' }] },
    ],
  ])('of %s: %#', (_name, dialect, given, body) => {
    expect(dialect.render(given)).toEqual(body)
  })
  it('of images are HTML, escaped', () => {
    expect(imageDialect.render(fault(400))).toContain('a &lt;b&gt;')
  })
  it('of a quota have the status of their service', () => {
    const over = new CloudError('over-quota', 'x')
    expect([novaDialect, networkDialect, imageDialect].map((dialect) => statusOf(over, dialect))).toEqual([403, 409, 413])
    expect(statusOf(forbidden('x'), novaDialect)).toBe(403)
  })
})

describe('a body', () => {
  const request = (body: string | ReadableStream, headers: Record<string, string> = {}) =>
    new Request('http://a/', { method: 'POST', body, headers, duplex: 'half' } as RequestInit)
  it.each([
    ['', undefined],
    ['{"a": [1]}', { a: [1] }],
    [' null ', null],
    [`${'['.repeat(64)}${']'.repeat(64)}`, expect.anything()],
    [`"${'['.repeat(100)}"`, '['.repeat(100)],
  ])('%s is JSON', (text, value) => {
    expect(parseJson(text)).toEqual(value)
  })
  it.each(['{', 'a', '{"a": 1} x', `${'['.repeat(65)}${']'.repeat(65)}`, '\u007f'])('%s is refused', (text) => {
    expect(() => parseJson(text)).toThrow('Malformed request body')
  })
  it('is bounded by what comes, not by what is declared', async () => {
    expect(await readText(request('12345'), 5)).toBe('12345')
    await expect(readText(request('123456', { 'content-length': '6' }), 5)).rejects.toMatchObject({ kind: 'too-large' })
    await expect(readText(request('123456', { 'content-length': 'many' }), 5)).rejects.toMatchObject({ kind: 'too-large' })
    const endless = new ReadableStream({ pull: (controller) => controller.enqueue(new Uint8Array(1000)) })
    await expect(readText(request(endless), 5000)).rejects.toMatchObject({ kind: 'too-large' })
  })
  it('that breaks off is the client’s fault', async () => {
    const broken = () => new ReadableStream({ pull: (controller) => controller.error(new Error('aborted')) })
    await expect(readText(request(broken()), 5000)).rejects.toMatchObject({ kind: 'invalid' })
    await expect(readText(request(broken(), { 'content-length': '9' }), 5000)).rejects.toMatchObject({ kind: 'invalid' })
  })
  it.each([null, '', 'application/json', 'application/json; charset=utf-8', 'application/merge-patch+json', 'text/plain'])(
    'may be %s',
    (type) => {
      expect(() => checkMediaType(type)).not.toThrow()
    },
  )
  it.each(['application/xml', 'text/html', 'application/jsonp', 'multipart/form-data; boundary=application/json'])(
    'may not be %s',
    (type) => {
      expect(() => checkMediaType(type)).toThrow(/Unsupported Content-Type/)
    },
  )
})
