/** Network interfaces that come and go while a server is there. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { FakeDriver } from '../../src/nova/virt/fake/index.ts'
import { type CloudCall, startTestCloud, type TestCloud } from '../support/cloud.ts'
import { samplesIn, samplesMissing, shapeDifferences } from '../support/samples.ts'

let cloud: TestCloud
let id: string
let network: string
const call = (method: string, path: string, options: CloudCall = {}) => cloud.call(method, path, { as: 'demo', ...options })
const at = (path = '') => `/compute/v2.1/servers/${id}/os-interface${path}`
const attach = async (interfaceAttachment: object | undefined, version = '2.1') =>
  await call('POST', at(), { version, body: interfaceAttachment === undefined ? {} : { interfaceAttachment } })
const list = async () => (await call('GET', at())).body.interfaceAttachments
const detach = async (portId: string) => {
  const answer = await call('DELETE', at(`/${portId}`))
  await cloud.settle()
  return answer
}

beforeAll(async () => {
  cloud = await startTestCloud()
  const image = (await call('GET', '/image/v2/images?name=tiny')).body.images[0].id
  network = (await call('GET', '/network/v2.0/networks?name=private')).body.networks[0].id
  const server = { name: 'web1', imageRef: image, flavorRef: '42', networks: [{ uuid: network }] }
  id = (await call('POST', '/compute/v2.1/servers', { body: { server } })).body.server.id
  await cloud.settle()
})
afterAll(() => cloud[Symbol.asyncDispose]())

describe('attaching', () => {
  it('makes a port on a network, which goes when it is detached', async () => {
    const answer = await attach({ net_id: network, tag: 'public' }, '2.70')
    expect([answer.status, answer.text]).toEqual([200, expect.any(String)])
    const made = answer.body.interfaceAttachment
    expect(made).toMatchObject({ net_id: network, tag: 'public' })
    if (!samplesMissing) {
      const sample = samplesIn('os-attach-interfaces').find((one) => one.version === '2.70' && /create-resp/.test(one.file))
      expect(shapeDifferences(sample?.document, answer.body)).toEqual([])
    }
    expect(await list()).toHaveLength(2)
    const { addresses } = (await call('GET', `/compute/v2.1/servers/${id}`)).body.server
    expect(JSON.stringify(addresses)).toContain(made.fixed_ips[0].ip_address)
    expect((await detach(made.port_id)).status).toBe(202)
    expect(await list()).toHaveLength(1)
    expect((await call('GET', `/network/v2.0/ports/${made.port_id}`)).status).toBe(404)
  })

  it('takes a port of the user’s, which stays when it is detached', async () => {
    const { port } = (await call('POST', '/network/v2.0/ports', { body: { port: { network_id: network } } })).body
    expect((await attach({ port_id: port.id })).status).toBe(200)
    expect((await attach({ port_id: port.id })).status).toBe(409)
    expect((await detach(port.id)).status).toBe(202)
    expect((await call('GET', `/network/v2.0/ports/${port.id}`)).body.port.device_id).toBe('')
    expect((await detach(port.id)).status).toBe(404)
  })

  it('takes an address, and the one network when none is named', async () => {
    const { subnets } = (await call('GET', `/network/v2.0/networks/${network}`)).body.network
    const { cidr } = (await call('GET', `/network/v2.0/subnets/${subnets[0]}`)).body.subnet
    const address = `${cidr.split('.').slice(0, 3).join('.')}.77`
    const answer = await attach({ net_id: network, fixed_ips: [{ ip_address: address }] })
    expect(answer.body.interfaceAttachment.fixed_ips[0].ip_address).toBe(address)
    expect((await attach({ net_id: network, fixed_ips: [{ ip_address: address }] })).status).toBe(409)
    await detach(answer.body.interfaceAttachment.port_id)
    const plain = await attach(undefined)
    expect([plain.status, plain.body.interfaceAttachment.net_id]).toEqual([200, network])
    await detach(plain.body.interfaceAttachment.port_id)
    expect(await list()).toHaveLength(1)
  })

  const nobody = '70a599e0-31e7-49b7-b260-868f441e862b'
  it.each<[string, object, number]>([
    ['2.1', { net_id: nobody, port_id: nobody }, 400],
    ['2.1', { fixed_ips: [{ ip_address: '10.0.0.9' }] }, 400],
    ['2.1', { net_id: nobody, fixed_ips: [] }, 400],
    ['2.1', { net_id: 'x' }, 400],
    ['2.48', { net_id: nobody, tag: 'x' }, 400],
    ['2.1', { net_id: nobody }, 404],
    ['2.1', { port_id: nobody }, 404],
  ])('%s refuses %j with %i', async (version, body, status) => {
    expect((await attach(body, version)).status).toBe(status)
    expect(await list()).toHaveLength(1)
  })

  it('that the guest refuses leaves no port', async () => {
    const driver = cloud.cloud.drivers[0] as FakeDriver
    driver.failNext('attachInterface')
    const answer = await attach({ net_id: network })
    expect([answer.status, answer.body.conflictingRequest.message]).toEqual([409, `Failed to attach network adapter device to ${id}`])
    expect(await list()).toHaveLength(1)
  })

  it('needs a server that is active, paused or stopped', async () => {
    const action = async (body: object) => {
      await call('POST', `/compute/v2.1/servers/${id}/action`, { body })
      await cloud.settle()
    }
    await action({ suspend: null })
    expect((await attach({ net_id: network })).body.conflictingRequest.message).toBe(
      `Cannot 'attach_interface' instance ${id} while it is in vm_state suspended`,
    )
    await action({ resume: null })
  })
})
