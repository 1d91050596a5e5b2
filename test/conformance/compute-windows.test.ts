/** Which versions of the Compute API have which operations: the table here beside OpenStack's, and the page that says so. */
import { readFileSync } from 'node:fs'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import {
  coverageFile,
  coverageOf,
  coveragePage,
  differences,
  factsMissing,
  isNamed,
  nothingToSee,
  partial,
  routes,
  versions,
} from '../../scripts/api-coverage.ts'
import { type AnyOperation, operationId } from '../../src/base/http/index.ts'
import { computeOperations } from '../../src/nova/api/index.ts'
import { startTestCloud, type TestCloud } from '../support/cloud.ts'

const table = computeOperations as readonly AnyOperation[]

describe.skipIf(factsMissing)('the table of operations', () => {
  it('has the windows and statuses of OpenStack', () => {
    expect(routes().flatMap((route) => differences(route).map((text) => `${route.method} ${route.path} ${route.action}: ${text}`))).toEqual(
      [],
    )
  })

  it('has no route that OpenStack has not', () => {
    const known = new Set(routes().map(({ method, path, action }) => `${method} ${path}${action === '' ? '' : `#${action}`}`))
    expect(table.map(operationId).filter((id) => !known.has(id))).toEqual([])
  })

  it('says why of operations that it has', () => {
    const ids = new Set(table.map(operationId))
    expect(Object.keys(partial).filter((id) => !ids.has(id))).toEqual([])
  })
})

describe.skipIf(factsMissing)('microversions', () => {
  it('are all known by what they change, or change nothing here', () => {
    expect(versions()).toHaveLength(104)
    expect(versions().flatMap(({ version, here }) => (here === 'forgotten' ? [version] : []))).toEqual([])
  })

  it('change nothing only where nothing knows them', () => {
    expect(Object.keys(nothingToSee).filter((version) => isNamed(version))).toEqual([])
  })
})

describe.skipIf(factsMissing)('docs/api-coverage.md', () => {
  it('is current: node scripts/api-coverage.ts writes it', () => {
    expect(readFileSync(coverageFile, 'utf8')).toBe(coveragePage())
  })
})

describe.skipIf(factsMissing)('a window', () => {
  let cloud: TestCloud
  beforeAll(async () => {
    cloud = await startTestCloud()
  })
  afterAll(() => cloud[Symbol.asyncDispose]())

  const last = '2.104'
  const step = (version: string, by: number) => `2.${Number(version.slice(2)) + by}`
  const ask = async ({ method, path, action }: { method: string; path: string; action: string }, version: string) =>
    await cloud.call(method, `/compute/v2.1${path.replaceAll(/\{\w+\}/g, 'x')}`, {
      version,
      ...(method === 'GET' || method === 'DELETE' ? {} : { body: action === '' ? {} : { [action]: null } }),
    })
  /** The sentence of a route that is not there; a resource that is not there has another. */
  const noRoute = 'The resource could not be found.'
  const edges = factsMissing ? [] : routes().filter((route) => (route.since || route.until) && coverageOf(route).is !== 'absent')

  it.each(edges.map((route) => [`${route.method} ${route.path} ${route.action}`, route] as const))('%s', async (_name, route) => {
    const { since = '', until = '' } = route
    const inside = [since || '2.1', until || last]
    const outside = [since ? step(since, -1) : '', until ? step(until, 1) : ''].filter((version) => version !== '')
    for (const version of inside) {
      const answer = await ask(route, version)
      expect(answer.status === 404 && answer.body?.itemNotFound?.message === noRoute, `${version} ${answer.text}`).toBe(false)
    }
    for (const version of outside) {
      const answer = await ask(route, version)
      expect([answer.status, answer.body?.itemNotFound?.message], version).toEqual([404, noRoute])
    }
  })
})

describe.skipIf(factsMissing)('what is absent', () => {
  let cloud: TestCloud
  beforeAll(async () => {
    cloud = await startTestCloud()
  })
  afterAll(() => cloud[Symbol.asyncDispose]())

  it('is said in a way that clients understand, never a 500', async () => {
    for (const { method, path, action } of routes().filter((route) => coverageOf(route).is === 'absent')) {
      const answer = await cloud.call(method, `/compute/v2.1${path.replaceAll(/\{\w+\}/g, 'x')}`, {
        version: '2.104',
        ...(method === 'GET' || method === 'DELETE' ? {} : { body: action === '' ? {} : { [action]: null } }),
      })
      expect([400, 404, 405, 410], `${method} ${path} ${action} ${answer.status}`).toContain(answer.status)
    }
  })
})
