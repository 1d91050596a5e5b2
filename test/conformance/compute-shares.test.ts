/** File shares of servers, where no share service is: what stands in the table is shown, and nothing more can be attached. */
import { randomUUID } from 'node:crypto'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { type CloudCall, startTestCloud, type TestCloud } from '../support/cloud.ts'
import { samplesIn, samplesMissing, shapeDifferences } from '../support/samples.ts'

let cloud: TestCloud
let server: string
const share = 'e8debdc0-447a-4376-a10a-4cd9122d7986'
const unknown = '3cdf5132-64f2-4584-876a-bd296ae7eabd'
const call = (method: string, path: string, options: CloudCall = {}) =>
  cloud.call(method, `/compute/v2.1/servers/${server}/shares${path}`, { as: 'demo', version: '2.97', ...options })
const act = async (body: unknown) => {
  await cloud.call('POST', `/compute/v2.1/servers/${server}/action`, { as: 'demo', body })
  await cloud.settle()
}
const said = ({ status, body }: Awaited<ReturnType<typeof call>>) => [
  status,
  (Object.values(body ?? {})[0] as { message?: string })?.message,
]
const create = (over: object = {}, options: CloudCall = {}) =>
  call('POST', '', { ...options, body: { share: { share_id: unknown, ...over } } })

beforeAll(async () => {
  cloud = await startTestCloud()
  const imageRef = (await cloud.call('GET', '/image/v2/images?name=tiny')).body.images[0].id
  const body = { server: { name: 's', imageRef, flavorRef: '42' } }
  server = (await cloud.call('POST', '/compute/v2.1/servers', { as: 'demo', body })).body.server.id
  await cloud.settle()
})
afterAll(() => cloud[Symbol.asyncDispose]())

it('attaches nothing to a server that runs or is locked, and finds no share for one that is stopped', async () => {
  expect((await call('GET', '')).body).toEqual({ shares: [] })
  expect(said(await create())).toEqual([409, `Cannot 'create share' instance ${server} while it is in vm_state active`])
  expect(said(await call('DELETE', `/${unknown}`))).toEqual([
    409,
    `Cannot 'delete share' instance ${server} while it is in vm_state active`,
  ])
  await act({ 'os-stop': null })
  expect(said(await create({ tag: 'my-share' }))).toEqual([404, `Share ${unknown} could not be found.`])
  expect(said(await call('GET', `/${unknown}`))).toEqual([404, `Share ${unknown} could not be found.`])
  expect(said(await call('DELETE', `/${unknown}`))).toEqual([404, `Share ${unknown} could not be found.`])
  await act({ lock: null })
  expect(said(await create())).toEqual([409, `Instance ${server} is locked`])
  await act({ unlock: null })
})

it.each([[{ share_id: 'x' }], [{ tag: 'a_b' }], [{ tag: '' }], [{ tag: 'a'.repeat(256) }], [{ more: 1 }]])('refuses %j', async (over) => {
  expect((await create(over)).status).toBe(400)
})

it('knows no parameters, and no older version', async () => {
  expect((await call('GET', '?colour=red')).status).toBe(400)
  expect((await call('GET', '', { version: '2.96' })).status).toBe(404)
})

it.skipIf(samplesMissing)('shows what stands in the table as the samples do, to administrators where it is', async () => {
  cloud.cloud.ground.db
    .prepare(
      `INSERT INTO share_mapping (created_at, uuid, instance_uuid, share_id, status, tag, export_location, share_proto)
       VALUES ('2026-01-01 00:00:00.000000', ?, ?, ?, 'inactive', ?, '10.0.0.50:/mnt/foo', 'NFS')`,
    )
    .run(randomUUID(), server, share, share)
  const samples = new Map(samplesIn('os-server-shares').map(({ file, document }) => [file, document]))
  const same = async (file: string, path: string, options: CloudCall = {}) =>
    expect(shapeDifferences(samples.get(file), (await call('GET', path, options)).body), file).toEqual([])
  await same('server-shares-list-resp.json', '')
  await same('server-shares-show-resp.json', `/${share}`)
  await same('server-shares-admin-show-resp.json', `/${share}`, { as: 'admin' })
  for (const file of ['server-shares-create-req.json', 'server-shares-create-tag-req.json'])
    expect((await call('POST', '', { body: samples.get(file) })).status).toBe(404)
  expect((await call('DELETE', `/${share}`)).status).toBe(200)
  expect((await call('GET', '')).body).toEqual({ shares: [] })
})
