/** From nothing to the first answered list of servers, and what the process takes up while nobody asks for anything. */
import { type ChildProcess, spawn } from 'node:child_process'
import { existsSync, mkdtempSync, openSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { type AddressInfo, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { atMost, type CaseResult, cpuMs, median, plain, pssMib } from '../measure.ts'
import { adminPassword, passwordLogin, tokenOf } from '../session.ts'
import { encode, Wire } from '../wire.ts'

const main = fileURLToPath(new URL('../../../src/main.ts', import.meta.url))
const rounds = 5
const deadlineMs = 30_000
const pollMs = 2
const restMs = 15_000

export async function restCase(): Promise<CaseResult> {
  const dir = mkdtempSync(join(tmpdir(), 'minicloud-rest-'))
  try {
    const cache = join(dir, 'cache')
    const uncompiled = await start(join(dir, 'virgin'), cache)
    await uncompiled.end()
    const firsts: number[] = []
    const restarts: number[] = []
    for (let round = 0; round < rounds; round++) {
      const dataDir = join(dir, `data-${round}`)
      const first = await start(dataDir, cache)
      firsts.push(first.seconds)
      await first.end()
      const again = await start(dataDir, cache, first.token)
      restarts.push(again.seconds)
      await again.end()
    }
    const resting = await start(join(dir, 'data-0'), cache)
    await delay(restMs)
    const memory = pssMib(resting.pid)
    const before = cpuMs(resting.pid)
    await delay(restMs)
    const idle = ((cpuMs(resting.pid) - before) / restMs) * 100
    const processes = 1 + childrenOf(resting.pid)
    await resting.end()
    return {
      name: 'Start and rest (fake hypervisor)',
      rows: [
        atMost('start → first GET /servers answered, with the token of before', median(restarts), 's', 0.5),
        atMost('first start, empty data directory → the same, with log-in', median(firsts), 's', 0.5),
        plain('  and nothing compiled yet', uncompiled.seconds, 's'),
        atMost('memory (PSS) at rest', memory, 'MiB', 120),
        { what: 'processes', value: String(processes), bar: '1', met: processes === 1 },
        plain('CPU at rest', idle, '%'),
      ],
    }
  } finally {
    rmSync(dir, { recursive: true, force: true })
  }
}

type Started = { seconds: number; token: string; pid: number; end: () => Promise<void> }

/** @throws {Error} when no list is answered within the deadline. */
async function start(dataDir: string, cache: string, known?: string): Promise<Started> {
  const port = await freePort()
  const startedAt = performance.now()
  const child = spawn(process.execPath, [main, 'serve', '--data-dir', dataDir, '--port', String(port), '--driver', 'fake'], {
    stdio: ['ignore', 'ignore', openSync(`${dataDir}.log`, 'a', 0o600)],
    env: { PATH: process.env.PATH, HOME: process.env.HOME, NODE_COMPILE_CACHE: cache },
  })
  try {
    using wire = await answering(`http://127.0.0.1:${port}`, child, startedAt)
    const token = known ?? (await login(wire, dataDir, startedAt))
    const list = encode({ path: '/compute/v2.1/servers', headers: { 'x-auth-token': token } })
    const { status } = await wire.send(list)
    if (status !== 200) throw new Error(`GET /servers: ${status}`)
    return { seconds: (performance.now() - startedAt) / 1000, token, pid: child.pid ?? 0, end: () => end(child) }
  } catch (error) {
    await end(child)
    throw error
  }
}

/** Logs in as soon as the first start has made the user. */
async function login(wire: Wire, dataDir: string, startedAt: number): Promise<string> {
  for (;;) {
    const file = existsSync(join(dataDir, 'credentials.json'))
    const answer = file ? await wire.send(passwordLogin(adminPassword(dataDir))) : null
    if (answer?.status === 201) return tokenOf(answer)
    late(startedAt)
    await delay(pollMs)
  }
}

async function answering(url: string, child: ChildProcess, startedAt: number): Promise<Wire> {
  for (;;) {
    if (child.exitCode !== null) throw new Error(`minicloud ended with ${child.exitCode}`)
    try {
      return await Wire.open(url)
    } catch {
      late(startedAt)
      await delay(pollMs)
    }
  }
}

function late(startedAt: number): void {
  if (performance.now() - startedAt > deadlineMs) throw new Error(`no answer within ${deadlineMs} ms`)
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const ended = new Promise((resolve) => child.once('exit', resolve))
  child.kill('SIGTERM')
  await ended
}

async function freePort(): Promise<number> {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  await new Promise((resolve) => server.close(resolve))
  return port
}

function childrenOf(pid: number): number {
  return readdirSync('/proc').filter((entry) => /^\d+$/.test(entry) && parentOf(entry) === pid).length
}

function parentOf(pid: string): number {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
    return Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1])
  } catch {
    return 0
  }
}
