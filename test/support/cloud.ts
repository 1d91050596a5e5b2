/**
 * A whole cloud in this process, without a socket: `startTestCloud()`, then `cloud.call(...)` as a client would, with a
 * real token of a seeded user.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Clock, systemClock } from '../../src/base/clock.ts'
import { loadConfig } from '../../src/base/config/index.ts'
import { silentLog } from '../../src/base/log.ts'
import { type Cloud, startCloud } from '../../src/cloud.ts'
import { sections } from '../../src/config.ts'
import type { TestAnswer } from './api.ts'

export type CloudCall = { as?: 'admin' | 'demo'; version?: string; body?: unknown; headers?: Record<string, string> }

export type TestCloud = {
  cloud: Cloud
  /** `call('POST', '/compute/v2.1/servers', { version: '2.37', body })`. */
  call(method: string, path: string, options?: CloudCall): Promise<TestAnswer>
  token(user: 'admin' | 'demo'): Promise<string>
  settle(): Promise<void>
  [Symbol.asyncDispose](): Promise<void>
}

export type TestCloudOptions = { flags?: Record<string, string>; clock?: Clock; dataDir?: string }

/** Cheap password hashing: what is tested here is not how slow scrypt is. */
const testFlags = { 'minicloud.driver': 'fake', 'identity.password_hash_rounds': '8', 'debug.strict': 'true', 'compute.host': 'host1' }

export async function startTestCloud({ flags = {}, clock = systemClock(), dataDir }: TestCloudOptions = {}): Promise<TestCloud> {
  const dir = dataDir ?? mkdtempSync(join(tmpdir(), 'minicloud-cloud-'))
  const cloud = await startCloud({
    config: loadConfig(sections, { flags: { ...testFlags, ...flags } }),
    log: silentLog(),
    dataDir: dir,
    clock,
    seed: true,
    childCommand: [process.execPath],
  })
  await cloud.ready
  const tokens = new Map<string, string>()

  const send = async (method: string, path: string, headers: Record<string, string>, body: unknown): Promise<TestAnswer> => {
    const response = await cloud.server.fetch(
      new Request(`http://cloud.test${path}`, {
        method,
        headers: { ...(body === undefined ? {} : { 'content-type': 'application/json' }), ...headers },
        body: body === undefined ? null : JSON.stringify(body),
      }),
    )
    const text = await response.text()
    const isJson = response.headers.get('content-type')?.includes('json') ?? false
    return { status: response.status, headers: response.headers, text, body: isJson && text !== '' ? JSON.parse(text) : undefined }
  }

  const token: TestCloud['token'] = async (user) => {
    const known = tokens.get(user)
    if (known) return known
    const password = user === 'admin' ? cloud.credentials.adminPassword : cloud.credentials.demoPassword
    const auth = {
      identity: { methods: ['password'], password: { user: { name: user, domain: { id: 'default' }, password } } },
      scope: { project: { name: user, domain: { id: 'default' } } },
    }
    const answer = await send('POST', '/identity/v3/auth/tokens', {}, { auth })
    const made = answer.headers.get('x-subject-token')
    if (!made) throw new Error(`no token for ${user}: ${answer.status} ${answer.text}`)
    tokens.set(user, made)
    return made
  }

  return {
    cloud,
    token,
    async call(method, path, { as = 'admin', version, body, headers = {} } = {}) {
      const microversion: Record<string, string> = version === undefined ? {} : { 'openstack-api-version': `compute ${version}` }
      return await send(method, path, { 'x-auth-token': await token(as), ...microversion, ...headers }, body)
    },
    async settle() {
      await cloud.ground.sagas.settled()
      await cloud.ground.queue.settled()
    },
    async [Symbol.asyncDispose]() {
      await cloud[Symbol.asyncDispose]()
      if (dataDir === undefined) rmSync(dir, { recursive: true, force: true })
    },
  }
}
