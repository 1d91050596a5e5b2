/** What OpenStack's tables of routes and of microversions say in passing: names of parameters, edges of numbers, headers. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type CloudCall, startTestCloud, type TestCloud } from '../support/cloud.ts'

let cloud: TestCloud
let server: string
beforeAll(async () => {
  cloud = await startTestCloud({ flags: { 'fake.hosts': '3' } })
  const image = (await cloud.call('GET', '/image/v2/images')).body.images[0].id
  const body = { server: { name: 'noted', imageRef: image, flavorRef: '42', networks: 'none' } }
  server = (await call('POST', '/servers', { version: '2.37', body })).body.server.id
  await cloud.settle()
})
afterAll(() => cloud[Symbol.asyncDispose]())

const call = (method: string, path: string, options: CloudCall = {}) => cloud.call(method, `/compute/v2.1${path}`, options)
const status = async (path: string, version: string) => (await call('GET', path, { version })).status

describe('queries', () => {
  it('of one server know nothing, which 2.102 says', async () => {
    expect(await status(`/servers/${server}?colour=red`, '2.101')).toBe(200)
    expect(await status(`/servers/${server}?colour=red`, '2.102')).toBe(400)
  })

  it.each(['/servers', '/flavors', '/os-keypairs', '/os-hypervisors', '/os-migrations'])(
    'of %s cap whatever limit there is',
    async (path) => {
      for (const limit of ['2147483648', '9223372036854775808', '9'.repeat(300)])
        expect(await status(`${path}?limit=${limit}`, '2.104')).toBe(200)
      for (const limit of ['-1', '1.5', 'x', '', '+1', '%201']) expect(await status(`${path}?limit=${limit}`, '2.104')).toBe(400)
    },
  )

  it('look for hypervisors by a part of their name', async () => {
    const found = (await call('GET', '/os-hypervisors?hypervisor_hostname_pattern=host1-2', { version: '2.53' })).body.hypervisors
    expect(found.map(({ hypervisor_hostname }: { hypervisor_hostname: string }) => hypervisor_hostname)).toEqual(['host1-2'])
    expect(await status('/os-hypervisors?hypervisor_hostname_pattern=moon', '2.53')).toBe(404)
    expect(await status('/os-hypervisors?hypervisor_hostname_pattern=host1&limit=1', '2.53')).toBe(400)
  })

  it('sort by no more directions than keys; the first direction stands for those that lack', async () => {
    expect(await status('/servers?sort_dir=asc', '2.1')).toBe(200)
    expect(await status('/servers?sort_dir=asc&sort_dir=desc', '2.1')).toBe(400)
    expect(await status('/servers?sort_key=uuid&sort_dir=asc&sort_dir=desc', '2.1')).toBe(400)
  })
})
