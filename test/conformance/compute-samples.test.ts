/** Each answer beside servers has the keys and types of OpenStack's sample, at the sample's own microversion. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { TestAnswer } from '../support/api.ts'
import { type CloudCall, startTestCloud, type TestCloud } from '../support/cloud.ts'
import { samplesIn, samplesMissing, shapeDifferences } from '../support/samples.ts'

let cloud: TestCloud
let server: string
let image: string
let demoProject: string
let stopRequest: string
const compute = '/compute/v2.1'
const key = `ssh-ed25519 ${Buffer.concat([Buffer.of(0, 0, 0, 11), Buffer.from('ssh-ed25519'), Buffer.of(0, 0, 0, 32), Buffer.alloc(32, 7)]).toString('base64')} me`

beforeAll(async () => {
  cloud = await startTestCloud()
  image = (await cloud.call('GET', '/image/v2/images?name=tiny')).body.images[0].id
  demoProject = (await cloud.call('GET', '/identity/v3/auth/projects', { as: 'demo' })).body.projects[0].id
  const network = (await cloud.call('GET', '/network/v2.0/networks?name=private', { as: 'demo' })).body.networks[0].id
  const created = await cloud.call('POST', `${compute}/servers`, {
    as: 'demo',
    version: '2.37',
    body: { server: { name: 'web1', imageRef: image, flavorRef: '42', networks: [{ uuid: network }], metadata: { foo: 'Foo Value' } } },
  })
  server = created.body.server.id
  await cloud.settle()
  const stopped = await cloud.call('POST', `${compute}/servers/${server}/action`, { as: 'demo', body: { 'os-stop': null } })
  stopRequest = stopped.headers.get('x-compute-request-id') ?? ''
  await cloud.settle()
  await cloud.call('PUT', `${compute}/servers/${server}/tags`, { version: '2.26', as: 'demo', body: { tags: ['tag1', 'tag2'] } })
  await cloud.call('POST', `${compute}/os-keypairs`, { body: { keypair: { name: 'first', public_key: key } } })
  await cloud.call('POST', `${compute}/flavors/84/os-extra_specs`, { body: { extra_specs: { 'hw:numa_nodes': '1' } } })
  await cloud.call('POST', `${compute}/flavors`, {
    body: { flavor: { name: 'private', id: 'private', ram: 64, vcpus: 1, disk: 1, 'os-flavor-access:is_public': false } },
  })
  await cloud.call('POST', `${compute}/flavors/private/action`, { body: { addTenantAccess: { tenant: demoProject } } })
})
afterAll(() => cloud[Symbol.asyncDispose]())

type Ask = (version: string) => Promise<TestAnswer>
const ask =
  (method: string, path: string | (() => string | Promise<string>), options: (version: string) => CloudCall = () => ({})): Ask =>
  async (version) =>
    await cloud.call(method, `${compute}${typeof path === 'string' ? path : await path()}`, { version, ...options(version) })
const get = (path: string | (() => string | Promise<string>), options: CloudCall = {}) => ask('GET', path, () => options)

const byUuid = (version: string) => Number(version.slice(2)) >= 53
const hypervisor = async (version: string): Promise<string> =>
  String((await cloud.call('GET', `${compute}/os-hypervisors`, { version })).body.hypervisors[0].id)
const ofHypervisor =
  (suffix: string): Ask =>
  async (version) =>
    await cloud.call('GET', `${compute}/os-hypervisors/${await hypervisor(version)}${suffix}`, { version })
let serial = 0
const newName = () => `n${++serial}`
const newFlavor = (version: string): CloudCall => ({
  body: {
    flavor: {
      name: newName(),
      ram: 1024,
      vcpus: 2,
      disk: 10,
      ...(Number(version.slice(2)) < 102 ? { rxtx_factor: 2 } : {}),
      ...(Number(version.slice(2)) >= 55 ? { description: 'test description' } : {}),
    },
  },
})
const importKey = (): CloudCall => ({ body: { keypair: { name: newName(), public_key: key } } })
const compute1 = async (): Promise<{ uuid: string }> => ({
  uuid: (await cloud.call('GET', `${compute}/os-services?binary=nova-compute`, { version: '2.53' })).body.services[0].id,
})
const service =
  (verb: string, body: Record<string, unknown>, modern: Record<string, unknown>): Ask =>
  async (version) =>
    byUuid(version)
      ? await cloud.call('PUT', `${compute}/os-services/${(await compute1()).uuid}`, { version, body: modern })
      : await cloud.call('PUT', `${compute}/os-services/${verb}`, {
          version,
          body: { host: 'host1', binary: 'nova-compute', ...body },
        })
const quota = (body: Record<string, unknown>) =>
  ask(
    'PUT',
    () => `/os-quota-sets/${demoProject}`,
    () => ({ body: { quota_set: body } }),
  )
const action = () => `/servers/${server}/os-instance-actions/${stopRequest}`
const withServers = () => '/os-hypervisors/host1/servers'

/** Sample file → the request that it answers. */
const requests: Record<string, Record<string, Ask>> = {
  versions: {
    'v21-version-get-resp.json': get('/'),
    'versions-get-resp.json': async () => await cloud.call('GET', '/compute/'),
  },
  'extension-info': {
    'extensions-get-resp.json': get('/extensions/os-agents'),
    'extensions-list-resp-v21-compatible.json': get('/extensions'),
  },
  flavors: {
    'flavor-get-resp.json': get('/flavors/84'),
    'flavors-detail-resp.json': get('/flavors/detail'),
    'flavors-list-resp.json': get('/flavors'),
  },
  'flavor-manage': {
    'flavor-create-post-resp.json': ask('POST', '/flavors', newFlavor),
    'flavor-update-resp.json': ask('PUT', '/flavors/84', () => ({ body: { flavor: { description: 'updated' } } })),
  },
  'flavor-access': {
    'flavor-access-list-resp.json': get('/flavors/private/os-flavor-access'),
    'flavor-access-add-tenant-resp.json': get('/flavors/private/os-flavor-access'),
    'flavor-access-remove-tenant-resp.json': get('/flavors/private/os-flavor-access'),
  },
  'flavor-extra-specs': {
    'flavor-extra-specs-create-resp.json': ask('POST', '/flavors/1/os-extra_specs', () => ({
      body: { extra_specs: { 'hw:cpu_policy': 'shared', 'hw:numa_nodes': '1' } },
    })),
    'flavor-extra-specs-get-resp.json': get('/flavors/84/os-extra_specs/hw:numa_nodes'),
    'flavor-extra-specs-update-resp.json': ask('PUT', '/flavors/84/os-extra_specs/hw:numa_nodes', () => ({
      body: { 'hw:numa_nodes': '2' },
    })),
  },
  'os-keypairs': {
    'keypairs-get-resp.json': get('/os-keypairs/first'),
    'keypairs-list-resp.json': async (version) =>
      await cloud.call('GET', `${compute}/os-keypairs${Number(version.slice(2)) >= 35 ? '?limit=1' : ''}`, { version }),
    'keypairs-post-resp.json': ask('POST', '/os-keypairs', () => ({ body: { keypair: { name: newName() } } })),
    'keypairs-import-post-resp.json': ask('POST', '/os-keypairs', importKey),
  },
  limits: { 'limit-get-resp.json': get('/limits') },
  'os-quota-sets': {
    'quotas-show-get-resp.json': get(() => `/os-quota-sets/${demoProject}`),
    'user-quotas-show-get-resp.json': get(() => `/os-quota-sets/${demoProject}?user_id=somebody`),
    'quotas-show-defaults-get-resp.json': get(() => `/os-quota-sets/${demoProject}/defaults`),
    'quotas-show-detail-get-resp.json': get(() => `/os-quota-sets/${demoProject}/detail`),
    'quotas-update-post-resp.json': quota({ cores: 45 }),
    'quotas-update-force-post-resp.json': quota({ force: 'True', instances: 45 }),
    'user-quotas-update-post-resp.json': ask(
      'PUT',
      () => `/os-quota-sets/${demoProject}?user_id=somebody`,
      () => ({ body: { quota_set: { force: 'True', instances: 9 } } }),
    ),
  },
  'os-quota-class-sets': {
    'quota-classes-show-get-resp.json': get('/os-quota-class-sets/default'),
    'quota-classes-update-post-resp.json': ask('PUT', '/os-quota-class-sets/default', () => ({
      body: { quota_class_set: { instances: 50, cores: '50' } },
    })),
  },
  'os-availability-zone': {
    'availability-zone-list-resp.json': get('/os-availability-zone'),
    'availability-zone-detail-resp.json': get('/os-availability-zone/detail'),
  },
  'os-hypervisors': {
    'hypervisors-list-resp.json': async (version) =>
      await cloud.call('GET', `${compute}/os-hypervisors${Number(version.slice(2)) >= 33 ? '?limit=1' : ''}`, { version }),
    'hypervisors-detail-resp.json': async (version) =>
      await cloud.call('GET', `${compute}/os-hypervisors/detail${Number(version.slice(2)) >= 33 ? '?limit=1' : ''}`, { version }),
    'hypervisors-detail-with-servers-resp.json': get('/os-hypervisors/detail?with_servers=1&hypervisor_hostname_pattern=host1'),
    'hypervisors-with-servers-resp.json': async (version) =>
      await cloud.call(
        'GET',
        `${compute}${byUuid(version) ? '/os-hypervisors?with_servers=1&hypervisor_hostname_pattern=host1' : withServers()}`,
        {
          version,
        },
      ),
    'hypervisors-search-resp.json': async (version) =>
      await cloud.call(
        'GET',
        `${compute}${byUuid(version) ? '/os-hypervisors?hypervisor_hostname_pattern=host' : '/os-hypervisors/host/search'}`,
        {
          version,
        },
      ),
    'hypervisors-show-resp.json': ofHypervisor(''),
    'hypervisors-show-with-servers-resp.json': ofHypervisor('?with_servers=true'),
    'hypervisors-statistics-resp.json': get('/os-hypervisors/statistics'),
    'hypervisors-uptime-resp.json': ofHypervisor('/uptime'),
  },
  'os-services': {
    'services-list-get-resp.json': get('/os-services'),
    'service-disable-put-resp.json': service('disable', {}, { status: 'disabled' }),
    'service-disable-log-put-resp.json': service(
      'disable-log-reason',
      { disabled_reason: 'test2' },
      { status: 'disabled', disabled_reason: 'maintenance' },
    ),
    'service-enable-put-resp.json': service('enable', {}, { status: 'enabled' }),
    'service-force-down-put-resp.json': service('force-down', { forced_down: true }, { forced_down: true }),
  },
  'os-instance-actions': {
    'instance-actions-list-resp.json': get(() => `/servers/${server}/os-instance-actions`),
    'instance-actions-list-with-limit-resp.json': get(() => `/servers/${server}/os-instance-actions?limit=1`),
    'instance-actions-list-with-marker-resp.json': get(() => `/servers/${server}/os-instance-actions?marker=${stopRequest}`),
    'instance-actions-list-with-changes-since.json': get(() => `/servers/${server}/os-instance-actions?changes-since=2020-01-01T00:00:00Z`),
    'instance-actions-list-with-changes-before.json': get(
      () => `/servers/${server}/os-instance-actions?changes-before=2099-01-01T00:00:00Z`,
    ),
    'instance-action-get-resp.json': get(action),
    'instance-action-get-non-admin-resp.json': get(action, { as: 'demo' }),
  },
  'server-metadata': {
    'server-metadata-all-resp.json': get(() => `/servers/${server}/metadata`),
    'server-metadata-resp.json': get(() => `/servers/${server}/metadata/foo`),
  },
  'server-ips': {
    'server-ips-resp.json': get(() => `/servers/${server}/ips`),
    'server-ips-network-resp.json': get(() => `/servers/${server}/ips/private`),
  },
  'os-attach-interfaces': {
    'attach-interfaces-list-resp.json': get(() => `/servers/${server}/os-interface`),
    'attach-interfaces-show-resp.json': async (version) => {
      const list = await cloud.call('GET', `${compute}/servers/${server}/os-interface`, { version })
      return await cloud.call('GET', `${compute}/servers/${server}/os-interface/${list.body.interfaceAttachments[0].port_id}`, { version })
    },
  },
  'os-security-groups': { 'server-security-groups-list-resp.json': get(() => `/servers/${server}/os-security-groups`) },
  'os-server-tags': { 'server-tags-put-all-resp.json': get(() => `/servers/${server}/tags`) },
  images: {
    'images-list-get-resp.json': get('/images'),
    'images-details-get-resp.json': get('/images/detail'),
    'image-metadata-get-resp.json': get(() => `/images/${image}/metadata`),
    'image-metadata-post-resp.json': ask(
      'POST',
      () => `/images/${image}/metadata`,
      () => ({ body: { metadata: { architecture: 'x86_64' } } }),
    ),
    'image-metadata-put-resp.json': ask(
      'PUT',
      () => `/images/${image}/metadata`,
      () => ({ body: { metadata: { Label: 'Changed' } } }),
    ),
    'image-meta-key-put-resp.json': ask(
      'PUT',
      () => `/images/${image}/metadata/auto_disk_config`,
      () => ({
        body: { meta: { auto_disk_config: 'False' } },
      }),
    ),
  },
}

/** Answers that another resource's tests compare, and that which this cloud words otherwise. */
const elsewhere = new Set([
  'keypairs-list-user1-resp.json',
  'keypairs-list-user2-resp.json',
  'user-quotas-update-post-resp.json',
  'attach-interfaces-create-resp.json',
  'hypervisors-without-servers-resp.json',
  'server-tags-show-details-resp.json',
  'servers-tags-details-resp.json',
  'security-group-rules-post-resp.json',
  'security-groups-list-get-resp.json',
])
const free = ['metadata', 'extra_specs', 'addresses', 'hosts', 'host1']
/** `cells` is what a real libvirt tells of its processor too. */
const optional = ['OS-DCF:diskConfig', 'cells']

describe.skipIf(samplesMissing)('samples', () => {
  const samples = samplesMissing
    ? []
    : Object.keys(requests)
        .flatMap(samplesIn)
        .filter(({ file }) => /-resp|with-changes/.test(file) && !elsewhere.has(file))

  it.each(samples.map((sample) => [`${sample.folder} ${sample.version} ${sample.file}`, sample] as const))('%s', async (_name, sample) => {
    const request = requests[sample.folder]?.[sample.file]
    expect(request, 'no request for this sample').toBeDefined()
    const answer = await request!(sample.version)
    expect(answer.status, answer.text).toBeLessThan(300)
    expect(shapeDifferences(sample.document, answer.body, { free, optional })).toEqual([])
  })
})
