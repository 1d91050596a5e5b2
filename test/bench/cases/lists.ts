/** What lists of servers cost, with few and with many present. */
import { serve } from '../../support/process.ts'
import { atMost, type CaseResult, cpuMs, median, plain } from '../measure.ts'
import { roomy, Session } from '../session.ts'
import { load } from '../wire.ts'

const requests = 1000

export async function listsCase(): Promise<CaseResult> {
  await using cloud = await serve({ env: roomy })
  using session = await Session.open(cloud)
  const measure = async (path: string) => {
    const request = session.encode({ path: `/compute/v2.1${path}` })
    await load({ url: session.url, count: 300, concurrency: 4, request })
    const before = cpuMs(session.pid)
    const { latencies } = await load({ url: session.url, count: requests, concurrency: 4, request })
    return { cpu: (cpuMs(session.pid) - before) / 1000, latency: median(latencies) }
  }
  await session.burst('ten', 10)
  const ten = await measure('/servers')
  const tenDetailed = await measure('/servers/detail')
  await session.burst('hundred', 90)
  const hundred = await measure('/servers')
  const hundredDetailed = await measure('/servers/detail')
  await session.burst('thousand', 900)
  const thousand = await measure('/servers?limit=1000')
  const page = await measure('/servers/detail?limit=100')
  return {
    name: `CPU of ${requests} lists of servers`,
    rows: [
      plain('GET /servers, 10 present', ten.cpu, 's'),
      plain('GET /servers/detail, 10 present', tenDetailed.cpu, 's'),
      atMost('GET /servers, 100 present', hundred.cpu, 's', 0.5),
      plain('GET /servers/detail, 100 present', hundredDetailed.cpu, 's'),
      plain('GET /servers?limit=1000, 1000 present', thousand.cpu, 's'),
      atMost('GET /servers/detail?limit=100, 1000 present', page.cpu, 's', 2),
      plain('  median latency at concurrency 4', page.latency, 'ms'),
    ],
  }
}
