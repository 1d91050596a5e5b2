/**
 * OpenStack's samples of servers, and the requests of everything that exists here: a request is taken at its own
 * microversion, an answer has the sample's keys and types, asked by the kind of user that the sample was taken by.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { AnyOperation } from '../../src/base/http/index.ts'
import { computeOperations } from '../../src/nova/api/index.ts'
import type { TestAnswer } from '../support/api.ts'
import { type CloudCall, startTestCloud, type TestCloud } from '../support/cloud.ts'
import { type Sample, samplesIn, samplesMissing, shapeDifferences } from '../support/samples.ts'

type User = 'admin' | 'demo'
const compute = '/compute/v2.1'
const everything = {
  ...Object.fromEntries(['instances', 'cores', 'ram', 'key_pairs'].map((name) => [`quota.${name}`, '-1'])),
  ...Object.fromEntries(['serial_console', 'spice', 'rdp', 'mks'].map((name) => [`${name}.enabled`, 'true'])),
}

let cloud: TestCloud
let image: string
let network: string
let project: string
let group = ''
/** One server a user, with all that the samples' server has. */
const servers: Record<User, string> = { admin: '', demo: '' }

beforeAll(async () => {
  cloud = await startTestCloud({ flags: everything })
  image = (await cloud.call('GET', '/image/v2/images?name=tiny')).body.images[0].id
  await cloud.call('PATCH', `/image/v2/images/${image}`, {
    headers: { 'content-type': 'application/openstack-images-v2.1-json-patch' },
    body: [{ op: 'add', path: '/architecture', value: 'x86_64' }],
  })
  network = (await cloud.call('GET', '/network/v2.0/networks?name=private')).body.networks[0].id
  project = (await cloud.call('POST', '/identity/v3/projects', { body: { project: { name: 'lab' } } })).body.project.id
  if (hasPath('/os-server-groups')) {
    const body = { server_group: { name: 'sample', policy: 'anti-affinity' } }
    group = (await cloud.call('POST', `${compute}/os-server-groups`, { as: 'demo', version: '2.64', body })).body.server_group.id
  }
  for (const as of ['admin', 'demo'] as const) {
    const first = await make(as, {})
    servers[as] = await make(as, { 'os:scheduler_hints': { same_host: first } })
  }
  await cloud.settle()
})
afterAll(() => cloud[Symbol.asyncDispose]())

async function make(as: User, beside: object): Promise<string> {
  const server = {
    name: 'new-server-test',
    imageRef: image,
    flavorRef: '42',
    networks: [{ uuid: network }],
    accessIPv4: '1.2.3.4',
    accessIPv6: '80fe::',
    metadata: { 'My Server Name': 'Apache1' },
    user_data: 'IyEvYmluL2Jhc2gK',
    availability_zone: 'nova',
  }
  const answer = await cloud.call('POST', `${compute}/servers`, { as, version: '2.52', body: { server, ...beside } })
  await cloud.settle()
  expect(answer.status, answer.text).toBe(202)
  return answer.body.server.id
}

const table = computeOperations as readonly AnyOperation[]
const hasAction = (action: string) => table.some((operation) => operation.action === action)
const hasPath = (path: string) => table.some((operation) => operation.path === path)

type Ask = (sample: Sample, as: User) => Promise<TestAnswer>
const path =
  (method: string, of: (as: User, sample: Sample) => string, options: (sample: Sample) => CloudCall = () => ({})): Ask =>
  async (sample, as) =>
    await cloud.call(method, `${compute}${of(as, sample)}`, { as, version: sample.version, ...options(sample) })
const isPage = ({ document }: Sample) => Object.hasOwn(document as object, 'servers_links')
const limit = (sample: Sample) => (isPage(sample) ? 'limit=1' : '')

/** Names of the samples that stand for what is in this cloud. */
function localised(document: unknown, as: User): unknown {
  const text = JSON.stringify(document)
    .replaceAll('70a599e0-31e7-49b7-b260-868f441e862b', image)
    .replaceAll('3cb9bc59-5699-4588-a4b1-b87f96708bc6', network)
    .replace(/"(us-west|%\(availability_zone\)s)"/g, '"nova"')
    .replace(/("same_host":)"[^"]*"/g, `$1"${servers[as]}"`)
    .replace(/("group":)"[^"]*"/g, `$1"${group}"`)
    .replaceAll('"flavorRef":"6"', '"flavorRef":"42"')
    .replaceAll('"openstack-node-01"', '"host1"')
  return JSON.parse(text)
}
const request = (folder: string, file: string, version: string): unknown => {
  const number = (sample: Sample) => Number(sample.version.slice(2))
  const known = samplesIn(folder).filter((sample) => sample.file === file && number(sample) <= Number(version.slice(2)))
  return known.sort((a, b) => number(b) - number(a))[0]?.document
}
const remoteConsole = (protocol: string, type: string) =>
  path(
    'POST',
    (as) => `/servers/${servers[as]}/remote-consoles`,
    () => ({ body: { remote_console: { protocol, type } } }),
  )
const consoleAction = (action: string, type: string) =>
  path(
    'POST',
    (as) => `/servers/${servers[as]}/action`,
    () => ({ body: { [action]: { type } } }),
  )
const update = path(
  'PUT',
  (as) => `/servers/${servers[as]}`,
  ({ version }) => ({ body: request('servers', 'server-update-req.json', version) ?? { server: {} } }),
)
const create: Ask = async ({ version }, as) =>
  await cloud.call('POST', `${compute}/servers`, {
    as,
    version,
    body: { server: { name: 'x', imageRef: image, flavorRef: '42', networks: [{ uuid: network }] } },
  })

/** Sample of an answer → the request for it. */
const answers: Record<string, Ask> = {
  'servers/server-get-resp.json': path('GET', (as) => `/servers/${servers[as]}`),
  'servers/servers-details-resp.json': path('GET', (_, sample) => `/servers/detail?${limit(sample)}`),
  'servers/servers-list-resp.json': path('GET', (_, sample) => `/servers?${limit(sample)}`),
  'servers/servers-list-status-resp.json': path('GET', (_, sample) => `/servers?status=active&${limit(sample)}`),
  'servers/servers-list-with-changes-before.json': path('GET', () => '/servers?changes-before=2099-01-01T00:00:00Z'),
  'servers/servers-details-with-changes-before.json': path('GET', () => '/servers/detail?changes-before=2099-01-01T00:00:00Z'),
  'servers/server-update-resp.json': update,
  'servers/server-put-resp.json': path(
    'PUT',
    (as) => `/servers/${servers[as]}`,
    ({ version }) => ({ body: request('servers', 'server-put-req.json', version) }),
  ),
  'servers/server-create-resp.json': create,
  'os-multiple-create/multiple-create-no-resv-post-resp.json': create,
  'servers-sort/server-sort-keys-list-resp.json': path('GET', () => '/servers?sort_key=display_name&sort_dir=asc'),
  'os-server-tags/servers-tags-details-resp.json': path('GET', (_, sample) => `/servers/detail?${limit(sample)}`),
  'os-server-tags/server-tags-show-details-resp.json': path('GET', (as) => `/servers/${servers[as]}`),
  'os-console-output/console-output-post-resp.json': path(
    'POST',
    (as) => `/servers/${servers[as]}/action`,
    () => ({ body: { 'os-getConsoleOutput': { length: 50 } } }),
  ),
  'servers/server-groups-post-resp.json': path(
    'POST',
    () => '/os-server-groups',
    ({ version }) => ({ body: request('servers', 'server-groups-post-req.json', version) }),
  ),
  'servers/server-action-create-image-resp.json': path(
    'POST',
    (as) => `/servers/${servers[as]}/action`,
    ({ version }) => ({ body: request('servers', 'server-action-create-image.json', version) }),
  ),
  'servers/server-action-rebuild-resp.json': async ({ version }, as) => {
    const body = localised(request('servers', 'server-action-rebuild.json', version), as) as { rebuild: Record<string, unknown> }
    if (body.rebuild.key_name) body.rebuild.key_name = null
    return await cloud.call('POST', `${compute}/servers/${servers[as]}/action`, { as, version, body })
  },
  'os-remote-consoles/create-vnc-console-resp.json': remoteConsole('vnc', 'novnc'),
  'os-remote-consoles/create-mks-console-resp.json': remoteConsole('mks', 'webmks'),
  'os-remote-consoles/create-spice-direct-console-resp.json': remoteConsole('spice', 'spice-direct'),
  'os-remote-consoles/get-rdp-console-post-resp.json': consoleAction('os-getRDPConsole', 'rdp-html5'),
  'os-remote-consoles/get-serial-console-post-resp.json': consoleAction('os-getSerialConsole', 'serial'),
  'os-remote-consoles/get-spice-console-post-resp.json': consoleAction('os-getSPICEConsole', 'spice-html5'),
}

/** Answers that nothing here gives: the one cell is up as long as its API. */
const never = ['servers/server-get-down-cell-resp.json']
/** Answers whose question does not exist here; they are asked for as soon as it does. */
const awaits: Record<string, () => boolean> = {
  'servers/server-groups-post-resp.json': () => hasPath('/os-server-groups'),
}
const isUnreachable = ({ version, file, folder }: Sample) =>
  folder === 'servers' && version === '2.69' && /^(server-get|servers-(list|details))-resp/.test(file)
const folders = ['servers', 'servers-sort', 'os-multiple-create', 'os-server-tags', 'os-console-output', 'os-remote-consoles']
const key = ({ folder, file }: Sample) => `${folder}/${file}`
const named = (sample: Sample) => [`${key(sample)} ${sample.version}`, sample] as const
const isAnswer = ({ file }: Sample) => /-resp|with-changes/.test(file)

const free = ['metadata', 'extra_specs', 'addresses', 'properties', 'scheduler_hints']
/** Which of two users the sample was shown to; both when it has nothing that only one of them sees. */
function takenBy({ document, version }: Sample): User[] {
  const text = JSON.stringify(document)
  if (text.includes('OS-EXT-SRV-ATTR:host"')) return ['admin']
  return /OS-EXT-STS:vm_state/.test(text) && Number(version.slice(2)) >= 3 ? ['demo'] : ['admin', 'demo']
}

describe.skipIf(samplesMissing)('answers', () => {
  const samples = samplesMissing
    ? []
    : folders
        .flatMap(samplesIn)
        .filter((sample) => isAnswer(sample) && key(sample) !== 'os-server-tags/server-tags-put-all-resp.json')
        .filter((sample) => !never.includes(key(sample)) && !isUnreachable(sample) && (awaits[key(sample)]?.() ?? true))

  it.each(samples.map(named))('%s', async (_name, sample) => {
    const ask = answers[key(sample)]
    expect(ask, 'no request for this sample').toBeDefined()
    for (const as of takenBy(sample)) {
      const answer = await ask!(sample, as)
      await cloud.settle()
      expect(answer.status, answer.text).toBeLessThan(300)
      expect(shapeDifferences(sample.document, answer.body, { free }), `as ${as}`).toEqual([])
    }
  })
})

/** Requests that make a server of a volume, or that no version of the API has taken. */
const refused: Record<string, RegExp> = {
  'servers/server-create-req.json 2.32': /no volume service/,
  'servers/server-create-req.json 2.42': /no volume service/,
  'servers/server-create-req.json 2.67': /no volume service/,
  'servers/server-create-req.json 2.90': /networks|personality/,
  'servers/server-create-req.json 2.94': /networks|personality/,
}
const statesBefore: Record<string, string[]> = {
  'os-start': ['os-stop'],
  unpause: ['pause'],
  resume: ['suspend'],
}
/** Asked among the answers, gone from the API, or begun only by a server that was resized before. */
const elsewhere = new Set(['rebuild', 'resetNetwork', 'confirmResize', 'revertResize', 'addFloatingIp', 'removeFloatingIp'])
const act = async (id: string, body: unknown, version = '2.1') => {
  const answer = await cloud.call('POST', `${compute}/servers/${id}/action`, { version, body })
  await cloud.settle()
  return answer
}
const versionOf = ({ file, version }: Sample): string => /-v2(\d+)\.json$/.exec(file)?.[1]?.replace(/^/, '2.') ?? version

describe.skipIf(samplesMissing)('requests for a server', () => {
  const of = (folder: string, filter: RegExp) =>
    samplesMissing ? [] : samplesIn(folder).filter((sample) => filter.test(sample.file) && !isAnswer(sample))

  it.each(of('servers', /^server-create-req/).map(named))('%s', async (name, sample) => {
    const text = JSON.stringify(sample.document)
    if (text.includes('"group"') && !hasPath('/os-server-groups')) return
    const as = text.includes('"host":') ? 'admin' : 'demo'
    const answer = await cloud.call('POST', `${compute}/servers`, {
      as,
      version: versionOf(sample),
      body: localised(sample.document, as),
    })
    await cloud.settle()
    const why = refused[name]
    if (why) expect([answer.status, answer.body.badRequest?.message]).toEqual([400, expect.stringMatching(why)])
    else {
      expect(answer.status, answer.text).toBe(202)
      const { server } = (await cloud.call('GET', `${compute}/servers/${answer.body.server.id}`, { as })).body
      expect(server.status).toBe('ACTIVE')
    }
  })

  it.each(of('servers', /^server-(update|put)-req/).map(named))('%s', async (_name, sample) => {
    const body = sample.document as { server: Record<string, unknown> }
    const answer = await cloud.call('PUT', `${compute}/servers/${servers.demo}`, { as: 'demo', version: sample.version, body })
    expect(answer.status, answer.text).toBe(200)
    const { hostname, ...shown } = body.server
    expect(answer.body.server).toMatchObject(shown)
    if (hostname !== undefined) expect(answer.body.server['OS-EXT-SRV-ATTR:hostname']).toBe(hostname)
  })

  const actions = ['servers', 'os-pause-server', 'os-suspend-server', 'os-console-output', 'os-lock-server', 'os-admin-actions']
    .flatMap((folder) => of(folder, /./))
    .filter(({ file }) => !/create-req|update-req|put-req|groups/.test(file))
    .map((sample) => ({ sample, action: Object.keys(sample.document as object)[0] ?? '' }))
    .filter(({ action }) => hasAction(action) && !elsewhere.has(action))
  it.each(actions.map(({ sample, action }) => [...named(sample), action] as const))('%s', async (_name, sample, action) => {
    const id = await make('admin', {})
    for (const before of statesBefore[action] ?? []) expect((await act(id, { [before]: null })).status).toBe(202)
    const answer = await act(id, sample.document, sample.version)
    expect(answer.status, answer.text).toBe(action === 'os-getConsoleOutput' ? 200 : 202)
  })

  const consoles = of('os-remote-consoles', /-req/)
  it.each(consoles.map(named))('%s', async (_name, sample) => {
    const isNew = Object.hasOwn(sample.document as object, 'remote_console')
    const answer = await cloud.call('POST', `${compute}/servers/${servers.demo}/${isNew ? 'remote-consoles' : 'action'}`, {
      as: 'demo',
      version: sample.version,
      body: sample.document,
    })
    expect(answer.status, answer.text).toBe(200)
  })
})

/** Requests beside servers: where they go. */
const sampleName = (version: string) => `sample-${version.replace('.', '-')}`
const flavorBody = ({ document, version }: Sample): CloudCall => {
  const { flavor } = document as { flavor: object }
  return { body: { flavor: { ...flavor, id: sampleName(version), name: sampleName(version) } } }
}
const keypairBody = ({ document, version, file }: Sample): CloudCall => {
  const { keypair } = document as { keypair: { user_id?: string } }
  const name = `${sampleName(version)}${file.includes('import')}`
  return { body: { keypair: { ...keypair, name, ...(keypair.user_id ? { user_id: sampleName(version) } : {}) } } }
}
const same = ({ document }: Sample): CloudCall => ({ body: document })
const service = (verb: string) =>
  path(
    'PUT',
    (_, { version }) => `/os-services/${Number(version.slice(2)) >= 53 ? serviceUuid : verb}`,
    ({ document }) => ({ body: document }),
  )
let serviceUuid = ''
const others: Record<string, Ask> = {
  'flavor-manage/flavor-create-post-req.json': path('POST', () => '/flavors', flavorBody),
  'flavor-manage/flavor-update-req.json': path('PUT', () => '/flavors/84', same),
  'flavor-extra-specs/flavor-extra-specs-update-req.json': path('PUT', () => '/flavors/84/os-extra_specs/hw:numa_nodes', same),
  'os-keypairs/keypairs-post-req.json': path('POST', () => '/os-keypairs', keypairBody),
  'os-keypairs/keypairs-import-post-req.json': path('POST', () => '/os-keypairs', keypairBody),
  'os-quota-class-sets/quota-classes-update-post-req.json': path('PUT', () => '/os-quota-class-sets/default', same),
  'os-quota-sets/quotas-update-post-req.json': path('PUT', () => `/os-quota-sets/${project}`, same),
  'os-quota-sets/quotas-update-force-post-req.json': path('PUT', () => `/os-quota-sets/${project}`, same),
  'os-quota-sets/user-quotas-update-post-req.json': path('PUT', () => `/os-quota-sets/${project}?user_id=somebody`, same),
  'os-services/service-disable-log-put-req.json': service('disable-log-reason'),
  'os-services/service-disable-put-req.json': service('disable'),
  'os-services/service-enable-put-req.json': service('enable'),
  'os-services/service-force-down-put-req.json': service('force-down'),
  'images/image-meta-key-put-req.json': path('PUT', () => `/images/${image}/metadata/auto_disk_config`, same),
  'os-server-tags/server-tags-put-all-req.json': path('PUT', (as) => `/servers/${servers[as]}/tags`, same),
  'server-metadata/server-metadata-req.json': path('PUT', (as) => `/servers/${servers[as]}/metadata/foo`, same),
}
/**
 * Refused here: a `kernel_id` that is no uuid, and quotas of single users, which this cloud has none of. Refused anywhere: a key
 * pair without a public key from 2.92 on.
 */
const otherwise = (name: string) =>
  name.startsWith('os-quota-sets/user-quotas-update') ||
  ['images/image-metadata-post-req.json 2.1', 'os-keypairs/keypairs-post-req.json 2.92'].includes(name)

describe.skipIf(samplesMissing)('requests beside servers', () => {
  beforeAll(async () => {
    serviceUuid = (await cloud.call('GET', `${compute}/os-services?binary=nova-compute`, { version: '2.53' })).body.services[0].id
    await cloud.call('POST', `${compute}/flavors/84/os-extra_specs`, { body: { extra_specs: { 'hw:numa_nodes': '1' } } })
  })
  const samples = samplesMissing
    ? []
    : [...new Set(Object.keys(others).map((name) => name.split('/')[0] ?? ''))]
        .flatMap(samplesIn)
        .filter((sample) => /-req/.test(sample.file) && !otherwise(named(sample)[0]))
  it.each(samples.map(named))('%s', async (_name, sample) => {
    const ask = others[key(sample)]
    expect(ask, 'no request for this sample').toBeDefined()
    const answer = await ask!(sample, 'admin')
    expect(answer.status, answer.text).toBeLessThan(300)
  })
})
