/** Identity behind the real dispatcher with its own tokens: two mounts, no socket. */
import { HttpServer, type Mount, mount, PolicyEngine } from '../../src/base/http/index.ts'
import { silentLog } from '../../src/base/log.ts'
import { type Bootstrapped, defaultCatalog, type Identity, identitySections, makeIdentity } from '../../src/identity/index.ts'
import type { TestAnswer } from './api.ts'
import { type TestGroundOptions, testGround } from './ground.ts'

export type IdentityCall = { token?: string | null; body?: unknown; headers?: Record<string, string>; raw?: string }
export type TestIdentity = {
  identity: Identity
  seeded: Bootstrapped
  ground: ReturnType<typeof testGround>
  server: HttpServer
  /** Paths below `/identity`. */
  call(method: string, path: string, options?: IdentityCall): Promise<TestAnswer>
  /** Logs in by password; the token, or the answer's status when there is none. */
  login(user: string, scope?: unknown, password?: string): Promise<string>
  /** A token of the user admin in the project admin. */
  admin: string
}

export const adminPassword = 'admin-Secret.1'
export const demoPassword = 'demo-Secret.1'

export const passwordBody = (name: string, password: string, scope?: unknown) => ({
  auth: {
    identity: { methods: ['password'], password: { user: { name, domain: { id: 'default' }, password } } },
    ...(scope === undefined ? {} : { scope }),
  },
})
export const projectScope = (name: string) => ({ project: { name, domain: { id: 'default' } } })

/** Scrypt costs next to nothing here; `flags` may say otherwise. */
export async function testIdentity({
  flags = {},
  mounts = [] as Mount[],
  ...rest
}: TestGroundOptions & { mounts?: Mount[] } = {}): Promise<TestIdentity> {
  const ground = testGround({ sections: identitySections, flags: { 'identity.password_hash_rounds': '8', ...flags }, ...rest })
  const identity = makeIdentity(ground)
  const seeded = await identity.bootstrap({ password: adminPassword, demoPassword, region: 'RegionOne', catalog: defaultCatalog })
  const server = new HttpServer({
    mounts: [mount('/identity', identity.root), mount('/identity/v3', identity.v3), ...mounts],
    authenticate: identity.authenticate,
    policy: new PolicyEngine(),
    log: silentLog(),
    strict: true,
  })
  const call: TestIdentity['call'] = async (method, path, { token = null, body, headers = {}, raw } = {}) => {
    const text = raw ?? (body === undefined ? null : JSON.stringify(body))
    const response = await server.fetch(
      new Request(`http://cloud.test/identity${path}`, {
        method,
        headers: {
          ...(token === null ? {} : { 'x-auth-token': token }),
          ...(text === null ? {} : { 'content-type': 'application/json' }),
          ...headers,
        },
        body: text,
      }),
    )
    const answer = await response.text()
    const isJson = answer !== '' && (response.headers.get('content-type')?.includes('json') ?? false)
    return { status: response.status, headers: response.headers, text: answer, body: isJson ? JSON.parse(answer) : undefined }
  }
  const passwords: Record<string, string> = { admin: adminPassword, demo: demoPassword }
  const login: TestIdentity['login'] = async (user, scope, password = passwords[user] ?? '') => {
    const answer = await call('POST', '/v3/auth/tokens', { body: passwordBody(user, password, scope) })
    return answer.headers.get('x-subject-token') ?? `${answer.status}`
  }
  return { identity, seeded, ground, server, call, login, admin: await login('admin', projectScope('admin')) }
}
