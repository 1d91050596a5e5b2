/**
 * Volumes through Compute where there is no volume service, what a service would have shown, attachments as the rows of a
 * server's disks have them, and the second way to servers.
 */
import { randomUUID } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { makeComputeApi, type NovaApi, noVolumeService, type VolumeService } from '../../src/nova/api/index.ts'
import { apiConfig } from '../../src/nova/model/index.ts'
import { testApi } from '../support/api.ts'
import { type CloudCall, startTestCloud, type TestCloud } from '../support/cloud.ts'
import { testGround } from '../support/ground.ts'
import { samplesIn, samplesMissing, shapeDifferences } from '../support/samples.ts'

let cloud: TestCloud
let server: string
let image: string
const call = (method: string, path: string, options: CloudCall = {}) =>
  cloud.call(method, `/compute/v2.1${path}`, { as: 'demo', ...options })
const someVolume = 'a07f71dc-8151-4e7d-a0cc-cd24a3f11113'
const attached = '227cc671-f30b-4488-96fd-7d0bf13648d8'

beforeAll(async () => {
  cloud = await startTestCloud()
  image = (await cloud.call('GET', '/image/v2/images?name=tiny')).body.images[0].id
  server = await boot()
  cloud.cloud.ground.db
    .prepare(
      `INSERT INTO block_device_mapping (created_at, deleted, instance_uuid, uuid, device_name, source_type, destination_type, volume_id, attachment_id, tag,
       delete_on_termination, boot_index) VALUES ('2026-01-01 00:00:00.000000', 0, ?, ?, '/dev/vdb', 'volume', 'volume', ?, ?, 'foo', 0, NULL)`,
    )
    .run(server, randomUUID(), attached, randomUUID())
})
afterAll(() => cloud[Symbol.asyncDispose]())

async function boot(path = '/servers'): Promise<string> {
  const answer = await call('POST', path, { body: { server: { name: 'v', imageRef: image, flavorRef: '42' } } })
  expect(answer.status, answer.text).toBe(202)
  await cloud.settle()
  return answer.body.server.id
}
const said = ({ status, body }: Awaited<ReturnType<typeof call>>) => [
  status,
  (Object.values(body ?? {})[0] as { message?: string })?.message,
]

describe('os-volumes and os-snapshots', () => {
  it('are empty, and nothing is found or made', async () => {
    for (const list of ['/os-volumes', '/os-volumes/detail'])
      expect((await call('GET', `${list}?limit=1&offset=1`)).body).toEqual({ volumes: [] })
    for (const list of ['/os-snapshots', '/os-snapshots/detail']) expect((await call('GET', list)).body).toEqual({ snapshots: [] })
    expect((await call('GET', '/os-volumes?limit=x')).status).toBe(400)
    for (const method of ['GET', 'DELETE']) {
      expect(said(await call(method, `/os-volumes/${someVolume}`))).toEqual([404, `Volume ${someVolume} could not be found.`])
      expect(said(await call(method, `/os-snapshots/${someVolume}`))).toEqual([404, `Snapshot ${someVolume} could not be found.`])
    }
    const noService = [400, 'This cloud has no volume service.']
    expect(said(await call('POST', '/os-volumes', { body: { volume: { size: 1 } } }))).toEqual(noService)
    expect(said(await call('POST', '/os-snapshots', { body: { snapshot: { volume_id: someVolume } } }))).toEqual(noService)
    expect((await call('POST', '/os-volumes', { body: { volume: {} } })).body.badRequest.message).toMatch(/'size' is a required property/)
    expect((await call('POST', '/os-snapshots', { body: { snapshot: { volume_id: someVolume, force: 'maybe' } } })).status).toBe(400)
  })

  it.skipIf(samplesMissing)('show what a service has as the samples do', async () => {
    const at = '2026-01-01 00:00:00.000000'
    const texts = { name: 'n', description: 'd' }
    const made = { id: someVolume, status: 'in-use', sizeGib: 100, createdAt: at, ...texts }
    const volume = {
      ...made,
      zone: 'nova',
      type: 't',
      snapshotId: null,
      metadata: {},
      attachedTo: { serverId: server, device: '/dev/vdb' },
    }
    const snapshot = { ...made, volumeId: someVolume }
    const service: VolumeService = {
      ...noVolumeService,
      volumes: () => [volume],
      volume: () => volume,
      createVolume: (wish) => ({ ...volume, ...wish, attachedTo: null }),
      snapshots: () => [snapshot],
      snapshot: () => snapshot,
      createSnapshot: (wish) => ({ ...snapshot, ...wish }),
    }
    using ground = testGround({ sections: [apiConfig] })
    const { v21 } = makeComputeApi({ ...ground, volumes: service } as unknown as NovaApi)
    const api = testApi(v21)
    const documents = (folder: string) => new Map(samplesIn(folder).map(({ file, document }) => [file, document]))
    const volumes = documents('os-volumes')
    const snapshots = documents('os-snapshots')
    const paths: [Map<string, unknown>, string, string, string, string?][] = [
      [volumes, 'os-volumes-index-resp.json', 'GET', '/os-volumes'],
      [volumes, 'os-volumes-detail-resp.json', 'GET', '/os-volumes/detail'],
      [volumes, 'os-volumes-get-resp.json', 'GET', `/os-volumes/${someVolume}`],
      [volumes, 'os-volumes-post-resp.json', 'POST', '/os-volumes', 'os-volumes-post-req.json'],
      [snapshots, 'snapshots-list-resp.json', 'GET', '/os-snapshots'],
      [snapshots, 'snapshots-detail-resp.json', 'GET', '/os-snapshots/detail'],
      [snapshots, 'snapshots-show-resp.json', 'GET', `/os-snapshots/${someVolume}`],
      [snapshots, 'snapshot-create-resp.json', 'POST', '/os-snapshots', 'snapshot-create-req.json'],
    ]
    for (const [known, file, method, path, request] of paths) {
      const answer = await api.call(method, path, { token: 'demo', ...(request === undefined ? {} : { body: known.get(request) }) })
      expect(answer.status, answer.text).toBe(200)
      // A volume that is in no server has one attachment without anything.
      const optional = request === undefined ? [] : ['id', 'serverId', 'volumeId', 'device']
      expect(shapeDifferences(known.get(file), answer.body, { free: ['metadata'], optional }), file).toEqual([])
    }
  })
})

describe('volume attachments', () => {
  const path = (volume = '') => `/servers/${server}/os-volume_attachments${volume === '' ? '' : `/${volume}`}`
  const attach = (version: string, over: object = {}) =>
    call('POST', path(), { version, body: { volumeAttachment: { volumeId: someVolume, ...over } } })

  it.skipIf(samplesMissing)('are shown as the samples of their versions', async () => {
    const samples = samplesIn('os-volume_attachments').filter(({ file }) => /^(list|volume-attachment-detail)/.test(file))
    expect(samples.length).toBeGreaterThan(8)
    for (const { file, version, document } of samples) {
      const answer = await call('GET', path(file.startsWith('list') ? '' : attached), { version })
      expect(answer.status).toBe(200)
      expect(shapeDifferences(document, answer.body), `${file} ${version}`).toEqual([])
    }
  })

  it.skipIf(samplesMissing)('are asked for as the samples ask; no volume is found', async () => {
    const samples = samplesIn('os-volume_attachments').filter(({ file }) => file.endsWith('-req.json'))
    for (const { file, version, document } of samples) {
      const attaches = file.startsWith('attach')
      const answer = await call(attaches ? 'POST' : 'PUT', path(attaches ? '' : someVolume), { version, body: document })
      // Another volume in the place of one is asked for by the volume service alone.
      expect(answer.status, `${file} ${version} ${answer.text}`).toBe(file === 'update-volume-req.json' ? 403 : 404)
    }
  })

  it("are counted, and refused with Nova's words", async () => {
    expect((await call('GET', `${path()}?offset=1`)).body).toEqual({ volumeAttachments: [] })
    expect((await call('GET', `${path()}?limit=1`)).body.volumeAttachments).toHaveLength(1)
    expect((await call('GET', `${path()}?colour=red`, { version: '2.75' })).status).toBe(400)
    expect(said(await call('GET', path(someVolume)))).toEqual([404, `Instance ${server} is not attached to volume ${someVolume}`])
    expect(said(await call('GET', `/servers/${someVolume}/os-volume_attachments`))).toEqual([
      404,
      `Instance ${someVolume} could not be found.`,
    ])
    expect(said(await attach('2.101'))).toEqual([404, `Volume ${someVolume} could not be found.`])
    expect(said(await call('DELETE', path(someVolume)))).toEqual([404, `Volume ${someVolume} could not be found.`])
  })

  it.each<[object, string[], number[]]>([
    [{ tag: 'foo' }, ['2.48', '2.49'], [400, 404]],
    [{ delete_on_termination: true }, ['2.78', '2.79'], [400, 404]],
    [{ device: '/dev/vdb' }, ['2.1', '2.104'], [404, 404]],
    [{ device: 'vdb' }, ['2.1', '2.104'], [400, 400]],
    [{ volumeId: 'x' }, ['2.1', '2.104'], [400, 400]],
  ])('take %j by their version', async (over, versions, statuses) => {
    expect(await Promise.all(versions.map(async (version) => (await attach(version, over)).status))).toEqual(statuses)
  })

  it('can be told from 2.85 to outlive their server or not, and nothing else', async () => {
    const put = (over: object, options: CloudCall = {}) =>
      call('PUT', path(attached), { version: '2.85', ...options, body: { volumeAttachment: { volumeId: attached, ...over } } })
    const flag = async () => (await call('GET', path(attached), { version: '2.79' })).body.volumeAttachment.delete_on_termination
    expect((await put({ delete_on_termination: true })).status).toBe(202)
    expect(await flag()).toBe(true)
    expect((await put({ delete_on_termination: 'False', tag: 'foo', device: '/dev/vdb', serverId: server, id: attached })).status).toBe(202)
    expect(await flag()).toBe(false)
    for (const [name, value] of Object.entries({ tag: 'bar', device: '/dev/vdc', serverId: someVolume, id: someVolume }))
      expect(said(await put({ [name]: value }))).toEqual([400, `The ${name} property is not mutable`])
    const unknown = { volumeAttachment: { volumeId: someVolume, delete_on_termination: true } }
    expect(said(await call('PUT', path(someVolume), { version: '2.85', body: unknown }))).toEqual([
      404,
      `No volume Block Device Mapping with id ${someVolume}.`,
    ])
    expect((await put({ volumeId: someVolume })).status).toBe(403)
    expect((await put({}, { version: '2.84' })).status).toBe(403)
  })

  it('change only where the server stands still', async () => {
    const act = async (body: unknown) => {
      expect((await call('POST', `/servers/${server}/action`, { body })).status).toBe(202)
      await cloud.settle()
    }
    await act({ suspend: null })
    const standing = 'while it is in vm_state suspended'
    expect(said(await attach('2.104'))).toEqual([409, `Cannot 'attach_volume' instance ${server} ${standing}`])
    await act({ resume: null })
    await act({ lock: null })
    expect(said(await call('POST', path(), { as: 'demo', body: { volumeAttachment: { volumeId: someVolume } } }))).toEqual([
      409,
      `Instance ${server} is locked`,
    ])
    await act({ unlock: null })
    await act({ shelve: null })
    for (const [version, status] of [
      ['2.19', 409],
      ['2.20', 404],
    ] as const) {
      const answer = await attach(version)
      expect(answer.status, answer.text).toBe(status)
      expect((await call('DELETE', path(someVolume), { version })).status).toBe(status)
    }
    await act({ unshelve: null })
  })
})

describe('os-volumes_boot', () => {
  it('is a second way to servers, whose links lead to the first', async () => {
    const id = await boot('/os-volumes_boot')
    const { body } = await call('GET', `/os-volumes_boot/${id}`)
    expect([body.server.status, body.server.links[0].href]).toEqual(['ACTIVE', expect.stringContaining(`/servers/${id}`)])
    for (const list of ['', '/detail'])
      expect((await call('GET', `/os-volumes_boot${list}`)).body.servers.map((one: { id: string }) => one.id)).toContain(id)
    expect((await call('PUT', `/os-volumes_boot/${id}`, { body: { server: { name: 'w' } } })).body.server.name).toBe('w')
    expect((await call('POST', `/os-volumes_boot/${id}/action`, { body: { 'os-stop': null } })).status).toBe(202)
    await cloud.settle()
    expect((await call('POST', `/os-volumes_boot/${id}/action`, { body: { pause: null } })).status).toBe(400)
    expect((await call('GET', `/os-volumes_boot/${id}`, { version: '2.102' })).body.server.status).toBe('SHUTOFF')
    expect((await call('GET', `/os-volumes_boot/${id}`, { version: '2.103' })).status).toBe(404)
    expect((await call('DELETE', `/os-volumes_boot/${id}`)).status).toBe(204)
  })
})
