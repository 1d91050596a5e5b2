/** A handler's own cost: requests per second of processor time, against a bare hono handler that sends the same bytes. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { serve } from '../../support/process.ts'
import { type CaseResult, cpuMs, type Row } from '../measure.ts'
import { roomy, Session, tokenLogin } from '../session.ts'
import { type Answer, encode, load, Wire } from '../wire.ts'

const bareServer = fileURLToPath(new URL('../bare-hono.ts', import.meta.url))
const connections = 8
const rounds = 3
const bareRequests = 10_000
/** Both are compiled as well as they ever will be before they are measured. */
const warmUp = 3
const share = 1 / 3

export async function handlersCase(): Promise<CaseResult> {
  await using cloud = await serve({ env: roomy })
  using session = await Session.open(cloud)
  await session.burst('hundred', 100)
  const { servers } = await session.json({ path: '/compute/v2.1/servers?limit=1' })
  const get = (path: string) => ({ what: `GET ${path.replace(servers[0].id, '{id}')}`, request: session.encode({ path }), count: 2000 })
  const requests = [
    get(`/compute/v2.1/servers/${servers[0].id}`),
    { ...get('/compute/v2.1/servers'), count: 1000 },
    { ...get('/compute/v2.1/servers/detail?limit=100'), count: 500 },
    get('/compute/v2.1/flavors/detail'),
    get('/image/v2/images'),
    get('/network/v2.0/networks'),
    { what: 'POST /identity/v3/auth/tokens', request: tokenLogin(session.token), count: 1000 },
  ]
  const rows: Row[] = []
  for (const { what, request, count } of requests) {
    const answer = await send(session, request)
    const own = await perSecond(session.url, session.pid, request, count, answer.status)
    const bare = await bareRate(answer)
    rows.push({
      what,
      value: `${(own / bare).toFixed(2)} × (${Math.round(own)}/s, bare ${Math.round(bare)}/s; ${answer.body.length} bytes)`,
      bar: '≥ 0.33 ×',
      met: own / bare >= share,
    })
  }
  return { name: 'Requests per second of processor time, against a bare hono handler', rows }
}

async function send(session: Session, request: Buffer): Promise<Answer> {
  using wire = await Wire.open(session.url)
  return await wire.send(request)
}

/** The best of some rounds, after some that warm up. */
async function perSecond(url: string, pid: number, request: Buffer, count: number, expect: number): Promise<number> {
  await load({ url, count: count * warmUp, concurrency: connections, request, expect })
  let best = 0
  for (let round = 0; round < rounds; round++) {
    const before = cpuMs(pid)
    await load({ url, count, concurrency: connections, request, expect })
    best = Math.max(best, (count / Math.max(10, cpuMs(pid) - before)) * 1000)
  }
  return best
}

async function bareRate({ head, body }: Answer): Promise<number> {
  const dir = mkdtempSync(join(tmpdir(), 'minicloud-bare-'))
  const file = join(dir, 'body')
  writeFileSync(file, body)
  const type = /^content-type: (.+)$/im.exec(head)?.[1]?.trim() ?? 'application/json'
  const child = spawn(process.execPath, [bareServer, file, type], { stdio: ['ignore', 'pipe', 'inherit'] })
  try {
    const [port] = (await once(child.stdout, 'data')) as [Buffer]
    const url = `http://127.0.0.1:${port.toString().trim()}`
    return await perSecond(url, child.pid ?? 0, encode({ path: '/' }), bareRequests, 200)
  } finally {
    const ended = once(child, 'exit')
    child.kill('SIGKILL')
    await ended
    rmSync(dir, { recursive: true, force: true })
  }
}
