/**
 * A host made of network namespaces, with guests and an outside: real packets, none of which leave the machine.
 *
 * A guest is a namespace whose only device is the far end of a pair; the near end has the name of the port's tap and lies in the network's bridge, as the
 * hypervisor would have it.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { chmodSync, existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { type DriverDeps, makeLinuxDriver, type NetworkDriver, type PortPlan } from '../../src/network/drivers/index.ts'
import { inside, ipBatch, run } from '../../src/network/drivers/linux/run.ts'

/** Null when the machine can carry the lab, else why not. */
export async function whyNoLab(): Promise<string | null> {
  if (process.getuid?.() !== 0) return 'needs root'
  for (const program of ['ip', 'nft', 'dnsmasq', 'busybox', 'nsenter', 'conntrack', 'sysctl']) {
    if (!['/usr/sbin', '/usr/bin', '/sbin', '/bin'].some((folder) => existsSync(join(folder, program))))
      return `needs the program ${program}`
  }
  return null
}

const listenerModule = fileURLToPath(new URL('../../src/network/drivers/netns-listener.ts', import.meta.url))

/** What udhcpc calls with a lease: takes address, MTU and the classless routes, and writes all down. */
const leaseScript = `#!/bin/sh
[ "$1" = bound ] || exit 0
env > "$LEASE_FILE"
ip addr add "$ip/$mask" dev "$interface"
ip link set "$interface" mtu "$mtu"
set -- $staticroutes
while [ $# -ge 2 ]; do ip route replace "$1" via "$2" dev "$interface"; shift 2; done
`

export type Lab = Awaited<ReturnType<typeof makeLab>>
export type Guest = Awaited<ReturnType<Lab['guest']>>

export async function makeLab() {
  const tag = `lab${process.pid}${Math.random().toString(36).slice(2, 6)}`
  const hostSpace = `${tag}-host`
  const folder = mkdtempSync(join(tmpdir(), 'network-lab-'))
  chmodSync(folder, 0o755)
  const script = join(folder, 'lease.sh')
  writeFileSync(script, leaseScript, { mode: 0o755 })
  const spaces = new Set<string>([hostSpace])
  const daemons: ChildProcess[] = []
  const drivers: NetworkDriver[] = []
  await ipBatch(null, [`netns add ${hostSpace}`])
  await ipBatch(hostSpace, ['link set lo up'])

  return {
    hostSpace,
    folder,
    async driver(prefix: string, changes: Partial<DriverDeps> = {}): Promise<NetworkDriver> {
      const driver = await makeLinuxDriver({
        cloudPrefix: prefix,
        hostNamespace: hostSpace,
        childCommand: [process.execPath, '-e', `import(${JSON.stringify(listenerModule)}).then((module) => module.runNetnsListener())`],
        stateDir: join(folder, prefix),
        resolvers: [],
        log: { info() {}, warn() {}, error() {} },
        ...changes,
      })
      drivers.push(driver)
      return driver
    },

    /** A namespace beyond the host's own uplink, which knows no way back to anything behind the host. */
    async outside(): Promise<{ space: string; ip: string }> {
      const space = `${tag}-out`
      spaces.add(space)
      await ipBatch(hostSpace, [
        `netns add ${space}`,
        `link add up0 type veth peer name out0 netns ${space}`,
        'addr add 203.0.113.1/24 dev up0',
        'link set up0 up',
      ])
      await ipBatch(space, ['link set lo up', 'addr add 203.0.113.2/24 dev out0', 'link set out0 up'])
      await ipBatch(hostSpace, ['route add default via 203.0.113.2'])
      return { space, ip: '203.0.113.2' }
    },

    async guest(bridge: string, port: PortPlan) {
      const space = `${tag}-${port.tap}-${spaces.size}`
      const leaseFile = join(folder, `${space}.lease`)
      spaces.add(space)
      await ipBatch(hostSpace, [
        `netns add ${space}`,
        `link add ${port.tap} type veth peer name eth0 address ${port.mac} netns ${space}`,
        `link set ${port.tap} master ${bridge} up`,
      ])
      await ipBatch(space, ['link set lo up', 'link set eth0 up'])
      return {
        space,
        /** Asks for a lease; gives what came with it, or null when none came. */
        async dhcp(): Promise<Map<string, string> | null> {
          const client = [
            'busybox',
            'udhcpc',
            '-f',
            '-q',
            '-n',
            '-t',
            '4',
            '-T',
            '1',
            '-i',
            'eth0',
            '-s',
            script,
            '-O',
            'staticroutes',
            '-O',
            'mtu',
            '-O',
            'tftp',
          ]
          try {
            await run(inside(space, ['env', `LEASE_FILE=${leaseFile}`, ...client]), { deadlineMs: 15_000 })
          } catch {
            return null
          }
          const text = await run(['cat', leaseFile])
          return new Map(text.split('\n').map((line) => [line.split('=')[0] ?? '', line.slice(line.indexOf('=') + 1)]))
        },
      }
    },

    ip: (space: string, ...lines: string[]) => ipBatch(space, lines),
    /** One packet, one second. */
    ping: (space: string, ip: string, from?: string) =>
      succeeds(inside(space, ['busybox', 'ping', '-c', '1', '-W', '1', ...(from ? ['-I', from] : []), ip])),
    tcp: (space: string, ip: string, port: number) => succeeds(inside(space, ['busybox', 'nc', '-w', '1', ip, String(port)])),
    get: (space: string, url: string) => run(inside(space, ['busybox', 'wget', '-q', '-O', '-', url]), { deadlineMs: 5_000 }),
    resolve: async (space: string, name: string, server: string) =>
      (await run(inside(space, ['busybox', 'nslookup', '-type=a', name, server])).catch(() => '')).match(
        /Address: (\d+\.\d+\.\d+\.\d+)$/m,
      )?.[1] ?? null,

    /** A web server in a namespace, answering once this returns. */
    async serve(space: string, port: number): Promise<void> {
      const [file = '', ...args] = inside(space, ['busybox', 'httpd', '-f', '-p', String(port), '-h', folder])
      daemons.push(spawn(file, args, { stdio: 'ignore' }))
      for (let i = 0; i < 100; i++) if (await succeeds(inside(space, ['busybox', 'nc', '-w', '1', '127.0.0.1', String(port)]))) return
      throw new Error(`nothing listens on ${port}`)
    },

    /** Waits until the guest has an address that it took by itself, and may use it. */
    async hasAddress(space: string, ip: string): Promise<void> {
      for (let i = 0; i < 400; i++) {
        const said = await run(inside(space, ['ip', '-6', 'addr', 'show', 'dev', 'eth0', '-tentative']))
        if (said.includes(` ${ip}/`)) return
        await delay(20)
      }
      throw new Error(`${ip} did not come: ${await run(inside(space, ['ip', '-6', 'addr']))}`)
    },

    /** A name server outside, at 203.0.113.2. */
    async nameServer(name: string, ip: string): Promise<void> {
      const [file = '', ...args] = inside(`${tag}-out`, [
        'dnsmasq',
        '-k',
        '--conf-file=/dev/null',
        '--no-resolv',
        '--no-hosts',
        `--address=/${name}/${ip}`,
        '--pid-file=',
      ])
      daemons.push(spawn(file, args, { stdio: 'ignore' }))
      for (let i = 0; i < 100; i++) if (await succeeds(inside(`${tag}-out`, ['busybox', 'nslookup', '-type=a', name, '127.0.0.1']))) return
      throw new Error('no name server')
    },

    /** A connection that stays open; `says` is whether words get through within a second or so. */
    async connection(fromSpace: string, toSpace: string, ip: string, port: number) {
      const heard: string[] = []
      const start = (space: string, command: string[]) => {
        const [file = '', ...args] = inside(space, command)
        const child = spawn(file, args, { stdio: ['pipe', 'pipe', 'ignore'] })
        daemons.push(child)
        return child
      }
      const listens = async () => (await run(inside(toSpace, ['ss', '-ltnH', `sport = :${port}`]))) !== ''
      if (await listens()) throw new Error(`port ${port} is taken`)
      start(toSpace, ['busybox', 'nc', '-l', '-p', String(port)])
        .stdout.setEncoding('utf8')
        .on('data', (text: string) => heard.push(text))
      for (let i = 0; i < 100 && !(await listens()); i++);
      const talker = start(fromSpace, ['busybox', 'nc', ip, String(port)])
      return {
        async says(word: string): Promise<boolean> {
          talker.stdin.write(`${word}\n`)
          for (let i = 0; i < 60 && !heard.join('').includes(word); i++) await delay(20)
          return heard.join('').includes(word)
        },
      }
    },

    async dispose(): Promise<void> {
      for (const driver of drivers) await driver.converge({ networks: [], routers: [], external: null }).finally(() => driver.close())
      for (const daemon of daemons) daemon.kill('SIGKILL')
      await ipBatch(
        null,
        [...spaces].map((space) => `netns del ${space}`),
      )
      rmSync(folder, { recursive: true })
    },
  }
}

function succeeds(command: string[]): Promise<boolean> {
  return run(command, { deadlineMs: 5_000 }).then(
    () => true,
    () => false,
  )
}
