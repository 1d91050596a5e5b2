/** What a page of 100 servers costs as the cloud grows from a thousand to a hundred thousand. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { serve } from '../../support/process.ts'
import { addServers } from '../crowd.ts'
import { atMost, type CaseResult, cpuMs, median, plain, pssMib } from '../measure.ts'
import { roomy, Session } from '../session.ts'
import { load } from '../wire.ts'

const few = 1000
const many = 100_000
const requests = 2000
const rounds = 3
const name = 'like'

type Pages = { cpu: number; latency: number }
type Measured = { first: Pages; middle: Pages; one: Pages; memory: number }

export async function growthCase(): Promise<CaseResult> {
  const dataDir = mkdtempSync(join(tmpdir(), 'minicloud-growth-'))
  try {
    let template: string
    {
      await using cloud = await serve({ dataDir, env: roomy })
      using session = await Session.open(cloud)
      template = (await session.create(name)).id
    }
    addServers(dataDir, template, few - 1)
    const small = await measure(dataDir, template)
    addServers(dataDir, template, many - few)
    const large = await measure(dataDir, template)
    const ratio = (of: (measured: Measured) => Pages) => of(large).cpu / of(small).cpu
    return {
      name: `A page of 100 servers with details, out of ${few} and out of ${many}`,
      rows: [
        plain(`CPU of the first page out of ${few}`, small.first.cpu, 'ms'),
        plain(`CPU of the first page out of ${many}`, large.first.cpu, 'ms'),
        atMost(
          '  ratio',
          ratio(({ first }) => first),
          '×',
          1.3,
        ),
        plain(`CPU of a page in the middle out of ${few}`, small.middle.cpu, 'ms'),
        plain(`CPU of a page in the middle out of ${many}`, large.middle.cpu, 'ms'),
        atMost(
          '  ratio',
          ratio(({ middle }) => middle),
          '×',
          1.3,
        ),
        plain(`median latency of the first page out of ${many}`, large.first.latency, 'ms'),
        atMost(
          'CPU of GET /servers/{id}, ratio',
          ratio(({ one }) => one),
          '×',
          1.3,
        ),
        plain(`memory with ${many} servers`, large.memory, 'MiB'),
      ],
    }
  } finally {
    rmSync(dataDir, { recursive: true, force: true })
  }
}

async function measure(dataDir: string, template: string): Promise<Measured> {
  await using cloud = await serve({ dataDir, env: roomy })
  using session = await Session.open(cloud)
  const pages = async (path: string): Promise<Pages> => {
    const request = session.encode({ path: `/compute/v2.1${path}` })
    await load({ url: session.url, count: requests, concurrency: 2, request })
    const cpus: number[] = []
    const latencies: number[] = []
    for (let round = 0; round < rounds; round++) {
      const before = cpuMs(session.pid)
      latencies.push(...(await load({ url: session.url, count: requests, concurrency: 2, request })).latencies)
      cpus.push((cpuMs(session.pid) - before) / requests)
    }
    return { cpu: Math.min(...cpus), latency: median(latencies) }
  }
  const marker = await middle(session)
  const first = await pages('/servers/detail?limit=100')
  return {
    first,
    middle: await pages(`/servers/detail?limit=100&marker=${marker}`),
    one: await pages(`/servers/${template}`),
    memory: pssMib(session.pid),
  }
}

/** The server in the middle of the list, whose page is followed by hundreds more. */
async function middle(session: Session): Promise<string> {
  let marker = ''
  const ids: string[] = []
  for (let pages = 0; pages < 1 + many / few; pages++) {
    const { servers } = (await session.json({ path: `/compute/v2.1/servers?limit=1000${marker}` })) as { servers: { id: string }[] }
    ids.push(...servers.map(({ id }) => id))
    if (servers.length < 1000) break
    marker = `&marker=${servers.at(-1)?.id}`
  }
  return ids[Math.floor(ids.length / 2)] ?? ''
}
