/** The Compute API as a whole: versions, extensions, images, what is gone; and the table of operations beside OpenStack's. */
import { existsSync, readFileSync } from 'node:fs'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type AnyOperation, operationId } from '../../src/base/http/index.ts'
import { apiVersions } from '../../src/nova/api/api-versions.ts'
import { computeOperations } from '../../src/nova/api/index.ts'
import { policies } from '../../src/nova/api/policy.ts'
import { type CloudCall, startTestCloud, type TestCloud } from '../support/cloud.ts'

let cloud: TestCloud
beforeAll(async () => {
  cloud = await startTestCloud()
})
afterAll(() => cloud[Symbol.asyncDispose]())
const call = (method: string, path: string, options: CloudCall = {}) => cloud.call(method, `/compute/v2.1${path}`, options)
const open = (path: string, method = 'GET') => cloud.cloud.server.fetch(new Request(`http://cloud.test${path}`, { method }))

describe('versions', () => {
  it('are told without a token', async () => {
    const [root, current] = await Promise.all([open('/compute/'), open('/compute/v2.1/')])
    expect([root.status, current.status]).toEqual([200, 200])
    const links = ((await root.json()) as { versions: { links: { href: string }[] }[] }).versions.map(({ links: [link] }) => link?.href)
    expect(links).toEqual(['http://cloud.test/compute/v2/', 'http://cloud.test/compute/v2.1/'])
    expect(((await current.json()) as { version: unknown }).version).toMatchObject({
      version: '2.104',
      min_version: '2.1',
      status: 'CURRENT',
    })
  })

  it('have a HEAD, which nothing else has', async () => {
    expect((await open('/compute/v2.1/', 'HEAD')).status).toBe(200)
    expect((await call('HEAD', '/servers')).status).toBe(404)
  })

  it('are offered for a path without one', async () => {
    for (const method of ['GET', 'POST']) {
      const answer = await open('/compute/servers/x', method)
      expect(answer.status).toBe(300)
      const { choices } = (await answer.json()) as { choices: { links: { href: string }[] }[] }
      expect(choices[1]?.links[0]?.href).toBe('http://cloud.test/compute/v2.1/servers/x')
    }
  })

  it('are shown by id, to those with a token', async () => {
    expect((await open('/compute/v2.1/versions/v2.1')).status).toBe(401)
    expect((await call('GET', '/versions/v2.1')).body.version.links[0].href).toBe('http://cloud.test/compute/v2.1/')
    expect((await call('GET', '/versions/v3')).status).toBe(404)
  })

  it('have a sentence each', () => {
    expect(Object.keys(apiVersions)).toEqual(Array.from({ length: 104 }, (_, i) => `2.${i + 1}`))
  })
})

describe('extensions', () => {
  it('are a fixed list', async () => {
    expect((await call('GET', '/extensions')).body.extensions.length).toBeGreaterThan(90)
    expect((await call('GET', '/extensions/os-keypairs')).body.extension.name).toBe('Keypairs')
    expect((await call('GET', '/extensions/constructor')).status).toBe(404)
  })
})

describe('what is gone', () => {
  it.each([
    ['GET', '/os-cells', undefined],
    ['GET', '/os-fping/x', undefined],
    ['POST', '/os-cloudpipe', { cloudpipe: {} }],
    ['POST', '/os-networks/x/action', { disassociate: null }],
    ['POST', '/servers/x/action', { resetNetwork: null }],
    ['GET', '/servers/x/consoles', undefined],
  ])('%s %s answers 410', async (method, path, body) => {
    const answer = await call(method, path, { body })
    expect([answer.status, answer.body.computeFault?.code]).toEqual([410, 410])
  })
})

describe('images through Compute', () => {
  const image = async () => (await call('GET', '/images?name=tiny')).body.images[0].id as string

  it('end at 2.35, their metadata at 2.38', async () => {
    const id = await image()
    expect((await call('GET', '/images', { version: '2.36' })).status).toBe(404)
    expect((await call('GET', `/images/${id}/metadata`, { version: '2.38' })).status).toBe(200)
    expect((await call('GET', `/images/${id}/metadata`, { version: '2.39' })).status).toBe(404)
  })

  it('are filtered and cut into pages', async () => {
    expect((await call('GET', '/images?name=moon')).body.images).toEqual([])
    expect((await call('GET', '/images?status=ACTIVE&limit=1')).body.images_links[0].rel).toBe('next')
    expect((await call('GET', '/images?minRam=x')).status).toBe(400)
    expect((await call('GET', '/images?marker=moon')).status).toBe(400)
  })

  it('are changed by their owners, in what is a property', async () => {
    const path = `/images/${await image()}/metadata`
    expect((await call('PUT', `${path}/a`, { body: { meta: { a: '1' } } })).body).toEqual({ meta: { a: '1' } })
    expect((await call('PUT', `${path}/a`, { as: 'demo', body: { meta: { a: '2' } } })).status).toBe(403)
    expect((await call('PUT', `${path}/owner`, { body: { meta: { owner: 'me' } } })).status).toBe(403)
    expect((await call('PUT', `${path}/kernel_id`, { body: { meta: { kernel_id: 'no uuid' } } })).status).toBe(400)
    expect((await call('DELETE', `${path}/a`)).status).toBe(204)
    expect((await call('DELETE', `${path}/a`)).status).toBe(404)
    expect((await call('DELETE', `/images/${await image()}`, { as: 'demo' })).status).toBe(403)
    expect((await call('GET', '/images/moon')).status).toBe(404)
  })
})

describe('the table of operations', () => {
  const table = computeOperations as readonly AnyOperation[]

  it('asks only for policies that there are', () => {
    const missing = table.flatMap(({ policy }) => (policy && !Object.hasOwn(policies, policy) ? [policy] : []))
    expect(missing).toEqual([])
  })

  /** An unknown shape is refused anywhere, a policy may be set for any operation, and a driver may lack a capability. */
  const anywhere = new Set([400, 403, 501])
  /** A locked server refuses these too, which their rows don't say. */
  const locked = new Set(['POST /servers/{server_id}/action#addFixedIp', 'POST /servers/{server_id}/action#removeFixedIp'])
  const facts = new URL('../../../shared/openstack-api/compute-routes.tsv', import.meta.url)
  const rows = existsSync(facts)
    ? readFileSync(facts, 'utf8')
        .split('\n')
        .slice(1)
        .filter((line) => line.startsWith('GET') || /^(POST|PUT|DELETE)/.test(line))
        .map((line) => line.split('\t'))
    : []

  it.skipIf(rows.length === 0)('agrees with the windows, statuses, errors and policies of OpenStack', () => {
    const wrong = table.flatMap((operation) => {
      const { method, path, action, since = '2.1', until = '', status, errors = [], policy } = operation
      const row = rows.find(([m, p, a]) => m === method && p === path && (a ?? '') === (action ?? ''))
      const name = operationId(operation)
      if (!row) return [`${name}: no such route`]
      const [, , , min = '', max = '', statuses = '', own = '', , , , , rules = ''] = row
      // The second way to /servers fails as the first one does.
      const known =
        rows.find(([m, p, a]) => m === method && p === path.replace('/os-volumes_boot', '/servers') && (a ?? '') === (action ?? ''))?.[6] ??
        own
      const differences: string[] = []
      if (since !== (min || '2.1')) differences.push(`since ${since}, not ${min || '2.1'}`)
      if (until !== max) differences.push(`until ${until || 'now'}, not ${max || 'now'}`)
      const codes = typeof status === 'number' ? [status] : Object.values(status)
      if (statuses !== '' && codes.some((code) => !statuses.includes(String(code)))) differences.push(`status ${codes}, not ${statuses}`)
      if (policy && !rules.split(',').includes(policy)) differences.push(`policy ${policy}, not ${rules}`)
      const isForeign = (code: number) =>
        !anywhere.has(code) && !known.split(',').includes(String(code)) && !(code === 409 && locked.has(name))
      const foreign = errors.filter(isForeign)
      if (foreign.length > 0) differences.push(`errors ${foreign}`)
      return differences.map((difference) => `${name}: ${difference}`)
    })
    expect(wrong).toEqual([])
  })

  it('answers no body of any operation with a fault of the server', async () => {
    const changing = table.filter(({ method, path }) => method !== 'GET' && !path.startsWith('/servers'))
    const id = fc.constantFrom('x', '1', '70a599e0-31e7-49b7-b260-868f441e862b', '%00', '__proto__', '%F0%9F%98%80')
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom(...changing),
        id,
        fc.jsonValue(),
        fc.constantFrom('2.1', '2.53', '2.104'),
        async (one, value, body, version) => {
          const answer = await call(one.method, one.path.replaceAll(/\{[a-z_]+\}/g, value), {
            version,
            body: one.action ? { [one.action]: body } : body,
          })
          expect(answer.status, `${operationId(one)} ${answer.text}`).toBeLessThan(500)
        },
      ),
      { numRuns: 400 },
    )
  })

  it('answers no query of any list with a fault of the server', async () => {
    const reading = table.filter(({ method, path }) => method === 'GET' && !path.includes('{') && path !== '/os-baremetal-nodes')
    const names = [
      'limit',
      'marker',
      'user_id',
      'sort_key',
      'is_public',
      'minRam',
      'host',
      'with_servers',
      'hypervisor_hostname_pattern',
      '__proto__',
      'tenant_id',
    ]
    const query = fc.dictionary(fc.constantFrom(...names), fc.string())
    await fc.assert(
      fc.asyncProperty(fc.constantFrom(...reading), query, fc.constantFrom('2.1', '2.53', '2.104'), async (one, said, version) => {
        const answer = await call('GET', `${one.path}?${new URLSearchParams(said)}`, { version })
        expect(answer.status, `${operationId(one)} ${answer.text}`).toBeLessThan(500)
      }),
      { numRuns: 400 },
    )
  })
})
