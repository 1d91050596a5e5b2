/**
 * A server on a real libvirt, against `virsh create` of the very same domain: same XML, same disks, same tap in the same bridge.
 *
 * Both run against a libvirtd of the case's own in a network namespace of its own. The domain is created by virsh once minicloud has stopped, which leaves
 * the guest's disks and the network as they are.
 */
import { execFile } from 'node:child_process'
import { chmodSync, existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { libvirtdMissing, removeLibvirtdDir, startPrivateLibvirtd } from '../../support/libvirtd.ts'
import { serve } from '../../support/process.ts'
import { prefixOf, removeNetworks } from '../../support/real-host.ts'
import { atMost, type CaseResult, median, percentile, plain, timed } from '../measure.ts'
import { roomy, Session } from '../session.ts'

const run = promisify(execFile)
const samples = 10
const name = 'Create on libvirt'

const missing = (): string | undefined =>
  libvirtdMissing() ??
  ['/usr/bin/qemu-system-x86_64', '/usr/bin/virsh', '/usr/sbin/dnsmasq', '/usr/sbin/nft'].find((program) => !existsSync(program))

export async function libvirtCase(): Promise<CaseResult> {
  const lacking = missing()
  if (lacking !== undefined) return { name, rows: [{ what: 'skipped', value: `missing: ${lacking}` }] }
  const netns = `bench${process.pid}`
  const dir = mkdtempSync(join(tmpdir(), 'mc-bench-'))
  chmodSync(dir, 0o755)
  await run('ip', ['netns', 'add', netns])
  try {
    await run('ip', ['-n', netns, 'link', 'set', 'lo', 'up'])
    await using daemon = await startPrivateLibvirtd({ dir: join(dir, 'l'), netns })
    const { builds, removals, xml, socket } = await throughMinicloud(dir, netns, daemon.uri, daemon.socket)
    const creations = await throughVirsh(dir, socket, xml)
    const starts: number[] = []
    for (let i = 0; i < samples; i++) starts.push((await timed(() => virsh(socket, 'uri'))).ms)
    return {
      name,
      rows: [
        plain('POST /servers → ACTIVE, median', median(builds), 'ms'),
        plain('POST /servers → ACTIVE, p90', percentile(builds, 0.9), 'ms'),
        plain('virsh create of the same domain, median', median(creations), 'ms'),
        plain("  of which virsh's own start and connection", median(starts), 'ms'),
        atMost('  ratio of the medians', median(builds) / median(creations), '×', 1.5),
        plain('DELETE → 404, median', median(removals), 'ms'),
      ],
    }
  } finally {
    const data = join(dir, 'd')
    if (existsSync(join(data, 'credentials.json'))) removeNetworks(prefixOf(data))
    await run('ip', ['netns', 'delete', netns])
    await removeLibvirtdDir(dir)
    rmSync(dir, { recursive: true, force: true })
  }
}

type Measured = { builds: number[]; removals: number[]; xml: string; socket: string }

async function throughMinicloud(dir: string, netns: string, uri: string, socket: string): Promise<Measured> {
  const env = {
    ...roomy,
    MINICLOUD_LIBVIRT_CONNECTION_URI: uri,
    MINICLOUD_LIBVIRT_VIRT_TYPE: 'qemu',
    MINICLOUD_HOST_NAMESPACE: netns,
    MINICLOUD_RESERVED_HOST_MEMORY_MB: '0',
  }
  await using cloud = await serve({ dataDir: join(dir, 'd'), driver: 'libvirt', env })
  using session = await Session.open(cloud)
  await session.remove((await session.create('warm')).id)
  const builds: number[] = []
  const removals: number[] = []
  for (let i = 0; i < samples; i++) {
    const { id, ms } = await session.create(`one-${i}`)
    builds.push(ms)
    removals.push(await session.remove(id))
  }
  await session.create('kept')
  const domains = (await virsh(socket, 'list', '--name')).trim().split('\n')
  const xml = await virsh(socket, 'dumpxml', '--inactive', '--security-info', domains[0] ?? '')
  return { builds, removals, xml, socket }
}

async function throughVirsh(dir: string, socket: string, xml: string): Promise<number[]> {
  const file = join(dir, 'domain.xml')
  writeFileSync(file, xml, { mode: 0o600 })
  const domain = /<name>([^<]+)<\/name>/.exec(xml)?.[1] ?? ''
  const creations: number[] = []
  for (let i = 0; i <= samples; i++) {
    await virsh(socket, 'destroy', domain)
    const { ms } = await timed(() => virsh(socket, 'create', file))
    if (i > 0) creations.push(ms)
  }
  await virsh(socket, 'destroy', domain)
  return creations
}

async function virsh(socket: string, ...args: string[]): Promise<string> {
  const { stdout } = await run('virsh', ['-c', `qemu+unix:///system?socket=${socket}`, ...args])
  return stdout
}
