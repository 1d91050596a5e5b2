/** Many at once over HTTP: a quota counts them one by one, one hand at a time is on a server, and nothing is left behind. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { startTestCloud, type TestCloud } from '../support/cloud.ts'

const compute = '/compute/v2.1'
let cloud: TestCloud
let image: string
beforeEach(async () => {
  cloud = await startTestCloud({ flags: { 'quota.instances': '10' } })
  image = (await cloud.call('GET', '/image/v2/images?name=tiny')).body.images[0].id
  await cloud.token('demo')
})
afterEach(() => cloud[Symbol.asyncDispose]())

const create = (over: object = {}) =>
  cloud.call('POST', `${compute}/servers`, { as: 'demo', body: { server: { name: 'web', imageRef: image, flavorRef: '42', ...over } } })
const act = (id: string, body: unknown) => cloud.call('POST', `${compute}/servers/${id}/action`, { as: 'demo', body })
const status = async (id: string) => (await cloud.call('GET', `${compute}/servers/${id}`, { as: 'demo' })).body.server.status
const many = <T>(n: number, each: (i: number) => Promise<T>) => Promise.all(Array.from({ length: n }, (_, i) => each(i)))
const countOf = (statuses: number[], wanted: number) => statuses.filter((one) => one === wanted).length

/** What hangs on servers, whoever they are. */
async function left(): Promise<unknown> {
  const { db } = cloud.cloud.ground
  const rows = (sql: string) => db.prepare<{ n: number }>(sql).get()?.n
  return {
    guests: (await cloud.cloud.drivers[0]?.list())?.length,
    ports: rows("SELECT count(*) AS n FROM ports WHERE device_owner LIKE 'compute:%'"),
    allocations: rows('SELECT count(DISTINCT consumer_id) AS n FROM allocations'),
    used: (await cloud.call('GET', `${compute}/limits`, { as: 'demo' })).body.limits.absolute.totalInstancesUsed,
  }
}

describe('twenty creates at once with a quota of ten', () => {
  it('make exactly ten servers, and deleting them twice at once leaves nothing', async () => {
    const answers = await many(20, () => create())
    const statuses = answers.map((answer) => answer.status)
    expect([countOf(statuses, 202), countOf(statuses, 403)]).toEqual([10, 10])
    expect(answers.find((answer) => answer.status === 403)?.body.forbidden.message).toMatch(/^Quota exceeded for instances/)
    await cloud.settle()
    expect(await left()).toEqual({ guests: 10, ports: 10, allocations: 10, used: 10 })

    const ids = answers.flatMap((answer) => (answer.status === 202 ? [answer.body.server.id as string] : []))
    const removed = await many(20, (i) => cloud.call('DELETE', `${compute}/servers/${ids[i % 10]}`, { as: 'demo' }))
    expect(removed.filter((answer) => answer.status !== 204 && answer.status !== 404)).toEqual([])
    await cloud.settle()
    expect(await left()).toEqual({ guests: 0, ports: 0, allocations: 0, used: 0 })
  })

  it('mixed with deletes never pass the quota, and leave nothing', async () => {
    const first = (await many(10, () => create())).map((answer) => answer.body.server.id as string)
    const answers = await many(20, (i) =>
      i % 2 === 0 ? create() : cloud.call('DELETE', `${compute}/servers/${first[(i - 1) / 2]}`, { as: 'demo' }),
    )
    expect(answers.filter((answer) => ![202, 204, 403].includes(answer.status))).toEqual([])
    await cloud.settle()
    const { servers } = (await cloud.call('GET', `${compute}/servers/detail`, { as: 'demo' })).body
    const n = servers.length
    expect(n).toBeLessThanOrEqual(10)
    expect(servers.every((server: { status: string }) => server.status === 'ACTIVE')).toBe(true)
    expect(await left()).toEqual({ guests: n, ports: n, allocations: n, used: n })
  })

  it('of several servers each take all that fits, or none', async () => {
    const answers = await many(4, () => create({ min_count: 4, max_count: 4 }))
    expect(answers.map((answer) => answer.status).sort()).toEqual([202, 202, 403, 403])
    await cloud.settle()
    expect(await left()).toMatchObject({ guests: 8, used: 8 })
  })
})

describe('two actions at once on one server', () => {
  const pairs = [
    [{ 'os-stop': null }, { pause: null }],
    [{ pause: null }, { suspend: null }],
    [{ reboot: { type: 'SOFT' } }, { 'os-stop': null }],
    [{ suspend: null }, { suspend: null }],
  ]
  it.each(pairs.map(([one, other]) => [Object.keys(one ?? {})[0], Object.keys(other ?? {})[0], one, other]))(
    '%s and %s: one is done, the other refused',
    async (_one, _other, first, second) => {
      const { id } = (await create()).body.server
      await cloud.settle()
      const statuses = (await Promise.all([act(id, first), act(id, second)])).map((answer) => answer.status)
      expect(statuses.sort()).toEqual([202, 409])
      await cloud.settle()
      expect(['SHUTOFF', 'PAUSED', 'SUSPENDED', 'ACTIVE']).toContain(await status(id))
    },
  )

  it('a delete wins over whatever runs', async () => {
    const { id } = (await create()).body.server
    const answers = await Promise.all([act(id, { 'os-stop': null }), cloud.call('DELETE', `${compute}/servers/${id}`, { as: 'demo' })])
    // The stop comes while it is built, or when it has been.
    expect([202, 409]).toContain(answers[0]?.status)
    expect(answers[1]?.status).toBe(204)
    await cloud.settle()
    expect(await left()).toEqual({ guests: 0, ports: 0, allocations: 0, used: 0 })
  })
})
