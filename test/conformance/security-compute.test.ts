/** Names that mean something to JavaScript and nothing to Compute. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { startTestCloud, type TestCloud } from '../support/cloud.ts'

let cloud: TestCloud
beforeAll(async () => {
  cloud = await startTestCloud()
})
afterAll(async () => {
  await cloud[Symbol.asyncDispose]()
})

const names = ['constructor', 'toString', 'hasOwnProperty', 'valueOf', '__proto__', 'isPrototypeOf']

describe.each(['admin', 'demo'] as const)('a list of servers, asked by %s', (as) => {
  it.each(names)('knows no filter %s', async (name) => {
    const isPrivate = name.startsWith('_')
    const privately = as === 'admin' ? 400 : 200
    expect((await cloud.call('GET', `/compute/v2.1/servers?${name}=x`, { as })).status).toBe(isPrivate ? privately : 200)
    expect((await cloud.call('GET', `/compute/v2.1/servers?${name}=x`, { as, version: '2.75' })).status).toBe(isPrivate ? privately : 400)
  })
  it.each(names)('knows no sort key %s', async (name) => {
    expect((await cloud.call('GET', `/compute/v2.1/servers/detail?sort_key=${name}`, { as })).status).toBe(400)
  })
})

it("keeps metadata of a server under JavaScript's own names", async () => {
  const [image] = (await cloud.call('GET', '/image/v2/images')).body.images
  const metadata = JSON.parse('{"a": "1", "__proto__": "2", "constructor": "3"}')
  const body = { server: { name: 'named', flavorRef: '1', imageRef: image.id, networks: 'none', metadata } }
  const made = await cloud.call('POST', '/compute/v2.1/servers', { version: '2.37', body })
  expect(made.status).toBe(202)
  const shown = await cloud.call('GET', `/compute/v2.1/servers/${made.body.server.id}/metadata`)
  expect(Object.entries(shown.body.metadata).sort()).toEqual(Object.entries(metadata).sort())
  await cloud.settle()
})
