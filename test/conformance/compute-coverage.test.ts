/**
 * What nothing exercises: every sample of OpenStack's Compute is claimed by a test (which fails when it does less than it
 * claims) or stands here with the reason, and every route is really called, by each of its edges, at its own versions.
 */
import { readdirSync } from 'node:fs'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { coverageOf, factsMissing, routes } from '../../scripts/api-coverage.ts'
import { startTestCloud, type TestCloud } from '../support/cloud.ts'
import { allSamples, sampleClaims, sampleId, samplesMissing } from '../support/samples.ts'

const gone = 'the API is gone: 410 at every version'
/** Samples that no test exercises, by the beginning of their names, and why. */
const unexercised: Readonly<Record<string, string>> = {
  'consoles/': gone,
  'os-agents/': gone,
  'os-cells/': gone,
  'os-certificates/': gone,
  'os-cloudpipe/': gone,
  'os-fixed-ips/': gone,
  'os-floating-ip-dns/': gone,
  'os-floating-ips-bulk/': gone,
  'os-networks-associate/': gone,
  'os-networks/network-create-req.json': gone,
  'os-security-group-default-rules/': gone,
  'os-virtual-interfaces/': gone,
  'os-baremetal-nodes/': 'answers only where a bare metal service is, and this cloud has none',
  'os-quota-sets-noop/': 'the same answers of another quota driver',
  'os-assisted-volume-snapshots/snapshot-create-assisted-resp.json': 'no server has a volume whose snapshot could be assisted',
  'os-server-shares/server-shares-admin-create-resp.json': 'no share service is here',
  'os-server-shares/server-shares-create-resp.json': 'no share service is here',
  'os-volume_attachments/attach-volume-to-server-resp.json': 'no volume service is here',
  'os-server-diagnostics/server-diagnostics-get-resp.json 2.1': "a hypervisor's own names: no two have the same keys",
  'images/image-metadata-post-req.json': 'names a kernel that is no image',
  'servers/server-get-down-cell-resp.json': 'the one cell is up as long as its API',
  'servers/server-get-resp.json 2.69': 'the one cell is up as long as its API',
  'servers/servers-details-resp.json 2.69': 'the one cell is up as long as its API',
  'servers/servers-list-resp.json 2.69': 'the one cell is up as long as its API',
}

describe.skipIf(samplesMissing)('samples', () => {
  const all = allSamples().map(sampleId)
  const claims = sampleClaims()
  const claimed = new Set(Object.values(claims).flat())
  const reasonFor = (id: string) => Object.keys(unexercised).find((name) => id.startsWith(name))

  it('are claimed by a test, or stand here with a reason', () => {
    expect(all).toHaveLength(593)
    expect(all.filter((id) => !claimed.has(id) && !reasonFor(id))).toEqual([])
  })

  it('have no reason where they are claimed, and no claim that names nothing', () => {
    expect([...claimed].filter((id) => reasonFor(id) || !all.includes(id))).toEqual([])
    expect(Object.keys(unexercised).filter((name) => !all.some((id) => id.startsWith(name)))).toEqual([])
    const here = readdirSync(new URL('.', import.meta.url))
    expect(Object.keys(claims).filter((test) => !here.includes(test))).toEqual([])
  })
})

describe.skipIf(factsMissing)('routes', () => {
  let cloud: TestCloud
  beforeAll(async () => {
    cloud = await startTestCloud()
  })
  afterAll(() => cloud[Symbol.asyncDispose]())

  const first = '2.1'
  const last = '2.104'
  const step = (version: string, by: number) => `2.${Number(version.slice(2)) + by}`
  const noRoute = 'The resource could not be found.'
  const mounted = factsMissing ? [] : routes().filter(({ path }) => path.startsWith('/'))

  it('are all here', () => {
    expect(
      mounted.filter((route) => coverageOf(route).is === 'absent').map(({ method, path, action }) => `${method} ${path} ${action}`),
    ).toEqual([])
  })

  it('answer at their first and last version and between, and are not there before and after', async () => {
    const wrong: string[] = []
    for (const { method, path, action, since, until } of mounted) {
      const [from, to] = [since || first, until || last]
      const middle = step('2.0', Math.round((Number(from.slice(2)) + Number(to.slice(2))) / 2))
      const outside = [since ? step(since, -1) : '', until ? step(until, 1) : ''].filter((version) => version !== '')
      // Another row of the same operation may go on where this one ends.
      const isElsewhere = (version: string) =>
        mounted.some(
          (one) =>
            one.method === method &&
            one.path === path &&
            one.action === action &&
            Number(version.slice(2)) >= Number((one.since || first).slice(2)) &&
            Number(version.slice(2)) <= Number((one.until || last).slice(2)),
        )
      for (const version of [from, middle, to, ...outside]) {
        const answer = await cloud.call(
          method,
          `/compute/v2.1${path.replace('/versions/{id}', '/versions/v2.1').replaceAll(/\{\w+\}/g, 'x')}`,
          {
            version,
            ...(method === 'GET' || method === 'DELETE' ? {} : { body: action === '' ? {} : { [action]: null } }),
          },
        )
        const isThere = !(answer.status === 404 && answer.body?.itemNotFound?.message === noRoute)
        // The version document stands before versions are negotiated.
        const shown = path === '/' ? `compute ${version}` : answer.headers.get('openstack-api-version')
        if (isThere !== isElsewhere(version)) wrong.push(`${method} ${path} ${action} at ${version}: ${answer.status} ${answer.text}`)
        if (answer.status === 406 || answer.status === 500 || shown !== `compute ${version}`)
          wrong.push(`${method} ${path} ${action} at ${version}: ${answer.status}, version ${shown}`)
      }
    }
    expect(wrong).toEqual([])
  })
})
