/** Floating addresses over HTTP, and what the compute service hears of them. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { startTestCloud, type TestCloud } from '../support/cloud.ts'

let cloud: TestCloud
let external: string
let server: string
let port: { id: string; fixed_ips: { ip_address: string }[] }
const network = '/network/v2.0'
const call = async (method: string, path: string, body?: unknown, as: 'admin' | 'demo' = 'demo') =>
  await cloud.call(method, `${network}${path}`, { as, body })
const make = (over: Record<string, unknown> = {}) =>
  call('POST', '/floatingips', { floatingip: { floating_network_id: external, ...over } })
const addresses = async () => (await cloud.call('GET', `/compute/v2.1/servers/${server}`, { as: 'demo' })).body.server.addresses.private

beforeAll(async () => {
  cloud = await startTestCloud()
  external = (await call('GET', '/networks?name=public')).body.networks[0].id
  const image = (await cloud.call('GET', '/image/v2/images?name=tiny')).body.images[0].id
  server = (
    await cloud.call('POST', '/compute/v2.1/servers', { as: 'demo', body: { server: { name: 'web1', imageRef: image, flavorRef: '42' } } })
  ).body.server.id
  await cloud.settle()
  port = (await call('GET', `/ports?device_id=${server}`)).body.ports[0]
})
afterAll(() => cloud[Symbol.asyncDispose]())

describe('a floating address', () => {
  it('is made, led to a port, shown by the server, and given back', async () => {
    const made = await make()
    expect(made.status, made.text).toBe(201)
    expect(made.body.floatingip).toMatchObject({ status: 'DOWN', port_id: null, router_id: null, fixed_ip_address: null })
    expect(made.body.floatingip.floating_ip_address).toMatch(/^172\.24\.4\./)
    const path = `/floatingips/${made.body.floatingip.id}`

    const led = (await call('PUT', path, { floatingip: { port_id: port.id } })).body.floatingip
    expect(led).toMatchObject({
      status: 'ACTIVE',
      port_id: port.id,
      fixed_ip_address: port.fixed_ips[0]?.ip_address,
      router_id: expect.any(String),
    })
    expect(await addresses()).toEqual(
      expect.arrayContaining([expect.objectContaining({ addr: led.floating_ip_address, 'OS-EXT-IPS:type': 'floating' })]),
    )
    expect((await call('GET', `/floatingips?port_id=${port.id}`)).body.floatingips).toHaveLength(1)

    expect((await call('PUT', path, { floatingip: { port_id: null } })).body.floatingip).toMatchObject({ status: 'DOWN', port_id: null })
    expect(await addresses()).toHaveLength(1)
    expect((await call('DELETE', path)).status).toBe(204)
    expect((await call('GET', path)).status).toBe(404)
    expect((await call('GET', '/ports?device_owner=network:floatingip', undefined, 'admin')).body.ports).toEqual([])
  })

  it('may be led to a port at once, one to a fixed address', async () => {
    const first = (await make({ port_id: port.id })).body.floatingip
    expect(first.status).toBe('ACTIVE')
    const second = await make({ port_id: port.id })
    expect([second.status, second.body.NeutronError.type]).toEqual([409, 'FloatingIPPortAlreadyAssociated'])
    expect((await call('GET', '/floatingips')).body.floatingips).toHaveLength(1)
    await call('DELETE', `/floatingips/${first.id}`)
  })

  it.each([
    [
      'a network that is not external',
      async () => ({ floating_network_id: (await call('GET', '/networks?name=private')).body.networks[0].id }),
      400,
    ],
    ['an unknown network', async () => ({ floating_network_id: '70a599e0-31e7-49b7-b260-868f441e862b' }), 404],
    ['an unknown port', async () => ({ port_id: '70a599e0-31e7-49b7-b260-868f441e862b' }), 404],
    ['an address without a port', async () => ({ fixed_ip_address: '10.20.0.9' }), 400],
    ['an address that the port has not', async () => ({ port_id: port.id, fixed_ip_address: '10.20.3.9' }), 400],
    ['an address of its own choice, by an ordinary member', async () => ({ floating_ip_address: '172.24.4.77' }), 403],
  ])('refuses %s and makes nothing', async (_what, over, status) => {
    const answer = await make(await over())
    expect(answer.status, answer.text).toBe(status)
    expect((await call('GET', '/floatingips')).body.floatingips).toEqual([])
  })

  it('needs a router between', async () => {
    const own = (await call('POST', '/networks', { network: { name: 'alone' } })).body.network
    await call('POST', '/subnets', { subnet: { network_id: own.id, cidr: '192.0.2.0/24', ip_version: 4 } })
    const lonely = (await call('POST', '/ports', { port: { network_id: own.id } })).body.port
    expect((await make({ port_id: lonely.id })).body.NeutronError.type).toBe('ExternalGatewayForFloatingIPNotFound')
  })

  it("is not another project's to see or to change", async () => {
    const made = (await call('POST', '/floatingips', { floatingip: { floating_network_id: external } }, 'admin')).body.floatingip
    expect((await call('GET', `/floatingips/${made.id}`)).status).toBe(404)
    expect((await call('PUT', `/floatingips/${made.id}`, { floatingip: { port_id: port.id } })).status).toBe(404)
    await call('DELETE', `/floatingips/${made.id}`, undefined, 'admin')
  })

  it('lets go when its server is deleted', async () => {
    const made = (await make({ port_id: port.id })).body.floatingip
    await cloud.call('DELETE', `/compute/v2.1/servers/${server}`, { as: 'demo' })
    await cloud.settle()
    expect((await call('GET', `/floatingips/${made.id}`)).body.floatingip).toMatchObject({ status: 'DOWN', port_id: null })
  })
})
