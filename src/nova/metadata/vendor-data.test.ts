import { writeFileSync } from 'node:fs'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import { startMetadata } from '../../../test/support/metadata.ts'
import { mayAsk, parseNetwork } from './post-json.ts'

type Said = { headers: IncomingMessage['headers']; body: unknown; method: string | undefined; url: string | undefined }

async function service(reply: (response: ServerResponse) => void) {
  const said: Said[] = []
  const server = createServer(async (request, response) => {
    let text = ''
    for await (const chunk of request) text += chunk
    said.push({ headers: request.headers, body: JSON.parse(text), method: request.method, url: request.url })
    reply(response)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => {
    server.closeAllConnections()
    server.close()
  })
  return { said, url: `http://localhost:${(server.address() as AddressInfo).port}/vendor?x=1` }
}

const dynamic = (url: string, more: Record<string, string> = {}) => ({
  'api.vendordata_providers': 'StaticJSON,DynamicJSON',
  'api.vendordata_dynamic_targets': `billing@${url}`,
  'api.vendordata_dynamic_allowed_networks': '127.0.0.0/8',
  ...more,
})
const readBoth = async (cloud: ReturnType<typeof startMetadata>) => {
  const { ask } = await cloud.guest({ metadata: { a: 'b' }, userData: 'AAEC', systemMetadata: { boot_roles: 'member,reader' } })
  const read = async (name: string) => {
    const { status, text } = await ask(`/openstack/latest/${name}`)
    return status === 200 ? JSON.parse(text) : status
  }
  return { one: await read('vendor_data.json'), two: await read('vendor_data2.json'), again: await read('vendor_data2.json') }
}

describe('static vendor data', () => {
  it('is the file, in both documents', async () => {
    const first = startMetadata()
    const file = join(first.ground.dataDir, 'vendor.json')
    writeFileSync(file, '{"cloud": "ours"}')
    expect(await readBoth(startMetadata({ flags: { 'api.vendordata_jsonfile_path': file } }))).toMatchObject({
      one: { cloud: 'ours' },
      two: { static: { cloud: 'ours' } },
    })
    expect(await readBoth(first)).toMatchObject({ one: {}, two: { static: {} } })
    writeFileSync(file, 'no JSON')
    expect(await readBoth(startMetadata({ flags: { 'api.vendordata_jsonfile_path': file } }))).toMatchObject({
      one: {},
      two: { static: {} },
    })
  })

  it('is not there without its provider', async () => {
    expect(await readBoth(startMetadata({ flags: { 'api.vendordata_providers': '' } }))).toMatchObject({ one: 404, two: {} })
  })
})

describe('dynamic vendor data', () => {
  it('is asked for once, with what the service needs to know', async () => {
    const { said, url } = await service((response) => response.end('{"plan": 7}'))
    const { two, again } = await readBoth(startMetadata({ flags: dynamic(url), serviceToken: async () => 'token-1' }))
    expect([two, again]).toEqual([
      { static: {}, billing: { plan: 7 } },
      { static: {}, billing: { plan: 7 } },
    ])
    expect(said).toHaveLength(1)
    expect(said[0]).toMatchObject({
      method: 'POST',
      url: '/vendor?x=1',
      headers: {
        host: new URL(url).host,
        'content-type': 'application/json',
        accept: 'application/json',
        'user-agent': 'openstack-nova-vendordata',
        'x-auth-token': 'token-1',
      },
      body: {
        'project-id': 'project-a',
        'instance-id': expect.any(String),
        'image-id': 'aaaaaaaa-0000-4000-8000-000000000001',
        'user-data': 'AAEC',
        hostname: 'web-1.novalocal',
        metadata: { a: 'b' },
        'boot-roles': 'member,reader',
      },
    })
    expect(said[0]?.headers).not.toHaveProperty('x-forwarded-for')
  })

  it.each<[string, (response: ServerResponse) => void]>([
    ['an error', (response) => response.writeHead(500).end('{}')],
    ['a redirect', (response) => response.writeHead(302, { location: 'http://169.254.169.254/' }).end()],
    ['no JSON', (response) => response.end('<html>')],
    ['too much', (response) => response.end(`"${'a'.repeat(1024 * 1024)}"`)],
    ['a broken connection', (response) => response.destroy()],
  ])('is {} after %s', async (_what, reply) => {
    const { said, url } = await service(reply)
    expect((await readBoth(startMetadata({ flags: dynamic(url) }))).two).toEqual({ static: {}, billing: {} })
    expect(said).toHaveLength(1)
  })

  it('never goes to this host or a private network that is not allowed', async () => {
    const { said, url } = await service((response) => response.end('{"plan": 7}'))
    for (const refused of [
      url,
      url.replace('localhost', '127.0.0.1'),
      url.replace('localhost', '[::1]'),
      url.replace('localhost', '[::ffff:127.0.0.1]'),
    ])
      expect(
        (await readBoth(startMetadata({ flags: dynamic(refused, { 'api.vendordata_dynamic_allowed_networks': '' }) }))).two.billing,
      ).toEqual({})
    expect(said).toEqual([])
  })

  it('fails the config drive when it must not fail', async () => {
    const { url } = await service((response) => response.writeHead(503).end())
    const { metadata, boot } = startMetadata({ flags: dynamic(url, { 'api.vendordata_dynamic_failure_fatal': 'true' }) })
    await expect(metadata.configDriveFiles(boot(), null)).rejects.toMatchObject({ kind: 'unavailable' })
  })

  it('leaves out targets that are none, and refuses networks that are none', async () => {
    const { two } = await readBoth(startMetadata({ flags: dynamic('ftp://example.org/') }))
    expect(two).toEqual({ static: {} })
    expect(() => startMetadata({ flags: dynamic('http://h/', { 'api.vendordata_dynamic_allowed_networks': 'everything' }) })).toThrow(
      /vendordata_dynamic_allowed_networks/,
    )
  })
})

describe('mayAsk', () => {
  it.each([
    '127.0.0.1',
    '10.0.0.1',
    '172.16.0.1',
    '192.168.0.1',
    '169.254.169.254',
    '100.64.0.1',
    '0.0.0.0',
    '224.0.0.1',
    '255.255.255.255',
    '::',
    '::1',
    'fe80::1',
    'fd00::1',
    '::ffff:10.0.0.1',
    '64:ff9b::a00:1',
    '203.0.113.9',
  ])('refuses %s', (address) => expect(mayAsk(address, [], ['203.0.113.9'])).toBe(false))

  it('takes public addresses and allowed networks', () => {
    expect(mayAsk('8.8.8.8', [], [])).toBe(true)
    expect(mayAsk('2001:4860:4860::8888', [], [])).toBe(true)
    expect(mayAsk('10.1.2.3', [parseNetwork('10.1.0.0/16')], [])).toBe(true)
    expect(mayAsk('10.2.2.3', [parseNetwork('10.1.0.0/16')], [])).toBe(false)
  })
})
