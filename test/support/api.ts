/** A service behind the real dispatcher, without a socket: what conformance tests talk to. */

import { unauthenticated } from '../../src/base/errors.ts'
import { HttpServer, type Mount, mount, PolicyEngine, type Principal, type Service } from '../../src/base/http/index.ts'
import { silentLog } from '../../src/base/log.ts'

// biome-ignore lint/suspicious/noExplicitAny: what a service answers is what the test looks into
export type TestAnswer = { status: number; headers: Headers; body: any; text: string }
export type TestApi = {
  /** `call('POST', '/servers', { token, version, body })`; paths are below the mount. */
  call(method: string, path: string, options?: CallOptions): Promise<TestAnswer>
  fetch(request: Request): Promise<Response>
}
export type CallOptions = { token?: string | null; body?: unknown; headers?: Record<string, string>; raw?: RequestInit['body'] }

/** Principals by token; `admin` and `demo` (a member of project `demo`) and `reader` are there from the start. */
export function testPrincipals(): Record<string, Principal> {
  const make = (name: string, roles: string[], projectId: string): Principal => ({
    userId: `user-${name}`,
    userName: name,
    userDomainId: 'default',
    projectId,
    projectName: projectId,
    projectDomainId: 'default',
    domainId: null,
    systemScope: false,
    roles,
    isAdmin: roles.includes('admin'),
    token: name,
    auditId: `audit-${name}`,
  })
  return {
    admin: make('admin', ['admin', 'manager', 'member', 'reader'], '0a0a0a0a0a0a4a0a8a0a0a0a0a0a0a0a'),
    demo: make('demo', ['member', 'reader'], '0b0b0b0b0b0b4b0b8b0b0b0b0b0b0b0b'),
    other: make('other', ['member', 'reader'], '0c0c0c0c0c0c4c0c8c0c0c0c0c0c0c0c'),
    reader: make('reader', ['reader'], '0b0b0b0b0b0b4b0b8b0b0b0b0b0b0b0b'),
    service: make('service', ['service'], '0d0d0d0d0d0d4d0d8d0d0d0d0d0d0d0d'),
  }
}

/** `mounts` beyond the first answer too, at their own prefixes. */
// biome-ignore lint/suspicious/noExplicitAny: any service can be tested
export function testApi(service: Service<any>, { prefix = '', principals = testPrincipals(), mounts = [] as Mount[] } = {}): TestApi {
  const server = new HttpServer({
    mounts: [mount(prefix, service), ...mounts],
    authenticate: (token) => {
      const found = principals[token]
      if (!found) throw unauthenticated('The request you have made requires authentication.')
      return found
    },
    policy: new PolicyEngine(),
    log: silentLog(),
    strict: true,
  })
  return {
    fetch: (request) => server.fetch(request),
    async call(method, path, { token = 'admin', body, headers = {}, raw } = {}) {
      const response = await server.fetch(
        new Request(`http://cloud.test${prefix}${path}`, {
          method,
          headers: {
            ...(token === null ? {} : { 'x-auth-token': token }),
            ...(body === undefined ? {} : { 'content-type': 'application/json' }),
            ...headers,
          },
          body: raw ?? (body === undefined ? null : JSON.stringify(body)),
          ...(raw === undefined ? {} : { duplex: 'half' }),
        } as RequestInit),
      )
      const text = await response.text()
      const isJson = response.headers.get('content-type')?.includes('json') ?? false
      return { status: response.status, headers: response.headers, text, body: isJson ? JSON.parse(text) : undefined }
    },
  }
}
