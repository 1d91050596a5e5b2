/**
 * Whether guests' networking can work on this host, found out by doing it in a namespace of its own rather than by asking what is installed.
 */
import { stat } from 'node:fs/promises'
import { dirname } from 'node:path'
import type { Capabilities } from '../driver.ts'
import { CommandFailed } from '../errors.ts'
import { ensureBridgeFilter, type Host } from './host.ts'
import { inside, ipBatch, run } from './run.ts'
import { noRules, replaceTables } from './tables.ts'

type Problem = Capabilities['problems'][number]

/** Leaves nothing behind, save that the module br_netfilter may be loaded afterwards. */
export async function capabilities(host: Host): Promise<Capabilities> {
  const mode = host.rootless || process.getuid?.() !== 0 ? 'rootless' : 'root'
  const problems: Problem[] = []
  if (process.getuid?.() !== 0) {
    const remedy =
      'run as root, or inside `unshare --user --map-root-user --map-auto --net --mount` with `pasta` for the way out (packages uidmap, passt)'
    return { ok: false, mode, problems: [{ what: 'networks of guests need the right to configure the network', remedy }] }
  }

  const programs = { ip: 'iproute2', nft: 'nftables', dnsmasq: 'dnsmasq-base', nsenter: 'util-linux', sysctl: 'procps' }
  for (const [program, debianPackage] of Object.entries(programs)) {
    await run([program, program === 'ip' ? '-V' : '--version']).catch((error: Error) => {
      problems.push({ what: error.message, remedy: `install the package ${debianPackage}` })
    })
  }
  if (problems.length === 0) problems.push(...(await trial(host)))
  const ok = problems.length === 0
  if (!(await hasConntrack()))
    problems.push({ what: 'no conntrack: flows go on after their rule is taken away', remedy: 'install the package conntrack' })
  if (!host.rootless && !(await isOpenToOthers(host.stateDir))) {
    problems.push({
      what: `dnsmasq, once it gave up its privileges, cannot read below ${host.stateDir}`,
      remedy: 'choose a folder whose parents are open to others (x)',
    })
    return { ok: false, mode, problems }
  }
  return { ok, mode, problems }
}

async function trial(host: Host): Promise<Problem[]> {
  const space = `${host.prefix}-probe-${process.pid}`
  const attempts: { remedy: string; work: () => Promise<unknown> }[] = [
    {
      remedy: 'network namespaces need CAP_SYS_ADMIN: run on the host itself or in a privileged container',
      work: () => run(['ip', 'netns', 'add', space]),
    },
    { remedy: 'a kernel with br_netfilter (CONFIG_BRIDGE_NETFILTER): `modprobe br_netfilter`', work: () => ensureBridgeFilter(host) },
    {
      remedy: 'a kernel with bridge and veth: `modprobe bridge veth`',
      work: () => ipBatch(space, ['link add b0 type bridge nf_call_iptables 1 nf_call_ip6tables 1', 'link add v0 type veth peer name v1']),
    },
    {
      remedy: 'a kernel with nf_tables for bridge and inet, nat and conntrack: `modprobe nf_tables nft_chain_nat nft_ct`',
      work: () => run(inside(space, ['nft', '-f', '-']), { stdin: replaceTables(host.names, [noRules()]) }),
    },
  ]
  try {
    for (const { remedy, work } of attempts) {
      try {
        await work()
      } catch (error) {
        return [{ what: (error as Error).message, remedy }]
      }
    }
    return []
  } finally {
    await run(['ip', 'netns', 'del', space]).catch(() => {})
  }
}

async function hasConntrack(): Promise<boolean> {
  return run(['conntrack', '--version']).then(
    () => true,
    (error) => !(error instanceof CommandFailed && error.stderr === 'no such program'),
  )
}

/** Every folder that exists on the way must let others through. Root may always, so the mode bits are asked. */
async function isOpenToOthers(folder: string): Promise<boolean> {
  for (let at = folder; ; at = dirname(at)) {
    const found = await stat(at).catch(() => null)
    if (found && (found.mode & 0o001) === 0) return false
    if (at === dirname(at)) return true
  }
}
