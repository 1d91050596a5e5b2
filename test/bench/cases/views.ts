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
    ['/servers', 300],
    ['/servers/detail', 100],
    [`/servers/${id}`, 1000],
    [`/servers/${id}/os-instance-actions`, 1000],
    ['/flavors/detail', 1000],
    ['/os-keypairs', 1000],
    ['/os-services', 1000],
    ['/os-hypervisors/detail', 1000],
    ['/os-server-groups', 1000],
    [`/os-quota-sets/${project}`, 1000],
    ['/limits', 1000],
  ]
  const rows: Row[] = []
  for (const [path, count] of paths) {
    const cost = (version: string) => costOf(session, `/compute/v2.1${path}`, version, count)
    const [oldest, newest] = [await cost('2.1'), await cost('2.104')]
    const ratio = newest.ms / oldest.ms
    rows.push({
      what: `GET ${path.replace(id, '{id}')}`,
      value: `${ratio.toFixed(2)} × (${oldest.ms.toFixed(2)} and ${newest.ms.toFixed(2)} ms; ${oldest.bytes} and ${newest.bytes} bytes)`,
      bar: `≤ ${bar} ×`,
      met: Math.max(ratio, 1 / ratio) <= bar,
    })
  }
  return { name: 'CPU of a view, at 2.104 against 2.1', rows }
}

/** ms for each request, the best of some rounds, and how long its answer is. */
async function costOf(session: Session, path: string, version: string, count: number): Promise<{ ms: number; bytes: number }> {
  const headers = { 'openstack-api-version': `compute ${version}`, 'x-openstack-nova-api-version': version }
  const request = session.encode({ path, headers })
  const { body } = await session.send({ path, headers })
  await load({ url: session.url, count, concurrency: 4, request })
  let best = Number.POSITIVE_INFINITY
  for (let round = 0; round < rounds; round++) {
    const before = cpuMs(session.pid)
    await load({ url: session.url, count, concurrency: 4, request })
    best = Math.min(best, Math.max(cpuMs(session.pid) - before, 1) / count)
  }
  return { ms: best, bytes: body.length }
}
