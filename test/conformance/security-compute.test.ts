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
    expect((await cloud.call('GET', `/compute/v2.1/servers?${name}=x`, { as })).status).toBe(name.startsWith('_') ? 400 : 200)
    expect((await cloud.call('GET', `/compute/v2.1/servers?${name}=x`, { as, version: '2.75' })).status).toBe(400)
  })
  it.each(names)('knows no sort key %s', async (name) => {
    expect((await cloud.call('GET', `/compute/v2.1/servers/detail?sort_key=${name}`, { as })).status).toBe(400)
  })
})
