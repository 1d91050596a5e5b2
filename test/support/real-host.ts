/**
 * A compute host of a test's own: a network namespace with a libvirtd in it. Bridges, guests and rules live there, and
 * nothing of it meets this machine's own network.
 */
import { execFileSync } from 'node:child_process'
import { libvirtdMissing, startPrivateLibvirtd } from './libvirtd.ts'

export type RealHost = AsyncDisposable & {
  libvirtd: Awaited<ReturnType<typeof startPrivateLibvirtd>>
  namespace: string
  /** The environment of a minicloud that is to use it. */
  env: Record<string, string>
  domains(): string[]
  taps(): string[]
  /** The whole nftables ruleset of the host. */
  rules(): string
}

/** Why there can be none here, or null. */
export function realHostMissing(): string | null {
  if (process.getuid?.() !== 0) return 'not root'
  return libvirtdMissing() ?? null
}

const run = (program: string, ...args: string[]): string => execFileSync(program, args, { encoding: 'utf8', timeout: 20_000 })

export async function makeRealHost(dir: string, { cacheFrom }: { cacheFrom?: string } = {}): Promise<RealHost> {
  const namespace = `mct${process.pid}${Math.floor(Math.random() * 1000)}`
  run('ip', 'netns', 'add', namespace)
  run('ip', '-n', namespace, 'link', 'set', 'lo', 'up')
  const libvirtd = await startPrivateLibvirtd({ dir, netns: namespace, ...(cacheFrom === undefined ? {} : { cacheFrom }) })
  const virsh = (...args: string[]) => run('virsh', '-c', libvirtd.uri, '-q', ...args)
  const lines = (text: string) => text.split('\n').filter((line) => line.trim() !== '')
  return {
    libvirtd,
    namespace,
    env: { MINICLOUD_LIBVIRT_CONNECTION_URI: libvirtd.uri, MINICLOUD_HOST_NAMESPACE: namespace },
    domains: () => lines(virsh('list', '--all', '--name')),
    taps: () => lines(run('ip', '-n', namespace, '-br', 'link')).filter((line) => line.startsWith('tap')),
    rules: () => run('ip', 'netns', 'exec', namespace, 'nft', 'list', 'ruleset'),
    async [Symbol.asyncDispose]() {
      for (const name of lines(virsh('list', '--name'))) virsh('destroy', name)
      await libvirtd[Symbol.asyncDispose]()
      for (const line of lines(run('ip', 'netns', 'list'))) {
        const name = line.split(' ')[0] ?? ''
        if (name === namespace) run('ip', 'netns', 'del', name)
      }
    },
  }
}
