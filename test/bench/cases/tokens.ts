/** What it costs to hand out a token, and to check one. */
import { serve } from '../../support/process.ts'
import { atMost, type CaseResult, cpuMs, median, plain } from '../measure.ts'
import { adminPassword, passwordLogin, Session, tokenLogin } from '../session.ts'
import { load } from '../wire.ts'

const requests = 1000
const hashes = 4
/** Times as many before: what a busy cloud has compiled long ago is not measured. */
const warmUp = 3

export async function tokensCase(): Promise<CaseResult> {
  await using cloud = await serve()
  using session = await Session.open(cloud)
  const measure = async (request: Buffer, expect: number, count = requests) => {
    await load({ url: session.url, count: count * warmUp, concurrency: 4, request, expect })
    const before = cpuMs(session.pid)
    const { latencies } = await load({ url: session.url, count, concurrency: 4, request, expect })
    return { cpu: (cpuMs(session.pid) - before) / count, latency: median(latencies) }
  }
  const issued = await measure(tokenLogin(session.token), 201)
  const checked = await measure(session.encode({ path: '/identity/v3/auth/tokens', headers: { 'x-subject-token': session.token } }), 200)
  const used = await measure(session.encode({ path: '/compute/v2.1/flavors/42' }), 200)
  const password = await measure(passwordLogin(adminPassword(cloud.dataDir)), 201)
  // None of these is right, so that each is hashed: a password that was right is remembered. Few enough not to be slowed down.
  const beforeHashes = cpuMs(session.pid)
  await load({ url: session.url, count: hashes, concurrency: 1, request: passwordLogin('wrong'), expect: 401 })
  const hashed = (cpuMs(session.pid) - beforeHashes) / hashes
  return {
    name: 'Tokens',
    rows: [
      atMost('CPU of POST /auth/tokens with a token', issued.cpu, 'ms', 0.3),
      plain('  median latency at concurrency 4', issued.latency, 'ms'),
      plain('CPU of GET /auth/tokens', checked.cpu, 'ms'),
      plain('CPU of GET /flavors/42, a token among others', used.cpu, 'ms'),
      plain('CPU of POST /auth/tokens with a password that was right before', password.cpu, 'ms'),
      plain('  median latency at concurrency 4', password.latency, 'ms'),
      plain('CPU of POST /auth/tokens with a password that is hashed', hashed, 'ms'),
    ],
  }
}
