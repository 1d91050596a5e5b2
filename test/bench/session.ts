/** A client of a served cloud: logs in as its administrator, and knows what a server is made of. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import type { ServeProcess } from '../support/process.ts'
import { type Answer, encode, load, type Request, Wire } from './wire.ts'

/** Room for as many servers as a case wants to make. */
export const roomy = {
  MINICLOUD_QUOTA_INSTANCES: '-1',
  MINICLOUD_QUOTA_CORES: '-1',
  MINICLOUD_QUOTA_RAM: '-1',
  MINICLOUD_FAKE_VCPUS: '1000000',
  MINICLOUD_FAKE_MEMORY_MB: '1000000000',
  MINICLOUD_FAKE_LOCAL_GB: '1000000000',
  MINICLOUD_QUOTAS_QUOTA_PORT: '-1',
  MINICLOUD_NETWORK_PRIVATE_CIDR: '10.20.0.0/18',
} as const

const microversion = '2.79'
const nano = '42'
const pollMs = 5
const settleMs = 120_000

export class Session implements Disposable {
  readonly url: string
  readonly pid: number
  readonly token: string
  readonly imageId: string
  readonly networkId: string
  readonly #wire: Wire

  private constructor(parts: { url: string; pid: number; token: string; imageId: string; networkId: string; wire: Wire }) {
    this.url = parts.url
    this.pid = parts.pid
    this.token = parts.token
    this.imageId = parts.imageId
    this.networkId = parts.networkId
    this.#wire = parts.wire
  }

  /** @throws {Error} when the cloud has no image or private network. */
  static async open(cloud: ServeProcess, image = 'tiny'): Promise<Session> {
    const { url, pid } = cloud.ready
    const wire = await Wire.open(url)
    const token = tokenOf(await wire.send(passwordLogin(adminPassword(cloud.dataDir))))
    const first = async (path: string, list: string) => {
      const { body } = await wire.send(encode({ path, headers: { 'x-auth-token': token } }))
      const found = (JSON.parse(body.toString()) as Record<string, { id: string }[]>)[list]?.[0]?.id
      if (found === undefined) throw new Error(`nothing at ${path}`)
      return found
    }
    const imageId = await first(`/image/v2/images?name=${image}`, 'images')
    const networkId = await first('/network/v2.0/networks?name=private', 'networks')
    return new Session({ url, pid, token, imageId, networkId, wire })
  }

  /** A request with the session's token and a microversion that shows all of a server. */
  encode(request: Request): Buffer {
    return encode({
      ...request,
      headers: { 'x-auth-token': this.token, 'openstack-api-version': `compute ${microversion}`, ...request.headers },
    })
  }

  async send(request: Request): Promise<Answer> {
    return await this.#wire.send(this.encode(request))
  }

  /** @throws {Error} when the answer's status is another. */
  // biome-ignore lint/suspicious/noExplicitAny: what an answer holds is what the case looks into
  async json(request: Request, expect = 200): Promise<any> {
    const { status, body } = await this.send(request)
    if (status !== expect) throw new Error(`${request.method ?? 'GET'} ${request.path}: ${status} ${body.toString('utf8', 0, 400)}`)
    return body.length === 0 ? undefined : JSON.parse(body.toString())
  }

  createRequest(name: string): Buffer {
    const server = { name, imageRef: this.imageId, flavorRef: nano, networks: [{ uuid: this.networkId }] }
    return this.encode({ method: 'POST', path: '/compute/v2.1/servers', body: JSON.stringify({ server }) })
  }

  /** One server, asked for until it is there; ms from the request's first byte. @throws {Error} when it fails. */
  async create(name: string): Promise<{ id: string; ms: number }> {
    const startedAt = performance.now()
    const { status, body } = await this.#wire.send(this.createRequest(name))
    if (status !== 202) throw new Error(`create: ${status} ${body.toString('utf8', 0, 400)}`)
    const { id } = (JSON.parse(body.toString()) as { server: { id: string } }).server
    const ask = this.encode({ path: `/compute/v2.1/servers/${id}` })
    for (;;) {
      const text = (await this.#wire.send(ask)).body.toString()
      const found = (JSON.parse(text) as { server: { status: string } }).server.status
      if (found === 'ACTIVE') return { id, ms: performance.now() - startedAt }
      if (found !== 'BUILD') throw new Error(`the server became ${found}: ${text.slice(0, 800)}`)
    }
  }

  /** ms until it is not found any more. */
  async remove(id: string): Promise<number> {
    const startedAt = performance.now()
    const path = `/compute/v2.1/servers/${id}`
    await this.json({ method: 'DELETE', path }, 204)
    while ((await this.send({ path })).status !== 404);
    return performance.now() - startedAt
  }

  /** So many at once over eight connections; ms until none of them is being built any more. @throws {Error} when one fails. */
  async burst(name: string, count: number): Promise<number> {
    const startedAt = performance.now()
    await load({ url: this.url, count, concurrency: 8, request: (index) => this.createRequest(`${name}-${index}`), expect: 202 })
    await this.#none(`status=BUILD&name=${name}-`)
    const ms = performance.now() - startedAt
    const failed = await this.json({ path: `/compute/v2.1/servers?status=ERROR&name=${name}-&limit=1` })
    if (failed.servers.length > 0) throw new Error('a server of the burst became ERROR')
    return ms
  }

  /** Deletes all whose names begin so. */
  async removeAll(name: string): Promise<void> {
    for (let pages = 0; pages < 1000; pages++) {
      const { servers } = (await this.json({ path: `/compute/v2.1/servers?name=${name}-&limit=500` })) as { servers: { id: string }[] }
      if (servers.length === 0) return
      await load({
        url: this.url,
        count: servers.length,
        concurrency: 8,
        request: (index) => this.encode({ method: 'DELETE', path: `/compute/v2.1/servers/${servers[index]?.id}` }),
        expect: 204,
      })
      await this.#none(`name=${name}-&task_state=deleting`)
    }
  }

  [Symbol.dispose](): void {
    this.#wire[Symbol.dispose]()
  }

  async #none(query: string): Promise<void> {
    const deadline = Date.now() + settleMs
    for (;;) {
      const { servers } = await this.json({ path: `/compute/v2.1/servers?${query}&limit=1` })
      if (servers.length === 0) return
      if (Date.now() > deadline) throw new Error(`waited ${settleMs} ms for there to be no server with ${query}`)
      await delay(pollMs)
    }
  }
}

export const adminPassword = (dataDir: string): string =>
  (JSON.parse(readFileSync(join(dataDir, 'credentials.json'), 'utf8')) as { adminPassword: string }).adminPassword

const scope = { project: { name: 'admin', domain: { id: 'default' } } }
const login = (identity: unknown): Buffer =>
  encode({ method: 'POST', path: '/identity/v3/auth/tokens', body: JSON.stringify({ auth: { identity, scope } }) })

export const passwordLogin = (password: string): Buffer =>
  login({ methods: ['password'], password: { user: { name: 'admin', domain: { id: 'default' }, password } } })

export const tokenLogin = (token: string): Buffer => login({ methods: ['token'], token: { id: token } })

/** @throws {Error} when there is none. */
export function tokenOf({ status, head, body }: Answer): string {
  const token = /^x-subject-token: (.+)$/im.exec(head)?.[1]?.trim()
  if (!token) throw new Error(`no token: ${status} ${body.toString('utf8', 0, 400)}`)
  return token
}
