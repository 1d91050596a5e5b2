/** What versions cost: the same rows shown as the oldest and as the newest microversion has them. */
import { serve } from '../../support/process.ts'
import { type CaseResult, cpuMs, type Row } from '../measure.ts'
import { roomy, Session } from '../session.ts'
import { load } from '../wire.ts'

const servers = 100
const rounds = 3
/** Either way; the bytes of both answers stand beside it, since later versions show more. */
const bar = 1.3

export async function viewsCase(): Promise<CaseResult> {
  await using cloud = await serve({ env: roomy })
  using session = await Session.open(cloud)
  await session.burst('seen', servers)
  const { id } = (await session.json({ path: '/compute/v2.1/servers?limit=1' })).servers[0]
  const project = (await session.json({ path: `/compute/v2.1/servers/${id}` })).server.tenant_id
  const paths: readonly (readonly [path: string, count: number])[] = [
    ['/servers', 1000],
    ['/servers/detail', 1000],
    [`/servers/${id}`, 3000],
    [`/servers/${id}/os-instance-actions`, 3000],
    ['/flavors/detail', 3000],
    ['/os-keypairs', 3000],
    ['/os-services', 3000],
    ['/os-hypervisors/detail', 3000],
    ['/os-server-groups', 3000],
    [`/os-quota-sets/${project}`, 3000],
    ['/limits', 3000],
  ]
  const rows: Row[] = []
  for (const [path, count] of paths) {
    const { ratio, figures } = await compare(session, [path], count)
    const met = Math.max(ratio, 1 / ratio) <= bar
    rows.push({ what: `GET ${path.replace(id, '{id}')}`, value: figures, bar: `≤ ${bar} ×`, met })
  }
  // The links of one have the project in them, of the other not: neither can use what was written for the other.
  const { figures } = await compare(session, ['/servers/detail', `/${project}/servers/detail`], 1000)
  rows.push({ what: 'GET /servers/detail, each answer written anew', value: figures })
  return { name: 'CPU of a view, at 2.104 against 2.1', rows }
}

/** The newest version against the oldest, of requests that take turns. */
async function compare(session: Session, paths: readonly string[], count: number): Promise<{ ratio: number; figures: string }> {
  const [oldest, newest] = [await costOf(session, paths, '2.1', count), await costOf(session, paths, '2.104', count)]
  const ratio = newest.ms / oldest.ms
  const costs = `${oldest.ms.toFixed(2)} and ${newest.ms.toFixed(2)} ms; ${oldest.bytes} and ${newest.bytes} bytes`
  return { ratio, figures: `${ratio.toFixed(2)} × (${costs})` }
}

/** ms for each request, the best of some rounds, and how long the first answer is. */
async function costOf(session: Session, paths: readonly string[], version: string, count: number): Promise<{ ms: number; bytes: number }> {
  const headers = { 'openstack-api-version': `compute ${version}`, 'x-openstack-nova-api-version': version }
  const requests = paths.map((path) => ({ path: `/compute/v2.1${path}`, headers }))
  const encoded = requests.map((request) => session.encode(request))
  const request = (index: number) => encoded[index % encoded.length]!
  const { body } = await session.send(requests[0]!)
  await load({ url: session.url, count, concurrency: 4, request })
  let best = Number.POSITIVE_INFINITY
  for (let round = 0; round < rounds; round++) {
    const before = cpuMs(session.pid)
    await load({ url: session.url, count, concurrency: 4, request })
    best = Math.min(best, Math.max(cpuMs(session.pid) - before, 1) / count)
  }
  return { ms: best, bytes: body.length }
}
