/** The one place that starts programs of the host: arguments as a list, never a shell; every run has an end and says what went wrong. */
import { execFile, spawn } from 'node:child_process'
import { writeFile } from 'node:fs/promises'
import type { Server } from 'node:net'
import { CommandFailed } from '../errors.ts'

export type RunOptions = { stdin?: string; deadlineMs?: number }

const mostTries = 20

/**
 * Runs a program to its end and gives what it printed.
 * @throws {CommandFailed} with the program's own words when it is missing, fails, or outlives its deadline (10 s unless told).
 */
export async function run(command: readonly string[], options: RunOptions = {}): Promise<string> {
  return (await runToEnd(command, options)).stdout
}

/**
 * The same for a list that the kernel gives in pieces: when something changed meanwhile, which may leave out what is there, it is asked again.
 * @throws {CommandFailed} as {@link run}, and when the kernel never comes to rest.
 */
export async function runList(command: readonly string[], options: RunOptions = {}): Promise<string> {
  for (let tries = 0; tries < mostTries; tries++) {
    const { stdout, stderr } = await runToEnd(command, options)
    if (!stderr.includes('Dump was interrupted')) return stdout
  }
  throw new CommandFailed(shown(command), null, 'what it lists changes all the time')
}

function runToEnd(command: readonly string[], options: RunOptions): Promise<{ stdout: string; stderr: string }> {
  const [file = '', ...args] = command
  return new Promise((resolve, reject) => {
    const child = execFile(
      file,
      args,
      { timeout: options.deadlineMs ?? 10_000, killSignal: 'SIGKILL', maxBuffer: 64 << 20 },
      (error, stdout, stderr) => {
        if (!error) return resolve({ stdout, stderr })
        const said = child.killed ? 'took too long' : error.code === 'ENOENT' ? 'no such program' : stderr
        reject(new CommandFailed(shown(command), typeof error.code === 'number' ? error.code : null, said, error))
      },
    )
    // A program that fails early closes its input; that failure is reported by its exit.
    child.stdin?.on('error', () => {})
    child.stdin?.end(options.stdin ?? '')
  })
}

/**
 * Runs a program that opens a listening socket and hands it over by the channel of `child_process`.
 * @throws {CommandFailed} when none arrives in time.
 */
export function runForServer(command: readonly string[], deadlineMs = 15_000): Promise<Server> {
  const [file = '', ...args] = command
  return new Promise((resolve, reject) => {
    const child = spawn(file, args, { stdio: ['ignore', 'ignore', 'pipe', 'ipc'] })
    let stderr = ''
    child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      stderr = (stderr + text).slice(-4096)
    })
    const fail = (said: string, exitCode: number | null = null) => {
      clearTimeout(timer)
      reject(new CommandFailed(shown(command), exitCode, said))
    }
    const timer = setTimeout(() => {
      child.kill('SIGKILL')
      fail('took too long')
    }, deadlineMs)
    child.once('error', (error) => fail(error.message))
    child.once('close', (code) => fail(stderr || 'ended without a socket', code))
    child.once('message', (_message, handle) => {
      clearTimeout(timer)
      resolve(handle as Server)
    })
  })
}

/** The same command inside a network namespace; null is the one we run in. */
export function inside(space: string | null, command: readonly string[]): string[] {
  return space === null ? [...command] : ['nsenter', `--net=${spacePath(space)}`, '--', ...command]
}

export function spacePath(space: string): string {
  return `/run/netns/${space}`
}

/**
 * Many `ip` commands at the price of one process; stops at the first that fails.
 * @throws {CommandFailed}
 */
export async function ipBatch(space: string | null, lines: readonly string[]): Promise<string> {
  return lines.length === 0 ? '' : run(inside(space, ['ip', '-batch', '-']), { stdin: `${lines.join('\n')}\n` })
}

/**
 * Many `ip` commands of which some may find their work done: a device goes with its namespace or with its peer. The caller
 * looks afterwards whether what it wants is so.
 */
export async function ipSweep(space: string | null, lines: readonly string[]): Promise<void> {
  if (lines.length > 0) await run(inside(space, ['ip', '-force', '-batch', '-']), { stdin: `${lines.join('\n')}\n` }).catch(() => undefined)
}

/**
 * Sets kernel parameters, written with slashes (`net/ipv4/ip_forward`). Those that this kernel lacks are passed over.
 * @throws {CommandFailed}
 */
export async function sysctl(space: string | null, settings: Record<string, string>): Promise<void> {
  if (space !== null) {
    await run(inside(space, ['sysctl', '-q', '-e', '-w', ...Object.entries(settings).map(([key, value]) => `${key}=${value}`)]))
    return
  }
  for (const [key, value] of Object.entries(settings)) {
    await writeFile(`/proc/sys/${key}`, value).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'ENOENT') throw new CommandFailed(`sysctl ${key}=${value}`, null, error.message, error)
    })
  }
}

function shown(command: readonly string[]): string {
  return command.join(' ').slice(0, 300)
}
