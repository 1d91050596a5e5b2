/** The metadata service on the network service's own word of who has an address. */
import { createHmac } from 'node:crypto'
import { expect, it, onTestFinished } from 'vitest'
import { makeFakeDriver } from '../../src/network/drivers/index.ts'
import { makeNetworks, networkConfig, networkQuotaConfig } from '../../src/network/index.ts'
import { makeMetadata, metadataSections } from '../../src/nova/metadata/index.ts'
import { apiConfig, makeModel, novaConfig, quotaConfig } from '../../src/nova/model/index.ts'
import { testGround } from '../support/ground.ts'
import { aServer, askAt } from '../support/metadata.ts'

it('finds a guest by the fixed address of its port, until the port is gone', async () => {
  const ground = testGround({
    sections: [apiConfig, novaConfig, quotaConfig, networkConfig, networkQuotaConfig, ...metadataSections],
    flags: {
      'neutron.service_metadata_proxy': 'true',
      'neutron.metadata_proxy_shared_secret': 'hush',
      'network.private_cidr': '127.0.0.0/29',
    },
  })
  const driver = makeFakeDriver({ cloudPrefix: 'md' })
  const networks = makeNetworks({ ...ground, driver, host: 'host-1' })
  const model = makeModel(ground)
  const metadata = makeMetadata({ ...ground, model, networks })
  onTestFinished(async () => {
    await metadata[Symbol.asyncDispose]()
    await networks[Symbol.asyncDispose]()
    ground[Symbol.dispose]()
  })
  networks.bootstrap({ adminProjectId: 'project-admin', demoProjectId: 'project-a' })
  const [network] = networks.usableNetworks('project-a', false)
  const uuid = ground.db.transaction(() => model.instances.insert(aServer()))
  const { id } = networks.createPort({
    networkId: network!.id,
    projectId: 'project-a',
    deviceId: uuid,
    deviceOwner: 'compute:nova',
    host: 'host-1',
    hostname: 'web-1',
    securityGroupIds: null,
    fixedIp: '127.0.0.5',
    key: '0',
  })
  expect(networks.findPortsByAddress('127.0.0.5')).toEqual([{ portId: id, deviceId: uuid, projectId: 'project-a' }])
  expect(networks.findPortsByAddress('no address')).toEqual([])

  const headers = {
    'X-Metadata-Provider': network!.id,
    'X-Metadata-Provider-Signature': createHmac('sha256', 'hush').update(network!.id).digest('hex'),
    'X-Forwarded-For': '127.0.0.5',
  }
  const { port } = await metadata.listen({ host: '127.0.0.1', port: 0 })
  expect(JSON.parse((await askAt(port, '/openstack/latest/meta_data.json', { headers })).text).uuid).toBe(uuid)
  networks.deletePort(id)
  expect((await askAt(port, '/openstack/latest/meta_data.json', { headers })).status).toBe(400)
})
