/**
 * Lets the cloud's devices through the host's iptables where that drops what it does not know, as it does beside Docker or ufw: a packet must pass the rules of
 * all, so that ours could not help. The rules name only devices with the cloud's prefix, and go when the last network goes.
 *
 * @see https://docs.docker.com/engine/network/packet-filtering-firewalls/#docker-on-a-router
 */
import type { Host } from './host.ts'
import { inside, run } from './run.ts'

const programs = ['iptables', 'ip6tables']

/** Does nothing on a host without iptables, or whose chain FORWARD lets all pass. @throws {CommandFailed} when a rule is refused. */
export async function passOtherFirewall(host: Host, wanted: boolean): Promise<void> {
  for (const program of programs) {
    const chain = await run(inside(host.space, [program, '-S', 'FORWARD'])).catch(() => '')
    const isClosed = /^-P FORWARD DROP$|-j (DROP|REJECT)\b/m.test(chain)
    for (const way of ['-i', '-o']) {
      const rule = [way, `${host.prefix}-+`, '-j', 'ACCEPT']
      const isThere = chain.includes(`-A FORWARD ${rule.join(' ')}\n`)
      if (wanted && isClosed && !isThere) {
        await run(inside(host.space, [program, '-w', '5', '-I', 'FORWARD', ...rule]))
        host.log.info(`${program} -I FORWARD ${rule.join(' ')}: another firewall on this host would drop the traffic of guests`)
      } else if (!wanted && isThere) {
        await run(inside(host.space, [program, '-w', '5', '-D', 'FORWARD', ...rule]))
      }
    }
  }
}
