/** What `[api] classic_ports` changes of a cloud's own listener and of what it begins with; the ports themselves are tried in `test/e2e`. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { startTestCloud, type TestCloud } from '../test/support/cloud.ts'

const dataDir = mkdtempSync(join(tmpdir(), 'minicloud-classic-'))
const start = () =>
  startTestCloud({ dataDir, flags: { 'api.classic_ports': 'true', 'minicloud.port': '8774', 'minicloud.metadata_port': '0' } })
let cloud: TestCloud

beforeAll(async () => {
  cloud = await start()
})
afterAll(async () => {
  await cloud[Symbol.asyncDispose]()
  rmSync(dataDir, { recursive: true, force: true })
})

const compute = async () => {
  const { services } = (await cloud.call('GET', '/identity/v3/services?type=compute')).body
  const { endpoints } = (await cloud.call('GET', `/identity/v3/endpoints?service_id=${services[0].id}`)).body
  return {
    services: services.map(({ name, description }: Record<string, string>) => `${name}: ${description}`),
    urls: endpoints.map((endpoint: Record<string, string>) => `${endpoint.interface} ${endpoint.url}`).sort(),
    id: services[0].id,
  }
}

it('the own port, where it is a classic one, serves that service at its root, and itself', async () => {
  const root = await cloud.call('GET', '/')
  expect(root.body.versions.map(({ links }: { links: { href: string }[] }) => links[0]?.href)).toContain('http://cloud.test/v2.1/')
  expect((await cloud.call('GET', '/v2.1/flavors')).body.flavors[0].links[0].href).toMatch(/^http:\/\/cloud\.test\/v2\.1\//)
  expect((await cloud.call('GET', '/compute/v2.1/flavors')).body.flavors[0].links[0].href).toMatch(
    /^http:\/\/cloud\.test\/compute\/v2\.1\//,
  )
  expect((await cloud.call('GET', '/readyz')).text).toBe('ready\n')
})

it("the guide's services and endpoints take the place of ours, one by one, and stay", async () => {
  expect((await cloud.call('GET', '/identity/v3/projects?name=service')).body.projects).toEqual([])
  const before = await compute()
  const ours = ['admin', 'internal', 'public'].map((kind) => `${kind} http://cloud.test/compute/v2.1`)
  expect(before).toMatchObject({ services: ['nova: '], urls: ours })

  const service = { type: 'compute', name: 'nova', description: 'OpenStack Compute' }
  expect(await cloud.call('POST', '/identity/v3/services', { body: { service } })).toMatchObject({
    status: 201,
    body: { service: { ...service, id: before.id } },
  })
  expect(await compute()).toMatchObject({ services: ['nova: OpenStack Compute'], urls: ours })

  const url = 'http://controller:8774/v2.1'
  for (const kind of ['public', 'internal', 'admin']) {
    const endpoint = { interface: kind, service_id: before.id, region_id: 'RegionOne', url }
    expect((await cloud.call('POST', '/identity/v3/endpoints', { body: { endpoint } })).status).toBe(201)
    expect((await compute()).urls).toContain(`${kind} ${url}`)
    expect((await compute()).urls).toHaveLength(3)
  }

  await cloud[Symbol.asyncDispose]()
  cloud = await start()
  expect(await compute()).toMatchObject({
    services: ['nova: OpenStack Compute'],
    urls: ['admin', 'internal', 'public'].map((kind) => `${kind} ${url}`),
  })
  const second = (await cloud.call('POST', '/identity/v3/services', { body: { service } })).body.service
  expect(second.id).not.toBe(before.id)
})

it('identity is not taken away from under a client', async () => {
  const service = { type: 'identity', name: 'keystone' }
  await cloud.call('POST', '/identity/v3/services', { body: { service } })
  expect((await cloud.call('GET', '/identity/v3/services?type=identity')).body.services).toHaveLength(2)
})
