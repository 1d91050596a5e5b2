/** One server created and deleted over and over on the fake hypervisor: how long it takes, and what it costs. */
import { serve } from '../../support/process.ts'
import { atMost, type CaseResult, cpuMs, median, percentile, plain } from '../measure.ts'
import { roomy, Session } from '../session.ts'

const warmUp = 60
const samples = 100
const counted = 200

export async function lifecycleCase(): Promise<CaseResult> {
  await using cloud = await serve({ env: roomy })
  using session = await Session.open(cloud)
  for (let i = 0; i < warmUp; i++) await session.remove((await session.create(`warm-${i}`)).id)

  const builds: number[] = []
  const removals: number[] = []
  for (let i = 0; i < samples; i++) {
    const { id, ms } = await session.create(`one-${i}`)
    builds.push(ms)
    removals.push(await session.remove(id))
  }

  const before = cpuMs(session.pid)
  await session.burst('cost', counted)
  await session.removeAll('cost')
  const cost = (cpuMs(session.pid) - before) / counted
  return {
    name: 'Create and delete (fake hypervisor)',
    rows: [
      atMost('CPU per server created and deleted', cost, 'ms', 10),
      atMost('POST /servers → ACTIVE, median', median(builds), 'ms', 20),
      plain('POST /servers → ACTIVE, p99', percentile(builds, 0.99), 'ms'),
      plain('DELETE → 404, median', median(removals), 'ms'),
    ],
  }
}
