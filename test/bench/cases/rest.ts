/** From nothing to the first answered list of servers, and what the process takes up while nobody asks for anything. */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { existsSync, mkdtempSync, openSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { type AddressInfo, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { atMost, type CaseResult, cpuMs, median, plain, pssMib } from '../measure.ts'
import { adminPassword, passwordLogin, tokenOf } from '../session.ts'
import { encode, Wire } from '../wire.ts'

const root = fileURLToPath(new URL('../../..', import.meta.url))
/** Which program is started, and where it keeps what is compiled. */
type Program = { command: readonly string[]; cache: string }
const rounds = 5
const deadlineMs = 30_000
const pollMs = 2
const restMs = 15_000

export async function restCase(): Promise<CaseResult> {
  const dir = mkdtempSync(join(tmpdir(), 'minicloud-rest-'))
  try {
    const checkout: Program = { command: [process.execPath, join(root, 'src/main.ts')], cache: join(dir, 'cache') }
    const uncompiled = await start(join(dir, 'virgin'), checkout)
    await uncompiled.end()
    const { firsts, restarts } = await starts(checkout, join(dir, 'data'))
    execFileSync(process.execPath, [join(root, 'scripts/build.ts'), join(dir, 'dist')], { stdio: ['ignore', 'ignore', 'inherit'] })
    const built = await starts({ command: [join(dir, 'dist/minicloud')], cache: join(dir, 'none') }, join(dir, 'built'))
    const resting = await start(join(dir, 'data-0'), checkout)
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
        atMost('the executable: start', median(built.restarts), 's', 0.5),
        atMost('the executable: first start, with log-in', median(built.firsts), 's', 0.5),
        atMost('memory (PSS) at rest', memory, 'MiB', 120),
        { what: 'processes', value: String(processes), bar: '1', met: processes === 1 },
        plain('CPU at rest', idle, '%'),
      ],
    }
  } finally {
    rmSync(dir, { recursive: true, force: true })
  }
}

/** Each round a first start and another one, in seconds. */
async function starts(program: Program, dataDirs: string): Promise<{ firsts: number[]; restarts: number[] }> {
  const firsts: number[] = []
  const restarts: number[] = []
  for (let round = 0; round < rounds; round++) {
    const dataDir = `${dataDirs}-${round}`
    const first = await start(dataDir, program)
    firsts.push(first.seconds)
    await first.end()
    const again = await start(dataDir, program, first.token)
    restarts.push(again.seconds)
    await again.end()
  }
  return { firsts, restarts }
}

type Started = { seconds: number; token: string; pid: number; end: () => Promise<void> }

/** @throws {Error} when no list is answered within the deadline. */
async function start(dataDir: string, { command, cache }: Program, known?: string): Promise<Started> {
  const port = await freePort()
  const startedAt = performance.now()
  const [program = '', ...args] = command
  const child = spawn(program, [...args, 'serve', '--data-dir', dataDir, '--port', String(port), '--driver', 'fake'], {
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
