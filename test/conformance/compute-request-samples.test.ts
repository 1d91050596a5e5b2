/**
 * OpenStack's samples of requests beyond creating servers: each is taken at its own version, where the cloud stands as the
 * sample has it; and the answers that these requests have samples of. What this cloud refuses, it refuses for a reason.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { TestAnswer } from '../support/api.ts'
import { startTestCloud, type TestCloud } from '../support/cloud.ts'
import { type Sample, sampleId, samplesIn, samplesMissing, shapeDifferences } from '../support/samples.ts'

const compute = '/compute/v2.1'
const flags = {
  'fake.hosts': '2',
  'serial_console.enabled': 'true',
  'spice.enabled': 'true',
  'DEFAULT.reclaim_instance_interval': '3600',
  'DEFAULT.shelved_offload_time': '-1',
  'quota.instances': '-1',
  'quota.cores': '-1',
  'quota.ram': '-1',
  'quota.server_groups': '-1',
}

let cloud: TestCloud
let image: string
let network: string
let project: string
beforeAll(async () => {
  cloud = await startTestCloud({ flags })
  image = (await cloud.call('GET', '/image/v2/images?name=tiny')).body.images[0].id
  network = (await cloud.call('GET', '/network/v2.0/networks?name=private', { as: 'demo' })).body.networks[0].id
  project = (await cloud.call('GET', '/identity/v3/auth/projects', { as: 'demo' })).body.projects[0].id
})
afterAll(() => cloud[Symbol.asyncDispose]())

const ask = async (method: string, path: string, version: string, body?: unknown, as: 'admin' | 'demo' = 'admin'): Promise<TestAnswer> => {
  const answer = await cloud.call(method, `${compute}${path}`, { as, version, ...(body === undefined ? {} : { body }) })
  await cloud.settle()
  return answer
}
async function server(before: readonly unknown[] = []): Promise<string> {
  const wish = { name: 'web', imageRef: image, flavorRef: '42', networks: [{ uuid: network }] }
  const made = await ask('POST', '/servers', '2.52', { server: wish }, 'demo')
  expect(made.status, made.text).toBe(202)
  const { id } = made.body.server
  for (const body of before) expect((await act(id, '2.1', body)).status).toBeLessThan(300)
  return id
}
const act = (id: string, version: string, body: unknown) => ask('POST', `/servers/${id}/action`, version, body)
let serial = 0
const newName = () => `sample${++serial}`
const aggregate = async (): Promise<number> =>
  (await ask('POST', '/os-aggregates', '2.1', { aggregate: { name: newName() } })).body.aggregate.id
/** The sample's document with this cloud's names. */
function localised({ document }: Sample): unknown {
  const text = JSON.stringify(document)
    .replaceAll('70a599e0-31e7-49b7-b260-868f441e862b', image)
    .replaceAll('3cb9bc59-5699-4588-a4b1-b87f96708bc6', network)
    .replaceAll('"us-west"', '"nova"')
    .replaceAll(/"(host01|compute|21549b2f665945baaa7101926a00143c)"/g, '"host1"')
  return JSON.parse(text)
}
const versionIs = (version: string, least: number) => Number(version.slice(2)) >= least

type Send = (sample: Sample) => Promise<TestAnswer>
const withBody =
  (before: readonly unknown[] = []): Send =>
  async (sample) =>
    await act(await server(before), sample.version, localised(sample))
const toAggregate: Send = async (sample) => {
  const id = await aggregate()
  const body = localised(sample) as { remove_host?: { host: string } }
  if (body.remove_host) await ask('POST', `/os-aggregates/${id}/action`, '2.1', { add_host: body.remove_host })
  return await ask('POST', `/os-aggregates/${id}/action`, sample.version, body)
}
const address = async (): Promise<string> => {
  const [{ cidr }] = (await cloud.call('GET', `/network/v2.0/subnets?network_id=${network}`)).body.subnets
  return `${String(cidr).split('.').slice(0, 3).join('.')}.${200 + ++serial}`
}
const attach: Send = async (sample) => {
  const { interfaceAttachment } = localised(sample) as { interfaceAttachment: { port_id?: string; fixed_ips?: { ip_address: string }[] } }
  if (interfaceAttachment.port_id) {
    const port = await cloud.call('POST', '/network/v2.0/ports', { as: 'demo', body: { port: { network_id: network } } })
    interfaceAttachment.port_id = port.body.port.id
  }
  if (interfaceAttachment.fixed_ips) interfaceAttachment.fixed_ips = [{ ip_address: await address() }]
  return await ask('POST', `/servers/${await server()}/os-interface`, sample.version, { interfaceAttachment })
}
const consoleOf: Send = async (sample) => await ask('POST', `/servers/${await server()}/remote-consoles`, sample.version, sample.document)
const shelveOffloaded = [{ shelve: null }, { shelveOffload: null }]

/** Sample of a request → how it is sent. */
const requests: Record<string, Send> = {
  'os-admin-password/admin-password-change-password.json': withBody(),
  'os-create-backup/create-backup-req.json': withBody(),
  'os-deferred-delete/force-delete-post-req.json': withBody(),
  'os-deferred-delete/restore-post-req.json': async (sample) => {
    const id = await server()
    await ask('DELETE', `/servers/${id}`, '2.1')
    return await act(id, sample.version, sample.document)
  },
  'os-rescue/server-rescue-req.json': withBody(),
  'os-rescue/server-rescue-req-with-image-ref.json': withBody(),
  'os-rescue/server-unrescue-req.json': withBody([{ rescue: null }]),
  'os-shelve/os-shelve.json': withBody(),
  'os-shelve/os-shelve-offload.json': withBody([{ shelve: null }]),
  'os-shelve/os-unshelve.json': withBody([{ shelve: null }]),
  'os-shelve/os-unshelve-az.json': withBody(shelveOffloaded),
  'os-shelve/os-unshelve-host.json': withBody(shelveOffloaded),
  'os-shelve/os-unshelve-az-host.json': withBody(shelveOffloaded),
  'os-preserve-ephemeral-rebuild/server-action-rebuild-preserve-ephemeral.json': withBody(),
  'os-security-groups/security-group-add-post-req.json': async (sample) => {
    await cloud.call('POST', '/network/v2.0/security-groups', { as: 'demo', body: { security_group: { name: 'test' } } })
    return await ask('POST', `/servers/${await server()}/action`, sample.version, sample.document, 'demo')
  },
  'os-aggregates/aggregate-post-req.json': async (sample) => await ask('POST', '/os-aggregates', sample.version, sample.document),
  'os-aggregates/aggregate-update-post-req.json': async (sample) => {
    const id = await aggregate()
    const answer = await ask('PUT', `/os-aggregates/${id}`, sample.version, sample.document)
    await ask('DELETE', `/os-aggregates/${id}`, '2.1')
    return answer
  },
  'os-aggregates/aggregate-add-host-post-req.json': toAggregate,
  'os-aggregates/aggregate-remove-host-post-req.json': toAggregate,
  'os-aggregates/aggregate-metadata-post-req.json': toAggregate,
  'os-aggregates/aggregate-images-post-req.json': async (sample) =>
    await ask('POST', `/os-aggregates/${await aggregate()}/images`, sample.version, localised(sample)),
  'os-attach-interfaces/attach-interfaces-create-req.json': attach,
  'os-attach-interfaces/attach-interfaces-create-net_id-req.json': attach,
  'os-console-auth-tokens/create-serial-console-req.json': consoleOf,
  'os-console-auth-tokens/create-spice-direct-console-req.json': consoleOf,
  'os-server-groups/server-groups-post-req.json': async (sample) =>
    await ask('POST', '/os-server-groups', sample.version, sample.document, 'demo'),
  'os-quota-sets/user-quotas-update-post-req.json': async (sample) =>
    await ask('PUT', `/os-quota-sets/${project}?user_id=somebody`, sample.version, sample.document),
  'flavor-access/flavor-create-req.json': async (sample) => {
    const { flavor } = sample.document as { flavor: object }
    return await ask('POST', '/flavors', sample.version, { flavor: { ...flavor, name: newName(), id: newName() } })
  },
  'flavor-access/flavor-access-add-tenant-req.json': async (sample) => {
    const id = newName()
    const flavor = { name: id, id, ram: 64, vcpus: 1, disk: 1, 'os-flavor-access:is_public': false }
    await ask('POST', '/flavors', '2.1', { flavor })
    return await ask(
      'POST',
      `/flavors/${id}/action`,
      sample.version,
      JSON.parse(JSON.stringify(sample.document).replace('fake_tenant', project)),
    )
  },
}

/** Sample of an answer → the request that it answers. */
const answers: Record<string, Send> = {
  'os-attach-interfaces/attach-interfaces-create-resp.json': async ({ version }) =>
    await ask('POST', `/servers/${await server()}/os-interface`, version, { interfaceAttachment: { net_id: network } }),
  'os-console-auth-tokens/get-console-connect-info-get-resp.json': async ({ version }) => {
    const wish = {
      remote_console: versionIs(version, 99) ? { protocol: 'spice', type: 'spice-direct' } : { protocol: 'serial', type: 'serial' },
    }
    const made = await ask('POST', `/servers/${await server()}/remote-consoles`, version, wish)
    const token =
      /token=([\w-]+)/.exec(decodeURIComponent(made.body.remote_console.url))?.[1] ?? String(made.body.remote_console.url).split('/').at(-1)
    return await ask('GET', `/os-console-auth-tokens/${token}`, version)
  },
  'os-rescue/server-rescue.json': async ({ version }) => await act(await server(), version, { rescue: { adminPass: 'MySecretPass' } }),
  'os-rescue/server-get-resp-rescue.json': async ({ version }) =>
    await ask('GET', `/servers/${await server([{ rescue: null }])}`, version, undefined, 'demo'),
  'os-preserve-ephemeral-rebuild/server-action-rebuild-preserve-ephemeral-resp.json': async ({ version }) =>
    await act(await server(), version, { rebuild: { imageRef: image, preserve_ephemeral: false, metadata: { meta_var: 'meta_val' } } }),
  'os-server-password/get-password-resp.json': async ({ version }) =>
    await ask('GET', `/servers/${await server()}/os-server-password`, version),
  'os-server-topology/servers-topology-resp-user.json': async ({ version }) =>
    await ask('GET', `/servers/${await server()}/topology`, version),
  'os-hypervisors/hypervisors-without-servers-resp.json': async ({ version }) => await ask('GET', '/os-hypervisors', version),
  'os-floating-ips/floating-ips-list-empty-resp.json': async ({ version }) =>
    await ask('GET', '/os-floating-ips', version, undefined, 'demo'),
  'os-keypairs/keypairs-list-user1-resp.json': async ({ version }) => await ask('GET', '/os-keypairs?user_id=user1', version),
  'os-keypairs/keypairs-list-user2-resp.json': async ({ version }) => await ask('GET', '/os-keypairs?limit=1&user_id=user2', version),
  'os-hosts/host-get-startup.json': async ({ version }) => await ask('GET', '/os-hosts/host1/startup', version),
  'os-hosts/host-get-shutdown.json': async ({ version }) => await ask('GET', '/os-hosts/host1/shutdown', version),
  'os-hosts/host-get-reboot.json': async ({ version }) => await ask('GET', '/os-hosts/host1/reboot', version),
  'os-quota-sets/user-quotas-update-post-resp.json': async ({ version }) =>
    await ask('PUT', `/os-quota-sets/${project}?user_id=somebody`, version, { quota_set: { instances: 9 } }),
}

const folders = samplesMissing ? [] : [...new Set(Object.keys({ ...requests, ...answers }).map((name) => name.split('/')[0] ?? ''))]
const all = folders.flatMap(samplesIn)
const key = ({ folder, file }: Sample) => `${folder}/${file}`
const of = (table: Record<string, Send>) =>
  all.filter((sample) => key(sample) in table).map((sample) => [sampleId(sample), sample] as const)

describe.skipIf(samplesMissing)('requests', () => {
  it.each(of(requests))('%s', async (_name, sample) => {
    const answer = await requests[key(sample)]!(sample)
    expect(answer.status, answer.text).toBeLessThan(300)
  })
})

describe.skipIf(samplesMissing)('answers', () => {
  beforeAll(async () => {
    for (const user_id of ['user1', 'user2']) await ask('POST', '/os-keypairs', '2.10', { keypair: { name: 'mine', type: 'ssh', user_id } })
  })

  it.each(of(answers))('%s', async (_name, sample) => {
    const answer = await answers[key(sample)]!(sample)
    expect(answer.status, answer.text).toBeLessThan(300)
    expect(shapeDifferences(sample.document, answer.body, { free: ['metadata', 'addresses', 'extra_specs'] })).toEqual([])
  })
})

describe.skipIf(samplesMissing)('what is refused', () => {
  it('a pair of keys made here, from 2.92 on', async () => {
    const [sample] = samplesIn('os-keypairs').filter(({ file, version }) => file === 'keypairs-post-req.json' && version === '2.92')
    const answer = await ask('POST', '/os-keypairs', '2.92', sample?.document)
    expect([answer.status, answer.text]).toEqual([400, expect.stringContaining('public_key')])
  })

  it('a snapshot of a volume that no server has', async () => {
    const [sample] = samplesIn('os-assisted-volume-snapshots').filter(({ file }) => file === 'snapshot-create-assisted-req.json')
    expect((await ask('POST', '/os-assisted-volume-snapshots', '2.1', sample?.document)).status).toBe(400)
  })
})
