/** What a filter of the list of servers costs: a page of the same length without one is the peer. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { serve } from '../../support/process.ts'
import { addServers } from '../crowd.ts'
import { type CaseResult, cpuMs, figure, type Row } from '../measure.ts'
import { roomy, Session } from '../session.ts'
import { load } from '../wire.ts'

const present = 10_000
const requests = 100
const rounds = 3
const page = 100
const bar = 1.3

export async function filtersCase(): Promise<CaseResult> {
  const dataDir = mkdtempSync(join(tmpdir(), 'minicloud-filters-'))
  try {
    let one: string
    {
      await using cloud = await serve({ dataDir, env: roomy })
      using session = await Session.open(cloud)
      one = (await session.create('web-server')).id
    }
    addServers(dataDir, one, present - 1)
    await using cloud = await serve({ dataDir, env: roomy })
    using session = await Session.open(cloud)
    const flavor = (await session.json({ path: `/compute/v2.1/servers/${one}`, headers: { 'openstack-api-version': 'compute 2.1' } }))
      .server.flavor.id
    // All of them match, so that a page is as long as the peer's; what is asked, and the query.
    const common: readonly (readonly [string, string])[] = [
      ['status', 'status=ACTIVE'],
      ['vm_state and host', 'vm_state=active&host=elsewhere'],
      ['flavor', `flavor=${flavor}`],
      ['image', `image=${session.imageId}`],
      ['name, a word', 'name=crowd'],
      ['name, a pattern', `name=${encodeURIComponent('^cr[aeiou]w?d-[0-9]+$')}`],
      ['address, a pattern', `ip=${encodeURIComponent('^10\\.20\\.')}`],
    ]
    const cost = (query: string) => cpuOf(session, `/compute/v2.1/servers/detail?limit=${page}&${query}`)
    const plainPage = await cost('sort_key=created_at')
    const rows: Row[] = [{ what: 'no filter', value: figure(plainPage, 'ms') }]
    for (const [what, query] of common) {
      const ratio = (await cost(query)) / plainPage
      rows.push({ what, value: figure(ratio, '×'), bar: `≤ ${bar} ×`, met: ratio <= bar })
    }
    // No index serves these: they walk through all.
    for (const [what, query] of [
      ['sorted by name', 'sort_key=display_name&sort_dir=asc'],
      ['changes-since, which all match', 'changes-since=2020-01-01T00:00:00Z'],
      ['one of them, by its name', 'name=web-server'],
      ['one of them, by its uuid', `uuid=${one}`],
      ['none, by a pattern', `name=${encodeURIComponent('(x+x+)+y$')}`],
    ] as const)
      rows.push({ what, value: figure(await cost(query), 'ms') })
    return { name: `CPU of a page of ${page} servers with details out of ${present}, filtered`, rows }
  } finally {
    rmSync(dataDir, { recursive: true, force: true })
  }
}

/** ms for each request; the best of some rounds. */
async function cpuOf(session: Session, path: string): Promise<number> {
  const request = session.encode({ path })
  await load({ url: session.url, count: 20, concurrency: 4, request })
  let best = Number.POSITIVE_INFINITY
  for (let round = 0; round < rounds; round++) {
    const before = cpuMs(session.pid)
    await load({ url: session.url, count: requests, concurrency: 4, request })
    best = Math.min(best, (cpuMs(session.pid) - before) / requests)
  }
  return best
}
