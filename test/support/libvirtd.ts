/**
 * A libvirtd of one's own: in its own mount namespace over its own directories, and in a network namespace if one is named.
 *
 * Only root can make one. The directories that libvirt and QEMU write to are bound from `dir`, so nothing of this machine's own
 * libvirt is seen or touched; QEMU runs as root without security driver or cgroups. The namespace's mounts vanish with its last
 * process; everything started here, guests too, is ended by pid.
 */
import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { existsSync } from 'node:fs'
import { cp, mkdir, readdir, readFile, writeFile } from 'node:fs/promises'
import { connect } from 'node:net'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { until } from './until.ts'

export type PrivateLibvirtd = {
  /** For `connect()`, from any namespace. */
  uri: string
  socket: string
  /** Of libvirtd, as of now. */
  readonly pid: number
  netns: string | undefined
  /** Ends libvirtd alone, guests go on, and starts it again. */
  restart: () => Promise<void>
  /** Ends libvirtd alone, without a farewell. */
  kill: () => Promise<void>
  start: () => Promise<void>
  [Symbol.asyncDispose]: () => Promise<void>
}

const libvirtd = '/usr/sbin/libvirtd'
const virtlogd = '/usr/sbin/virtlogd'
const run = promisify(execFile)

/** Why there can be none here, or undefined when there can. */
export function libvirtdMissing(): string | undefined {
  if (process.getuid?.() !== 0) return 'only root can start a private libvirtd'
  if (!existsSync(libvirtd) || !existsSync(virtlogd)) return 'libvirtd and virtlogd are not installed'
  return undefined
}

/** What libvirt sees under its usual paths is what lies in `dir` under the same ones. */
const boundDirs = ['run/libvirt', 'etc/libvirt', 'var/lib/libvirt', 'var/cache/libvirt', 'var/log/libvirt']

/**
 * @param options.dir a directory of its own, kept short: a UNIX socket's path has at most 107 bytes
 * @param options.netns an existing network namespace, as `ip netns` names it
 * @param options.cacheFrom the `dir` of another one, which has found out already what QEMU can do: saves some 4 s
 * @throws {Error} when it doesn't come up
 */
export async function startPrivateLibvirtd(options: { dir: string; netns?: string; cacheFrom?: string }): Promise<PrivateLibvirtd> {
  const { dir, netns } = options
  const missing = libvirtdMissing()
  if (missing) throw new Error(missing)
  await prepare(dir)
  if (options.cacheFrom)
    await cp(join(options.cacheFrom, 'var/cache/libvirt'), join(dir, 'var/cache/libvirt'), { recursive: true, preserveTimestamps: true })
  const socket = join(dir, 'run/libvirt/libvirt-sock')
  const holder = await startHolder(dir, netns)
  // A test run that is killed takes its daemons with it: they get a signal when this process ends.
  const enter = ['--target', String(holder.pid), '--mount', '--net', '--', 'setpriv', '--pdeathsig', 'KILL', '--']
  const daemons: ChildProcess[] = []
  const launch = (program: string, args: string[]) => {
    const child = spawn('nsenter', [...enter, program, ...args], {
      stdio: 'ignore',
      env: { PATH: process.env.PATH ?? '', HOME: '/root', LC_ALL: 'C' },
    })
    daemons.push(child)
    return child
  }
  launch(virtlogd, ['-p', '/run/libvirt/virtlogd.pid'])
  let current: ChildProcess
  const start = async () => {
    current = launch(libvirtd, ['-p', '/run/libvirt/libvirtd.pid', '-f', '/etc/libvirt/libvirtd.conf'])
    await answers(socket, current, join(dir, 'var/log/libvirt/libvirtd.log'))
  }
  const kill = () => end(current, 'SIGKILL')
  const dispose = async () => {
    if (current) await end(current, 'SIGTERM')
    await endGuests(dir)
    await Promise.all(daemons.map((child) => end(child, 'SIGTERM')))
    await end(holder, 'SIGKILL')
  }
  try {
    await until('virtlogd listens', () => existsSync(join(dir, 'run/libvirt/virtlogd-sock')))
    await start()
  } catch (error) {
    await dispose()
    throw error
  }
  return {
    uri: `qemu+unix:///system?socket=${socket}`,
    socket,
    get pid() {
      return current.pid ?? 0
    },
    netns,
    kill,
    start,
    restart: async () => {
      await end(current, 'SIGTERM')
      await start()
    },
    [Symbol.asyncDispose]: dispose,
  }
}

async function prepare(dir: string): Promise<void> {
  for (const bound of [...boundDirs, 'var/lib/libvirt/qemu', 'var/lib/libvirt/images', 'var/log/libvirt/qemu']) {
    await mkdir(join(dir, bound), { recursive: true })
  }
  if (existsSync('/etc/libvirt'))
    await cp('/etc/libvirt', join(dir, 'etc/libvirt'), { recursive: true, filter: (path) => !path.includes('/networks/') })
  await writeFile(
    join(dir, 'etc/libvirt/libvirtd.conf'),
    [
      'auth_unix_rw = "none"',
      'auth_unix_ro = "none"',
      'unix_sock_rw_perms = "0700"',
      `host_uuid = "${randomUUID()}"`,
      'log_outputs = "3:file:/var/log/libvirt/libvirtd.log"',
      '',
    ].join('\n'),
  )
  await writeFile(
    join(dir, 'etc/libvirt/qemu.conf'),
    [
      'user = "root"',
      'group = "root"',
      'dynamic_ownership = 0',
      'security_driver = "none"',
      'cgroup_controllers = []',
      'namespaces = []',
      '',
    ].join('\n'),
  )
}

/** Keeps the namespaces alive between the daemons' lives; it reads a pipe that ends with this process, whatever happens to it. */
async function startHolder(dir: string, netns: string | undefined): Promise<ChildProcess> {
  // What libvirt looks up about network devices in /sys is that of the namespace in which it is mounted.
  const sys = netns === undefined ? '' : 'mount -t sysfs sysfs /sys; '
  const script = `set -e; ${sys}for d in "$@"; do mkdir -p "/$d"; mount --bind "$ROOT/$d" "/$d"; done; echo ready; read -r _ || true`
  const unshare = ['unshare', '--mount', '--propagation', 'private', 'sh', '-c', script, 'sh', ...boundDirs]
  const [program, ...args] = netns === undefined ? unshare : ['nsenter', `--net=/run/netns/${netns}`, '--', ...unshare]
  const child = spawn(program!, args, { stdio: ['pipe', 'pipe', 'pipe'], env: { PATH: process.env.PATH ?? '', ROOT: dir } })
  let output = ''
  child.stdout?.on('data', (chunk) => {
    output += chunk
  })
  child.stderr?.on('data', (chunk) => {
    output += chunk
  })
  await until('the mount namespace is made', () => output.includes('ready') || child.exitCode !== null)
  if (!output.includes('ready')) throw new Error(`no mount namespace: ${output}`)
  return child
}

async function answers(socket: string, daemon: ChildProcess, log: string): Promise<void> {
  const tryOnce = () =>
    new Promise<boolean>((resolve) => {
      const probe = connect(socket)
      probe.once('error', () => resolve(false))
      probe.once('connect', () => {
        probe.destroy()
        resolve(true)
      })
    })
  await until(
    () => `libvirtd answers; its log is ${log}`,
    async () => {
      if (daemon.exitCode !== null)
        throw new Error(`libvirtd ended with ${daemon.exitCode}: ${await readFile(log, 'utf8').catch(() => '')}`)
      return tryOnce()
    },
  )
}

/** Guests outlive libvirtd; each leaves its pid where libvirtd finds it again. */
async function endGuests(dir: string): Promise<void> {
  const runDir = join(dir, 'run/libvirt/qemu')
  for (const name of await readdir(runDir).catch(() => [])) {
    if (!name.endsWith('.pid')) continue
    const pid = Number(await readFile(join(runDir, name), 'utf8'))
    const command = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')
    if (command.includes('qemu')) process.kill(pid, 'SIGKILL')
  }
}

async function end(child: ChildProcess, signal: NodeJS.Signals): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()))
  child.kill(signal)
  const hard = setTimeout(() => child.kill('SIGKILL'), 5_000)
  await ended
  clearTimeout(hard)
}

/** Removes what `dir` holds; the mounts over it were never visible outside. */
export async function removeLibvirtdDir(dir: string): Promise<void> {
  await run('rm', ['-rf', '--one-file-system', dir])
}
