/**
 * Runs one external program to its end: argument list, no shell, a deadline, bounded output and, where asked, resource limits.
 *
 * Limits are set by util-linux's `prlimit` placed in front of the program; where there is none the program runs without them, since
 * the deadline still ends it.
 */
import { spawn } from 'node:child_process'
import { access, constants } from 'node:fs/promises'

export type ToolOptions = {
  deadlineMs: number
  signal?: AbortSignal
  cwd?: string
  env?: Record<string, string>
  /** Bytes of standard output kept; more ends the program. */
  maxOutputBytes?: number
  limits?: { addressSpaceBytes: number; cpuSeconds: number }
}

/** A program that could not be started, failed, ran out of time or was called off. `message` never holds the environment. */
export class ToolFailed extends Error {
  readonly tool: string
  readonly reason: 'missing' | 'failed' | 'deadline' | 'aborted' | 'output'
  readonly stderr: string
  constructor(tool: string, reason: ToolFailed['reason'], detail: string, stderr = '') {
    super(`${tool}: ${detail}`)
    this.name = 'ToolFailed'
    this.tool = tool
    this.reason = reason
    this.stderr = stderr
  }
}

/** Where programs are looked for: a system's own places, whatever the environment says. */
export const systemPath = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'
const prlimitPath = '/usr/bin/prlimit'
let prlimitIsThere: Promise<boolean> | undefined

/** @throws {ToolFailed} */
export async function runTool(tool: string, args: readonly string[], options: ToolOptions): Promise<Buffer> {
  prlimitIsThere ??= access(prlimitPath, constants.X_OK).then(
    () => true,
    () => false,
  )
  const limited = options.limits !== undefined && (await prlimitIsThere)
  const limits = options.limits
  const [command, argv] =
    limited && limits
      ? [prlimitPath, [`--as=${limits.addressSpaceBytes}`, `--cpu=${limits.cpuSeconds}`, '--core=0', '--', tool, ...args]]
      : [tool, [...args]]
  if (options.signal?.aborted) throw new ToolFailed(tool, 'aborted', 'called off before it started')
  return await new Promise((resolve, reject) => {
    const child = spawn(command, argv, {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { PATH: systemPath, LC_ALL: 'C', ...options.env },
      ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
    })
    const maxOutput = options.maxOutputBytes ?? 1 << 20
    const out: Buffer[] = []
    let outBytes = 0
    let err = ''
    let ended: { reason: ToolFailed['reason']; detail: string } | undefined
    const end = (reason: ToolFailed['reason'], detail: string) => {
      ended ??= { reason, detail }
      child.kill('SIGKILL')
    }
    const timer = setTimeout(() => end('deadline', `not done after ${options.deadlineMs} ms`), options.deadlineMs)
    const onAbort = () => end('aborted', 'called off')
    options.signal?.addEventListener('abort', onAbort, { once: true })
    child.stdout.on('data', (chunk: Buffer) => {
      outBytes += chunk.length
      if (outBytes > maxOutput) end('output', `wrote more than ${maxOutput} bytes`)
      else out.push(chunk)
    })
    child.stderr.on('data', (chunk: Buffer) => {
      if (err.length < 8192) err += chunk.toString('utf8')
    })
    const settle = () => {
      clearTimeout(timer)
      options.signal?.removeEventListener('abort', onAbort)
    }
    child.once('error', (cause: NodeJS.ErrnoException) => {
      settle()
      reject(
        new ToolFailed(tool, cause.code === 'ENOENT' ? 'missing' : 'failed', cause.code === 'ENOENT' ? 'not installed' : cause.message),
      )
    })
    child.once('close', (code, signal) => {
      settle()
      if (ended) reject(new ToolFailed(tool, ended.reason, ended.detail, err))
      else if (code === 0) resolve(Buffer.concat(out))
      else if (code === 127 && limited) reject(new ToolFailed(tool, 'missing', 'not installed', err))
      else {
        const last = err.trim().split('\n').slice(-3).join(' | ').slice(0, 600)
        reject(new ToolFailed(tool, 'failed', `${signal ? `ended by ${signal}` : `exit code ${code}`}${last ? `: ${last}` : ''}`, err))
      }
    })
  })
}
