/** Many servers at once over eight connections, on an empty cloud and on one that has a thousand. */
import { serve } from '../../support/process.ts'
import { atMost, type CaseResult, cpuMs, median, plain } from '../measure.ts'
import { roomy, Session } from '../session.ts'

const rounds = 3
const small = 100
const large = 1000

export async function burstCase(): Promise<CaseResult> {
  await using cloud = await serve({ env: roomy })
  using session = await Session.open(cloud)
  await session.burst('warm', small)
  await session.removeAll('warm')

  const repeated = async () => {
    const times: number[] = []
    const cpus: number[] = []
    for (let round = 0; round < rounds; round++) {
      const before = cpuMs(session.pid)
      times.push((await session.burst('hundred', small)) / 1000)
      cpus.push((cpuMs(session.pid) - before) / small)
      await session.removeAll('hundred')
    }
    return { seconds: median(times), cpuEach: median(cpus) }
  }
  const empty = await repeated()
  const before = cpuMs(session.pid)
  const thousand = (await session.burst('thousand', large)) / 1000
  const thousandCpu = (cpuMs(session.pid) - before) / large
  const crowded = await repeated()
  return {
    name: 'Bursts at concurrency 8 (fake hypervisor)',
    rows: [
      atMost('100 servers → all ACTIVE', empty.seconds, 's', 0.7),
      plain('  CPU for each', empty.cpuEach, 'ms'),
      plain('1000 servers → all ACTIVE', thousand, 's'),
      plain('  CPU for each', thousandCpu, 'ms'),
      atMost('100 more with 1000 present', crowded.seconds, 's', 0.7),
      plain('  CPU for each', crowded.cpuEach, 'ms'),
    ],
  }
}
