/** How long the event loop is kept from its work while everything is asked of the cloud at once. */
import { randomBytes } from 'node:crypto'
import { serve } from '../../support/process.ts'
import { atMost, type CaseResult, percentile, plain } from '../measure.ts'
import { adminPassword, passwordLogin, roomy, Session } from '../session.ts'
import { load } from '../wire.ts'

const imageMib = 64
const barMs = 20

export async function eventLoopCase(): Promise<CaseResult> {
  await using cloud = await serve({ env: roomy })
  using session = await Session.open(cloud)
  const { url } = session
  await session.burst('warm', 100)
  await load({ url, count: 200, concurrency: 4, request: session.encode({ path: '/compute/v2.1/servers/detail?limit=100' }) })

  const under = async (work: () => Promise<unknown>) => {
    await delays(url)
    await work()
    return await delays(url)
  }
  const lists = () =>
    load({ url, count: 1000, concurrency: 4, request: session.encode({ path: '/compute/v2.1/servers/detail?limit=100' }) })
  const logins = () => load({ url, count: 10, concurrency: 2, request: passwordLogin(adminPassword(cloud.dataDir)), expect: 201 })
  let bursts = 0
  const build = async () => {
    const name = `built${bursts++}`
    await session.burst(name, 200)
    await session.removeAll(name)
  }
  const listing = await under(lists)
  const building = await under(build)
  const uploading = await under(() => upload(session))
  let latencies: number[] = []
  const mixed = await under(async () => {
    const [listed] = await Promise.all([lists(), build(), upload(session), logins()])
    latencies = listed.latencies
  })
  return {
    name: "Delay of the event loop, by the process's own /metrics (p99; max in brackets)",
    rows: [
      { ...atMost('lists of 100 with details', listing.p99, 'ms', barMs), value: shown(listing) },
      { ...atMost('200 servers created and deleted', building.p99, 'ms', barMs), value: shown(building) },
      { ...atMost(`an image of ${imageMib} MiB uploaded`, uploading.p99, 'ms', barMs), value: shown(uploading) },
      { ...atMost('all of these and log-ins at once', mixed.p99, 'ms', barMs), value: shown(mixed) },
      plain("  the lists' p99 latency meanwhile", percentile(latencies, 0.99), 'ms'),
    ],
  }
}

type Delays = { p99: number; max: number }

const shown = ({ p99, max }: Delays): string => `${p99.toFixed(1)} (${max.toFixed(1)}) ms`

/** Since they were last asked for, in ms. */
async function delays(url: string): Promise<Delays> {
  const text = await (await fetch(`${url}/metrics`)).text()
  const seconds = (name: string) => Number(new RegExp(`^minicloud_nodejs_eventloop_lag_${name}_seconds (\\S+)`, 'm').exec(text)?.[1])
  return { p99: seconds('p99') * 1000, max: seconds('max') * 1000 }
}

async function upload(session: Session): Promise<void> {
  const image = { name: 'blank', disk_format: 'raw', container_format: 'bare' }
  const { id } = await session.json({ method: 'POST', path: '/image/v2/images', body: JSON.stringify(image) }, 201)
  const answer = await fetch(`${session.url}/image/v2/images/${id}/file`, {
    method: 'PUT',
    headers: { 'x-auth-token': session.token, 'content-type': 'application/octet-stream' },
    body: randomBytes(imageMib * 1024 * 1024),
  })
  if (answer.status !== 204) throw new Error(`upload: ${answer.status} ${await answer.text()}`)
}
