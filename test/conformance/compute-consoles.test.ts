/**
 * Remote consoles over the Compute API, per microversion.
 *
 * @see https://docs.openstack.org/api-ref/compute/#server-consoles-servers-remote-consoles
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { startTestCloud, type TestCloud } from '../support/cloud.ts'

let cloud: TestCloud
let server: string
let stopped: string

async function boot(name: string): Promise<string> {
  const [flavors, images] = [await cloud.call('GET', '/compute/v2.1/flavors'), await cloud.call('GET', '/image/v2/images')]
  const made = await cloud.call('POST', '/compute/v2.1/servers', {
    version: '2.37',
    as: 'demo',
    body: { server: { name, flavorRef: flavors.body.flavors[0].id, imageRef: images.body.images[0].id, networks: 'none' } },
  })
  await cloud.settle()
  return made.body.server.id
}

beforeAll(async () => {
  cloud = await startTestCloud()
  server = await boot('runs')
  stopped = await boot('off')
  await cloud.call('POST', `/compute/v2.1/servers/${stopped}/action`, { as: 'demo', body: { 'os-stop': null } })
  await cloud.settle()
})
afterAll(() => cloud[Symbol.asyncDispose]())

const act = (action: string, type: unknown, { version = '2.1', id = server, as = 'demo' as 'admin' | 'demo' } = {}) =>
  cloud.call('POST', `/compute/v2.1/servers/${id}/action`, { as, version, body: { [action]: { type } } })
const ask = (protocol: unknown, type: unknown, { version = '2.6', id = server } = {}) =>
  cloud.call('POST', `/compute/v2.1/servers/${id}/remote-consoles`, { as: 'demo', version, body: { remote_console: { protocol, type } } })
const pageUrl = /^http:\/\/cloud\.test\/console\/vnc_lite\.html\?path=console%2Fwebsockify%3Ftoken%3D[0-9a-f-]{36}&title=runs$/
const tokenOf = (url: string) => new URLSearchParams(new URL(url).searchParams.get('path')?.split('?')[1]).get('token') ?? ''

describe('actions, to 2.5', () => {
  test.each(['novnc', 'xvpvnc'])('os-getVNCConsole of type %s answers a URL', async (type) => {
    const answer = await act('os-getVNCConsole', type, { version: '2.5' })
    expect(answer.status).toBe(200)
    expect(answer.body).toEqual({ console: { type, url: expect.stringMatching(pageUrl) } })
  })

  test.each([
    ['os-getSPICEConsole', 'spice-html5'],
    ['os-getRDPConsole', 'rdp-html5'],
    ['os-getSerialConsole', 'serial'],
  ])('%s is not to be had here', async (action, type) => {
    const answer = await act(action, type)
    expect(answer.status).toBe(400)
    expect(answer.body).toEqual({ badRequest: { code: 400, message: `Unavailable console type ${type}.` } })
  })

  test.each(['os-getVNCConsole', 'os-getSPICEConsole', 'os-getRDPConsole', 'os-getSerialConsole'])(
    '%s is gone from 2.6',
    async (action) => {
      expect((await act(action, 'novnc', { version: '2.6' })).status).toBe(404)
    },
  )

  test.each([['spice-html5'], [null], [7], [['novnc']]])('type %j is refused', async (type) => {
    expect((await act('os-getVNCConsole', type)).status).toBe(400)
  })
})

describe('remote-consoles', () => {
  test('answers protocol, type and URL', async () => {
    const answer = await ask('vnc', 'novnc')
    expect(answer.status).toBe(200)
    expect(answer.body).toEqual({ remote_console: { protocol: 'vnc', type: 'novnc', url: expect.stringMatching(pageUrl) } })
  })

  test('is not there before 2.6', async () => {
    expect((await ask('vnc', 'novnc', { version: '2.5' })).status).toBe(404)
  })

  test.each([
    ['mks', 'webmks', '2.7', /is not one of/],
    ['mks', 'webmks', '2.8', /^Unavailable console type webmks\.$/],
    ['spice', 'spice-direct', '2.98', /is not one of/],
    ['spice', 'spice-direct', '2.99', /^Unavailable console type spice-direct\.$/],
    ['vnc', 'serial', '2.6', /^Invalid console type serial$/],
    ['serial', 'serial', '2.6', /^Unavailable console type serial\.$/],
  ])('%s with %s at %s is a 400', async (protocol, type, version, message) => {
    const answer = await ask(protocol, type, { version })
    expect(answer.status).toBe(400)
    expect(answer.body.badRequest.message).toMatch(message)
  })

  test('a server that is off is not ready', async () => {
    const answer = await ask('vnc', 'novnc', { id: stopped })
    expect(answer.body).toEqual({ conflictingRequest: { code: 409, message: `Instance ${stopped} is not ready` } })
  })

  test('no server, no console', async () => {
    expect((await ask('vnc', 'novnc', { id: 'b48316c5-71e8-45e4-9884-6c78055b9b13' })).status).toBe(404)
  })
})

describe('os-console-auth-tokens', () => {
  const show = (token: string, version: string, as: 'admin' | 'demo' = 'admin', query = '') =>
    cloud.call('GET', `/compute/v2.1/os-console-auth-tokens/${token}${query}`, { as, version })

  test('tells an administrator where a token leads', async () => {
    const token = tokenOf((await ask('vnc', 'novnc')).body.remote_console.url)
    const console = { instance_uuid: server, host: expect.any(String), port: expect.any(Number) }
    const before = await show(token, '2.31')
    expect(before.status).toBe(200)
    expect(before.body.console).toMatchObject(console)
    expect(before.body.console).not.toHaveProperty('tls_port')
    expect((await show(token, '2.99')).body.console).toMatchObject({ ...console, tls_port: null })
    expect((await show(token, '2.99', 'admin', '?x=1')).status).toBe(400)
    expect((await show(token, '2.30')).status).toBe(400)
    expect((await show(token, '2.31', 'demo')).status).toBe(403)
  })

  test('an unknown token is not found', async () => {
    expect((await show('b48316c5-71e8-45e4-9884-6c78055b9b13', '2.31')).status).toBe(404)
  })
})
