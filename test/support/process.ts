/** A real minicloud process, and the real `openstack` client against it. */
import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { until } from './until.ts'

const main = fileURLToPath(new URL('../../src/main.ts', import.meta.url))
const startMs = 120_000
const clientMs = 120_000

export type ServeOptions = {
  dataDir?: string
  driver?: 'fake' | 'libvirt'
  /** By environment name: `MINICLOUD_DEBUG_CRASH_AT`. */
  env?: Record<string, string>
  /** The program and its first arguments; by default this checkout's. */
  command?: readonly string[]
  /** Further arguments of `serve`. */
  args?: readonly string[]
}

export type Ready = { url: string; auth_url: string; pid: number; clouds_yaml: string; driver: string }

export class ServeProcess implements AsyncDisposable {
  readonly dataDir: string
  readonly ready: Ready
  readonly #child: ChildProcess
  readonly #ownsDir: boolean
  readonly #exited: Promise<number | NodeJS.Signals>

  constructor(parts: { dataDir: string; ready: Ready; child: ChildProcess; ownsDir: boolean; exited: Promise<number | NodeJS.Signals> }) {
    this.dataDir = parts.dataDir
    this.ready = parts.ready
    this.#child = parts.child
    this.#ownsDir = parts.ownsDir
    this.#exited = parts.exited
  }

  /** Resolves with the exit code, or the signal that ended it. */
  get exited(): Promise<number | NodeJS.Signals> {
    return this.#exited
  }

  async stop(signal: NodeJS.Signals = 'SIGTERM'): Promise<number | NodeJS.Signals> {
    this.#child.kill(signal)
    return await this.#exited
  }

  /** What the process has logged. */
  log(): string {
    return readFileSync(join(this.dataDir, 'test.log'), 'utf8')
  }

  /** Runs the `openstack` client; answers its standard output. @throws with its standard error. */
  async openstack(...args: string[]): Promise<string> {
    return await openstack(this.ready.clouds_yaml, args)
  }

  /** The same with JSON output. */
  // biome-ignore lint/suspicious/noExplicitAny: what a command prints is what the test looks into
  async json(...args: string[]): Promise<any> {
    return JSON.parse(await this.openstack(...args, '-f', 'json'))
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop()
    if (this.#ownsDir) rmSync(this.dataDir, { recursive: true, force: true })
  }
}

export const hasOpenstack = existsSync('/usr/bin/openstack')

export function openstack(cloudsYaml: string, args: readonly string[], cloud = 'minicloud'): Promise<string> {
  const env = {
    PATH: '/usr/bin:/bin',
    HOME: tmpdir(),
    LANG: 'C.UTF-8',
    OS_CLIENT_CONFIG_FILE: cloudsYaml,
    OS_CLOUD: cloud,
    PYTHONWARNINGS: 'ignore',
  }
  return new Promise((resolve, reject) => {
    execFile('/usr/bin/openstack', [...args], { env, timeout: clientMs, maxBuffer: 16 * 1024 * 1024 }, (error, stdout, stderr) => {
      if (error) reject(new Error(`openstack ${args.join(' ')}: ${stderr || error.message}`))
      else resolve(stdout)
    })
  })
}

/** Starts `minicloud serve` on a free port and waits until it is ready. @throws with its log when it ends before. */
export async function serve({
  dataDir,
  driver = 'fake',
  env = {},
  command = [process.execPath, main],
  args = [],
}: ServeOptions = {}): Promise<ServeProcess> {
  const dir = dataDir ?? mkdtempSync(join(tmpdir(), 'minicloud-serve-'))
  mkdirSync(dir, { recursive: true, mode: 0o700 })
  const readyFile = join(dir, 'ready.json')
  rmSync(readyFile, { force: true })
  const logFile = join(dir, 'test.log')
  const output = openSync(logFile, 'a', 0o600)
  const [program = '', ...first] = command
  const child = spawn(
    program,
    [...first, 'serve', '--data-dir', dir, '--port', '0', '--driver', driver, '--ready-file', readyFile, ...args],
    {
      stdio: ['ignore', output, output],
      env: { PATH: process.env.PATH, HOME: process.env.HOME, ...env },
    },
  )
  let ended: number | NodeJS.Signals | null = null
  const exited = new Promise<number | NodeJS.Signals>((resolve) => {
    child.once('exit', (code, signal) => {
      ended = signal ?? code ?? 0
      resolve(ended)
    })
  })
  const ready = await until(
    'minicloud to be ready',
    () => {
      if (ended !== null) throw new Error(`minicloud ended with ${ended}:\n${readFileSync(logFile, 'utf8').slice(-4000)}`)
      return existsSync(readyFile) ? (JSON.parse(readFileSync(readyFile, 'utf8')) as Ready) : null
    },
    startMs,
  )
  return new ServeProcess({ dataDir: dir, ready, child, ownsDir: dataDir === undefined, exited })
}
