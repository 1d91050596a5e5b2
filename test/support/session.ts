/** The cloud's APIs over HTTP, logged in: for tests that make many calls, or ask often, where the `openstack` client is too slow. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { ServeProcess } from './process.ts'
import { until } from './until.ts'

// biome-ignore lint/suspicious/noExplicitAny: what an answer says is what the test looks into
type Json = any

export type Answer = { status: number; body: Json }

/** With microversion 2.79 unless told; `server` is the object of `POST /servers`. */
export class Session {
  readonly url: string
  readonly #token: string

  private constructor(url: string, token: string) {
    this.url = url
    this.#token = token
  }

  static async login(cloud: ServeProcess, name: 'admin' | 'demo' = 'admin'): Promise<Session> {
    const credentials = JSON.parse(readFileSync(join(cloud.dataDir, 'credentials.json'), 'utf8')) as Record<string, string>
    const domain = { id: 'default' }
    const user = { name, domain, password: credentials[`${name}Password`] }
    const answer = await fetch(`${cloud.ready.auth_url}/auth/tokens`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ auth: { identity: { methods: ['password'], password: { user } }, scope: { project: { name, domain } } } }),
    })
    const token = answer.headers.get('x-subject-token')
    if (token === null) throw new Error(`no token: ${answer.status} ${await answer.text()}`)
    return new Session(cloud.ready.url, token)
  }

  async request(method: string, path: string, body?: unknown, headers: Record<string, string> = {}): Promise<Answer> {
    const isBytes = body instanceof Uint8Array
    const answer = await fetch(`${this.url}${path}`, {
      method,
      headers: {
        'x-auth-token': this.#token,
        'openstack-api-version': 'compute 2.79',
        ...(body === undefined ? {} : { 'content-type': isBytes ? 'application/octet-stream' : 'application/json' }),
        ...headers,
      },
      ...(body === undefined ? {} : { body: isBytes ? body : JSON.stringify(body) }),
    })
    const text = await answer.text()
    return { status: answer.status, body: text.startsWith('{') ? JSON.parse(text) : text }
  }

  /** @throws for every status from 300 on */
  async call(method: string, path: string, body?: unknown): Promise<Json> {
    const answer = await this.request(method, path, body)
    if (answer.status >= 300) throw new Error(`${method} ${path}: ${answer.status} ${JSON.stringify(answer.body)}`)
    return answer.body
  }

  async imageId(name: string): Promise<string> {
    return (await this.call('GET', `/image/v2/images?name=${name}`)).images[0].id
  }

  async networkId(name: string): Promise<string> {
    return (await this.call('GET', `/network/v2.0/networks?name=${name}`)).networks[0].id
  }

  /** A small guest of the image `tiny`, on the network `private` unless `server` says otherwise. */
  async create(server: Record<string, unknown> & { name: string }): Promise<string> {
    const networks = server.networks ?? [{ uuid: await this.networkId('private') }]
    const imageRef = await this.imageId('tiny')
    return (await this.call('POST', '/compute/v2.1/servers', { server: { imageRef, flavorRef: '42', networks, ...server } })).server.id
  }

  /** Null when there is none. */
  async server(id: string): Promise<Json> {
    const { status, body } = await this.request('GET', `/compute/v2.1/servers/${id}`)
    if (status === 404) return null
    if (status !== 200) throw new Error(`GET server ${id}: ${status}`)
    return body.server
  }

  async servers(): Promise<Json[]> {
    return (await this.call('GET', '/compute/v2.1/servers/detail')).servers
  }

  async status(id: string): Promise<string | null> {
    return (await this.server(id))?.status ?? null
  }

  /** @throws at once for ERROR when that is not what is waited for */
  async becomes(id: string, wanted: string, deadlineMs = 90_000): Promise<Json> {
    return await until(
      `server ${id} to be ${wanted}`,
      async () => {
        const server = await this.server(id)
        if (server?.status === wanted && server['OS-EXT-STS:task_state'] === null) return server
        if (server?.status === 'ERROR') throw new Error(`server ${id} failed: ${JSON.stringify(server.fault)}`)
        return null
      },
      deadlineMs,
    )
  }

  async action(id: string, name: string, details: unknown = null): Promise<Json> {
    return await this.call('POST', `/compute/v2.1/servers/${id}/action`, { [name]: details })
  }

  /** The actions of a server, newest first, with their events. */
  async actions(id: string): Promise<Json[]> {
    const { instanceActions } = await this.call('GET', `/compute/v2.1/servers/${id}/os-instance-actions`)
    const one = async ({ request_id }: Json) =>
      (await this.call('GET', `/compute/v2.1/servers/${id}/os-instance-actions/${request_id}`)).instanceAction
    return await Promise.all(instanceActions.map(one))
  }

  async consoleLog(id: string): Promise<string> {
    return (await this.action(id, 'os-getConsoleOutput', {})).output
  }

  async says(id: string, what: string | RegExp, deadlineMs = 120_000): Promise<string> {
    let log = ''
    try {
      return await until(
        `the guest to say ${what}`,
        async () => {
          log = await this.consoleLog(id)
          return (typeof what === 'string' ? log.includes(what) : what.test(log)) ? log : null
        },
        deadlineMs,
      )
    } catch (error) {
      throw new Error(`${(error as Error).message}\nIts log ends:\n${log.slice(-2000)}`)
    }
  }

  async delete(...ids: string[]): Promise<void> {
    for (const id of ids) await this.request('DELETE', `/compute/v2.1/servers/${id}`)
    await until('the servers to be gone', async () => (await Promise.all(ids.map((id) => this.server(id)))).every((s) => s === null))
  }

  async deleteAll(): Promise<void> {
    await this.delete(...(await this.servers()).map(({ id }) => id))
  }
}
