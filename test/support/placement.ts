/** A Placement to talk to as its clients do, one line a request. */
import { expect, onTestFinished } from 'vitest'
import { makePlacement } from '../../src/placement/index.ts'
import { type TestAnswer, testApi } from './api.ts'
import { testGround } from './ground.ts'

export const one = '11111111-1111-4111-8111-111111111111'
export const two = '22222222-2222-4222-8222-222222222222'
export const nobody = '99999999-9999-4999-8999-999999999999'
export const server = 'c0000000-0000-4000-8000-000000000001'
export const other = 'c0000000-0000-4000-8000-000000000002'
export const blue = 'b1111111-1111-4111-8111-111111111111'
export const red = 'b2222222-2222-4222-8222-222222222222'

export type Say = (line: string, body?: unknown, token?: string | null) => Promise<TestAnswer>

export function startPlacement() {
  const ground = testGround()
  onTestFinished(() => ground[Symbol.dispose]())
  const placement = makePlacement(ground)
  const api = testApi(placement.root, { prefix: '/placement' })
  /** `GET /traits @1.6`; without a version the client names none. */
  const say: Say = (line, body, token = 'admin') => {
    const [, method, path, at] = /^(\w+) (\S+?)(?: @([\d.]+|latest))?$/.exec(line)!
    return api.call(method!, path!, { body, token, headers: at === undefined ? {} : { 'openstack-api-version': `placement ${at}` } })
  }
  return { ground, placement, api, say }
}

/** Two providers with eight VCPU and 4096 MiB each, by the API. */
export async function stockedPlacement() {
  const cloud = startPlacement()
  for (const [uuid, name] of [
    [one, 'node-1'],
    [two, 'node-2'],
  ]) {
    expect((await cloud.say('POST /resource_providers', { uuid, name })).status).toBe(201)
    const inventories = { VCPU: { total: 8 }, MEMORY_MB: { total: 4096, reserved: 512 } }
    const answer = await cloud.say(`PUT /resource_providers/${uuid}/inventories`, { resource_provider_generation: 0, inventories })
    expect(answer.status).toBe(200)
  }
  return cloud
}

export const owner = { project_id: 'project-a', user_id: 'user-a' }
export const errorOf = ({ status, body }: TestAnswer) => [status, body?.errors?.[0]?.code]
export const inventoryDefaults = { reserved: 0, min_unit: 1, max_unit: 2147483647, step_size: 1, allocation_ratio: 1 }
